//! The broker's topics as the coordinator asks for them.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::coordinator::group::consumer::{TopicMetadata, TopicsView};
use crate::metadata::topics::{Topic, Topics};

fn metadata(topic: &Topic) -> TopicMetadata {
    TopicMetadata {
        id: topic.id,
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
    }
}

impl TopicsView for Topics {
    /// A sum, so that the order in which topics are listed does not matter.
    fn version(&self) -> u64 {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let hash = |topic: &Topic| hasher.hash_one((topic.id, topic.partitions.len()));
        self.all()
            .iter()
            .fold(1, |sum: u64, topic| sum.wrapping_add(hash(topic)))
            .max(1)
    }

    fn find(&self, name: &str) -> Option<TopicMetadata> {
        self.get(name).map(|topic| metadata(&topic))
    }

    fn name_of(&self, id: Uuid) -> Option<StrBytes> {
        self.by_id(id).map(|topic| topic.name.clone())
    }

    fn names(&self) -> Vec<StrBytes> {
        self.all().iter().map(|topic| topic.name.clone()).collect()
    }
}
