//! A group changes from one protocol to the other while its members stay (`group.consumer.migration.policy`).
//!
//! The first member of the consumer group protocol that joins a classic group of consumers makes a consumer group of it: the
//! generation becomes the epoch, what the leader assigned last is what each member has and is meant to have, and who waits
//! for an answer is told to join again. The last such member that goes makes a classic group of it again: the epoch becomes
//! the generation, and the others rebalance among themselves.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use kafka_protocol::messages::SyncGroupResponse;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::validate::{Refusal, refusal};
use super::{ClassicMetadata, ConsumerGroup, ConsumerMember, MemberState, TopicsView};
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::classic::{self, CONSUMER_PROTOCOL_TYPE, ClassicGroup, Member, State};
use crate::coordinator::group::{Effect, GroupConfig, GroupError, Timer, embedded};

/// The consumer group that a classic group with members becomes, and what its members are told. A member joins right after
/// this, so that a new rebalance begins in any case.
pub(super) fn upgrade(
    classic: &ClassicGroup,
    config: &GroupConfig,
    group_id: &str,
    topics: &dyn TopicsView,
) -> Result<(ConsumerGroup, Vec<Effect>), Refusal> {
    let refuse = |reason: &str| {
        let message = format!("Cannot upgrade classic group {group_id} to consumer group because {reason}.");
        Err(refusal(GroupError::GroupIdNotFound, message))
    };
    if !config.migration_policy.upgrades() {
        return refuse("online upgrade is disabled");
    }
    if !classic.uses_consumer_protocol() {
        return refuse("the group does not use the consumer embedded protocol");
    }
    if classic.members.len() > config.consumer_max_size {
        return refuse("the group size exceeds the consumer group maximum size");
    }
    // A group that is about to elect its first protocol has none yet.
    let protocol = classic.protocol_name.clone().or_else(|| classic.select_protocol());
    let mut group = ConsumerGroup {
        epoch: classic.generation,
        assignment_epoch: classic.generation,
        ..ConsumerGroup::default()
    };
    let mut owned = HashSet::new();
    for member in classic.members.values() {
        let member = match converted(member, protocol.as_deref().unwrap_or(""), classic.generation, topics) {
            Ok(member) => member,
            Err(Unreadable::Malformed) => return refuse("the embedded consumer protocol is malformed"),
            Err(Unreadable::UserData) => {
                return refuse(
                    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade",
                );
            }
        };
        for (topic, partitions) in &member.assigned {
            if !partitions.iter().all(|partition| owned.insert((*topic, *partition))) {
                let message = format!("The leader of group {group_id} assigned a partition to more than one member.");
                return Err(refusal(GroupError::Unexpected, message));
            }
        }
        for name in &member.topics {
            if let Some(topic) = topics.find(name) {
                group.topics.insert(name.clone(), topic);
            }
        }
        group.put(&member.id.clone(), Some(Arc::new(member)));
    }
    Ok((group, told_to_join_again(classic)))
}

enum Unreadable {
    Malformed,
    UserData,
}

fn converted(
    member: &Member,
    protocol: &str,
    generation: i32,
    topics: &dyn TopicsView,
) -> Result<ConsumerMember, Unreadable> {
    let given = embedded::assignment(&member.assignment).ok_or(Unreadable::Malformed)?;
    if given.has_user_data {
        return Err(Unreadable::UserData);
    }
    let subscription = embedded::subscription(&member.metadata(protocol)).ok_or(Unreadable::Malformed)?;
    let mut assigned = Assignment::new();
    for (name, partitions) in given.partitions {
        if let Some(topic) = topics.find(&name).filter(|_| !partitions.is_empty()) {
            assigned.entry(topic.id).or_default().extend(partitions);
        }
    }
    Ok(ConsumerMember {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack_id,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        topics: subscription.topics.into_iter().collect(),
        epoch: generation,
        previous_epoch: generation,
        state: MemberState::Stable,
        target: assigned.clone(),
        assigned,
        classic: Some(ClassicMetadata {
            session_timeout_ms: member.session_timeout_ms,
            protocols: member.protocols.clone(),
        }),
        ..ConsumerMember::default()
    })
}

