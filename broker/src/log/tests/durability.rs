//! What is on disk when it is said to be, and what becomes of a log whose disk fails.

use kafka_protocol::error::ResponseError;

use super::*;
use crate::log::disk::memory::Call;

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

/// A refused append leaves a write and its cut behind, neither of them durable, and a killed process forgets that they need
/// a sync. Where a segment was begun behind them, only the write may survive a power loss: a torn tail, but no record less.
#[tokio::test]
async fn what_a_full_disk_left_behind_a_rolled_segment_costs_nothing_when_it_comes_back() {
    let mut came_back = [false; 2];
    for seed in 0..64 {
        let world = World::in_memory();
        let disk = world.memory.clone().unwrap();
        let log = world.open(&LogConfig::default());
        append_values(&log, &["a"]);
        log.close().unwrap();
        world.store.flush_blocking().unwrap();
        let log = world.open(&LogConfig::default());
        let size_bytes = log.size_bytes() as usize;
        disk.set_free_bytes(Some(30));
        assert!(matches!(
            append(&log, &batch(NOW, &["refused"])),
            Err(AppendError::DiskFull)
        ));
        disk.set_free_bytes(None);
        log.roll(NOW).unwrap();
        drop(log);
        world.store.crash(0);
        let log = world.open(&LogConfig::default());
        append_values(&log, &["promised"]);
        log.synced(2).await.unwrap();
        drop(log);
        disk.power_loss(seed);
        world.store.crash(0);
        // With what the store has, and from the files alone.
        let from_files = seed % 2 == 1;
        let store = if from_files {
            Store::in_memory()
        } else {
            world.store.clone()
        };
        let left = disk.contents(&world.segment_path(0)).unwrap().len() > size_bytes;
        came_back[usize::from(from_files)] |= left;
        let log = World { store, ..world.clone() }.open(&LogConfig::default());
        let expected = [(0, "a".to_owned()), (1, "promised".to_owned())];
        assert_eq!(all(&log), expected, "seed {seed}");
    }
    assert_eq!(came_back, [true; 2], "some power loss keeps the write and not its cut");
}

/// Retention has given a segment up, and its file stays because it cannot be renamed. It is synced no more, so a power loss
/// takes what it had; what was synced behind it stays.
#[tokio::test]
async fn a_segment_below_the_log_start_need_not_be_whole() {
    for seed in 0..32 {
        let world = World::in_memory();
        let disk = world.memory.clone().unwrap();
        let log = world.open(&LogConfig::default());
        for _ in 0..3 {
            append_values(&log, &["given up"]);
        }
        log.delete_records(3).unwrap();
        disk.fail(Call::Rename, 0, std::io::ErrorKind::Other);
        assert!(log.retain(NOW).is_err());
        append_values(&log, &["promised"]);
        log.synced(4).await.unwrap();
        drop(log);
        disk.power_loss(seed);
        world.store.crash(0);
        let log = world.open(&LogConfig::default());
        assert_eq!(all(&log), [(3, "promised".to_owned())], "seed {seed}");
        log.retain(NOW).unwrap();
        assert_eq!(log.segments(), [3], "seed {seed}");
    }
}

/// What was in a file when its sync failed may stay in memory alone, though later syncs succeed. Behind it nothing can be
/// promised before it is written anew.
#[tokio::test]
async fn what_a_failed_sync_left_in_doubt_is_written_anew_before_more_is_promised() {
    for seed in 0..32 {
        let world = World::in_memory();
        let disk = world.memory.clone().unwrap();
        let config = LogConfig {
            flush_messages: 1,
            ..LogConfig::default()
        };
        let log = world.open(&config);
        append_values(&log, &["a"]);
        log.synced(1).await.unwrap();
        append_values(&log, &["in doubt"]);
        disk.fail(Call::Sync, 0, std::io::ErrorKind::Other);
        assert!(log.synced(2).await.is_err());
        drop(log);
        // The process ends, and the machine runs on: what of the store was not flushed is lost.
        world.store.crash(0);
        let log = world.open(&config);
        assert_eq!(all(&log).len(), 2);
        append_values(&log, &["promised"]);
        log.synced(3).await.unwrap();
        drop(log);
        disk.power_loss(seed);
        let values: Vec<String> = all(&world.open(&config)).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["a", "in doubt", "promised"], "seed {seed}");
    }
}

/// A log in memory that was closed after six batches, of which the fourth is torn; and its size after 0 to 6 batches, in bytes.
async fn six_batches_with_the_fourth_torn() -> (World, MemoryDisk, Vec<usize>) {
    let world = World::in_memory();
    let disk = world.memory.clone().unwrap();
    let log = world.open(&LogConfig::default());
    let mut ends = vec![0];
    for _ in 0..6 {
        append_values(&log, &["value"]);
        ends.push(usize::try_from(log.size_bytes()).unwrap());
    }
    log.synced(6).await.unwrap();
    drop(log);
    disk.rot(&world.segment_path(0), ends[4] - 1);
    (world, disk, ends)
}

/// Whole batches lie behind the one that is torn. If cutting them off were not durable, a power loss could bring them back
/// behind a batch of the same size that was appended in the torn one's place.
#[tokio::test]
async fn what_recovery_cut_off_does_not_come_back_with_a_power_loss() {
    let mut kept = 0;
    for seed in 0..64 {
        let (world, disk, ends) = six_batches_with_the_fourth_torn().await;
        let log = world.open(&LogConfig::default());
        assert_eq!(log.offsets().log_end_offset, 3);
        append_values(&log, &["other"]);
        assert_eq!(
            usize::try_from(log.size_bytes()).unwrap(),
            ends[4],
            "it takes the same place"
        );
        drop(log);
        disk.power_loss(seed);
        let found = all(&world.open(&LogConfig::default()));
        assert!((3..=4).contains(&found.len()), "seed {seed}: {found:?}");
        assert!(
            found[3..].iter().all(|(_, value)| value == "other"),
            "seed {seed}: {found:?}"
        );
        kept += found[3..].len();
    }
    assert!(kept > 0, "some power loss keeps what was appended");
}

/// As above, but the sync after the cut fails, and the log is opened again while the machine runs on: the file has the right
/// size by then, and nothing else tells that its cut may be in memory alone.
#[tokio::test]
async fn a_cut_whose_sync_failed_is_in_doubt_and_written_anew() {
    for seed in 0..32 {
        let (world, disk, _) = six_batches_with_the_fourth_torn().await;
        disk.fail(Call::Sync, 0, std::io::ErrorKind::Other);
        let opened = PartitionLog::open(&world.dir(), TOPIC, Uuid::from_u128(7), 0, Arc::default(), NOW);
        assert!(opened.is_err());
        world.store.crash(0);
        let log = world.open(&LogConfig::default());
        assert_eq!(log.offsets().log_end_offset, 3);
        append_values(&log, &["other"]);
        log.synced(4).await.unwrap();
        drop(log);
        disk.power_loss(seed);
        let values: Vec<String> = all(&world.open(&LogConfig::default()))
            .into_iter()
            .map(|(_, value)| value)
            .collect();
        assert_eq!(values, ["value", "value", "value", "other"], "seed {seed}");
    }
}
