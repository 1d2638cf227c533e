//! What clients read of the group in `__consumer_offsets`: after each step it is what is stored of it.

use std::collections::BTreeMap;

use super::world::group_id;
use crate::coordinator::group::{Group, Record};
use crate::internal_topics::groups::{changes, image, same};

/// The topic's records, compacted.
#[derive(Debug, Default)]
pub(super) struct Published(BTreeMap<Vec<u8>, Vec<u8>>);

const NOW_MS: i64 = 7;

impl Published {
    /// Appends what is about to happen.
    pub(super) fn append(&mut self, before: &Group, records: &[Record]) {
        for entry in changes(&group_id(), before, records, NOW_MS).plain {
            match entry.value {
                Some(value) => drop(self.0.insert(entry.key, value)),
                None => drop(self.0.remove(&entry.key)),
            }
        }
    }

    /// After a crash it is made to say what is stored.
    pub(super) fn repair(&mut self, stored: &Group) {
        self.0 = wanted(stored);
    }

    /// Checks that it says what is stored.
    pub(super) fn check(&self, stored: &Group) {
        let wanted = wanted(stored);
        let keys = self.0.keys().chain(wanted.keys());
        for key in keys {
            let (is, should) = (self.0.get(key), wanted.get(key));
            assert!(
                same(key, is.map(Vec::as_slice), should.map(Vec::as_slice)),
                "{}: {is:?} instead of {should:?}",
                key.escape_ascii()
            );
        }
    }
}

fn wanted(stored: &Group) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let entries = image(&group_id(), stored, NOW_MS).into_iter();
    let wanted: BTreeMap<_, _> = entries
        .map(|entry| (entry.key, entry.value.expect("what there is has a value")))
        .collect();
    wanted
}
