//! What a log has after it was not closed.

use super::*;
use crate::{
    log::{CleanupPolicy, disk::Open},
    wire::build::{EndTxnMarker, end_txn_batch},
};

fn fill(log: &PartitionLog, count: usize) -> Vec<(i64, String)> {
    let value = |n: usize| format!("{n}-{}", "v".repeat(n % 17));
    (0..count)
        .map(|n| (append_values(log, &[&value(n)]), value(n)))
        .collect()
}

#[test]
fn a_kill_loses_nothing_with_or_without_a_checkpoint() {
    for world in [World::in_memory(), World::on_disk()] {
        let config = LogConfig {
            segment_bytes: 1_000,
            index_interval_bytes: 100,
            ..LogConfig::default()
        };
        let log = world.open(&config);
        let mut expected = fill(&log, 40);
        log.checkpoint(NOW).unwrap();
        for _ in 0..3 {
            let log = world.open(&config);
            assert_eq!(all(&log), expected);
            expected.push((append_values(&log, &["more"]), "more".to_owned()));
        }
        log.close().unwrap();
    }
}

#[test]
fn a_clean_close_leaves_nothing_to_scan() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    let expected = fill(&log, 40);
    log.close().unwrap();
    assert!(append(&log, &batch(NOW, &["no"])).is_err());
    let disk = world.memory.clone().unwrap();
    // Not one byte of the segment is read on opening, only the directory's metadata file.
    disk.fail(crate::log::disk::memory::Call::Read, 1, std::io::ErrorKind::Other);
    let log = world.open(&LogConfig::default());
    disk.heal();
    assert_eq!(all(&log), expected);
    log.close().unwrap();
}

#[test]
fn sequences_are_remembered() {
    for checkpoint in [false, true] {
        let world = World::in_memory();
        let log = world.open(&LogConfig::default());
        append(&log, &sequenced(5, 0, 0, &["a"])).unwrap();
        append(&log, &sequenced(5, 0, 1, &["b"])).unwrap();
        if checkpoint {
            log.checkpoint(NOW).unwrap();
        }
        append(&log, &sequenced(5, 0, 2, &["c"])).unwrap();
        let log = world.open(&LogConfig::default());
        for (sequence, offset) in [(0, 0), (1, 1), (2, 2)] {
            let value = ["a", "b", "c"][offset as usize];
            let repeated = append(&log, &sequenced(5, 0, sequence, &[value])).unwrap();
            assert!(repeated.duplicate);
            assert_eq!(repeated.base_offset, offset);
        }
        assert!(append(&log, &sequenced(5, 0, 4, &["gap"])).is_err());
        assert_eq!(append(&log, &sequenced(5, 0, 3, &["d"])).unwrap().base_offset, 3);
    }
}

#[test]
fn aborted_transactions_are_remembered_from_before_a_checkpoint_and_after_it() {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    let abort_one = |log: &PartitionLog, id: i64| {
        let record = BatchBuilder::new()
            .producer(id, 0, 0)
            .transactional()
            .record(NOW, None, Some(b"aborted"));
        append(log, &record.build().unwrap()).unwrap();
        let marker = end_txn_batch(0, 0, NOW, id, 0, 3, EndTxnMarker::Abort);
        log.append(&marker, Origin::Coordinator, 0, NOW).unwrap();
    };
    let aborted = |log: &PartitionLog| {
        let read = log.read(0, 1 << 20, true, Isolation::ReadCommitted).unwrap();
        read.aborted.iter().map(|one| one.producer_id).collect::<Vec<_>>()
    };
    abort_one(&log, 1);
    log.checkpoint(NOW).unwrap();
    abort_one(&log, 2);
    // Opened again without having been closed, twice: what recovery itself takes away would stay away.
    for _ in 0..2 {
        let log = world.open(&LogConfig::default());
        assert_eq!(aborted(&log), [1, 2]);
    }
}

/// A segment of some batches; where each ends.
fn torn_world() -> (World, Vec<u8>, Vec<usize>) {
    let world = World::in_memory();
    let log = world.open(&LogConfig::default());
    let mut ends = vec![0];
    for n in 0..6 {
        append(&log, &sequenced(3, 0, n, &["value"])).unwrap();
        let size = log.size_bytes();
        ends.push(usize::try_from(size).unwrap());
    }
    let bytes = world.memory.clone().unwrap().contents(&world.segment_path(0)).unwrap();
    (world, bytes, ends)
}

fn whole_batches(ends: &[usize], len: usize) -> i64 {
    ends.iter().filter(|end| **end <= len).count() as i64 - 1
}

#[test]
fn cut_at_every_byte_it_recovers_the_whole_batches_before() {
    let (world, bytes, ends) = torn_world();
    let disk = world.memory.clone().unwrap();
    for len in 0..=bytes.len() {
        disk.put(&world.segment_path(0), &bytes[..len]);
        let log = world.open(&LogConfig::default());
        let expected = whole_batches(&ends, len);
        assert_eq!(log.offsets().log_end_offset, expected, "cut at {len}");
        assert_eq!(all(&log).len() as i64, expected);
        // What was cut off does not come back behind what is appended next.
        let next = append(&log, &sequenced(3, 0, expected as i32, &["again"])).unwrap();
        assert_eq!((next.base_offset, next.duplicate), (expected, false));
        assert_eq!(all(&log).len() as i64, expected + 1);
    }
}

