//! What must be so before anything of a topic is claimed: a claim that could not be kept would stop every later start.
//!
//! - The catalog's table of that name is the one that would be written: at that place, in that format, with those folders.
//! - The ledger's claims of that table are of the same format.
//! - The group is the one that writes the topic here, in every epoch.
//! - The epoch is the last one; or a new one, and the topic isn't the one that was written before.
//!
//! Everything here says what there is and what to do, as a [`UsageError`], and changes nothing.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use tickertape_client::{Plain, UsageError, connect, s3::S3Url};

use crate::{
    batch::{Record, Witness},
    clock::now,
    encode::Encoding,
    ledger::{Agreed, Claim, Ledger},
    names::{Format, Source},
    registrar::KnownTable,
    schema::PARTITION_COLUMN,
};

/// Refuses a table of the catalog that isn't what the sink would write.
pub(crate) fn check_table(known: &KnownTable, encoding: &Encoding, lake: &S3Url) -> Result<(), UsageError> {
    let (name, table, format) = (&known.name, &encoding.table, encoding.format.name());
    let here = lake.join(table).to_string();
    let another = "--table or --database for a table of its own";
    let Some(there) = &known.location else {
        return Err(UsageError::new(format!(
            "the catalog's table {name} is a view or has no location: {here} can't be written under its name. Use {another}"
        )));
    };
    if place(there) != place(&here) {
        let go_on = there.trim_end_matches('/').strip_suffix(&format!("/{table}"));
        let go_on = go_on.map_or_else(String::new, |to| format!("--to {to} to go on there, or "));
        return Err(UsageError::new(format!(
            "the catalog's table {name} lies at {there}, not at {here}/: queries would see one of the two. Use {go_on}{another}"
        )));
    }
    if known.partition_keys != [PARTITION_COLUMN] {
        let keys = match known.partition_keys.as_slice() {
            [] => "not partitioned".to_owned(),
            keys => format!("partitioned by {}", keys.join(", ")),
        };
        return Err(UsageError::new(format!(
            "the catalog's table {name} is {keys}, and the sink's are partitioned by {PARTITION_COLUMN}. Use {another}, or \
             another prefix"
        )));
    }
    if known.format.as_deref() != Some(format) {
        let there = known.format.as_deref().unwrap_or("another format");
        return Err(other_format(name, there, format));
    }
    Ok(())
}

/// Refuses a format that isn't the one that the ledger's claims of the table have, which it says where a catalog doesn't.
/// Whether it is known that they have this one.
pub(crate) async fn check_claims(
    ledger: &Ledger,
    source: &Source,
    encoding: &Encoding,
    agreed: &Agreed,
) -> anyhow::Result<bool> {
    let (table, format) = (&encoding.table, encoding.format);
    if agreed.version > 0 && format != Format::Parquet {
        return Err(other_format(table, Format::Parquet.name(), format.name()).into());
    }
    let first = ledger.first(source).await?;
    let there = first.filter(|claim| claim.encoding.table == *table);
    match there.map(|claim| claim.encoding.format) {
        Some(there) if there != format => Err(other_format(table, there.name(), format.name()).into()),
        there => Ok(there.is_some() || agreed.version > 0),
    }
}

/// A table that has objects of another format than the sink was told to write.
pub(crate) fn other_format(table: &str, there: &str, format: &str) -> UsageError {
    let go_on = match there {
        "parquet" | "json" => format!("--format {there} to go on with it, or "),
        _ => String::new(),
    };
    UsageError::new(format!(
        "the table {table} holds {there}, not {format}: a table's objects have one format. Use {go_on}--table or another \
         prefix for a table of its own"
    ))
}

/// Bucket and key, however the scheme is spelled.
fn place(location: &str) -> &str {
    let location = location.trim_end_matches('/');
    location.split_once("://").map_or(location, |(_, place)| place)
}

/// Refuses an epoch that would write messages that are written already, and another group in any epoch.
pub(crate) async fn check_epoch(
    ledger: &Ledger,
    source: &Source,
    group: &str,
    config: &ClientConfig,
    timeout: Duration,
) -> anyhow::Result<()> {
    let of = |epoch| Source {
        epoch,
        ..source.clone()
    };
    let mut last = None;
    for epoch in ledger.epochs(&source.topic).await? {
        ledger.require_owner(&of(epoch), group).await?;
        if ledger.first(&of(epoch)).await?.is_some() {
            last = Some(epoch);
        }
    }
    let (topic, epoch) = (&source.topic, source.epoch);
    match last {
        Some(last) if last > epoch => Err(UsageError::new(format!(
            "the lake has the topic {topic} in epoch {last}, and epoch {epoch} would write its messages once more. Use \
             --epoch {last} to go on, or another prefix to write all of them again"
        ))
        .into()),
        Some(last) if last < epoch => require_another_topic(ledger, &of(last), epoch, config, timeout).await,
        _ => Ok(()),
    }
}

/// What Kafka has where a claim's last message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    /// That message.
    TheSame,
    /// Another one, or fewer messages than were written.
    Another,
    /// It was deleted with all that was written before it: nothing of it can be written twice.
    Deleted,
    /// Nothing, although there are older messages: compacted away, or the topic is another one.
    Nothing,
}

