//! Record batches that no broker may store: each gets Apache Kafka's error code, on a connection that stays open, and
//! nothing of it is in the log.

use kafka_protocol::error::ResponseError::{
    self, CorruptMessage, InvalidProducerEpoch, InvalidRecord, InvalidTimestamp, MessageTooLarge,
    OutOfOrderSequenceNumber, UnknownServerError, UnsupportedCompressionType,
};
use kafka_protocol::messages::ApiKey;
use tickertape_broker::wire::batch::{BatchHeader, HEADER_LEN, reseal};
use tickertape_broker::wire::build::{BatchBuilder, seal};
use tickertape_broker::wire::compression::{Compression, compress};
use tickertape_broker::wire::varint;

use crate::support::calls::latest;
use crate::support::client::Client;
use crate::support::process::Process;

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
        ("message format 0", with_byte(16, 0), InvalidRecord),
        (
            "a codec that does not exist",
            with_header(|header| header.attributes = 6),
            UnknownServerError,
        ),
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

const MIB: usize = 1024 * 1024;

/// One record whose value is so many zeros, compressed a MiB at a time, as no honest client would.
fn bomb(codec: Compression, expanded_mib: usize) -> Vec<u8> {
    let value_len = (expanded_mib - 1) * MIB;
    let mut head = vec![0, 0, 0];
    varint::write_i32(-1, &mut head);
    varint::write_i32(value_len as i32, &mut head);
    let mut first = Vec::new();
    varint::write_i32((head.len() + value_len + 1) as i32, &mut first);
    first.extend(head);
    first.resize(first.len() + MIB, 0);
    let mut payload = compress(codec, &first).unwrap();
    let zeros = compress(codec, &vec![0; MIB]).unwrap();
    for _ in 1..expanded_mib - 1 {
        payload.extend_from_slice(&zeros);
    }
    // No headers.
    payload.extend(compress(codec, &[0]).unwrap());
    let mut header = BatchHeader::parse(&good()).unwrap();
    header.attributes = i16::from(codec.id());
    (header.records_count, header.last_offset_delta) = (1, 0);
    seal(header, &payload)
}

#[test]
fn bombs_do_not_go_off() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Process::start(directory.path(), &[("num.partitions", "1")]);
    let mut client = broker.connect();
    let topic = client.create_topic("bombs", 1, &[("max.message.bytes", "33554432"), ("retention.ms", "-1")]);
    // What a message of that size takes in any case.
    let plain = BatchBuilder::new()
        .record(1_000, None, Some(&vec![7; 16 * MIB]))
        .build()
        .unwrap();
    let mut end = 0;
    for _ in 0..3 {
        assert_eq!(
            client
                .produce(latest(ApiKey::Produce), &topic, 0, plain.clone())
                .error_code,
            0
        );
        end += 1;
    }
    let (_, before) = broker.memory();
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        // Ours stops at 256 MiB. Beyond the end of a frame, lz4's reader sees nothing.
        let small = client.produce(latest(ApiKey::Produce), &topic, 0, bomb(codec, 200));
        let large = client.produce(latest(ApiKey::Produce), &topic, 0, bomb(codec, 300));
        let small_code = if codec == Compression::Lz4 {
            InvalidRecord.code()
        } else {
            0
        };
        assert_eq!(
            (small.error_code, large.error_code),
            (small_code, InvalidRecord.code()),
            "{codec:?}"
        );
        end += i64::from(small.error_code == 0);
    }
    let (_, after) = broker.memory();
    assert!(
        after < before + 48 * MIB,
        "{before} bytes at most before, {after} after"
    );
    assert_eq!(
        client.list_offset(latest(ApiKey::ListOffsets), &topic, 0, -1),
        (-1, end)
    );
}

#[test]
fn sequences_and_epochs_that_do_not_follow_keep_the_connection() {
    let broker = tickertape_broker::Broker::builder().start_blocking().unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("sequenced", 1, &[("retention.ms", "-1")]);
    let (id, epoch) = client.init_producer_id(latest(ApiKey::InitProducerId));
    let mut send = |epoch: i16, sequence: i32| {
        let batch = BatchBuilder::new()
            .producer(id, epoch, sequence)
            .record(1_000, None, None);
        let answer = client.produce(latest(ApiKey::Produce), &topic, 0, batch.build().unwrap());
        (answer.error_code, answer.base_offset)
    };
    assert_eq!(send(epoch, 0), (0, 0));
    assert_eq!(send(epoch, 1), (0, 1));
    assert_eq!(send(epoch, 3), (OutOfOrderSequenceNumber.code(), -1), "a gap");
    assert_eq!(send(epoch, 0), (0, 0), "a duplicate has its first offset");
    assert_eq!(
        send(epoch + 1, 5),
        (OutOfOrderSequenceNumber.code(), -1),
        "a new epoch begins at 0"
    );
    assert_eq!(send(epoch + 1, 0), (0, 2));
    assert_eq!(
        send(epoch, 2),
        (InvalidProducerEpoch.code(), -1),
        "an epoch that has passed"
    );
    assert_eq!(send(epoch + 1, 1), (0, 3));
}
