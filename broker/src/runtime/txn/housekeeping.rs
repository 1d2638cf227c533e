//! What happens to transactions while nobody asks: time-outs and forgetting.
//!
//! The broker's clock decides; the waiting here only says how often it is asked.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use super::slot::{Decided, Slot};
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
            _ = abort.tick() => inner.abort_timed_out().await,
            _ = forget.tick() => inner.forget_idle(),
        }
    }
}

impl Inner {
    async fn abort_timed_out(self: &Arc<Self>) {
        for slot in self.all() {
            self.abort_if_timed_out(&slot).await;
        }
    }

    /// What cannot be done now is for the next round.
    async fn abort_if_timed_out(self: &Arc<Self>, slot: &Arc<Slot>) {
        let mut new_producer_id = None;
        loop {
            let decided = self.try_decide(slot, |state, _, now_ms| {
                txn::abort_timed_out(state, now_ms, new_producer_id)
            });
            match decided {
                Ok(Decided::NeedsProducerId) => match self.new_producer_id().await {
                    Ok(producer_id) => new_producer_id = Some(producer_id),
                    Err(_) => return,
                },
                Ok(Decided::Done(done)) if done.reply => {
                    tracing::info!(
                        transactional_id = slot.id().as_str(),
                        "aborted a transaction that timed out"
                    );
                    let inner = Arc::clone(self);
                    self.parts.handle.spawn(async move { inner.finish(done).await });
                    return;
                }
                Ok(_) | Err(_) => return,
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
