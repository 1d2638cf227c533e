//! What happens to transactions while nobody asks: time-outs and forgetting.
//!
//! The broker's clock decides; the waiting here only says how often it is asked.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use crate::coordinator::txn;

/// How often the coordinator looks after what happens by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intervals {
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_timed_out: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub remove_expired: Duration,
}

/// Aborts and forgets what is due, until the broker stops.
pub(super) async fn run(inner: Arc<Inner>) {
    let every = |period: Duration| {
        let mut interval = tokio::time::interval(period.max(Duration::from_millis(1)));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        interval
    };
    let mut abort = every(inner.parts.intervals.abort_timed_out);
    let mut forget = every(inner.parts.intervals.remove_expired);
    loop {
        tokio::select! {
            () = inner.stopped.cancelled() => return,
            _ = abort.tick() => inner.abort_timed_out(),
            _ = forget.tick() => inner.forget_idle(),
        }
    }
}

impl Inner {
    fn abort_timed_out(self: &Arc<Self>) {
        for slot in self.all() {
            let decided = self.decide(&slot, |state, _, now_ms| txn::abort_timed_out(state, now_ms));
            if let Ok(done) = decided
                && done.reply
            {
                tracing::info!(
                    transactional_id = slot.id().as_str(),
                    "aborted a transaction that timed out"
                );
                let inner = Arc::clone(self);
                self.parts.handle.spawn(async move { inner.finish(done).await });
            }
        }
    }

    fn forget_idle(self: &Arc<Self>) {
        for slot in self.all() {
            let decided = self.decide(&slot, txn::forget_idle);
            if decided.is_ok_and(|done| done.reply) {
                tracing::info!(transactional_id = slot.id().as_str(), "forgot an idle transactional id");
                self.retire_if_vacant(&slot);
            }
        }
    }
}
