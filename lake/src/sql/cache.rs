//! What is remembered of objects between queries, under their ETag: an object that is replaced has
//! another name here, so nothing is ever out of date.
//!
//! Memory is bounded by [`Lru`]'s budget; what was used least recently goes first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::ObjectMeta;

use super::footers::Footer;

/// Decoded footers and their statistics.
const FOOTERS_BYTES_MAX: usize = 64 << 20;
/// Whole small objects.
const BODIES_BYTES_MAX: usize = 64 << 20;

/// One state of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ObjectKey {
    bucket: Arc<str>,
    path: String,
    etag: String,
}

impl ObjectKey {
    /// The key of a listed object; where the store gives no ETag, time and size stand in for it.
    pub(super) fn new(bucket: &Arc<str>, meta: &ObjectMeta) -> ObjectKey {
        let etag = meta
            .e_tag
            .clone()
            .unwrap_or_else(|| format!("{}-{}", meta.last_modified.timestamp_millis(), meta.size));
        ObjectKey {
            bucket: Arc::clone(bucket),
            path: meta.location.to_string(),
            etag,
        }
    }
}

/// Footers and small objects, shared by all queries of an engine.
#[derive(Debug)]
pub(super) struct ObjectCache {
    pub(super) footers: Lru<ObjectKey, Arc<Footer>>,
    pub(super) bodies: Lru<ObjectKey, Bytes>,
}

impl ObjectCache {
    pub(super) fn new() -> ObjectCache {
        ObjectCache {
            footers: Lru::new(FOOTERS_BYTES_MAX),
            bodies: Lru::new(BODIES_BYTES_MAX),
        }
    }
}

/// A map with a bound on the bytes that its values take.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    bytes_max: usize,
    state: Mutex<State<K, V>>,
}

#[derive(Debug)]
struct State<K, V> {
    entries: HashMap<K, Entry<V>>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    last_use: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Lru<K, V> {
    pub(super) fn new(bytes_max: usize) -> Lru<K, V> {
        Lru {
            bytes_max,
            state: Mutex::new(State {
                entries: HashMap::new(),
                bytes: 0,
                uses: 0,
            }),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let now = state.uses;
        let entry = state.entries.get_mut(key)?;
        entry.last_use = now;
        Some(entry.value.clone())
    }

    /// Keeps a value, unless it alone would take more than a quarter of the budget.
    pub(super) fn put(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max / 4 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let entry = Entry {
            value,
            bytes,
            last_use: state.uses,
        };
        state.bytes += bytes;
        if let Some(old) = state.entries.insert(key, entry) {
            state.bytes -= old.bytes;
        }
        if state.bytes > self.bytes_max {
            state.shrink(self.bytes_max / 4 * 3);
        }
    }
}

impl<K: Clone + Eq + Hash, V> State<K, V> {
    /// Drops the least recently used until the rest fits: a quarter of the budget at once, so that the
    /// sort is paid for by many insertions.
    fn shrink(&mut self, bytes_wanted: usize) {
        let mut by_use: Vec<(u64, K)> = self
            .entries
            .iter()
            .map(|(key, entry)| (entry.last_use, key.clone()))
            .collect();
        by_use.sort_unstable_by_key(|(last_use, _)| *last_use);
        for (_, key) in by_use {
            if self.bytes <= bytes_wanted {
                return;
            }
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_and_the_budget_holds() {
        let lru = Lru::new(100);
        for key in 0..10 {
            lru.put(key, key, 10);
        }
        assert_eq!(lru.get(&0), Some(0));
        lru.put(10, 10, 10);
        assert_eq!(lru.get(&0), Some(0), "it was used last");
        assert_eq!(lru.get(&1), None);
        assert!(lru.state.lock().unwrap().bytes <= 100);
        lru.put(11, 11, 26);
        assert_eq!(lru.get(&11), None, "too large to be worth it");
        lru.put(0, 7, 5);
        assert_eq!(lru.get(&0), Some(7));
    }
}
