//! What a data directory's logs need from time to time, for whoever has the time (see [`crate::runtime::housekeeping`]).
//!
//! A log that fails is named and does not hold up the others.

use std::sync::atomic::Ordering;

use super::{dir::LogDir, pace::Pace, partition::Inner};

/// How often producers that wrote nothing for long are looked for, in milliseconds.
const EXPIRY_CHECK_MS: i64 = 600_000;

impl LogDir {
    /// Writes checkpoints that are due, syncs by `flush.ms` and what grows no more, forgets producers, deletes files.
    pub fn keep(&self, now_ms: i64) {
        self.look_at_room();
        for log in self.logs() {
            log.keep(now_ms);
        }
        self.delete_due(now_ms);
    }

    /// Applies `retention.ms`, `retention.bytes` and the log start offsets.
    pub fn retain(&self, now_ms: i64) {
        for log in self.logs() {
            if !log.is_closed()
                && let Err(error) = log.retain(now_ms)
            {
                tracing::warn!(log = log.name, %error, "cannot delete old segments");
            }
        }
    }

    /// Compacts the logs that are due for it, one after the other, each in at most about `memory_bytes`, and no faster
    /// than `pace` lets them.
    pub fn compact(&self, now_ms: i64, memory_bytes: usize, pace: &Pace) {
        for log in self.logs() {
            if !log.is_closed()
                && let Err(error) = log.compact(now_ms, memory_bytes, pace)
            {
                tracing::warn!(log = log.name, %error, "cannot compact");
            }
        }
    }
}

impl Inner {
    fn is_closed(&self) -> bool {
        self.writer.lock().closed
    }

    fn keep(&self, now_ms: i64) {
        if self.offline.get().is_some() || self.is_closed() {
            return;
        }
        self.sync_sealed();
        self.sync_by_time(now_ms);
        self.expire_producers(now_ms);
        // Whoever has it works on the log and leaves a checkpoint, or is quick.
        let Some(mut maintenance) = self.maintenance.try_lock() else {
            return;
        };
        if self.checkpoint_due(&maintenance, now_ms)
            && let Err(error) = self.checkpoint(&mut maintenance, now_ms)
        {
            tracing::warn!(log = self.name, %error, "cannot write a checkpoint");
        }
    }

    /// `flush.ms`.
    fn sync_by_time(&self, now_ms: i64) {
        let flush_ms = self.config.read().flush_ms;
        let waited_ms = now_ms.saturating_sub(self.last_sync_ms.load(Ordering::Relaxed));
        if flush_ms == i64::MAX || waited_ms < flush_ms {
            return;
        }
        self.last_sync_ms.store(now_ms, Ordering::Relaxed);
        if self.view.read().log_end_offset > self.synced_offset.load(Ordering::Acquire) {
            // A failure has taken the log offline and said so.
            drop(self.sync_now());
        }
    }

    fn expire_producers(&self, now_ms: i64) {
        let last_ms = self.last_expiry_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last_ms) < EXPIRY_CHECK_MS {
            return;
        }
        self.last_expiry_ms.store(now_ms, Ordering::Relaxed);
        let expiration_ms = self.config.read().producer_id_expiration_ms;
        self.writer.lock().producers.expire(now_ms, expiration_ms);
    }
}
