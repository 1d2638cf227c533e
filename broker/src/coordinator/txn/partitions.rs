//! Partitions of a transaction: AddPartitionsToTxn, AddOffsetsToTxn, and what Produce and TxnOffsetCommit ask.

use super::{Outcome, Partitions, State, Transaction, TxnError, Version};

/// Who sends a command within a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The producer's id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

impl Caller {
    fn check(self, transaction: &Transaction) -> Result<(), TxnError> {
        if transaction.producer_id != self.producer_id {
            Err(TxnError::InvalidProducerIdMapping)
        } else if transaction.producer_epoch != self.producer_epoch {
            Err(TxnError::ProducerFenced)
        } else {
            Ok(())
        }
    }
}

/// Decides on adding partitions, by the rules of `version`, which begins the transaction if it has not begun.
pub fn add(
    state: Option<&Transaction>,
    now_ms: i64,
    caller: Caller,
    version: Version,
    partitions: &Partitions,
) -> Outcome<Result<(), TxnError>> {
    let Some(now) = state else {
        return Outcome::reply(Err(TxnError::InvalidProducerIdMapping));
    };
    // Before anything else: the producer may already use an id that it gets when the end is complete.
    if now.state.is_prepared() {
        return Outcome::reply(Err(TxnError::Concurrent));
    }
    if let Err(error) = caller.check(now) {
        return Outcome::reply(Err(error));
    }
    let has = |(topic, indexes): (&_, &_)| {
        now.partitions
            .get(topic)
            .is_some_and(|known| known.is_superset(indexes))
    };
    if now.state == State::Ongoing && partitions.iter().all(has) {
        return Outcome::reply(Ok(()));
    }
    let mut next = now.moved_to(State::Ongoing);
    if now.state != State::Ongoing {
        next.start_ms = now_ms;
    }
    next.last_update_ms = now_ms;
    next.client_version = version.level();
    for (topic, indexes) in partitions {
        next.partitions.entry(topic.clone()).or_default().extend(indexes);
    }
    Outcome::changed(Ok(()), next)
}

/// Whether each partition is part of the producer's transaction, in order.
///
/// # Errors
/// What holds for the producer as a whole.
pub fn verify(
    state: Option<&Transaction>,
    caller: Caller,
    partitions: &Partitions,
) -> Result<Vec<Result<(), TxnError>>, TxnError> {
    let now = state.ok_or(TxnError::InvalidProducerIdMapping)?;
    caller.check(now)?;
    if now.state.is_prepared() {
        return Err(TxnError::Concurrent);
    }
    let one = |topic, index| match now.partitions.get(topic) {
        Some(indexes) if indexes.contains(index) => Ok(()),
        _ => Err(TxnError::Abortable),
    };
    let verified = partitions
        .iter()
        .flat_map(|(topic, indexes)| indexes.iter().map(move |index| one(topic, index)));
    Ok(verified.collect())
}
