//! Compaction: what stays, what goes, what readers and crashes see of it.

use std::collections::HashMap;

use super::*;
use crate::{
    log::{CleanupPolicy, Compacted, Pace, disk::memory::Call},
    wire::{
        batch::Batch,
        build::{EndTxnMarker, end_txn_batch},
        compression::Compression,
    },
};

const MEMORY: usize = 1 << 20;

fn config() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy {
            delete: false,
            compact: true,
        },
        segment_bytes: 1_000,
        index_interval_bytes: 100,
        delete_retention_ms: 1_000,
        min_cleanable_dirty_ratio: 0.01,
        ..LogConfig::default()
    }
}

fn keyed(key: &str, value: Option<&str>) -> Vec<u8> {
    let record = BatchBuilder::new().record(NOW, Some(key.as_bytes()), value.map(str::as_bytes));
    record.build().unwrap()
}

/// All records: offset, key, value; and the whole batches' ranges.
fn contents(log: &PartitionLog) -> Vec<(i64, String, Option<String>)> {
    let mut found = Vec::new();
    each_batch(log, |batch| {
        let plain = batch.decompressed(1 << 20).unwrap();
        for record in Records::new(&batch.header, &plain) {
            let record = record.unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            if !batch.header.is_control() {
                found.push((record.offset, text(record.key.unwrap()), record.value.map(text)));
            }
        }
    });
    found
}

fn each_batch(log: &PartitionLog, mut visit: impl FnMut(&Batch<'_>)) {
    let mut offset = log.offsets().log_start_offset;
    while let Some(chunk) = log
        .read(offset, 1 << 20, true, Isolation::ReadUncommitted)
        .unwrap()
        .chunk
    {
        let bytes = chunk.read().unwrap();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.validate_crc().unwrap();
            visit(&batch);
            offset = batch.header.next_offset();
        }
    }
    assert_eq!(offset, log.offsets().log_end_offset, "the offsets reach to the end");
}

fn fill(log: &PartitionLog, rounds: usize) -> HashMap<String, (i64, String)> {
    let mut latest = HashMap::new();
    for n in 0..rounds {
        for key in 0..7 {
            let (key, value) = (format!("key {key}"), format!("value {n}"));
            let offset = append(log, &keyed(&key, Some(&value))).unwrap().base_offset;
            latest.insert(key, (offset, value));
        }
    }
    latest
}

fn compact(log: &PartitionLog, now_ms: i64) -> Option<Compacted> {
    log.compact(now_ms, MEMORY).unwrap()
}

#[test]
fn the_last_of_each_key_stays_at_its_offset() {
    for world in [World::in_memory(), World::on_disk()] {
        let log = world.open(&config());
        let latest = fill(&log, 20);
        log.roll(NOW).unwrap();
        let held = log
            .read(0, 1 << 20, true, Isolation::ReadUncommitted)
            .unwrap()
            .chunk
            .unwrap();
        let before = held.read().unwrap();
        let compacted = compact(&log, NOW).unwrap();
        assert_eq!(compacted.clean_up_to, 140);
        assert!(compacted.bytes_after < compacted.bytes_before / 5);
        let check = |log: &PartitionLog| {
            let found = contents(log);
            assert_eq!(found.len(), 7);
            for (offset, key, value) in found {
                assert_eq!(latest[&key], (offset, value.unwrap()));
            }
            assert_eq!(log.offsets().log_start_offset, 0);
            for offset in 0..140 {
                // Between what is left, a reader gets what comes next.
                let read = log.read(offset, 1, true, Isolation::ReadUncommitted).unwrap();
                assert!(read.chunk.is_some(), "{offset}");
            }
        };
        check(&log);
        assert_eq!(held.read().unwrap(), before, "who was reading is not disturbed");
        assert_eq!(compact(&log, NOW), None, "nothing is dirty any more");
        drop(log);
        let log = world.open(&config());
        check(&log);
        log.close().unwrap();
        check(&world.open(&config()));
        // From the files alone.
        check(
            &World {
                store: Store::in_memory(),
                ..world.clone()
            }
            .open(&config()),
        );
    }
}

