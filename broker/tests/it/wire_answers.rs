//! What the broker answers is well formed: in every API and version, whatever was asked.

use bytes::Bytes;
use rand::Rng;
use tickertape_broker::wire::{guard, shapes};

use crate::support::client::{Client, frame_of};
use crate::support::codecs::{Codec, codecs};
use crate::support::generate::{self, Made};
use crate::support::seed::seeded;

/// Produce with `acks=0` is the one request that has no answer.
const PRODUCE: i16 = 0;

/// A filter of defaults has `UNKNOWN` elements, on which Apache Kafka closes the connection.
const DESCRIBE_ACLS: i16 = 29;

/// Walks an answer by its shape to its last byte, and encodes it again to the same bytes.
fn check(codecs: &[Codec], api_key: i16, version: i16, answer: &Bytes) {
    let shape = shapes::response(api_key).unwrap();
    let header = if shape.header_version(version) == 0 { 4 } else { 5 };
    assert!(answer.len() >= header, "{} {version}", shape.name);
    let body = answer.slice(header..);
    assert_eq!(
        guard::check(shape, version, &body),
        Ok(body.len()),
        "{} {version}: {body:02x?}",
        shape.name
    );
    let codec = codecs.iter().find(|codec| codec.name == shape.name).unwrap();
    let again = (codec.transcode)(body.clone(), version).unwrap();
    assert_eq!(again.bytes, body, "{} {version}", shape.name);
}

#[test]
fn a_request_of_defaults_is_answered_in_every_version() {
    let broker = tickertape_broker::Broker::builder().start_blocking().unwrap();
    let codecs = codecs();
    let mut client = Client::connect(broker.bootstrap_servers());
    for api in tickertape_broker::served().filter(|api| ![PRODUCE, DESCRIBE_ACLS].contains(&api.key)) {
        let shape = shapes::request(api.key).unwrap();
        for version in api.min..=api.max {
            let body = generate::plain(shape, version);
            client.send_bytes(&frame_of(api.key, version, 77, &body)).unwrap();
            let Some(answer) = client.receive_frame() else {
                panic!("{} version {version} is not answered", api.name);
            };
            assert_eq!(answer[..4], 77i32.to_be_bytes(), "{} {version}", api.name);
            check(&codecs, api.key, version, &answer);
        }
    }
}

#[test]
fn whatever_is_asked_the_answer_is_well_formed() {
    let mut rng = seeded();
    let broker = tickertape_broker::Broker::builder().start_blocking().unwrap();
    let codecs = codecs();
    for _ in 0..20 {
        for api in tickertape_broker::served() {
            let shape = shapes::request(api.key).unwrap();
            let version = rng.random_range(api.min..=api.max);
            let Made { bytes, .. } = generate::make(shape, version, &mut rng);
            let mut client = Client::connect(broker.bootstrap_servers());
            client.send_bytes(&frame_of(api.key, version, 77, &bytes)).unwrap();
            // What parks ends when the client is gone.
            client.finish_sending();
            if let Some(answer) = client.receive_frame() {
                check(&codecs, api.key, version, &answer);
            }
        }
    }
}
