//! What the store has of a log: taken from it on opening, and taken out of it where it is no longer true.

use super::{Derived, Found, Opening};
use crate::{
    log::{
        epochs::LeaderEpochs,
        error::LogError,
        index::{IndexEntry, decode_chunk},
        producers::Producers,
        segment::{Segment, file_name},
    },
    metadata::{
        segments::{AbortedRecord, Checkpoint, ProducerRecord, SegmentRecord, kind, trailing_i64},
        store::Batch,
    },
};

impl Opening<'_> {
    pub(super) fn record(&self, base_offset: i64) -> Result<Option<SegmentRecord>, LogError> {
        let value = self.dir.tree().get(&self.key.with_i64(kind::SEGMENT, base_offset))?;
        Ok(value.and_then(|value| SegmentRecord::decode(&value)))
    }

    /// A segment as the store has it; with its index in memory if it may grow.
    pub(super) fn restored(&self, place: &Found, record: &SegmentRecord, grows: bool) -> Result<Segment, LogError> {
        let entries = if grows {
            Some(self.stored_entries(place.base_offset, record)?)
        } else {
            None
        };
        let path = self.path.join(file_name(place.base_offset));
        Ok(Segment::restored(path, self.key, place.base_offset, record, entries))
    }

    pub(super) fn stored_entries(&self, base_offset: i64, record: &SegmentRecord) -> Result<Vec<IndexEntry>, LogError> {
        let mut entries: Vec<IndexEntry> = Vec::new();
        for chunk in self
            .dir
            .tree()
            .scan_prefix(&self.key.with_i64(kind::INDEX, base_offset))
        {
            for entry in decode_chunk(&chunk?.1) {
                // The last of one chunk is the first of the next.
                let follows = entries
                    .last()
                    .is_none_or(|last| last.relative_offset < entry.relative_offset);
                if follows && u64::from(entry.position) < record.size_bytes {
                    entries.push(entry);
                }
            }
        }
        Ok(entries)
    }

    pub(super) fn stored_state(&self, checkpoint: &Checkpoint) -> Result<Derived, LogError> {
        let mut producers = Producers::default();
        let tree = self.dir.tree();
        for entry in tree.scan_prefix(&self.key.of(kind::PRODUCER)) {
            let (key, value) = entry?;
            if let (Some(id), Some(record)) = (trailing_i64(&key), ProducerRecord::decode(&value)) {
                producers.restore(id, &record);
            }
        }
        for entry in tree.scan_prefix(&self.key.of(kind::ABORTED)) {
            if let Some(aborted) = AbortedRecord::decode(&entry?.1) {
                producers.restore_aborted(aborted);
            }
        }
        let epochs = LeaderEpochs::from_entries(checkpoint.epochs.clone());
        Ok(Derived {
            producers,
            epochs,
            from_offset: checkpoint.at.offset,
        })
    }

    /// Removes from the store what it has of a segment that is scanned: its index may be another's by now.
    pub(super) fn forget(&self, base_offset: i64) -> Result<(), LogError> {
        let tree = self.dir.tree();
        let mut batch = Batch::default();
        for kind in [kind::SEGMENT, kind::INDEX, kind::TIME] {
            for entry in tree.scan_prefix(&self.key.with_i64(kind, base_offset)) {
                batch.remove(entry?.0);
            }
        }
        if batch.is_empty() {
            Ok(())
        } else {
            Ok(tree.apply(batch)?)
        }
    }

    /// Removes from the store all that it has of the log but where it starts.
    pub(super) fn forget_all(&self) -> Result<(), LogError> {
        let tree = self.dir.tree();
        let mut batch = Batch::default();
        for entry in tree.scan_prefix(self.key.all()) {
            let (key, _) = entry?;
            if key != self.key.of(kind::LOG_START_OFFSET) && key != self.key.of(kind::IN_DOUBT) {
                batch.remove(key);
            }
        }
        if !batch.is_empty() {
            tree.apply(batch)?;
            // Now: after a kill it must not come back and speak of other records at the same offsets.
            self.dir.store().flush_blocking()?;
        }
        Ok(())
    }

    /// Forgets aborted transactions that ended within a part of the log in which their markers are no longer, as compaction
    /// has taken them out.
    pub(super) fn forget_ended(
        &self,
        range: std::ops::Range<i64>,
        markers: &[i64],
        derived: &mut Derived,
    ) -> Result<(), LogError> {
        let ended: Vec<_> = derived
            .producers
            .aborted_between(range.start, i64::MAX)
            .map(|aborted| aborted.last_offset)
            .filter(|last_offset| range.contains(last_offset) && !markers.contains(last_offset))
            .collect();
        if ended.is_empty() {
            return Ok(());
        }
        derived.producers.forget_aborted(&ended);
        let mut batch = Batch::default();
        for last_offset in ended {
            batch.remove(self.key.with_i64(kind::ABORTED, last_offset));
        }
        Ok(self.dir.tree().apply(batch)?)
    }
}