#[test]
fn a_second_pass_takes_the_first_ones_survivors() {
    let log = World::in_memory().open(&config());
    fill(&log, 10);
    log.roll(NOW).unwrap();
    compact(&log, NOW).unwrap();
    let latest = fill(&log, 10);
    log.roll(NOW).unwrap();
    compact(&log, NOW).unwrap();
    let found: HashMap<_, _> = contents(&log)
        .into_iter()
        .map(|(offset, key, value)| (key, (offset, value.unwrap())))
        .collect();
    assert_eq!(found, latest);
}

#[test]
fn tombstones_stay_for_delete_retention_and_then_go() {
    let log = World::in_memory().open(&config());
    append(&log, &keyed("k", Some("v"))).unwrap();
    append(&log, &keyed("k", None)).unwrap();
    append(&log, &keyed("other", Some("v"))).unwrap();
    log.roll(NOW).unwrap();
    compact(&log, NOW).unwrap();
    let (tombstone, other) = ((1, "k".to_owned(), None), (2, "other".to_owned(), Some("v".to_owned())));
    assert_eq!(contents(&log), [tombstone.clone(), other.clone()]);
    assert_eq!(
        log.offset_for_time(NOW).unwrap().unwrap().timestamp_ms,
        NOW,
        "its timestamp is as it was"
    );
    for (now_ms, expected) in [(NOW + 999, vec![tombstone, other.clone()]), (NOW + 1_000, vec![other])] {
        append(&log, &keyed("dirt", Some("v"))).unwrap();
        log.roll(now_ms).unwrap();
        compact(&log, now_ms).unwrap();
        let mut found = contents(&log);
        found.retain(|(_, key, _)| key != "dirt");
        assert_eq!(found, expected, "{}", now_ms - NOW);
    }
}

#[test]
fn parts_of_compressed_batches_stay_compressed() {
    let log = World::in_memory().open(&config());
    let mut builder = BatchBuilder::new().compression(Compression::Zstd);
    for (n, key) in ["a", "b", "a", "c"].iter().enumerate() {
        builder = builder.record(NOW + n as i64, Some(key.as_bytes()), Some(format!("{n}").as_bytes()));
    }
    append(&log, &builder.build().unwrap()).unwrap();
    log.roll(NOW).unwrap();
    compact(&log, NOW).unwrap();
    let expected: Vec<_> = [(1, "b"), (2, "a"), (3, "c")]
        .map(|(n, key)| (n, key.to_owned(), Some(n.to_string())))
        .to_vec();
    assert_eq!(contents(&log), expected);
    each_batch(&log, |batch| {
        assert_eq!(batch.header.compression(), Ok(Compression::Zstd));
        assert_eq!((batch.header.base_offset, batch.header.last_offset()), (0, 3));
    });
}

#[test]
fn the_last_batch_of_a_producer_stays_even_without_records() {
    let world = World::in_memory();
    let log = world.open(&config());
    let from = |sequence| {
        BatchBuilder::new()
            .producer(4, 0, sequence)
            .record(NOW, Some(b"k"), Some(b"v"))
            .build()
    };
    append(&log, &from(0).unwrap()).unwrap();
    append(&log, &from(1).unwrap()).unwrap();
    append(&log, &keyed("k", Some("later"))).unwrap();
    append(&log, &keyed("x", Some("y"))).unwrap();
    log.roll(NOW).unwrap();
    compact(&log, NOW).unwrap();
    assert_eq!(contents(&log).len(), 2);
    let anew = World {
        store: Store::in_memory(),
        ..world
    };
    let log = anew.open(&config());
    assert!(append(&log, &from(1).unwrap()).unwrap().duplicate);
    assert_eq!(append(&log, &from(2).unwrap()).unwrap().base_offset, 4);
}

