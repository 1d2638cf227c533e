//! Compaction against Apache Kafka's own `Cleaner`: random logs of keys, tombstones, idempotent producers and transactions,
//! cleaned in several passes as time goes on, each from the same files by both. What is left must be the same, batch by
//! batch and record by record, with its delete horizon (KIP-534).
//!
//! One thing differs: where nothing is left of a segment's last batch, ours keeps it without records, so that the offsets
//! of segments follow on one another. Needs Java and Kafka's jars, as [`super::validator`]; without them ours is only run.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tickertape_broker::log::{CleanupPolicy, Isolation, LogConfig, LogDir, Origin, PartitionLog};
use tickertape_broker::metadata::store::Store;
use tickertape_broker::wire::batch::Batches;
use tickertape_broker::wire::build::{BatchBuilder, EndTxnMarker, end_txn_batch};
use tickertape_broker::wire::compression::Compression;
use tickertape_broker::wire::record::Records;
use uuid::Uuid;

use crate::support::seed::seeded;

const NOW: i64 = 1_700_000_000_000;
const DELETE_RETENTION_MS: i64 = 1_000;
const LOGS: usize = 12;
const PASSES: usize = 5;

/// Apache Kafka's cleaner, at work.
struct Judge {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Judge {
    fn start() -> Option<Self> {
        let libs = std::env::var_os("TICKERTAPE_KAFKA_LIBS")?;
        let mut child = Command::new("java")
            .arg("-cp")
            .arg(Path::new(&libs).join("*"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cleaner/Cleaning.java"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let input = child.stdin.take()?;
        let output = BufReader::new(child.stdout.take()?);
        Some(Self { child, input, output })
    }

    /// What it leaves of a log below `end`.
    fn clean(&mut self, directory: &Path, first_dirty: i64, end: i64, now_ms: i64) -> Vec<String> {
        let directory = directory.display();
        writeln!(
            self.input,
            "{directory}\t{first_dirty}\t{end}\t{now_ms}\t{DELETE_RETENTION_MS}"
        )
        .unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the cleaner has failed");
            match line.trim_end() {
                "done" => return lines,
                // Its own messages go the same way.
                line if line.starts_with("batch ") || line.starts_with("record ") => lines.push(line.to_owned()),
                _ => {}
            }
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A producer and where it is.
#[derive(Clone, Copy, Default)]
struct Producer {
    sequence: i32,
    in_transaction: bool,
}

/// Appends what several producers send.
fn fill(log: &PartitionLog, rng: &mut ChaCha8Rng, producers: &mut [Producer; 4], now_ms: i64) {
    for _ in 0..rng.random_range(5..25) {
        let id = rng.random_range(0..producers.len());
        let producer = &mut producers[id];
        let transactional = id >= 2;
        if transactional && producer.in_transaction && rng.random_bool(0.4) {
            end(log, rng, id as i64, producer, now_ms);
            continue;
        }
        let mut builder =
            BatchBuilder::new().compression(Compression::ALL[rng.random_range(0..Compression::ALL.len())]);
        let count = rng.random_range(1..5);
        if id > 0 {
            builder = builder.producer(id as i64, 0, producer.sequence);
            producer.sequence += count;
        }
        if transactional {
            builder = builder.transactional();
            producer.in_transaction = true;
        }
        for n in 0..count {
            let key = [b'a' + rng.random_range(0..8u8)];
            let value = rng.random::<u32>().to_be_bytes();
            let value = rng.random_bool(0.7).then_some(&value[..]);
            builder = builder.record(now_ms + i64::from(n), Some(&key), value);
        }
        log.append(&builder.build().unwrap(), Origin::Confirmed, 0, now_ms)
            .unwrap();
        if rng.random_bool(0.15) {
            log.roll(now_ms).unwrap();
        }
    }
}

fn end(log: &PartitionLog, rng: &mut ChaCha8Rng, id: i64, producer: &mut Producer, now_ms: i64) {
    let how = if rng.random_bool(0.5) {
        EndTxnMarker::Abort
    } else {
        EndTxnMarker::Commit
    };
    let marker = end_txn_batch(0, 0, now_ms, id, 0, 0, how);
    log.append(&marker, Origin::Coordinator, 0, now_ms).unwrap();
    producer.in_transaction = false;
}

fn hex(bytes: Option<&[u8]>) -> String {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    bytes.map_or("null".to_owned(), |bytes| format!("x{}", digits(bytes)))
}

/// What is left of ours below `end`, in the same words.
fn left(log: &PartitionLog, end: i64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut offset = log.offsets().log_start_offset;
    while offset < end {
        let read = log.read(offset, 1 << 20, true, Isolation::ReadUncommitted).unwrap();
        for batch in Batches::new(&read.chunk.unwrap().read().unwrap()) {
            let batch = batch.unwrap();
            batch.validate_crc().unwrap();
            let header = &batch.header;
            offset = header.next_offset();
            if header.base_offset >= end {
                break;
            }
            let horizon_ms = if header.has_delete_horizon() {
                header.base_timestamp
            } else {
                -1
            };
            lines.push(format!(
                "batch {} {} {} {} {} {} {} {} {} {horizon_ms}",
                header.base_offset,
                header.last_offset(),
                header.records_count,
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
                header.is_transactional(),
                header.is_control(),
                header.max_timestamp,
            ));
            let plain = batch.decompressed(1 << 20).unwrap();
            for record in Records::new(header, &plain) {
                let record = record.unwrap();
                let (key, value) = (hex(record.key), hex(record.value));
                lines.push(format!("record {} {} {key} {value}", record.offset, record.timestamp));
            }
        }
    }
    lines
}

/// Without batches that have no records and that the other does not have.
fn without_fillers(lines: Vec<String>, other: &[String]) -> Vec<String> {
    let known: BTreeSet<_> = other.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    let is_filler = |line: &String| {
        let fields: Vec<_> = line.split(' ').collect();
        fields[0] == "batch" && fields[3] == "0" && !known.contains(fields[1])
    };
    lines.into_iter().filter(|line| !is_filler(line)).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn compaction_leaves_what_apache_kafkas_leaves() {
    let mut rng = seeded();
    let mut judge = Judge::start();
    let mut compared = 0;
    for number in 0..LOGS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::in_memory();
        let dir = LogDir::open(directory.path(), &store, 100).unwrap();
        let config = LogConfig {
            cleanup_policy: CleanupPolicy {
                delete: false,
                compact: true,
            },
            delete_retention_ms: DELETE_RETENTION_MS,
            min_cleanable_dirty_ratio: 0.0,
            ..LogConfig::default()
        };
        let log = PartitionLog::open(&dir, "t", Uuid::from_u128(1), 0, Arc::new(config), NOW).unwrap();
        let mut producers = [Producer::default(); 4];
        let (mut cleaned, mut now_ms) = (0, NOW);
        for pass in 0..PASSES {
            now_ms += rng.random_range(0..1_500);
            fill(&log, &mut rng, &mut producers, now_ms);
            for (id, producer) in producers
                .iter_mut()
                .enumerate()
                .filter(|(_, producer)| producer.in_transaction)
            {
                end(&log, &mut rng, id as i64, producer, now_ms);
            }
            log.roll(now_ms).unwrap();
            let end = log.offsets().log_end_offset;
            let theirs = judge.as_mut().map(|judge| {
                let copied = directory.path().join(format!("copy-{pass}")).join("t-0");
                copy(&directory.path().join("t-0"), &copied);
                judge.clean(&copied, cleaned, end, now_ms)
            });
            cleaned = log.compact(now_ms, 1 << 20).unwrap().unwrap().clean_up_to;
            assert_eq!(cleaned, end);
            let ours = left(&log, end);
            if let Some(theirs) = theirs {
                compared += theirs.len();
                assert_eq!(without_fillers(ours, &theirs), theirs, "log {number}, pass {pass}");
            }
        }
    }
    println!("{compared} batches and records compared");
}
