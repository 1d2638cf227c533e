//! Bounds on what clients can make the broker hold.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// `max.connections` and `max.connections.per.ip`.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    max: usize,
    max_per_ip: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_ip: HashMap<IpAddr, usize>,
}

impl ConnectionLimits {
    pub(crate) fn new(max: usize, max_per_ip: usize) -> Self {
        Self {
            max,
            max_per_ip,
            open: Mutex::default(),
        }
    }

    /// Admits a connection, unless there are too many. It counts until the permit is dropped.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<ConnectionPermit> {
        let mut open = self.open.lock();
        let of_ip = open.by_ip.get(&ip).copied().unwrap_or(0);
        if open.all >= self.max || of_ip >= self.max_per_ip {
            return None;
        }
        open.all += 1;
        open.by_ip.insert(ip, of_ip + 1);
        drop(open);
        Some(ConnectionPermit {
            limits: Arc::clone(self),
            ip,
        })
    }
}

/// One admitted connection.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limits: Arc<ConnectionLimits>,
    ip: IpAddr,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock();
        open.all -= 1;
        if let Some(count) = open.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.by_ip.remove(&self.ip);
            }
        }
    }
}

/// `queued.max.request.bytes`: the memory that requests of all connections may take together.
///
/// A connection asks for a whole request before it reads its body, so that two half-read requests never wait for each
/// other; and one request is always let through.
#[derive(Debug)]
pub(crate) struct RequestMemory {
    max: usize,
    used: Mutex<usize>,
    freed: Notify,
}

impl RequestMemory {
    /// No limit for a `max` that is not above zero.
    pub(crate) fn new(max: i64) -> Self {
        let max = usize::try_from(max).ok().filter(|max| *max > 0).unwrap_or(usize::MAX);
        Self {
            max,
            used: Mutex::new(0),
            freed: Notify::new(),
        }
    }

    /// Waits until there is room for `bytes`.
    pub(crate) async fn take(self: &Arc<Self>, bytes: usize) -> RequestMemoryPermit {
        if self.max == usize::MAX {
            return RequestMemoryPermit { memory: None, bytes };
        }
        loop {
            let freed = self.freed.notified();
            {
                let mut used = self.used.lock();
                if *used == 0 || used.saturating_add(bytes) <= self.max {
                    *used += bytes;
                    return RequestMemoryPermit {
                        memory: Some(Arc::clone(self)),
                        bytes,
                    };
                }
            }
            freed.await;
        }
    }
}

/// Memory that a request has.
#[derive(Debug)]
pub(crate) struct RequestMemoryPermit {
    memory: Option<Arc<RequestMemory>>,
    bytes: usize,
}

impl Drop for RequestMemoryPermit {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            *memory.used.lock() -= self.bytes;
            memory.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_in_all_and_by_address() {
        let limits = Arc::new(ConnectionLimits::new(3, 2));
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = limits.admit(one).unwrap();
        let _second = limits.admit(one).unwrap();
        assert!(limits.admit(one).is_none(), "two of one address");
        let _third = limits.admit(other).unwrap();
        assert!(limits.admit(other).is_none(), "three in all");
        drop(first);
        assert!(limits.admit(other).is_some());
    }

    #[tokio::test]
    async fn a_request_waits_for_memory_and_one_always_passes() {
        let memory = Arc::new(RequestMemory::new(10));
        let large = memory.take(100).await;
        let mut waiting = Box::pin(memory.take(1));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(large);
        drop(waiting.await);
        assert_eq!(*memory.used.lock(), 0);
    }
}
