//! What the log costs by itself: append, fetch, index look-up, recovery. `cargo bench -p tickertape-broker --bench log`.
//!
//! Real files in a temporary directory, so that the page cache counts and a network does not.

use std::{hint::black_box, path::Path, sync::Arc};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tickertape_broker::{
    log::{Isolation, LogConfig, LogDir, Origin, PartitionLog},
    metadata::store::Store,
    wire::{build::BatchBuilder, compression::Compression},
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

/// Lengths of the curve in MiB; `TICKERTAPE_BENCH_MIB_MAX=10240` goes on to 10 GiB.
fn lengths() -> Vec<u64> {
    let max = std::env::var("TICKERTAPE_BENCH_MIB_MAX").ok();
    let max = max.and_then(|max| max.parse().ok()).unwrap_or(1024);
    let all = [10, 100, 1024, 10 * 1024];
    all.into_iter().filter(|mib| *mib <= max).collect()
}

/// Whether the cost depends on the log's length: append, fetch at the end and anywhere, look up by time.
fn curve(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("curve");
    let (dir, store) = (temporary(), Store::in_memory());
    let log = open(dir.path(), &store, LogConfig::default());
    let mut now_ms = NOW;
    let batch = |now_ms: i64| {
        let builder = BatchBuilder::new();
        let add = |builder: BatchBuilder, n: i64| builder.record(now_ms + n, None, Some(&[b'x'; 1000]));
        (0..16).fold(builder, add).build().unwrap_or_default()
    };
    for mib in lengths() {
        while log.size_bytes() < mib << 20 {
            drop(log.append(&batch(now_ms), Origin::Client, 0, now_ms));
            now_ms += 16;
        }
        drop(log.checkpoint(now_ms));
        let end = log.offsets().log_end_offset;
        let mut at = 0;
        let mut anywhere = move || {
            at = (at + 1_000_003) % end;
            at
        };
        let fetch = |offset| black_box(log.read(offset, 1 << 20, true, Isolation::ReadUncommitted).is_ok());
        group.bench_function(BenchmarkId::new("fetch at the end", mib), |bencher| {
            bencher.iter(|| fetch(end - 1))
        });
        group.bench_function(BenchmarkId::new("fetch anywhere", mib), |bencher| {
            bencher.iter(|| fetch(anywhere()));
        });
        group.bench_function(BenchmarkId::new("look up by time", mib), |bencher| {
            bencher.iter(|| black_box(log.offset_for_time(NOW + anywhere()).is_ok()));
        });
        // Last, as it makes the log longer.
        let bytes = batch(now_ms);
        group.bench_function(BenchmarkId::new("append 16 KiB", mib), |bencher| {
            bencher.iter(|| black_box(log.append(&bytes, Origin::Client, 0, now_ms).is_ok()));
        });
    }
    group.finish();
}

/// What checking a batch costs, by codec and size of its records: CRC, records, sequence. Each is a duplicate of one that was
/// appended, so that nothing is written.
fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check 64 KiB of records");
    for codec in Compression::ALL {
        for size in [100, 1000] {
            let dir = temporary();
            let log = open(dir.path(), &Store::in_memory(), LogConfig::default());
            let mut builder = BatchBuilder::new().compression(codec).producer(1, 0, 0);
            let mut value = vec![0; size];
            for n in 0..64 * 1024 / size {
                // Half of it compresses.
                let mut seed = n as u64;
                for byte in &mut value[..size / 2] {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    *byte = seed.to_be_bytes()[0];
                }
                builder = builder.record(NOW + n as i64, None, Some(&value));
            }
            let batch = builder.build().unwrap_or_default();
            group.throughput(Throughput::Bytes(64 * 1024));
            drop(log.append(&batch, Origin::Client, 0, NOW));
            group.bench_function(BenchmarkId::new(codec.name(), size), |bencher| {
                bencher.iter(|| {
                    black_box(
                        log.append(&batch, Origin::Client, 0, NOW)
                            .is_ok_and(|done| done.duplicate),
                    )
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, append, records, fetch, look_up_by_time, recovery, curve);
criterion_main!(benches);
