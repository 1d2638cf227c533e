//! Who may commit, fetch and delete offsets, and what those are told who may not.

use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{OffsetCommitRequest, OffsetDeleteRequest};
use kafka_protocol::protocol::StrBytes;

use crate::coordinator::group::classic::State;
use crate::coordinator::group::{ConsumerGroup, Effect, Group, GroupError, Timer};

/// From this version on a commit to a group that does not exist says so, and can come from a consumer group's member.
const GROUP_ID_NOT_FOUND_SINCE: i16 = 9;

/// A commit in a group that is stable or about to rebalance keeps the session alive, as a heartbeat does.
pub(super) fn validate_commit(
    group: &Group,
    api_version: i16,
    request: &OffsetCommitRequest,
) -> Result<Option<Effect>, GroupError> {
    let generation = request.generation_id_or_member_epoch;
    if let Some(consumer) = &group.consumer {
        return validate_member_commit(consumer, api_version, request).map(|()| None);
    }
    let Some(classic) = &group.membership else {
        return match generation {
            // An administrator, or a consumer that assigns itself: it needs no group, so it gets one.
            ..0 => Ok(None),
            _ if api_version >= GROUP_ID_NOT_FOUND_SINCE => Err(GroupError::GroupIdNotFound),
            _ => Err(GroupError::IllegalGeneration),
        };
    };
    if generation < 0 && classic.state == State::Empty {
        return Ok(None);
    }
    if generation < 0 && request.member_id.is_empty() && request.group_instance_id.is_none() {
        return Err(GroupError::UnknownMemberId);
    }
    let member = classic.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
    if generation != classic.generation {
        return Err(GroupError::IllegalGeneration);
    }
    match classic.state {
        State::CompletingRebalance => Err(GroupError::RebalanceInProgress),
        State::Empty => Ok(None),
        State::PreparingRebalance | State::Stable => Ok(Some(Effect::Arm {
            timer: Timer::Session(member.id.clone()),
            after_ms: member.session_timeout_ms,
        })),
    }
}

/// A member of a consumer group commits under its epoch. That does not stand for a heartbeat.
fn validate_member_commit(
    consumer: &ConsumerGroup,
    api_version: i16,
    request: &OffsetCommitRequest,
) -> Result<(), GroupError> {
    let epoch = request.generation_id_or_member_epoch;
    if epoch < 0 && consumer.members.is_empty() {
        return Ok(());
    }
    let member = consumer
        .members
        .get(&request.member_id)
        .ok_or(GroupError::UnknownMemberId)?;
    if member.classic.is_none() && api_version < GROUP_ID_NOT_FOUND_SINCE {
        return Err(GroupError::UnsupportedVersion);
    }
    validate_epoch(consumer, &request.member_id, epoch)
}

fn validate_epoch(consumer: &ConsumerGroup, member_id: &StrBytes, epoch: i32) -> Result<(), GroupError> {
    match consumer.members.get(member_id) {
        None => Err(GroupError::UnknownMemberId),
        Some(member) if member.epoch != epoch && member.classic.is_some() => Err(GroupError::IllegalGeneration),
        Some(member) if member.epoch != epoch => Err(GroupError::StaleMemberEpoch),
        Some(_) => Ok(()),
    }
}

/// A member of a consumer group that names itself must know its epoch; anybody else may fetch.
pub(super) fn validate_fetch(group: &Group, request: &OffsetFetchRequestGroup) -> Result<(), GroupError> {
    match (&group.consumer, &request.member_id) {
        (Some(_), None) if request.member_epoch < 0 => Ok(()),
        (Some(consumer), member_id) => {
            validate_epoch(consumer, &member_id.clone().unwrap_or_default(), request.member_epoch)
        }
        (None, _) => Ok(()),
    }
}

pub(super) fn validate_delete(group: &Group, request: &OffsetDeleteRequest) -> Result<(), GroupError> {
    if request.group_id.is_empty() {
        return Err(GroupError::InvalidGroupId);
    }
    match &group.membership {
        Some(classic) if classic.state != State::Empty && !classic.uses_consumer_protocol() => {
            Err(GroupError::NonEmptyGroup)
        }
        None if group.consumer.is_none() => Err(GroupError::GroupIdNotFound),
        _ => Ok(()),
    }
}
