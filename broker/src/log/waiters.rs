//! Who waits for a log to grow.
//!
//! A waiter registers first and looks at the log's offsets after that; an append publishes its records first and
//! wakes after that. So one of them sees the other, and no long poll sleeps through an append. With nobody
//! waiting, [`Waiters::wake`] is one load.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering, fence},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The waiters of one log.
#[derive(Debug, Default)]
pub struct Waiters {
    count: AtomicUsize,
    waiting: Mutex<Vec<Arc<Notify>>>,
}

impl Waiters {
    /// From now until the registration is dropped, every append calls `notify_one` on `notify`.
    pub fn register(self: &Arc<Self>, notify: &Arc<Notify>) -> Registration {
        let mut waiting = self.waiting.lock();
        waiting.push(Arc::clone(notify));
        self.count.store(waiting.len(), Ordering::Relaxed);
        drop(waiting);
        fence(Ordering::SeqCst);
        Registration {
            waiters: Arc::clone(self),
            notify: Arc::clone(notify),
        }
    }

    /// Wakes all. A waiter that is just going to sleep is woken as well (`notify_one` keeps a permit).
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        for notify in &*self.waiting.lock() {
            notify.notify_one();
        }
    }
}

/// Being registered; ends when dropped.
#[derive(Debug)]
pub struct Registration {
    waiters: Arc<Waiters>,
    notify: Arc<Notify>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut waiting = self.waiters.waiting.lock();
        if let Some(place) = waiting.iter().position(|other| Arc::ptr_eq(other, &self.notify)) {
            waiting.swap_remove(place);
        }
        if waiting.is_empty() {
            *waiting = Vec::new();
        }
        self.waiters.count.store(waiting.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_append_between_registering_and_sleeping_is_not_missed() {
        let waiters = Arc::new(Waiters::default());
        let notify = Arc::new(Notify::new());
        let registration = waiters.register(&notify);
        waiters.wake();
        notify.notified().await;
        drop(registration);
        assert_eq!(waiters.count.load(Ordering::Relaxed), 0);
        assert!(waiters.waiting.lock().is_empty());
    }
}
