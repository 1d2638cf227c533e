//! One segment: a file of batches, what is known of it, and where its batches are.
//!
//! The last segment of a log is appended to; the others never change. The file is opened when it is first used and may be
//! closed whenever nobody reads it ([`Segment::close_idle`]). A segment that retention or compaction takes away is
//! *retired* first: those who have the file keep it, and nobody opens the path again, which may soon be another file.

mod lookup;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use super::{
    dir::LogDir,
    disk::{LogFile, Open},
    error::ReadError,
    index::{self, IndexEntry},
};
use crate::{
    metadata::{
        segments::{LogKey, SegmentRecord},
        store::StoreError,
    },
    wire::batch::BatchHeader,
};

/// The file name of the segment that starts at `base_offset`.
pub(super) fn file_name(base_offset: i64) -> String {
    format!("{base_offset:020}.log")
}

/// The base offset in a segment's file name.
pub(super) fn base_offset_of(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Why a segment gives no answer.
#[derive(Debug)]
pub(super) enum SegmentError {
    /// It was retired: what it had is elsewhere in the log, or gone.
    Retired,
    /// The disk or the store failed.
    Failed(ReadError),
}

impl From<StoreError> for SegmentError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

#[derive(Debug, Default)]
struct Slot {
    file: Option<Arc<LogFile>>,
    retired: bool,
}

/// Where a segment's index entries are.
#[derive(Debug)]
enum Entries {
    /// All of them, in memory. The first `stored` are in the store as well.
    Memory { entries: Vec<IndexEntry>, stored: usize },
    /// All in the store; the chunk that was used last is kept.
    Store { recent: Option<Arc<[IndexEntry]>> },
}

/// What changes while the segment grows.
#[derive(Debug)]
struct State {
    size_bytes: u64,
    next_offset: i64,
    first_timestamp_ms: i64,
    max_timestamp_ms: i64,
    max_timestamp_offset: i64,
    /// Bytes since the last index entry.
    unindexed_bytes: u64,
    entries: Entries,
}

/// A segment of one log.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base_offset: i64,
    pub(super) created_ms: i64,
    path: PathBuf,
    key: LogKey,
    slot: Mutex<Slot>,
    used: AtomicBool,
    /// Whether bytes were written since the last sync.
    dirty: AtomicBool,
    /// Whether the store's record of the segment says that it is durable.
    recorded_synced: AtomicBool,
    state: RwLock<State>,
}

impl Segment {
    /// A segment that starts empty at `base_offset`, without a file yet.
    pub(super) fn new(path: PathBuf, key: LogKey, base_offset: i64, created_ms: i64) -> Self {
        let state = State {
            size_bytes: 0,
            next_offset: base_offset,
            first_timestamp_ms: -1,
            max_timestamp_ms: -1,
            max_timestamp_offset: base_offset,
            unindexed_bytes: 0,
            entries: Entries::Memory {
                entries: Vec::new(),
                stored: 0,
            },
        };
        Self {
            base_offset,
            created_ms,
            path,
            key,
            slot: Mutex::default(),
            used: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            recorded_synced: AtomicBool::new(false),
            state: RwLock::new(state),
        }
    }

    /// A segment as the store has it. Its index stays in the store unless `entries` are given, as for the last segment.
    pub(super) fn restored(
        path: PathBuf,
        key: LogKey,
        base_offset: i64,
        record: &SegmentRecord,
        entries: Option<Vec<IndexEntry>>,
    ) -> Self {
        let entries = match entries {
            Some(entries) => Entries::Memory {
                stored: entries.len(),
                entries,
            },
            None => Entries::Store { recent: None },
        };
        let segment = Self::new(path, key, base_offset, record.created_ms);
        segment.dirty.store(!record.synced, Ordering::Relaxed);
        segment.recorded_synced.store(record.synced, Ordering::Relaxed);
        *segment.state.write() = State {
            size_bytes: record.size_bytes,
            next_offset: record.next_offset,
            first_timestamp_ms: record.first_timestamp_ms,
            max_timestamp_ms: record.max_timestamp_ms,
            max_timestamp_offset: record.max_timestamp_offset,
            unindexed_bytes: 0,
            entries,
        };
        segment
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.state.read().size_bytes
    }

