//! One transactional id at work: its state, and how much of it is safe.

use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::coordinator::txn::{self, Effect, Record, Transaction};

/// A transactional id and what is behind it.
#[derive(Debug)]
pub(super) struct Slot {
    id: StrBytes,
    live: Mutex<Live>,
    /// Tells those who wait for the end of a transaction.
    completed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Live {
    state: Option<Transaction>,
    /// Counts writes, and up to which of them the store is known to be flushed.
    written: u64,
    flushed: u64,
    /// The id is forgotten and the slot is no longer in the map.
    retired: bool,
}

/// A command that was carried out, up to waiting for the store.
pub(super) struct Done<R> {
    pub(super) slot: Arc<Slot>,
    pub(super) reply: R,
    pub(super) effects: Vec<Effect>,
    /// Which write must be safe before the reply and the effects.
    pub(super) written: Option<u64>,
}

/// What became of a command.
pub(super) enum Decided<R> {
    Done(Done<R>),
    /// It must be decided again, with a producer id.
    NeedsProducerId,
    /// The slot is no longer its id's: it must be looked up again.
    Retired,
}

impl Slot {
    pub(super) fn new(id: StrBytes, state: Option<Transaction>) -> Slot {
        Slot {
            id,
            live: Mutex::new(Live {
                state,
                ..Live::default()
            }),
            completed: Notify::new(),
        }
    }

    pub(super) fn id(&self) -> &StrBytes {
        &self.id
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock()
    }

    pub(super) fn read<R>(&self, look: impl FnOnce(Option<&Transaction>) -> R) -> R {
        look(self.live.lock().state.as_ref())
    }

    pub(super) fn flushed(&self, written: u64) {
        let mut live = self.live.lock();
        live.flushed = live.flushed.max(written);
    }

    /// The next end of a transaction that is complete.
    pub(super) fn completed(&self) -> Notified<'_> {
        self.completed.notified()
    }

    pub(super) fn tell_completed(&self) {
        self.completed.notify_waiters();
    }

    pub(super) fn is_vacant(&self) -> bool {
        self.live.lock().state.is_none()
    }

    /// Retires the slot if nothing is known of its id; whether it is retired.
    pub(super) fn retire(&self) -> bool {
        let mut live = self.live.lock();
        live.retired |= live.state.is_none();
        live.retired
    }
}

impl Live {
    pub(super) fn state(&self) -> Option<&Transaction> {
        self.state.as_ref()
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired
    }

    /// Applies the records, which are written. Which write must be safe before anybody is told of the state.
    pub(super) fn apply(&mut self, records: &[Record]) -> Option<u64> {
        for record in records {
            txn::apply(&mut self.state, record);
        }
        self.written += u64::from(!records.is_empty());
        self.unflushed()
    }

    /// Which write must be safe before anybody is told of the state.
    pub(super) fn unflushed(&self) -> Option<u64> {
        (self.written > self.flushed).then_some(self.written)
    }
}
