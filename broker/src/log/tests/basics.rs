//! Append and read, offsets and times, limits and refusals.

use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;

use super::*;
use crate::{
    log::{CleanupPolicy, CompressionType, ReadError, TimestampType, disk::memory::Call},
    wire::{
        build::{EndTxnMarker, end_txn_batch},
        compression::Compression,
    },
};

fn code(error: &AppendError) -> ResponseError {
    error.response_error()
}

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

#[test]
fn segments_roll_by_size_and_time() {
    let config = LogConfig {
        segment_bytes: 300,
        segment_ms: 1_000,
        ..LogConfig::default()
    };
    let log = World::in_memory().open(&config);
    for _ in 0..4 {
        append_values(&log, &[&"x".repeat(60)]);
    }
    assert_eq!(log.segments(), [0, 2]);
    append(&log, &batch(NOW + 1_001, &["later"])).unwrap();
    assert_eq!(log.segments(), [0, 2, 4]);
    assert_eq!(all(&log).len(), 5);
}

#[test]
fn jitter_makes_segments_roll_at_different_times_and_never_later() {
    let config = LogConfig {
        segment_ms: 1_000,
        segment_jitter_ms: 400,
        ..LogConfig::default()
    };
    let world = World::in_memory();
    let dir = world.dir();
    let mut ages = std::collections::BTreeSet::new();
    for partition in 0..40 {
        let log = world.open_partition(&dir, partition, &config);
        append(&log, &batch(NOW, &["first"])).unwrap();
        let age = (1..=1_001).find(|age| {
            append(&log, &batch(NOW + age, &["later"])).unwrap();
            log.segments().len() > 1
        });
        ages.insert(age.expect("no later than without jitter"));
    }
    assert!(ages.iter().all(|age| (601..=1_001).contains(age)), "{ages:?}");
    assert!(ages.len() > 20, "{ages:?}");
    let all_of_it = LogConfig {
        segment_jitter_ms: i64::MAX,
        ..config
    };
    let log = World::in_memory().open(&all_of_it);
    append(&log, &batch(NOW, &["first"])).unwrap();
    append(&log, &batch(NOW, &["at once"])).unwrap();
    assert_eq!(log.segments(), [0], "never by all of segment.ms");
}

#[tokio::test]
async fn a_waiter_is_woken_by_an_append() {
    let log = World::in_memory().open(&LogConfig::default());
    let notify = Arc::new(Notify::new());
    let _registration = log.waiters().register(&notify);
    append_values(&log, &["a"]);
    notify.notified().await;
}

#[tokio::test]
async fn with_flush_messages_1_an_append_waits_for_its_sync() {
    for world in [World::in_memory(), World::on_disk()] {
        let log = world.open(&LogConfig {
            flush_messages: 1,
            ..LogConfig::default()
        });
        let appended = append(&log, &batch(NOW, &["a", "b"])).unwrap();
        assert!(appended.needs_sync);
        let (first, second) = tokio::join!(log.synced(2), log.synced(1));
        first.unwrap();
        second.unwrap();
        assert_eq!(log.synced_offset(), 2);
    }
    let log = World::in_memory().open(&LogConfig::default());
    assert!(!append(&log, &batch(NOW, &["a"])).unwrap().needs_sync);
}

#[tokio::test]
async fn one_sync_serves_all_who_wait_and_none_is_answered_before() {
    const WAITING: usize = 50;
    let world = World::in_memory();
    let disk = world.memory.clone().unwrap();
    let log = world.open(&LogConfig {
        flush_messages: 1,
        ..LogConfig::default()
    });
    append_values(&log, &["first"]);
    disk.permit_syncs(Some(0));
    let mut first = std::pin::pin!(log.synced(1));
    assert!(futures::poll!(&mut first).is_pending());
    assert!(
        disk.wait_for_held_sync(std::time::Duration::from_secs(30)),
        "no sync came"
    );
    let before = disk.syncs();
    // All of these come while a sync runs that may not see them.
    let mut others: Vec<_> = (0..WAITING)
        .map(|_| {
            let appended = append(&log, &batch(NOW, &["other"])).unwrap();
            assert!(appended.needs_sync);
            Box::pin(log.synced(appended.last_offset + 1))
        })
        .collect();
    for other in &mut others {
        assert!(futures::poll!(other).is_pending());
    }
    assert!(futures::poll!(&mut first).is_pending());
    assert_eq!((disk.syncs(), log.synced_offset()), (before, 0));
    disk.permit_syncs(Some(1));
    first.await.unwrap();
    for other in &mut others {
        assert!(futures::poll!(other).is_pending(), "that sync began before");
    }
    disk.permit_syncs(None);
    for other in others {
        other.await.unwrap();
    }
    let syncs = disk.syncs() - before;
    assert!((2..=3).contains(&syncs), "{syncs} syncs for {WAITING} who waited");
    disk.power_loss(0);
    world.store.crash(0);
    assert_eq!(all(&world.open(&LogConfig::default())).len(), WAITING + 1);
}

