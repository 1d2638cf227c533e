//! librdkafka against the broker: what an application does.

use std::collections::HashSet;
use std::time::Duration;

use rdkafka::admin::{AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Message, Offset, TopicPartitionList};
use tickertape_broker::Broker;

use crate::support::broker::{PATIENCE, admin, client, create_topic, start, start_with};

/// Produces `count` records with the values `0..count` after `from`, waiting for each acknowledgement.
async fn produce(bootstrap_servers: &str, topic: &str, settings: &[(&str, &str)], values: std::ops::Range<u64>) {
    let mut config = client(bootstrap_servers);
    for (name, value) in settings {
        config.set(*name, *value);
    }
    let producer: FutureProducer = config.create().unwrap();
    let sent = values.map(|value| {
        let producer = producer.clone();
        async move {
            let payload = value.to_string();
            let record = FutureRecord::to(topic).key(&payload).payload(&payload);
            producer.send(record, PATIENCE).await.unwrap();
        }
    });
    futures::future::join_all(sent).await;
}

/// Reads `count` values from the start of a topic's partition.
fn read(bootstrap_servers: &str, topic: &str, partition: i32, count: usize) -> Vec<u64> {
    let consumer: BaseConsumer = client(bootstrap_servers).set("group.id", "unused").create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, partition, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    let mut values = Vec::new();
    while values.len() < count {
        let message = consumer.poll(PATIENCE).expect("a record").unwrap();
        assert_eq!(message.offset(), values.len() as i64);
        values.push(
            std::str::from_utf8(message.payload().unwrap())
                .unwrap()
                .parse()
                .unwrap(),
        );
    }
    values
}

#[tokio::test]
async fn records_come_back_in_order_with_every_codec() {
    let broker = start().await;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("codec-{codec}");
        create_topic(broker.bootstrap_servers(), &topic, 1).await;
        produce(
            broker.bootstrap_servers(),
            &topic,
            &[("compression.type", codec), ("acks", "all")],
            0..500,
        )
        .await;
        let read: Vec<u64> = read(broker.bootstrap_servers(), &topic, 0, 500);
        assert_eq!(
            read.iter().copied().collect::<HashSet<_>>(),
            (0..500).collect(),
            "{codec}"
        );
    }
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_mentioned_topic_is_made_with_the_brokers_defaults() {
    let broker = start_with(Broker::builder().property("num.partitions", "3")).await;
    produce(
        broker.bootstrap_servers(),
        "mentioned",
        &[("enable.idempotence", "true")],
        0..30,
    )
    .await;
    let consumer: BaseConsumer = client(broker.bootstrap_servers()).create().unwrap();
    let metadata = consumer.fetch_metadata(Some("mentioned"), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 3);
    let written: i64 = (0..3)
        .map(|partition| consumer.fetch_watermarks("mentioned", partition, PATIENCE).unwrap().1)
        .sum();
    assert_eq!(written, 30);
}

