//! Requests that wait for a log to grow.
//!
//! A parked request is woken by the append itself. The only timer is the request's own limit (`max.wait.ms`), and it ends
//! early when the client has gone away or the broker stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::log::{Registration, Waiters};

/// A request that waits for one of several logs.
#[derive(Debug)]
pub(crate) struct Parked {
    notify: Arc<Notify>,
    _registrations: Vec<Registration>,
    deadline: Instant,
}

impl Parked {
    /// Registers with all `logs`, for at most `limit` from now. What was appended before may be unseen: look after this.
    pub(crate) fn new<'a>(logs: impl Iterator<Item = &'a Arc<Waiters>>, limit: Duration) -> Self {
        let notify = Arc::new(Notify::new());
        let registrations = logs.map(|waiters| waiters.register(&notify)).collect();
        Self {
            notify,
            _registrations: registrations,
            deadline: Instant::now() + limit,
        }
    }

    /// Waits for an append to one of the logs; `false` when the wait is over without one.
    pub(crate) async fn grown(&self, gone: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = self.notify.notified() => true,
            () = gone.cancelled() => false,
            () = tokio::time::sleep_until(self.deadline) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_append_the_deadline_or_the_clients_end_wakes() {
        let (one, other) = (Arc::new(Waiters::default()), Arc::new(Waiters::default()));
        let gone = CancellationToken::new();
        let parked = Parked::new([&one, &other].into_iter(), Duration::from_secs(5));
        other.wake();
        assert!(parked.grown(&gone).await);
        assert!(!parked.grown(&gone).await, "the deadline");
        let parked = Parked::new([&one].into_iter(), Duration::from_secs(3_600));
        gone.cancel();
        assert!(!parked.grown(&gone).await);
    }
}
