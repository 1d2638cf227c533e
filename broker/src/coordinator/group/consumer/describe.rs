//! What administrators see of a consumer group.

use std::collections::BTreeSet;

use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment as WireAssignment, DescribedGroup, Member, TopicPartitions,
};
use kafka_protocol::messages::{GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{ConsumerMember, TopicsView};
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::{Group, GroupError};

/// The type of a member that follows the classic protocol, in ConsumerGroupDescribe from version 1 on.
const CLASSIC_MEMBER: i8 = 0;
/// The type of a member that follows this one.
const CONSUMER_MEMBER: i8 = 1;

/// Answers ConsumerGroupDescribe for one group.
pub fn describe(group: &Group, group_id: &GroupId, topics: &dyn TopicsView) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_id(group_id.clone());
    if group_id.is_empty() {
        return described.with_error_code(GroupError::InvalidGroupId.code());
    }
    let Some(consumer) = &group.consumer else {
        let id = group_id.as_str();
        let message = if group.exists() {
            format!("Group {id} is not a consumer group.")
        } else {
            format!("Group {id} not found.")
        };
        let message = Some(StrBytes::from_string(message));
        return described
            .with_error_code(GroupError::GroupIdNotFound.code())
            .with_error_message(message);
    };
    described
        .with_group_state(StrBytes::from_static_str(consumer.state_name()))
        .with_group_epoch(consumer.epoch)
        .with_assignment_epoch(consumer.assignment_epoch)
        .with_assignor_name(StrBytes::from_static_str(consumer.assignor().name()))
        .with_members(
            consumer
                .members
                .values()
                .map(|member| describe_member(member, topics))
                .collect(),
        )
}

fn describe_member(member: &ConsumerMember, topics: &dyn TopicsView) -> Member {
    Member::default()
        .with_member_id(member.id.clone())
        .with_instance_id(member.instance_id.clone())
        .with_rack_id(member.rack_id.clone())
        .with_member_epoch(member.epoch)
        .with_client_id(member.client_id.clone())
        .with_client_host(member.client_host.clone())
        .with_subscribed_topic_names(member.topics.iter().cloned().map(TopicName).collect())
        // None is told as Apache Kafka does.
        .with_subscribed_topic_regex(Some(member.regex.clone().unwrap_or_default()))
        .with_assignment(on_the_wire(&member.assigned, topics))
        .with_target_assignment(on_the_wire(&member.target, topics))
        .with_member_type(match member.classic {
            Some(_) => CLASSIC_MEMBER,
            None => CONSUMER_MEMBER,
        })
}

fn on_the_wire(assignment: &Assignment, topics: &dyn TopicsView) -> WireAssignment {
    let topic = |(id, partitions): (&Uuid, &BTreeSet<i32>)| {
        let name = topics.name_of(*id)?;
        Some(
            TopicPartitions::default()
                .with_topic_id(*id)
                .with_topic_name(TopicName(name))
                .with_partitions(partitions.iter().copied().collect()),
        )
    };
    WireAssignment::default().with_topic_partitions(assignment.iter().filter_map(topic).collect())
}
