//! Transactions that are open in a log and not in the coordinator: whoever reads committed records would wait for their end
//! for ever.
//!
//! While the broker runs there are none. A crash leaves none either, as a partition is known to the coordinator before
//! anything of the transaction is in its log. But the metadata store can be lost and rebuilt from the logs, and a power loss
//! can take a marker that no fdatasync had waited for. So at the start each log is asked what is open in it, and what
//! nobody will end is ended: as the coordinator remembers, and if it does not, by an abort.

use std::collections::HashMap;

use super::markers::append_marker;
use super::{Inner, Txns};
use crate::coordinator::group::offsets::OFFSETS_TOPIC;
use crate::coordinator::txn::{State, Transaction};
use crate::log::KnownProducer;

impl Txns {
    /// Ends what is open in the logs and belongs to no transaction. For the start, before anybody can begin one.
    pub(crate) fn end_strays(&self) {
        self.inner.end_strays();
    }
}

impl Inner {
    fn end_strays(&self) {
        let known: HashMap<i64, Transaction> = self
            .all()
            .into_iter()
            .filter_map(|slot| slot.read(|state| state.cloned()))
            .map(|transaction| (transaction.producer_id, transaction))
            .collect();
        for topic in self.parts.topics.all() {
            for partition in &topic.partitions {
                let producers = partition.log.producers().into_iter();
                for producer in producers.filter(|producer| producer.transaction_first_offset.is_some()) {
                    let Some(commit) = end_of(known.get(&producer.id), &producer) else {
                        continue;
                    };
                    let appended = append_marker(
                        partition,
                        producer.id,
                        producer.epoch,
                        self.parts.coordinator_epoch.max(producer.coordinator_epoch),
                        commit,
                        self.parts.clock.now_ms(),
                    );
                    if topic.name.as_str() == OFFSETS_TOPIC {
                        self.parts.groups.end_transaction(partition.index, producer.id, commit);
                    }
                    tracing::warn!(
                        topic = topic.name.as_str(),
                        partition = partition.index,
                        producer_id = producer.id,
                        commit,
                        ?appended,
                        "ended a transaction that nobody would have ended"
                    );
                }
            }
        }
    }
}

/// How a transaction that is open in a log is to end there; `None` where the coordinator will see to it.
fn end_of(known: Option<&Transaction>, producer: &KnownProducer) -> Option<bool> {
    let Some(transaction) = known else {
        return Some(false);
    };
    match transaction.state {
        State::Ongoing | State::PrepareCommit | State::PrepareAbort => None,
        State::CompleteCommit => {
            // The epoch of the transaction, or after an end of version 2 the one before.
            let epochs = [transaction.producer_epoch, transaction.producer_epoch.saturating_sub(1)];
            Some(epochs.contains(&producer.epoch))
        }
        State::CompleteAbort | State::Empty => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::txn::Partitions;

    #[test]
    fn a_stray_ends_as_the_coordinator_remembers() {
        let transaction = |state| Transaction {
            producer_id: 1,
            prev_producer_id: 1,
            next_producer_id: -1,
            producer_epoch: 5,
            last_producer_epoch: 4,
            timeout_ms: 60_000,
            client_version: 0,
            state,
            partitions: Partitions::new(),
            start_ms: 1,
            last_update_ms: 1,
        };
        let producer = |epoch| KnownProducer {
            id: 1,
            epoch,
            coordinator_epoch: 0,
            last_sequence: 0,
            last_timestamp_ms: 1,
            transaction_first_offset: Some(3),
        };
        assert_eq!(end_of(None, &producer(5)), Some(false));
        for state in [State::Ongoing, State::PrepareCommit, State::PrepareAbort] {
            assert_eq!(end_of(Some(&transaction(state)), &producer(5)), None);
        }
        for (epoch, commit) in [(5, true), (4, true), (3, false)] {
            assert_eq!(
                end_of(Some(&transaction(State::CompleteCommit)), &producer(epoch)),
                Some(commit)
            );
        }
        for state in [State::Empty, State::CompleteAbort] {
            assert_eq!(end_of(Some(&transaction(state)), &producer(4)), Some(false));
        }
    }
}
