//! How members of a consumer group go: they leave, for good or for a while, an administrator removes them, or they fall
//! silent. When only members of the classic protocol are left, the group becomes a classic one.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, LeaveGroupRequest, LeaveGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::convert::{downgrade, leaves_it_classic};
use super::validate::{Refusal, known_member, not_found};
use super::{ConsumerGroup, ConsumerMember, LEAVE_STATIC_EPOCH, MemberState, TopicsView};
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::{Effect, Group, GroupConfig, GroupError, Outcome, Record, Timer, classic};

/// Decides on a timer of a member that has gone off.
pub fn expire(
    consumer: &ConsumerGroup,
    config: &GroupConfig,
    now_ms: i64,
    timer: &Timer,
    topics: &dyn TopicsView,
) -> Outcome<()> {
    let gone = match timer {
        Timer::Session(member_id) | Timer::MemberJoin(member_id) | Timer::MemberSync(member_id) => {
            consumer.members.get(member_id)
        }
        Timer::Revocation(member_id) => consumer
            .members
            .get(member_id)
            .filter(|member| member.state == MemberState::UnrevokedPartitions),
        Timer::Join | Timer::Sync => None,
    };
    match gone {
        Some(member) => fence(consumer, config, now_ms, &member.id, topics),
        None => Outcome::reply(()),
    }
}

/// Decides what to do with a group that was read from the store: its members have one session time-out to show up.
pub fn recover(consumer: &ConsumerGroup, config: &GroupConfig) -> Outcome<()> {
    let mut effects = Vec::new();
    for member in consumer.members.values() {
        effects.push(Effect::Arm {
            timer: Timer::Session(member.id.clone()),
            after_ms: config.consumer_session_timeout_ms,
        });
        if member.state == MemberState::UnrevokedPartitions && member.classic.is_none() {
            effects.push(Effect::Arm {
                timer: Timer::Revocation(member.id.clone()),
                after_ms: member.rebalance_timeout_ms,
            });
        }
    }
    Outcome {
        reply: (),
        records: Vec::new(),
        effects,
    }
}

/// Removes a member: the others get what it had with their next heartbeats.
fn fence(
    consumer: &ConsumerGroup,
    config: &GroupConfig,
    now_ms: i64,
    member_id: &StrBytes,
    topics: &dyn TopicsView,
) -> Outcome<()> {
    fence_all(consumer, config, now_ms, std::slice::from_ref(member_id), topics)
}

/// Removes members with one step of the group epoch, or leaves the group to those who follow the classic protocol.
fn fence_all(
    consumer: &ConsumerGroup,
    config: &GroupConfig,
    now_ms: i64,
    member_ids: &[StrBytes],
    topics: &dyn TopicsView,
) -> Outcome<()> {
    if member_ids.is_empty() {
        return Outcome::reply(());
    }
    if leaves_it_classic(consumer, config, member_ids) {
        let (group, mut effects) = downgrade(consumer, now_ms, member_ids, None);
        let taken_over = classic::take_over(&group, config, now_ms, true);
        effects.extend(taken_over.effects);
        return Outcome { effects, ..taken_over };
    }
    let mut records = Vec::with_capacity(member_ids.len() + 1);
    let mut effects = Vec::with_capacity(2 * member_ids.len());
    for member_id in member_ids {
        records.push(Record::ConsumerMember {
            member_id: member_id.clone(),
            member: None,
        });
        effects.extend(Timer::all_of(member_id).map(Effect::Cancel));
    }
    let staying = consumer
        .members
        .values()
        .filter(|member| !member_ids.contains(&member.id));
    let wanted: BTreeSet<&StrBytes> = staying.flat_map(|member| member.subscription()).collect();
    let mut head = ConsumerGroup {
        epoch: consumer.epoch.saturating_add(1),
        ..consumer.head()
    };
    // The step counts for the topics that nobody is subscribed to any more, too, and for those that have grown since.
    let found = wanted
        .into_iter()
        .filter_map(|name| Some((name.clone(), topics.find(name)?)));
    head.topics = found.collect();
    records.push(Record::ConsumerHead {
        head: Box::new(head),
        durable: true,
    });
    Outcome {
        reply: (),
        records,
        effects,
    }
}

/// Decides on a LeaveGroup, by which members of the classic protocol leave, and an administrator removes any: by their ids,
/// or static ones by their instance ids.
pub fn remove(
    consumer: &ConsumerGroup,
    config: &GroupConfig,
    now_ms: i64,
    request: &LeaveGroupRequest,
    topics: &dyn TopicsView,
) -> Outcome<LeaveGroupResponse> {
    let mut removed = Vec::new();
    let mut members = Vec::with_capacity(request.members.len());
    for identity in &request.members {
        let error = match named(consumer, identity) {
            Ok(member_id) => {
                // Somebody who is named twice is removed twice, as far as the answer goes.
                if !removed.contains(member_id) {
                    removed.push(member_id.clone());
                }
                None
            }
            Err(error) => Some(error),
        };
        members.push(
            MemberResponse::default()
                .with_member_id(identity.member_id.clone())
                .with_group_instance_id(identity.group_instance_id.clone())
                .with_error_code(error.map_or(0, GroupError::code)),
        );
    }
    fence_all(consumer, config, now_ms, &removed, topics).map(|()| LeaveGroupResponse::default().with_members(members))
}

fn named<'a>(consumer: &'a ConsumerGroup, identity: &MemberIdentity) -> Result<&'a StrBytes, GroupError> {
    let member_id = match &identity.group_instance_id {
        None => consumer.members.get_key_value(&identity.member_id).map(|(id, _)| id),
        Some(instance_id) => consumer.static_members.get(instance_id),
    };
    let member_id = member_id.ok_or(GroupError::UnknownMemberId)?;
    if !identity.member_id.is_empty() && identity.member_id != *member_id {
        return Err(GroupError::FencedInstanceId);
    }
    Ok(member_id)
}

/// Decides on a heartbeat by which a member leaves.
pub(super) fn leave(
    group: &Group,
    config: &GroupConfig,
    now_ms: i64,
    request: &ConsumerGroupHeartbeatRequest,
    topics: &dyn TopicsView,
) -> Result<Outcome<ConsumerGroupHeartbeatResponse>, Refusal> {
    let consumer = group.consumer.as_ref().ok_or_else(|| not_found(group, request))?;
    let member = known_member(consumer, request)?;
    let reply = ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(request.member_id.clone()))
        .with_member_epoch(request.member_epoch);
    if request.member_epoch != LEAVE_STATIC_EPOCH {
        return Ok(fence(consumer, config, now_ms, &member.id, topics).map(|()| reply));
    }
    let away = ConsumerMember {
        epoch: LEAVE_STATIC_EPOCH,
        state: MemberState::Stable,
        revoking: Assignment::new(),
        ..(**member).clone()
    };
    let record = Record::ConsumerMember {
        member_id: member.id.clone(),
        member: Some(Arc::new(away)),
    };
    Ok(Outcome {
        reply,
        records: vec![record],
        effects: vec![Effect::Cancel(Timer::Revocation(member.id.clone()))],
    })
}
