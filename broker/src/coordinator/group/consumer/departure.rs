//! How members of a consumer group go: they leave, for good or for a while, or they fall silent.

use std::sync::Arc;

use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::validate::{Refusal, known_member, not_found};
use super::{ConsumerGroup, ConsumerMember, LEAVE_STATIC_EPOCH, MemberState};
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::{Effect, Group, GroupConfig, Outcome, Record, Timer};

/// Decides on a timer of a member that has gone off.
pub fn expire(consumer: &ConsumerGroup, timer: &Timer) -> Outcome<()> {
    let gone = match timer {
        Timer::Session(member_id) => consumer.members.get(member_id),
        Timer::Revocation(member_id) => consumer
            .members
            .get(member_id)
            .filter(|member| member.state == MemberState::UnrevokedPartitions),
        Timer::Join | Timer::Sync => None,
    };
    match gone {
        Some(member) => fence(consumer, &member.id),
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
        if member.state == MemberState::UnrevokedPartitions {
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
fn fence(consumer: &ConsumerGroup, member_id: &StrBytes) -> Outcome<()> {
    let head = ConsumerGroup {
        epoch: consumer.epoch.saturating_add(1),
        ..consumer.head()
    };
    let records = vec![
        Record::ConsumerMember {
            member_id: member_id.clone(),
            member: None,
        },
        Record::ConsumerHead {
            head: Box::new(head),
            durable: true,
        },
    ];
    let effects = vec![
        Effect::Cancel(Timer::Session(member_id.clone())),
        Effect::Cancel(Timer::Revocation(member_id.clone())),
    ];
    Outcome {
        reply: (),
        records,
        effects,
    }
}

/// Decides on a heartbeat by which a member leaves.
pub(super) fn leave(
    group: &Group,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<Outcome<ConsumerGroupHeartbeatResponse>, Refusal> {
    let consumer = group.consumer.as_ref().ok_or_else(|| not_found(group, request))?;
    let member = known_member(consumer, request)?;
    let reply = ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(request.member_id.clone()))
        .with_member_epoch(request.member_epoch);
    if request.member_epoch != LEAVE_STATIC_EPOCH {
        return Ok(fence(consumer, &member.id).map(|()| reply));
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
