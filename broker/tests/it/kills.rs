//! `kill -9` of the real binary under load by a standard client: each acknowledged record is there, once, in order, with
//! the same bytes.
//!
//! `TICKERTAPE_KILL_ROUNDS` says how often it is killed.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::support::broker::{PATIENCE, Process, client, create_topic};

const ROUNDS_DEFAULT: usize = 50;
const RECORDS_PER_ROUND: usize = 200;
const TOPIC: &str = "killed";

fn rounds() -> usize {
    match std::env::var("TICKERTAPE_KILL_ROUNDS") {
        Ok(rounds) => rounds.parse().unwrap(),
        Err(_) => ROUNDS_DEFAULT,
    }
}

/// A record's bytes: its number, and as much after it as makes sizes differ.
fn payload(number: usize) -> Vec<u8> {
    let mut payload = format!("{number}:").into_bytes();
    let len = payload.len() + number * 37 % 900;
    while payload.len() < len {
        payload.push((number + payload.len()) as u8);
    }
    payload
}

fn producer(bootstrap_servers: &str) -> FutureProducer {
    let mut config = client(bootstrap_servers);
    for (name, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("linger.ms", "0"),
        // Many requests, so that some are on their way whenever the broker is killed.
        ("batch.num.messages", "5"),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "100"),
        ("retry.backoff.ms", "10"),
    ] {
        config.set(name, value);
    }
    config.create().unwrap()
}

/// Every record of the topic, in the order of their offsets, which must have no gap.
fn read_all(bootstrap_servers: &str) -> Vec<Vec<u8>> {
    let mut config = client(bootstrap_servers);
    let consumer: BaseConsumer = config.set("group.id", "unused").create().unwrap();
    let (start, end) = consumer.fetch_watermarks(TOPIC, 0, PATIENCE).unwrap();
    assert_eq!(start, 0);
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let mut payloads = Vec::new();
    for offset in 0..end {
        let message = consumer.poll(PATIENCE).expect("a record").unwrap();
        assert_eq!(message.offset(), offset);
        payloads.push(message.payload().unwrap().to_vec());
    }
    payloads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_every_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path(), "127.0.0.1:0");
    let address = process.bootstrap_servers.clone();
    create_topic(&address, TOPIC, 1).await;
    let producer = producer(&address);
    let rounds = rounds();
    let mut in_doubt = 0;
    for round in 0..rounds {
        // Queued in this order, which is then the order of the log.
        let mut sending = std::collections::VecDeque::new();
        for number in round * RECORDS_PER_ROUND..(round + 1) * RECORDS_PER_ROUND {
            let payload = payload(number);
            let record = FutureRecord::<(), _>::to(TOPIC).partition(0).payload(&payload);
            sending.push_back((
                number,
                producer.send_result(record).map_err(|(error, _)| error).unwrap(),
            ));
        }
        // Killed after another number of acknowledgements in each round.
        for _ in 0..1 + round * 7 % RECORDS_PER_ROUND {
            let Some((number, sent)) = sending.pop_front() else {
                break;
            };
            let delivery = tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap().unwrap();
            assert_eq!(delivery.offset, number as i64);
        }
        process.kill();
        in_doubt += sending.len();
        process = Process::start(directory.path(), &address);
        for (number, sent) in sending {
            let delivery = tokio::time::timeout(PATIENCE + Duration::from_secs(60), sent).await;
            let delivery = delivery.unwrap().unwrap().unwrap();
            assert_eq!(delivery.offset, number as i64, "round {round}: once, and in order");
        }
    }
    let payloads = read_all(&address);
    assert_eq!(payloads.len(), rounds * RECORDS_PER_ROUND, "each once");
    for (number, read) in payloads.iter().enumerate() {
        assert_eq!(*read, payload(number), "record {number}");
    }
    println!(
        "{rounds} kills, {} records, {in_doubt} of them in doubt at a kill",
        payloads.len()
    );
    assert_eq!(process.terminate(), Some(0));
}
