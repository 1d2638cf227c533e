//! What happens to a transactional id by itself.

use super::end::fence;
use super::{NO_TIMEOUT_MS, NeedsProducerId, Outcome, Record, State, Transaction, TxnConfig};

/// Aborts a transaction that has been open for longer than its producer's `transaction.timeout.ms`, and fences the
/// producer. The reply says whether.
///
/// # Errors
/// [`NeedsProducerId`]: an id must be taken for this, and the command decided again with it.
pub fn abort_timed_out(
    state: Option<&Transaction>,
    now_ms: i64,
    new_producer_id: Option<i64>,
) -> Result<Outcome<bool>, NeedsProducerId> {
    match state {
        Some(now) if is_timed_out(now, now_ms) => fence(now, now_ms, new_producer_id, true),
        _ => Ok(Outcome::reply(false)),
    }
}

fn is_timed_out(now: &Transaction, now_ms: i64) -> bool {
    let deadline_ms = now.start_ms.saturating_add(i64::from(now.timeout_ms));
    now.state == State::Ongoing && now.timeout_ms != NO_TIMEOUT_MS && deadline_ms < now_ms
}

/// Forgets a transactional id that has been idle for `transactional.id.expiration.ms`. The reply says whether.
pub fn forget_idle(state: Option<&Transaction>, config: &TxnConfig, now_ms: i64) -> Outcome<bool> {
    let is_idle = |now: &Transaction| {
        matches!(now.state, State::Empty | State::CompleteCommit | State::CompleteAbort)
            && now.last_update_ms <= now_ms.saturating_sub(config.id_expiration_ms)
    };
    if !state.is_some_and(is_idle) {
        return Outcome::reply(false);
    }
    Outcome {
        reply: true,
        records: vec![Record::Removed],
        effects: Vec::new(),
    }
}
