//! Topics that were found in the files, put back into a store that may have lost them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Stored, TopicsError};
use crate::config::Values;
use crate::metadata::store::{Store, Tree};

/// A topic as its directories show it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its id.
    pub id: Uuid,
    /// One more than the largest number of a partition.
    pub partitions: i32,
    /// The latest leader epoch in its logs; -1 where there is none.
    pub leader_epoch: i32,
}

/// Puts the topics of `found`, by name, into the store. A topic that is there under the same id keeps what is set for it.
/// Under another id, what the store says is of a topic that has no files, and gives way.
///
/// A topic that is put back gets a leader epoch above all in its logs, so that clients look for a divergence.
pub(crate) fn put_back(store: &Store, found: &BTreeMap<String, Found>) -> Result<(), TopicsError> {
    let tree = store.tree("topics")?;
    let unclean_stops = crate::metadata::configs::Identity::unclean_stops(store)?;
    for (name, found) in found {
        let known = read(&tree, name)?.filter(|stored| stored.id == found.id);
        let stored = match known {
            Some(stored) => Stored {
                partitions: stored.partitions.max(found.partitions),
                ..stored
            },
            None => Stored {
                id: found.id,
                partitions: found.partitions,
                internal: super::is_internal(name),
                born_after: unclean_stops.saturating_sub(found.leader_epoch.saturating_add(1)),
                overrides: Values::new(),
                deleting: false,
            },
        };
        let value = serde_json::to_vec(&stored).map_err(|error| TopicsError::Invalid(error.to_string()))?;
        tree.put(name.as_bytes(), &value)?;
    }
    Ok(())
}

/// What is stored of a topic; nothing where that cannot be read.
fn read(tree: &Tree, name: &str) -> Result<Option<Stored>, TopicsError> {
    let value = tree.get(name.as_bytes())?;
    Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
}
