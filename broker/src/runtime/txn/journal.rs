//! `__transaction_state`: each change of a transactional id is appended there before it is stored.

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;

use super::{Inner, Txns, storage_failed};
use crate::coordinator::txn::{Record, State, TxnError};
use crate::internal_topics::fold::Fold;
use crate::internal_topics::repair::{Wanted, missing};
use crate::internal_topics::topic::append;
use crate::internal_topics::transactions::{changes, image};
use crate::log::AppendError;
use crate::runtime::groups::Epochs;
use crate::runtime::internal_topics::DisagreementError;

impl Inner {
    /// Appends what is about to happen to a transactional id.
    pub(super) fn repeat(&self, id: &StrBytes, records: &[Record], now_ms: i64) -> Result<(), TxnError> {
        if records.is_empty() {
            return Ok(());
        }
        self.parts
            .journal
            .append(id, None, now_ms, || changes(id, records))
            .map_err(|error| storage_failed(id, &error))
    }
}

impl Txns {
    /// The epochs of the producers whose transactions are open, or not yet ended everywhere.
    pub(crate) fn open_epochs(&self) -> Epochs {
        let slots = self.inner.all().into_iter();
        let open = slots.filter_map(|slot| {
            slot.read(|state| {
                let state = state?;
                let is_open = state.state == State::Ongoing || state.state.is_prepared();
                is_open.then_some((state.producer_id, state.producer_epoch))
            })
        });
        open.collect()
    }

    /// Appends everything that there is, to a topic that was just made.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub(crate) fn write_all(&self) -> Result<(), AppendError> {
        let parts = &self.inner.parts;
        let now_ms = parts.clock.now_ms();
        self.inner.all().into_iter().try_for_each(|slot| {
            slot.read(|state| {
                let all = || state.map(|state| image(slot.id(), state)).into_iter().collect();
                parts.journal.append(slot.id(), None, now_ms, all)
            })
        })
    }

    /// Makes the topic say what the coordinator has, where it does not; how many records that took.
    ///
    /// # Errors
    /// See [`DisagreementError`].
    pub(crate) fn repair(&self) -> Result<usize, DisagreementError> {
        let parts = &self.inner.parts;
        let mut by_partition: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for slot in self.inner.all() {
            let index = parts.journal.partition_of(slot.id());
            by_partition.entry(index).or_default().push(slot);
        }
        let mut repaired = 0;
        let now_ms = parts.clock.now_ms();
        for partition in parts.journal.all() {
            let slots = by_partition.remove(&partition.index).unwrap_or_default();
            // All at a time: time-outs may change them already.
            let ids: Vec<_> = slots.iter().map(|slot| (slot.id(), slot.lock())).collect();
            let mut wanted = Wanted::default();
            wanted.put(ids.iter().filter_map(|(id, live)| Some(image(id, live.state()?))));
            for batch in missing(&Fold::of(&partition.log)?, &wanted) {
                append(&partition, None, now_ms, &batch.entries)?;
                repaired += batch.entries.len();
            }
        }
        Ok(repaired)
    }
}
