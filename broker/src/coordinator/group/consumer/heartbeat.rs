//! ConsumerGroupHeartbeat: by it members join, follow, and leave; and what happens to those that send none.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment as WireAssignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::convert::upgrade;
use super::departure::leave;
use super::draft::Draft;
use super::reconcile::owns_at_most;
use super::validate::{Refusal, known_member, not_found, refusal, validate};
use super::{ConsumerGroup, ConsumerMember, LEAVE_STATIC_EPOCH, TopicsView};
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::classic::State;
use crate::coordinator::group::{Caller, Effect, Group, GroupConfig, GroupError, Outcome, Timer, detached};
use crate::metadata::configs::base64_url;

/// A ConsumerGroupHeartbeat request.
#[derive(Clone, Debug)]
pub struct HeartbeatCommand {
    /// Who sends it.
    pub caller: Caller,
    /// The request.
    pub request: ConsumerGroupHeartbeatRequest,
    /// The member id of one that has none.
    pub nonce: uuid::Uuid,
}

/// Decides on a heartbeat.
pub fn heartbeat(
    group: &Group,
    config: &GroupConfig,
    now_ms: i64,
    command: &HeartbeatCommand,
    topics: &dyn TopicsView,
) -> Outcome<ConsumerGroupHeartbeatResponse> {
    let outcome =
        validate(command.caller.api_version, &command.request).and_then(|()| match command.request.member_epoch {
            ..0 => leave(group, config, now_ms, &command.request, topics),
            _ => Heartbeat::new(group, config, command, topics)?.decide(),
        });
    outcome.unwrap_or_else(|Refusal { error, message }| {
        let message = Some(StrBytes::from_string(message));
        Outcome::reply(
            ConsumerGroupHeartbeatResponse::default()
                .with_error_code(error.code())
                .with_error_message(message),
        )
    })
}

/// A heartbeat of a member that stays.
struct Heartbeat<'a> {
    config: &'a GroupConfig,
    command: &'a HeartbeatCommand,
    draft: Draft<'a>,
    member_id: StrBytes,
}

