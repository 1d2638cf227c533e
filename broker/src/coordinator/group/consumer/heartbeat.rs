//! ConsumerGroupHeartbeat: by it members join, follow, and leave; and what happens to those that send none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment as WireAssignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::departure::leave;
use super::reconcile::{owns_at_most, reconcile};
use super::validate::{Refusal, compile, known_member, not_found, refusal, validate};
use super::{ConsumerGroup, ConsumerMember, LEAVE_STATIC_EPOCH, MemberState, TopicsView};
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::classic::State;
use crate::coordinator::group::{Caller, Effect, Group, GroupConfig, GroupError, Outcome, Record, Timer, detached};

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
    command: &HeartbeatCommand,
    topics: &dyn TopicsView,
) -> Outcome<ConsumerGroupHeartbeatResponse> {
    let outcome =
        validate(command.caller.api_version, &command.request).and_then(|()| match command.request.member_epoch {
            ..0 => leave(group, &command.request),
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

/// A heartbeat of a member that stays, decided on a copy of the group.
struct Heartbeat<'a> {
    config: &'a GroupConfig,
    command: &'a HeartbeatCommand,
    topics: &'a dyn TopicsView,
    before: ConsumerGroup,
    consumer: ConsumerGroup,
    member_id: StrBytes,
    effects: Vec<Effect>,
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
        let is_empty_classic = group
            .membership
            .as_ref()
            .is_some_and(|classic| classic.state == State::Empty);
        let before = match &group.consumer {
            Some(consumer) => consumer.clone(),
            None if joins && (!group.exists() || is_empty_classic) => ConsumerGroup::default(),
            None => return Err(not_found(group, request)),
        };
        let known = before.members.contains_key(&request.member_id);
        if before.members.len() >= config.consumer_max_size && !known {
            let message = format!(
                "The consumer group has reached its maximum capacity of {} members.",
                config.consumer_max_size
            );
            return Err(refusal(GroupError::GroupMaxSizeReached, message));
        }
        let member_id = match request.member_id.is_empty() {
            true => StrBytes::from_string(command.nonce.to_string()),
            false => detached(&request.member_id),
        };
        Ok(Heartbeat {
            config,
            command,
            topics,
            consumer: before.clone(),
            before,
            member_id,
            effects: Vec::new(),
        })
    }

    fn decide(mut self) -> Result<Outcome<ConsumerGroupHeartbeatResponse>, Refusal> {
        let member = self.find_or_add()?;
        let updated = self.update(&member);
        self.refresh(&member, updated)?;
        self.retarget();
        let request = &self.command.request;
        let member = Arc::clone(&self.consumer.members[&self.member_id]);
        let reconciled = reconcile(
            &member,
            request.topic_partitions.as_deref(),
            || self.consumer.held(),
            self.consumer.assignment_epoch,
        );
        if reconciled != *member {
            self.watch_revocation(&reconciled);
            self.consumer
                .put(&self.member_id.clone(), Some(Arc::new(reconciled.clone())));
        }
        let session = Timer::Session(self.member_id.clone());
        self.effects.push(Effect::Arm {
            timer: session,
            after_ms: self.config.consumer_session_timeout_ms,
        });
        let is_full = request.member_epoch == 0
            || (request.rebalance_timeout_ms != -1
                && request.subscribed_topic_names.is_some()
                && request.topic_partitions.is_some());
        let before = self.before.members.get(&self.member_id);
        let changed = before.is_none_or(|before| before.assigned != reconciled.assigned);
        let reply = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(self.member_id.clone()))
            .with_member_epoch(reconciled.epoch)
            .with_heartbeat_interval_ms(self.config.consumer_heartbeat_interval_ms)
            .with_assignment((is_full || changed).then(|| on_the_wire(&reconciled.assigned)));
        Ok(Outcome {
            reply,
            records: self.records(),
            effects: self.effects,
        })
    }

    /// The member as it was, or as it begins. A static member that comes back takes the place of the one that left.
    fn find_or_add(&mut self) -> Result<ConsumerMember, Refusal> {
        let request = &self.command.request;
        let joins = request.member_epoch == 0;
        let former = request
            .instance_id
            .as_ref()
            .and_then(|id| self.consumer.static_members.get(id))
            .cloned();
        let begun = ConsumerMember {
            id: self.member_id.clone(),
            ..ConsumerMember::default()
        };
        let member = match (former, self.consumer.members.get(&self.member_id)) {
            (Some(former), _) if joins => return self.replace(&former),
            (None, None) if joins => return Ok(begun),
            (None, Some(member)) if joins && request.instance_id.is_some() => return Ok((**member).clone()),
            (None, Some(member)) if joins => Arc::clone(member),
            _ => Arc::clone(known_member(&self.consumer, request)?),
        };
        self.check_epoch(&member)?;
        Ok((*member).clone())
    }

    fn replace(&mut self, former: &StrBytes) -> Result<ConsumerMember, Refusal> {
        let former = self.consumer.members.get(former).cloned().unwrap_or_default();
        if former.epoch != LEAVE_STATIC_EPOCH {
            let instance_id = former.instance_id.as_ref().map_or("", |id| id.as_str());
            let (id, owner) = (self.member_id.as_str(), former.id.as_str());
            let message = format!(
                "Static member {id} with instance id {instance_id} cannot join the group because the instance id is owned by {owner} member."
            );
            return Err(refusal(GroupError::UnreleasedInstanceId, message));
        }
        self.consumer.put(&former.id, None);
        self.effects.push(Effect::Cancel(Timer::Session(former.id.clone())));
        let member = ConsumerMember {
            id: self.member_id.clone(),
            epoch: 0,
            previous_epoch: 0,
            ..(*former).clone()
        };
        self.consumer
            .put(&self.member_id.clone(), Some(Arc::new(member.clone())));
        Ok(member)
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
        updated
    }

    /// Takes the member's changes over, and those of the topics; bumps the group epoch where they matter to the target.
    fn refresh(&mut self, member: &ConsumerMember, updated: ConsumerMember) -> Result<(), Refusal> {
        let is_new = !self.consumer.members.contains_key(&self.member_id);
        let wants_other = updated.topics != member.topics || updated.regex != member.regex;
        if is_new || updated != *member {
            self.consumer.put(&self.member_id.clone(), Some(Arc::new(updated)));
        }
        let topics_changed = self.consumer.topics_version != self.topics.version();
        if !(is_new || wants_other || topics_changed || self.consumer.epoch > self.consumer.assignment_epoch) {
            return Ok(());
        }
        self.match_expressions(topics_changed)?;
        let wanted: BTreeSet<&StrBytes> = self
            .consumer
            .members
            .values()
            .flat_map(|member| member.subscription())
            .collect();
        let found = wanted
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.topics.find(name)?)));
        let found: BTreeMap<_, _> = found.collect();
        self.consumer.topics_version = self.topics.version();
        if is_new || wants_other || found != self.consumer.topics {
            self.consumer.topics = found;
            self.consumer.epoch = self.consumer.epoch.saturating_add(1);
        }
        Ok(())
    }

    /// Looks again at which topics the expressions match: all of them when topics have changed, else this member's.
    fn match_expressions(&mut self, all: bool) -> Result<(), Refusal> {
        let names = self.topics.names();
        let ids: Vec<StrBytes> = match all {
            true => self.consumer.members.keys().cloned().collect(),
            false => vec![self.member_id.clone()],
        };
        for id in ids {
            let member = Arc::clone(&self.consumer.members[&id]);
            let matched = match &member.regex {
                None => BTreeSet::new(),
                Some(expression) => {
                    let expression = compile(expression)
                        .map_err(|error| refusal(GroupError::InvalidRegularExpression, error.to_string()))?;
                    names.iter().filter(|name| expression.is_match(name)).cloned().collect()
                }
            };
            if matched != member.matched {
                self.consumer.put(
                    &id,
                    Some(Arc::new(ConsumerMember {
                        matched,
                        ..(*member).clone()
                    })),
                );
            }
        }
        Ok(())
    }

    /// Computes the target anew if the group epoch has moved on.
    fn retarget(&mut self) {
        if self.consumer.epoch <= self.consumer.assignment_epoch {
            return;
        }
        let partitions = self
            .consumer
            .topics
            .values()
            .map(|topic| (topic.id, topic.partitions))
            .collect();
        let targets = self
            .consumer
            .assignor()
            .assign(&self.consumer.subscribers(), &partitions);
        for (id, target) in targets {
            let member = Arc::clone(&self.consumer.members[&id]);
            if member.target != target {
                self.consumer.put(
                    &id,
                    Some(Arc::new(ConsumerMember {
                        target,
                        ..(*member).clone()
                    })),
                );
            }
        }
        self.consumer.assignment_epoch = self.consumer.epoch;
    }

    /// A member that has to give partitions up has its rebalance time-out for it.
    fn watch_revocation(&mut self, member: &ConsumerMember) {
        let timer = Timer::Revocation(self.member_id.clone());
        self.effects.push(match member.state {
            MemberState::UnrevokedPartitions => Effect::Arm {
                timer,
                after_ms: member.rebalance_timeout_ms,
            },
            MemberState::Stable | MemberState::UnreleasedPartitions => Effect::Cancel(timer),
        });
    }

    /// What is different from before.
    fn records(&self) -> Vec<Record> {
        let (before, after) = (&self.before, &self.consumer);
        let mut records = Vec::new();
        let (old, new) = (before.head(), after.head());
        let is_new = before.members.is_empty() && before.epoch == 0;
        if old != new || is_new {
            let durable = is_new
                || ConsumerGroup {
                    topics_version: 0,
                    ..old
                } != ConsumerGroup {
                    topics_version: 0,
                    ..new.clone()
                };
            records.push(Record::ConsumerHead {
                head: Box::new(new),
                durable,
            });
        }
        let gone = before.members.keys().filter(|id| !after.members.contains_key(*id));
        records.extend(gone.map(|id| Record::ConsumerMember {
            member_id: id.clone(),
            member: None,
        }));
        let changed = after
            .members
            .iter()
            .filter(|(id, member)| before.members.get(*id) != Some(*member));
        records.extend(changed.map(|(id, member)| Record::ConsumerMember {
            member_id: id.clone(),
            member: Some(Arc::clone(member)),
        }));
        records
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
