//! Compaction: what [`super::cleaning`] decides, done to files.
//!
//! A pass reads the dirty part once to learn the latest offset of each key, and then all segments up to there, in groups
//! that become one segment each. The new file is written aside and put in place as [`super::swap`] says. Until the moment
//! of the swap, appends and reads go on as if nothing happened; retention may take segments away, and then their group is
//! left as it is. Each new segment keeps the offsets of those it replaces: its last batch stays, if need be without records.

mod output;

use std::sync::{Arc, atomic::Ordering};

use output::Output;

use super::{
    LogConfig,
    append::read_marker,
    cleaning::{Circumstances, Cleanable, Fate, Transactions, dirty_range, judge},
    dir::{DELETED_FILE, log_error},
    disk::LogFile,
    error::LogError,
    keys::KeyOffsets,
    pace::Pace,
    partition::{Inner, PartitionLog},
    segment::{Segment, SegmentError, file_name},
    swap,
};
use crate::{
    metadata::{
        segments::{AbortedRecord, kind},
        store::Batch as StoreBatch,
    },
    wire::{
        batch::{Batch, BatchHeader, HEADER_LEN},
        record::Records,
    },
};

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Up to which offset the log is clean now.
    pub clean_up_to: i64,
    /// Of the segments before.
    pub bytes_before: u64,
    /// Of those that took their place.
    pub bytes_after: u64,
}

/// Why a pass ended early.
enum Interrupted {
    /// The log has changed under it, or is going away: nothing is lost by trying again later.
    Abandoned,
    Failed(LogError),
}

impl From<LogError> for Interrupted {
    fn from(error: LogError) -> Self {
        Self::Failed(error)
    }
}

/// What a pass is about.
struct Job<'a> {
    log: &'a Inner,
    config: Arc<LogConfig>,
    now_ms: i64,
    pace: &'a Pace,
}

/// What the first reading brought to light, for the second.
struct Pass<'a> {
    job: &'a Job<'a>,
    keys: KeyOffsets,
    transactions: Transactions,
    /// By producer: the last offset it wrote, or -1 where a marker came last, and its epoch.
    last_records: std::collections::HashMap<i64, (i64, i16)>,
    until: i64,
}

impl PartitionLog {
    /// Compacts the log if its properties ask for it and enough of it is dirty, in at most about `memory_bytes`.
    ///
    /// # Errors
    /// The disk's or the store's; the log is as it was, and is not compacted again before it is opened anew.
    pub fn compact(&self, now_ms: i64, memory_bytes: usize) -> Result<Option<Compacted>, LogError> {
        self.inner.compact(now_ms, memory_bytes, &Pace::unbounded())
    }
}

impl Inner {
    pub(super) fn compact(&self, now_ms: i64, memory_bytes: usize, pace: &Pace) -> Result<Option<Compacted>, LogError> {
        let config = self.config();
        if !config.cleanup_policy.compact || self.offline.get().is_some() {
            return Ok(None);
        }
        let Some(_turn) = self.cleaning.try_lock() else {
            return Ok(None);
        };
        let (cleaned, uncleanable) = {
            let maintenance = self.maintenance.lock();
            (maintenance.cleaned, maintenance.uncleanable)
        };
        if uncleanable {
            return Ok(None);
        }
        let (segments, range) = self.dirty(&config, cleaned, now_ms);
        let Some((from, until)) = range else { return Ok(None) };
        let job = Job {
            log: self,
            config,
            now_ms,
            pace,
        };
        match job.run(&segments, (from, until), memory_bytes) {
            Ok(compacted) => Ok(Some(compacted)),
            Err(Interrupted::Abandoned) => Ok(None),
            Err(Interrupted::Failed(error)) => {
                self.maintenance.lock().uncleanable = true;
                Err(error)
            }
        }
    }

