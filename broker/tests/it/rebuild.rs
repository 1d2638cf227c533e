//! Records outlive the metadata store.

use std::path::Path;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Message, Offset, TopicPartitionList};
use tickertape_broker::{Broker, BrokerError, BrokerHandle, rebuild};

use crate::support::broker::{PATIENCE, client, create_topic, start_with};

const PARTITIONS: i32 = 3;
const RECORDS: i64 = 300;

/// A record as a consumer sees it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    offset: i64,
    timestamp: Option<i64>,
    key: Vec<u8>,
    payload: Vec<u8>,
}

async fn start(data_dir: &Path) -> BrokerHandle {
    let builder = Broker::builder().data_dir(data_dir);
    start_with(builder.property("log.segment.bytes", "1048576")).await
}

async fn produce(broker: &BrokerHandle, topic: &str, values: std::ops::Range<i64>) {
    let producer: FutureProducer = client(broker.bootstrap_servers())
        .set("enable.idempotence", "true")
        .set("batch.num.messages", "10")
        .create()
        .unwrap();
    let sent = values.map(|value| {
        let producer = producer.clone();
        async move {
            let (key, payload) = (value.to_string(), "x".repeat(25_000));
            let record = FutureRecord::to(topic).partition((value % i64::from(PARTITIONS)) as i32);
            producer
                .send(record.key(&key).payload(&payload), PATIENCE)
                .await
                .unwrap();
        }
    });
    futures::future::join_all(sent).await;
}

fn read(broker: &BrokerHandle, topic: &str, partition: i32, count: usize) -> Vec<Seen> {
    let consumer: BaseConsumer = client(broker.bootstrap_servers())
        .set("group.id", "unused")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, partition, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    let mut seen = Vec::new();
    while seen.len() < count {
        let message = consumer.poll(PATIENCE).expect("a record").unwrap();
        seen.push(Seen {
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().unwrap().to_vec(),
            payload: message.payload().unwrap().to_vec(),
        });
    }
    seen
}

fn read_all(broker: &BrokerHandle) -> Vec<Vec<Seen>> {
    (0..PARTITIONS)
        .map(|partition| read(broker, "prices", partition, (RECORDS / i64::from(PARTITIONS)) as usize))
        .collect()
}

#[tokio::test]
async fn all_records_are_back_when_the_store_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    create_topic(broker.bootstrap_servers(), "prices", PARTITIONS).await;
    create_topic(broker.bootstrap_servers(), "with-a.dash-1", 1).await;
    produce(&broker, "prices", 0..RECORDS).await;
    let before = read_all(&broker);
    broker.shutdown().await.unwrap();

    std::fs::remove_dir_all(dir.path().join("metadata.sled")).unwrap();
    let mut rebuilt = rebuild(dir.path()).unwrap();
    // The consumer's group made the topic of offsets.
    let made = rebuilt.len();
    rebuilt.retain(|log| log.topic != "__consumer_offsets");
    assert_eq!(made - rebuilt.len(), 50);
    let found: Vec<_> = rebuilt.iter().map(|log| (log.topic.as_str(), log.partition)).collect();
    assert_eq!(
        found,
        [("prices", 0), ("prices", 1), ("prices", 2), ("with-a.dash-1", 0)]
    );
    assert!(rebuilt[0].segments > 1, "{:?}", rebuilt[0]);
    assert_eq!((rebuilt[0].log_start_offset, rebuilt[0].log_end_offset), (0, 100));

    let broker = start(dir.path()).await;
    assert_eq!(read_all(&broker), before);
    // A new producer gets an id that no log remembers, or its records would pass for repeated ones.
    produce(&broker, "prices", RECORDS..RECORDS + i64::from(PARTITIONS)).await;
    for partition in 0..PARTITIONS {
        let records = read(&broker, "prices", partition, before[0].len() + 1);
        let last = records.last().unwrap();
        assert_eq!(last.key, (RECORDS + i64::from(partition)).to_string().as_bytes());
    }
    let consumer: BaseConsumer = client(broker.bootstrap_servers()).create().unwrap();
    assert_eq!(consumer.fetch_watermarks("with-a.dash-1", 0, PATIENCE).unwrap(), (0, 0));
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rebuild_of_a_whole_directory_changes_nothing_that_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    create_topic(broker.bootstrap_servers(), "prices", PARTITIONS).await;
    produce(&broker, "prices", 0..RECORDS).await;
    let before = read_all(&broker);
    let in_use = rebuild(dir.path());
    assert!(
        matches!(&in_use, Err(BrokerError::DataDir { reason, .. }) if reason.contains("in use")),
        "{in_use:?}"
    );
    broker.shutdown().await.unwrap();
    let first = rebuild(dir.path()).unwrap();
    assert_eq!(first, rebuild(dir.path()).unwrap());
    let broker = start(dir.path()).await;
    assert_eq!(read_all(&broker), before);
    broker.shutdown().await.unwrap();
}
