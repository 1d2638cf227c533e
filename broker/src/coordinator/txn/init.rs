//! InitProducerId: a producer takes a transactional id over, or comes back to it.

use super::end::fence;
use super::{
    NO_EPOCH, NO_PRODUCER_ID, NeedsProducerId, Outcome, Partitions, State, Transaction, TxnConfig, TxnError, is_used_up,
};

/// InitProducerId with a transactional id that is not empty.
#[derive(Clone, Debug)]
pub struct InitCommand {
    /// `transaction.timeout.ms` of the producer.
    pub timeout_ms: i32,
    /// The id and epoch that the producer has, if it comes back (KIP-360).
    pub expected: Option<(i64, i16)>,
    /// A producer id that nobody has, if one was asked for.
    pub new_producer_id: Option<i64>,
}

/// The producer's id and epoch, or why it has none.
pub type Initialized = Result<(i64, i16), TxnError>;

/// Decides on InitProducerId; the reply is the producer's id and epoch.
///
/// # Errors
/// [`NeedsProducerId`]: an id must be taken for this, and the command decided again with it.
pub fn init(
    state: Option<&Transaction>,
    config: &TxnConfig,
    now_ms: i64,
    command: &InitCommand,
) -> Result<Outcome<Initialized>, NeedsProducerId> {
    let refused = |error: TxnError| Ok(Outcome::reply(Err(error)));
    if command.timeout_ms <= 0 || command.timeout_ms > config.max_timeout_ms {
        return refused(TxnError::InvalidTimeout);
    }
    let Some(now) = state else {
        let producer_id = command.new_producer_id.ok_or(NeedsProducerId)?;
        let fresh = Transaction {
            producer_id,
            prev_producer_id: producer_id,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: 0,
            last_producer_epoch: NO_EPOCH,
            timeout_ms: command.timeout_ms,
            client_version: 0,
            state: State::Empty,
            partitions: Partitions::new(),
            start_ms: -1,
            last_update_ms: now_ms,
        };
        return Ok(initialized(fresh));
    };
    if now.state.is_prepared() {
        return refused(TxnError::Concurrent);
    }
    if command.expected.is_some_and(|expected| !may_be_the_same(now, expected)) {
        return refused(TxnError::ProducerFenced);
    }
    if now.state == State::Ongoing {
        // The producer comes again when what its predecessor began is aborted.
        return fence(now, now_ms, command.new_producer_id, Err(TxnError::Concurrent));
    }
    let mut next = Transaction {
        timeout_ms: command.timeout_ms,
        partitions: Partitions::new(),
        start_ms: -1,
        last_update_ms: now_ms,
        ..now.moved_to(State::Empty)
    };
    let expected_epoch = command.expected.map(|(_, epoch)| epoch);
    if now.has_used_up_epochs() && expected_epoch.is_none_or(|epoch| epoch == now.producer_epoch) {
        next.producer_id = command.new_producer_id.ok_or(NeedsProducerId)?;
        next.producer_epoch = 0;
        next.last_producer_epoch = expected_epoch.map_or(NO_EPOCH, |_| now.producer_epoch);
        return Ok(initialized(next));
    }
    match expected_epoch {
        None => {
            next.producer_epoch = now.producer_epoch + 1;
            next.last_producer_epoch = NO_EPOCH;
        }
        Some(epoch) if epoch == now.producer_epoch => {
            next.producer_epoch = now.producer_epoch + 1;
            next.last_producer_epoch = now.producer_epoch;
        }
        // A retry of what was done: nobody else can have come in between, as that clears the last epoch.
        Some(epoch) if epoch == now.last_producer_epoch => {}
        Some(_) => return refused(TxnError::ProducerFenced),
    }
    Ok(initialized(next))
}

fn initialized(transaction: Transaction) -> Outcome<Initialized> {
    let reply = Ok((transaction.producer_id, transaction.producer_epoch));
    Outcome::changed(reply, transaction)
}

/// Whether the producer with this id can be the one that is known: its id is that one, or was before a rotation which it may
/// not have heard of. The epoch is looked at later.
fn may_be_the_same(now: &Transaction, (producer_id, epoch): (i64, i16)) -> bool {
    producer_id == now.producer_id || (producer_id == now.prev_producer_id && is_used_up(epoch))
}
