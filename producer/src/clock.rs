//! The one place of the producer that reads the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, by the wall clock; 0 on a machine that is set before 1970.
pub(crate) fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A moment to measure from.
pub(crate) fn now() -> Instant {
    Instant::now()
}