#[test]
fn with_any_byte_changed_it_recovers_the_whole_batches_before() {
    let (world, bytes, ends) = torn_world();
    let disk = world.memory.clone().unwrap();
    for at in 0..bytes.len() {
        // The leader epoch is outside the CRC, and any value of it is as good as another.
        let within = at - ends[..].iter().rev().find(|end| **end <= at).unwrap();
        if (12..16).contains(&within) {
            continue;
        }
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        disk.put(&world.segment_path(0), &damaged);
        let log = world.open(&LogConfig::default());
        let end = log.offsets().log_end_offset;
        let expected = whole_batches(&ends, at);
        // The base offset is outside the CRC too: a batch may seem to come later than it did, never to be another.
        if within < 8 {
            assert!(end >= expected, "changed at {at}");
        } else {
            assert_eq!(end, expected, "changed at {at}");
            assert_eq!(all(&log).len() as i64, expected);
        }
    }
}

#[test]
fn a_batch_that_overlaps_the_one_before_ends_the_log() {
    let (world, mut bytes, ends) = torn_world();
    // The base offset lies outside the CRC.
    bytes[ends[3]..ends[3] + 8].copy_from_slice(&2i64.to_be_bytes());
    world.memory.clone().unwrap().put(&world.segment_path(0), &bytes);
    assert_eq!(all(&world.open(&LogConfig::default())).len(), 3);
}

#[test]
fn without_the_store_everything_but_the_start_is_made_anew() {
    let world = World::on_disk();
    let config = LogConfig {
        segment_bytes: 1_000,
        index_interval_bytes: 100,
        ..LogConfig::default()
    };
    let log = world.open(&config);
    let expected = fill(&log, 60);
    append(&log, &sequenced(5, 0, 0, &["a"])).unwrap();
    log.close().unwrap();
    let anew = World {
        store: Store::in_memory(),
        ..world
    };
    let log = anew.open(&config);
    assert_eq!(all(&log)[..60], expected);
    assert!(append(&log, &sequenced(5, 0, 0, &["a"])).unwrap().duplicate);
    assert_eq!(log.offset_for_time(NOW).unwrap().unwrap().offset, 0);
}

#[test]
fn rot_in_the_middle_costs_one_segment_its_tail_and_no_more() {
    let world = World::in_memory();
    let config = LogConfig {
        segment_bytes: 1_000,
        ..LogConfig::default()
    };
    let log = world.open(&config);
    let expected = fill(&log, 60);
    let segments = log.segments();
    log.close().unwrap();
    world.memory.clone().unwrap().rot(&world.segment_path(segments[1]), 70);
    let anew = World {
        store: Store::in_memory(),
        ..world
    };
    let dir = anew.dir();
    dir.salvage();
    let log = anew.open_partition(&dir, 0, &config);
    let found = all(&log);
    let lost = segments[1]..segments[2];
    assert!(found.iter().all(|record| expected.contains(record)));
    assert!(
        expected
            .iter()
            .all(|record| found.contains(record) || lost.contains(&record.0))
    );
    assert!(found.len() < expected.len());
    assert_eq!(log.offsets().log_end_offset, 60);
}

#[test]
fn after_a_power_loss_what_was_synced_is_there_and_the_rest_is_a_prefix() {
    for seed in 0..300 {
        let world = World::in_memory();
        let config = LogConfig {
            segment_bytes: 700,
            index_interval_bytes: 100,
            ..LogConfig::default()
        };
        let log = world.open(&config);
        let mut expected = fill(&log, 10);
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(log.synced(10))
            .unwrap();
        if seed % 3 == 0 {
            log.checkpoint(NOW).unwrap();
        }
        expected.extend(fill(&log, 15));
        if seed % 2 == 0 {
            log.checkpoint(NOW).unwrap();
        }
        expected.extend(fill(&log, 5));
        drop(log);
        world.memory.clone().unwrap().power_loss(seed);
        world.store.crash(usize::try_from(seed).unwrap() % 4);
        let log = world.open(&config);
        let found = all(&log);
        assert!(found.len() >= 10, "seed {seed}: {} records", found.len());
        assert_eq!(found, expected[..found.len()], "seed {seed}");
        assert_eq!(log.offsets().log_end_offset, found.len() as i64);
        append_values(&log, &["and on"]);
        assert_eq!(all(&log).len(), found.len() + 1);
    }
}

#[test]
fn files_that_are_not_segments_are_left_alone() {
    let world = World::on_disk();
    let log = world.open(&LogConfig::default());
    append_values(&log, &["a"]);
    let mine = world.path.join("prices-0/00000000000000000000.index");
    world.disk.open(&mine, Open::Create).unwrap();
    drop(log);
    let cleanup_policy = CleanupPolicy {
        delete: true,
        compact: false,
    };
    assert_eq!(
        all(&world.open(&LogConfig {
            cleanup_policy,
            ..LogConfig::default()
        }))
        .len(),
        1
    );
    assert!(mine.exists());
}
