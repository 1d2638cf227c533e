//! Keys of `__consumer_offsets`: a type, and what the record is about. Never in a flexible version.

use crate::internal_topics::layout::Layout;

/// The types of records, which are the versions of their keys.
mod kind {
    pub(super) const OFFSET: i16 = 1;
    pub(super) const CLASSIC_GROUP: i16 = 2;
    pub(super) const CONSUMER_GROUP: i16 = 3;
    pub(super) const SUBSCRIPTION_METADATA: i16 = 4;
    pub(super) const MEMBER: i16 = 5;
    pub(super) const TARGET_EPOCH: i16 = 6;
    pub(super) const TARGET: i16 = 7;
    pub(super) const CURRENT: i16 = 8;
    pub(super) const EXPRESSION: i16 = 16;
}

/// A committed offset (`OffsetCommitKey`).
pub(super) fn offset(group_id: &str, topic: &str, partition: i32) -> Vec<u8> {
    of_group(kind::OFFSET, group_id).string(topic).i32(partition).done()
}

/// A group of the classic protocol (`GroupMetadataKey`).
pub(super) fn classic_group(group_id: &str) -> Vec<u8> {
    of_group(kind::CLASSIC_GROUP, group_id).done()
}

/// The epoch of a consumer group (`ConsumerGroupMetadataKey`).
pub(super) fn consumer_group(group_id: &str) -> Vec<u8> {
    of_group(kind::CONSUMER_GROUP, group_id).done()
}

/// What older brokers kept of a consumer group's topics (`ConsumerGroupPartitionMetadataKey`): since 4.1 tombstones only.
pub(super) fn subscription_metadata(group_id: &str) -> Vec<u8> {
    of_group(kind::SUBSCRIPTION_METADATA, group_id).done()
}

/// What a member of a consumer group wants (`ConsumerGroupMemberMetadataKey`).
pub(super) fn member(group_id: &str, member_id: &str) -> Vec<u8> {
    of_group(kind::MEMBER, group_id).string(member_id).done()
}

/// The epoch of a consumer group's target (`ConsumerGroupTargetAssignmentMetadataKey`).
pub(super) fn target_epoch(group_id: &str) -> Vec<u8> {
    of_group(kind::TARGET_EPOCH, group_id).done()
}

/// What a member is meant to have (`ConsumerGroupTargetAssignmentMemberKey`).
pub(super) fn target(group_id: &str, member_id: &str) -> Vec<u8> {
    of_group(kind::TARGET, group_id).string(member_id).done()
}

/// What a member has (`ConsumerGroupCurrentMemberAssignmentKey`).
pub(super) fn current(group_id: &str, member_id: &str) -> Vec<u8> {
    of_group(kind::CURRENT, group_id).string(member_id).done()
}

/// What an expression matches (`ConsumerGroupRegularExpressionKey`).
pub(super) fn expression(group_id: &str, expression: &str) -> Vec<u8> {
    of_group(kind::EXPRESSION, group_id).string(expression).done()
}

fn of_group(kind: i16, group_id: &str) -> Layout {
    Layout::of_version(kind).string(group_id)
}

/// Whether a record says what an expression matches.
pub(super) fn is_expression(key: &[u8]) -> bool {
    key.starts_with(&kind::EXPRESSION.to_be_bytes())
}
