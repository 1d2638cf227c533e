//! Partition logs: record batches, verbatim, in segment files of Apache Kafka's own format.

use std::{path::Path, sync::Arc};

use uuid::Uuid;

use crate::metadata::store::Store;

mod config;
pub mod disk;
mod error;
mod types;
mod waiters;

pub use config::{CleanupPolicy, CompressionType, LogConfig, TimestampType};
pub use error::{AppendError, LogError, ReadError};
pub use types::{AbortedTxn, Appended, FileChunk, Isolation, Offsets, Origin, Read, TimedOffset};
pub use waiters::{Registration, Waiters};

/// A data directory: what its partition logs share (files open at the same time, threads that sync, what is to be
/// deleted), and nothing that an append or a read would wait for.
#[derive(Debug)]
pub struct LogDir {}

impl LogDir {
    /// Opens the data directory `dir`, whose metadata `store` has. Not more than about `open_files_max` segment files
    /// are open at a time.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(dir: &Path, store: &Store, open_files_max: usize) -> Result<Arc<Self>, LogError> {
        let _ = (dir, store, open_files_max);
        Ok(Arc::new(Self {}))
    }

    /// Ends a clean shutdown, after every log was [closed](PartitionLog::close): the next start trusts what it finds.
    ///
    /// # Errors
    /// The disk's.
    pub fn close(&self) -> Result<(), LogError> {
        Ok(())
    }
}

/// The log of one partition. Used behind `Arc` from every network thread: appends and reads are plain file I/O on the
/// caller's thread, and no two logs share a lock.
#[derive(Debug)]
pub struct PartitionLog {
    waiters: Arc<Waiters>,
}

impl PartitionLog {
    /// Opens the log of a partition, making it where it is not there, and recovering it where it was not closed.
    ///
    /// # Errors
    /// The disk's or the store's. A log whose bytes are damaged is cut to its whole batches, not refused.
    pub fn open(
        dir: &Arc<LogDir>,
        topic: &str,
        topic_id: Uuid,
        partition: i32,
        config: Arc<LogConfig>,
        now_ms: i64,
    ) -> Result<Self, LogError> {
        let _ = (dir, topic, topic_id, partition, config, now_ms);
        Ok(Self {
            waiters: Arc::default(),
        })
    }

    /// Appends the batches in `records`, all or nothing: one batch from a client, any number from the broker itself.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing is appended then.
    pub fn append(
        &self,
        records: &[u8],
        origin: Origin,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let _ = (records, origin, leader_epoch, now_ms);
        Err(AppendError::Offline("not built yet".into()))
    }

    /// The stored batches from the one that contains `offset`, at most `max_bytes` of them; where `at_least_one_batch`,
    /// the first one however large it is.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one_batch: bool,
        isolation: Isolation,
    ) -> Result<Read, ReadError> {
        let _ = (offset, max_bytes, at_least_one_batch, isolation);
        Ok(Read {
            chunk: None,
            offsets: self.offsets(),
            aborted: Vec::new(),
        })
    }

    /// Where the log begins and ends.
    #[must_use]
    pub fn offsets(&self) -> Offsets {
        Offsets {
            log_start_offset: 0,
            high_watermark: 0,
            last_stable_offset: 0,
            log_end_offset: 0,
        }
    }

    /// The first record whose timestamp is `timestamp_ms` or later.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn offset_for_time(&self, timestamp_ms: i64) -> Result<Option<TimedOffset>, ReadError> {
        let _ = timestamp_ms;
        Ok(None)
    }

    /// The record with the greatest timestamp, the first of them.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn max_timestamp(&self) -> Result<Option<TimedOffset>, ReadError> {
        Ok(None)
    }

    /// The largest epoch that is not above `epoch`, and the offset after its last record; `(-1, -1)` where there is none.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: i32) -> (i32, i64) {
        let _ = epoch;
        (-1, -1)
    }

    /// The latest leader epoch under which something was appended; -1 where there is none.
    #[must_use]
    pub fn latest_epoch(&self) -> i32 {
        -1
    }

    /// Moves the log start offset up to `before` (-1: the high watermark) and returns it. What is below is no longer read.
    /// Durable after [`Store::flush`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn delete_records(&self, before: i64) -> Result<i64, ReadError> {
        Ok(before.max(0))
    }

    /// Obeys `config` from now on.
    pub fn set_config(&self, config: Arc<LogConfig>) {
        drop(config);
    }

    /// Who waits for the log to grow.
    #[must_use]
    pub fn waiters(&self) -> &Arc<Waiters> {
        &self.waiters
    }

    /// Returns when everything below `offset` survives power loss. One fdatasync, off the caller's thread, serves all
    /// who wait.
    ///
    /// # Errors
    /// [`AppendError::Offline`]: the fdatasync failed.
    pub async fn synced(&self, offset: i64) -> Result<(), AppendError> {
        let _ = offset;
        Ok(())
    }

    /// The bytes of all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        0
    }

    /// Syncs and writes a checkpoint, so that the next [`Self::open`] has nothing to recover. Appends are refused from now on.
    ///
    /// # Errors
    /// The disk's or the store's.
    pub fn close(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// Takes the log away: its directory is renamed at once and deleted after `file.delete.delay.ms`. Readers keep what
    /// they have.
    ///
    /// # Errors
    /// The disk's or the store's.
    pub fn remove(&self, now_ms: i64) -> Result<(), LogError> {
        let _ = now_ms;
        Ok(())
    }
}
