//! Why a log refuses, and the Kafka error code of each refusal.

use std::{io, path::PathBuf};

use kafka_protocol::error::ResponseError;

use crate::{metadata::store::StoreError, wire::batch::BatchError};

/// A log that cannot be opened, closed or removed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The metadata store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why one record is refused, and the whole batch with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Of the record in its batch, from zero.
    pub batch_index: i32,
    /// In Kafka's words.
    pub message: String,
}

/// A batch that is not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The batch is not whole, not of today's format, or says something that a producer may not say.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The batch is whole and does not suit the topic.
    #[error("{0}")]
    InvalidRecord(String),
    /// Over `max.message.bytes`.
    #[error("a batch of {size_bytes} bytes is over max.message.bytes, which is {max_bytes}")]
    TooLarge {
        /// Of the batch.
        size_bytes: usize,
        /// The bound.
        max_bytes: usize,
    },
    /// Over `segment.bytes`.
    #[error("{size_bytes} bytes of records are over segment.bytes, which is {max_bytes}")]
    LargerThanSegment {
        /// Of the records.
        size_bytes: usize,
        /// The bound.
        max_bytes: usize,
    },
    /// The records cannot be taken apart, in a way that Apache Kafka does not foresee: it answers with an unknown error.
    #[error("{0}")]
    Undecodable(String),
    /// Some records do not suit the topic: their timestamps, or that they have no key (KIP-467).
    #[error("{message}")]
    Rejected {
        /// Whether a timestamp is among the reasons.
        by_time: bool,
        /// In Kafka's words.
        message: String,
        /// Which, and why: the first thousand.
        records: Vec<RecordError>,
    },
    /// The producer's sequence number does not follow the last one.
    #[error("producer {producer_id}: sequence {sequence} does not follow {last_sequence}")]
    OutOfOrderSequence {
        /// Who.
        producer_id: i64,
        /// Of the batch.
        sequence: i32,
        /// Of the last record appended.
        last_sequence: i32,
    },
    /// A producer of the same id with a later epoch has written.
    #[error("producer {producer_id}: epoch {epoch} is older than {current_epoch}")]
    InvalidProducerEpoch {
        /// Who.
        producer_id: i64,
        /// Of the batch.
        epoch: i16,
        /// The latest seen.
        current_epoch: i16,
    },
    /// A batch outside the producer's open transaction.
    #[error("producer {0} has an open transaction and wrote outside it")]
    InvalidTransactionState(i64),
    /// A transactional batch of a producer that has no transaction open in this log, and none confirmed.
    #[error("producer {0} wrote to a partition that is not part of its transaction")]
    NotInTransaction(i64),
    /// A marker from a transaction coordinator that has been replaced.
    #[error("the marker's coordinator epoch {epoch} is older than {current_epoch}")]
    CoordinatorFenced {
        /// Of the marker.
        epoch: i32,
        /// The latest seen.
        current_epoch: i32,
    },
    /// The disk is full; nothing of the batch is visible, and the log takes writes again when there is space.
    #[error("no space left on the disk")]
    DiskFull,
    /// The file could not be opened; nothing was written and nothing is in doubt.
    #[error("{0}")]
    Unwritten(String),
    /// A write or fsync of this log failed earlier, or did now: it takes no more writes.
    #[error("the log is offline: {0}")]
    Offline(String),
}

impl AppendError {
    /// The Kafka error that a producer is answered with.
    #[must_use]
    pub fn response_error(&self) -> ResponseError {
        match self {
            Self::Batch(error) => error.response_error(),
            Self::InvalidRecord(_) => ResponseError::InvalidRecord,
            Self::TooLarge { .. } => ResponseError::MessageTooLarge,
            Self::LargerThanSegment { .. } => ResponseError::RecordListTooLarge,
            Self::Undecodable(_) => ResponseError::UnknownServerError,
            Self::Rejected { by_time: true, .. } => ResponseError::InvalidTimestamp,
            Self::Rejected { by_time: false, .. } => ResponseError::InvalidRecord,
            Self::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } => ResponseError::InvalidProducerEpoch,
            Self::InvalidTransactionState(_) | Self::NotInTransaction(_) => ResponseError::InvalidTxnState,
            Self::CoordinatorFenced { .. } => ResponseError::TransactionCoordinatorFenced,
            Self::DiskFull | Self::Unwritten(_) | Self::Offline(_) => ResponseError::KafkaStorageError,
        }
    }
}

/// A read that is not answered with records.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Below the log start offset or above the log end offset.
    #[error("offset {offset} is outside {log_start_offset}..={log_end_offset}")]
    OutOfRange {
        /// That was asked for.
        offset: i64,
        /// The first that is there.
        log_start_offset: i64,
        /// The next to be written.
        log_end_offset: i64,
    },
    /// The log is offline for good: it was removed, or its disk failed.
    #[error("the log is offline: {0}")]
    Offline(String),
    /// Records are only deleted where the cleanup policy deletes.
    #[error("the cleanup policy keeps records that are not replaced")]
    Policy,
    /// The disk could not be read.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The bytes on disk are not what was written.
    #[error("corrupt batch: {0}")]
    Corrupt(String),
    /// The metadata store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReadError {
    /// The Kafka error that a reader is answered with.
    #[must_use]
    pub fn response_error(&self) -> ResponseError {
        match self {
            Self::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
            Self::Policy => ResponseError::PolicyViolation,
            Self::Corrupt(_) => ResponseError::CorruptMessage,
            Self::Offline(_) | Self::Io { .. } | Self::Store(_) => ResponseError::KafkaStorageError,
        }
    }
}
