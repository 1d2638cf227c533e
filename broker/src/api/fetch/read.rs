//! Reading the partitions of a fetch, within its limits.

use std::sync::Arc;

use crate::error::ResponseError;
use crate::log::{AbortedTxn, FileChunk, Isolation, ReadError};
use crate::metadata::topics::Partition;
use crate::runtime::fetch_sessions::{PartitionKey, Wanted};

/// A partition that is there.
pub(super) struct Place {
    pub partition: Arc<Partition>,
}

/// What is to be read.
pub(super) struct Target {
    pub key: PartitionKey,
    pub wanted: Wanted,
    pub place: Result<Place, ResponseError>,
}

/// What was read of one partition, as the response has it.
#[derive(Debug)]
pub(super) struct Found {
    pub error: i16,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    /// The largest epoch that the log shares with the client, and where it ends, if the client's history is another.
    pub diverging: Option<(i32, i64)>,
    /// `None` for readers of uncommitted records.
    pub aborted: Option<Vec<AbortedTxn>>,
    pub chunk: Option<FileChunk>,
}

impl Found {
    pub(super) fn error(error: ResponseError) -> Self {
        Self {
            error: error.code(),
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging: None,
            aborted: None,
            chunk: None,
        }
    }

    /// Whether this is something that a client should know of at once.
    pub(super) fn is_special(&self) -> bool {
        self.error != 0 || self.diverging.is_some()
    }

    pub(super) fn size_in_bytes(&self) -> usize {
        self.chunk.as_ref().map_or(0, |chunk| chunk.len)
    }
}

/// Reads all targets in order, together at most `max_bytes`; only the first batch of all may be larger, so that a client
/// with a small limit gets on.
pub(super) fn read_all(targets: &[Target], max_bytes: usize, isolation: Isolation) -> Vec<Found> {
    let mut left = max_bytes;
    let mut at_least_one_batch = true;
    let read = |target: &Target| {
        let found = match &target.place {
            // As Kafka has it: a list, though an empty one, where the partition is not there.
            Err(error) => Found {
                aborted: Some(Vec::new()),
                ..Found::error(*error)
            },
            // Apache Kafka does not foresee a limit below zero.
            Ok(_) if target.wanted.max_bytes < 0 => Found::error(ResponseError::UnknownServerError),
            Ok(place) => {
                let limit = left.min(usize::try_from(target.wanted.max_bytes).unwrap_or(0));
                read_one(&place.partition, &target.wanted, limit, at_least_one_batch, isolation)
                    .unwrap_or_else(Found::error)
            }
        };
        let size = found.size_in_bytes();
        at_least_one_batch &= size == 0;
        left = left.saturating_sub(size);
        found
    };
    targets.iter().map(read).collect()
}

fn read_one(
    partition: &Partition,
    wanted: &Wanted,
    max_bytes: usize,
    at_least_one_batch: bool,
    isolation: Isolation,
) -> Result<Found, ResponseError> {
    if partition.is_deleted() {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    check_leader_epoch(partition, wanted.current_leader_epoch)?;
    if let Some(diverging) = diverging(partition, wanted)? {
        let offsets = partition.log.offsets();
        return Ok(Found {
            error: 0,
            high_watermark: offsets.high_watermark,
            last_stable_offset: offsets.last_stable_offset,
            log_start_offset: offsets.log_start_offset,
            diverging: Some(diverging),
            aborted: None,
            chunk: None,
        });
    }
    let read = partition
        .log
        .read(wanted.fetch_offset, max_bytes, at_least_one_batch, isolation);
    let read = read.map_err(|error| {
        if !matches!(error, ReadError::OutOfRange { .. }) {
            tracing::error!(%error, "a read failed");
        }
        error.response_error()
    })?;
    Ok(Found {
        error: 0,
        high_watermark: read.offsets.high_watermark,
        last_stable_offset: read.offsets.last_stable_offset,
        log_start_offset: read.offsets.log_start_offset,
        diverging: None,
        aborted: (isolation == Isolation::ReadCommitted).then_some(read.aborted),
        chunk: read.chunk,
    })
}

/// Refuses a client that knows an older or a newer leader than there is.
pub(crate) fn check_leader_epoch(partition: &Partition, known: i32) -> Result<(), ResponseError> {
    match known {
        -1 => Ok(()),
        known if known < partition.leader_epoch => Err(ResponseError::FencedLeaderEpoch),
        known if known > partition.leader_epoch => Err(ResponseError::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

/// Where the log parts from what the client has fetched, if it does (KIP-595).
fn diverging(partition: &Partition, wanted: &Wanted) -> Result<Option<(i32, i64)>, ResponseError> {
    if wanted.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let (epoch, end_offset) = crate::api::offset_for_leader_epoch::end_offset(partition, wanted.last_fetched_epoch);
    let offsets = partition.log.offsets();
    if epoch < 0 || end_offset < 0 || wanted.fetch_offset < offsets.log_start_offset {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let parts = epoch < wanted.last_fetched_epoch || end_offset < wanted.fetch_offset;
    Ok(parts.then_some((epoch, end_offset)))
}