#[tokio::test]
async fn key_headers_and_timestamp_come_back() {
    let broker = start().await;
    create_topic(broker.bootstrap_servers(), "whole", 1).await;
    let producer: FutureProducer = client(broker.bootstrap_servers()).create().unwrap();
    let headers = OwnedHeaders::new().insert(Header {
        key: "h",
        value: Some("v"),
    });
    let record = FutureRecord::to("whole")
        .key("k")
        .payload("p")
        .timestamp(1_234_567_890_123)
        .headers(headers);
    producer.send(record, PATIENCE).await.unwrap();
    let consumer: BaseConsumer = client(broker.bootstrap_servers())
        .set("group.id", "unused")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("whole", 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let message = consumer.poll(PATIENCE).unwrap().unwrap();
    assert_eq!((message.key(), message.payload()), (Some(&b"k"[..]), Some(&b"p"[..])));
    assert_eq!(message.timestamp().to_millis(), Some(1_234_567_890_123));
    assert_eq!(message.headers().unwrap().get_as::<str>(0).unwrap().value, Some("v"));
    let mut times = TopicPartitionList::new();
    times
        .add_partition_offset("whole", 0, Offset::Offset(1_234_567_890_000))
        .unwrap();
    let found = consumer.offsets_for_times(times, PATIENCE).unwrap();
    assert_eq!(found.find_partition("whole", 0).unwrap().offset(), Offset::Offset(0));
}

#[tokio::test]
async fn a_waiting_consumer_is_woken_by_the_append() {
    let broker = start().await;
    create_topic(broker.bootstrap_servers(), "parked", 1).await;
    let bootstrap_servers = broker.bootstrap_servers().to_owned();
    // A poll that only its own limit could end would take longer than the test's patience.
    let reader = std::thread::spawn(move || {
        let mut config = client(&bootstrap_servers);
        config
            .set("group.id", "unused")
            .set("fetch.wait.max.ms", "300000")
            .set("socket.timeout.ms", "300000");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("parked", 0, Offset::Beginning).unwrap();
        consumer.assign(&assignment).unwrap();
        consumer
            .poll(PATIENCE)
            .expect("a record")
            .unwrap()
            .payload()
            .unwrap()
            .to_vec()
    });
    produce(broker.bootstrap_servers(), "parked", &[], 0..1).await;
    assert_eq!(reader.join().unwrap(), b"0");
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_record_over_the_limit_gets_kafkas_error() {
    let broker = start().await;
    create_topic(broker.bootstrap_servers(), "small", 1).await;
    let producer: FutureProducer = client(broker.bootstrap_servers())
        .set("message.max.bytes", "4000000")
        .create()
        .unwrap();
    let payload = vec![b'x'; 2_000_000];
    let sent = producer
        .send(FutureRecord::<(), _>::to("small").payload(&payload), PATIENCE)
        .await;
    let (error, _) = sent.unwrap_err();
    assert_eq!(
        error,
        KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)
    );
}

#[tokio::test]
async fn topics_are_administered() {
    let broker = start().await;
    let admin = admin(broker.bootstrap_servers());
    let options = AdminOptions::new();
    create_topic(broker.bootstrap_servers(), "administered", 1).await;
    let grown = admin
        .create_partitions([&NewPartitions::new("administered", 4)], &options)
        .await
        .unwrap();
    assert_eq!(grown, [Ok("administered".to_owned())]);
    let change = AlterConfig::new(ResourceSpecifier::Topic("administered")).set("retention.ms", "12345");
    admin.alter_configs([&change], &options).await.unwrap()[0]
        .as_ref()
        .unwrap();
    let described = admin
        .describe_configs([&ResourceSpecifier::Topic("administered")], &options)
        .await
        .unwrap();
    let described = described[0].as_ref().unwrap();
    assert_eq!(described.get("retention.ms").unwrap().value.as_deref(), Some("12345"));
    assert_eq!(
        described.get("cleanup.policy").unwrap().value.as_deref(),
        Some("delete")
    );
    let consumer: BaseConsumer = client(broker.bootstrap_servers()).create().unwrap();
    let metadata = consumer.fetch_metadata(Some("administered"), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 4);
    let deleted = admin.delete_topics(&["administered"], &options).await.unwrap();
    assert_eq!(deleted, [Ok("administered".to_owned())]);
    let again = admin.delete_topics(&["administered"], &options).await.unwrap();
    assert_eq!(
        again,
        [Err((
            "administered".to_owned(),
            RDKafkaErrorCode::UnknownTopicOrPartition
        ))]
    );
}

#[tokio::test]
async fn many_brokers_live_in_one_process() {
    let brokers = futures::future::join_all((0..10).map(|_| start())).await;
    let addresses: HashSet<&str> = brokers.iter().map(|broker| broker.bootstrap_servers()).collect();
    assert_eq!(addresses.len(), brokers.len());
    for (at, broker) in brokers.iter().enumerate() {
        produce(broker.bootstrap_servers(), "mine", &[], 0..at as u64 + 1).await;
    }
    for (at, broker) in brokers.iter().enumerate() {
        let consumer: BaseConsumer = client(broker.bootstrap_servers()).create().unwrap();
        assert_eq!(
            consumer.fetch_watermarks("mine", 0, PATIENCE).unwrap(),
            (0, at as i64 + 1)
        );
    }
    let directories: Vec<_> = brokers.iter().map(|broker| broker.data_dir().to_owned()).collect();
    for broker in brokers {
        broker.shutdown().await.unwrap();
    }
    assert!(
        directories.iter().all(|directory| !directory.exists()),
        "temporary directories go with the brokers"
    );
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start_with(Broker::builder().data_dir(directory.path())).await;
    create_topic(broker.bootstrap_servers(), "kept", 1).await;
    produce(broker.bootstrap_servers(), "kept", &[("acks", "all")], 0..100).await;
    let before = read(broker.bootstrap_servers(), "kept", 0, 100);
    broker.shutdown().await.unwrap();
    let broker = start_with(Broker::builder().data_dir(directory.path())).await;
    assert_eq!(read(broker.bootstrap_servers(), "kept", 0, 100), before);
    produce(broker.bootstrap_servers(), "kept", &[], 100..101).await;
    assert_eq!(read(broker.bootstrap_servers(), "kept", 0, 101)[100], 100);
}

#[tokio::test]
async fn the_broker_needs_no_runtime_of_the_caller() {
    let broker = std::thread::spawn(|| Broker::builder().start_blocking().unwrap())
        .join()
        .unwrap();
    let waiting = futures::executor::block_on(async { Broker::builder().start().await.unwrap() });
    produce(broker.bootstrap_servers(), "t", &[], 0..1).await;
    std::thread::spawn(move || futures::executor::block_on(waiting.shutdown()))
        .join()
        .unwrap()
        .unwrap();
    tokio::time::timeout(Duration::from_secs(60), broker.shutdown())
        .await
        .unwrap()
        .unwrap();
}
