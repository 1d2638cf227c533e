//! Fetch on the wire: sessions, limits, waiting.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{ApiKey, FetchRequest, FetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::wire::batch::Batches;
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::{Broker, BrokerHandle};

use crate::support::calls::{Topic, latest};
use crate::support::client::Client;

/// A version with sessions that names topics, and one that has their ids.
const VERSIONS: [i16; 2] = [12, 18];

fn start() -> (BrokerHandle, Client) {
    let broker = Broker::builder().start_blocking().unwrap();
    let client = Client::connect(broker.bootstrap_servers());
    (broker, client)
}

fn batch(value: &[u8]) -> Vec<u8> {
    BatchBuilder::new().record(1_000, None, Some(value)).build().unwrap()
}

/// A fetch of partitions of one topic, each from an offset.
fn request(version: i16, topic: &Topic, partitions: &[(i32, i64)]) -> FetchRequest {
    let partitions = partitions.iter().map(|(partition, offset)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20)
    });
    let partitions: Vec<_> = partitions.collect();
    let mut fetched = FetchTopic::default();
    if version >= 13 {
        fetched.topic_id = topic.id;
    } else {
        fetched.topic = TopicName(StrBytes::from_static_str(topic.name));
    }
    let topics = if partitions.is_empty() {
        vec![]
    } else {
        vec![fetched.with_partitions(partitions)]
    };
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(topics)
}

/// The partitions of an answer with the number of batches of each.
fn batches(response: &FetchResponse) -> BTreeMap<i32, usize> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let count = |records: &Option<bytes::Bytes>| Batches::new(records.as_deref().unwrap_or_default()).count();
    partitions
        .map(|partition| (partition.partition_index, count(&partition.records)))
        .collect()
}

#[test]
fn a_session_answers_only_what_is_new() {
    let (_broker, mut client) = start();
    let topic = client.create_topic("sessions", 3, &[]);
    for version in VERSIONS {
        let all = request(version, &topic, &[(0, 0), (1, 0), (2, 0)]).with_session_epoch(0);
        let first = client.call(version, &all);
        assert_ne!(first.session_id, 0);
        assert_eq!(batches(&first).len(), 3, "a full answer has all");
        let offset = client.list_offset(latest(ApiKey::ListOffsets), &topic, 1, -1).1;

        let next = |epoch| {
            request(version, &topic, &[])
                .with_session_id(first.session_id)
                .with_session_epoch(epoch)
        };
        let quiet = request(version, &topic, &[(1, offset)])
            .with_session_id(first.session_id)
            .with_session_epoch(1);
        assert_eq!(
            batches(&client.call(version, &quiet)),
            BTreeMap::from([]),
            "nothing is new"
        );
        client.produce(latest(ApiKey::Produce), &topic, 1, batch(b"news"));
        assert_eq!(batches(&client.call(version, &next(2))), BTreeMap::from([(1, 1)]));

        let wrong = client.call(version, &next(9));
        assert_eq!(wrong.error_code, ResponseError::InvalidFetchSessionEpoch.code());
        let unknown = next(3).with_session_id(first.session_id ^ 1);
        assert_eq!(
            client.call(version, &unknown).error_code,
            ResponseError::FetchSessionIdNotFound.code()
        );

        let mut forgotten = ForgottenTopic::default().with_partitions(vec![1]);
        if version >= 13 {
            forgotten.topic_id = topic.id;
        } else {
            forgotten.topic = TopicName(StrBytes::from_static_str(topic.name));
        }
        let forget = next(3).with_forgotten_topics_data(vec![forgotten]);
        assert_eq!(
            batches(&client.call(version, &forget)),
            BTreeMap::from([]),
            "what is forgotten is not fetched"
        );
        let other = if version >= 13 { 12 } else { 13 };
        let mixed = client.call(other, &next(4));
        assert_eq!(mixed.error_code, ResponseError::FetchSessionTopicIdError.code());
    }
}

