use super::super::build::{BatchBuilder, EndTxnMarker, end_txn_batch, end_txn_marker};
use super::super::record::Records;
use super::*;
use proptest::prelude::*;

type Entry = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn batch_of(entries: &[Entry], codec: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(codec).producer(7, 1, 40);
    for (timestamp, key, value) in entries {
        let header = [("trace", key.as_deref()), ("", None)];
        builder = builder.record_with_headers(*timestamp, key.as_deref(), value.as_deref(), &header);
    }
    builder.build().unwrap()
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    prop::collection::vec((any::<i64>(), bytes(), bytes()), 1..10)
}

proptest! {
    #[test]
    fn built_batches_read_back(entries in entries(), codec in prop::sample::select(&Compression::ALL[..])) {
        let bytes = batch_of(&entries, codec);
        let batch = produced_batch(&bytes).unwrap();
        prop_assert_eq!(&batch.header.to_bytes()[..], &bytes[..HEADER_LEN]);
        prop_assert_eq!(batch.header.compression(), Ok(codec));
        prop_assert_eq!(batch.header.last_sequence(), 39 + entries.len() as i32);
        let payload = batch.decompressed(1 << 20).unwrap();
        let records: Vec<_> = Records::new(&batch.header, &payload).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(records.len(), entries.len());
        for (index, (record, (timestamp, key, value))) in records.iter().zip(&entries).enumerate() {
            prop_assert_eq!(record.offset, index as i64);
            prop_assert_eq!(record.timestamp, *timestamp);
            prop_assert_eq!(record.key, key.as_deref());
            prop_assert_eq!(record.value, value.as_deref());
            let headers: Vec<_> = record.headers.iter().collect();
            prop_assert_eq!(headers, vec![(&b"trace"[..], key.as_deref()), (&b""[..], None)]);
        }
    }

    #[test]
    fn a_changed_byte_is_noticed(entries in entries(), at: prop::sample::Index, flip in 1u8..) {
        let mut bytes = batch_of(&entries, Compression::None);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        // The leader epoch is the broker's to set, so whatever a client puts there is as good as anything else.
        prop_assert!((12..16).contains(&at) || produced_batch(&bytes).is_err());
    }

    #[test]
    fn a_cut_batch_is_none(entries in entries(), at: prop::sample::Index) {
        let whole = batch_of(&entries, Compression::None);
        let bytes = [&whole[..], &whole[..at.index(whole.len())]].concat();
        let mut batches = Batches::new(&bytes);
        prop_assert!(batches.next().unwrap().is_ok());
        prop_assert!(batches.next().is_none());
        prop_assert_eq!(batches.position(), whole.len());
    }

    #[test]
    fn any_bytes_end_in_a_result(bytes in prop::collection::vec(any::<u8>(), 0..200), count: i32) {
        let _ = produced_batch(&bytes);
        let mut header = BatchHeader::parse(&batch_of(&[(0, None, None)], Compression::None)).unwrap();
        header.records_count = count;
        let read = Records::new(&header, &bytes).count();
        prop_assert!(read <= bytes.len() + 1);
    }
}

#[test]
fn old_and_unknown_formats_are_told_apart() {
    let mut bytes = batch_of(&[(0, None, None)], Compression::None);
    for (magic, code) in [
        (0, ResponseError::InvalidRecord),
        (1, ResponseError::InvalidRecord),
        (3, ResponseError::CorruptMessage),
        (255, ResponseError::CorruptMessage),
    ] {
        bytes[MAGIC_AT] = magic;
        assert_eq!(produced_batch(&bytes).unwrap_err().response_error(), code);
    }
}

#[test]
fn relations_between_fields_are_checked() {
    let good = BatchHeader::parse(&batch_of(&[(0, None, None), (1, None, None)], Compression::None)).unwrap();
    assert_eq!(good.check_from_client(), Ok(()));
    let bad: [fn(&mut BatchHeader); 7] = [
        |header| header.base_offset = 1,
        |header| header.last_offset_delta = 2,
        |header| header.last_offset_delta = -1,
        |header| header.records_count = 0,
        |header| (header.records_count, header.last_offset_delta) = (i32::MIN, i32::MAX),
        |header| header.attributes |= CONTROL_MASK,
        |header| header.base_sequence = -1,
    ];
    for change in bad {
        let mut header = good.clone();
        change(&mut header);
        let error = header.check_from_client().unwrap_err();
        assert_eq!(error.response_error(), ResponseError::InvalidRecord, "{error}");
    }
    let header = BatchHeader { attributes: 5, ..good };
    assert_eq!(header.check_from_client(), Err(BatchError::UnknownCompression(5)));
}

#[test]
fn two_batches_in_one_produce_are_refused() {
    let one = batch_of(&[(0, None, None)], Compression::None);
    let two = one.repeat(2);
    assert!(matches!(produced_batch(&two), Err(BatchError::Invalid(_))));
    assert!(matches!(produced_batch(&[]), Err(BatchError::Invalid(_))));
}

#[test]
fn stamping_keeps_the_batch_valid() {
    let mut bytes = batch_of(&[(5, None, Some(b"x".to_vec()))], Compression::None);
    stamp_log_append_time(&mut bytes, 99);
    let length = BatchHeader::parse(&bytes).unwrap().batch_length;
    bytes[..16].copy_from_slice(&stored_head(1000, length, 4));
    validate_crc(&bytes).unwrap();
    let batch = Batches::new(&bytes).next().unwrap().unwrap();
    assert_eq!(
        (batch.header.base_offset, batch.header.partition_leader_epoch),
        (1000, 4)
    );
    assert_eq!(batch.header.timestamp_type(), TimestampType::LogAppendTime);
    let record = Records::new(&batch.header, batch.payload()).next().unwrap().unwrap();
    assert_eq!((record.offset, record.timestamp), (1000, 99));
}

#[test]
fn markers_say_how_a_transaction_ended() {
    for marker in [EndTxnMarker::Abort, EndTxnMarker::Commit] {
        let bytes = end_txn_batch(12, 3, 77, 9, 2, 5, marker);
        validate_crc(&bytes).unwrap();
        let batch = Batches::new(&bytes).next().unwrap().unwrap();
        assert!(batch.header.is_control() && batch.header.is_transactional());
        assert_eq!(
            (batch.header.base_sequence, batch.header.next_offset()),
            (NO_SEQUENCE, 13)
        );
        let record = Records::new(&batch.header, batch.payload()).next().unwrap().unwrap();
        assert_eq!(end_txn_marker(record.key.unwrap()), Some(marker));
        assert_eq!(record.value, Some(&[0, 0, 0, 0, 0, 5][..]));
    }
}

#[test]
fn sequences_wrap() {
    assert_eq!(increment_sequence(i32::MAX, 1), 0);
    assert_eq!(increment_sequence(i32::MAX - 1, 3), 1);
}
