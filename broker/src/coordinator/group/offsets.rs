//! Committed offsets: commit, fetch, delete, and expiry.

mod expiry;
mod pending;
mod validate;

use std::collections::BTreeMap;

use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Group, GroupConfig, GroupError, Outcome, Record, detached};
use validate::{validate_commit, validate_delete, validate_fetch};

pub use expiry::{expire, forget_topics};
pub use pending::{
    OFFSETS_TOPIC, PendingIndex, PendingOffset, PendingOffsets, commit_pending, commit_pending_refused, end_transaction,
};

/// What is answered for a partition without a committed offset.
const NO_OFFSET: i64 = -1;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the record before it, or -1.
    pub leader_epoch: i32,
    /// What the client wants to remember.
    pub metadata: StrBytes,
    /// When it was committed, in milliseconds since the epoch.
    pub commit_timestamp_ms: i64,
    /// When it expires, if the client said so (OffsetCommit up to version 4).
    pub expire_timestamp_ms: Option<i64>,
}

/// The committed offsets of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets(BTreeMap<StrBytes, BTreeMap<i32, CommittedOffset>>);

impl Offsets {
    /// The committed offset of a partition.
    pub fn get(&self, topic: &StrBytes, partition: i32) -> Option<&CommittedOffset> {
        self.0.get(topic)?.get(&partition)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by topic and partition.
    pub fn iter(&self) -> impl Iterator<Item = (&StrBytes, i32, &CommittedOffset)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions
                .iter()
                .map(move |(partition, offset)| (topic, *partition, offset))
        })
    }

    pub(super) fn put(&mut self, topic: StrBytes, partition: i32, offset: CommittedOffset) {
        self.0.entry(topic).or_default().insert(partition, offset);
    }

    pub(super) fn remove(&mut self, topic: &StrBytes, partition: i32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }
}

/// Decides on an OffsetCommit, whose topics exist.
pub fn commit(
    group: &Group,
    config: &GroupConfig,
    now_ms: i64,
    api_version: i16,
    request: &OffsetCommitRequest,
) -> Outcome<OffsetCommitResponse> {
    let mut effects = Vec::new();
    match validate_commit(group, api_version, request) {
        Ok(Some(renewed)) => effects.push(renewed),
        Ok(None) => {}
        Err(error) => return Outcome::reply(commit_refused(request, error)),
    }
    let expire_timestamp_ms =
        (request.retention_time_ms != -1).then(|| now_ms.saturating_add(request.retention_time_ms));
    let mut records = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let name = detached(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let mut answer = OffsetCommitResponsePartition::default().with_partition_index(partition.partition_index);
            if is_too_large(config, partition.committed_metadata.as_ref()) {
                answer.error_code = GroupError::OffsetMetadataTooLarge.code();
            } else {
                let value = CommittedOffset {
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch.max(-1),
                    metadata: partition.committed_metadata.as_ref().map(detached).unwrap_or_default(),
                    commit_timestamp_ms: now_ms,
                    expire_timestamp_ms,
                };
                records.push(Record::Offset {
                    topic: name.clone(),
                    partition: partition.partition_index,
                    value: Some(value),
                });
                records.extend(group.pending.superseded(&name, partition.partition_index, None));
            }
            partitions.push(answer);
        }
        topics.push(
            OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions),
        );
    }
    Outcome {
        reply: OffsetCommitResponse::default().with_topics(topics),
        records,
        effects,
    }
}

fn is_too_large(config: &GroupConfig, metadata: Option<&StrBytes>) -> bool {
    let Some(metadata) = metadata else {
        return false;
    };
    // A text has at most as many UTF-16 units as bytes.
    metadata.len() > config.offset_metadata_max_size
        && metadata.encode_utf16().count() > config.offset_metadata_max_size
}

/// The answer to an OffsetCommit that is refused as a whole.
pub fn commit_refused(request: &OffsetCommitRequest, error: GroupError) -> OffsetCommitResponse {
    let partition = |partition: &OffsetCommitRequestPartition| {
        OffsetCommitResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(error.code())
    };
    let topics = request.topics.iter().map(|topic| {
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(topic.partitions.iter().map(partition).collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// Answers an OffsetFetch for one group. A group that does not exist has no offsets, which is no error. Where
/// `require_stable`, an offset that a transaction is about to replace is not told.
pub fn fetch(group: &Group, request: &OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup {
    if let Err(error) = validate_fetch(group, request) {
        return OffsetFetchResponseGroup::default()
            .with_group_id(request.group_id.clone())
            .with_error_code(error.code());
    }
    let unstable = |topic: &StrBytes, partition: i32| require_stable && group.pending.has(topic, partition);
    let topics = match &request.topics {
        None => group
            .offsets
            .0
            .iter()
            .map(|(name, partitions)| {
                let offsets = partitions.iter().map(|(partition, offset)| (*partition, Some(offset)));
                fetched_topic(name, offsets, |partition| unstable(name, partition))
            })
            .collect(),
        Some(wanted) => wanted
            .iter()
            .map(|topic| {
                let offsets = topic
                    .partition_indexes
                    .iter()
                    .map(|partition| (*partition, group.offsets.get(&topic.name, *partition)));
                fetched_topic(&topic.name, offsets, |partition| unstable(&topic.name, partition))
            })
            .collect(),
    };
    OffsetFetchResponseGroup::default()
        .with_group_id(request.group_id.clone())
        .with_topics(topics)
}

fn fetched_topic<'a>(
    name: &StrBytes,
    partitions: impl Iterator<Item = (i32, Option<&'a CommittedOffset>)>,
    is_unstable: impl Fn(i32) -> bool,
) -> OffsetFetchResponseTopics {
    let partition = |(index, offset): (i32, Option<&CommittedOffset>)| {
        let mut answer = OffsetFetchResponsePartitions::default().with_partition_index(index);
        let stable = offset.filter(|_| !is_unstable(index));
        if is_unstable(index) {
            answer.error_code = GroupError::UnstableOffset.code();
        }
        match stable {
            Some(offset) => answer
                .with_committed_offset(offset.offset)
                .with_committed_leader_epoch(offset.leader_epoch)
                .with_metadata(Some(offset.metadata.clone())),
            None => answer
                .with_committed_offset(NO_OFFSET)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(StrBytes::default())),
        }
    };
    OffsetFetchResponseTopics::default()
        .with_name(TopicName(name.clone()))
        .with_partitions(partitions.map(partition).collect())
}

/// Decides on an OffsetDelete, whose topics exist.
pub fn delete(group: &Group, request: &OffsetDeleteRequest) -> Outcome<OffsetDeleteResponse> {
    if let Err(error) = validate_delete(group, request) {
        return Outcome::reply(OffsetDeleteResponse::default().with_error_code(error.code()));
    }
    let mut records = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let subscribed = group.is_subscribed_to(&topic.name);
        let error_code = if subscribed {
            GroupError::GroupSubscribedToTopic.code()
        } else {
            0
        };
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if !subscribed && group.offsets.get(&topic.name, index).is_some() {
                records.push(Record::Offset {
                    topic: detached(&topic.name),
                    partition: index,
                    value: None,
                });
            }
            if !subscribed {
                records.extend(group.pending.dropped(&topic.name, index));
            }
            partitions.push(
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(error_code),
            );
        }
        topics.push(
            OffsetDeleteResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions),
        );
    }
    Outcome {
        reply: OffsetDeleteResponse::default().with_topics(topics),
        records,
        effects: Vec::new(),
    }
}
