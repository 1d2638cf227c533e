//! Append and read, offsets and times, limits and refusals.

use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;

use super::*;
use crate::{
    log::{CleanupPolicy, CompressionType, ReadError, TimestampType},
    wire::{
        build::{EndTxnMarker, end_txn_batch},
        compression::Compression,
    },
};

#[test]
fn what_is_appended_is_read() {
    for world in [World::in_memory(), World::on_disk()] {
        let log = world.open(&LogConfig::default());
        assert_eq!(append_values(&log, &["a", "b"]), 0);
        assert_eq!(append_values(&log, &["c"]), 2);
        assert_eq!(append_values(&log, &["d"]), 3);
        let expected: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .enumerate()
            .map(|(n, v)| (n as i64, (*v).to_owned()))
            .collect();
        assert_eq!(all(&log), expected);
        for from in 0..4 {
            assert_eq!(
                records(&log, from, 1, Isolation::ReadUncommitted),
                expected[from as usize..]
            );
        }
        assert!(
            log.read(4, 100, true, Isolation::ReadUncommitted)
                .unwrap()
                .chunk
                .is_none()
        );
        for offset in [-1, 5] {
            let error = log.read(offset, 100, true, Isolation::ReadUncommitted).unwrap_err();
            assert!(matches!(error, ReadError::OutOfRange { .. }), "{error}");
        }
    }
}

#[test]
fn the_bytes_are_the_producers_own_but_for_offset_and_epoch() {
    let log = World::in_memory().open(&LogConfig::default());
    append_values(&log, &["first"]);
    let sent = batch(NOW, &["x", "y"]);
    log.append(&sent, Origin::Client, 6, NOW).unwrap();
    let chunk = log
        .read(1, 1 << 20, true, Isolation::ReadUncommitted)
        .unwrap()
        .chunk
        .unwrap();
    let stored = chunk.read().unwrap();
    assert_eq!(stored[..8], 1i64.to_be_bytes());
    assert_eq!(stored[12..16], 6i32.to_be_bytes());
    assert_eq!(stored[16..], sent[16..]);
    assert_eq!(stored[8..12], sent[8..12]);
}

#[test]
fn small_batches_are_found_between_index_entries_and_across_segments() {
    let world = World::in_memory();
    let config = LogConfig {
        segment_bytes: 10_000,
        index_interval_bytes: 500,
        ..LogConfig::default()
    };
    let log = world.open(&config);
    let mut expected = Vec::new();
    for n in 0..600 {
        let value = format!("value {n} {}", "x".repeat(n % 40));
        expected.push((append_values(&log, &[&value]), value));
        if n == 400 {
            // From here on, the index of what has been sealed is in the store.
            log.checkpoint(NOW).unwrap();
        }
    }
    assert!(log.segments().len() > 3);
    for pass in 0..2 {
        for max_bytes in [1, 300, 4_000, 1 << 20] {
            assert_eq!(
                records(&log, 0, max_bytes, Isolation::ReadUncommitted),
                expected,
                "{max_bytes} {pass}"
            );
        }
        for from in (0..600).step_by(7) {
            let chunk = log
                .read(from, 700, true, Isolation::ReadUncommitted)
                .unwrap()
                .chunk
                .unwrap();
            assert!(chunk.len <= 700);
            assert_eq!(chunk.read().unwrap()[..8], from.to_be_bytes());
        }
        log.checkpoint(NOW).unwrap();
    }
}

#[test]
fn a_first_batch_over_the_limit_is_given_only_where_one_is_due() {
    let log = World::in_memory().open(&LogConfig::default());
    append_values(&log, &["a long enough value"]);
    assert!(
        log.read(0, 10, false, Isolation::ReadUncommitted)
            .unwrap()
            .chunk
            .is_none()
    );
    assert!(
        log.read(0, 10, true, Isolation::ReadUncommitted)
            .unwrap()
            .chunk
            .is_some()
    );
}

#[test]
fn records_are_found_by_time() {
    let world = World::in_memory();
    let config = LogConfig {
        segment_bytes: 2_000,
        index_interval_bytes: 200,
        ..LogConfig::default()
    };
    let log = world.open(&config);
    for n in 0..200 {
        append(&log, &batch(1_000 + n * 10, &["a", "b"])).unwrap();
    }
    for pass in 0..2 {
        for n in 0..200 {
            let found = log.offset_for_time(1_000 + n * 10 - 3).unwrap().unwrap();
            assert_eq!((found.offset, found.timestamp_ms), (n * 2, 1_000 + n * 10), "{pass}");
        }
        assert_eq!(log.offset_for_time(5_000).unwrap(), None);
        let latest = log.max_timestamp().unwrap().unwrap();
        assert_eq!(
            (latest.offset, latest.timestamp_ms, latest.leader_epoch),
            (398, 2_990, 0)
        );
        // Once more, with the index in the store.
        log.checkpoint(NOW).unwrap();
    }
    log.delete_records(51).unwrap();
    assert_eq!(log.offset_for_time(0).unwrap().unwrap().offset, 51);
}

