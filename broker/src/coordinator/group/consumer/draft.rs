//! A consumer group while a decision changes it: the copy that is changed, beside what it was.
//!
//! Every request of a member that stays takes the same three steps, whichever protocol it follows: what it says is taken over
//! and moves the group epoch where it matters ([`Draft::refresh`]), the target follows the group epoch
//! ([`Draft::retarget`]), and the member follows the target ([`Draft::reconcile`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::protocol::StrBytes;

use super::reconcile::reconcile;
use super::validate::{Refusal, compile, refusal};
use super::{ConsumerGroup, ConsumerMember, MemberState, TopicsView};
use crate::coordinator::group::{Effect, GroupError, Outcome, Record, Timer};

pub(super) struct Draft<'a> {
    pub(super) topics: &'a dyn TopicsView,
    pub(super) group: ConsumerGroup,
    pub(super) effects: Vec<Effect>,
    /// The group needs a new target, whatever its members want.
    pub(super) is_unsettled: bool,
    before: ConsumerGroup,
}

impl<'a> Draft<'a> {
    /// A draft of a group that exists as such.
    pub(super) fn of(group: &ConsumerGroup, topics: &'a dyn TopicsView) -> Draft<'a> {
        Draft {
            topics,
            group: group.clone(),
            effects: Vec::new(),
            is_unsettled: group.epoch == 0,
            before: group.clone(),
        }
    }

    /// A draft of a group that begins with this decision.
    pub(super) fn begun(group: ConsumerGroup, effects: Vec<Effect>, topics: &'a dyn TopicsView) -> Draft<'a> {
        Draft {
            topics,
            is_unsettled: group.epoch == 0,
            group,
            effects,
            before: ConsumerGroup::default(),
        }
    }

    pub(super) fn put(&mut self, member: ConsumerMember) {
        let id = member.id.clone();
        self.group.put(&id, Some(Arc::new(member)));
    }

    /// Gives a static member another member id. It begins anew, with what it had.
    pub(super) fn replace(&mut self, former: &ConsumerMember, member_id: &StrBytes) -> ConsumerMember {
        self.group.put(&former.id, None);
        self.effects
            .extend(Timer::all_of(&former.id).into_iter().map(Effect::Cancel));
        let member = ConsumerMember {
            id: member_id.clone(),
            epoch: 0,
            previous_epoch: 0,
            ..former.clone()
        };
        self.put(member.clone());
        member
    }

    /// Takes a member's changes and those of the topics over; bumps the group epoch where they matter to the target.
    pub(super) fn refresh(&mut self, former: &ConsumerMember, updated: ConsumerMember) -> Result<(), Refusal> {
        let member_id = updated.id.clone();
        let wants_other = updated.topics != former.topics || updated.regex != former.regex || self.is_unsettled;
        if self
            .group
            .members
            .get(&member_id)
            .is_none_or(|known| **known != updated)
        {
            self.put(updated);
        }
        let topics_changed = self.group.topics_version != self.topics.version();
        if !(wants_other || topics_changed || self.group.epoch > self.group.assignment_epoch) {
            return Ok(());
        }
        self.match_expressions(&member_id, topics_changed)?;
        let wanted: BTreeSet<&StrBytes> = self
            .group
            .members
            .values()
            .flat_map(|member| member.subscription())
            .collect();
        let found = wanted
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.topics.find(name)?)));
        let found: BTreeMap<_, _> = found.collect();
        self.group.topics_version = self.topics.version();
        if wants_other || found != self.group.topics {
            self.group.topics = found;
            self.group.epoch = self.group.epoch.saturating_add(1);
        }
        Ok(())
    }

    /// Looks again at which topics the expressions match: all of them when topics have changed, else this member's.
    fn match_expressions(&mut self, member_id: &StrBytes, all: bool) -> Result<(), Refusal> {
        let ids: Vec<StrBytes> = match all {
            true => self.group.members.keys().cloned().collect(),
            false => vec![member_id.clone()],
        };
        let mut names = None;
        for id in ids {
            let member = Arc::clone(&self.group.members[&id]);
            let matched = match &member.regex {
                None => BTreeSet::new(),
                Some(expression) => {
                    let expression = compile(expression)
                        .map_err(|error| refusal(GroupError::InvalidRegularExpression, error.to_string()))?;
                    let names = names.get_or_insert_with(|| self.topics.names());
                    names.iter().filter(|name| expression.is_match(name)).cloned().collect()
                }
            };
            if matched != member.matched {
                self.put(ConsumerMember {
                    matched,
                    ..(*member).clone()
                });
            }
        }
        Ok(())
    }

    /// Computes the target anew if the group epoch has moved on.
    pub(super) fn retarget(&mut self) {
        if self.group.epoch <= self.group.assignment_epoch {
            return;
        }
        let partitions = self
            .group
            .topics
            .values()
            .map(|topic| (topic.id, topic.partitions))
            .collect();
        let targets = self.group.assignor().assign(&self.group.subscribers(), &partitions);
        for (id, target) in targets {
            let member = Arc::clone(&self.group.members[&id]);
            if member.target != target {
                self.put(ConsumerMember {
                    target,
                    ..(*member).clone()
                });
            }
        }
        self.group.assignment_epoch = self.group.epoch;
    }

    /// Takes a member a step towards its target, given what it says it owns; what it is then.
    pub(super) fn reconcile(&mut self, member_id: &StrBytes, owned: Option<&[TopicPartitions]>) -> Arc<ConsumerMember> {
        let member = Arc::clone(&self.group.members[member_id]);
        let reconciled = reconcile(&member, owned, || self.group.held(), self.group.assignment_epoch);
        if reconciled == *member {
            return member;
        }
        self.watch_revocation(&reconciled);
        self.put(reconciled);
        Arc::clone(&self.group.members[member_id])
    }

    /// A member that has to give partitions up has its rebalance time-out for it. One that follows the classic protocol has
    /// to join and to sync in time, instead.
    fn watch_revocation(&mut self, member: &ConsumerMember) {
        let timer = Timer::Revocation(member.id.clone());
        let revokes = member.state == MemberState::UnrevokedPartitions && member.classic.is_none();
        self.effects.push(match revokes {
            true => Effect::Arm {
                timer,
                after_ms: member.rebalance_timeout_ms,
            },
            false => Effect::Cancel(timer),
        });
    }

    pub(super) fn finish<R>(self, reply: R) -> Outcome<R> {
        Outcome {
            reply,
            records: self.records(),
            effects: self.effects,
        }
    }

    /// What is different from before.
    fn records(&self) -> Vec<Record> {
        let (before, after) = (&self.before, &self.group);
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
