//! Offsets within transactions: they wait for the marker that commits or drops them.
//!
//! Of several commits for a partition the last one counts, as it was sent, whether within a transaction or not: a
//! transaction that ends after a later commit does not take that back. So a pending offset knows its place among the
//! group's pending ones, and whether something later was committed.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use kafka_protocol::protocol::StrBytes;

use super::{CommittedOffset, is_too_large};
use crate::coordinator::group::classic::State;
use crate::coordinator::group::{Group, GroupConfig, GroupError, Outcome, Record, detached};

/// The topic whose partitions groups belong to, as transactions name them.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// An offset that a transaction will commit, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingOffset {
    /// What it will be.
    pub offset: CommittedOffset,
    /// Its place among the group's pending offsets.
    pub sequence: u64,
    /// Something later was committed for the partition, so that this will not be.
    pub superseded: bool,
}

/// The pending offsets of a group, by producer id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingOffsets(BTreeMap<i64, BTreeMap<StrBytes, BTreeMap<i32, PendingOffset>>>);

impl PendingOffsets {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any transaction has a pending offset for the partition.
    pub fn has(&self, topic: &StrBytes, partition: i32) -> bool {
        let has = |topics: &BTreeMap<StrBytes, BTreeMap<i32, PendingOffset>>| {
            topics
                .get(topic)
                .is_some_and(|partitions| partitions.contains_key(&partition))
        };
        self.0.values().any(has)
    }

    /// The producers that have pending offsets.
    pub fn producers(&self) -> impl Iterator<Item = i64> {
        self.0.keys().copied()
    }

    /// All of them: producer id, topic, partition, offset.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &StrBytes, i32, &PendingOffset)> {
        self.0.iter().flat_map(|(producer_id, topics)| {
            topics.iter().flat_map(move |(topic, partitions)| {
                partitions
                    .iter()
                    .map(move |(partition, pending)| (*producer_id, topic, *partition, pending))
            })
        })
    }

    /// Puts, or with `None` removes, one.
    pub(in super::super) fn set(
        &mut self,
        producer_id: i64,
        topic: &StrBytes,
        partition: i32,
        value: Option<PendingOffset>,
    ) {
        let topics = self.0.entry(producer_id).or_default();
        let partitions = topics.entry(topic.clone()).or_default();
        match value {
            Some(value) => drop(partitions.insert(partition, value)),
            None => drop(partitions.remove(&partition)),
        }
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.0.remove(&producer_id);
        }
    }

    fn next_sequence(&self) -> u64 {
        self.iter().map(|(.., pending)| pending.sequence + 1).max().unwrap_or(0)
    }

    fn of_partition<'a>(
        &'a self,
        topic: &'a StrBytes,
        partition: i32,
    ) -> impl Iterator<Item = (i64, &'a PendingOffset)> {
        self.0.iter().filter_map(move |(producer_id, topics)| {
            let pending = topics.get(topic)?.get(&partition)?;
            Some((*producer_id, pending))
        })
    }

    /// The records by which the partition's pending offsets, those before place `below` where it is given, come to nothing:
    /// something later is committed.
    pub(super) fn superseded(&self, topic: &StrBytes, partition: i32, below: Option<u64>) -> Vec<Record> {
        let earlier = self
            .of_partition(topic, partition)
            .filter(|(_, pending)| !pending.superseded && below.is_none_or(|below| pending.sequence < below));
        let record = |(producer_id, pending): (i64, &PendingOffset)| Record::PendingOffset {
            producer_id,
            topic: topic.clone(),
            partition,
            value: Some(PendingOffset {
                superseded: true,
                ..pending.clone()
            }),
        };
        earlier.map(record).collect()
    }

    /// The records by which the partition's pending offsets go.
    pub(super) fn dropped(&self, topic: &StrBytes, partition: i32) -> Vec<Record> {
        let record = |(producer_id, _)| Record::PendingOffset {
            producer_id,
            topic: detached(topic),
            partition,
            value: None,
        };
        self.of_partition(topic, partition).map(record).collect()
    }
}

