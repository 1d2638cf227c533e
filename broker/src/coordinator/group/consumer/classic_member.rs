//! Members of a consumer group that follow the classic protocol, beside others that do not.
//!
//! JoinGroup is answered at once: the group assigns, so nobody is waited for, there is no leader, and the generation is the
//! member's epoch. SyncGroup brings what the member may have now. A heartbeat tells it to join again when the group has moved
//! on, when it has to give partitions up (it does, and says with its next JoinGroup what it still owns), or when partitions
//! that it waits for have become free. It has its rebalance time-out to join once it was told to, and to sync once it joined.

use std::sync::Arc;

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::convert::{downgrade, may_be_classic};
use super::draft::Draft;
use super::{ClassicMetadata, ConsumerGroup, ConsumerMember, MemberState, TopicsView};
use crate::coordinator::group::classic::{self, CONSUMER_PROTOCOL_TYPE, JoinCommand, Protocol};
use crate::coordinator::group::embedded::{self, Subscription};
use crate::coordinator::group::{Answer, Effect, GroupConfig, GroupError, Outcome, Timer, detached};
use crate::metadata::configs::base64_url;

/// From this version on a dynamic member is first told its id and must join again with it (KIP-394).
const MEMBER_ID_REQUIRED_SINCE: i16 = 4;

/// Decides on a JoinGroup to a consumer group with members.
pub fn join(
    group: &ConsumerGroup,
    config: &GroupConfig,
    now_ms: i64,
    command: &JoinCommand,
    topics: &dyn TopicsView,
) -> Outcome<Answer<JoinGroupResponse>> {
    let member_id = match command.request.member_id.is_empty() {
        true => StrBytes::from_string(base64_url(command.nonce.as_bytes())),
        false => detached(&command.request.member_id),
    };
    let join = Join {
        group,
        config,
        now_ms,
        command,
        member_id: member_id.clone(),
        protocols: classic::protocols(&command.request),
    };
    join.decide(topics).unwrap_or_else(|error| {
        let named = match error {
            GroupError::MemberIdRequired => member_id,
            _ => StrBytes::default(),
        };
        Outcome::reply(Answer::Now(classic::refusal(named, error)))
    })
}

struct Join<'a> {
    group: &'a ConsumerGroup,
    config: &'a GroupConfig,
    now_ms: i64,
    command: &'a JoinCommand,
    member_id: StrBytes,
    protocols: Vec<Protocol>,
}

