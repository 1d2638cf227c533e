//! How far the sink is behind the topics, as any consumer group's lag is told: log ends less committed offsets.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tickertape_client::{KafkaOptions, Plain, connect};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks the broker for the lag of one group on some topics.
#[derive(Clone)]
pub(super) struct Lag {
    consumer: Arc<BaseConsumer<Plain>>,
    topics: Arc<[String]>,
}

impl Lag {
    /// # Errors
    /// An option that cannot be.
    pub(super) fn new(kafka: &KafkaOptions, group: &str, topics: &[&str]) -> anyhow::Result<Lag> {
        let config = kafka.client_config(&[("group.id", group), ("enable.auto.commit", "false")])?;
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Ok(Lag {
            consumer: Arc::new(connect(&config, Plain)?),
            topics,
        })
    }

    /// Records that the group has not committed.
    pub(super) async fn read(&self) -> anyhow::Result<i64> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.read_blocking()).await?
    }

    fn read_blocking(&self) -> anyhow::Result<i64> {
        let metadata = self
            .consumer
            .fetch_metadata(None, REQUEST_TIMEOUT)
            .context("cannot read the metadata")?;
        let mut partitions = TopicPartitionList::new();
        for topic in metadata
            .topics()
            .iter()
            .filter(|topic| self.topics.iter().any(|name| name == topic.name()))
        {
            for partition in topic.partitions() {
                partitions.add_partition(topic.name(), partition.id());
            }
        }
        let committed = self
            .consumer
            .committed_offsets(partitions, REQUEST_TIMEOUT)
            .context("cannot read committed offsets")?;
        let mut lag = 0;
        for element in committed.elements() {
            let (start, end) = self
                .consumer
                .fetch_watermarks(element.topic(), element.partition(), REQUEST_TIMEOUT)
                .context("cannot read the log's end")?;
            let done = match element.offset() {
                Offset::Offset(offset) => offset,
                _ => start,
            };
            lag += (end - done).max(0);
        }
        Ok(lag)
    }
}
