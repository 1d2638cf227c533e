//! Tests of the log as a whole, on the real disk and on the one in memory.

mod basics;
mod compaction;
mod durability;
mod model;
mod recovery;
mod segments;

use std::{path::Path, sync::Arc};

use kafka_protocol::error::ResponseError;
use uuid::Uuid;

use super::{
    AppendError, Appended, Isolation, LogConfig, LogDir, Origin, PartitionLog,
    disk::{Disk, memory::MemoryDisk, os::OsDisk},
};
use crate::{
    metadata::store::Store,
    wire::{batch::Batches, build::BatchBuilder, record::Records},
};

pub(super) const TOPIC: &str = "prices";
pub(super) const NOW: i64 = 1_700_000_000_000;

/// A disk, a store and a place: what survives when a log is dropped and opened again.
#[derive(Clone)]
pub(super) struct World {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) memory: Option<MemoryDisk>,
    pub(super) store: Store,
    pub(super) path: std::path::PathBuf,
    pub(super) open_files_max: usize,
    _temporary: Option<Arc<tempfile::TempDir>>,
}

impl World {
    pub(super) fn in_memory() -> Self {
        let memory = MemoryDisk::default();
        Self {
            disk: Arc::new(memory.clone()),
            memory: Some(memory),
            store: Store::in_memory(),
            path: Path::new("/data").to_path_buf(),
            open_files_max: 100,
            _temporary: None,
        }
    }

    pub(super) fn on_disk() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self {
            disk: Arc::new(OsDisk),
            memory: None,
            store: Store::in_memory(),
            path: temporary.path().to_path_buf(),
            open_files_max: 100,
            _temporary: Some(Arc::new(temporary)),
        }
    }

    pub(super) fn dir(&self) -> Arc<LogDir> {
        LogDir::on_disk(&self.path, &self.store, Arc::clone(&self.disk), self.open_files_max).unwrap()
    }

    pub(super) fn open(&self, config: &LogConfig) -> PartitionLog {
        self.open_partition(&self.dir(), 0, config)
    }

    pub(super) fn open_partition(&self, dir: &Arc<LogDir>, partition: i32, config: &LogConfig) -> PartitionLog {
        PartitionLog::open(dir, TOPIC, Uuid::from_u128(7), partition, Arc::new(config.clone()), NOW).unwrap()
    }

    pub(super) fn segment_path(&self, base_offset: i64) -> std::path::PathBuf {
        self.path
            .join(format!("{TOPIC}-0"))
            .join(format!("{base_offset:020}.log"))
    }
}

/// A batch with a record for each value, all at `timestamp_ms`.
pub(super) fn batch(timestamp_ms: i64, values: &[&str]) -> Vec<u8> {
    let builder = BatchBuilder::new();
    let add = |builder: BatchBuilder, value: &&str| builder.record(timestamp_ms, None, Some(value.as_bytes()));
    values.iter().fold(builder, add).build().unwrap()
}

/// [`batch`] of an idempotent producer.
pub(super) fn sequenced(producer_id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Vec<u8> {
    let builder = BatchBuilder::new().producer(producer_id, epoch, sequence);
    let add = |builder: BatchBuilder, value: &&str| builder.record(NOW, None, Some(value.as_bytes()));
    values.iter().fold(builder, add).build().unwrap()
}

/// As a producer whose transaction, if it has one, is confirmed.
pub(super) fn append(log: &PartitionLog, bytes: &[u8]) -> Result<Appended, AppendError> {
    log.append(bytes, Origin::Confirmed, 0, NOW)
}

pub(super) fn code(error: &AppendError) -> ResponseError {
    error.response_error()
}

pub(super) fn append_values(log: &PartitionLog, values: &[&str]) -> i64 {
    append(log, &batch(NOW, values)).unwrap().base_offset
}

/// All records from `from` on, read in pieces of `max_bytes`: offset and value.
pub(super) fn records(log: &PartitionLog, from: i64, max_bytes: usize, isolation: Isolation) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let mut offset = from;
    loop {
        let read = log.read(offset, max_bytes, true, isolation).unwrap();
        let Some(chunk) = read.chunk else { return found };
        let (bytes, before) = (chunk.read().unwrap(), offset);
        for batch in Batches::new(&bytes) {
            // The last one may be cut off, as clients know it.
            let Ok(batch) = batch else { break };
            batch.validate_crc().unwrap();
            let plain = batch.decompressed(1 << 30).unwrap();
            for record in Records::new(&batch.header, &plain) {
                let record = record.unwrap();
                if record.offset >= offset {
                    let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                    found.push((record.offset, value));
                }
            }
            offset = offset.max(batch.header.next_offset());
        }
        assert!(offset > before, "a chunk holds at least one whole batch");
    }
}

pub(super) fn all(log: &PartitionLog) -> Vec<(i64, String)> {
    records(log, log.offsets().log_start_offset, 1 << 20, Isolation::ReadUncommitted)
}
