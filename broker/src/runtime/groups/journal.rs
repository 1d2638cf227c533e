//! `__consumer_offsets`: each change of a group is appended there before it is stored.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::protocol::StrBytes;

use super::Groups;
use super::slot::Slot;
use crate::coordinator::group::{Group, Record};
use crate::internal_topics::Producer;
use crate::internal_topics::fold::Fold;
use crate::internal_topics::groups::{changes, image, pending};
use crate::internal_topics::repair::{Wanted, missing};
use crate::internal_topics::topic::{InternalTopic, append};
use crate::log::AppendError;
use crate::runtime::internal_topics::DisagreementError;

/// The topic, as the groups write to it.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The topic.
    pub topic: InternalTopic,
}

/// In what a change happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Within {
    /// By itself.
    Nothing,
    /// In a producer's transaction, at whose end it counts.
    Transaction(Producer),
    /// At the end of a transaction: the marker says it all.
    Marker,
}

/// The epochs of the producers whose transactions are open.
pub(crate) type Epochs = HashMap<i64, i16>;

impl Journal {
    /// Appends what is about to happen to a group that is `before` without it.
    pub(super) fn write(
        &self,
        group_id: &StrBytes,
        before: &Group,
        records: &[Record],
        within: Within,
        now_ms: i64,
    ) -> Result<(), AppendError> {
        if !records.iter().any(Record::is_durable) {
            return Ok(());
        }
        let changes = || changes(group_id, before, records, now_ms);
        match within {
            Within::Nothing => self.topic.append(group_id, None, now_ms, || changes().plain),
            Within::Transaction(producer) => self
                .topic
                .append(group_id, Some(producer), now_ms, || changes().transactional),
            Within::Marker => Ok(()),
        }
    }

    /// Appends everything that there is of a group.
    fn write_all(&self, group_id: &StrBytes, group: &Group, epochs: &Epochs, now_ms: i64) -> Result<(), AppendError> {
        let all = || image(group_id, group, now_ms);
        self.topic.append(group_id, None, now_ms, all)?;
        for waiting in pending(group_id, group) {
            let (id, entry) = (waiting.producer_id, waiting.entry);
            if let Some(epoch) = epochs.get(&id).copied() {
                let producer = Producer { id, epoch };
                self.topic.append(group_id, Some(producer), now_ms, || vec![entry])?;
            }
        }
        Ok(())
    }
}

impl Groups {
    /// How many partitions `__consumer_offsets` has, or will have.
    pub(crate) fn partitions(&self) -> i32 {
        self.inner.journal.topic.partitions()
    }

    /// The partition of `__consumer_offsets` to which a group belongs.
    pub(crate) fn partition_of(&self, group_id: &str) -> i32 {
        self.inner.journal.topic.partition_of(group_id)
    }

    /// Appends everything that there is, to a topic that was just made.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub(crate) fn write_all(&self, epochs: &Epochs) -> Result<(), AppendError> {
        let now_ms = self.inner.clock.now_ms();
        self.inner.all().into_iter().try_for_each(|slot| {
            let write = |group: &Group| self.inner.journal.write_all(slot.id(), group, epochs, now_ms);
            slot.read(write)
        })
    }

    /// Makes the topic say what the groups are, where it does not; how many records that took. Offsets that wait for the end
    /// of a transaction which is not open any more are dropped.
    ///
    /// # Errors
    /// See [`DisagreementError`].
    pub(crate) fn repair(&self, epochs: &Epochs) -> Result<usize, DisagreementError> {
        self.drop_orphans(epochs);
        let mut by_partition: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for slot in self.inner.all() {
            by_partition.entry(self.partition_of(slot.id())).or_default().push(slot);
        }
        let mut repaired = 0;
        let now_ms = self.inner.clock.now_ms();
        for partition in self.inner.journal.topic.all() {
            let slots = by_partition.remove(&partition.index).unwrap_or_default();
            // All at a time: timers may change groups already, and what was read must not be older than what is compared.
            let groups: Vec<_> = slots.iter().map(|slot| (slot.id(), slot.lock())).collect();
            let mut wanted = Wanted::default();
            for (group_id, live) in &groups {
                wanted.put(image(group_id, live.group(), now_ms));
                wanted.wait(pending(group_id, live.group()));
            }
            for batch in missing(&Fold::of(&partition.log)?, &wanted) {
                let Some(producer) = batch.producer(|id| epochs.get(&id).copied()) else {
                    continue;
                };
                append(&partition, producer, now_ms, &batch.entries)?;
                repaired += batch.entries.len();
            }
        }
        Ok(repaired)
    }

    fn drop_orphans(&self, epochs: &Epochs) {
        let orphan = |slot: &Slot| {
            slot.read(|group| {
                let producers = group.pending.producers();
                producers.filter(|id| !epochs.contains_key(id)).collect::<Vec<_>>()
            })
        };
        for slot in self.inner.all() {
            for producer_id in orphan(&slot) {
                self.end_transaction(self.partition_of(slot.id()), producer_id, false);
            }
        }
    }
}