/// Decides on a TxnOffsetCommit, whose topics exist and whose transaction is open.
pub fn commit_pending(
    group: &Group,
    config: &GroupConfig,
    now_ms: i64,
    request: &TxnOffsetCommitRequest,
) -> Outcome<TxnOffsetCommitResponse> {
    if let Err(error) = validate(group, request) {
        return Outcome::reply(commit_pending_refused(request, error.code()));
    }
    let mut sequence = group.pending.next_sequence();
    let (mut records, mut topics) = (Vec::new(), Vec::with_capacity(request.topics.len()));
    for topic in &request.topics {
        let name = detached(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let mut answer =
                TxnOffsetCommitResponsePartition::default().with_partition_index(partition.partition_index);
            if is_too_large(config, partition.committed_metadata.as_ref()) {
                answer.error_code = GroupError::OffsetMetadataTooLarge.code();
            } else {
                let offset = CommittedOffset {
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch.max(-1),
                    metadata: partition.committed_metadata.as_ref().map(detached).unwrap_or_default(),
                    commit_timestamp_ms: now_ms,
                    expire_timestamp_ms: None,
                };
                records.push(Record::PendingOffset {
                    producer_id: *request.producer_id,
                    topic: name.clone(),
                    partition: partition.partition_index,
                    value: Some(PendingOffset {
                        offset,
                        sequence,
                        superseded: false,
                    }),
                });
                sequence += 1;
            }
            partitions.push(answer);
        }
        topics.push(
            TxnOffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions),
        );
    }
    Outcome {
        reply: TxnOffsetCommitResponse::default().with_topics(topics),
        records,
        effects: Vec::new(),
    }
}

/// The answer to a TxnOffsetCommit that is refused as a whole.
pub fn commit_pending_refused(request: &TxnOffsetCommitRequest, error_code: i16) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error_code)
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

/// Who names no member may commit at any time; who names one must be it. Unlike a plain commit this does not wait for the
/// end of a rebalance.
fn validate(group: &Group, request: &TxnOffsetCommitRequest) -> Result<(), GroupError> {
    let generation = request.generation_id;
    let names_member = !request.member_id.is_empty() || request.group_instance_id.is_some();
    if let Some(consumer) = &group.consumer {
        if (generation < 0 && consumer.members.is_empty()) || (generation == -1 && !names_member) {
            return Ok(());
        }
        return match consumer.members.get(&request.member_id) {
            None => Err(GroupError::UnknownMemberId),
            Some(member) if member.epoch != generation => Err(GroupError::IllegalGeneration),
            Some(_) => Ok(()),
        };
    }
    let Some(classic) = &group.membership else {
        return if generation < 0 {
            Ok(())
        } else {
            Err(GroupError::IllegalGeneration)
        };
    };
    if generation < 0 && (classic.state == State::Empty || !names_member) {
        return Ok(());
    }
    classic.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
    if generation != classic.generation {
        return Err(GroupError::IllegalGeneration);
    }
    Ok(())
}

/// Decides what the end of a producer's transaction does to its pending offsets: they are committed, or go.
pub fn end_transaction(group: &Group, producer_id: i64, commit: bool) -> Outcome<()> {
    let mut records = Vec::new();
    let ended = group.pending.iter().filter(|(whose, ..)| *whose == producer_id);
    for (_, topic, partition, pending) in ended {
        records.push(Record::PendingOffset {
            producer_id,
            topic: topic.clone(),
            partition,
            value: None,
        });
        if commit && !pending.superseded {
            records.push(Record::Offset {
                topic: topic.clone(),
                partition,
                value: Some(pending.offset.clone()),
            });
            let others = group.pending.superseded(topic, partition, Some(pending.sequence));
            records.extend(others);
        }
    }
    Outcome {
        reply: (),
        records,
        effects: Vec::new(),
    }
}

/// Which groups have pending offsets of a producer: so that the end of its transaction need not ask all of them.
#[derive(Debug, Default)]
pub struct PendingIndex(BTreeMap<i64, BTreeSet<StrBytes>>);

impl PendingIndex {
    /// The producer has pending offsets in the group, or may have.
    pub fn add(&mut self, producer_id: i64, group_id: &StrBytes) {
        let groups = self.0.entry(producer_id).or_default();
        if !groups.contains(group_id) {
            groups.insert(detached(group_id));
        }
    }

    /// The groups in which the producer may have pending offsets, of those that `belongs` says.
    pub fn groups(&self, producer_id: i64, belongs: impl Fn(&StrBytes) -> bool) -> Vec<StrBytes> {
        let groups = self.0.get(&producer_id).into_iter().flatten();
        groups.filter(|group_id| belongs(group_id)).cloned().collect()
    }

    /// The producer has no pending offsets in the group.
    pub fn remove(&mut self, producer_id: i64, group_id: &StrBytes) {
        if let Some(groups) = self.0.get_mut(&producer_id) {
            groups.remove(group_id);
            if groups.is_empty() {
                self.0.remove(&producer_id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
