//! The end of a transaction: its markers are written.

use super::end::{after_completion, markers};
use super::{Effect, NO_PRODUCER_ID, Outcome, Partitions, State, Transaction};

/// Decides that what is prepared is complete, its markers being in every partition. Nothing happens in any other state.
pub fn complete(state: Option<&Transaction>, now_ms: i64) -> Outcome<()> {
    let Some(now) = state.filter(|now| now.state.is_prepared()) else {
        return Outcome::reply(());
    };
    let next_state = match now.state {
        State::PrepareCommit => State::CompleteCommit,
        _ => State::CompleteAbort,
    };
    let (producer_id, producer_epoch) = after_completion(now);
    let next = Transaction {
        producer_id,
        producer_epoch,
        next_producer_id: NO_PRODUCER_ID,
        partitions: Partitions::new(),
        last_update_ms: now_ms,
        ..now.moved_to(next_state)
    };
    Outcome::changed((), next)
}

/// What a crash has left to do: the markers of what is prepared, once more.
pub fn resume(state: Option<&Transaction>) -> Option<Effect> {
    let prepared = state.filter(|now| now.state.is_prepared())?;
    Some(Effect::WriteMarkers(markers(prepared)))
}
