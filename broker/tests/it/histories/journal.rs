//! Where clients write down what they do, from all of their threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::history::{Ack, Commit, Derived, Fate, History, Init, Isolation, Reading, Seen, Send, Transaction};

/// A history that is being written.
#[derive(Default)]
pub(crate) struct Journal {
    history: Mutex<History>,
    clock: AtomicU64,
    values: AtomicU64,
    producers: AtomicU64,
    /// What was acknowledged, read or ended: the measure of progress.
    events: Mutex<u64>,
    happened: Condvar,
}

impl Journal {
    pub(crate) fn new(sources: &[i32]) -> Self {
        let journal = Self::default();
        journal.history.lock().sources = sources.to_vec();
        journal
    }

    /// A place in the order of everything.
    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// A value that nobody has sent.
    pub(crate) fn value(&self) -> u64 {
        self.values.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn producer(&self) -> usize {
        self.producers.fetch_add(1, Ordering::SeqCst) as usize
    }

    fn happened(&self, events: u64) {
        *self.events.lock() += events;
        self.happened.notify_all();
    }

    /// How much has happened.
    pub(crate) fn events(&self) -> u64 {
        *self.events.lock()
    }

    /// Waits until so much has happened, or until `is_over`, which is asked whenever something happens, but no longer
    /// than that. Whether it came to it in time.
    pub(crate) fn wait_for(&self, events: u64, longest: Duration, is_over: impl Fn() -> bool) -> bool {
        let until = Instant::now() + longest;
        let mut now = self.events.lock();
        while *now < events && !is_over() {
            if self.happened.wait_until(&mut now, until).timed_out() {
                return false;
            }
        }
        true
    }

    /// Wakes those who wait, without anything having happened.
    pub(crate) fn wake(&self) {
        self.happened(0);
    }

    /// Writes a send down before it is handed over; its index.
    pub(crate) fn send(&self, producer: usize, partition: i32, value: u64, transaction: Option<usize>) -> usize {
        let invoked = self.now();
        let mut history = self.history.lock();
        history.sends.push(Send {
            producer,
            invoked,
            partition,
            value,
            ack: Ack::Unknown,
            transaction,
        });
        history.sends.len() - 1
    }

    pub(crate) fn acknowledge(&self, send: usize, offset: i64) {
        self.history.lock().sends[send].ack = Ack::At(offset);
        self.happened(1);
    }

    /// A transaction that has begun; its index.
    pub(crate) fn begin(&self, producer: usize) -> usize {
        let mut history = self.history.lock();
        history.transactions.push(Transaction {
            producer,
            fate: Fate::Unknown,
            end_invoked: 0,
        });
        history.transactions.len() - 1
    }

    /// Its end is asked for.
    pub(crate) fn ending(&self, transaction: usize) {
        let now = self.now();
        self.history.lock().transactions[transaction].end_invoked = now;
    }

    pub(crate) fn ended(&self, transaction: usize, fate: Fate) {
        self.history.lock().transactions[transaction].fate = fate;
        self.happened(1);
    }

    pub(crate) fn init(&self, transactional_id: usize, producer: usize, invoked: u64) {
        let done = self.now();
        self.history.lock().inits.push(Init {
            transactional_id,
            producer,
            invoked,
            done,
        });
        self.happened(1);
    }

    /// A reader is given a partition; the reading's index.
    pub(crate) fn assigned(&self, isolation: Isolation, group: Option<usize>, partition: i32) -> usize {
        let assigned = self.now();
        let mut history = self.history.lock();
        history.readings.push(Reading {
            isolation,
            group,
            partition,
            assigned,
            seen: Vec::new(),
        });
        history.readings.len() - 1
    }

    pub(crate) fn seen(&self, reading: usize, seen: Seen) {
        self.history.lock().readings[reading].seen.push(seen);
        self.happened(1);
    }

    /// A commit that is asked for; its index.
    pub(crate) fn committing(&self, group: usize, partition: i32, offset: i64) -> usize {
        let invoked = self.now();
        let mut history = self.history.lock();
        history.commits.push(Commit {
            group,
            partition,
            offset,
            invoked,
            done: None,
        });
        history.commits.len() - 1
    }

    pub(crate) fn committed(&self, commit: usize) {
        let now = self.now();
        self.history.lock().commits[commit].done = Some(now);
    }

    pub(crate) fn derived(&self, value: u64, from: u64) {
        self.history.lock().derived.push(Derived { value, from });
    }

    pub(crate) fn broken(&self, what: String) {
        self.history.lock().broken.push(what);
        self.happened(1);
    }

    /// Whether something happened that ends the run.
    pub(crate) fn is_broken(&self) -> bool {
        !self.history.lock().broken.is_empty()
    }

    /// What stands there now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        look(&mut self.history.lock())
    }
}