/// Answers whoever waits, and watches the members from now on as those of a consumer group are.
fn told_to_join_again(classic: &ClassicGroup) -> Vec<Effect> {
    let error = GroupError::RebalanceInProgress;
    let mut effects = vec![Effect::Cancel(Timer::Join), Effect::Cancel(Timer::Sync)];
    for id in &classic.pending_joins {
        effects.push(Effect::Cancel(Timer::Session(id.clone())));
    }
    for member in classic.members.values() {
        if member.awaiting_join {
            effects.push(Effect::AnswerJoin {
                member_id: member.id.clone(),
                response: Box::new(classic::refusal(member.id.clone(), error)),
            });
        }
        if member.awaiting_sync {
            effects.push(Effect::AnswerSync {
                member_id: member.id.clone(),
                response: Box::new(SyncGroupResponse::default().with_error_code(error.code())),
            });
        }
        effects.push(Effect::Arm {
            timer: Timer::Session(member.id.clone()),
            after_ms: member.session_timeout_ms,
        });
    }
    effects
}

/// Whether nobody but members of the classic protocol would be left, and those may have the group for themselves.
pub(super) fn leaves_it_classic(group: &ConsumerGroup, config: &GroupConfig, leaving: &[StrBytes]) -> bool {
    let mut staying = group
        .members
        .values()
        .filter(|member| !leaving.contains(&member.id))
        .peekable();
    staying.peek().is_some()
        && staying.all(|member| member.classic.is_some())
        && may_be_classic(group.members.len() - leaving.len(), config)
}

/// Whether a group of that size may become a classic one.
pub(super) fn may_be_classic(size: usize, config: &GroupConfig) -> bool {
    config.migration_policy.downgrades() && size <= config.max_size
}

/// The classic group that is left of a consumer group without those who leave, stable, with one more member if one joins in
/// the place of one who leaves; and the end of the consumer group's timers.
pub(super) fn downgrade(
    group: &ConsumerGroup,
    now_ms: i64,
    leaving: &[StrBytes],
    joining: Option<&ConsumerMember>,
) -> (ClassicGroup, Vec<Effect>) {
    let mut classic = ClassicGroup {
        state: State::Stable,
        state_since_ms: Some(now_ms),
        generation: group.epoch,
        protocol_type: Some(StrBytes::from_static_str(CONSUMER_PROTOCOL_TYPE)),
        ..ClassicGroup::default()
    };
    let staying = group.members.values().map(|member| &**member);
    let staying: BTreeMap<&StrBytes, &ConsumerMember> = staying
        .filter(|member| !leaving.contains(&member.id))
        .chain(joining)
        .map(|member| (&member.id, member))
        .collect();
    for member in staying.values() {
        classic.members.insert(member.id.clone(), Arc::new(as_classic(member)));
    }
    classic.protocol_name = classic.select_protocol();
    classic.leader = classic.members.keys().next().cloned();
    let names: HashMap<Uuid, &StrBytes> = group.topics.iter().map(|(name, topic)| (topic.id, name)).collect();
    let protocol = classic.protocol_name.clone().unwrap_or_default();
    for (id, member) in &mut classic.members {
        let version = embedded::version(&member.metadata(&protocol)).unwrap_or(0);
        let target = staying[id].target.iter();
        let target: Vec<_> = target
            .filter_map(|(topic, partitions)| {
                Some(((*names.get(topic)?).clone(), partitions.iter().copied().collect()))
            })
            .collect();
        Arc::make_mut(member).assignment = embedded::encode_assignment(version, &target);
    }
    classic.rebuild();
    let timers = group.members.keys().flat_map(Timer::all_of);
    (classic, timers.map(Effect::Cancel).collect())
}

fn as_classic(member: &ConsumerMember) -> Member {
    let metadata = member.classic.clone().unwrap_or_default();
    Member {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: metadata.session_timeout_ms,
        protocols: metadata.protocols,
        assignment: bytes::Bytes::new(),
        awaiting_join: false,
        awaiting_sync: false,
        is_new: false,
    }
}