/// A new epoch is for a topic that was made anew. The last messages written tell.
async fn require_another_topic(
    ledger: &Ledger,
    before: &Source,
    epoch: u32,
    config: &ClientConfig,
    timeout: Duration,
) -> anyhow::Result<()> {
    let mut untold = None;
    for source in ledger.partitions(before).await? {
        let Some(claim) = ledger.last(&source, None).await? else {
            continue;
        };
        let (config, of) = (config.clone(), source.clone());
        let (end, last) = (claim.end, claim.last);
        let found = tokio::task::spawn_blocking(move || look(&config, &of, end, last, timeout)).await??;
        match found {
            There::Another => return Ok(()),
            There::Deleted => {}
            There::TheSame => return Err(same_topic(&source, &claim, epoch, "is the one that was written").into()),
            There::Nothing => untold = untold.or(Some((source, claim))),
        }
    }
    match untold {
        None => Ok(()),
        Some((source, claim)) => {
            let found = "is gone while older ones are there, so nothing shows that the topic is another one";
            Err(same_topic(&source, &claim, epoch, found).into())
        }
    }
}

fn same_topic(source: &Source, claim: &Claim, epoch: u32, found: &str) -> UsageError {
    let (topic, last, offset) = (&source.topic, source.epoch, claim.last.offset);
    UsageError::new(format!(
        "--epoch {epoch} is for a topic that was deleted and made anew, and in {source} the message at offset {offset}, the \
         last one written, {found}: every message of {topic} would be written once more. Use --epoch {last} to go on, or \
         another prefix to write all of them again"
    ))
}

/// Looks at the message at a claim's end.
fn look(config: &ClientConfig, source: &Source, end: i64, last: Witness, timeout: Duration) -> anyhow::Result<There> {
    let reader: BaseConsumer<Plain> = connect(config, Plain)?;
    let (topic, partition) = (&*source.topic, source.partition);
    let started = now();
    let ask = Duration::from_secs(10).min(timeout);
    let (low, high) = loop {
        // A partition that isn't there is waited for if its offsets are asked for.
        let asked = reader.fetch_metadata(Some(topic), ask).and_then(|metadata| {
            let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            match partitions.any(|known| known.id() == partition) {
                true => reader.fetch_watermarks(topic, partition, ask).map(Some),
                false => Ok(None),
            }
        });
        match asked {
            Ok(Some(offsets)) => break offsets,
            // There are fewer partitions than there were.
            Ok(None) => return Ok(There::Another),
            Err(error) if now() - started >= timeout => {
                anyhow::bail!("Kafka did not tell the offsets of {topic}-{partition} ({error})")
            }
            Err(error) => tracing::warn!("Kafka does not tell the offsets of {topic}-{partition} yet ({error})"),
        }
        std::thread::sleep(Duration::from_millis(250));
    };
    if high < end {
        return Ok(There::Another);
    }
    if low > last.offset {
        return Ok(There::Deleted);
    }
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, partition, Offset::Offset(last.offset))?;
    reader.assign(&from)?;
    loop {
        match reader.poll(Duration::from_millis(200)) {
            Some(Ok(message)) if message.offset() == last.offset => {
                let record = Record {
                    offset: message.offset(),
                    timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
                    value: message.payload(),
                };
                return Ok(match record.checksum() == last.checksum {
                    true => There::TheSame,
                    false => There::Another,
                });
            }
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(There::Nothing),
            Some(Err(error)) => tracing::debug!("{topic}-{partition}: {error}"),
            None => {}
        }
        anyhow::ensure!(
            now() - started <= timeout,
            "{topic}-{partition}: the message at offset {} has not come for {}",
            last.offset,
            humantime::format_duration(timeout),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        date::{DateRule, PartitionBy},
        decode::{OnNewType, Rules},
        names::Compression,
        schema::TableSchema,
    };

    #[test]
    fn a_table_that_is_another_one_is_refused_and_says_what_to_do() {
        let encoding = Encoding {
            table: "ticks".into(),
            format: Format::Parquet,
            compression: Compression::default(),
            dates: DateRule {
                by: PartitionBy::Record,
                fields: Vec::new(),
                lenient: true,
            },
            rules: Rules {
                on_new_type: OnNewType::Widen,
                time_fields: Vec::new(),
            },
        };
        let lake = "s3://lake/market".parse().unwrap();
        let known = KnownTable {
            name: "default.ticks".into(),
            schema: TableSchema::default().to_arrow(),
            location: Some("s3://lake/market/ticks/".into()),
            format: Some("parquet".into()),
            partition_keys: vec!["dt".into()],
        };
        check_table(&known, &encoding, &lake).unwrap();
        let hadoop = KnownTable {
            location: Some("s3a://lake/market/ticks".into()),
            schema: Arc::clone(&known.schema),
            ..known.clone()
        };
        check_table(&hadoop, &encoding, &lake).unwrap();
        let refused = |change: &dyn Fn(&mut KnownTable)| {
            let mut other = known.clone();
            change(&mut other);
            check_table(&other, &encoding, &lake).unwrap_err().to_string()
        };
        let elsewhere = refused(&|table| table.location = Some("s3://lake/old/ticks/".into()));
        assert!(elsewhere.contains("--to s3://lake/old to go on there"), "{elsewhere}");
        assert!(refused(&|table| table.location = None).contains("view"));
        assert!(refused(&|table| table.format = Some("csv".into())).contains("holds csv, not parquet"));
        assert!(refused(&|table| table.format = Some("json".into())).contains("--format json"));
        assert!(refused(&|table| table.format = None).contains("another format"));
        assert!(refused(&|table| table.partition_keys.clear()).contains("not partitioned"));
        assert!(refused(&|table| table.partition_keys.push("hour".into())).contains("partitioned by dt, hour"));
    }
}
