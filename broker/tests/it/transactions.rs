//! librdkafka's transactional producer against the broker: what an application does, and what a crash does to it.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::{DescribeTransactionsRequest, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Message, Offset, TopicPartitionList};
use tickertape_broker::Broker;
use tickertape_broker::clock::{Clock, ManualClock, SystemClock};

use crate::support::broker::{PATIENCE, client, create_topic, read_to_the_end, reader, start, start_with};
use crate::support::client::Client;

type TransactionalProducer = ThreadedProducer<DefaultProducerContext>;

/// A producer that has taken its transactional id over.
fn producer(bootstrap_servers: &str, transactional_id: &str, settings: &[(&str, &str)]) -> TransactionalProducer {
    let mut config = client(bootstrap_servers);
    config
        .set("transactional.id", transactional_id)
        .set("linger.ms", "0")
        .set("transaction.timeout.ms", "60000");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    let producer: TransactionalProducer = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

/// Sends a record to a partition within the open transaction.
fn send(producer: &TransactionalProducer, topic: &str, partition: i32, value: &str) {
    let record = BaseRecord::<(), _>::to(topic).partition(partition).payload(value);
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

/// Every value in a partition, in the order of its log.
fn read(bootstrap_servers: &str, isolation_level: &str, topic: &str, partition: i32) -> Vec<String> {
    let mut values = Vec::new();
    let partitions = partition..partition + 1;
    read_to_the_end(
        &reader(bootstrap_servers, isolation_level),
        topic,
        partitions,
        |message| {
            values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        },
    );
    values
}

fn read_committed(bootstrap_servers: &str, topic: &str, partition: i32) -> Vec<String> {
    read(bootstrap_servers, "read_committed", topic, partition)
}

fn read_all(bootstrap_servers: &str, topic: &str, partition: i32) -> Vec<String> {
    read(bootstrap_servers, "read_uncommitted", topic, partition)
}

#[tokio::test]
async fn what_is_committed_is_read_and_what_is_aborted_is_not() {
    let broker = start().await;
    let address = broker.bootstrap_servers();
    create_topic(address, "prices", 2).await;
    let producer = producer(address, "feed", &[]);
    for round in 0..6 {
        producer.begin_transaction().unwrap();
        for partition in 0..2 {
            send(&producer, "prices", partition, &format!("{round}"));
        }
        if round % 2 == 0 {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            // What is not yet sent would be purged, so that nothing of it is in the log.
            producer.flush(PATIENCE).unwrap();
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    for partition in 0..2 {
        assert_eq!(read_committed(address, "prices", partition), ["0", "2", "4"]);
        assert_eq!(read_all(address, "prices", partition), ["0", "1", "2", "3", "4", "5"]);
    }
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_committed_reader_waits_for_the_marker_and_is_woken_by_it() {
    let broker = start().await;
    let address = broker.bootstrap_servers();
    create_topic(address, "prices", 1).await;
    let producer = producer(address, "feed", &[]);
    producer.begin_transaction().unwrap();
    send(&producer, "prices", 0, "hidden");
    producer.flush(PATIENCE).unwrap();
    assert!(read_committed(address, "prices", 0).is_empty());
    assert_eq!(read_all(address, "prices", 0), ["hidden"]);
    let (at_end, reaches_end) = std::sync::mpsc::channel();
    let address = address.to_owned();
    let reader = std::thread::spawn(move || {
        // A poll that only its own limit could end would take longer than the test's patience.
        let consumer: BaseConsumer = reader(&address, "read_committed")
            .set("fetch.wait.max.ms", "300000")
            .set("socket.timeout.ms", "300000")
            .set("enable.partition.eof", "false")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("prices", 0, Offset::Beginning).unwrap();
        consumer.assign(&assignment).unwrap();
        at_end.send(()).unwrap();
        let message = consumer.poll(PATIENCE).expect("a record").unwrap();
        message.payload().unwrap().to_vec()
    });
    reaches_end.recv().unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(reader.join().unwrap(), b"hidden");
}

#[tokio::test]
async fn a_second_producer_of_the_same_id_fences_the_first_and_aborts_what_it_began() {
    let broker = start().await;
    let address = broker.bootstrap_servers();
    create_topic(address, "prices", 1).await;
    let first = producer(address, "feed", &[]);
    first.begin_transaction().unwrap();
    send(&first, "prices", 0, "of the first");
    first.flush(PATIENCE).unwrap();
    let second = producer(address, "feed", &[]);
    let error = first.commit_transaction(PATIENCE).unwrap_err();
    assert!(
        matches!(&error, KafkaError::Transaction(error) if error.is_fatal()),
        "{error}"
    );
    second.begin_transaction().unwrap();
    send(&second, "prices", 0, "of the second");
    second.commit_transaction(PATIENCE).unwrap();
    assert_eq!(read_committed(address, "prices", 0), ["of the second"]);
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_is_aborted_by_the_brokers_clock() {
    let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
    let builder = Broker::builder()
        .clock(clock.clone())
        .property("transaction.abort.timed.out.transaction.cleanup.interval.ms", "5");
    let broker = start_with(builder).await;
    let address = broker.bootstrap_servers();
    create_topic(address, "prices", 1).await;
    let slow = producer(address, "feed", &[("transaction.timeout.ms", "10000")]);
    slow.begin_transaction().unwrap();
    send(&slow, "prices", 0, "too late");
    slow.flush(PATIENCE).unwrap();
    assert_eq!(state_of(address, "feed"), "Ongoing");
    clock.advance(10_001);
    while state_of(address, "feed") != "CompleteAbort" {
        tokio::task::yield_now().await;
    }
    assert_eq!(read_all(address, "prices", 0), ["too late"]);
    assert!(read_committed(address, "prices", 0).is_empty());
    let error = slow.commit_transaction(PATIENCE).unwrap_err();
    assert!(
        matches!(&error, KafkaError::Transaction(error) if error.is_fatal()),
        "{error}"
    );
    broker.shutdown().await.unwrap();
}

/// Where a transactional id stands.
fn state_of(bootstrap_servers: &str, transactional_id: &'static str) -> String {
    let id = TransactionalId(StrBytes::from_static_str(transactional_id));
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id]);
    let described = Client::connect(bootstrap_servers).call(0, &request);
    described.transaction_states[0].transaction_state.to_string()
}

/// A consumer's place in a group, by which its offsets are committed within a transaction.
fn group_metadata(bootstrap_servers: &str, group_id: &str) -> (BaseConsumer, ConsumerGroupMetadata) {
    let mut config = client(bootstrap_servers);
    let consumer: BaseConsumer = config.set("group.id", group_id).create().unwrap();
    let metadata = consumer.group_metadata().unwrap();
    (consumer, metadata)
}

fn offsets(topic: &str, offset: i64) -> TopicPartitionList {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    offsets
}

#[tokio::test]
async fn offsets_count_when_their_transaction_is_committed() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start_with(Broker::builder().data_dir(directory.path())).await;
    let address = broker.bootstrap_servers().to_owned();
    create_topic(&address, "prices", 1).await;
    let producer = producer(&address, "copier", &[]);
    let (consumer, metadata) = group_metadata(&address, "copiers");
    let committed = || {
        let committed = consumer.committed_offsets(offsets("prices", 0), PATIENCE).unwrap();
        committed.find_partition("prices", 0).unwrap().offset()
    };
    for (offset, commit, expected) in [(5, true, 5), (9, false, 5), (7, true, 7)] {
        producer.begin_transaction().unwrap();
        send(&producer, "prices", 0, "copy");
        producer
            .send_offsets_to_transaction(&offsets("prices", offset), &metadata, PATIENCE)
            .unwrap();
        if commit {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
        assert_eq!(committed(), Offset::Offset(expected));
    }
    broker.shutdown().await.unwrap();
    let broker = start_with(Broker::builder().data_dir(directory.path()).listen(&address)).await;
    let (consumer, _) = group_metadata(broker.bootstrap_servers(), "copiers");
    let kept = consumer.committed_offsets(offsets("prices", 0), PATIENCE).unwrap();
    assert_eq!(kept.find_partition("prices", 0).unwrap().offset(), Offset::Offset(7));
}

#[tokio::test]
async fn a_time_out_over_the_brokers_limit_is_refused() {
    let broker = start_with(Broker::builder().property("transaction.max.timeout.ms", "30000")).await;
    let producer: TransactionalProducer = client(broker.bootstrap_servers())
        .set("transactional.id", "slow")
        .set("transaction.timeout.ms", "30001")
        .create()
        .unwrap();
    let error = producer.init_transactions(Duration::from_secs(60)).unwrap_err();
    assert_eq!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::InvalidTransactionTimeout)
    );
}
