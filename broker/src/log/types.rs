//! What goes into a log and what comes out, as the API layer sees it.

use super::disk::LogFile;
use std::{io, os::fd::BorrowedFd, sync::Arc};

/// Who wrote a batch, and so how far it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer over the network: everything is checked, one batch at a time, no control batches.
    Client,
    /// A producer whose transaction the coordinator has just confirmed, so that its first batch in this log begins it here.
    /// Otherwise as [`Origin::Client`].
    Confirmed,
    /// The broker itself (transaction markers, internal topics): epochs are checked, sequences are not.
    Coordinator,
}

impl Origin {
    /// Whether it came over the network.
    pub(super) fn is_client(self) -> bool {
        matches!(self, Origin::Client | Origin::Confirmed)
    }
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Of the first record.
    pub base_offset: i64,
    /// Of the last record.
    pub last_offset: i64,
    /// The broker's time where the topic keeps it (`LogAppendTime`), and for duplicates (as Kafka); otherwise -1.
    pub log_append_time_ms: i64,
    /// The first offset that can be read.
    pub log_start_offset: i64,
    /// Whether the batch had been appended before, at these offsets.
    pub duplicate: bool,
    /// By `flush.messages`, the reply must wait for [`PartitionLog::synced`](super::PartitionLog::synced) up to
    /// `last_offset + 1`.
    pub needs_sync: bool,
}

/// Which records a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset; the reader drops aborted transactions itself.
    ReadCommitted,
}

/// Where a log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The first offset that can be read.
    pub log_start_offset: i64,
    /// What is committed: on a single node, the log end offset.
    pub high_watermark: i64,
    /// The first offset of the oldest open transaction, or the high watermark.
    pub last_stable_offset: i64,
    /// The offset of the next record.
    pub log_end_offset: i64,
}

/// A transaction that was aborted, as Fetch tells it to readers of committed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose.
    pub producer_id: i64,
    /// Of the transaction's first record.
    pub first_offset: i64,
}

/// Stored batches: a range of a segment file. The file stays readable while the chunk lives, also when retention or
/// compaction takes the segment away.
#[derive(Clone, Debug)]
pub struct FileChunk {
    /// The segment.
    pub file: Arc<LogFile>,
    /// Where the first batch starts, in bytes.
    pub position: u64,
    /// How many bytes.
    pub len: usize,
}

impl FileChunk {
    /// For `sendfile`; `None` where the bytes are not in a file of the operating system.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.fd()
    }

    /// The bytes, by `pread`: the portable path.
    ///
    /// # Errors
    /// The disk's; a chunk that is cut short is an error too.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes)
    }
}

/// The answer to a read.
#[derive(Clone, Debug)]
pub struct Read {
    /// The batches from the one that contains the asked offset, whole ones only; `None` where there is nothing to read.
    pub chunk: Option<FileChunk>,
    /// As of the read.
    pub offsets: Offsets,
    /// For [`Isolation::ReadCommitted`]: the aborted transactions that overlap the chunk.
    pub aborted: Vec<AbortedTxn>,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOffset {
    /// Of the record.
    pub timestamp_ms: i64,
    /// Of the record.
    pub offset: i64,
    /// Under which it was written.
    pub leader_epoch: i32,
}
