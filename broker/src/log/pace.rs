//! How fast compaction may read and write: `log.cleaner.io.max.bytes.per.second`.
//!
//! Reads no clock: after so many bytes it pauses for as long as they may take, so what the disk itself takes comes on top
//! and the rate stays below the bound.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How much is read and written between two pauses, in seconds at the bound.
const STEP_SECONDS: f64 = 0.1;

/// Counts bytes and pauses.
pub struct Pace {
    bytes_per_second: f64,
    owed_bytes: AtomicU64,
    pause: Box<dyn Fn(Duration) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace")
            .field("bytes_per_second", &self.bytes_per_second)
            .finish_non_exhaustive()
    }
}

impl Pace {
    /// At most so many bytes a second. `pause` waits so long, and says whether to go on; it is also asked, for no time at
    /// all, before each batch.
    pub fn new(bytes_per_second: f64, pause: impl Fn(Duration) -> bool + Send + Sync + 'static) -> Self {
        Self {
            bytes_per_second,
            owed_bytes: AtomicU64::new(0),
            pause: Box::new(pause),
        }
    }

    /// As fast as it goes.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::new(f64::MAX, |_| true)
    }

    /// So many bytes are about to be read, or were written. Says whether to go on.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let owed = self.owed_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let seconds = owed as f64 / self.bytes_per_second;
        if seconds < STEP_SECONDS {
            return (self.pause)(Duration::ZERO);
        }
        self.owed_bytes.fetch_sub(owed, Ordering::Relaxed);
        (self.pause)(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn bytes_take_as_long_as_they_may() {
        let paused = Arc::new(Mutex::new(Duration::ZERO));
        let total = Arc::clone(&paused);
        let pace = Pace::new(1_000.0, move |pause| {
            *total.lock() += pause;
            true
        });
        for _ in 0..500 {
            assert!(pace.spend(7));
        }
        let seconds = paused.lock().as_secs_f64();
        assert!((3.4..=3.5).contains(&seconds), "{seconds}");
    }

    #[test]
    fn it_stops_when_told() {
        assert!(!Pace::new(1.0, |_| false).spend(1_000));
        assert!(!Pace::new(f64::MAX, |_| false).spend(1));
    }
}
