//! Values of `__consumer_offsets`, at the versions that Apache Kafka 4.1 writes.

use std::collections::BTreeSet;

use kafka_protocol::protocol::StrBytes;

use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::consumer::{ClassicMetadata, MemberState};
use crate::coordinator::group::{ClassicGroup, CommittedOffset, ConsumerGroup, ConsumerMember};
use crate::internal_topics::layout::Layout;

/// `OffsetCommitValue`: version 1 where the client says when it expires, else version 4.
pub(super) fn offset(offset: &CommittedOffset) -> Vec<u8> {
    match offset.expire_timestamp_ms {
        Some(expire_timestamp_ms) => Layout::of_version(1)
            .i64(offset.offset)
            .string(&offset.metadata)
            .i64(offset.commit_timestamp_ms)
            .i64(expire_timestamp_ms)
            .done(),
        None => Layout::of_version(4)
            .i64(offset.offset)
            .i32(offset.leader_epoch)
            .compact_string(&offset.metadata)
            .i64(offset.commit_timestamp_ms)
            // The topic's id, which no version of OffsetCommit that is announced can tell.
            .no_tags()
            .done(),
    }
}

/// `GroupMetadataValue`, version 3.
pub(super) fn classic_group(group: &ClassicGroup) -> Vec<u8> {
    let text = |text: &Option<StrBytes>| text.as_ref().map(|text| text.to_string());
    let protocol = group.protocol_name.clone().unwrap_or_default();
    let value = Layout::of_version(3)
        .string(group.protocol_type.as_deref().unwrap_or_default())
        .i32(group.generation)
        .nullable_string(text(&group.protocol_name).as_deref())
        .nullable_string(text(&group.leader).as_deref())
        .i64(group.state_since_ms.unwrap_or(-1))
        .count(group.members.len());
    let members = group.members.values();
    members
        .fold(value, |value, member| {
            value
                .string(&member.id)
                .nullable_string(member.instance_id.as_deref())
                .string(&member.client_id)
                .string(&member.client_host)
                .i32(member.rebalance_timeout_ms)
                .i32(member.session_timeout_ms)
                .bytes(&member.metadata(&protocol))
                .bytes(&member.assignment)
        })
        .done()
}

/// `ConsumerGroupMetadataValue`: the group epoch. The hash of the topics, by which Apache Kafka 4.1 knows them again, is left
/// out, as by Apache Kafka 4.0: it may be absent, and says nothing to a reader.
pub(super) fn consumer_group(group: &ConsumerGroup) -> Vec<u8> {
    Layout::of_version(0).i32(group.epoch).no_tags().done()
}

/// `ConsumerGroupMemberMetadataValue`: what a member wants.
pub(super) fn member(member: &ConsumerMember) -> Vec<u8> {
    Layout::of_version(0)
        .compact_nullable_string(member.instance_id.as_deref())
        .compact_nullable_string(member.rack_id.as_deref())
        .compact_string(&member.client_id)
        .compact_string(&member.client_host)
        .compact_strings(member.topics.iter().map(|topic| &**topic))
        // Apache Kafka keeps "" of who never named one.
        .compact_string(member.regex.as_deref().unwrap_or_default())
        .i32(member.rebalance_timeout_ms)
        .compact_nullable_string(member.assignor.as_deref())
        .tag(0, Some(classic_metadata(member.classic.as_ref())))
        .done()
}

/// A structure that may be null begins with whether it is there. Left out it would not be null, but empty.
fn classic_metadata(metadata: Option<&ClassicMetadata>) -> Layout {
    let Some(metadata) = metadata else {
        return Layout::nested().i8(0);
    };
    let value = Layout::nested()
        .i8(1)
        .i32(metadata.session_timeout_ms)
        .compact_count(metadata.protocols.len());
    let protocols = metadata.protocols.iter();
    protocols
        .fold(value, |value, protocol| {
            value
                .compact_string(&protocol.name)
                .compact_bytes(&protocol.metadata)
                .no_tags()
        })
        .no_tags()
}

/// `ConsumerGroupTargetAssignmentMetadataValue`: the epoch of the target.
pub(super) fn target_epoch(group: &ConsumerGroup) -> Vec<u8> {
    Layout::of_version(0).i32(group.assignment_epoch).no_tags().done()
}

/// `ConsumerGroupTargetAssignmentMemberValue`: what a member is meant to have.
pub(super) fn target(member: &ConsumerMember) -> Vec<u8> {
    assignment(Layout::of_version(0), &member.target).no_tags().done()
}

/// `ConsumerGroupCurrentMemberAssignmentValue`: what a member has.
pub(super) fn current(member: &ConsumerMember) -> Vec<u8> {
    let state = match member.state {
        MemberState::Stable => 0,
        MemberState::UnrevokedPartitions => 1,
        MemberState::UnreleasedPartitions => 2,
    };
    let value = Layout::of_version(0)
        .i32(member.epoch)
        .i32(member.previous_epoch)
        .i8(state);
    assignment(assignment(value, &member.assigned), &member.revoking)
        .no_tags()
        .done()
}

fn assignment(value: Layout, assignment: &Assignment) -> Layout {
    let value = value.compact_count(assignment.len());
    assignment.iter().fold(value, |value, (topic, partitions)| {
        value.uuid(topic).compact_i32s(partitions.iter().copied()).no_tags()
    })
}

/// How many bytes at the end of [`expression`] say when it was looked at.
pub(super) const EXPRESSION_TIMES_LEN: usize = 17;

/// `ConsumerGroupRegularExpressionValue`: what an expression matches, and as of which metadata and time.
pub(super) fn expression(matched: &BTreeSet<StrBytes>, topics_version: u64, now_ms: i64) -> Vec<u8> {
    Layout::of_version(0)
        .compact_strings(matched.iter().map(|topic| &**topic))
        .i64(topics_version.cast_signed())
        .i64(now_ms)
        .no_tags()
        .done()
}
