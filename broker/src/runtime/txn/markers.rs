//! Writing the markers that end a transaction.
//!
//! A marker that is written twice does no harm: the second finds no open transaction. So whatever is in doubt is written
//! again, after a crash as after an error. A partition that is gone needs none.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;

use super::Inner;
use super::slot::Slot;
use crate::coordinator::group::offsets::OFFSETS_TOPIC;
use crate::coordinator::txn::{self, Effect, Markers, Partitions, TxnError};
use crate::log::{AppendError, Origin};
use crate::wire::build::{EndTxnMarker, end_txn_batch};

/// After how long markers that a log or the store refused are tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Inner {
    /// Waits until the decision is safe, then writes the markers. Returns when the producer may be told; what could not be
    /// written by then is tried again in the background.
    pub(super) async fn carry_out(
        self: Arc<Self>,
        slot: Arc<Slot>,
        effects: Vec<Effect>,
        written: Option<u64>,
    ) -> Result<(), TxnError> {
        if let Err(error) = self.safe(&slot, written).await {
            // Nothing is known about the decision, so no marker may tell of it yet.
            let again = Arc::clone(&self);
            self.parts
                .handle
                .spawn(async move { again.keep_on(slot, effects, written).await });
            return Err(error);
        }
        let left = self.write_all(effects).await;
        if left.is_empty() {
            self.complete(&slot);
            return Ok(());
        }
        let again = Arc::clone(&self);
        self.parts
            .handle
            .spawn(async move { again.keep_on(slot, left, None).await });
        Ok(())
    }

    /// Tries until everything is written, or the broker stops.
    async fn keep_on(self: Arc<Self>, slot: Arc<Slot>, mut left: Vec<Effect>, written: Option<u64>) {
        loop {
            tokio::select! {
                () = self.stopped.cancelled() => return,
                () = tokio::time::sleep(RETRY_AFTER) => {}
            }
            if self.safe(&slot, written).await.is_err() {
                continue;
            }
            left = self.write_all(left).await;
            if left.is_empty() && self.complete(&slot) {
                return;
            }
        }
    }

    /// Takes up a transaction that a crash left prepared.
    pub(super) fn resume(self: &Arc<Self>, slot: &Arc<Slot>) {
        let Some(Effect::WriteMarkers(markers)) = slot.read(txn::resume) else {
            return;
        };
        let (mut left, unsynced) = self.write(&markers);
        if left.is_empty() && unsynced.is_empty() && self.complete(slot) {
            return;
        }
        let (this, slot) = (Arc::clone(self), Arc::clone(slot));
        self.parts.handle.spawn(async move {
            // Not complete before that: nobody would write again what the power takes.
            this.sync(unsynced, &mut left).await;
            if left.is_empty() && this.complete(&slot) {
                return;
            }
            let left = vec![Effect::WriteMarkers(Markers {
                partitions: left,
                ..markers
            })];
            this.keep_on(slot, left, None).await;
        });
    }

    /// The markers are written: the transaction is complete. Whether that could be stored.
    fn complete(self: &Arc<Self>, slot: &Arc<Slot>) -> bool {
        let completed = self
            .decide(slot, |state, _, now_ms| txn::complete(state, now_ms))
            .is_ok();
        slot.tell_completed();
        completed
    }

    /// Writes markers, and returns what could not be written.
    async fn write_all(self: &Arc<Self>, effects: Vec<Effect>) -> Vec<Effect> {
        let mut refused = Vec::new();
        for Effect::WriteMarkers(markers) in effects {
            let (mut left, unsynced) = self.write(&markers);
            self.sync(unsynced, &mut left).await;
            if !left.is_empty() {
                refused.push(Effect::WriteMarkers(Markers {
                    partitions: left,
                    ..markers
                }));
            }
        }
        refused
    }

    /// Waits until markers survive the loss of power, and adds to `left` where that failed.
    async fn sync(&self, unsynced: Vec<Unsynced>, left: &mut Partitions) {
        for Unsynced {
            topic,
            partition,
            below,
        } in unsynced
        {
            let log = self.parts.topics.get(&topic);
            let log = log.as_ref().and_then(|topic| topic.partition(partition));
            if let Some(found) = log
                && found.log.synced(below).await.is_err()
            {
                left.entry(topic).or_default().insert(partition);
            }
        }
    }

    /// Writes a transaction's markers. Where they could not be, and which logs are yet to be synced.
    fn write(&self, markers: &Markers) -> (Partitions, Vec<Unsynced>) {
        let (mut left, mut unsynced) = (Partitions::new(), Vec::new());
        for (topic, indexes) in &markers.partitions {
            for index in indexes {
                // Readers of the log first; a group that could not be told is tried again, and the marker with it.
                let written = self.append(topic, *index, markers).filter(|_| {
                    topic.as_str() != OFFSETS_TOPIC
                        || self
                            .parts
                            .groups
                            .end_transaction(*index, markers.producer_id, markers.commit)
                });
                match written {
                    None => drop(left.entry(topic.clone()).or_default().insert(*index)),
                    Some(None) => {}
                    Some(Some(below)) => unsynced.push(Unsynced {
                        topic: topic.clone(),
                        partition: *index,
                        below,
                    }),
                }
            }
        }
        (left, unsynced)
    }

    /// Appends a marker to a partition's log: `None` if it must be tried again, the offset below which the log must be
    /// synced if it must be.
    #[expect(clippy::option_option, reason = "written or not, and if so, whether a sync is due")]
    fn append(&self, topic: &StrBytes, index: i32, markers: &Markers) -> Option<Option<i64>> {
        let found = self.parts.topics.get(topic);
        let Some(partition) = found.as_ref().and_then(|topic| topic.partition(index)) else {
            return Some(None);
        };
        let appended = append_marker(
            partition,
            markers.producer_id,
            markers.producer_epoch,
            self.parts.coordinator_epoch,
            markers.commit,
            self.parts.clock.now_ms(),
        );
        match appended {
            Ok(appended) => Some(appended.needs_sync.then_some(appended.last_offset + 1)),
            Err(_) if partition.is_deleted() => Some(None),
            // Whoever ended it there in a later epoch did so for good.
            Err(error @ (AppendError::InvalidProducerEpoch { .. } | AppendError::CoordinatorFenced { .. })) => {
                tracing::warn!(topic = topic.as_str(), index, %error, "a marker came too late");
                Some(None)
            }
            Err(error) => {
                tracing::warn!(topic = topic.as_str(), index, %error, "a marker will be tried again");
                None
            }
        }
    }
}

struct Unsynced {
    topic: StrBytes,
    partition: i32,
    below: i64,
}

/// Appends the marker that ends a producer's transaction in one partition.
pub(crate) fn append_marker(
    partition: &crate::metadata::topics::Partition,
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    commit: bool,
    now_ms: i64,
) -> Result<crate::log::Appended, AppendError> {
    let marker = if commit {
        EndTxnMarker::Commit
    } else {
        EndTxnMarker::Abort
    };
    let epoch = partition.leader_epoch;
    let batch = end_txn_batch(0, epoch, now_ms, producer_id, producer_epoch, coordinator_epoch, marker);
    partition.log.append(&batch, Origin::Coordinator, epoch, now_ms)
}
