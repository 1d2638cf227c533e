//! Compaction takes the memory that it may, whatever the number of keys: its allocations are counted.

use std::sync::Arc;

use tickertape_broker::log::{CleanupPolicy, Isolation, LogConfig, LogDir, Origin, PartitionLog};
use tickertape_broker::metadata::store::Store;
use tickertape_broker::wire::build::BatchBuilder;
use uuid::Uuid;

use crate::support::alloc::held_during;

const NOW: i64 = 1_700_000_000_000;
/// `log.cleaner.dedupe.buffer.size`: some 9,800 keys.
const BUFFER_BYTES: usize = 256 * 1024;
/// What a pass takes besides: what it reads and writes at a time, and the index of one segment.
const REST_BYTES: usize = 4 * 1024 * 1024;

/// Compacts a log of so many keys, each there twice, and says how many passes it took and how much a pass held at most.
fn compact(keys: i64) -> (usize, usize) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let dir = LogDir::open(directory.path(), &store, 100).unwrap();
    let config = LogConfig {
        cleanup_policy: CleanupPolicy {
            delete: false,
            compact: true,
        },
        segment_bytes: 4 << 20,
        min_cleanable_dirty_ratio: 0.0,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    };
    let log = PartitionLog::open(&dir, "t", Uuid::from_u128(1), 0, Arc::new(config), NOW).unwrap();
    for from in (0..2 * keys).step_by(1_000) {
        let add = |builder: BatchBuilder, n: i64| {
            let key = format!("a key as long as keys may well be {}", (from + n) % keys);
            builder.record(NOW, Some(key.as_bytes()), Some(b"value"))
        };
        let batch = (0..1_000).fold(BatchBuilder::new(), add).build().unwrap();
        log.append(&batch, Origin::Client, 0, NOW).unwrap();
    }
    log.roll(NOW).unwrap();
    let (mut passes, mut held_max) = (0, 0);
    loop {
        let (compacted, held) = held_during(|| log.compact(NOW, BUFFER_BYTES).unwrap());
        held_max = held_max.max(held);
        if compacted.is_none() {
            break;
        }
        passes += 1;
        dir.delete_due(NOW);
    }
    // The first of each key is gone, and all of the second are there.
    let (mut offset, mut records) = (0, 0);
    while let Some(chunk) = log
        .read(offset, 1 << 20, true, Isolation::ReadUncommitted)
        .unwrap()
        .chunk
    {
        for batch in tickertape_broker::wire::batch::Batches::new(&chunk.read().unwrap()) {
            let batch = batch.unwrap();
            records += i64::from(batch.header.records_count);
            offset = batch.header.next_offset();
        }
    }
    assert_eq!((offset, records), (2 * keys, keys));
    (passes, held_max)
}

#[test]
fn memory_does_not_grow_with_the_number_of_keys() {
    let (few_passes, few_held) = compact(2_000);
    let (many_passes, many_held) = compact(40_000);
    println!("2,000 keys: {few_passes} passes, {few_held} bytes; 40,000 keys: {many_passes} passes, {many_held} bytes");
    assert_eq!(few_passes, 1);
    assert!(many_passes > 7, "{many_passes}");
    assert!(many_held < BUFFER_BYTES + REST_BYTES, "{many_held}");
}
