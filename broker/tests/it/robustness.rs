//! Hostile and broken peers against a running broker: each gets an answer or a closed connection, the others notice
//! nothing, and the broker's memory stays as it is. Single cases, each named; [`crate::hostile`] sends a million at random.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreatePartitionsRequest, CreateTopicsRequest, MetadataRequest, TopicName,
};

use crate::hostile::witness::Witness;
use crate::support::calls::latest;
use crate::support::client::{frame, frame_of};
use crate::support::process::Process;

/// How much the broker may have grown when all is over: its own state (groups that frames happened to make), and what
/// the allocator keeps.
const GROWTH_MAX_BYTES: usize = 24 << 20;

/// Starts a broker whose limits a test can reach.
fn start() -> (tempfile::TempDir, Process) {
    let directory = tempfile::tempdir().unwrap();
    let properties = [("socket.request.max.bytes", "1048576"), ("num.partitions", "1")];
    let broker = Process::start(directory.path(), &properties);
    (directory, broker)
}

/// Sends bytes in the given pieces on a connection of their own, says that nothing more will come, and reads until the
/// broker closes it. Returns what came back; whole frames, in order.
fn answers(broker: &Process, pieces: &[&[u8]]) -> Vec<bytes::Bytes> {
    let mut client = broker.connect();
    for piece in pieces {
        // The broker may have closed the connection after an earlier piece.
        if client.send_bytes(piece).is_err() {
            break;
        }
    }
    client.finish_sending();
    std::iter::from_fn(|| client.receive_frame()).collect()
}

#[test]
fn a_request_split_anywhere_is_answered_as_if_whole() {
    let (_directory, broker) = start();
    let request = ApiVersionsRequest::default()
        .with_client_software_name("split".into())
        .with_client_software_version("1".into());
    let version = latest(ApiKey::ApiVersions);
    let bytes = frame(version, 5, &request);
    let whole = answers(&broker, &[&bytes]);
    assert_eq!(whole.len(), 1);
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(answers(&broker, &[first, second]), whole, "split at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(answers(&broker, &single), whole);
    // Two at once, and a cut third.
    let three = [&bytes[..], &bytes, &bytes[..bytes.len() - 1]].concat();
    assert_eq!(answers(&broker, &[&three]), [whole.clone(), whole].concat());
}

#[test]
fn a_frame_that_cannot_be_is_closed_upon() {
    let (_directory, broker) = start();
    let mut witness = Witness::new(&broker);
    let (before, _) = broker.memory();
    let unknown_key = frame_of(9_999, 0, 1, &[]);
    let unknown_version = frame_of(ApiKey::Metadata as i16, 99, 1, &[0; 64]);
    let hostile: [(&str, &[u8]); 10] = [
        ("a negative length", &[0xff, 0xff, 0xff, 0xff, 0, 0]),
        ("the least length", &[0x80, 0, 0, 0]),
        ("a length beyond the limit", &[0x00, 0x10, 0x00, 0x01, 0, 18, 0, 3]),
        ("the greatest length", &[0x7f, 0xff, 0xff, 0xff, 0, 18, 0, 3]),
        ("no header", &[0, 0, 0, 0]),
        ("half a header", &[0, 0, 0, 3, 0, 18, 0]),
        ("an unknown key", &unknown_key),
        ("an unknown version", &unknown_version),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            "TLS",
            &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03],
        ),
    ];
    for (what, bytes) in hostile {
        let mut client = broker.connect();
        let _ = client.send_bytes(bytes);
        assert!(client.receive_frame().is_none(), "{what} is answered");
        witness.work();
    }
    let (_, highest) = broker.memory();
    assert!(highest <= before + GROWTH_MAX_BYTES, "{before} bytes grew to {highest}");
}