    pub(super) fn next_offset(&self) -> i64 {
        self.state.read().next_offset
    }

    pub(super) fn max_timestamp_ms(&self) -> i64 {
        self.state.read().max_timestamp_ms
    }

    /// Whether bytes were written since the last sync.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    /// As of now, for the store.
    pub(super) fn record(&self) -> SegmentRecord {
        let synced = !self.is_dirty();
        let state = self.state.read();
        SegmentRecord {
            size_bytes: state.size_bytes,
            next_offset: state.next_offset,
            created_ms: self.created_ms,
            first_timestamp_ms: state.first_timestamp_ms,
            max_timestamp_ms: state.max_timestamp_ms,
            max_timestamp_offset: state.max_timestamp_offset,
            synced,
        }
    }

    /// Makes the file, empty.
    pub(super) fn create_file(&self, dir: &LogDir) -> io::Result<()> {
        let file = dir.open_file(&self.path, Open::Create)?;
        self.slot.lock().file = Some(file);
        self.used.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The file, opened if it is not.
    pub(super) fn file(&self, dir: &LogDir) -> Result<Arc<LogFile>, SegmentError> {
        self.used.store(true, Ordering::Relaxed);
        let mut slot = self.slot.lock();
        if slot.retired {
            return Err(SegmentError::Retired);
        }
        if let Some(file) = &slot.file {
            return Ok(Arc::clone(file));
        }
        let file = dir
            .open_file(&self.path, Open::Existing)
            .map_err(|error| self.failed("opening", error))?;
        slot.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Closes the file if nobody used it since the last call.
    pub(super) fn close_idle(&self) {
        if !self.used.swap(false, Ordering::Relaxed)
            && let Some(mut slot) = self.slot.try_lock()
        {
            slot.file = None;
        }
    }

    /// From now on the path is not opened for this segment any more.
    pub(super) fn retire(&self) {
        *self.slot.lock() = Slot {
            file: None,
            retired: true,
        };
    }

    /// Makes what was written durable. Not to be called again after it failed.
    pub(super) fn sync(&self, dir: &LogDir) -> io::Result<()> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let result = match self.file(dir) {
            Ok(file) => file.sync_data(),
            // Its bytes are not wanted any more.
            Err(SegmentError::Retired) => return Ok(()),
            Err(SegmentError::Failed(ReadError::Io { source, .. })) => Err(source),
            Err(SegmentError::Failed(error)) => Err(io::Error::other(error)),
        };
        if result.is_err() {
            self.dirty.store(true, Ordering::Release);
        }
        result
    }

    /// Bytes are about to be written.
    pub(super) fn set_dirty(&self) {
        // Stored before the bytes are published, so that a sync which covers them sees it.
        self.dirty.store(true, Ordering::Release);
    }

    /// A batch was written at the end: publishes it. `header` has the offsets and times as they were written.
    pub(super) fn push(&self, header: &BatchHeader, index_interval_bytes: i32) {
        let state = &mut *self.state.write();
        let interval = u64::try_from(index_interval_bytes).unwrap_or(0);
        if let Entries::Memory { entries, .. } = &mut state.entries
            && (entries.is_empty() || state.unindexed_bytes > interval)
            && let (Ok(relative_offset), Ok(position)) = (
                u32::try_from(header.base_offset - self.base_offset),
                u32::try_from(state.size_bytes),
            )
        {
            let max_timestamp_before_ms = state.max_timestamp_ms;
            entries.push(IndexEntry {
                relative_offset,
                position,
                max_timestamp_before_ms,
            });
            state.unindexed_bytes = 0;
        }
        let size = header.size_in_bytes() as u64;
        state.unindexed_bytes += size;
        state.size_bytes += size;
        state.next_offset = header.next_offset();
        if state.first_timestamp_ms < 0 {
            state.first_timestamp_ms = header.max_timestamp;
        }
        if header.max_timestamp > state.max_timestamp_ms {
            state.max_timestamp_ms = header.max_timestamp;
            state.max_timestamp_offset = header.base_offset;
        }
    }

    /// Whether a batch of `size_bytes`, up to `last_offset` and `max_timestamp_ms`, belongs into a segment of its own.
    pub(super) fn is_full_for(
        &self,
        config: &super::LogConfig,
        size_bytes: usize,
        last_offset: i64,
        max_timestamp_ms: i64,
        now_ms: i64,
    ) -> bool {
        let state = self.state.read();
        let size_max = u64::try_from(config.segment_bytes).unwrap_or(0);
        if state.size_bytes + size_bytes as u64 > size_max || last_offset - self.base_offset > i64::from(i32::MAX) {
            return state.size_bytes > 0;
        }
        let waited_ms = match state.first_timestamp_ms {
            first if first >= 0 => max_timestamp_ms.saturating_sub(first),
            _ => now_ms.saturating_sub(self.created_ms),
        };
        let index_full = match &state.entries {
            // Counted in the bytes that an entry takes in Apache Kafka's index.
            Entries::Memory { entries, .. } => {
                (entries.len() + 1) * 8 > usize::try_from(config.segment_index_bytes).unwrap_or(usize::MAX)
            }
            Entries::Store { .. } => false,
        };
        let age_max_ms = config.segment_age_ms() - config.segment_jitter_ms(|| self.lot());
        state.size_bytes > 0 && (waited_ms > age_max_ms || index_full)
    }

    /// What the segment draws for `segment.jitter.ms`: the same after a restart, and another for each partition and offset.
    fn lot(&self) -> u64 {
        let seed = self
            .key
            .all()
            .chunks(8)
            .fold(self.base_offset.cast_unsigned(), |seed, bytes| {
                bytes.iter().fold(seed, |seed, byte| mixed(seed ^ u64::from(*byte)))
            });
        mixed(seed)
    }

    /// Since when, by its own records, the segment has been filled: for `segment.ms` and compaction's lag.
    pub(super) fn first_timestamp_ms(&self) -> i64 {
        self.state.read().first_timestamp_ms
    }

    pub(super) fn failed(&self, action: &'static str, source: io::Error) -> SegmentError {
        SegmentError::Failed(ReadError::Io {
            action,
            path: self.path.clone(),
            source,
        })
    }

    /// The chunks of the index that the store does not have yet, and how many entries it will have then.
    pub(super) fn unstored_chunks(&self) -> (Vec<(IndexEntry, Vec<u8>)>, usize) {
        match &self.state.read().entries {
            Entries::Memory { entries, stored } if *stored < entries.len() => {
                // The chunk before gets a successor, if it was the last.
                let from = stored.saturating_sub(1);
                (index::encode_chunks(entries, from).collect(), entries.len())
            }
            Entries::Memory { stored, .. } => (Vec::new(), *stored),
            Entries::Store { .. } => (Vec::new(), 0),
        }
    }

    /// The store has the first `count` entries. If the segment grows no more, memory need not keep them.
    pub(super) fn entries_stored(&self, count: usize, sealed: bool) {
        let state = &mut *self.state.write();
        if let Entries::Memory { entries, stored } = &mut state.entries {
            *stored = (*stored).max(count);
            if sealed && *stored >= entries.len() {
                state.entries = Entries::Store { recent: None };
            }
        }
    }

    /// Whether the store has less to say of the segment than there is.
    pub(super) fn is_unrecorded(&self) -> bool {
        let stored = matches!(self.state.read().entries, Entries::Store { .. });
        !stored || (!self.recorded_synced.load(Ordering::Relaxed) && !self.is_dirty())
    }

    /// The store's record of the segment was written.
    pub(super) fn set_recorded_synced(&self, synced: bool) {
        self.recorded_synced.store(synced, Ordering::Relaxed);
    }
}

/// SplitMix64's step: spreads a number over all numbers, and the same on every machine.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kafkas_own_names_are_segments() {
        assert_eq!(base_offset_of(&file_name(42)), Some(42));
        for name in [
            "42.log",
            "00000000000000000042.log.deleted",
            "0000000000000000004x.log",
            ".log",
        ] {
            assert_eq!(base_offset_of(name), None);
        }
    }
}
