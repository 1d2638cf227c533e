//! Transaction coordination: what is known of one transactional id.
//!
//! A [`Transaction`] comes into being with the first InitProducerId of its id and goes when it has been idle for
//! `transactional.id.expiration.ms`. In between it goes round: partitions are added ([`partitions`]), the producer ends it
//! or a time-out does ([`mod@end`]), markers are written into every partition, and it is complete ([`mod@complete`]).
//!
//! **Once prepared, decided.** From `PrepareCommit` or `PrepareAbort` there is one way on, and nobody but the completion
//! takes it: every command is told `CONCURRENT_TRANSACTIONS` until then. So the stored `Prepare…` is the moment at which a
//! transaction is committed or aborted, and whoever finds it after a crash writes the same markers again.
//!
//! **Fencing.** Each InitProducerId raises the epoch, and so does each end of a transaction under `transaction.version` 2
//! (KIP-890), and each abort that the coordinator itself decides on. A command with another epoch than the stored one is
//! refused; a marker carries the new epoch into the partitions, whose logs refuse the old one from then on.
//!
//! Apache Kafka's `PrepareEpochFence` and its pending states exist there between a decision and its record in the log.
//! Here a decision and its record are one step, so they are never seen.

mod complete;
mod describe;
mod end;
mod error;
mod init;
mod partitions;
#[cfg(test)]
mod simulation;
mod timeout;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;

pub use complete::{complete, resume};
pub use describe::{ListFilter, describe, list};
pub use end::{EndCommand, Ended, Version, end};
pub use error::TxnError;
pub use init::{InitCommand, Initialized, init};
pub use partitions::{Caller, add, verify};
pub use timeout::{abort_timed_out, forget_idle};

/// The topic whose partitions transactional ids belong to.
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// No producer id.
pub const NO_PRODUCER_ID: i64 = -1;
/// No epoch.
pub const NO_EPOCH: i16 = -1;
/// The time-out of transactions that never time out.
const NO_TIMEOUT_MS: i32 = i32::MAX;
/// The last epoch that a producer is given; the one above it is for markers, so that the logs can always be told to fence.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// Partition indexes by topic.
pub type Partitions = BTreeMap<StrBytes, BTreeSet<i32>>;

/// The coordinator's limits, from the broker's properties.
#[derive(Clone, Debug)]
pub struct TxnConfig {
    /// `transaction.max.timeout.ms`.
    pub max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The producer is known; it has not begun a transaction.
    Empty,
    /// Partitions were added.
    Ongoing,
    /// It is committed; markers are on their way.
    PrepareCommit,
    /// It is aborted; markers are on their way.
    PrepareAbort,
    /// It is committed, in every partition.
    CompleteCommit,
    /// It is aborted, in every partition.
    CompleteAbort,
}

impl State {
    /// Every state.
    pub const ALL: [State; 6] = [
        State::Empty,
        State::Ongoing,
        State::PrepareCommit,
        State::PrepareAbort,
        State::CompleteCommit,
        State::CompleteAbort,
    ];

    /// Its name, as DescribeTransactions shows it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Ongoing => "Ongoing",
            State::PrepareCommit => "PrepareCommit",
            State::PrepareAbort => "PrepareAbort",
            State::CompleteCommit => "CompleteCommit",
            State::CompleteAbort => "CompleteAbort",
        }
    }

    /// The state of that name.
    pub fn of_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the end is decided and not yet in every partition.
    pub fn is_prepared(self) -> bool {
        matches!(self, State::PrepareCommit | State::PrepareAbort)
    }
}

/// All that is known of one transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The producer's id.
    pub producer_id: i64,
    /// The producer id before the last change of anything; another one than `producer_id` right after a rotation only.
    pub prev_producer_id: i64,
    /// The id that the producer gets when the end is complete, where its epochs are used up.
    pub next_producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch from which the producer itself came to the present one; a retry still names it.
    pub last_producer_epoch: i16,
    /// `transaction.timeout.ms` of the producer.
    pub timeout_ms: i32,
    /// The `transaction.version` that the client, or the coordinator itself, followed in the last change.
    pub client_version: i16,
    /// Where it stands.
    pub state: State,
    /// The partitions that are part of it.
    pub partitions: Partitions,
    /// When its first partition was added, in milliseconds since the epoch; -1 where none was.
    pub start_ms: i64,
    /// When anything about it last changed, in milliseconds since the epoch.
    pub last_update_ms: i64,
}

impl Transaction {
    /// The same, about to be in another state.
    fn moved_to(&self, state: State) -> Transaction {
        Transaction {
            state,
            prev_producer_id: self.producer_id,
            ..self.clone()
        }
    }

    fn has_used_up_epochs(&self) -> bool {
        is_used_up(self.producer_epoch)
    }
}

/// Whether no producer is given an epoch above this one.
fn is_used_up(epoch: i16) -> bool {
    epoch >= LAST_EPOCH
}

/// A change of what is known of a transactional id. Always durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// It is now this.
    Changed(Box<Transaction>),
    /// It is forgotten.
    Removed,
}

/// Changes the state by one record: the only function that does.
pub fn apply(state: &mut Option<Transaction>, record: &Record) {
    *state = match record {
        Record::Changed(transaction) => Some((**transaction).clone()),
        Record::Removed => None,
    };
}

/// What has to be done besides the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Once the record is durable: write the marker into each partition of the transaction, then [`complete()`] it.
    WriteMarkers(Markers),
}

/// The markers that end a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markers {
    /// Whose transaction.
    pub producer_id: i64,
    /// The epoch that the partitions know from then on.
    pub producer_epoch: i16,
    /// Whether its records count.
    pub commit: bool,
    /// Where they go.
    pub partitions: Partitions,
}

/// What a command to the transaction coordinator comes to; its effects come after the records are durable.
pub type Outcome<R> = super::Outcome<R, Record, Effect>;

impl<R> Outcome<R> {
    fn changed(reply: R, to: Transaction) -> Outcome<R> {
        Outcome {
            reply,
            records: vec![Record::Changed(Box::new(to))],
            effects: Vec::new(),
        }
    }
}

/// The command needs a producer id that nobody has: it is to be decided anew with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedsProducerId;
