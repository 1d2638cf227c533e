//! `__consumer_offsets` and `__transaction_state` as clients read them: they say what the coordinators answer, from the moment
//! they are made and after every `kill -9`, and nobody else writes to them.
//!
//! `TICKERTAPE_INTERNAL_KILL_ROUNDS` says how often the broker is killed.

use std::collections::HashMap;
use std::process::Stdio;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use rdkafka::Message;
use tickertape_broker::wire::build::BatchBuilder;

use crate::support::broker::{read_to_the_end, reader};
use crate::support::calls::{Topic, latest};
use crate::support::client::Client;
use crate::support::process::Process;
use crate::support::transactional::Me;

const OFFSETS: &str = "__consumer_offsets";
const TRANSACTIONS: &str = "__transaction_state";
const TOPIC: &str = "orders";
const PARTITIONS: i32 = 50;
const GROUPS: usize = 7;
const COMMITS_PER_ROUND: usize = 150;
const ROUNDS_DEFAULT: usize = 5;

/// The states of a transactional id, as records count them.
const STATES: [&str; 6] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
];

/// `INVALID_TOPIC_EXCEPTION`.
const INVALID_TOPIC: i16 = 17;
/// `CONCURRENT_TRANSACTIONS`.
const CONCURRENT: i16 = 51;
/// `UNSTABLE_OFFSET_COMMIT`.
const UNSTABLE: i16 = 88;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group(number: usize) -> String {
    format!("group-{}", number % GROUPS)
}

/// Looks for a coordinator, which makes its topic.
fn find_coordinator(client: &mut Client, key_type: i8) {
    let request = FindCoordinatorRequest::default()
        .with_key_type(key_type)
        .with_coordinator_keys(vec![text("any")]);
    let response = client.call(latest(ApiKey::FindCoordinator), &request);
    assert_eq!(response.coordinators[0].error_code, 0);
}

/// A topic as Metadata tells of it, if it exists.
fn described(client: &mut Client, name: &'static str) -> Option<(bool, usize, uuid::Uuid)> {
    let request = MetadataRequest::default()
        .with_topics(Some(vec![
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_static_str(name)))),
        ]))
        .with_allow_auto_topic_creation(false);
    let topic = client.call(latest(ApiKey::Metadata), &request).topics.remove(0);
    (topic.error_code == 0).then_some((topic.is_internal, topic.partitions.len(), topic.topic_id))
}

/// The committed records of one of the topics, the last of each key.
fn read(address: &str, topic: &str) -> HashMap<Vec<u8>, Vec<u8>> {
    let mut last = HashMap::new();
    read_to_the_end(&reader(address, "read_committed"), topic, 0..PARTITIONS, |message| {
        let key = message.key().unwrap().to_vec();
        match message.payload() {
            Some(value) => drop(last.insert(key, value.to_vec())),
            None => drop(last.remove(&key)),
        }
    });
    last
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as i16).to_be_bytes());
    bytes.extend(text.as_bytes());
}

/// The offset that the topic tells for partition 0 of [`TOPIC`]; -1 if none.
fn told(records: &HashMap<Vec<u8>, Vec<u8>>, group: &str) -> i64 {
    let mut key = vec![0, 1];
    put(&mut key, group);
    put(&mut key, TOPIC);
    key.extend([0; 4]);
    records
        .get(&key)
        .map_or(-1, |value| i64::from_be_bytes(value[2..10].try_into().unwrap()))
}

/// The state that the topic tells of the transactional id of the support's calls.
fn told_state(records: &HashMap<Vec<u8>, Vec<u8>>) -> &'static str {
    let mut key = vec![0, 0];
    put(&mut key, "sink");
    STATES[records[&key][16] as usize]
}

fn send_commit(client: &mut Client, number: usize) {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(number as i64)
        .with_committed_metadata(Some(text("")));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(TOPIC)))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(&group(number))))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    client.send(8, &request);
}

/// Takes the transactional id over, once what its last owner left open is ended.
fn take_over(client: &mut Client) -> Me {
    loop {
        match client.init(5, None) {
            Ok(me) => return me,
            Err(error) => assert_eq!(error, CONCURRENT),
        }
    }
}

