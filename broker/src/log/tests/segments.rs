//! Segments: when they begin, when they go, and what is left of a log and its directory.

use super::*;
use crate::log::ReadError;

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
