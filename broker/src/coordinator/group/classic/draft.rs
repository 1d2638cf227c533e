//! The transitions of a classic group, on a private copy.
//!
//! A decision copies the membership (members are shared, so a copy costs one reference count each), changes the copy
//! step by step, and hands it over whole as one record. Nothing outside sees a step in between, and a decision that
//! changes nothing (a heartbeat, a refusal) makes no draft.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::{ClassicGroup, InitialJoin, Member, State};
use crate::coordinator::group::{Effect, GroupConfig, GroupError, Outcome, Record, Timer};

pub(super) struct Draft<'a> {
    pub(super) group: ClassicGroup,
    pub(super) config: &'a GroupConfig,
    now_ms: i64,
    effects: Vec<Effect>,
    durable: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(group: &ClassicGroup, config: &'a GroupConfig, now_ms: i64) -> Draft<'a> {
        Draft {
            group: group.clone(),
            config,
            now_ms,
            effects: Vec::new(),
            durable: false,
        }
    }

    pub(super) fn finish<R>(self, reply: R) -> Outcome<R> {
        let record = Record::Membership {
            group: Box::new(self.group),
            durable: self.durable,
        };
        Outcome {
            reply,
            records: vec![record],
            effects: self.effects,
        }
    }

    /// Says that this change must be stored before anybody is told.
    pub(super) fn set_durable(&mut self) {
        self.durable = true;
    }

    pub(super) fn arm(&mut self, timer: Timer, after_ms: i32) {
        self.effects.push(Effect::Arm { timer, after_ms });
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        self.effects.push(Effect::Cancel(timer));
    }

    /// Starts a member's session anew.
    pub(super) fn renew_session(&mut self, member_id: &StrBytes) {
        if let Some(member) = self.group.members.get(member_id) {
            let after_ms = member.session_timeout_ms;
            self.arm(Timer::Session(member_id.clone()), after_ms);
        }
    }

    pub(super) fn member_mut(&mut self, member_id: &StrBytes) -> Option<&mut Member> {
        self.group.members.get_mut(member_id).map(Arc::make_mut)
    }

    fn transition(&mut self, state: State) {
        self.group.state = state;
        self.group.state_since_ms = Some(self.now_ms);
    }

    pub(super) fn add_member(&mut self, member: Member, protocol_type: StrBytes) {
        let id = member.id.clone();
        if self.group.members.is_empty() {
            self.group.protocol_type = Some(protocol_type);
        }
        if let Some(instance_id) = &member.instance_id {
            self.group.static_members.insert(instance_id.clone(), id.clone());
        }
        self.group.leader.get_or_insert_with(|| id.clone());
        self.group.pending_joins.remove(&id);
        self.group.members.insert(id, Arc::new(member));
    }

    /// Removes a member or a pending id. The leadership goes to any other member.
    pub(super) fn remove_member(&mut self, member_id: &StrBytes) {
        self.answer_sync(member_id, || {
            SyncGroupResponse::default().with_error_code(GroupError::UnknownMemberId.code())
        });
        if let Some(instance_id) = self
            .group
            .members
            .remove(member_id)
            .and_then(|member| member.instance_id.clone())
        {
            self.group.static_members.remove(&instance_id);
        }
        if self.group.is_leader(member_id) {
            self.group.leader = self.group.members.keys().next().cloned();
        }
        self.group.pending_joins.remove(member_id);
        self.group.pending_syncs.remove(member_id);
    }

    /// Answers the parked JoinGroup of a member that is about to be removed: it may join again.
    pub(super) fn refuse_join(&mut self, member_id: &StrBytes) {
        self.answer_join(member_id, || refusal(StrBytes::default(), GroupError::UnknownMemberId));
    }

    pub(super) fn answer_join(&mut self, member_id: &StrBytes, response: impl FnOnce() -> JoinGroupResponse) {
        let Some(member) = self.member_mut(member_id) else {
            return;
        };
        if std::mem::take(&mut member.awaiting_join) {
            self.effects.push(Effect::AnswerJoin {
                member_id: member_id.clone(),
                response: Box::new(response()),
            });
        }
    }

    pub(super) fn answer_sync(&mut self, member_id: &StrBytes, response: impl FnOnce() -> SyncGroupResponse) -> bool {
        let waiting = self
            .member_mut(member_id)
            .is_some_and(|member| std::mem::take(&mut member.awaiting_sync));
        if waiting {
            self.effects.push(Effect::AnswerSync {
                member_id: member_id.clone(),
                response: Box::new(response()),
            });
        }
        waiting
    }

    /// Gives a static member a new member id and fences the old one.
    pub(super) fn replace_static_member(&mut self, instance_id: &StrBytes, old_id: &StrBytes, new_id: &StrBytes) {
        let fenced = GroupError::FencedInstanceId.code();
        self.answer_join(old_id, || refusal(old_id.clone(), GroupError::FencedInstanceId));
        self.answer_sync(old_id, || SyncGroupResponse::default().with_error_code(fenced));
        self.cancel(Timer::Session(old_id.clone()));
        let Some(old) = self.group.members.remove(old_id) else {
            return;
        };
        let member = Member {
            id: new_id.clone(),
            is_new: false,
            ..(*old).clone()
        };
        self.group.members.insert(new_id.clone(), Arc::new(member));
        self.group.static_members.insert(instance_id.clone(), new_id.clone());
        if self.group.is_leader(old_id) {
            self.group.leader = Some(new_id.clone());
        }
        self.group.pending_syncs.remove(old_id);
        self.renew_session(new_id);
    }

    /// Starts a rebalance, or completes the join phase of the one that is under way if nobody is missing.
    pub(super) fn prepare_rebalance_or_complete_join(&mut self) {
        if self.group.can_rebalance() {
            self.prepare_rebalance();
        } else {
            self.complete_join_if_all_joined();
        }
    }

    /// Completes the join phase if nobody is missing, except in an initial rebalance, which waits for its delay.
    pub(super) fn complete_join_if_all_joined(&mut self) {
        let preparing = self.group.state == State::PreparingRebalance;
        if preparing && self.group.initial_join.is_none() && self.group.all_members_joined() {
            self.complete_join();
        }
    }

    pub(super) fn prepare_rebalance(&mut self) {
        if self.group.state == State::CompletingRebalance {
            self.reset_assignment(GroupError::RebalanceInProgress);
        }
        self.group.pending_syncs.clear();
        self.cancel(Timer::Sync);
        let initial = self.group.state == State::Empty;
        self.transition(State::PreparingRebalance);
        if initial {
            self.start_initial_join();
        } else if self.group.all_members_joined() {
            self.complete_join();
        } else {
            self.arm(Timer::Join, self.group.rebalance_timeout_ms());
        }
    }

    /// The group was empty: gives more members time to come, unless the delay is 0.
    fn start_initial_join(&mut self) {
        let delay_ms = self.config.initial_rebalance_delay_ms;
        if delay_ms <= 0 {
            return self.complete_join();
        }
        let remaining_ms = self.group.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
        self.group.initial_join = Some(InitialJoin {
            member_added: false,
            delay_ms,
            remaining_ms,
        });
        self.arm(Timer::Join, delay_ms);
    }

    /// The delay of an initial rebalance is over: once more if somebody came meanwhile, and on otherwise.
    pub(super) fn prolong_initial_join(&mut self, initial: InitialJoin) {
        if !initial.member_added || initial.remaining_ms == 0 {
            return self.complete_join();
        }
        let delay_ms = self.config.initial_rebalance_delay_ms.min(initial.remaining_ms);
        let remaining_ms = initial.remaining_ms.saturating_sub(initial.delay_ms).max(0);
        self.group.initial_join = Some(InitialJoin {
            member_added: false,
            delay_ms,
            remaining_ms,
        });
        self.arm(Timer::Join, delay_ms);
    }

    /// Ends the join phase: who has not joined is out, unless static; the rest is the next generation.
    pub(super) fn complete_join(&mut self) {
        self.cancel(Timer::Join);
        self.group.initial_join = None;
        let missing = self
            .group
            .members
            .values()
            .filter(|member| !member.awaiting_join && member.instance_id.is_none());
        for member_id in missing.map(|member| member.id.clone()).collect::<Vec<_>>() {
            self.remove_member(&member_id);
            self.cancel(Timer::Session(member_id));
        }
        if !self.elect_joined_leader() && !self.group.members.is_empty() {
            // Only static members are left, and none of them has joined: wait until one does, or all have expired.
            self.arm(Timer::Join, self.group.rebalance_timeout_ms());
            return;
        }
        self.start_generation();
        if self.group.state == State::CompletingRebalance {
            self.tell_generation();
        }
    }

    /// Makes sure that the leader is a member that has joined. Whether there is one.
    fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.group.leader.as_ref().and_then(|id| self.group.members.get(id)) else {
            return false;
        };
        if leader.awaiting_join {
            return true;
        }
        match self.group.members.values().find(|member| member.awaiting_join) {
            Some(joined) => self.group.leader = Some(joined.id.clone()),
            None => return false,
        }
        true
    }

    fn start_generation(&mut self) {
        self.group.generation = self.group.generation.checked_add(1).unwrap_or(0);
        self.group.pending_syncs.clear();
        self.group.protocol_name = self.group.select_protocol();
        self.group.subscribed_topics = self.group.compute_subscribed_topics();
        if self.group.members.is_empty() {
            self.transition(State::Empty);
            self.set_durable();
        } else {
            self.transition(State::CompletingRebalance);
        }
    }

    /// Answers every parked JoinGroup with the new generation, and expects everybody's SyncGroup.
    fn tell_generation(&mut self) {
        for member_id in self.group.members.keys().cloned().collect::<Vec<_>>() {
            let is_leader = self.group.is_leader(&member_id);
            let response = current_generation(&self.group, &member_id, is_leader);
            self.answer_join(&member_id, || response);
            self.renew_session(&member_id);
            if let Some(member) = self.member_mut(&member_id) {
                member.is_new = false;
            }
            self.group.pending_syncs.insert(member_id);
        }
        self.arm(Timer::Sync, self.group.rebalance_timeout_ms());
    }

    /// Takes all assignments back and answers every parked SyncGroup with an error.
    fn reset_assignment(&mut self, error: GroupError) {
        for member_id in self.group.members.keys().cloned().collect::<Vec<_>>() {
            if let Some(member) = self.member_mut(&member_id) {
                member.assignment = Bytes::new();
            }
            if self.answer_sync(&member_id, || {
                SyncGroupResponse::default().with_error_code(error.code())
            }) {
                self.renew_session(&member_id);
            }
        }
    }

    /// Hands out the leader's assignment: the group is stable, and this is what a restart will find.
    pub(super) fn assign(&mut self, mut assignment_of: impl FnMut(&StrBytes) -> Bytes) {
        for member_id in self.group.members.keys().cloned().collect::<Vec<_>>() {
            let assignment = assignment_of(&member_id);
            if let Some(member) = self.member_mut(&member_id) {
                member.assignment = assignment.clone();
            }
            let (protocol_type, protocol_name) = (self.group.protocol_type.clone(), self.group.protocol_name.clone());
            let response = || {
                SyncGroupResponse::default()
                    .with_protocol_type(protocol_type)
                    .with_protocol_name(protocol_name)
                    .with_assignment(assignment)
            };
            if self.answer_sync(&member_id, response) {
                self.renew_session(&member_id);
            }
        }
        self.transition(State::Stable);
        self.set_durable();
    }
}

/// The answer to a JoinGroup of a member of the current generation.
pub(super) fn current_generation(group: &ClassicGroup, member_id: &StrBytes, with_members: bool) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_member_id(member_id.clone())
        .with_generation_id(group.generation)
        .with_protocol_type(group.protocol_type.clone())
        .with_protocol_name(group.protocol_name.clone())
        .with_leader(group.leader.clone().unwrap_or_default())
        .with_members(if with_members {
            group.members_for_leader()
        } else {
            Vec::new()
        })
}

/// The answer to a JoinGroup that is refused. It names no protocol, which versions before 7 see as an empty name.
pub(crate) fn refusal(member_id: StrBytes, error: GroupError) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_member_id(member_id)
        .with_protocol_name(None)
        .with_error_code(error.code())
}