    /// All segments but the last, and which of their offsets are to be cleaned.
    fn dirty(&self, config: &LogConfig, cleaned: i64, now_ms: i64) -> (Vec<Arc<Segment>>, Option<(i64, i64)>) {
        let view = self.view.read();
        let Some((active, sealed)) = view.segments.split_last() else {
            return (Vec::new(), None);
        };
        let seen: Vec<_> = sealed
            .iter()
            .map(|segment| Cleanable {
                base_offset: segment.base_offset,
                size_bytes: segment.size_bytes(),
                first_timestamp_ms: segment.first_timestamp_ms(),
                max_timestamp_ms: segment.max_timestamp_ms(),
            })
            .collect();
        let range = dirty_range(
            &seen,
            active.base_offset,
            cleaned,
            view.last_stable_offset,
            config,
            now_ms,
        );
        (sealed.to_vec(), range)
    }

    /// Puts `new`, which is written and synced at its draft's path, in the place of `old`.
    fn put_in_place(&self, old: &[Arc<Segment>], new: Segment, now_ms: i64) -> Result<(), Interrupted> {
        let maintenance = self.maintenance.lock();
        let Some(first) = self.place_of(old) else {
            return Err(Interrupted::Abandoned);
        };
        // The store forgets the old ones first: it must not know the new file by an old one's index.
        let mut batch = StoreBatch::default();
        for segment in old {
            self.forget(segment, &mut batch)?;
        }
        self.dir.tree().apply(batch).map_err(LogError::from)?;
        self.dir.store().flush_blocking().map_err(LogError::from)?;

        let disk = self.dir.disk();
        let draft = swap::draft_path(&self.path, new.base_offset);
        let swap = swap::swap_path(&self.path, new.base_offset, new.next_offset());
        disk.rename(&draft, &swap).map_err(log_error("renaming", &draft))?;
        disk.sync_dir(&self.path).map_err(|error| self.stuck(&error))?;
        let due_ms = now_ms.saturating_add(self.config().file_delete_delay_ms);
        // Readers wait for some renames, so that none of them finds an old path with the new file behind it.
        let mut view = self.view.write();
        for segment in old {
            segment.retire();
            let doomed = self
                .path
                .join(format!("{}{DELETED_FILE}", file_name(segment.base_offset)));
            disk.rename(segment.path(), &doomed)
                .map_err(|error| self.stuck(&error))?;
            self.dir.doom(doomed, false, due_ms);
        }
        disk.rename(&swap, new.path()).map_err(|error| self.stuck(&error))?;
        view.segments.splice(first..first + old.len(), [Arc::new(new)]);
        drop(view);
        self.names_dirty.store(true, Ordering::Release);
        drop(maintenance);
        Ok(())
    }

    /// After the segment is in place: a crash before is made good when that segment, which the store does not know yet, is
    /// scanned.
    fn forget_aborted(&self, last_offsets: &[i64]) -> Result<(), LogError> {
        if last_offsets.is_empty() {
            return Ok(());
        }
        let mut batch = StoreBatch::default();
        for last_offset in last_offsets {
            batch.remove(self.key.with_i64(kind::ABORTED, *last_offset));
        }
        let mut writer = self.writer.lock();
        self.dir.tree().apply(batch)?;
        writer.producers.forget_aborted(last_offsets);
        Ok(())
    }

    /// Where `old` are in the view, if all of them are.
    fn place_of(&self, old: &[Arc<Segment>]) -> Option<usize> {
        if self.offline.get().is_some() {
            return None;
        }
        let view = self.view.read();
        let first = view.segments.iter().position(|segment| Arc::ptr_eq(segment, &old[0]))?;
        let there = view.segments.get(first..first + old.len())?;
        there.iter().zip(old).all(|(a, b)| Arc::ptr_eq(a, b)).then_some(first)
    }

    /// Between two names: what is on the disk is for recovery to sort out.
    fn stuck(&self, error: &std::io::Error) -> Interrupted {
        let reason = self.go_offline(format!("cannot put a compacted segment in place: {error}"));
        Interrupted::Failed(log_error("compacting", &self.path)(std::io::Error::other(reason)))
    }
}

