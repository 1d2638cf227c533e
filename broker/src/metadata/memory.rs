//! The store's stand-in for tests: ordered maps in memory which remember what was flushed.
//!
//! A crash keeps everything flushed and a prefix of what was written since, which is what sled promises
//! after a power loss. Writes that belong to one batch stay together.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

/// A key, and its new value or `None` where it is removed.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);
type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Default)]
struct State {
    live: HashMap<String, Map>,
    durable: HashMap<String, Map>,
    unflushed: Vec<(String, Vec<Change>)>,
}

/// Trees by name, live and durable.
#[derive(Debug, Default)]
pub(super) struct Database {
    state: Mutex<State>,
}

fn apply(trees: &mut HashMap<String, Map>, tree: &str, changes: &[Change]) {
    if !trees.contains_key(tree) {
        trees.insert(tree.to_owned(), Map::new());
    }
    let Some(map) = trees.get_mut(tree) else { return };
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

impl Database {
    pub(super) fn apply(&self, tree: &str, changes: Vec<Change>) {
        let mut state = self.state.lock();
        apply(&mut state.live, tree, &changes);
        state.unflushed.push((tree.to_owned(), changes));
    }

    pub(super) fn get(&self, tree: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.state.lock().live.get(tree)?.get(key).cloned()
    }

    pub(super) fn scan_prefix(&self, tree: &str, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let state = self.state.lock();
        let Some(map) = state.live.get(tree) else {
            return Vec::new();
        };
        map.range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    pub(super) fn last_at_most(&self, tree: &str, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let state = self.state.lock();
        let (key, value) = state.live.get(tree)?.range(..=key.to_vec()).next_back()?;
        Some((key.clone(), value.clone()))
    }

    pub(super) fn len(&self, tree: &str) -> usize {
        self.state.lock().live.get(tree).map_or(0, BTreeMap::len)
    }

    pub(super) fn flush(&self) {
        let state = &mut *self.state.lock();
        for (tree, changes) in state.unflushed.drain(..) {
            apply(&mut state.durable, &tree, &changes);
        }
    }

    /// Goes back to what was flushed plus the first `kept` batches written since.
    pub(super) fn crash(&self, kept: usize) {
        let state = &mut *self.state.lock();
        for (tree, changes) in state.unflushed.drain(..).take(kept) {
            apply(&mut state.durable, &tree, &changes);
        }
        state.live = state.durable.clone();
    }

    pub(super) fn unflushed(&self) -> usize {
        self.state.lock().unflushed.len()
    }
}