#[test]
fn a_version_of_api_versions_to_come_is_told_what_there_is() {
    let (_directory, broker) = start();
    let answers = answers(&broker, &[&frame_of(ApiKey::ApiVersions as i16, 99, 3, &[1, 2, 3])]);
    assert_eq!(answers.len(), 1);
    // Correlation id, UNSUPPORTED_VERSION in version 0, and the versions of ApiVersions at least.
    assert_eq!(&answers[0][..6], [0, 0, 0, 3, 0, 35]);
    assert!(answers[0].len() > 10);
}

#[test]
fn eight_bytes_cannot_ask_for_gigabytes() {
    let (_directory, mut broker) = start();
    let mut witness = Witness::new(&broker);
    let (before, _) = broker.memory();
    for api in tickertape_broker::served() {
        for version in api.min..=api.max {
            for body in [
                &[0x7f, 0xff, 0xff, 0xff][..],
                &[0xff, 0xff, 0xff, 0xff, 0x0f],
                &[0xff; 64],
                &[0x7f; 64],
            ] {
                answers(&broker, &[&frame_of(api.key, version, 1, body)]);
            }
        }
    }
    witness.work();
    let (_, highest) = broker.memory();
    assert!(highest <= before + GROWTH_MAX_BYTES, "{before} bytes grew to {highest}");
    assert!(broker.is_running());
}

#[test]
fn lengths_that_are_only_declared_cost_nothing() {
    let (_directory, broker) = start();
    let mut witness = Witness::new(&broker);
    witness.work();
    let (before, _) = broker.memory();
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let mut client = broker.connect();
        // A megabyte, of which a hundred bytes come.
        client.send_bytes(&(1i32 << 20).to_be_bytes()).unwrap();
        client.send_bytes(&[0; 100]).unwrap();
        waiting.push(client);
    }
    witness.work();
    let (_, highest) = broker.memory();
    assert!(highest <= before + GROWTH_MAX_BYTES, "{before} bytes grew to {highest}");
}

#[test]
fn topics_that_are_too_large_are_refused() {
    let (_directory, broker) = start();
    let mut witness = Witness::new(&broker);
    witness.work();
    let (before, _) = broker.memory();
    let mut client = broker.connect();
    for partitions in [0, -2, i32::MIN, 10_001, 1_000_000, i32::MAX] {
        let topic = CreatableTopic::default()
            .with_name(TopicName("too-large".into()))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(60_000);
        let response = client.call(latest(ApiKey::CreateTopics), &request);
        assert!(
            response.topics[0].error_code.is_err(),
            "{partitions} partitions are made"
        );
        let topic = CreatePartitionsTopic::default()
            .with_name(TopicName("witness".into()))
            .with_count(partitions);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(60_000);
        let response = client.call(latest(ApiKey::CreatePartitions), &request);
        assert!(
            response.results[0].error_code.is_err(),
            "{partitions} partitions are made"
        );
    }
    witness.work();
    let (_, highest) = broker.memory();
    assert!(highest <= before + GROWTH_MAX_BYTES, "{before} bytes grew to {highest}");
}

#[test]
fn replies_that_are_never_read_are_not_heaped_up() {
    let (_directory, broker) = start();
    let mut witness = Witness::new(&broker);
    let (before, _) = broker.memory();
    let request = frame(
        latest(ApiKey::Metadata),
        1,
        &MetadataRequest::default().with_topics(None),
    );
    let requests = request.repeat(1_000);
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(broker.address()).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        // At some point the broker takes no more, because nobody takes its answers.
        let sent = (0..2_000).take_while(|_| stream.write_all(&requests).is_ok()).count();
        assert!(sent < 2_000, "the broker takes requests for ever");
        stalled.push(stream);
        witness.work();
    }
    let (_, highest) = broker.memory();
    assert!(highest <= before + GROWTH_MAX_BYTES, "{before} bytes grew to {highest}");
    // Who reads after all gets what was asked for.
    let mut stream = stalled.remove(0);
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.read_exact(&mut [0; 4096]).unwrap();
    let _ = stream.shutdown(Shutdown::Both);
    witness.work();
}