#[test]
fn aborted_records_go_and_their_marker_follows() {
    let (world, config) = (
        World::in_memory(),
        LogConfig {
            producer_id_expiration_ms: 1_000,
            ..config()
        },
    );
    let dir = world.dir();
    let log = world.open_partition(&dir, 0, &config);
    let record = |id: i64, key: &str| {
        let builder = BatchBuilder::new().producer(id, 0, 0).transactional();
        builder.record(NOW, Some(key.as_bytes()), Some(b"v")).build().unwrap()
    };
    append(&log, &keyed("aborted", Some("before"))).unwrap();
    append(&log, &record(1, "aborted")).unwrap();
    append(&log, &record(2, "committed")).unwrap();
    for (id, how) in [(1, EndTxnMarker::Abort), (2, EndTxnMarker::Commit)] {
        log.append(&end_txn_batch(0, 0, NOW, id, 0, 0, how), Origin::Coordinator, 0, NOW)
            .unwrap();
    }
    append(&log, &keyed("end", Some("v"))).unwrap();
    let controls = |log: &PartitionLog| {
        let mut found = Vec::new();
        each_batch(log, |batch| {
            if batch.header.is_control() && batch.header.records_count > 0 {
                found.push(batch.header.base_offset);
            }
        });
        found
    };
    let keys = |log: &PartitionLog| -> Vec<_> {
        contents(log)
            .into_iter()
            .map(|(offset, key, _)| (offset, key))
            .filter(|(_, key)| key != "dirt")
            .collect()
    };
    let expected = [(0, "aborted"), (2, "committed"), (5, "end")].map(|(offset, key)| (offset, key.to_owned()));
    // The producer's last batch stays as long as the producer is known, and the marker as long as there is a batch.
    let forgotten = NOW + 700_000;
    let passes = [
        (NOW, vec![3, 4]),
        (forgotten, vec![3, 4]),
        (forgotten + 1, vec![3, 4]),
        (forgotten + 1_000, vec![3, 4]),
        (forgotten + 1_001, vec![4]),
    ];
    for (now_ms, markers) in passes {
        dir.keep(now_ms);
        append(&log, &keyed("dirt", Some("v"))).unwrap();
        log.roll(now_ms).unwrap();
        compact(&log, now_ms).unwrap();
        assert_eq!(keys(&log), expected);
        assert_eq!(controls(&log), markers, "{}", now_ms - NOW);
    }
}

#[test]
fn a_transaction_whose_marker_is_gone_has_ended_for_cleaner_reader_and_recovery() {
    for crash in [false, true] {
        let world = World::in_memory();
        let config = LogConfig {
            producer_id_expiration_ms: i64::MAX,
            ..config()
        };
        let log = world.open(&config);
        let record = |sequence: i32, key: &str| {
            let builder = BatchBuilder::new().producer(1, 0, sequence).transactional();
            builder.record(NOW, Some(key.as_bytes()), Some(b"v")).build().unwrap()
        };
        let end = |log: &PartitionLog, how| {
            log.append(&end_txn_batch(0, 0, NOW, 1, 0, 0, how), Origin::Coordinator, 0, NOW)
                .unwrap();
        };
        append(&log, &record(0, "aborted")).unwrap();
        end(&log, EndTxnMarker::Abort);
        let aborted = |log: &PartitionLog| {
            log.read(0, 1 << 20, true, Isolation::ReadCommitted)
                .unwrap()
                .aborted
                .len()
        };
        assert_eq!(aborted(&log), 1);
        let mut now_ms = NOW;
        // The producer goes on, so that neither batch nor marker stays for its sake.
        for n in 1..4 {
            append(&log, &record(n, &format!("committed {n}"))).unwrap();
            end(&log, EndTxnMarker::Commit);
            append(&log, &keyed("dirt", Some("v"))).unwrap();
            log.roll(now_ms).unwrap();
            let kept = world.store.unflushed_batches();
            compact(&log, now_ms).unwrap();
            if n == 3 && crash {
                // The new segment is in place, and nothing of what came after that is in the store.
                world.store.crash(kept.min(1));
            }
            now_ms += 2_000;
        }
        let log = if crash { world.open(&config) } else { log };
        assert_eq!(aborted(&log), 0, "nobody waits for a marker that is gone");
        let committed = |log: &PartitionLog| {
            let mut keys: Vec<_> = contents(log).into_iter().map(|(_, key, _)| key).collect();
            keys.retain(|key| key != "dirt");
            keys
        };
        assert_eq!(committed(&log), ["committed 1", "committed 2", "committed 3"]);
        append(&log, &keyed("committed 1", Some("later"))).unwrap();
        log.roll(now_ms).unwrap();
        compact(&log, now_ms).unwrap();
        assert_eq!(committed(&log), ["committed 2", "committed 3", "committed 1"]);
    }
}