#[test]
fn an_empty_log_has_no_times() {
    let log = World::in_memory().open(&LogConfig::default());
    assert_eq!(log.offset_for_time(0).unwrap(), None);
    assert_eq!(log.max_timestamp().unwrap(), None);
    assert_eq!(log.end_offset_for_epoch(0), (-1, -1));
}

#[test]
fn bad_batches_get_kafkas_codes() {
    let config = LogConfig {
        max_message_bytes: 1_000,
        ..LogConfig::default()
    };
    let log = World::in_memory().open(&config);
    let good = batch(NOW, &["a", "b"]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let resealed = |at: usize, byte: u8| {
        let mut bytes = with(at, byte);
        crate::wire::batch::reseal(&mut bytes);
        bytes
    };
    let cases = [
        ("a wrong CRC", with(18, good[18] ^ 1), ResponseError::CorruptMessage),
        ("a changed record", with(65, 9), ResponseError::CorruptMessage),
        ("a base offset", with(7, 1), ResponseError::InvalidRecord),
        (
            "a count that is not the offsets'",
            resealed(60, 3),
            ResponseError::InvalidRecord,
        ),
        ("a control batch", resealed(22, 0x20), ResponseError::InvalidRecord),
        ("nothing", Vec::new(), ResponseError::InvalidRecord),
        (
            "two batches",
            [good.clone(), good.clone()].concat(),
            ResponseError::InvalidRecord,
        ),
        (
            "too large",
            batch(NOW, &[&"x".repeat(1_000)]),
            ResponseError::MessageTooLarge,
        ),
        (
            "too new",
            batch(NOW + 3_600_001, &["a"]),
            ResponseError::InvalidTimestamp,
        ),
        ("no sequence", sequenced(5, 0, -1, &["a"]), ResponseError::InvalidRecord),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(code(&append(&log, &bytes).unwrap_err()), expected, "{name}");
    }
    let mut count_of_three = sequenced(-1, -1, -1, &["a", "b"]);
    (count_of_three[26], count_of_three[60]) = (2, 3);
    crate::wire::batch::reseal(&mut count_of_three);
    assert_eq!(
        code(&append(&log, &count_of_three).unwrap_err()),
        ResponseError::InvalidRecord
    );
    assert_eq!(log.offsets().log_end_offset, 0);
    append(&log, &good).unwrap();
}

#[test]
fn old_timestamps_are_refused_where_the_topic_says_so() {
    let config = LogConfig {
        message_timestamp_before_max_ms: 1_000,
        ..LogConfig::default()
    };
    let log = World::in_memory().open(&config);
    append(&log, &batch(NOW - 1_000, &["a"])).unwrap();
    assert_eq!(
        code(&append(&log, &batch(NOW - 1_001, &["a"])).unwrap_err()),
        ResponseError::InvalidTimestamp
    );
}

#[test]
fn log_append_time_overwrites_the_producers() {
    let config = LogConfig {
        message_timestamp_type: TimestampType::LogAppendTime,
        ..LogConfig::default()
    };
    let log = World::in_memory().open(&config);
    assert_eq!(append(&log, &batch(5, &["a", "b"])).unwrap().log_append_time_ms, NOW);
    assert_eq!(all(&log).len(), 2, "the CRC was made anew");
    assert_eq!(log.offset_for_time(NOW).unwrap().unwrap().offset, 0);
    assert_eq!(log.max_timestamp().unwrap().unwrap().timestamp_ms, NOW);
}

#[test]
fn compression_type_recompresses() {
    let value = "again and ".repeat(100);
    let kinds = [
        (CompressionType::Zstd, Compression::Zstd),
        (CompressionType::Lz4, Compression::Lz4),
        (CompressionType::Snappy, Compression::Snappy),
        (CompressionType::Gzip, Compression::Gzip),
        (CompressionType::Uncompressed, Compression::None),
    ];
    for (compression_type, codec) in kinds {
        let log = World::in_memory().open(&LogConfig {
            compression_type,
            ..LogConfig::default()
        });
        let sent = BatchBuilder::new()
            .compression(Compression::Gzip)
            .record(NOW, None, Some(value.as_bytes()));
        append(&log, &sent.build().unwrap()).unwrap();
        append_values(&log, &[&value]);
        assert_eq!(all(&log), [(0, value.clone()), (1, value.clone())]);
        let bytes = log
            .read(0, 1 << 20, true, Isolation::ReadUncommitted)
            .unwrap()
            .chunk
            .unwrap()
            .read()
            .unwrap();
        assert!(Batches::new(&bytes).all(|batch| batch.unwrap().header.compression() == Ok(codec)));
    }
    let config = LogConfig {
        compression_type: CompressionType::Zstd,
        decompressed_bytes_max: 500,
        ..LogConfig::default()
    };
    let log = World::in_memory().open(&config);
    let bomb = BatchBuilder::new()
        .compression(Compression::Gzip)
        .record(NOW, None, Some(value.as_bytes()));
    assert_eq!(
        code(&append(&log, &bomb.build().unwrap()).unwrap_err()),
        ResponseError::InvalidRecord
    );
}

#[test]
fn a_compacted_topic_wants_keys() {
    let cleanup_policy = CleanupPolicy {
        delete: false,
        compact: true,
    };
    let log = World::in_memory().open(&LogConfig {
        cleanup_policy,
        ..LogConfig::default()
    });
    assert_eq!(
        code(&append(&log, &batch(NOW, &["a"])).unwrap_err()),
        ResponseError::InvalidRecord
    );
    append(
        &log,
        &BatchBuilder::new().record(NOW, Some(b"k"), Some(b"v")).build().unwrap(),
    )
    .unwrap();
}

#[test]
fn sequences_are_checked_and_duplicates_answered() {
    let log = World::in_memory().open(&LogConfig::default());
    append_values(&log, &["before"]);
    // An unknown producer may start anywhere.
    assert_eq!(append(&log, &sequenced(9, 0, 40, &["a", "b"])).unwrap().base_offset, 1);
    for n in 0..5 {
        append(&log, &sequenced(9, 0, 42 + n, &["c"])).unwrap();
    }
    let repeated = append(&log, &sequenced(9, 0, 43, &["c"])).unwrap();
    assert!(repeated.duplicate);
    assert_eq!((repeated.base_offset, repeated.last_offset), (4, 4));
    // The batch before the last five is forgotten.
    let refused = [
        (0, 40, vec!["a", "b"]),
        (0, 48, vec!["gap"]),
        (0, 46, vec!["c", "more"]),
        (1, 7, vec!["new epoch"]),
    ];
    for (epoch, sequence, values) in refused {
        let error = append(&log, &sequenced(9, epoch, sequence, &values)).unwrap_err();
        assert_eq!(code(&error), ResponseError::OutOfOrderSequenceNumber, "{error}");
    }
    assert!(!append(&log, &sequenced(9, 1, 0, &["new epoch"])).unwrap().duplicate);
    let error = append(&log, &sequenced(9, 0, 47, &["old epoch"])).unwrap_err();
    assert_eq!(code(&error), ResponseError::InvalidProducerEpoch);
    // Sequences wrap.
    append(&log, &sequenced(10, 0, i32::MAX, &["last"])).unwrap();
    append(&log, &sequenced(10, 0, 0, &["first again"])).unwrap();
}

#[test]
fn open_and_aborted_transactions_bound_what_committed_readers_see() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    append_values(&log, &["plain"]);
    let transactional = |id: i64, sequence: i32, value: &str| {
        BatchBuilder::new()
            .producer(id, 0, sequence)
            .transactional()
            .record(NOW, None, Some(value.as_bytes()))
            .build()
    };
    let marker = |id: i64, how| end_txn_batch(0, 0, NOW, id, 0, 3, how);
    append(&log, &transactional(1, 0, "one").unwrap()).unwrap();
    append(&log, &transactional(2, 0, "two").unwrap()).unwrap();
    append_values(&log, &["after"]);
    assert_eq!(log.offsets().last_stable_offset, 1);
    assert_eq!(records(&log, 0, 1 << 20, Isolation::ReadCommitted).len(), 1);
    log.append(&marker(1, EndTxnMarker::Abort), Origin::Coordinator, 0, NOW)
        .unwrap();
    assert_eq!(log.offsets().last_stable_offset, 2);
    let error = log.append(
        &end_txn_batch(0, 0, NOW, 1, 0, 2, EndTxnMarker::Abort),
        Origin::Coordinator,
        0,
        NOW,
    );
    assert_eq!(code(&error.unwrap_err()), ResponseError::TransactionCoordinatorFenced);
    log.append(&marker(2, EndTxnMarker::Commit), Origin::Coordinator, 0, NOW)
        .unwrap();
    assert_eq!(log.offsets().last_stable_offset, 6);
    for _ in 0..2 {
        let log = world.open(&LogConfig::default());
        let aborted = log.read(0, 1 << 20, true, Isolation::ReadCommitted).unwrap().aborted;
        assert_eq!(
            aborted
                .iter()
                .map(|a| (a.producer_id, a.first_offset))
                .collect::<Vec<_>>(),
            [(1, 1)]
        );
        assert_eq!(log.offsets().last_stable_offset, 6);
        log.close().unwrap();
    }
}

#[test]
fn epochs_are_kept() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    for epoch in [0, 0, 2, 5] {
        log.append(&batch(NOW, &["a"]), Origin::Client, epoch, NOW).unwrap();
    }
    log.close().unwrap();
    let log = world.open(&LogConfig::default());
    assert_eq!(log.latest_epoch(), 5);
    assert_eq!(log.end_offset_for_epoch(1), (0, 2));
    assert_eq!(log.end_offset_for_epoch(5), (5, 4));
}

#[tokio::test]
async fn a_waiter_is_woken_by_an_append() {
    let log = World::in_memory().open(&LogConfig::default());
    let notify = Arc::new(Notify::new());
    let _registration = log.waiters().register(&notify);
    append_values(&log, &["a"]);
    notify.notified().await;
}