impl Job<'_> {
    fn run(
        &self,
        segments: &[Arc<Segment>],
        (from, until): (i64, i64),
        memory_bytes: usize,
    ) -> Result<Compacted, Interrupted> {
        let log = self.log;
        let (aborted, last_records) = {
            let writer = log.writer.lock();
            let aborted: Vec<AbortedRecord> = writer.producers.aborted_between(0, i64::MAX).copied().collect();
            (aborted, writer.producers.last_records())
        };
        // What takes a record's place, or a producer's last batch's, must be as durable as that was.
        log.sync_now().map_err(|_| Interrupted::Abandoned)?;
        let mut keys = KeyOffsets::new(memory_bytes, from, usize::try_from(until - from).unwrap_or(usize::MAX));
        let mut transactions = Transactions::new(aborted.clone());
        for segment in segments {
            if segment.next_offset() > from
                && segment.base_offset < until
                && !self.learn(segment, (from, until), &mut keys, &mut transactions)?
            {
                break;
            }
        }
        let until = keys.end_offset;
        let mut pass = Pass {
            job: self,
            keys,
            transactions: Transactions::new(aborted),
            last_records,
            until,
        };
        let mut compacted = Compacted {
            clean_up_to: until,
            ..Compacted::default()
        };
        let wanted = segments.partition_point(|segment| segment.base_offset < until);
        let mut rest = &segments[..wanted];
        while !rest.is_empty() {
            let (group, others) = rest.split_at(group_len(rest, &self.config));
            compacted.bytes_before += group.iter().map(|segment| segment.size_bytes()).sum::<u64>();
            compacted.bytes_after += pass.clean(group)?;
            rest = others;
        }
        let mut maintenance = log.maintenance.lock();
        maintenance.cleaned = until;
        log.checkpoint(&mut maintenance, self.now_ms)?;
        drop(maintenance);
        tracing::debug!(log = log.name, ?compacted, "compacted");
        Ok(compacted)
    }

    /// Takes the keys of a segment into the map, and says whether there was room for all of them.
    fn learn(
        &self,
        segment: &Segment,
        (from, until): (i64, i64),
        keys: &mut KeyOffsets,
        transactions: &mut Transactions,
    ) -> Result<bool, Interrupted> {
        let mut full = false;
        self.each_batch(segment, |batch| {
            let header = &batch.header;
            if full || header.base_offset >= until {
                return Ok(());
            }
            if header.is_control() {
                transactions.is_empty_at(header, read_marker(&batch).map(|marker| marker.outcome));
            } else if !transactions.is_aborted(header) && header.last_offset() >= from {
                let plain = batch
                    .decompressed(self.config.decompressed_bytes_max)
                    .map_err(|error| error.to_string())?;
                for record in Records::new(header, &plain) {
                    let record = record.map_err(|error| error.to_string())?;
                    if let Some(key) = record.key.filter(|_| record.offset >= from)
                        && !keys.insert(key, record.offset)
                    {
                        // The next pass begins with this record.
                        keys.end_offset = keys.end_offset.max(record.offset);
                        full = true;
                        return Ok(());
                    }
                }
            }
            keys.end_offset = keys.end_offset.max(header.next_offset());
            Ok(())
        })?;
        Ok(!full)
    }

    /// Calls `visit` with each batch of a segment that grows no more, its CRC checked.
    fn each_batch(
        &self,
        segment: &Segment,
        mut visit: impl FnMut(Batch<'_>) -> Result<(), String>,
    ) -> Result<(), Interrupted> {
        let file = segment.file(&self.log.dir).map_err(|error| match error {
            SegmentError::Retired => Interrupted::Abandoned,
            SegmentError::Failed(error) => damaged(segment, error.to_string()),
        })?;
        let end = segment.size_bytes();
        let (mut position, mut bytes) = (0, Vec::new());
        while position < end {
            let header = read_header(&file, position, end).map_err(|error| damaged(segment, error))?;
            if self.log.offline.get().is_some() || !self.pace.spend(header.size_in_bytes()) {
                return Err(Interrupted::Abandoned);
            }
            bytes.resize(header.size_in_bytes(), 0);
            file.read_exact_at(&mut bytes, position)
                .map_err(|error| damaged(segment, error.to_string()))?;
            position += bytes.len() as u64;
            let batch = Batch {
                position: 0,
                header,
                bytes: &bytes,
            };
            batch
                .validate_crc()
                .map_err(|error| damaged(segment, error.to_string()))?;
            visit(batch).map_err(|error| damaged(segment, error))?;
        }
        Ok(())
    }
}

