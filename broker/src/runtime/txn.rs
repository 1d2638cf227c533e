//! Runs the transaction coordinator: looks transactional ids up, has commands decided, and does what the decision says.
//!
//! Per command, under the lock of its transactional id: decide, write the records (to `__transaction_state`, where clients
//! see them, then to the store, which counts), apply them. Then, without the lock, wait
//! until what was written is safe, and only then reply. Who asks about an id whose last change is not safe yet waits for the
//! same flush; all who wait share one flush of the store.
//!
//! An end has an effect: its markers ([`markers`]). They are written after the decision is safe and before the reply, so that
//! the producer's next transaction does not meet its last one; only where a log refuses a marker (a full disk, say) does the
//! reply go first, and the marker is tried again until it is in. The completion itself need not be safe before anything:
//! whoever finds a prepared transaction at the start writes its markers once more ([`Txns::open`]).
//!
//! A partition is part of a transaction before anything of the transaction is in its log, and a marker is written only after
//! the transaction is prepared. In between [`Txns::while_open`] holds the lock while the first batch is appended, so that no
//! record comes behind the marker.

mod housekeeping;
mod journal;
mod markers;
mod slot;
mod strays;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::TransactionalId;
use kafka_protocol::messages::describe_transactions_response::TransactionState as Described;
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::protocol::StrBytes;
use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::coordinator::txn::{
    self, Caller, EndCommand, Ended, InitCommand, ListFilter, NeedsProducerId, Outcome, Partitions, Transaction,
    TxnConfig, TxnError, Version,
};
use crate::internal_topics::topic::InternalTopic;
use crate::metadata::producer_ids::ProducerIds;
use crate::metadata::store::{Store, StoreError};
use crate::metadata::topics::Topics;
use crate::metadata::transactions::TransactionStore;
use crate::runtime::groups::Groups;
use slot::{Decided, Done, Slot};

pub(crate) use housekeeping::Intervals;
pub(crate) use markers::append_marker;

/// All transactional ids of this broker. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Txns {
    inner: Arc<Inner>,
}

/// What the coordinator works on and with.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The coordinator's limits.
    pub config: TxnConfig,
    /// How often it looks after what happens by itself.
    pub intervals: Intervals,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where markers are written and timers run.
    pub handle: Handle,
    /// The partitions, for markers.
    pub topics: Arc<Topics>,
    /// The groups, for markers.
    pub groups: Groups,
    /// Where every change is repeated for clients to see.
    pub journal: InternalTopic,
    /// Gives out producer ids.
    pub producer_ids: Arc<ProducerIds>,
    /// Goes into each marker, so that a partition can tell an old coordinator from a new one.
    pub coordinator_epoch: i32,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    store: TransactionStore,
    slots: RwLock<HashMap<StrBytes, Arc<Slot>>>,
    stopped: CancellationToken,
}

impl Txns {
    /// Reads the transactional ids from the store, writes the markers of those that a crash left prepared, and looks after
    /// time-outs from now on, until [`Self::shutdown`].
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub(crate) fn open(store: &Store, parts: Parts) -> Result<Txns, StoreError> {
        let store = TransactionStore::open(store)?;
        let stored = store.load()?;
        let slots = stored
            .into_iter()
            .map(|(id, transaction)| (id.clone(), Arc::new(Slot::new(id, Some(transaction)))));
        let inner = Arc::new(Inner {
            slots: RwLock::new(slots.collect()),
            parts,
            store,
            stopped: CancellationToken::new(),
        });
        for slot in inner.all() {
            inner.resume(&slot);
        }
        inner.parts.handle.spawn(housekeeping::run(Arc::clone(&inner)));
        Ok(Txns { inner })
    }

    /// From now on refuses commands. What was acknowledged is in the store.
    pub(crate) fn shutdown(&self) {
        self.inner.stopped.cancel();
    }

    /// InitProducerId with a transactional id. Returns the producer's id and epoch when they survive power loss.
    ///
    /// # Errors
    /// See [`TxnError`].
    pub(crate) async fn init(
        &self,
        id: &StrBytes,
        timeout_ms: i32,
        expected: Option<(i64, i16)>,
    ) -> Result<(i64, i16), TxnError> {
        let mut command = InitCommand {
            timeout_ms,
            expected,
            new_producer_id: None,
        };
        loop {
            let slot = self.inner.find_or_make(id);
            let decided = self.inner.try_decide(&slot, |state, config, now_ms| {
                txn::init(state, config, now_ms, &command)
            });
            self.inner.retire_if_vacant(&slot);
            let decided = decided?;
            match decided {
                Decided::Done(done) => return self.inner.finish(done).await?,
                Decided::NeedsProducerId => command.new_producer_id = Some(self.inner.new_producer_id().await?),
                Decided::Retired => {}
            }
        }
    }

