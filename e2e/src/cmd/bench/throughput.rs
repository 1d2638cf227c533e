//! How much a Kafka takes and gives, with librdkafka's batching.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rand::{RngCore as _, SeedableRng as _};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

use tickertape_client::{Plain, connect, oauth_token};

use super::BenchOptions;

/// Distinct payloads that are cycled through, so that no codec sees the same bytes twice in a batch.
const PAYLOADS: usize = 1024;

#[derive(Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl ClientContext for Failures {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(config)
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Produces `messages` of `size_bytes` and waits until all are acknowledged.
pub(super) fn produce(options: &BenchOptions, topic: &str, size_bytes: usize, messages: u64) -> anyhow::Result<()> {
    let failures = Failures::default();
    let config = options.kafka.client_config(&[
        ("acks", &options.acks),
        ("compression.codec", &options.codec),
        ("enable.idempotence", if options.idempotent { "true" } else { "false" }),
        ("linger.ms", "5"),
        ("batch.num.messages", "100000"),
        ("queue.buffering.max.messages", "1000000"),
        ("queue.buffering.max.kbytes", "262144"),
    ])?;
    let producer: BaseProducer<Failures> = connect(&config, failures.clone())?;
    let payloads = payloads(size_bytes);
    for index in 0..messages {
        let payload = &payloads[index as usize % PAYLOADS];
        let partition = (index % options.partitions as u64) as i32;
        let mut record: BaseRecord<'_, (), [u8]> =
            BaseRecord::to(topic).payload(payload.as_slice()).partition(partition);
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(error).context("cannot produce"),
            }
        }
        if index.is_multiple_of(1000) {
            producer.poll(Duration::ZERO);
        }
    }
    producer
        .flush(Duration::from_secs(600))
        .context("not every message was acknowledged")?;
    match failures.0.load(Ordering::Relaxed) {
        0 => Ok(()),
        failed => bail!("{failed} of {messages} messages were not acknowledged"),
    }
}

/// Random, thus incompressible: a codec is measured at its cost and not at what repetition saves.
fn payloads(size_bytes: usize) -> Vec<Vec<u8>> {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let payload = |_| {
        let mut bytes = vec![0; size_bytes];
        random.fill_bytes(&mut bytes);
        bytes
    };
    (0..PAYLOADS).map(payload).collect()
}

/// Reads `messages` from the beginning of all partitions.
pub(super) fn consume(options: &BenchOptions, topic: &str, messages: u64) -> anyhow::Result<()> {
    let config = options.kafka.client_config(&[
        ("group.id", "tickertape-bench"),
        ("enable.auto.commit", "false"),
        ("queued.max.messages.kbytes", "131072"),
    ])?;
    let consumer: BaseConsumer<Plain> = connect(&config, Plain)?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..options.partitions {
        partitions.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&partitions)?;
    let mut left = messages;
    while left > 0 {
        match consumer.poll(Duration::from_secs(60)) {
            Some(Ok(message)) => {
                message.payload().context("a message without a value")?;
                left -= 1;
            }
            Some(Err(error)) => return Err(error).context("cannot consume"),
            None => bail!("nothing arrived for a minute, with {left} of {messages} messages missing"),
        }
    }
    Ok(())
}
