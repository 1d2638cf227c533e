//! A batch to the objects it becomes: one per day, and one for what was rejected.
//!
//! Bytes and keys are a function of the batch, the schema and the [`Encoding`] alone: no clock, no random
//! number, no order of threads. That is what makes writing a batch twice the same as writing it once. The
//! schema that comes out is a fixed point: encoding with it gives the same objects again.

mod keys;

use std::{collections::BTreeMap, io::Write, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, UInt32Array,
    },
    datatypes::Schema,
    error::ArrowError,
};
use base64::Engine as _;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use flate2::write::GzEncoder;
use parquet::{
    arrow::{ArrowSchemaConverter, ArrowWriter},
    basic::{Compression as ParquetCompression, Encoding as ParquetEncoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::SortingColumn,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use tickertape_client::s3::S3Url;

use self::keys::write_fields;
use crate::{
    batch::{Batch, Record},
    date::DateRule,
    decode::{Decoded, Rules, decode},
    names::{Compression, Format, column_name},
    schema::{METADATA_COLUMNS, TableSchema},
};

/// What a batch's objects depend on besides its messages and the schema.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Encoding {
    /// The table written to.
    pub table: String,
    /// How rows are stored.
    pub format: Format,
    /// How Parquet is compressed.
    #[serde(default)]
    pub compression: Compression,
    /// How a message's day is found.
    pub dates: DateRule,
    /// How values become columns.
    pub rules: Rules,
}

/// An object ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// The day of its rows; `None` for rejected messages.
    pub day: Option<i32>,
    /// Its rows, or rejected messages.
    pub rows: u64,
    /// Its bytes.
    pub body: Bytes,
}

/// What a batch became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// By day, then the rejected ones. Every message of the batch is in exactly one of them.
    pub objects: Vec<Object>,
    /// The schema with what the batch taught.
    pub schema: TableSchema,
    /// Why messages were rejected, and how many for each reason.
    pub reasons: BTreeMap<String, u64>,
}

impl Encoded {
    /// The bytes of all objects.
    pub fn bytes(&self) -> usize {
        self.objects.iter().map(|object| object.body.len()).sum()
    }
}