#[test]
fn names_are_as_durable_as_what_is_in_the_files() {
    // A power loss keeps what was synced, and of the rest what the seed says: with some of them nothing.
    for seed in 0..40 {
        let world = World::in_memory();
        let log = world.open(&LogConfig {
            segment_bytes: 300,
            ..LogConfig::default()
        });
        for _ in 0..10 {
            append_values(&log, &[&"x".repeat(60)]);
        }
        assert!(log.segments().len() > 4);
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(log.synced(10))
            .unwrap();
        drop(log);
        world.memory.clone().unwrap().power_loss(seed);
        world.store.crash(0);
        assert_eq!(all(&world.open(&LogConfig::default())).len(), 10, "seed {seed}");
    }
}

#[tokio::test]
async fn a_failed_sync_takes_that_log_offline_and_is_not_repeated() {
    let world = World::in_memory();
    let dir = world.dir();
    let config = LogConfig {
        flush_messages: 1,
        ..LogConfig::default()
    };
    let (log, other) = (
        world.open_partition(&dir, 0, &config),
        world.open_partition(&dir, 1, &config),
    );
    append(&log, &batch(NOW, &["a"])).unwrap();
    world
        .memory
        .clone()
        .unwrap()
        .fail(Call::Sync, 0, std::io::ErrorKind::Other);
    assert_eq!(
        code(&log.synced(1).await.unwrap_err()),
        ResponseError::KafkaStorageError
    );
    assert_eq!(
        code(&append(&log, &batch(NOW, &["b"])).unwrap_err()),
        ResponseError::KafkaStorageError
    );
    assert!(log.synced(1).await.is_err());
    assert_eq!(all(&log).len(), 1, "reads go on");
    append(&other, &batch(NOW, &["c"])).unwrap();
    other.synced(1).await.unwrap();
}

#[test]
fn a_failed_write_takes_the_log_offline() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    append_values(&log, &["a"]);
    world
        .memory
        .clone()
        .unwrap()
        .fail(Call::Write, 0, std::io::ErrorKind::Other);
    assert_eq!(
        code(&append(&log, &batch(NOW, &["b"])).unwrap_err()),
        ResponseError::KafkaStorageError
    );
    assert!(log.offline_reason().is_some());
    drop(log);
    let log = world.open(&LogConfig::default());
    assert_eq!(all(&log), [(0, "a".to_owned())]);
}

#[test]
fn a_full_disk_shows_nothing_partial_and_passes() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    append_values(&log, &["a"]);
    let disk = world.memory.clone().unwrap();
    disk.set_free_bytes(Some(30));
    let error = append(&log, &batch(NOW, &["b"])).unwrap_err();
    assert!(matches!(error, AppendError::DiskFull));
    assert_eq!(code(&error), ResponseError::KafkaStorageError);
    assert_eq!(all(&log).len(), 1);
    disk.set_free_bytes(None);
    append_values(&log, &["c"]);
    drop(log);
    let log = world.open(&LogConfig::default());
    assert_eq!(all(&log), [(0, "a".to_owned()), (1, "c".to_owned())]);
}