    /// AddPartitionsToTxn and AddOffsetsToTxn. Returns when the partitions are part of the transaction also after power
    /// loss.
    ///
    /// # Errors
    /// See [`TxnError`].
    pub(crate) async fn add(
        &self,
        id: &StrBytes,
        caller: Caller,
        version: Version,
        partitions: &Partitions,
    ) -> Result<(), TxnError> {
        let slot = self.inner.find(id).ok_or(TxnError::InvalidProducerIdMapping)?;
        let done = self.inner.decide(&slot, |state, _, now_ms| {
            txn::add(state, now_ms, caller, version, partitions)
        })?;
        self.inner.finish(done).await?
    }

    /// [`Self::add`] by the rules of version 2, which waits a while for the end of the producer's last transaction, if that
    /// is just being written.
    ///
    /// # Errors
    /// See [`TxnError`].
    pub(crate) async fn add_patiently(
        &self,
        id: &StrBytes,
        caller: Caller,
        partitions: &Partitions,
        patience: Duration,
    ) -> Result<(), TxnError> {
        let deadline = Instant::now() + patience;
        loop {
            let slot = self.inner.find(id).ok_or(TxnError::InvalidProducerIdMapping)?;
            let mut completed = std::pin::pin!(slot.completed());
            // Listens from here on, so that an end between the look and the wait is not missed.
            completed.as_mut().enable();
            match self.add(id, caller, Version::V2, partitions).await {
                Err(TxnError::Concurrent) => {}
                other => return other,
            }
            tokio::select! {
                () = completed => {}
                () = tokio::time::sleep_until(deadline) => return Err(TxnError::Concurrent),
            }
        }
    }

    /// Whether each of the partitions, in order, is part of the producer's transaction, also after power loss.
    ///
    /// # Errors
    /// What holds for the producer as a whole; see [`TxnError`].
    pub(crate) async fn verify(
        &self,
        id: &StrBytes,
        caller: Caller,
        partitions: &Partitions,
    ) -> Result<Vec<Result<(), TxnError>>, TxnError> {
        let slot = self.inner.find(id).ok_or(TxnError::InvalidProducerIdMapping)?;
        let (verified, written) = {
            let live = slot.lock();
            (txn::verify(live.state(), caller, partitions), live.unflushed())
        };
        self.inner.safe(&slot, written).await?;
        verified
    }

    /// Does `work` while the partition is certain to be part of the producer's transaction, and the transaction open. `work`
    /// must not take long, nor ask this coordinator.
    ///
    /// # Errors
    /// See [`TxnError`]; `work` is not done.
    pub(crate) fn while_open<R>(
        &self,
        id: &StrBytes,
        caller: Caller,
        topic: &StrBytes,
        partition: i32,
        work: impl FnOnce() -> R,
    ) -> Result<R, TxnError> {
        let slot = self.inner.find(id).ok_or(TxnError::InvalidProducerIdMapping)?;
        slot.read(|state| {
            let partitions = Partitions::from([(topic.clone(), [partition].into())]);
            txn::verify(state, caller, &partitions)?
                .into_iter()
                .collect::<Result<(), _>>()?;
            Ok(work())
        })
    }

    /// EndTxn. Returns when the end survives power loss and, unless a log refused it, its markers are written.
    ///
    /// # Errors
    /// See [`TxnError`].
    pub(crate) async fn end(&self, id: &StrBytes, mut command: EndCommand) -> Result<Ended, TxnError> {
        loop {
            let slot = self.inner.find(id).ok_or(TxnError::InvalidProducerIdMapping)?;
            let decided = self
                .inner
                .try_decide(&slot, |state, _, now_ms| txn::end(state, now_ms, &command))?;
            match decided {
                Decided::Done(done) => return self.inner.finish(done).await?,
                Decided::NeedsProducerId => command.new_producer_id = Some(self.inner.new_producer_id().await?),
                Decided::Retired => {}
            }
        }
    }

    /// DescribeTransactions for one transactional id.
    pub(crate) fn describe(&self, id: &TransactionalId) -> Described {
        match self.inner.find(id) {
            Some(slot) => slot.read(|state| txn::describe(state, id)),
            None => txn::describe(None, id),
        }
    }