/// What can go wrong, none of it by the messages' fault.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Columns that contradict each other.
    #[error("cannot build columns: {0}")]
    Arrow(#[from] ArrowError),
    /// The writer's own.
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// Compressing into memory.
    #[error("cannot compress: {0}")]
    Io(#[from] std::io::Error),
}

/// A message that is in no table, and why.
struct Rejection {
    position: usize,
    reason: String,
}

/// Encodes a batch for the table known by `schema`.
///
/// # Errors
/// [`EncodeError`], which no message can cause.
pub fn encode(batch: &Batch, lake: &S3Url, schema: &TableSchema, encoding: &Encoding) -> Result<Encoded, EncodeError> {
    let (days, faulty) = batch.by_day();
    let mut schema = schema.clone();
    // Days that were decoded before a later one taught something are decoded again, so that all have the same
    // columns. A schema that grew is rare, and types only widen, so this ends.
    let decoded = loop {
        let before = schema.clone();
        let mut decoded = Vec::with_capacity(days.len());
        for (_, positions) in &days {
            let texts = positions.iter().map(|at| text_of(batch, *at));
            let day = decode(texts, &schema, &encoding.rules)?;
            schema.clone_from(&day.schema);
            decoded.push(day);
        }
        if schema == before {
            break decoded;
        }
    };
    let mut rejections: BTreeMap<usize, Rejection> = BTreeMap::new();
    for position in faulty {
        let reason = fault_of(batch, position, &encoding.dates);
        rejections.insert(position, Rejection { position, reason });
    }
    let mut objects = Vec::with_capacity(days.len() + 1);
    for ((day, positions), mut decoded) in days.into_iter().zip(decoded) {
        let positions = accepted(positions, &mut decoded, &mut rejections);
        if positions.is_empty() {
            continue;
        }
        let rows = positions.len() as u64;
        let body = match encoding.format {
            Format::Parquet => parquet(batch, &positions, decoded, encoding)?,
            Format::Json => json_lines(batch, &positions, &decoded.schema)?,
        };
        let key = batch.range().object_key(lake, &encoding.table, day, encoding.format);
        objects.push(Object {
            key,
            day: Some(day),
            rows,
            body,
        });
    }
    let mut reasons = BTreeMap::new();
    for rejection in rejections.values() {
        *reasons.entry(rejection.reason.clone()).or_default() += 1;
    }
    if !rejections.is_empty() {
        let rows = rejections.len() as u64;
        let key = batch.range().rejected_key(lake, &encoding.table);
        let body = rejected_lines(batch, rejections.into_values())?;
        objects.push(Object {
            key,
            day: None,
            rows,
            body,
        });
    }
    Ok(Encoded {
        objects,
        schema,
        reasons,
    })
}

/// The text of a message that has a day, and so is known to be UTF-8.
fn text_of(batch: &Batch, position: usize) -> &str {
    let value = batch
        .record(position)
        .and_then(|record| record.value)
        .unwrap_or_default();
    std::str::from_utf8(value).unwrap_or_default()
}

fn fault_of(batch: &Batch, position: usize, dates: &DateRule) -> String {
    let record = batch.record(position);
    let day = record.map(|record| dates.day_of(record.value, record.timestamp_ms));
    day.and_then(Result::err)
        .map_or_else(|| "the message has no day".to_owned(), |fault| fault.to_string())
}

/// Moves what the decoder rejected to the rejections; the positions that are left are the rows.
fn accepted(positions: Vec<usize>, decoded: &mut Decoded, rejections: &mut BTreeMap<usize, Rejection>) -> Vec<usize> {
    if decoded.rejected.is_empty() {
        return positions;
    }
    let mut refused = std::mem::take(&mut decoded.rejected).into_iter().peekable();
    let mut rows = Vec::with_capacity(decoded.rows);
    for (at, position) in positions.into_iter().enumerate() {
        match refused.next_if(|(refused, _)| *refused == at) {
            Some((_, reason)) => drop(rejections.insert(position, Rejection { position, reason })),
            None => rows.push(position),
        }
    }
    rows
}

fn records<'a>(batch: &'a Batch, positions: &'a [usize]) -> impl Iterator<Item = Record<'a>> {
    positions.iter().filter_map(|position| batch.record(*position))
}

/// The rows with the sink's columns, in the order of the event's time.
fn parquet(batch: &Batch, positions: &[usize], decoded: Decoded, encoding: &Encoding) -> Result<Bytes, EncodeError> {
    let source = &batch.range().source;
    let rows = positions.len();
    let expected = decoded.schema.to_arrow();
    let time = time_column(&decoded, &encoding.rules);
    let order = time.and_then(|at| time_order(&decoded, at));
    let timestamps = records(batch, positions).map(|record| Some(record.timestamp_ms).filter(|ms| *ms != -1));
    let metadata: [ArrayRef; 4] = [
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&*source.topic, rows))),
        Arc::new(Int32Array::from_value(source.partition, rows)),
        Arc::new(
            records(batch, positions)
                .map(|record| record.offset)
                .collect::<Int64Array>(),
        ),
        Arc::new(timestamps.collect::<TimestampMillisecondArray>().with_timezone("UTC")),
    ];
    let mut arrays: Vec<ArrayRef> = decoded.columns.into_iter().map(|(_, array)| array).collect();
    arrays.extend(metadata);
    if let Some(order) = order {
        arrays = arrow::compute::take_arrays(&arrays, &order, None)?;
    }
    write_parquet(&expected, arrays, encoding.compression, time)
}

/// The column of the event's time, if there is one.
fn time_column(decoded: &Decoded, rules: &Rules) -> Option<usize> {
    decoded.columns.iter().position(|(field, array)| {
        let named = |name: &String| column_name(name) == *field.name();
        array.as_any().is::<TimestampMicrosecondArray>() && rules.time_fields.iter().any(named)
    })
}