/// The offset that was committed within transactions, once none is open.
fn stable_offset(client: &mut Client) -> i64 {
    loop {
        match client.fetch_offset(TOPIC, true) {
            Ok(offset) => return offset,
            Err(error) => assert_eq!(error, UNSTABLE),
        }
    }
}

fn check(process: &Process, client: &mut Client, topic: &Topic) {
    let records = read(process.address(), OFFSETS);
    for number in 0..GROUPS {
        let answered = client.committed(8, &group(number), topic, 0).0;
        assert_eq!(told(&records, &group(number)), answered, "{}", group(number));
    }
    let answered = stable_offset(client);
    assert_eq!(told(&records, "readers"), answered, "within transactions");
    let records = read(process.address(), TRANSACTIONS);
    assert_eq!(told_state(&records), client.describe().transaction_state.as_str());
}

#[test]
fn the_topics_agree_with_the_coordinators_after_every_kill() {
    let rounds = match std::env::var("TICKERTAPE_INTERNAL_KILL_ROUNDS") {
        Ok(rounds) => rounds.parse().unwrap(),
        Err(_) => ROUNDS_DEFAULT,
    };
    let directory = tempfile::tempdir().unwrap();
    let start = || Process::start_on("127.0.0.1:0", directory.path(), &[], Stdio::null());
    let mut process = start();
    let mut client = process.connect();
    let topic = client.create_topic(TOPIC, 1, &[]);
    find_coordinator(&mut client, 0);
    find_coordinator(&mut client, 1);
    for round in 0..rounds {
        let me = take_over(&mut client);
        assert_eq!(client.commit_offset(5, me, TOPIC, round as i64), 0);
        let me = client.end(5, me, round % 2 == 0).unwrap();
        // One that is open when the broker is killed.
        assert_eq!(client.commit_offset(5, me, TOPIC, 1_000), 0);
        for number in round * COMMITS_PER_ROUND..(round + 1) * COMMITS_PER_ROUND {
            send_commit(&mut client, number);
        }
        // After another number of answers in each round.
        for _ in 0..1 + round * 31 % COMMITS_PER_ROUND {
            client.receive::<OffsetCommitRequest>(8);
        }
        process.kill();
        process = start();
        client = process.connect();
        take_over(&mut client);
        check(&process, &mut client, &topic);
    }
    // What is known to agree is not read again; and agrees.
    process.stop();
    process = start();
    client = process.connect();
    check(&process, &mut client, &topic);
}

#[test]
fn a_topic_that_is_made_late_says_everything_and_takes_nothing_from_clients() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), &[]);
    let mut client = process.connect();
    let topic = client.create_topic(TOPIC, 1, &[]);
    assert_eq!(client.commit(8, &group(0), &topic, 0, 42, ""), 0);
    let me = take_over(&mut client);
    assert_eq!(client.commit_offset(5, me, TOPIC, 7), 0);
    for name in [OFFSETS, TRANSACTIONS] {
        assert_eq!(
            described(&mut client, name),
            None,
            "{name} is made when it is looked for"
        );
    }
    find_coordinator(&mut client, 0);
    find_coordinator(&mut client, 1);
    for name in [OFFSETS, TRANSACTIONS] {
        let (is_internal, partitions, id) = described(&mut client, name).unwrap();
        assert!(is_internal && partitions == PARTITIONS as usize, "{name}");
        let batch = BatchBuilder::new().record(1, Some(b"k"), Some(b"v")).build().unwrap();
        let refused = client.produce(latest(ApiKey::Produce), &Topic { name, id }, 0, batch);
        assert_eq!(refused.error_code, INVALID_TOPIC, "{name}");
    }
    assert_eq!(told_state(&read(process.address(), TRANSACTIONS)), "Ongoing");
    let records = read(process.address(), OFFSETS);
    assert_eq!((told(&records, &group(0)), told(&records, "readers")), (42, -1));
    client.end(5, me, true).unwrap();
    assert_eq!(stable_offset(&mut client), 7);
    assert_eq!(told(&read(process.address(), OFFSETS), "readers"), 7);
}
