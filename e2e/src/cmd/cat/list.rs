//! `tickertape cat -L` and `-Q`: what the cluster holds, and where a time is in a partition.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tickertape_client::{Plain, UsageError, connect};

use super::CatOptions;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Prints brokers, topics and partitions, as text or with -J as JSON.
pub(super) fn metadata(options: &CatOptions) -> anyhow::Result<ExitCode> {
    let consumer: BaseConsumer<Plain> = connect(&options.kafka.client_config(&[])?, Plain)?;
    let topic = options.topics.first().map(String::as_str);
    let metadata = consumer
        .fetch_metadata(topic, REQUEST_TIMEOUT)
        .context("cannot read the metadata")?;
    if options.json {
        println!("{}", as_json(&metadata));
    } else {
        print_text(&metadata, topic);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_text(metadata: &Metadata, topic: Option<&str>) {
    let what = topic.unwrap_or("all topics");
    println!(
        "Metadata for {what} (from broker {}: {}):",
        metadata.orig_broker_id(),
        metadata.orig_broker_name()
    );
    println!(" {} brokers:", metadata.brokers().len());
    for broker in metadata.brokers() {
        println!("  broker {} at {}:{}", broker.id(), broker.host(), broker.port());
    }
    println!(" {} topics:", metadata.topics().len());
    for topic in metadata.topics() {
        let error = topic.error().map(|error| format!(": {error:?}")).unwrap_or_default();
        println!(
            "  topic \"{}\" with {} partitions{error}:",
            topic.name(),
            topic.partitions().len()
        );
        for partition in topic.partitions() {
            println!(
                "    partition {}, leader {}, replicas: {}, isrs: {}",
                partition.id(),
                partition.leader(),
                joined(partition.replicas()),
                joined(partition.isr())
            );
        }
    }
}

fn joined(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

fn as_json(metadata: &Metadata) -> Value {
    let ids = |ids: &[i32]| ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>();
    json!({
        "originating_broker": { "id": metadata.orig_broker_id(), "name": metadata.orig_broker_name() },
        "brokers": metadata.brokers().iter()
            .map(|broker| json!({ "id": broker.id(), "name": format!("{}:{}", broker.host(), broker.port()) }))
            .collect::<Vec<_>>(),
        "topics": metadata.topics().iter()
            .map(|topic| json!({
                "topic": topic.name(),
                "partitions": topic.partitions().iter()
                    .map(|partition| json!({
                        "partition": partition.id(),
                        "leader": partition.leader(),
                        "replicas": ids(partition.replicas()),
                        "isrs": ids(partition.isr()),
                    }))
                    .collect::<Vec<_>>(),
            }))
            .collect::<Vec<_>>(),
    })
}

/// Prints the first offset at or after each asked time.
pub(super) fn offsets(options: &CatOptions) -> anyhow::Result<ExitCode> {
    if options.topics.is_empty() {
        return Err(UsageError::new("-Q asks for -t topic:partition:timestamp_ms").into());
    }
    let mut asked = TopicPartitionList::new();
    for text in &options.topics {
        let bad = || UsageError::new(format!("-t {text}: expected topic:partition:timestamp_ms"));
        let mut parts = text.rsplitn(3, ':');
        let (timestamp, partition, topic) = (parts.next(), parts.next(), parts.next());
        let topic = topic.ok_or_else(bad)?;
        let partition: i32 = partition.and_then(|partition| partition.parse().ok()).ok_or_else(bad)?;
        let timestamp: i64 = timestamp.and_then(|timestamp| timestamp.parse().ok()).ok_or_else(bad)?;
        asked.add_partition_offset(topic, partition, from_timestamp(timestamp))?;
    }
    let consumer: BaseConsumer<Plain> = connect(&options.kafka.client_config(&[])?, Plain)?;
    let found = consumer
        .offsets_for_times(asked, REQUEST_TIMEOUT)
        .context("cannot look the times up")?;
    for element in found.elements() {
        element
            .error()
            .with_context(|| format!("{} [{}]", element.topic(), element.partition()))?;
        let offset = match element.offset() {
            Offset::Offset(offset) => offset,
            Offset::Beginning => -2,
            _ => -1,
        };
        println!("{} [{}] offset {offset}", element.topic(), element.partition());
    }
    Ok(ExitCode::SUCCESS)
}

/// `-1` and `-2` ask for the end and the beginning, as in kcat.
fn from_timestamp(timestamp_ms: i64) -> Offset {
    match timestamp_ms {
        -1 => Offset::End,
        -2 => Offset::Beginning,
        other => Offset::Offset(other),
    }
}