/// The rows' order by the event's time, equal times by offset; `None` if they are in order.
fn time_order(decoded: &Decoded, at: usize) -> Option<UInt32Array> {
    let time = decoded
        .columns
        .get(at)?
        .1
        .as_any()
        .downcast_ref::<TimestampMicrosecondArray>()?;
    let key = |row: usize| if time.is_null(row) { i64::MIN } else { time.value(row) };
    if (1..time.len()).all(|row| key(row - 1) <= key(row)) {
        return None;
    }
    let mut order: Vec<u32> = (0..u32::try_from(time.len()).ok()?).collect();
    order.sort_by_key(|row| key(*row as usize));
    Some(order.into())
}

fn write_parquet(
    schema: &Arc<Schema>,
    arrays: Vec<ArrayRef>,
    compression: Compression,
    time: Option<usize>,
) -> Result<Bytes, EncodeError> {
    let [_, _, offset, _] = METADATA_COLUMNS;
    let compression = match compression {
        Compression::Zstd => ParquetCompression::ZSTD(ZstdLevel::try_new(1)?),
        Compression::Snappy => ParquetCompression::SNAPPY,
        Compression::None => ParquetCompression::UNCOMPRESSED,
    };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Page)
        // Offsets follow each other: as differences they take next to nothing.
        .set_column_dictionary_enabled(ColumnPath::from(offset), false)
        .set_column_encoding(ColumnPath::from(offset), ParquetEncoding::DELTA_BINARY_PACKED);
    let batch = RecordBatch::try_new(schema.clone(), arrays)?;
    let types = ArrowSchemaConverter::new().convert(schema)?;
    // Readers know columns by their leaves.
    let leaf = time.and_then(|time| (0..types.num_columns()).find(|leaf| types.get_column_root_idx(*leaf) == time));
    let sorted = leaf
        .and_then(|leaf| i32::try_from(leaf).ok())
        .map(|column_idx| SortingColumn {
            column_idx,
            descending: false,
            nulls_first: true,
        });
    let properties = properties
        .set_sorting_columns(sorted.map(|sorted| vec![sorted]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

/// The messages' own text, with the columns' names in place of the fields', and the sink's fields in front.
fn json_lines(batch: &Batch, positions: &[usize], schema: &TableSchema) -> Result<Bytes, EncodeError> {
    let source = &batch.range().source;
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut line = Vec::new();
    for (position, record) in positions.iter().zip(records(batch, positions)) {
        line.clear();
        let timestamp = timestamp_text(record.timestamp_ms)
            .map_or_else(|| "null".to_owned(), |timestamp| format!("\"{timestamp}\""));
        write!(
            line,
            r#"{{"_topic":"{}","_partition":{},"_offset":{},"_timestamp":{timestamp}"#,
            source.topic, source.partition, record.offset
        )?;
        let rest = text_of(batch, *position)
            .trim_ascii_start()
            .strip_prefix('{')
            .unwrap_or("}")
            .trim_ascii();
        if !rest.starts_with('}') {
            line.push(b',');
        }
        write_fields(rest, &schema.columns, &mut line);
        line.push(b'\n');
        gzip.write_all(&line)?;
    }
    Ok(gzip.finish()?.into())
}

/// One message that is in no table. What can't be shown as text is given in base64.
#[derive(serde::Serialize)]
struct RejectedLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
    reason: String,
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

fn rejected_lines(batch: &Batch, rejections: impl Iterator<Item = Rejection>) -> Result<Bytes, EncodeError> {
    let source = &batch.range().source;
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for Rejection { position, reason } in rejections {
        let Some(record) = batch.record(position) else { continue };
        let payload = record.value.and_then(|value| std::str::from_utf8(value).ok());
        let binary = record.value.filter(|_| payload.is_none());
        let line = RejectedLine {
            topic: &source.topic,
            partition: source.partition,
            offset: record.offset,
            timestamp: timestamp_text(record.timestamp_ms),
            reason,
            payload,
            payload_base64: binary.map(|value| base64::engine::general_purpose::STANDARD.encode(value)),
        };
        serde_json::to_writer(&mut gzip, &line).map_err(std::io::Error::from)?;
        gzip.write_all(b"\n")?;
    }
    Ok(gzip.finish()?.into())
}

fn timestamp_text(timestamp_ms: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(timestamp_ms).filter(|_| timestamp_ms != -1)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests;
