//! One of the broker's own topics, as a coordinator writes to it.

use std::sync::Arc;

use super::{Entry, Producer};
use crate::coordinator::partition_for;
use crate::log::{AppendError, Origin};
use crate::metadata::topics::{Partition, Topics};
use crate::wire::batch::NO_SEQUENCE;
use crate::wire::build::BatchBuilder;

/// How many bytes of keys and values go into one batch, about: half of what a topic takes by default.
const BATCH_BYTES: usize = 512 * 1024;

/// A topic that may not exist yet. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct InternalTopic {
    name: &'static str,
    /// How many partitions it had at the start, or gets when it is made.
    partitions: i32,
    topics: Option<Arc<Topics>>,
}

impl InternalTopic {
    /// The topic of that name among `topics`, which is made with so many partitions. Where it exists it has those it has: as
    /// in Apache Kafka, one that gets more counts with them from the next start on.
    pub(crate) fn new(name: &'static str, partitions: i32, topics: Arc<Topics>) -> InternalTopic {
        let existing = topics
            .get(name)
            .and_then(|topic| i32::try_from(topic.partitions.len()).ok());
        InternalTopic {
            name,
            partitions: existing.unwrap_or(partitions).max(1),
            topics: Some(topics),
        }
    }

    /// A topic that never exists: for a coordinator without a broker around it.
    #[cfg(test)]
    pub(crate) fn nowhere(name: &'static str, partitions: i32) -> InternalTopic {
        InternalTopic {
            name,
            partitions,
            topics: None,
        }
    }

    /// Among how many partitions ids are spread.
    pub(crate) fn partitions(&self) -> i32 {
        self.partitions
    }

    /// The partition to which a group or transactional id belongs.
    pub(crate) fn partition_of(&self, id: &str) -> i32 {
        partition_for(id, self.partitions())
    }

    /// A partition by its number, if it exists.
    pub(crate) fn find(&self, index: i32) -> Option<Arc<Partition>> {
        self.topics.as_ref()?.get(self.name)?.partition(index).cloned()
    }

    /// Every partition that exists.
    pub(crate) fn all(&self) -> Vec<Arc<Partition>> {
        let topic = self.topics.as_ref().and_then(|topics| topics.get(self.name));
        topic.map_or_else(Vec::new, |topic| topic.partitions.clone())
    }

    /// Appends the records that `make` gives to the partition of an id. Does nothing where the topic does not exist.
    ///
    /// # Errors
    /// See [`AppendError`]. Where there are more records than fit into a batch, some may be there.
    pub(crate) fn append(
        &self,
        id: &str,
        producer: Option<Producer>,
        now_ms: i64,
        make: impl FnOnce() -> Vec<Entry>,
    ) -> Result<(), AppendError> {
        match self.find(self.partition_of(id)) {
            Some(partition) => append(&partition, producer, now_ms, &make()),
            None => Ok(()),
        }
    }
}

/// Appends records, in as few batches as may be; as part of a producer's transaction where there is one. A partition whose
/// topic is being deleted takes nothing.
///
/// # Errors
/// See [`AppendError`].
pub(crate) fn append(
    partition: &Partition,
    producer: Option<Producer>,
    now_ms: i64,
    entries: &[Entry],
) -> Result<(), AppendError> {
    let mut rest = entries;
    while !rest.is_empty() {
        let mut builder = BatchBuilder::new();
        if let Some(producer) = producer {
            builder = builder
                .producer(producer.id, producer.epoch, NO_SEQUENCE)
                .transactional();
        }
        let (mut taken, mut len_bytes) = (0, 0);
        for entry in rest {
            let entry_bytes = entry.key.len() + entry.value.as_ref().map_or(0, Vec::len);
            if taken > 0 && len_bytes + entry_bytes > BATCH_BYTES {
                break;
            }
            builder = builder.record(now_ms, Some(&entry.key), entry.value.as_deref());
            len_bytes += entry_bytes;
            taken += 1;
        }
        rest = &rest[taken..];
        let batch = builder
            .build()
            .map_err(|error| AppendError::InvalidRecord(error.to_string()))?;
        let epoch = partition.leader_epoch;
        match partition.log.append(&batch, Origin::Coordinator, epoch, now_ms) {
            Err(_) if partition.is_deleted() => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(())
}
