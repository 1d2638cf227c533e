//! Each offset of a topic against the rows of the lake: what is missing, doubled or different.
//!
//! The topic is read from its beginning to where it ends when the check starts, a window of offsets at a time, so memory does not
//! grow with it. The rows of the same window come from SQL. A record that is a JSON object must have exactly one row, whose columns
//! are the object's fields; any other record must have none, for the sink sets it aside under `_rejected`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use arrow::array::RecordBatch;
use chrono::DateTime;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use serde_json::{Map, Value};
use tickertape_client::{KafkaOptions, connect};
use tickertape_lake::sql::Engine;
use tokio::sync::mpsc;

use crate::quiet::{QuietAtEnd, Reader};

/// Offsets that are compared at once.
const WINDOW: i64 = 100_000;
/// How many faults are named one by one; the rest is counted.
const NAMED_MAX: usize = 20;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// What a check found.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Verdict {
    /// Records of the topic that were read.
    pub(crate) records: u64,
    /// Rows of the lake that were read.
    pub(crate) rows: u64,
    /// Records that are not JSON objects, which have no row.
    pub(crate) rejected: u64,
    /// Records without a row.
    pub(crate) missing: u64,
    /// Rows beyond the first of an offset.
    pub(crate) doubled: u64,
    /// Rows that are not what the record says, or whose offset has no record.
    pub(crate) different: u64,
    /// The first faults, in words.
    pub(crate) faults: Vec<String>,
    /// Wall time of the check.
    pub(crate) seconds: f64,
}

impl Verdict {
    /// Every offset has its row, once, with the same content.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing == 0 && self.doubled == 0 && self.different == 0
    }

    /// Adds what another check found.
    pub(crate) fn merge(&mut self, other: Verdict) {
        self.records += other.records;
        self.rows += other.rows;
        self.rejected += other.rejected;
        self.missing += other.missing;
        self.doubled += other.doubled;
        self.different += other.different;
        self.seconds += other.seconds;
        self.faults.extend(other.faults);
        self.faults.truncate(NAMED_MAX);
    }

    fn fault(&mut self, text: impl FnOnce() -> String) {
        if self.faults.len() < NAMED_MAX {
            self.faults.push(text());
        }
    }
}

/// One window of a partition: `[start, end)` and the records in it, by offset.
struct Window {
    partition: i32,
    start: i64,
    end: i64,
    records: BTreeMap<i64, Option<Vec<u8>>>,
}

/// Compares `topic` with the rows of `table`. `progress` is told how many records have been compared.
///
/// # Errors
/// The topic cannot be read to the end that it had at the start, or SQL fails.
pub(crate) async fn verify(
    kafka: &KafkaOptions,
    engine: &Engine,
    topic: &str,
    table: &str,
    progress: impl Fn(u64),
) -> anyhow::Result<Verdict> {
    let start = Instant::now();
    let config = kafka.client_config(&[
        ("group.id", "tickertape-verify"),
        ("enable.auto.commit", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "error"),
    ])?;
    let consumer: Reader = connect(&config, QuietAtEnd)?;
    // Two windows wait at most: one is compared while the next is read.
    let (sender, mut windows) = mpsc::channel(1);
    let name = topic.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&consumer, &name, &sender));
    let mut verdict = Verdict::default();
    while let Some(window) = windows.recv().await {
        compare(engine, topic, table, &window, &mut verdict).await?;
        progress(verdict.records);
    }
    let ends = reading.await??;
    beyond(engine, topic, table, &ends, &mut verdict).await?;
    verdict.seconds = start.elapsed().as_secs_f64();
    Ok(verdict)
}

