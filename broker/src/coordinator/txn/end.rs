//! EndTxn: the producer commits or aborts.
//!
//! Under `transaction.version` 2 (EndTxn from version 5 on) each end raises the epoch, and the producer learns the new one
//! from the answer. So a retry is told by the epoch before it, and an abort may come at any time: a producer that does not
//! know how far it got aborts, whether or not a transaction had begun. Older clients keep their epoch.

use super::{
    Effect, LAST_EPOCH, Markers, NO_EPOCH, NO_PRODUCER_ID, NeedsProducerId, Outcome, Record, State, Transaction,
    TxnError,
};
use crate::coordinator::txn::partitions::Caller;

/// The rules that the client follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The epoch stays.
    V1,
    /// Each end raises the epoch (KIP-890).
    V2,
}

impl Version {
    /// The level of `transaction.version` that is kept of it: whoever does not know version 2 counts as of version 0.
    pub(super) fn level(self) -> i16 {
        match self {
            Version::V1 => 0,
            Version::V2 => 2,
        }
    }
}

/// EndTxn.
#[derive(Clone, Copy, Debug)]
pub struct EndCommand {
    /// Who.
    pub caller: Caller,
    /// Whether the records are to count.
    pub commit: bool,
    /// By which rules.
    pub version: Version,
    /// A producer id that nobody has, if one was asked for.
    pub new_producer_id: Option<i64>,
}

/// The producer's id and epoch from now on; -1 for clients that keep theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The id.
    pub producer_id: i64,
    /// The epoch.
    pub producer_epoch: i16,
}

impl Ended {
    /// For a client that keeps what it has.
    const UNCHANGED: Ended = Ended {
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_EPOCH,
    };
}

/// Decides on EndTxn.
///
/// # Errors
/// [`NeedsProducerId`]: an id must be taken for this, and the command decided again with it.
pub fn end(
    state: Option<&Transaction>,
    now_ms: i64,
    command: &EndCommand,
) -> Result<Outcome<Result<Ended, TxnError>>, NeedsProducerId> {
    let refused = |error: TxnError| Ok(Outcome::reply(Err(error)));
    let Some(now) = state else {
        return refused(TxnError::InvalidProducerIdMapping);
    };
    match command.version {
        Version::V1 => Ok(end_v1(now, now_ms, command)),
        // Before anything else: the producer may already use an id that it gets when the end is complete.
        Version::V2 if now.state.is_prepared() => refused(TxnError::Concurrent),
        Version::V2 => end_v2(now, now_ms, command),
    }
}

fn end_v1(now: &Transaction, now_ms: i64, command: &EndCommand) -> Outcome<Result<Ended, TxnError>> {
    let refused = |error: TxnError| Outcome::reply(Err(error));
    if now.producer_id != command.caller.producer_id {
        return refused(TxnError::InvalidProducerIdMapping);
    }
    if now.producer_epoch != command.caller.producer_epoch {
        return refused(TxnError::ProducerFenced);
    }
    match now.state {
        State::PrepareCommit | State::PrepareAbort => refused(TxnError::Concurrent),
        State::Ongoing => prepare(now, now_ms, command.commit, kept(now), |_| Ok(Ended::UNCHANGED)),
        State::CompleteCommit if command.commit => Outcome::reply(Ok(Ended::UNCHANGED)),
        State::CompleteAbort if !command.commit => Outcome::reply(Ok(Ended::UNCHANGED)),
        State::Empty | State::CompleteCommit | State::CompleteAbort => refused(TxnError::InvalidState),
    }
}

/// What an EndTxn of version 2 is, by the epoch that it names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The present epoch: it ends what there is.
    Current,
    /// The epoch before the last end: it was sent before, and the answer was lost.
    Retry,
}

fn end_v2(
    now: &Transaction,
    now_ms: i64,
    command: &EndCommand,
) -> Result<Outcome<Result<Ended, TxnError>>, NeedsProducerId> {
    let refused = |error: TxnError| Ok(Outcome::reply(Err(error)));
    let told = match told(now, command.caller) {
        Ok(told) => told,
        Err(error) => return refused(error),
    };
    match (now.state, told, command.commit) {
        (State::Ongoing, ..) => raise(now, now_ms, command),
        (State::CompleteCommit, Told::Retry, true) | (State::CompleteAbort, Told::Retry, false) => {
            Ok(Outcome::reply(Ok(Ended {
                producer_id: now.producer_id,
                producer_epoch: now.producer_epoch,
            })))
        }
        (State::Empty | State::CompleteCommit | State::CompleteAbort, Told::Current, false) => {
            raise(now, now_ms, command)
        }
        _ => refused(TxnError::InvalidState),
    }
}

