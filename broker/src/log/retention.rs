//! What leaves a log: segments by age and size, records below the log start offset, the whole log with its topic.
//!
//! Which segments go is decided by [`deletable`], which is pure. A segment goes by being taken from the view, retired,
//! renamed and, after `file.delete.delay.ms`, deleted; whoever is reading it has the file and is not disturbed.

use std::sync::{Arc, atomic::Ordering};

use uuid::Uuid;

use super::{
    LogConfig,
    dir::{DELETED_DIR, DELETED_FILE, LogDir, log_error},
    error::{LogError, ReadError},
    partition::{Inner, PartitionLog},
    segment::{Segment, file_name},
};
use crate::metadata::{
    segments::{LogKey, kind},
    store::Batch,
};

/// What the decision needs to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) size_bytes: u64,
    /// The largest timestamp in it, or when it was made if its records have none.
    pub(super) latest_ms: i64,
    /// Where the next segment begins, or the log ends.
    pub(super) next_base_offset: i64,
}

/// How many of the oldest segments may go, of all of a log's.
pub(super) fn deletable(candidates: &[Candidate], config: &LogConfig, log_start_offset: i64, now_ms: i64) -> usize {
    let size_bytes: u64 = candidates.iter().map(|candidate| candidate.size_bytes).sum();
    let mut excess = match u64::try_from(config.retention_bytes) {
        Ok(allowed) if config.cleanup_policy.delete => size_bytes.saturating_sub(allowed),
        _ => 0,
    };
    let mut may_go = |candidate: &Candidate| {
        if candidate.size_bytes == 0 {
            // Only the last one is ever empty.
            return false;
        }
        if candidate.next_base_offset <= log_start_offset {
            return true;
        }
        let age_ms = now_ms.saturating_sub(candidate.latest_ms);
        if config.cleanup_policy.delete && config.retention_ms >= 0 && age_ms > config.retention_ms {
            return true;
        }
        if excess >= candidate.size_bytes {
            excess -= candidate.size_bytes;
            return true;
        }
        false
    };
    candidates.iter().take_while(|candidate| may_go(candidate)).count()
}

impl Inner {
    /// Deletes what may go, and returns how many segments went.
    pub(super) fn retain(&self, now_ms: i64) -> Result<usize, LogError> {
        let config = self.config();
        let mut maintenance = self.maintenance.lock();
        if self.offline.get().is_some() {
            // Its directory may be between two states, which recovery knows how to tell apart.
            return Ok(0);
        }
        let (candidates, log_start_offset) = self.candidates();
        let mut count = deletable(&candidates, &config, log_start_offset, now_ms);
        if count == 0 {
            return Ok(0);
        }
        if count == candidates.len() {
            // The last segment may go too, but there has to be one.
            let mut writer = self.writer.lock();
            if let Err(error) = self.roll(&mut writer, now_ms) {
                tracing::warn!(log = self.name, %error, "cannot begin a segment, so the last one stays");
                count -= 1;
            }
        }
        // An append may have rolled meanwhile; the first ones are still the same, as only `maintenance` takes them away.
        let start = {
            let view = self.view.read();
            view.log_start_offset
                .max(view.segments.get(count).map_or(0, |segment| segment.base_offset))
        };
        // First: a segment out of view is no longer synced with the others, and recovery is to know that it need not be
        // whole. Nor does a crash bring back records that were given up.
        self.dir
            .tree()
            .put(&self.key.of(kind::LOG_START_OFFSET), &start.to_be_bytes())?;
        self.dir.store().flush_blocking()?;
        let gone: Vec<_> = {
            let mut view = self.view.write();
            view.log_start_offset = start;
            view.epochs.truncate_start(start);
            view.segments.drain(..count).collect()
        };
        maintenance.stale = true;
        if gone
            .last()
            .is_some_and(|last| last.next_offset() > maintenance.checkpoint.offset)
        {
            // What the records said of their producers must outlive them.
            self.checkpoint(&mut maintenance, now_ms)?;
            self.dir.store().flush_blocking()?;
        }
        self.put_away(&gone, start, now_ms.saturating_add(config.file_delete_delay_ms))?;
        tracing::info!(
            log = self.name,
            segments = gone.len(),
            log_start_offset = start,
            "deleted old segments"
        );
        Ok(gone.len())
    }

    fn candidates(&self) -> (Vec<Candidate>, i64) {
        let view = self.view.read();
        let next = |index: usize| {
            view.segments
                .get(index + 1)
                .map_or(view.log_end_offset, |next| next.base_offset)
        };
        let candidates = view.segments.iter().enumerate().map(|(index, segment)| {
            let latest_ms = segment.max_timestamp_ms();
            Candidate {
                size_bytes: segment.size_bytes(),
                latest_ms: if latest_ms >= 0 { latest_ms } else { segment.created_ms },
                next_base_offset: next(index),
            }
        });
        (candidates.collect(), view.log_start_offset)
    }

    /// Renames the files of segments that are no longer in the view, and forgets what the store has of them.
    fn put_away(&self, gone: &[Arc<Segment>], log_start_offset: i64, due_ms: i64) -> Result<(), LogError> {
        for segment in gone {
            segment.retire();
            let doomed = self
                .path
                .join(format!("{}{DELETED_FILE}", file_name(segment.base_offset)));
            let renamed = self.dir.disk().rename(segment.path(), &doomed);
            renamed.map_err(log_error("renaming", segment.path()))?;
            self.dir.doom(doomed, false, due_ms);
        }
        self.names_dirty.store(true, Ordering::Release);
        let aborted = self.writer.lock().producers.truncate_start(log_start_offset);
        let mut batch = Batch::default();
        for segment in gone {
            self.forget(segment, &mut batch)?;
        }
        for last_offset in aborted {
            batch.remove(self.key.with_i64(kind::ABORTED, last_offset));
        }
        Ok(self.dir.tree().apply(batch)?)
    }