impl<'a> Join<'a> {
    fn request(&self) -> &'a JoinGroupRequest {
        &self.command.request
    }

    fn decide(self, topics: &'a dyn TopicsView) -> Result<Outcome<Answer<JoinGroupResponse>>, GroupError> {
        let request = self.request();
        if self.group.is_full(self.config, &self.member_id) {
            return Err(GroupError::GroupMaxSizeReached);
        }
        if !self.is_supported() {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let is_dynamic = request.group_instance_id.is_none();
        if is_dynamic && request.member_id.is_empty() && self.command.caller.api_version >= MEMBER_ID_REQUIRED_SINCE {
            return Err(GroupError::MemberIdRequired);
        }
        let first = self.protocols.first().ok_or(GroupError::Unexpected)?;
        let subscription = embedded::subscription(&first.metadata).ok_or(GroupError::Unexpected)?;
        let mut draft = Draft::of(self.group, topics);
        let former = self.find_or_add(&mut draft)?;
        let updated = self.update(&former, &subscription);
        let owned = self.owned(&subscription, topics);
        if let Some(replaced) = self.replaces_the_last_other() {
            return Ok(self.downgrade(draft, replaced, &former, updated, &owned));
        }
        draft.refresh(&former, updated).map_err(|refusal| refusal.error)?;
        draft.retarget();
        let member = draft.reconcile(&self.member_id, Some(&owned));
        draft.effects.extend([
            Effect::Cancel(Timer::MemberJoin(self.member_id.clone())),
            Effect::Arm {
                timer: Timer::Session(self.member_id.clone()),
                after_ms: request.session_timeout_ms,
            },
            Effect::Arm {
                timer: Timer::MemberSync(self.member_id.clone()),
                after_ms: request.rebalance_timeout_ms,
            },
        ]);
        Ok(draft.finish(Answer::Now(joined(&member))))
    }

    /// Whether all members of the classic protocol speak one of these protocols.
    fn is_supported(&self) -> bool {
        let spoken = |name: &StrBytes, metadata: &ClassicMetadata| {
            metadata.protocols.iter().any(|protocol| protocol.name == *name)
        };
        self.request().protocol_type.as_str() == CONSUMER_PROTOCOL_TYPE
            && self.protocols.iter().any(|protocol| {
                self.group
                    .classic_members()
                    .all(|metadata| spoken(&protocol.name, metadata))
            })
    }

    fn find_or_add(&self, draft: &mut Draft<'_>) -> Result<ConsumerMember, GroupError> {
        let known = self.group.members.get(&self.member_id);
        let begun = || ConsumerMember {
            id: self.member_id.clone(),
            ..ConsumerMember::default()
        };
        let Some(instance_id) = &self.request().group_instance_id else {
            return Ok(known.map_or_else(begun, |member| (**member).clone()));
        };
        let current = self.group.static_members.get(instance_id);
        if self.request().member_id.is_empty() {
            let former = current.and_then(|id| self.group.members.get(id));
            return Ok(former.map_or_else(begun, |former| draft.replace(former, &self.member_id)));
        }
        validated(self.group, &self.member_id, Some(instance_id)).map(|member| (**member).clone())
    }

    /// The member with what the request says about it.
    fn update(&self, former: &ConsumerMember, subscription: &Subscription) -> ConsumerMember {
        let request = self.request();
        let mut updated = former.clone();
        if let Some(instance_id) = &request.group_instance_id {
            updated.instance_id = Some(detached(instance_id));
        }
        if subscription.rack_id.is_some() {
            updated.rack_id = subscription.rack_id.clone();
        }
        if request.rebalance_timeout_ms != -1 {
            updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        updated.topics = subscription.topics.iter().cloned().collect();
        updated.client_id = detached(&self.command.caller.client_id);
        updated.client_host = detached(&self.command.caller.client_host);
        updated.classic = Some(ClassicMetadata {
            session_timeout_ms: request.session_timeout_ms,
            protocols: self.protocols.clone(),
        });
        updated
    }

    /// What the member says it owns, of the topics that exist.
    fn owned(&self, subscription: &Subscription, topics: &dyn TopicsView) -> Vec<TopicPartitions> {
        let owned = subscription.owned.iter().filter_map(|(name, partitions)| {
            let topic = topics.find(name)?;
            Some(
                TopicPartitions::default()
                    .with_topic_id(topic.id)
                    .with_partitions(partitions.clone()),
            )
        });
        owned.collect()
    }

    /// The static member in whose place this one comes, if it is the only one that does not follow the classic protocol.
    fn replaces_the_last_other(&self) -> Option<&'a StrBytes> {
        let current = self
            .group
            .static_members
            .get(self.request().group_instance_id.as_ref()?)?;
        let mut others = self.group.members.values().filter(|member| member.classic.is_none());
        let is_last = others.next().is_some_and(|other| other.id == *current) && others.next().is_none();
        (is_last && may_be_classic(self.group.members.len(), self.config)).then_some(current)
    }

    /// The group becomes a classic one, which rebalances if the newcomer wants other topics. It also does if another member
    /// is still on its way to its target, where Apache Kafka leaves that member without the rest until the next rebalance.
    fn downgrade(
        &self,
        mut draft: Draft<'_>,
        replaced: &StrBytes,
        former: &ConsumerMember,
        updated: ConsumerMember,
        owned: &[TopicPartitions],
    ) -> Outcome<Answer<JoinGroupResponse>> {
        let wants_other = updated.topics != former.topics;
        let mut member = Arc::new(updated);
        if !wants_other {
            draft.put((*member).clone());
            member = draft.reconcile(&self.member_id, Some(owned));
        }
        let (classic, mut effects) = downgrade(self.group, self.now_ms, std::slice::from_ref(replaced), Some(&member));
        let rebalances = wants_other || !self.group.is_settled_but_for(replaced);
        let taken_over = classic::take_over(&classic, self.config, self.now_ms, rebalances);
        effects.extend(taken_over.effects);
        Outcome {
            reply: Answer::Now(joined(&member)),
            records: taken_over.records,
            effects,
        }
    }
}

fn joined(member: &ConsumerMember) -> JoinGroupResponse {
    let protocol = member.classic.as_ref().and_then(|classic| classic.protocols.first());
    JoinGroupResponse::default()
        .with_member_id(member.id.clone())
        .with_generation_id(member.epoch)
        .with_protocol_type(Some(StrBytes::from_static_str(CONSUMER_PROTOCOL_TYPE)))
        .with_protocol_name(protocol.map(|protocol| protocol.name.clone()))
}