fn told(now: &Transaction, caller: Caller) -> Result<Told, TxnError> {
    let after_rotation =
        now.prev_producer_id == caller.producer_id && caller.producer_epoch == LAST_EPOCH && now.producer_epoch == 0;
    if now.producer_id != caller.producer_id && !after_rotation {
        return Err(TxnError::InvalidProducerIdMapping);
    }
    let is_complete = matches!(now.state, State::CompleteCommit | State::CompleteAbort);
    let after_end = caller.producer_epoch.checked_add(1) == Some(now.producer_epoch);
    // Apache Kafka does not look at the last epoch, and so takes a fenced producer of version 2 for its successor of version 1.
    let same_producer = now.last_producer_epoch == caller.producer_epoch;
    if is_complete && same_producer && (after_end || after_rotation) {
        Ok(Told::Retry)
    } else if now.producer_epoch == caller.producer_epoch {
        Ok(Told::Current)
    } else {
        Err(TxnError::ProducerFenced)
    }
}

/// Ends it and raises the epoch.
fn raise(
    now: &Transaction,
    now_ms: i64,
    command: &EndCommand,
) -> Result<Outcome<Result<Ended, TxnError>>, NeedsProducerId> {
    let next = raised(now, command.new_producer_id)?;
    let reply = |next: &Transaction| {
        let (producer_id, producer_epoch) = after_completion(next);
        Ok(Ended {
            producer_id,
            producer_epoch,
        })
    };
    Ok(prepare(now, now_ms, command.commit, next, reply))
}

/// The same with the next epoch; where there is none left, with another id for the producer to go on under. The epoch above
/// the last one then is in markers only, and no producer is ever given it: what it began could not be fenced.
fn raised(now: &Transaction, new_producer_id: Option<i64>) -> Result<Transaction, NeedsProducerId> {
    let next_producer_id = if now.has_used_up_epochs() {
        new_producer_id.ok_or(NeedsProducerId)?
    } else {
        NO_PRODUCER_ID
    };
    Ok(Transaction {
        client_version: Version::V2.level(),
        next_producer_id,
        last_producer_epoch: now.producer_epoch,
        producer_epoch: now.producer_epoch.saturating_add(1),
        ..now.clone()
    })
}

/// The same, as a client of version 1 ends it.
fn kept(now: &Transaction) -> Transaction {
    Transaction {
        client_version: Version::V1.level(),
        ..now.clone()
    }
}

/// The producer's id and epoch when what is prepared is complete.
pub(super) fn after_completion(prepared: &Transaction) -> (i64, i16) {
    if prepared.next_producer_id == NO_PRODUCER_ID {
        (prepared.producer_id, prepared.producer_epoch)
    } else {
        (prepared.next_producer_id, 0)
    }
}

/// Aborts an open transaction and fences its producer, which is told of neither.
///
/// Apache Kafka 4.1.1 changes no id here, but leaves the epoch above the last one behind, which a retry of the fenced producer
/// may then be given (KAFKA-20090).
///
/// # Errors
/// [`NeedsProducerId`]: an id must be taken for this, and the command decided again with it.
pub(super) fn fence<R>(
    now: &Transaction,
    now_ms: i64,
    new_producer_id: Option<i64>,
    reply: R,
) -> Result<Outcome<R>, NeedsProducerId> {
    let next = raised(now, new_producer_id)?;
    Ok(prepare(now, now_ms, false, next, |_| reply))
}

fn prepare<R>(
    now: &Transaction,
    now_ms: i64,
    commit: bool,
    mut next: Transaction,
    reply: impl FnOnce(&Transaction) -> R,
) -> Outcome<R> {
    next.state = if commit {
        State::PrepareCommit
    } else {
        State::PrepareAbort
    };
    next.prev_producer_id = now.producer_id;
    if now.state != State::Ongoing {
        next.start_ms = now_ms;
    }
    next.last_update_ms = now_ms;
    let reply = reply(&next);
    let markers = markers(&next);
    Outcome {
        reply,
        records: vec![Record::Changed(Box::new(next))],
        effects: vec![Effect::WriteMarkers(markers)],
    }
}

/// The markers of what is prepared.
pub(super) fn markers(prepared: &Transaction) -> Markers {
    Markers {
        producer_id: prepared.producer_id,
        producer_epoch: prepared.producer_epoch,
        commit: prepared.state == State::PrepareCommit,
        partitions: prepared.partitions.clone(),
    }
}
