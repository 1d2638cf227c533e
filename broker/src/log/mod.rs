//! Partition logs: record batches, verbatim, in segment files of Apache Kafka's own format.
//!
//! # Format
//! ```text
//! <data directory>/
//!   <topic>-<partition>/
//!     partition.metadata               Kafka's: whose directory this is
//!     00000000000000000000.log         record batches one after the other, from offset 0
//!     00000000000000004711.log         the next segment, from offset 4711: the one that is appended to
//!   <topic>-<partition>.<unique>-delete   a deleted topic, for `file.delete.delay.ms`
//! ```
//! A batch is stored as it was sent, but for its base offset and leader epoch, which its CRC does not cover (and its time,
//! under `LogAppendTime`). There are no index files: what can be derived from the batches is in the store
//! ([`crate::metadata::segments`]), as of the last checkpoint, and Apache Kafka makes its own when it is given the files.
//!
//! # Invariants
//! 1. Offsets only grow. Within a log, the segments' ranges follow on one another without a gap: each ends where the next
//!    begins. (Compaction takes records out and leaves the batches' ranges.)
//! 2. Published bytes never change. All but the last segment of a log are read-only; compaction makes new files.
//! 3. Readers see whole batches or nothing. An append is published after its bytes are in the file.
//! 4. The files are the truth about records; the store says how far they have been looked at. Only the log start offset is
//!    the store's alone.
//! 5. No lock is shared by two logs on the way of an append or a read, and neither waits for an fsync, for the store's disk
//!    (but for one chunk of an old segment's index), or for compaction.
//! 6. Open files are bounded; memory does not grow with the length of a log.
//!
//! # What survives what
//! | | everything acknowledged | and otherwise |
//! |---|---|---|
//! | `kill -9` | is there | a batch whose write was cut is cut off; producers' sequences are as they were |
//! | power loss | is there where its append waited for [`PartitionLog::synced`] (`flush.messages=1`) | the log is a prefix of what it was, by whole batches |
//! | failed write or fsync | is there, unless the power goes too | that log is offline (`KAFKA_STORAGE_ERROR`), nothing that waits for a sync is acknowledged, nothing is repeated on the file, reads and the other logs go on; opening it again recovers by CRC, and writes anew into other files what was in doubt, as a later fsync says nothing about it |
//! | full disk | is there | nothing partial is visible, reads go on, appends go on when there is space; they stop a little early, as the metadata store needs room ([`space`]) |
//! | a damaged byte | is never answered: clients check the CRC, and so does everything here that decodes | recovery cuts the last segment there; salvage ([`LogDir::salvage`]) keeps what comes after |
//!
//! A record may be read before its sync: where the power goes just then, its readers have seen what is not there any more.
//! Topics, configs, groups' offsets, log start offsets and the ends of transactions are the store's, and survive the loss of
//! power whatever `flush.messages` is; a transaction whose records may be lost keeps its end and not its records.
//!
//! Sizes, times and the rest follow Kafka's topic properties ([`LogConfig`]).

mod append;
mod checkpoint;
mod cleaning;
mod compaction;
mod config;
mod dir;
pub mod disk;
mod epochs;
mod error;
mod index;
pub mod inspect;
mod keys;
mod pace;
mod partition;
mod producers;
mod read;
mod recovery;
mod retention;
mod segment;
mod space;
mod swap;
mod sync;
mod topic_id;
mod types;
mod upkeep;
mod validate;
mod waiters;
mod walk;

pub use compaction::Compacted;
pub use config::{CleanupPolicy, CompressionType, LogConfig, TimestampType};
pub use dir::LogDir;
pub use error::{AppendError, LogError, ReadError, RecordError};
pub use pace::Pace;
pub use partition::PartitionLog;
pub use producers::{KnownProducer, Unconfirmed};
pub use types::{AbortedTxn, Appended, FileChunk, Isolation, Offsets, Origin, Read, TimedOffset};
pub use waiters::{Registration, Waiters};

#[cfg(test)]
mod tests;