/// The member that a request speaks of, if it is still that one.
fn validated<'a>(
    group: &'a ConsumerGroup,
    member_id: &StrBytes,
    instance_id: Option<&StrBytes>,
) -> Result<&'a Arc<ConsumerMember>, GroupError> {
    if let Some(instance_id) = instance_id {
        match group.static_members.get(instance_id) {
            None => return Err(GroupError::UnknownMemberId),
            Some(current) if current != member_id => return Err(GroupError::FencedInstanceId),
            Some(_) => {}
        }
    }
    group.members.get(member_id).ok_or(GroupError::UnknownMemberId)
}

/// The member and what is kept of it as one of the classic protocol, under its generation.
fn validated_classic<'a>(
    group: &'a ConsumerGroup,
    member_id: &StrBytes,
    instance_id: Option<&StrBytes>,
    generation: i32,
) -> Result<(&'a ConsumerMember, &'a ClassicMetadata), GroupError> {
    let member = validated(group, member_id, instance_id)?;
    let classic = member.classic.as_ref().ok_or(GroupError::UnknownMemberId)?;
    if member.epoch != generation {
        return Err(GroupError::IllegalGeneration);
    }
    Ok((member, classic))
}

/// The member was told to join again, and has this long to do it.
fn expect_join(member: &ConsumerMember) -> Effect {
    Effect::ArmIfAbsent {
        timer: Timer::MemberJoin(member.id.clone()),
        after_ms: member.rebalance_timeout_ms,
    }
}

fn renew_session(member: &ConsumerMember, classic: &ClassicMetadata) -> Effect {
    Effect::Arm {
        timer: Timer::Session(member.id.clone()),
        after_ms: classic.session_timeout_ms,
    }
}

/// Decides on a SyncGroup to a consumer group with members.
pub fn sync(
    group: &ConsumerGroup,
    request: &SyncGroupRequest,
    topics: &dyn TopicsView,
) -> Outcome<Answer<SyncGroupResponse>> {
    let refused = |error: GroupError| Answer::Now(SyncGroupResponse::default().with_error_code(error.code()));
    let instance_id = request.group_instance_id.as_ref();
    let known = validated_classic(group, &request.member_id, instance_id, request.generation_id);
    let (member, classic) = match known {
        Ok(known) => known,
        Err(error) => return Outcome::reply(refused(error)),
    };
    let first = classic.protocols.first();
    let differs = |theirs: &Option<StrBytes>, ours: Option<&str>| theirs.is_some() && theirs.as_deref() != ours;
    if differs(&request.protocol_type, Some(CONSUMER_PROTOCOL_TYPE))
        || differs(&request.protocol_name, first.map(|protocol| protocol.name.as_str()))
    {
        return Outcome::reply(refused(GroupError::InconsistentGroupProtocol));
    }
    // Who gives partitions up has joined already, and is told to join again when that is done.
    if group.epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
        return Outcome {
            reply: refused(GroupError::RebalanceInProgress),
            records: Vec::new(),
            effects: vec![expect_join(member)],
        };
    }
    let Some(version) = first.and_then(|protocol| embedded::version(&protocol.metadata)) else {
        return Outcome::reply(refused(GroupError::Unexpected));
    };
    let assigned: Vec<_> = member
        .assigned
        .iter()
        .filter_map(|(topic, partitions)| Some((topics.name_of(*topic)?, partitions.iter().copied().collect())))
        .collect();
    let response = SyncGroupResponse::default()
        .with_protocol_type(request.protocol_type.clone())
        .with_protocol_name(request.protocol_name.clone())
        .with_assignment(embedded::encode_assignment(version, &assigned));
    Outcome {
        reply: Answer::Now(response),
        records: Vec::new(),
        effects: vec![
            Effect::Cancel(Timer::MemberSync(member.id.clone())),
            renew_session(member, classic),
        ],
    }
}

/// Decides on a Heartbeat to a consumer group.
pub fn heartbeat(group: &ConsumerGroup, request: &HeartbeatRequest) -> Outcome<HeartbeatResponse> {
    let answer =
        |error: Option<GroupError>| HeartbeatResponse::default().with_error_code(error.map_or(0, GroupError::code));
    let instance_id = request.group_instance_id.as_ref();
    let (member, classic) = match validated_classic(group, &request.member_id, instance_id, request.generation_id) {
        Ok(known) => known,
        Err(error) => return Outcome::reply(answer(Some(error))),
    };
    let has_to_join = member.epoch < group.epoch
        || match member.state {
            MemberState::Stable => false,
            MemberState::UnrevokedPartitions => true,
            MemberState::UnreleasedPartitions => !group.holds_what_is_meant_for(member),
        };
    let mut effects = vec![renew_session(member, classic)];
    if has_to_join {
        effects.push(expect_join(member));
    }
    Outcome {
        reply: answer(has_to_join.then_some(GroupError::RebalanceInProgress)),
        records: Vec::new(),
        effects,
    }
}