    /// Removes from the store what it has of a segment.
    pub(super) fn forget(&self, segment: &Segment, batch: &mut Batch) -> Result<(), LogError> {
        batch.remove(self.key.with_i64(kind::SEGMENT, segment.base_offset));
        for kind in [kind::INDEX, kind::TIME] {
            for entry in self
                .dir
                .tree()
                .scan_prefix(&self.key.with_i64(kind, segment.base_offset))
            {
                batch.remove(entry?.0);
            }
        }
        Ok(())
    }

    pub(super) fn delete_records(&self, before: i64) -> Result<i64, ReadError> {
        let mut maintenance = self.maintenance.lock();
        if let Some(reason) = self.offline.get() {
            return Err(ReadError::Offline(reason.clone()));
        }
        if !self.config().cleanup_policy.delete {
            return Err(ReadError::Policy);
        }
        let start = {
            let mut view = self.view.write();
            let offsets = view.offsets();
            let wanted = if before == -1 { offsets.high_watermark } else { before };
            if wanted < 0 || wanted > offsets.high_watermark {
                let (log_start_offset, log_end_offset) = (offsets.log_start_offset, offsets.log_end_offset);
                return Err(ReadError::OutOfRange {
                    offset: wanted,
                    log_start_offset,
                    log_end_offset,
                });
            }
            view.log_start_offset = view.log_start_offset.max(wanted);
            let start = view.log_start_offset;
            view.epochs.truncate_start(start);
            start
        };
        maintenance.stale = true;
        self.dir
            .tree()
            .put(&self.key.of(kind::LOG_START_OFFSET), &start.to_be_bytes())?;
        Ok(start)
    }

    pub(super) fn remove(&self, now_ms: i64) -> Result<(), LogError> {
        let _maintenance = self.maintenance.lock();
        self.writer.lock().closed = true;
        // Nothing of it is worth syncing any more; whoever waits is told.
        if self.offline.set("it was removed".into()).is_err() {
            tracing::debug!(log = self.name, "removed while offline");
        }
        self.sync_ended.notify_waiters();
        self.waiters.wake();
        for segment in &self.view.read().segments {
            segment.retire();
        }
        let doomed = self.dir.path().join(doomed_name(&self.name));
        self.dir
            .disk()
            .rename(&self.path, &doomed)
            .map_err(log_error("renaming", &self.path))?;
        self.dir.set_names_dirty();
        self.dir.sync_names().map_err(log_error("syncing", self.dir.path()))?;
        self.dir.forget_doomed_below(&self.path);
        self.dir
            .doom(doomed, true, now_ms.saturating_add(self.config().file_delete_delay_ms));
        let mut batch = Batch::default();
        for entry in self.dir.tree().scan_prefix(self.key.all()) {
            batch.remove(entry?.0);
        }
        Ok(self.dir.tree().apply(batch)?)
    }
}

impl PartitionLog {
    /// Forgets what the store has of a log but for where it starts, so that opening it makes everything anew.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn forget(dir: &LogDir, topic_id: Uuid, partition: i32) -> Result<(), LogError> {
        let key = LogKey::new(topic_id, partition);
        let mut batch = Batch::default();
        for entry in dir.tree().scan_prefix(key.all()) {
            let (found, _) = entry?;
            if found != key.of(kind::LOG_START_OFFSET) {
                batch.remove(found);
            }
        }
        Ok(dir.tree().apply(batch)?)
    }
}

/// `<topic>-<partition>.<unique>-delete`, within what a file name may be.
fn doomed_name(name: &str) -> String {
    const NAME_BYTES_MAX: usize = 255;
    let unique = format!(".{}{DELETED_DIR}", Uuid::new_v4().simple());
    // Topic names are ASCII, so that any byte is a boundary.
    let kept = name.get(..NAME_BYTES_MAX - unique.len()).unwrap_or(name);
    format!("{kept}{unique}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::CleanupPolicy;

    fn candidates() -> Vec<Candidate> {
        (0..4)
            .map(|n| Candidate {
                size_bytes: 100,
                latest_ms: n * 10,
                next_base_offset: (n + 1) * 5,
            })
            .collect()
    }

    fn config(retention_ms: i64, retention_bytes: i64) -> LogConfig {
        LogConfig {
            retention_ms,
            retention_bytes,
            ..LogConfig::default()
        }
    }

    #[test]
    fn by_age_the_oldest_go_until_one_is_young() {
        assert_eq!(deletable(&candidates(), &config(9, -1), 0, 20), 2);
        assert_eq!(deletable(&candidates(), &config(-1, -1), 0, 1_000), 0);
        assert_eq!(deletable(&candidates(), &config(5, -1), 0, 1_000), 4);
    }

    #[test]
    fn by_size_no_more_goes_than_is_over() {
        assert_eq!(deletable(&candidates(), &config(-1, 250), 0, 0), 1);
        assert_eq!(deletable(&candidates(), &config(-1, 400), 0, 0), 0);
        assert_eq!(deletable(&candidates(), &config(-1, 0), 0, 0), 4);
    }

    #[test]
    fn below_the_log_start_all_go_whatever_the_policy() {
        let mut config = config(0, 0);
        config.cleanup_policy = CleanupPolicy {
            delete: false,
            compact: true,
        };
        assert_eq!(deletable(&candidates(), &config, 11, 1_000), 2);
    }

    #[test]
    fn an_empty_segment_stays() {
        let empty = Candidate {
            size_bytes: 0,
            latest_ms: 0,
            next_base_offset: 0,
        };
        assert_eq!(deletable(&[empty], &config(0, 0), 0, 1_000), 0);
    }
}
