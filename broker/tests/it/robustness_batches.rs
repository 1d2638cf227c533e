//! Record batches that no broker may store: each gets Apache Kafka's error code, on a connection that stays open, and
//! nothing of it is in the log.

use kafka_protocol::error::ResponseError::{
    self, CorruptMessage, InvalidRecord, InvalidTimestamp, MessageTooLarge, UnknownServerError,
    UnsupportedCompressionType,
};
use kafka_protocol::messages::ApiKey;
use tickertape_broker::wire::batch::{BatchHeader, HEADER_LEN, reseal};
use tickertape_broker::wire::build::{BatchBuilder, seal};
use tickertape_broker::wire::compression::Compression;

use crate::support::calls::latest;
use crate::support::client::Client;

const MESSAGE_BYTES_MAX: usize = 10_000;

fn good() -> Vec<u8> {
    BatchBuilder::new()
        .record(1_000, None, Some(b"one"))
        .record(1_001, None, Some(b"two"))
        .build()
        .unwrap()
}

/// A batch whose header says something else, with the CRC that fits.
fn with_header(change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut batch = good();
    let mut header = BatchHeader::parse(&batch).unwrap();
    change(&mut header);
    batch[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    reseal(&mut batch);
    batch
}

/// A batch with one byte changed, and the CRC left as it was.
fn with_byte(at: usize, byte: u8) -> Vec<u8> {
    let mut batch = good();
    batch[at] = byte;
    batch
}

/// A batch whose records are these bytes.
fn with_records(records: &[u8]) -> Vec<u8> {
    seal(BatchHeader::parse(&good()).unwrap(), records)
}

fn bad_batches() -> Vec<(&'static str, Vec<u8>, ResponseError)> {
    let last = good().len() - 1;
    let length = good().len() as i32 - 12;
    let large = BatchBuilder::new()
        .record(1_000, None, Some(&[7; MESSAGE_BYTES_MAX]))
        .build()
        .unwrap();
    let year_3000 = BatchBuilder::new()
        .record(32_503_680_000_000, None, None)
        .build()
        .unwrap();
    vec![
        ("a changed byte", with_byte(last, 0xff), CorruptMessage),
        ("a changed CRC", with_byte(17, 0xff), CorruptMessage),
        ("message format 3", with_byte(16, 3), CorruptMessage),
        ("message format 1", with_byte(16, 1), InvalidRecord),
        ("a length below its header's", with_byte(11, 20), CorruptMessage),
        (
            "a length beyond its end",
            with_header(|header| header.batch_length = length + 1),
            InvalidRecord,
        ),
        ("a cut batch", good()[..last].to_vec(), InvalidRecord),
        ("no batch", Vec::new(), InvalidRecord),
        ("two batches", good().repeat(2), InvalidRecord),
        (
            "a base offset",
            with_header(|header| header.base_offset = 5),
            InvalidRecord,
        ),
        (
            "a count that is not its offsets'",
            with_header(|header| header.records_count = 3),
            InvalidRecord,
        ),
        (
            "a negative offset delta",
            with_header(|header| header.last_offset_delta = -1),
            InvalidRecord,
        ),
        (
            "a count of none",
            with_header(|header| header.records_count = 0),
            InvalidRecord,
        ),
        (
            "counts that agree and are not the records'",
            with_header(|header| (header.records_count, header.last_offset_delta) = (3, 2)),
            InvalidRecord,
        ),
        (
            "bytes after the records",
            with_records(&[good()[HEADER_LEN..].to_vec(), vec![0]].concat()),
            InvalidRecord,
        ),
        (
            "records that are no records",
            with_records(&[0xfe; 30]),
            UnknownServerError,
        ),
        (
            "a record longer than its batch",
            with_records(&[0x7e, 0, 0]),
            InvalidRecord,
        ),
        (
            "a control batch",
            with_header(|header| header.attributes |= 0x20),
            InvalidRecord,
        ),
        (
            "a producer without a sequence",
            with_header(|header| (header.producer_id, header.producer_epoch) = (7, 0)),
            InvalidRecord,
        ),
        ("more than max.message.bytes", large, MessageTooLarge),
        ("a timestamp a thousand years ahead", year_3000, InvalidTimestamp),
    ]
}

#[test]
fn bad_batches_get_kafkas_errors_and_leave_no_trace() {
    let broker = tickertape_broker::Broker::builder().start_blocking().unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let limit = MESSAGE_BYTES_MAX.to_string();
    let topic = client.create_topic("strict", 1, &[("max.message.bytes", &limit), ("retention.ms", "-1")]);
    let mut wrong = Vec::new();
    for (what, batch, wanted) in bad_batches() {
        let answer = client.produce(latest(ApiKey::Produce), &topic, 0, batch);
        if answer.error_code != wanted.code() {
            wrong.push(format!(
                "{what}: {wanted:?} expected, {:?} got",
                ResponseError::try_from_code(answer.error_code)
            ));
        }
        let end = client.list_offset(latest(ApiKey::ListOffsets), &topic, 0, -1);
        if end != (-1, 0) {
            wrong.push(format!("{what}: the log ends at {end:?}"));
            break;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let answer = client.produce(latest(ApiKey::Produce), &topic, 0, good());
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
}

#[test]
fn zstd_came_with_version_7_of_produce() {
    let broker = tickertape_broker::Broker::builder().start_blocking().unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("packed", 1, &[("retention.ms", "-1")]);
    let batch = BatchBuilder::new()
        .compression(Compression::Zstd)
        .record(1_000, None, None)
        .build()
        .unwrap();
    for (version, wanted) in [(6, UnsupportedCompressionType.code()), (7, 0)] {
        assert_eq!(
            client.produce(version, &topic, 0, batch.clone()).error_code,
            wanted,
            "version {version}"
        );
    }
}