impl Pass<'_> {
    /// Makes one segment of a group, and returns its size.
    fn clean(&mut self, group: &[Arc<Segment>]) -> Result<u64, Interrupted> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return Ok(0);
        };
        let job = self.job;
        let log = job.log;
        let end_offset = last.next_offset();
        let draft = swap::draft_path(&log.path, first.base_offset);
        // Markers that are not in the new segment any more.
        let mut ended = Vec::new();
        let mut output = Output::create(log, &draft, log.new_segment_made(first))?;
        for segment in group {
            let sink = &mut output;
            job.each_batch(segment, |batch| {
                let given = self.circumstances(&batch, end_offset);
                let mut gone = || {
                    if batch.header.is_control() {
                        ended.push(batch.header.base_offset);
                    }
                };
                match judge(&batch, &self.keys, &given)? {
                    Fate::Drop => {
                        gone();
                        Ok(())
                    }
                    Fate::Keep => sink.push(&batch.header, batch.bytes, job),
                    Fate::Replace(bytes) => {
                        let header = BatchHeader::parse(&bytes).map_err(|error| error.to_string())?;
                        if header.records_count == 0 {
                            gone();
                        }
                        sink.push(&header, &bytes, job)
                    }
                }
            })?;
        }
        let new = output.finish()?;
        let size_bytes = new.size_bytes();
        log.put_in_place(group, new, job.now_ms)?;
        log.forget_aborted(&ended)?;
        Ok(size_bytes)
    }

    fn circumstances(&mut self, batch: &Batch<'_>, end_offset: i64) -> Circumstances {
        let header = &batch.header;
        let (mut aborted, mut ends_nothing) = (false, false);
        if header.is_control() {
            let marker = read_marker(batch).map(|marker| marker.outcome);
            ends_nothing = self.transactions.is_empty_at(header, marker);
        } else {
            aborted = self.transactions.is_aborted(header);
        }
        let is_last_of_producer = header.has_producer_id()
            && self
                .last_records
                .get(&header.producer_id)
                .is_some_and(|(last_offset, epoch)| match *last_offset {
                    -1 => header.is_control() && header.producer_epoch == *epoch,
                    last_offset => header.last_offset() == last_offset,
                });
        Circumstances {
            aborted: aborted && header.base_offset < self.until,
            ends_nothing: ends_nothing && header.base_offset < self.until,
            stays: is_last_of_producer || header.next_offset() == end_offset,
            now_ms: self.job.now_ms,
            delete_retention_ms: self.job.config.delete_retention_ms,
            decompressed_bytes_max: self.job.config.decompressed_bytes_max,
        }
    }
}

fn read_header(file: &LogFile, position: u64, end: u64) -> Result<BatchHeader, String> {
    let mut head = [0; HEADER_LEN];
    file.read_exact_at(&mut head, position)
        .map_err(|error| error.to_string())?;
    let header = BatchHeader::parse(&head).map_err(|error| error.to_string())?;
    if position + header.size_in_bytes() as u64 > end {
        return Err(format!(
            "a batch of {} bytes does not end in its segment",
            header.size_in_bytes()
        ));
    }
    Ok(header)
}

fn damaged(segment: &Segment, reason: String) -> Interrupted {
    Interrupted::Failed(log_error("compacting", segment.path())(std::io::Error::other(reason)))
}

/// How many of the first of `segments` become one.
fn group_len(segments: &[Arc<Segment>], config: &LogConfig) -> usize {
    let size_max = u64::try_from(config.segment_bytes).unwrap_or(0);
    let base_offset = segments.first().map_or(0, |segment| segment.base_offset);
    let mut size_bytes = 0;
    let fitting = segments.iter().take_while(|segment| {
        size_bytes += segment.size_bytes();
        size_bytes <= size_max && segment.next_offset() - base_offset <= i64::from(i32::MAX)
    });
    fitting.count().max(1)
}
