//! Finding batches in a segment: by offset, by time, and how far a read goes.
//!
//! The index, in memory or in the store, says where to begin; from there the batches' headers are walked.

use std::{ops::ControlFlow, sync::Arc};

use super::{Entries, Segment, SegmentError};
use crate::{
    log::{
        dir::LogDir,
        disk::LogFile,
        index::{self, IndexEntry},
        types::FileChunk,
        walk,
    },
    metadata::segments::trailing_u32,
    wire::batch::BatchHeader,
};

/// Where to look for an offset.
struct Guess {
    start: IndexEntry,
    /// A place between batches, at most so far from the start as was asked.
    between: u64,
}

impl Segment {
    /// The batches from the one that contains `offset`, or the next after it, up to `end` (a place between batches) or to
    /// `max_bytes`, where the last of several is cut off, as Apache Kafka does: clients skip what is not whole. `None` where
    /// there is none before `end`. A first batch that is larger than `max_bytes` is whole where there must be
    /// `at_least_one`, else the chunk is empty.
    pub(in crate::log) fn chunk(
        &self,
        dir: &LogDir,
        offset: i64,
        end: u64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<FileChunk>, SegmentError> {
        let guess = self.guess(dir, offset, max_bytes)?;
        let file = self.file(dir)?;
        let mut start = u64::from(guess.start.position);
        if self.base_offset + i64::from(guess.start.relative_offset) != offset {
            match self.find(&file, start, end, |header| header.last_offset() >= offset)? {
                Some((_, position)) => start = position,
                None => return Ok(None),
            }
        }
        if start >= end {
            return Ok(None);
        }
        let limit = start.saturating_add(max_bytes as u64);
        let mut cut = limit.min(end);
        // Where the index knows of a place between batches before the limit, the first one fits.
        if limit < end && guess.between <= start {
            let first = self.find(&file, start, end, |_| true)?;
            let first_end = first.map_or(end, |(header, position)| position + header.size_in_bytes() as u64);
            if limit < first_end {
                cut = if at_least_one { first_end } else { start };
            }
        }
        let len = usize::try_from(cut - start).unwrap_or(usize::MAX);
        Ok(Some(FileChunk {
            file,
            position: start,
            len,
        }))
    }

    /// Where the first batch that ends at or after `offset` starts, from index and headers. `end` as for [`Self::chunk`].
    pub(in crate::log) fn locate(
        &self,
        dir: &LogDir,
        offset: i64,
        end: u64,
    ) -> Result<Option<(BatchHeader, u64)>, SegmentError> {
        let guess = self.guess(dir, offset, 0)?;
        let file = self.file(dir)?;
        self.find(&file, u64::from(guess.start.position), end, |header| {
            header.last_offset() >= offset
        })
    }

    /// The first batch up to `end` that has a record of `timestamp_ms` or later, at or after byte `from`.
    pub(in crate::log) fn locate_time(
        &self,
        dir: &LogDir,
        timestamp_ms: i64,
        from: u64,
        end: u64,
    ) -> Result<Option<(BatchHeader, u64)>, SegmentError> {
        let start = match &self.state.read().entries {
            Entries::Memory { entries, .. } => Some(index::by_time(entries, timestamp_ms)),
            Entries::Store { .. } => None,
        };
        let start = match start {
            Some(start) => start,
            None => self.stored_by_time(dir, timestamp_ms)?,
        };
        let file = self.file(dir)?;
        let from = from.max(u64::from(start.position));
        self.find(&file, from, end, |header| header.max_timestamp >= timestamp_ms)
    }

    /// The bytes of a batch that was located.
    pub(in crate::log) fn read_batch(
        &self,
        dir: &LogDir,
        header: &BatchHeader,
        position: u64,
    ) -> Result<Vec<u8>, SegmentError> {
        let file = self.file(dir)?;
        walk::read_batch(&file, position, header.size_in_bytes()).map_err(|error| self.failed("reading", error))
    }

    /// The batch whose largest timestamp is the segment's.
    pub(in crate::log) fn locate_max_timestamp(
        &self,
        dir: &LogDir,
        end: u64,
    ) -> Result<Option<(BatchHeader, u64)>, SegmentError> {
        let offset = self.state.read().max_timestamp_offset;
        self.locate(dir, offset, end)
    }

    fn find(
        &self,
        file: &LogFile,
        from: u64,
        end: u64,
        mut wanted: impl FnMut(&BatchHeader) -> bool,
    ) -> Result<Option<(BatchHeader, u64)>, SegmentError> {
        let visit = |header: BatchHeader, position| {
            if wanted(&header) {
                ControlFlow::Break((header, position))
            } else {
                ControlFlow::Continue(())
            }
        };
        walk::walk(file, from, end, visit).map_err(|error| self.failed("reading", error))
    }

    fn guess(&self, dir: &LogDir, offset: i64, max_bytes: usize) -> Result<Guess, SegmentError> {
        let relative = u32::try_from(offset.saturating_sub(self.base_offset).max(0)).unwrap_or(u32::MAX);
        let within = |entries: &[IndexEntry]| {
            let start = index::by_offset(entries, relative);
            let limit = u64::from(start.position).saturating_add(max_bytes as u64);
            Guess {
                start,
                between: u64::from(index::by_position(entries, limit).position),
            }
        };
        let recent = match &self.state.read().entries {
            Entries::Memory { entries, .. } => return Ok(within(entries)),
            Entries::Store { recent } => recent.clone(),
        };
        // The last entry of a chunk is the first of the next, so only what lies before it is answered by this chunk.
        if let Some(chunk) = recent
            && let [first, .., last] = &*chunk
            && (first.relative_offset..last.relative_offset).contains(&relative)
        {
            return Ok(within(&chunk));
        }
        let key = self.key.index_chunk(self.base_offset, relative);
        let prefix = &key[..key.len() - 4];
        let chunk: Arc<[IndexEntry]> = match dir.tree().last_at_most(&key)? {
            Some((found, value)) if found.starts_with(prefix) => index::decode_chunk(&value).into(),
            _ => {
                return Ok(Guess {
                    start: IndexEntry::START,
                    between: 0,
                });
            }
        };
        let guess = within(&chunk);
        if let Entries::Store { recent } = &mut self.state.write().entries {
            *recent = Some(chunk);
        }
        Ok(guess)
    }

    fn stored_by_time(&self, dir: &LogDir, timestamp_ms: i64) -> Result<IndexEntry, SegmentError> {
        let key = self
            .key
            .time_chunk(self.base_offset, timestamp_ms.saturating_sub(1), u32::MAX);
        let prefix = &key[..key.len() - 12];
        let Some((found, _)) = dir.tree().last_at_most(&key)? else {
            return Ok(IndexEntry::START);
        };
        let Some(relative) = trailing_u32(&found).filter(|_| found.starts_with(prefix)) else {
            return Ok(IndexEntry::START);
        };
        let chunk = dir
            .tree()
            .get(&self.key.index_chunk(self.base_offset, relative))?
            .unwrap_or_default();
        Ok(index::by_time(&index::decode_chunk(&chunk), timestamp_ms))
    }
}
