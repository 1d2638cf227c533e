//! Telling the store what a log has, so that recovery starts there and not at the beginning.
//!
//! Never part of an append. One batch of the store holds all of a checkpoint: the index entries, segments, producers and
//! aborted transactions that are new since the last one, and the place up to which they describe the log.

use std::sync::{Arc, atomic::Ordering};

use super::{
    dir::log_error,
    error::LogError,
    index::IndexEntry,
    partition::{Inner, Maintenance},
    segment::Segment,
};
use crate::metadata::{
    segments::{AbortedRecord, Checkpoint, LogPosition, ProducerRecord, SegmentRecord, kind},
    store::Batch,
};

/// How many bytes a log grows before it is due for a checkpoint.
const DUE_BYTES: u64 = 32 * 1024 * 1024;
/// How long a change waits for a checkpoint at most, in milliseconds.
const DUE_MS: i64 = 10_000;

/// A segment's part of a checkpoint.
struct SegmentPart {
    segment: Arc<Segment>,
    record: SegmentRecord,
    chunks: Vec<(IndexEntry, Vec<u8>)>,
    entries: usize,
    sealed: bool,
}

/// The log's state at one moment.
struct Moment {
    at: LogPosition,
    epochs: Vec<(i32, i64)>,
    segments: Vec<SegmentPart>,
    producers: Vec<(i64, Option<ProducerRecord>)>,
    aborted: Vec<AbortedRecord>,
}

impl Inner {
    /// Whether enough has changed since the last checkpoint.
    pub(super) fn checkpoint_due(&self, last: &Maintenance, now_ms: i64) -> bool {
        let end = self.view.read().end();
        let rolled = end.segment != last.checkpoint.segment;
        let changed = end != last.checkpoint || last.stale;
        rolled
            || end.position.saturating_sub(last.checkpoint.position) >= DUE_BYTES
            || (changed && now_ms.saturating_sub(last.checkpoint_ms) >= DUE_MS)
    }

    pub(super) fn checkpoint(&self, last: &mut Maintenance, now_ms: i64) -> Result<(), LogError> {
        let synced = *self.sync_turn.lock();
        let moment = self.moment();
        let mut batch = Batch::default();
        for part in &moment.segments {
            let base_offset = part.segment.base_offset;
            batch.put(self.key.with_i64(kind::SEGMENT, base_offset), part.record.encode());
            for (first, bytes) in &part.chunks {
                batch.put(
                    self.key.index_chunk(base_offset, first.relative_offset),
                    bytes.as_slice(),
                );
                let before_ms = first.max_timestamp_before_ms;
                batch.put(
                    self.key.time_chunk(base_offset, before_ms, first.relative_offset),
                    Vec::new(),
                );
            }
        }
        for (id, record) in &moment.producers {
            let key = self.key.with_i64(kind::PRODUCER, *id);
            match record {
                Some(record) => batch.put(key, record.encode()),
                None => batch.remove(key),
            }
        }
        for aborted in &moment.aborted {
            batch.put(self.key.with_i64(kind::ABORTED, aborted.last_offset), aborted.encode());
        }
        let Moment {
            at, epochs, segments, ..
        } = moment;
        let checkpoint = Checkpoint {
            at,
            synced,
            boot_id: self.dir.boot_id(),
            cleaned: last.cleaned,
            epochs,
        };
        batch.put(self.key.of(kind::CHECKPOINT), checkpoint.encode());
        if let Err(error) = self.dir.tree().apply(batch) {
            self.writer.lock().producers.forget_told();
            return Err(error.into());
        }
        for part in segments {
            part.segment.entries_stored(part.entries, part.sealed);
            part.segment.set_recorded_synced(part.record.synced);
        }
        *last = Maintenance {
            checkpoint: at,
            synced,
            checkpoint_ms: now_ms,
            stale: false,
            ..*last
        };
        Ok(())
    }

    /// The state of the log between two appends, as far as the store does not have it.
    fn moment(&self) -> Moment {
        let mut writer = self.writer.lock();
        let view = self.view.read();
        let last = view.segments.len() - 1;
        let parts = view
            .segments
            .iter()
            .enumerate()
            .filter(|(index, segment)| *index == last || segment.is_unrecorded());
        let segments = parts
            .map(|(index, segment)| {
                let (chunks, entries) = segment.unstored_chunks();
                let (segment, sealed) = (Arc::clone(segment), index < last);
                SegmentPart {
                    record: segment.record(),
                    segment,
                    chunks,
                    entries,
                    sealed,
                }
            })
            .collect();
        let (producers, aborted) = writer.producers.take_changes();
        Moment {
            at: view.end(),
            epochs: view.epochs.entries().to_vec(),
            segments,
            producers,
            aborted,
        }
    }

    /// Makes the segments that grow no more durable, as a log does when it rolls: off the append's way.
    pub(super) fn sync_sealed(&self) {
        let dirty: Vec<_> = {
            let view = self.view.read();
            let sealed = view.segments.len() - 1;
            view.segments[..sealed]
                .iter()
                .filter(|segment| segment.is_dirty())
                .cloned()
                .collect()
        };
        if dirty.is_empty() || self.offline.get().is_some() {
            return;
        }
        let mut turn = self.sync_turn.lock();
        for segment in dirty {
            if let Err(error) = segment.sync(&self.dir) {
                self.sync_failed(segment.path(), &error);
                return;
            }
        }
        if self.sync_names().is_err() {
            return;
        }
        let view = self.view.read();
        let sealed = view.segments.len() - 1;
        let base_offset = view.segments[sealed].base_offset;
        if turn.offset < base_offset && !view.segments[..sealed].iter().any(|segment| segment.is_dirty()) {
            *turn = LogPosition {
                offset: base_offset,
                segment: base_offset,
                position: 0,
            };
            self.synced_offset.fetch_max(base_offset, Ordering::AcqRel);
        }
    }

    pub(super) fn close(&self) -> Result<(), LogError> {
        {
            let mut writer = self.writer.lock();
            if writer.closed {
                return Ok(());
            }
            writer.closed = true;
        }
        self.waiters.wake();
        self.sync_now()
            .map_err(|reason| log_error("syncing", &self.path)(std::io::Error::other(reason)))?;
        let mut last = self.maintenance.lock();
        let now_ms = last.checkpoint_ms;
        if self.differs_from(&last) {
            self.checkpoint(&mut last, now_ms)?;
        }
        self.close_files();
        Ok(())
    }

    /// Whether the store could be told something new.
    fn differs_from(&self, last: &Maintenance) -> bool {
        let synced = *self.sync_turn.lock();
        let view = self.view.read();
        let sealed = view.segments.len() - 1;
        last.stale
            || last.checkpoint != view.end()
            || last.synced != synced
            || view.segments[..sealed].iter().any(|segment| segment.is_unrecorded())
    }

    fn close_files(&self) {
        for segment in &self.view.read().segments {
            // The first call only takes away the mark of having been used.
            segment.close_idle();
            segment.close_idle();
        }
    }
}
