//! Turns at flushing the store: whoever waits at the same time shares one flush, and where nothing was written since the
//! last one that succeeded, there is none.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Flushes are numbered; one runs at a time, and whoever needs one that has not started yet waits or leads it.
#[derive(Default)]
pub(super) struct Flushes {
    state: Mutex<FlushState>,
    /// Changes so far, and how many of them are durable.
    written: AtomicU64,
    durable: AtomicU64,
    /// Told when one ends.
    pub(super) ended: Notify,
}

#[derive(Default)]
struct FlushState {
    started: u64,
    succeeded: u64,
    running: bool,
}

/// What a caller who needs a flush is to do.
pub(super) enum Turn<'a> {
    /// Nothing: it has happened.
    Done,
    /// Wait for the one that runs to end.
    Wait,
    /// Flush.
    Lead(Leading<'a>),
}

impl Flushes {
    /// Something was written.
    pub(super) fn note_write(&self) {
        self.written.fetch_add(1, Ordering::AcqRel);
    }

    /// The changes so far; `None` where all of them are durable.
    pub(super) fn unflushed(&self) -> Option<u64> {
        let written = self.written.load(Ordering::Acquire);
        (self.durable.load(Ordering::Acquire) < written).then_some(written)
    }

    /// The first so many changes are durable.
    pub(super) fn note_flushed(&self, written: u64) {
        self.durable.fetch_max(written, Ordering::AcqRel);
    }

    /// The first flush that covers what is written now.
    pub(super) fn next(&self) -> u64 {
        self.state.lock().started + 1
    }

    pub(super) fn lead(&self, wanted: u64) -> Turn<'_> {
        let mut state = self.state.lock();
        if state.succeeded >= wanted {
            Turn::Done
        } else if state.running {
            Turn::Wait
        } else {
            state.running = true;
            state.started += 1;
            Turn::Lead(Leading {
                flushes: self,
                number: state.started,
            })
        }
    }
}

/// Gives up the lead when dropped, so that a caller who goes away in the middle leaves it to another.
pub(super) struct Leading<'a> {
    flushes: &'a Flushes,
    number: u64,
}

impl Leading<'_> {
    pub(super) fn end(self, success: bool) {
        if success {
            let mut state = self.flushes.state.lock();
            state.succeeded = state.succeeded.max(self.number);
        }
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.flushes.state.lock().running = false;
        self.flushes.ended.notify_waiters();
    }
}
