//! Complaints about clients, held to a rate: whoever sends garbage must not fill the log with it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(1);

/// Writes at most one warning a second, and says how many it left out.
#[derive(Debug, Default)]
pub(crate) struct RateLimited {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl RateLimited {
    /// Warns, or counts.
    pub(crate) fn warn(&self, message: impl FnOnce() -> String) {
        if let Some(left_out) = self.admit(Instant::now()) {
            match left_out {
                0 => tracing::warn!("{}", message()),
                _ => tracing::warn!("{} ({left_out} more like this were not logged)", message()),
            }
        }
    }

    /// How many were left out before, if one may be written now.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_with_the_count_of_the_rest() {
        let limited = RateLimited::default();
        let start = Instant::now();
        assert_eq!(limited.admit(start), Some(0));
        assert_eq!(limited.admit(start + Duration::from_millis(10)), None);
        assert_eq!(limited.admit(start + Duration::from_millis(20)), None);
        assert_eq!(limited.admit(start + Duration::from_millis(1_000)), Some(2));
    }
}
