//! Which of the broker's own topics are known to say what the coordinators have: so that a start need not read them.
//!
//! Tree `internal_topics`: by name the topic's id, its partitions, and how many unclean stops there had been when it was found
//! or made to agree. After another unclean stop, with other partitions, or for another topic of that name, nothing is known.

use super::store::{Store, StoreError, Tree};
use super::topics::Topic;

const TREE: &str = "internal_topics";

/// What is known of the topics. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Agreements {
    tree: Tree,
    unclean_stops: i32,
}

impl Agreements {
    /// Opens them, for a broker with so many unclean stops behind it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub(crate) fn open(store: &Store, unclean_stops: i32) -> Result<Agreements, StoreError> {
        Ok(Agreements {
            tree: store.tree(TREE)?,
            unclean_stops,
        })
    }

    /// Whether the topic is known to agree.
    pub(crate) fn holds(&self, topic: &Topic) -> bool {
        matches!(self.tree.get(topic.name.as_bytes()), Ok(Some(stored)) if stored == self.value(topic))
    }

    /// From now on the topic agrees.
    ///
    /// # Errors
    /// [`StoreError::Database`]: the next start reads it again.
    pub(crate) fn set(&self, topic: &Topic) -> Result<(), StoreError> {
        self.tree.put(topic.name.as_bytes(), &self.value(topic))
    }

    fn value(&self, topic: &Topic) -> Vec<u8> {
        let mut value = topic.id.as_bytes().to_vec();
        value.extend(u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX).to_be_bytes());
        value.extend(self.unclean_stops.to_be_bytes());
        value
    }
}
