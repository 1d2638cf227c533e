//! Which heartbeats make no sense, and what Apache Kafka says to them.

use std::sync::Arc;

use kafka_protocol::messages::ConsumerGroupHeartbeatRequest;
use kafka_protocol::protocol::StrBytes;

use super::{ConsumerGroup, ConsumerMember, LEAVE_STATIC_EPOCH};
use crate::coordinator::group::assignor::Assignor;
use crate::coordinator::group::{Group, GroupError};

/// From this version on the client chooses its member id (KIP-1082).
const MEMBER_ID_SINCE: i16 = 1;

/// A refusal and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: GroupError,
    pub(super) message: String,
}

pub(super) fn refusal(error: GroupError, message: impl Into<String>) -> Refusal {
    Refusal {
        error,
        message: message.into(),
    }
}

pub(super) fn validate(api_version: i16, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(refusal(GroupError::InvalidRequest, message));
    let is_empty = |text: &Option<StrBytes>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    // Apache Kafka asks a static member that leaves for a while for its instance id only.
    let needs_id = api_version >= MEMBER_ID_SINCE || matches!(request.member_epoch, -1 | 1..);
    if needs_id && request.member_id.trim().is_empty() {
        return invalid("MemberId can't be empty.");
    }
    if request.group_id.trim().is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if is_empty(&request.instance_id) {
        return invalid("InstanceId can't be empty.");
    }
    if is_empty(&request.rack_id) {
        return invalid("RackId can't be empty.");
    }
    match request.member_epoch {
        0 if request.rebalance_timeout_ms == -1 => {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        0 if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        0 if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() => {
            return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        }
        LEAVE_STATIC_EPOCH if request.instance_id.is_none() => return invalid("InstanceId can't be null."),
        ..LEAVE_STATIC_EPOCH => return invalid("MemberEpoch is invalid."),
        _ => {}
    }
    validate_assignor(request)?;
    validate_regex(request)
}

fn validate_assignor(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    match &request.server_assignor {
        Some(name) if Assignor::by_name(name).is_none() => {
            let supported = Assignor::ALL.map(Assignor::name).join(", ");
            let message = format!(
                "ServerAssignor {} is not supported. Supported assignors: {supported}.",
                name.as_str()
            );
            Err(refusal(GroupError::UnsupportedAssignor, message))
        }
        _ => Ok(()),
    }
}

fn validate_regex(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let Some(expression) = request
        .subscribed_topic_regex
        .as_ref()
        .filter(|expression| !expression.is_empty())
    else {
        return Ok(());
    };
    let problem = |error: regex::Error| {
        // The last line says what is wrong; those before it show where.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let message = format!(
            "SubscribedTopicRegex `{}` is not a valid regular expression: {reason}.",
            expression.as_str()
        );
        refusal(GroupError::InvalidRegularExpression, message)
    };
    compile(expression).map(drop).map_err(problem)
}

/// The expression, which must match a whole name. Its time is linear in the name, as with RE2, and its size is bounded.
pub(super) fn compile(expression: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?:{expression})$"))
        .size_limit(1 << 20)
        .build()
}

pub(super) fn not_found(group: &Group, request: &ConsumerGroupHeartbeatRequest) -> Refusal {
    // To a member that leaves, Apache Kafka says it in other words.
    let kind = if request.member_epoch < 0 {
        "Group"
    } else {
        "Consumer group"
    };
    let group_id = &request.group_id;
    let id = group_id.as_str();
    let message = if group.exists() {
        format!("Group {id} is not a consumer group.")
    } else {
        format!("{kind} {id} not found.")
    };
    refusal(GroupError::GroupIdNotFound, message)
}

/// The member that the request speaks of, if it is still that one.
pub(super) fn known_member<'a>(
    consumer: &'a ConsumerGroup,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<&'a Arc<ConsumerMember>, Refusal> {
    let id = &request.member_id;
    let unknown = || {
        let message = format!(
            "Member {} is not a member of group {}.",
            id.as_str(),
            request.group_id.as_str()
        );
        refusal(GroupError::UnknownMemberId, message)
    };
    let Some(instance_id) = &request.instance_id else {
        return consumer.members.get(id).ok_or_else(unknown);
    };
    let current = consumer.static_members.get(instance_id);
    let current = current.ok_or_else(|| {
        refusal(
            GroupError::UnknownMemberId,
            format!("Instance id {} is unknown.", instance_id.as_str()),
        )
    })?;
    if current != id {
        let (id, instance_id, current) = (id.as_str(), instance_id.as_str(), current.as_str());
        let message = format!("Static member {id} with instance id {instance_id} was fenced by member {current}.");
        return Err(refusal(GroupError::FencedInstanceId, message));
    }
    consumer.members.get(id).ok_or_else(unknown)
}