    /// ListTransactions.
    pub(crate) fn list(&self, filter: &ListFilter) -> Vec<Listed> {
        let now_ms = self.inner.parts.clock.now_ms();
        let slots = self.inner.all().into_iter();
        slots
            .filter_map(|slot| slot.read(|state| txn::list(state?, slot.id(), filter, now_ms)))
            .collect()
    }
}

impl Inner {
    fn find(&self, id: &StrBytes) -> Option<Arc<Slot>> {
        self.slots.read().get(id).cloned()
    }

    fn find_or_make(&self, id: &StrBytes) -> Arc<Slot> {
        if let Some(slot) = self.find(id) {
            return slot;
        }
        // A copy that does not keep the request's frame alive.
        let id = StrBytes::from_string(id.to_string());
        let mut slots = self.slots.write();
        let slot = slots.entry(id.clone()).or_insert_with(|| Arc::new(Slot::new(id, None)));
        Arc::clone(slot)
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        self.slots.read().values().cloned().collect()
    }

    async fn new_producer_id(&self) -> Result<i64, TxnError> {
        self.parts.producer_ids.next().await.map_err(|error| {
            tracing::error!(%error, "no producer id can be given out");
            TxnError::NoProducerId
        })
    }

    /// [`Self::try_decide`] for what needs no producer id.
    fn decide<R>(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        decide: impl FnOnce(Option<&Transaction>, &TxnConfig, i64) -> Outcome<R>,
    ) -> Result<Done<R>, TxnError> {
        match self.try_decide(slot, |state, config, now_ms| Ok(decide(state, config, now_ms)))? {
            Decided::Done(done) => Ok(done),
            Decided::NeedsProducerId => Err(TxnError::NoProducerId),
            // The id was forgotten since it was looked up.
            Decided::Retired => Err(TxnError::InvalidProducerIdMapping),
        }
    }

    /// Decides, stores and applies under the lock.
    fn try_decide<R>(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        decide: impl FnOnce(Option<&Transaction>, &TxnConfig, i64) -> Result<Outcome<R>, NeedsProducerId>,
    ) -> Result<Decided<R>, TxnError> {
        let mut live = slot.lock();
        if live.is_retired() {
            return Ok(Decided::Retired);
        }
        if self.stopped.is_cancelled() {
            return Err(TxnError::NotAvailable);
        }
        let now_ms = self.parts.clock.now_ms();
        let Ok(outcome) = decide(live.state(), &self.parts.config, now_ms) else {
            return Ok(Decided::NeedsProducerId);
        };
        self.repeat(slot.id(), &outcome.records, now_ms)?;
        self.store
            .write(slot.id(), &outcome.records)
            .map_err(|error| storage_failed(slot.id(), &error))?;
        let written = live.apply(&outcome.records);
        Ok(Decided::Done(Done {
            slot: Arc::clone(slot),
            reply: outcome.reply,
            effects: outcome.effects,
            written,
        }))
    }

    /// Takes the slot of an id that is not known out of the map, so that asking for one leaves nothing behind.
    fn retire_if_vacant(&self, slot: &Arc<Slot>) {
        if !slot.is_vacant() {
            return;
        }
        let mut slots = self.slots.write();
        if slot.retire() && slots.get(slot.id()).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            slots.remove(slot.id());
        }
    }

    /// Waits until what was written is safe, carries out the effects, and gives the reply.
    async fn finish<R>(self: &Arc<Self>, done: Done<R>) -> Result<R, TxnError> {
        let Done {
            slot,
            reply,
            effects,
            written,
        } = done;
        if effects.is_empty() {
            self.safe(&slot, written).await?;
            return Ok(reply);
        }
        // The markers must be written even if this connection ends while it waits.
        let ended = self
            .parts
            .handle
            .spawn(Arc::clone(self).carry_out(slot, effects, written));
        match ended.await {
            Ok(result) => result.map(|()| reply),
            Err(_) => Err(TxnError::NotAvailable),
        }
    }

    /// Returns when everything up to the write of that number survives power loss.
    async fn safe(&self, slot: &Slot, written: Option<u64>) -> Result<(), TxnError> {
        let Some(written) = written else {
            return Ok(());
        };
        self.store
            .flush()
            .await
            .map_err(|error| storage_failed(slot.id(), &error))?;
        slot.flushed(written);
        Ok(())
    }
}

fn storage_failed(id: &StrBytes, error: &impl std::fmt::Display) -> TxnError {
    tracing::error!(transactional_id = id.as_str(), %error, "a change of a transaction could not be stored");
    TxnError::StorageFailed
}
