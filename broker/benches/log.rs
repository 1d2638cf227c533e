//! What the log costs by itself: append, fetch, index look-up, recovery. `cargo bench -p tickertape-broker --bench log`.
//!
//! Real files in a temporary directory, so that the page cache counts and a network does not.

use std::{hint::black_box, path::Path, sync::Arc};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tickertape_broker::{
    log::{Isolation, LogConfig, LogDir, Origin, PartitionLog},
    metadata::store::Store,
    wire::build::BatchBuilder,
};
use uuid::Uuid;

const NOW: i64 = 1_700_000_000_000;

/// A batch of about `size_bytes`, of records of 100 bytes.
fn batch(size_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for n in 0..(size_bytes / 107).max(1) {
        builder = builder.record(NOW + n as i64, None, Some(&[b'x'; 100]));
    }
    builder.build().unwrap_or_default()
}

fn open(path: &Path, store: &Store, config: LogConfig) -> PartitionLog {
    let open = || -> Result<PartitionLog, Box<dyn std::error::Error>> {
        let dir = LogDir::open(path, store, 100)?;
        Ok(PartitionLog::open(
            &dir,
            "bench",
            Uuid::from_u128(1),
            0,
            Arc::new(config),
            NOW,
        )?)
    };
    match open() {
        Ok(log) => log,
        Err(error) => panic!("cannot open a log in {}: {error}", path.display()),
    }
}

fn temporary() -> tempfile::TempDir {
    match tempfile::tempdir() {
        Ok(dir) => dir,
        Err(error) => panic!("cannot make a directory: {error}"),
    }
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for size in [200, 16 * 1024, 128 * 1024, 1024 * 1024] {
        let dir = temporary();
        let config = LogConfig {
            retention_bytes: 256 << 20,
            segment_bytes: 128 << 20,
            ..LogConfig::default()
        };
        let config = LogConfig {
            file_delete_delay_ms: 0,
            max_message_bytes: 2 << 20,
            ..config
        };
        let log = open(dir.path(), &Store::in_memory(), config);
        let batch = batch(size);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        let mut written = 0;
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                drop(black_box(log.append(&batch, Origin::Client, 0, NOW)));
                written += batch.len();
                if written > 512 << 20 {
                    written = 0;
                    drop(log.retain(NOW));
                }
            });
        });
    }
    group.finish();
}

/// The curve: the same look-up in logs of different lengths.
fn fetch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fetch");
    for (mib, stored) in [(1, false), (16, false), (256, false), (256, true), (1024, true)] {
        let dir = temporary();
        let config = LogConfig {
            segment_bytes: if stored { 64 << 20 } else { 1 << 30 },
            ..LogConfig::default()
        };
        let store = Store::in_memory();
        let log = open(dir.path(), &store, config);
        let batch = batch(16 * 1024);
        while log.size_bytes() < mib << 20 {
            drop(log.append(&batch, Origin::Client, 0, NOW));
        }
        drop(log.checkpoint(NOW));
        let end = log.offsets().log_end_offset;
        let mut offset = 0;
        let name = if stored {
            "MiB, many segments"
        } else {
            "MiB, one segment"
        };
        group.bench_function(BenchmarkId::new(name, mib), |bencher| {
            bencher.iter(|| {
                offset = (offset + 1_000_003) % end;
                black_box(log.read(offset, 1 << 20, true, Isolation::ReadUncommitted).is_ok())
            });
        });
    }
    group.finish();
}

fn look_up_by_time(criterion: &mut Criterion) {
    let dir = temporary();
    let log = open(dir.path(), &Store::in_memory(), LogConfig::default());
    for n in 0..10_000 {
        let batch = BatchBuilder::new()
            .record(NOW + n, None, Some(&[b'x'; 1000]))
            .build()
            .unwrap_or_default();
        drop(log.append(&batch, Origin::Client, 0, NOW));
    }
    let mut time = 0;
    criterion.bench_function("offset for time", |bencher| {
        bencher.iter(|| {
            time = (time + 7_919) % 10_000;
            black_box(log.offset_for_time(NOW + time).is_ok())
        });
    });
}

fn recovery(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10);
    for (name, checkpoint) in [("256 MiB without a checkpoint", false), ("256 MiB with one", true)] {
        let dir = temporary();
        let store = Store::in_memory();
        let log = open(dir.path(), &store, LogConfig::default());
        let batch = batch(64 * 1024);
        while log.size_bytes() < 256 << 20 {
            drop(log.append(&batch, Origin::Client, 0, NOW));
        }
        if checkpoint {
            drop(log.checkpoint(NOW));
        }
        drop(log);
        group.throughput(Throughput::Bytes(256 << 20));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || if checkpoint { store.clone() } else { Store::in_memory() },
                |store| open(dir.path(), &store, LogConfig::default()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, append, fetch, look_up_by_time, recovery);
criterion_main!(benches);
