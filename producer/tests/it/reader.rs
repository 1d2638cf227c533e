//! What a topic holds after a run, and waiting for what a run does.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;

/// Every message of a topic, as (partition, key, value), each partition in order.
pub(crate) fn read_back(servers: &str, topic: &str) -> Vec<(i32, String, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "reader")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), LONG).unwrap();
    let partitions = metadata.topics()[0].partitions();
    let mut all = TopicPartitionList::new();
    for partition in partitions {
        all.add_partition_offset(topic, partition.id(), Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut messages, mut ended) = (Vec::new(), 0);
    while ended < partitions.len() {
        match consumer.poll(LONG).unwrap() {
            Ok(message) => {
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                let value = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
                messages.push((message.partition(), key, value));
            }
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    messages.sort_by_key(|(partition, ..)| *partition);
    messages
}

/// Longer than any wait that a test that passes needs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Messages are keyed by symbol, each symbol stays in one partition and in order, and every `seq` from 0 is
/// there once.
pub(crate) fn assert_whole(messages: &[(i32, String, String)], number: usize) {
    let mut seqs: Vec<u64> = Vec::new();
    let mut of_symbol: HashMap<&str, (i32, u64)> = HashMap::new();
    for (partition, key, value) in messages {
        let value: Value = serde_json::from_str(value).unwrap();
        let seq = value["seq"].as_u64().unwrap();
        assert_eq!(value["symbol"], key.as_str());
        if let Some((home, before)) = of_symbol.insert(key, (*partition, seq)) {
            assert_eq!(home, *partition, "{key} is in two partitions");
            assert!(before < seq, "{key}: {seq} comes after {before}");
        }
        seqs.push(seq);
    }
    seqs.sort_unstable();
    assert!(
        seqs.iter().copied().eq(0..number as u64),
        "{} of {number} messages",
        seqs.len()
    );
}

/// Waits until something has happened; looks every millisecond, so as to leave the processor to it.
pub(crate) async fn until(mut happened: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    while !happened() {
        looks.tick().await;
    }
}