#[test]
fn open_files_are_bounded() {
    let world = World {
        open_files_max: 8,
        ..World::on_disk()
    };
    let dir = world.dir();
    let logs: Vec<_> = (0..40)
        .map(|n| world.open_partition(&dir, n, &LogConfig::default()))
        .collect();
    for round in 0..3 {
        for log in &logs {
            append_values(log, &[&format!("{round}")]);
        }
        assert!(dir.open_files() <= 9, "{}", dir.open_files());
    }
    assert!(logs.iter().all(|log| all(log).len() == 3));
}

#[test]
fn old_segments_go_and_readers_are_not_disturbed() {
    for world in [World::in_memory(), World::on_disk()] {
        let config = LogConfig {
            segment_bytes: 300,
            retention_ms: 100,
            file_delete_delay_ms: 50,
            ..LogConfig::default()
        };
        let dir = world.dir();
        let log = world.open_partition(&dir, 0, &config);
        for n in 0..6 {
            append(&log, &batch(NOW + n, &[&"x".repeat(60)])).unwrap();
        }
        log.checkpoint(NOW).unwrap();
        let held = log
            .read(0, 1 << 20, true, Isolation::ReadUncommitted)
            .unwrap()
            .chunk
            .unwrap();
        let before = held.read().unwrap();
        assert_eq!(log.retain(NOW + 102).unwrap(), 1);
        assert_eq!(log.offsets().log_start_offset, 2);
        assert_eq!(
            log.retain(NOW + 200).unwrap(),
            2,
            "the last one goes too, and another begins"
        );
        assert_eq!((log.segments(), log.offsets().log_start_offset), (vec![6], 6));
        dir.delete_due(NOW + 100_000);
        assert_eq!(dir.doomed(), 0);
        assert!(world.disk.size_of(&world.segment_path(0)).is_err());
        assert_eq!(held.read().unwrap(), before);
        append_values(&log, &["go on"]);
        drop(log);
        let log = world.open(&config);
        assert_eq!(all(&log), [(6, "go on".to_owned())]);
    }
}

#[test]
fn the_log_start_offset_is_kept() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    append_values(&log, &["a", "b", "c", "d"]);
    assert_eq!(log.delete_records(3).unwrap(), 3);
    assert_eq!(log.delete_records(1).unwrap(), 3, "it never goes back");
    assert!(matches!(
        log.delete_records(5).unwrap_err(),
        ReadError::OutOfRange { .. }
    ));
    drop(log);
    let log = world.open(&LogConfig::default());
    assert_eq!(all(&log), [(3, "d".to_owned())]);
    assert_eq!(log.delete_records(-1).unwrap(), 4);
    drop(log);
    assert_eq!(world.open(&LogConfig::default()).offsets().log_start_offset, 4);
}

#[test]
fn a_removed_log_goes_with_its_directory() {
    let world = World::on_disk();
    let dir = world.dir();
    let log = world.open_partition(&dir, 0, &LogConfig::default());
    append_values(&log, &["a"]);
    let held = log
        .read(0, 100, true, Isolation::ReadUncommitted)
        .unwrap()
        .chunk
        .unwrap();
    log.remove(NOW).unwrap();
    assert!(!world.path.join("prices-0").exists());
    assert!(append(&log, &batch(NOW, &["b"])).is_err());
    assert!(log.read(0, 100, true, Isolation::ReadUncommitted).is_err());
    let again = world.open_partition(&dir, 0, &LogConfig::default());
    assert_eq!(again.offsets().log_end_offset, 0);
    dir.delete_due(i64::MAX);
    assert!(held.read().is_ok());
    assert_eq!(std::fs::read_dir(&world.path).unwrap().count(), 1);
    assert_eq!(
        world.store.tree("log").unwrap().len(),
        2,
        "only the new log's checkpoint and segment"
    );
}

#[test]
fn a_directory_of_another_topic_is_put_aside() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    append_values(&log, &["a"]);
    let config = Arc::new(LogConfig::default());
    let other = PartitionLog::open(&world.dir(), TOPIC, Uuid::from_u128(8), 0, config, NOW).unwrap();
    assert_eq!(other.offsets().log_end_offset, 0);
    let entries = world.disk.list(&world.path).unwrap();
    assert!(
        entries.iter().any(|entry| entry.name.ends_with("-stray")),
        "{entries:?}"
    );
}
