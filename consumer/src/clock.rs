//! The one place that reads the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Now.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, as people say it: milliseconds since 1970-01-01T00:00:00Z. It may be set back.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