/// Reads every partition from its start to its end as of now, and returns the ends.
fn read(consumer: &Reader, topic: &str, windows: &mpsc::Sender<Window>) -> anyhow::Result<BTreeMap<i32, (i64, i64)>> {
    let metadata = consumer
        .fetch_metadata(Some(topic), REQUEST_TIMEOUT)
        .context("cannot read the metadata")?;
    let found = metadata
        .topics()
        .iter()
        .find(|found| found.name() == topic)
        .context("the topic is gone")?;
    let mut ends = BTreeMap::new();
    for partition in found.partitions() {
        let partition = partition.id();
        let (start, end) = consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        ends.insert(partition, (start, end));
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, partition, Offset::Offset(start))?;
        consumer.assign(&from)?;
        let mut at = start;
        while at < end {
            let window_end = (at + WINDOW).min(end);
            let records = read_window(consumer, window_end)?;
            if windows
                .blocking_send(Window {
                    partition,
                    start: at,
                    end: window_end,
                    records,
                })
                .is_err()
            {
                return Ok(ends);
            }
            at = window_end;
        }
    }
    Ok(ends)
}

/// Reads up to `end`. Offsets may lack a record: compaction and transaction markers leave gaps.
fn read_window(consumer: &Reader, end: i64) -> anyhow::Result<BTreeMap<i64, Option<Vec<u8>>>> {
    let mut records = BTreeMap::new();
    loop {
        match consumer.poll(REQUEST_TIMEOUT) {
            Some(Ok(message)) => {
                let offset = message.offset();
                if offset >= end {
                    consumer.seek(
                        message.topic(),
                        message.partition(),
                        Offset::Offset(offset),
                        REQUEST_TIMEOUT,
                    )?;
                    return Ok(records);
                }
                records.insert(offset, message.payload().map(<[u8]>::to_vec));
                if offset + 1 == end {
                    return Ok(records);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            Some(Err(error)) => return Err(error).context("cannot read the topic"),
            None => bail!("no record arrived for {} s", REQUEST_TIMEOUT.as_secs()),
        }
    }
}

async fn compare(
    engine: &Engine,
    topic: &str,
    table: &str,
    window: &Window,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let Window {
        partition,
        start,
        end,
        records,
    } = window;
    let query = format!(
        "SELECT * FROM {} WHERE _topic = '{topic}' AND _partition = {partition} AND _offset >= {start} AND _offset < {end}",
        quoted(table)
    );
    let answer = engine.query(&query).await?;
    let mut rows: BTreeMap<i64, Vec<Map<String, Value>>> = BTreeMap::new();
    for row in as_json(&answer.batches)? {
        let offset = row
            .get("_offset")
            .and_then(Value::as_i64)
            .context("a row without _offset")?;
        rows.entry(offset).or_default().push(row);
    }
    verdict.records += records.len() as u64;
    verdict.rows += rows.values().map(|rows| rows.len() as u64).sum::<u64>();
    let place = |offset: i64| format!("{topic}-{partition} offset {offset}");
    for (&offset, value) in records {
        let found = rows.remove(&offset).unwrap_or_default();
        let Some(object) = value
            .as_deref()
            .and_then(|value| serde_json::from_slice::<Map<String, Value>>(value).ok())
        else {
            verdict.rejected += 1;
            if !found.is_empty() {
                verdict.different += 1;
                verdict.fault(|| format!("{}: a row, but the record is not a JSON object", place(offset)));
            }
            continue;
        };
        match found.split_first() {
            None => {
                verdict.missing += 1;
                verdict.fault(|| format!("{}: missing", place(offset)));
            }
            Some((row, more)) => {
                if !more.is_empty() {
                    verdict.doubled += more.len() as u64;
                    verdict.fault(|| format!("{}: {} rows", place(offset), more.len() + 1));
                }
                if let Some(field) = first_difference(&object, row) {
                    verdict.different += 1;
                    verdict.fault(|| format!("{}: field `{field}` is not what the record says", place(offset)));
                }
            }
        }
    }
    for (offset, extra) in rows {
        verdict.different += extra.len() as u64;
        verdict.fault(|| format!("{}: a row, but the topic has no such record", place(offset)));
    }
    Ok(())
}

/// Rows at or beyond a partition's end, or of a partition that does not exist: of another topic of the same name. Rows below the
/// start are of records that the topic no longer keeps.
async fn beyond(
    engine: &Engine,
    topic: &str,
    table: &str,
    ends: &BTreeMap<i32, (i64, i64)>,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let mut known: Vec<String> = ends
        .iter()
        .map(|(partition, (_, end))| format!("(_partition = {partition} AND _offset < {end})"))
        .collect();
    known.push("false".to_owned());
    let query = format!(
        "SELECT _partition, _offset FROM {} WHERE _topic = '{topic}' AND NOT ({}) ORDER BY 1, 2",
        quoted(table),
        known.join(" OR ")
    );
    let answer = engine.query(&query).await?;
    for row in as_json(&answer.batches)? {
        verdict.different += 1;
        verdict.rows += 1;
        verdict.fault(|| {
            format!(
                "{topic}-{} offset {}: a row beyond the topic's end",
                row["_partition"], row["_offset"]
            )
        });
    }
    Ok(())
}

/// How many rows SQL sees in `table`.
pub(crate) async fn count_rows(engine: &Engine, table: &str) -> anyhow::Result<u64> {
    let answer = engine
        .query(&format!("SELECT count(*) AS rows FROM {}", quoted(table)))
        .await?;
    let rows = as_json(&answer.batches)?;
    rows.first()
        .and_then(|row| row["rows"].as_u64())
        .context("count(*) has no answer")
}

fn quoted(name: &str) -> String {
    name.split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect::<Vec<_>>()
        .join(".")
}

fn as_json(batches: &[RecordBatch]) -> anyhow::Result<Vec<Map<String, Value>>> {
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    let lines = writer.into_inner();
    let rows = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    rows.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

/// The first field in which the record and its row differ; `None` when the row says what the record says.
fn first_difference(record: &Map<String, Value>, row: &Map<String, Value>) -> Option<String> {
    for (name, value) in record {
        let column = row
            .get(name)
            .or_else(|| row.get(&name.to_lowercase()))
            .unwrap_or(&Value::Null);
        if !is_same(value, column) {
            return Some(name.clone());
        }
    }
    // A column that the record does not have must be empty, but for those that the sink adds.
    let added = |name: &str| name.starts_with('_') || name == "dt";
    let lower: Vec<String> = record.keys().map(|name| name.to_lowercase()).collect();
    row.iter()
        .find(|(name, value)| !value.is_null() && !added(name) && !record.contains_key(*name) && !lower.contains(name))
        .map(|(name, _)| name.clone())
}

/// A record's value against a row's, whose column may be wider: a number may have become text, a text a time.
fn is_same(record: &Value, row: &Value) -> bool {
    match (record, row) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) => {
            a == b || matches!((instant(a), instant(b)), (Some(a), Some(b)) if a == b)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => first_difference(a, b).is_none(),
        (value, Value::String(text)) => value.to_string().as_str() == text,
        (record, row) => record == row,
    }
}

/// A time as text, with or without its zone (UTC then), in microseconds.
fn instant(text: &str) -> Option<i64> {
    let parsed = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")));
    parsed.ok().map(|time| time.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differs(record: Value, row: Value) -> Option<String> {
        first_difference(record.as_object().unwrap(), row.as_object().unwrap())
    }

    #[test]
    fn a_row_says_what_its_record_says() {
        let record = json!({"symbol": "AAPL", "price": 118.50, "size": 100, "event_time": "2012-06-01T13:30:00.5Z", "note": null});
        let row = json!({
            "symbol": "AAPL", "price": 118.5, "size": 100.0, "event_time": "2012-06-01T13:30:00.500",
            "_offset": 7, "dt": "2012-06-01",
        });
        assert_eq!(differs(record, row), None);
    }

    #[test]
    fn a_changed_an_absent_and_an_invented_field_are_found() {
        let record = json!({"symbol": "AAPL", "price": 118.5});
        assert_eq!(
            differs(record.clone(), json!({"symbol": "AAPL", "price": 118.6})),
            Some("price".into())
        );
        assert_eq!(differs(record.clone(), json!({"symbol": "AAPL"})), Some("price".into()));
        assert_eq!(
            differs(record, json!({"symbol": "AAPL", "price": 118.5, "size": 1})),
            Some("size".into())
        );
    }

    #[test]
    fn a_column_that_became_text_holds_the_value_as_text() {
        assert!(is_same(&json!(12), &json!("12")));
        assert!(!is_same(&json!(12), &json!("13")));
        assert!(is_same(&json!([1, {"a": true}]), &json!([1, {"a": true}])));
    }
}