#[test]
fn every_version_returns_the_stored_bytes() {
    let (_broker, mut client) = start();
    let topic = client.create_topic("bytes", 1, &[]);
    let sent: Vec<Vec<u8>> = (0..5u8).map(|value| batch(&[value; 100])).collect();
    for records in &sent {
        client.produce(latest(ApiKey::Produce), &topic, 0, records.clone());
    }
    for version in 4..=latest(ApiKey::Fetch) {
        let found = client.fetch(version, &topic, 0, 2, 1 << 20);
        let records = found.records.unwrap();
        assert_eq!(
            (found.high_watermark, Batches::new(&records).count()),
            (5, 3),
            "version {version}"
        );
        for (at, found) in Batches::new(&records).enumerate() {
            let (found, sent) = (found.unwrap(), &sent[at + 2]);
            assert_eq!(found.header.base_offset, at as i64 + 2);
            // Base offset and leader epoch are the broker's, the rest is the producer's.
            assert_eq!(found.payload(), &sent[61..]);
            found.validate_crc().unwrap();
        }
    }
}

#[test]
fn the_limits_hold_over_all_partitions_but_the_first_batch_always_comes() {
    let (_broker, mut client) = start();
    let topic = client.create_topic("limits", 3, &[]);
    for partition in 0..3 {
        client.produce(latest(ApiKey::Produce), &topic, partition, batch(&[0; 1_000]));
    }
    for version in VERSIONS {
        let all = || request(version, &topic, &[(0, 0), (1, 0), (2, 0)]).with_session_epoch(-1);
        let small = client.call(version, &all().with_max_bytes(10));
        assert_eq!(batches(&small), BTreeMap::from([(0, 1), (1, 0), (2, 0)]));
        let two = client.call(version, &all().with_max_bytes(2_500));
        assert_eq!(batches(&two), BTreeMap::from([(0, 1), (1, 1), (2, 0)]));
    }
}

#[test]
fn a_fetch_waits_for_as_many_bytes_as_it_asked_for() {
    let (broker, mut client) = start();
    let topic = client.create_topic("waiting", 2, &[]);
    let mut producer = Client::connect(broker.bootstrap_servers());
    let version = latest(ApiKey::Fetch);
    let patient = request(version, &topic, &[(0, 0), (1, 0)])
        .with_session_epoch(-1)
        .with_max_wait_ms(i32::MAX)
        .with_min_bytes(3_000);
    client.send(version, &patient);
    for partition in [0, 1, 0] {
        producer.produce(latest(ApiKey::Produce), &topic, partition, batch(&[0; 1_000]));
    }
    let (_, response) = client.receive::<FetchRequest>(version);
    assert_eq!(batches(&response), BTreeMap::from([(0, 2), (1, 1)]));
}

#[test]
fn a_fetch_of_what_is_not_there_is_answered_at_once() {
    let (_broker, mut client) = start();
    let topic = client.create_topic("errors", 1, &[]);
    let version = latest(ApiKey::Fetch);
    let error = |response: FetchResponse| response.responses[0].partitions[0].error_code;
    let patient = |partition, offset| {
        request(version, &topic, &[(partition, offset)])
            .with_session_epoch(-1)
            .with_max_wait_ms(i32::MAX)
    };
    assert_eq!(
        error(client.call(version, &patient(0, 7))),
        ResponseError::OffsetOutOfRange.code()
    );
    assert_eq!(
        error(client.call(version, &patient(9, 0))),
        ResponseError::UnknownTopicOrPartition.code()
    );
    let mut stale = patient(0, 0);
    stale.topics[0].partitions[0].current_leader_epoch = 5;
    assert_eq!(
        error(client.call(version, &stale)),
        ResponseError::UnknownLeaderEpoch.code()
    );
    let mut elsewhere = patient(0, 0);
    elsewhere.topics[0].topic_id = uuid::Uuid::from_u128(1);
    assert_eq!(
        error(client.call(version, &elsewhere)),
        ResponseError::UnknownTopicId.code()
    );
}

#[test]
fn a_deleted_topic_wakes_its_readers() {
    let (broker, mut client) = start();
    let topic = client.create_topic("deleted", 1, &[]);
    let version = latest(ApiKey::Fetch);
    let patient = request(version, &topic, &[(0, 0)])
        .with_session_epoch(-1)
        .with_max_wait_ms(i32::MAX);
    client.send(version, &patient);
    let mut admin = Client::connect(broker.bootstrap_servers());
    let request = kafka_protocol::messages::DeleteTopicsRequest::default()
        .with_timeout_ms(60_000)
        .with_topic_names(vec![TopicName(StrBytes::from_static_str("deleted"))]);
    assert_eq!(admin.call(5, &request).responses[0].error_code, 0);
    let (_, response) = client.receive::<FetchRequest>(version);
    assert_ne!(response.responses[0].partitions[0].error_code, 0);
}
