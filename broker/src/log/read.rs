//! Reading: from an offset or a time to a range of a segment file.

use std::sync::Arc;

use super::{
    error::ReadError,
    partition::Inner,
    segment::{Segment, SegmentError},
    types::{AbortedTxn, Isolation, Offsets, Read, TimedOffset},
};
use crate::wire::{
    batch::{Batch, BatchHeader},
    record::Records,
};

/// How often a read starts anew because retention or compaction took away the segment it was looking at.
const ATTEMPTS_MAX: usize = 16;

/// A segment as a reader sees it: with the end of what is published of it.
type Seen = (Arc<Segment>, u64);

impl Inner {
    pub(super) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        isolation: Isolation,
    ) -> Result<Read, ReadError> {
        for _ in 0..ATTEMPTS_MAX {
            match self.try_read(offset, max_bytes, at_least_one, isolation) {
                Ok(read) => return Ok(read),
                Err(SegmentError::Retired) => {}
                Err(SegmentError::Failed(error)) => return Err(error),
            }
        }
        Err(self.gone())
    }

    fn try_read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        isolation: Isolation,
    ) -> Result<Read, SegmentError> {
        let (offsets, mut index, mut seen, has_aborted) = {
            let view = self.view.read();
            let offsets = view.offsets();
            if offset < offsets.log_start_offset || offset > offsets.log_end_offset {
                let Offsets {
                    log_start_offset,
                    log_end_offset,
                    ..
                } = offsets;
                let error = ReadError::OutOfRange {
                    offset,
                    log_start_offset,
                    log_end_offset,
                };
                return Err(SegmentError::Failed(error));
            }
            let index = view.index_of(offset);
            (
                offsets,
                index,
                Some((Arc::clone(&view.segments[index]), view.end_of(index))),
                view.has_aborted,
            )
        };
        let limit = match isolation {
            Isolation::ReadUncommitted => offsets.high_watermark,
            Isolation::ReadCommitted => offsets.last_stable_offset,
        };
        let mut read = Read {
            chunk: None,
            offsets,
            aborted: Vec::new(),
        };
        // As Kafka does, all that were aborted up to where the segment ends, also beyond what is read of it.
        let mut aborted_until = offset;
        // What is after the last record of one segment is in the next, where compaction has left a gap.
        while let Some((segment, mut end)) = seen
            && offset < limit
            && segment.base_offset < limit
        {
            if limit < offsets.log_end_offset && limit < segment.next_offset() {
                end = segment
                    .locate(&self.dir, limit, end)?
                    .map_or(end, |(_, position)| position);
            }
            if let Some(chunk) = segment.chunk(&self.dir, offset, end, max_bytes, at_least_one)? {
                read.chunk = (chunk.len > 0).then_some(chunk);
                aborted_until = segment.next_offset();
                break;
            }
            index += 1;
            let view = self.view.read();
            seen = view
                .segments
                .get(index)
                .map(|segment| (Arc::clone(segment), view.end_of(index)));
            // Another segment than the one after ours: something was taken away in between.
            if seen
                .as_ref()
                .is_some_and(|(next, _)| next.base_offset < segment.next_offset())
            {
                return Err(SegmentError::Retired);
            }
        }
        if isolation == Isolation::ReadCommitted && has_aborted {
            read.aborted = self
                .writer
                .lock()
                .producers
                .aborted_between(offset, aborted_until)
                .map(|aborted| AbortedTxn {
                    producer_id: aborted.producer_id,
                    first_offset: aborted.first_offset,
                })
                .collect();
        }
        Ok(read)
    }

    fn gone(&self) -> ReadError {
        ReadError::Offline(self.offline.get().cloned().unwrap_or_else(|| "it was removed".into()))
    }

    /// All segments that hold something that can be read.
    fn seen(&self) -> (i64, Vec<Seen>) {
        let view = self.view.read();
        let first = view.index_of(view.log_start_offset);
        let seen = (first..view.segments.len()).map(|index| (Arc::clone(&view.segments[index]), view.end_of(index)));
        (view.log_start_offset, seen.collect())
    }

    pub(super) fn offset_for_time(&self, timestamp_ms: i64) -> Result<Option<TimedOffset>, ReadError> {
        self.retry(|log_start_offset, segments| {
            for (segment, end) in segments
                .iter()
                .filter(|(segment, _)| segment.max_timestamp_ms() >= timestamp_ms)
            {
                let mut from = 0;
                while let Some((header, position)) = segment.locate_time(&self.dir, timestamp_ms, from, *end)? {
                    from = position + header.size_in_bytes() as u64;
                    let found = self.record_where(segment, &header, position, |offset, timestamp| {
                        offset >= log_start_offset && timestamp >= timestamp_ms
                    })?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
            Ok(None)
        })
    }

    pub(super) fn max_timestamp(&self) -> Result<Option<TimedOffset>, ReadError> {
        self.retry(|_, segments| {
            // Of those that have it, the first. As in Apache Kafka that may be one below the log start offset, as long as
            // its segment is there.
            let latest = segments
                .iter()
                .rev()
                .max_by_key(|(segment, _)| segment.max_timestamp_ms());
            let Some((segment, end)) = latest else { return Ok(None) };
            let Some((header, position)) = segment.locate_max_timestamp(&self.dir, *end)? else {
                return Ok(None);
            };
            self.record_where(segment, &header, position, |_, timestamp| {
                timestamp == header.max_timestamp
            })
        })
    }

    fn retry(
        &self,
        mut search: impl FnMut(i64, &[Seen]) -> Result<Option<TimedOffset>, SegmentError>,
    ) -> Result<Option<TimedOffset>, ReadError> {
        for _ in 0..ATTEMPTS_MAX {
            let (log_start_offset, segments) = self.seen();
            match search(log_start_offset, &segments) {
                Ok(found) => return Ok(found),
                Err(SegmentError::Retired) => {}
                Err(SegmentError::Failed(error)) => return Err(error),
            }
        }
        Err(self.gone())
    }

    /// The first record of a batch whose offset and timestamp are `wanted`.
    fn record_where(
        &self,
        segment: &Segment,
        header: &BatchHeader,
        position: u64,
        wanted: impl Fn(i64, i64) -> bool,
    ) -> Result<Option<TimedOffset>, SegmentError> {
        let bytes = segment.read_batch(&self.dir, header, position)?;
        let batch = Batch {
            position: 0,
            header: header.clone(),
            bytes: &bytes,
        };
        let corrupt = |reason: String| SegmentError::Failed(ReadError::Corrupt(reason));
        batch.validate_crc().map_err(|error| corrupt(error.to_string()))?;
        let plain = batch
            .decompressed(self.config().decompressed_bytes_max)
            .map_err(|error| corrupt(error.to_string()))?;
        for record in Records::new(header, &plain) {
            let record = record.map_err(|error| corrupt(error.to_string()))?;
            if wanted(record.offset, record.timestamp) {
                return Ok(Some(TimedOffset {
                    timestamp_ms: record.timestamp,
                    offset: record.offset,
                    leader_epoch: header.partition_leader_epoch,
                }));
            }
        }
        Ok(None)
    }
}
