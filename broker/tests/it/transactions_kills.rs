//! `kill -9` of the real binary in the middle of transactions by a standard client: each is there as a whole or not at all,
//! with the offsets that were committed in it, and as its producer was told.
//!
//! `TICKERTAPE_TXN_KILL_ROUNDS` says how often it is killed.

use std::collections::BTreeSet;
use std::sync::mpsc::{Sender, channel};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::support::broker::{PATIENCE, Process, client, create_topic, read_to_the_end, reader};

const ROUNDS_DEFAULT: usize = 12;
const TRANSACTIONS_PER_ROUND: usize = 6;
const PARTITIONS: i32 = 3;
const TOPIC: &str = "ledger";
const GROUP: &str = "keepers";

type TransactionalProducer = ThreadedProducer<DefaultProducerContext>;

fn rounds() -> usize {
    match std::env::var("TICKERTAPE_TXN_KILL_ROUNDS") {
        Ok(rounds) => rounds.parse().unwrap(),
        Err(_) => ROUNDS_DEFAULT,
    }
}

fn producer(address: &str) -> TransactionalProducer {
    let mut config = client(address);
    for (name, value) in [
        ("transactional.id", "keeper"),
        ("transaction.timeout.ms", "120000"),
        ("linger.ms", "0"),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "100"),
        ("retry.backoff.ms", "10"),
    ] {
        config.set(name, value);
    }
    let producer: TransactionalProducer = config.create().unwrap();
    again(|| producer.init_transactions(PATIENCE)).unwrap();
    producer
}

/// Does what the client says can be done again until it is done or cannot.
fn again(mut work: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    loop {
        match work() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
            other => return other,
        }
    }
}

/// How transactions ended, as their producer was told. What is in neither is in doubt.
#[derive(Default)]
struct Told {
    committed: BTreeSet<usize>,
    aborted: BTreeSet<usize>,
}

fn offset_of(number: usize) -> TopicPartitionList {
    let mut offsets = TopicPartitionList::new();
    let offset = Offset::Offset(number as i64 + 1);
    offsets.add_partition_offset(TOPIC, 0, offset).unwrap();
    offsets
}

/// Runs transactions, and says of each when it is about to be committed.
fn work(address: &str, count: usize, about_to_commit: &Sender<usize>) -> Told {
    let group: BaseConsumer = client(address).set("group.id", GROUP).create().unwrap();
    let group = group.group_metadata().unwrap();
    let mut told = Told::default();
    let mut producer = producer(address);
    for number in 0..count {
        let value = number.to_string();
        let run = || -> Result<(), KafkaError> {
            producer.begin_transaction()?;
            for partition in 0..PARTITIONS {
                let record = BaseRecord::<(), _>::to(TOPIC).partition(partition).payload(&value);
                producer.send(record).map_err(|(error, _)| error)?;
            }
            again(|| producer.send_offsets_to_transaction(&offset_of(number), &group, PATIENCE))?;
            about_to_commit.send(number).unwrap();
            again(|| producer.commit_transaction(PATIENCE))
        };
        match run() {
            Ok(()) => drop(told.committed.insert(number)),
            Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                match again(|| producer.abort_transaction(PATIENCE)) {
                    Ok(()) => drop(told.aborted.insert(number)),
                    Err(_) => producer = self::producer(address),
                }
            }
            Err(_) => producer = self::producer(address),
        }
    }
    told
}

/// The committed values of a partition, in the order of the log.
fn read_committed(address: &str, partition: i32) -> Vec<usize> {
    let mut values = Vec::new();
    read_to_the_end(
        &reader(address, "read_committed"),
        TOPIC,
        partition..partition + 1,
        |message| {
            let value = std::str::from_utf8(message.payload().unwrap()).unwrap();
            values.push(value.parse().unwrap());
        },
    );
    values
}

#[tokio::test]
async fn transactions_survive_every_kill_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path(), "127.0.0.1:0");
    let address = process.bootstrap_servers.clone();
    create_topic(&address, TOPIC, PARTITIONS).await;
    let rounds = rounds();
    let (about_to_commit, commits) = channel();
    let worker = {
        let address = address.clone();
        std::thread::spawn(move || work(&address, rounds * TRANSACTIONS_PER_ROUND, &about_to_commit))
    };
    let mut kills = 0;
    while let Ok(number) = commits.recv() {
        if number % TRANSACTIONS_PER_ROUND != 0 {
            continue;
        }
        // Into another moment of the commit in each round.
        for _ in 0..number * 97 % 1_500 {
            std::thread::yield_now();
        }
        process.kill();
        kills += 1;
        process = Process::start(directory.path(), &address);
    }
    let told = worker.join().unwrap();
    // Takes the id over, so that what is in doubt is ended.
    drop(producer(&address));
    let first = read_committed(&address, 0);
    for partition in 1..PARTITIONS {
        assert_eq!(
            read_committed(&address, partition),
            first,
            "a transaction is there in parts"
        );
    }
    let read: BTreeSet<usize> = first.iter().copied().collect();
    assert!(
        first.windows(2).all(|pair| pair[0] < pair[1]),
        "once, and in order: {first:?}"
    );
    assert!(
        told.committed.is_subset(&read),
        "lost: {:?}",
        told.committed.difference(&read)
    );
    assert!(
        told.aborted.is_disjoint(&read),
        "{:?}",
        told.aborted.intersection(&read)
    );
    let group: BaseConsumer = client(&address).set("group.id", GROUP).create().unwrap();
    let committed = group.committed_offsets(offset_of(0), PATIENCE).unwrap();
    let last = first
        .last()
        .map_or(Offset::Invalid, |number| Offset::Offset(*number as i64 + 1));
    assert_eq!(committed.find_partition(TOPIC, 0).unwrap().offset(), last);
    println!(
        "{kills} kills, {} transactions committed, {} aborted, {} in doubt",
        told.committed.len(),
        told.aborted.len(),
        rounds * TRANSACTIONS_PER_ROUND - told.committed.len() - told.aborted.len()
    );
    assert_eq!(process.terminate(), Some(0));
}
