//! The one place that reads the clock.

use std::time::Instant;

/// Now.
pub(crate) fn now() -> Instant {
    Instant::now()
}