#[test]
fn an_open_transaction_is_left_alone() {
    let log = World::in_memory().open(&config());
    let open = BatchBuilder::new()
        .producer(1, 0, 0)
        .transactional()
        .record(NOW, Some(b"k"), Some(b"v"));
    append(&log, &keyed("k", Some("1"))).unwrap();
    log.roll(NOW).unwrap();
    append(&log, &open.build().unwrap()).unwrap();
    append(&log, &keyed("k", Some("2"))).unwrap();
    log.roll(NOW).unwrap();
    assert_eq!(compact(&log, NOW).unwrap().clean_up_to, 1);
    assert_eq!(contents(&log).len(), 3);
}

#[test]
fn with_little_memory_it_takes_more_passes() {
    let log = World::in_memory().open(&config());
    for n in 0..200 {
        append(&log, &keyed(&format!("{}", n % 100), Some(&format!("{n}")))).unwrap();
    }
    log.roll(NOW).unwrap();
    let mut passes = 0;
    while log.compact(NOW, 30 * 24).unwrap().is_some() {
        passes += 1;
    }
    assert!(passes > 3);
    let expected: Vec<_> = (100..200)
        .map(|n| (n, format!("{}", n % 100), Some(format!("{n}"))))
        .collect();
    assert_eq!(contents(&log), expected);
}

#[test]
fn a_batch_of_more_keys_than_fit_is_cleaned_in_parts() {
    let log = World::in_memory().open(&LogConfig {
        segment_bytes: 100_000,
        ..config()
    });
    for round in 0..3 {
        let add = |builder: BatchBuilder, n: usize| {
            let (key, value) = (format!("{n}"), format!("{round}"));
            builder.record(NOW, Some(key.as_bytes()), Some(value.as_bytes()))
        };
        append(&log, &(0..50).fold(BatchBuilder::new(), add).build().unwrap()).unwrap();
    }
    log.roll(NOW).unwrap();
    let mut passes = 0;
    while let Some(compacted) = log.compact(NOW, 20 * 24).unwrap() {
        passes += 1;
        assert!(compacted.clean_up_to <= passes * 20);
    }
    assert!(passes > 5, "{passes}");
    let expected: Vec<_> = (0..50i64)
        .map(|n| (100 + n, format!("{n}"), Some("2".to_owned())))
        .collect();
    assert_eq!(contents(&log), expected);
}

#[test]
fn compaction_is_given_up_when_told_and_leaves_the_log_as_it_was() {
    let world = World::in_memory();
    let log = world.open(&config());
    fill(&log, 20);
    log.roll(NOW).unwrap();
    let before = contents(&log);
    for batches in [0, 1, 100, 150, 200] {
        let left = std::sync::atomic::AtomicI32::new(batches);
        let pace = Pace::new(f64::MAX, move |_| {
            left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 0
        });
        assert_eq!(log.inner.compact(NOW, MEMORY, &pace).unwrap(), None);
    }
    let latest = compact(&log, NOW).unwrap();
    assert_eq!(latest.clean_up_to, 140);
    assert!(contents(&log).iter().all(|record| before.contains(record)));
    assert_eq!(contents(&log).len(), 7);
}

#[test]
fn a_failure_or_crash_at_any_step_leaves_the_old_or_the_new() {
    for call in [Call::Open, Call::Write, Call::Sync, Call::Rename, Call::Read] {
        for after in 0..40 {
            let world = World::in_memory();
            let disk = world.memory.clone().unwrap();
            let log = world.open(&config());
            let latest = fill(&log, 6);
            log.roll(NOW).unwrap();
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(log.synced(42))
                .unwrap();
            log.checkpoint(NOW).unwrap();
            disk.fail(call, after, std::io::ErrorKind::Other);
            let result = log.compact(NOW, MEMORY);
            disk.heal();
            drop(log);
            if after % 2 == 0 {
                disk.power_loss(after as u64);
                world.store.crash(after % 3);
            }
            let log = world.open(&config());
            let found = contents(&log);
            let kept: HashMap<_, _> = found
                .iter()
                .cloned()
                .map(|(offset, key, value)| (key, (offset, value.unwrap())))
                .collect();
            assert_eq!(kept, latest, "{call:?} {after} {result:?}");
            assert_eq!(log.offsets().log_end_offset, 42);
            for record in &found {
                let same = found.iter().filter(|other| other.0 == record.0).count();
                assert_eq!(same, 1, "no record is there twice");
            }
            append(&log, &keyed("on", Some("it goes"))).unwrap();
            log.roll(NOW).unwrap();
            compact(&log, NOW).unwrap();
            assert_eq!(contents(&log).len(), 8);
        }
    }
}