impl<'a> Heartbeat<'a> {
    fn new(
        group: &'a Group,
        config: &'a GroupConfig,
        command: &'a HeartbeatCommand,
        topics: &'a dyn TopicsView,
    ) -> Result<Heartbeat<'a>, Refusal> {
        let request = &command.request;
        let joins = request.member_epoch == 0;
        let draft = match (&group.consumer, &group.membership) {
            (Some(consumer), _) => Draft::of(consumer, topics),
            (None, _) if !joins => return Err(not_found(group, request)),
            (None, Some(classic)) if classic.state != State::Empty => {
                let (consumer, effects) = upgrade(classic, config, &request.group_id, topics)?;
                let mut draft = Draft::begun(consumer, effects, topics);
                // The assignment that its leader was about to give is lost. Apache Kafka counts on a newcomer to want
                // something else than before, which a static member that only changes its protocol does not.
                draft.is_unsettled |= classic.state != State::Stable;
                draft
            }
            (None, _) => Draft::begun(ConsumerGroup::default(), Vec::new(), topics),
        };
        if draft.group.is_full(config, &request.member_id) {
            let message = format!(
                "The consumer group has reached its maximum capacity of {} members.",
                config.consumer_max_size
            );
            return Err(refusal(GroupError::GroupMaxSizeReached, message));
        }
        let member_id = match request.member_id.is_empty() {
            true => StrBytes::from_string(base64_url(command.nonce.as_bytes())),
            false => detached(&request.member_id),
        };
        Ok(Heartbeat {
            config,
            command,
            draft,
            member_id,
        })
    }

    fn decide(mut self) -> Result<Outcome<ConsumerGroupHeartbeatResponse>, Refusal> {
        let member = self.find_or_add()?;
        if member.classic.is_some() {
            let [_, _, joined, synced] = Timer::all_of(&member.id);
            self.draft
                .effects
                .extend([Effect::Cancel(joined), Effect::Cancel(synced)]);
        }
        let updated = self.update(&member);
        self.draft.refresh(&member, updated)?;
        self.draft.retarget();
        let request = &self.command.request;
        let reconciled = self
            .draft
            .reconcile(&self.member_id, request.topic_partitions.as_deref());
        self.draft.effects.push(Effect::Arm {
            timer: Timer::Session(self.member_id.clone()),
            after_ms: self.config.consumer_session_timeout_ms,
        });
        let is_full = request.member_epoch == 0
            || (request.rebalance_timeout_ms != -1
                && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
                && request.topic_partitions.is_some());
        let changed = member.assigned != reconciled.assigned;
        let reply = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(self.member_id))
            .with_member_epoch(reconciled.epoch)
            .with_heartbeat_interval_ms(self.config.consumer_heartbeat_interval_ms)
            .with_assignment((is_full || changed).then(|| on_the_wire(&reconciled.assigned)));
        Ok(self.draft.finish(reply))
    }

    /// The member as it was, or as it begins. A static member that comes back takes the place of the one that left.
    fn find_or_add(&mut self) -> Result<ConsumerMember, Refusal> {
        let request = &self.command.request;
        let joins = request.member_epoch == 0;
        let group = &self.draft.group;
        let former = request
            .instance_id
            .as_ref()
            .and_then(|id| group.static_members.get(id))
            .cloned();
        let begun = ConsumerMember {
            id: self.member_id.clone(),
            ..ConsumerMember::default()
        };
        let member = match (former, group.members.get(&self.member_id)) {
            (Some(former), _) if joins => return self.replace(&former),
            (None, None) if joins => return Ok(begun),
            (None, Some(member)) if joins && request.instance_id.is_some() => return Ok((**member).clone()),
            (None, Some(member)) if joins => Arc::clone(member),
            _ => Arc::clone(known_member(group, request)?),
        };
        self.check_epoch(&member)?;
        Ok((*member).clone())
    }

    /// The place of a static member is free when it has left, or when it follows the classic protocol, where nobody says so.
    fn replace(&mut self, former: &StrBytes) -> Result<ConsumerMember, Refusal> {
        let former = self.draft.group.members.get(former).cloned().unwrap_or_default();
        if former.epoch != LEAVE_STATIC_EPOCH && former.classic.is_none() {
            let instance_id = former.instance_id.as_ref().map_or("", |id| id.as_str());
            let (id, owner) = (self.member_id.as_str(), former.id.as_str());
            let message = format!(
                "Static member {id} with instance id {instance_id} cannot join the group because the instance id is owned by {owner} member."
            );
            return Err(refusal(GroupError::UnreleasedInstanceId, message));
        }
        Ok(self.draft.replace(&former, &self.member_id))
    }

    /// The member must know its epoch, or the one before if the answer that told the new one may have been lost.
    fn check_epoch(&self, member: &ConsumerMember) -> Result<(), Refusal> {
        let received = self.command.request.member_epoch;
        let owned = self.command.request.topic_partitions.as_deref();
        let lost_answer = received == member.previous_epoch && owns_at_most(owned, &member.assigned);
        if received == member.epoch || (received < member.epoch && lost_answer) {
            return Ok(());
        }
        let (size, epoch) = (
            if received > member.epoch { "greater" } else { "smaller" },
            member.epoch,
        );
        let message = format!(
            "The consumer group member has a {size} member epoch ({received}) than the one known by the group coordinator ({epoch}). The member must abandon all its partitions and rejoin."
        );
        Err(refusal(GroupError::FencedMemberEpoch, message))
    }

    /// The member with what the request says about it.
    fn update(&self, member: &ConsumerMember) -> ConsumerMember {
        let request = &self.command.request;
        let mut updated = member.clone();
        let replace = |place: &mut Option<StrBytes>, given: &Option<StrBytes>| {
            if let Some(given) = given.as_ref().filter(|given| place.as_ref() != Some(*given)) {
                *place = Some(detached(given));
            }
        };
        replace(&mut updated.instance_id, &request.instance_id);
        replace(&mut updated.rack_id, &request.rack_id);
        replace(&mut updated.assignor, &request.server_assignor);
        replace(&mut updated.regex, &request.subscribed_topic_regex);
        updated.regex = updated.regex.filter(|expression| !expression.is_empty());
        if request.rebalance_timeout_ms != -1 {
            updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        if let Some(topics) = &request.subscribed_topic_names {
            updated.topics = topics.iter().map(|name| detached(name)).collect();
        }
        updated.client_id = detached(&self.command.caller.client_id);
        updated.client_host = detached(&self.command.caller.client_host);
        updated.classic = None;
        updated
    }
}

fn on_the_wire(assignment: &Assignment) -> WireAssignment {
    let topic = |(id, partitions): (&uuid::Uuid, &BTreeSet<i32>)| {
        TopicPartitions::default()
            .with_topic_id(*id)
            .with_partitions(partitions.iter().copied().collect())
    };
    WireAssignment::default().with_topic_partitions(assignment.iter().map(topic).collect())
}
