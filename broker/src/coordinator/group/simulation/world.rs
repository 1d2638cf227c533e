//! What `runtime` does, without threads, sockets or time: carries out decisions on one group and checks after each that
//! the state makes sense. A crash can be set between any two steps of a change.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::published::Published;
use crate::coordinator::group::classic::{self, JoinCommand, State};
use crate::coordinator::group::consumer::{TopicMetadata, TopicsView};
use crate::coordinator::group::{
    self, Answer, Caller, Effect, Group, GroupConfig, Outcome, Record, Timer, consumer, offsets,
};
use crate::metadata::groups::GroupStore;
use crate::metadata::store::Store;

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn group_id() -> GroupId {
    GroupId(text("group"))
}

/// Where the next durable change is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPoint {
    /// Written, and lost with the store's memory.
    Lost,
    /// Written and safe, but not told.
    Untold,
}

/// Topics by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics(pub(super) BTreeMap<String, TopicMetadata>);

impl TopicsView for Topics {
    fn version(&self) -> u64 {
        1 + self
            .0
            .values()
            .map(|topic| topic.partitions as u64 * 1_000 + 1)
            .sum::<u64>()
    }
    fn find(&self, name: &str) -> Option<TopicMetadata> {
        self.0.get(name).copied()
    }
    fn name_of(&self, id: Uuid) -> Option<StrBytes> {
        self.0
            .iter()
            .find(|(_, topic)| topic.id == id)
            .map(|(name, _)| text(name))
    }
    fn names(&self) -> Vec<StrBytes> {
        self.0.keys().map(|name| text(name)).collect()
    }
}

/// Who waits for an answer: the caller's number for the request.
pub(super) type Ticket = u64;

/// An answer to a parked request.
#[derive(Debug)]
pub(super) enum Delivery {
    Join(Ticket, JoinGroupResponse),
    Sync(Ticket, SyncGroupResponse),
}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Sent<R> {
    Answered(R),
    Parked(Ticket),
    /// The broker went down before it answered.
    Crashed,
}

pub(super) struct World {
    pub(super) group: Group,
    pub(super) config: GroupConfig,
    /// The topics that there are.
    pub(super) topics: Topics,
    pub(super) now_ms: i64,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) crash_at: Option<CrashPoint>,
    pub(super) crashes: u32,
    store: Store,
    groups: GroupStore,
    /// The fold of everything durable that is safe.
    durable: Group,
    published: Published,
    timers: BTreeMap<Timer, i64>,
    joins: BTreeMap<StrBytes, Ticket>,
    syncs: BTreeMap<StrBytes, Ticket>,
    requests: u64,
}

impl World {
    pub(super) fn new(config: GroupConfig) -> World {
        let store = Store::in_memory();
        World {
            groups: GroupStore::open(&store).unwrap(),
            store,
            group: Group::default(),
            config,
            topics: Topics::default(),
            now_ms: 1_000_000,
            deliveries: Vec::new(),
            crash_at: None,
            crashes: 0,
            durable: Group::default(),
            published: Published::default(),
            timers: BTreeMap::new(),
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            requests: 0,
        }
    }

    fn caller(api_version: i16) -> Caller {
        Caller {
            client_id: text("client"),
            client_host: text("/127.0.0.1"),
            api_version,
        }
    }

    pub(super) fn join(&mut self, api_version: i16, request: JoinGroupRequest) -> Sent<JoinGroupResponse> {
        let topics = self.topics.clone();
        self.requests += 1;
        let command = JoinCommand {
            caller: Self::caller(api_version),
            request,
            nonce: uuid::Uuid::from_u128(u128::from(self.requests)),
        };
        let ticket = self.requests;
        let sent = self.run(
            |group, config, now_ms| classic::join(group, config, now_ms, &command, &topics),
            |world, answer| world.park(answer, ticket, |world| &mut world.joins),
        );
        flatten(sent)
    }

    pub(super) fn sync(&mut self, request: SyncGroupRequest) -> Sent<SyncGroupResponse> {
        let topics = self.topics.clone();
        self.requests += 1;
        let ticket = self.requests;
        let sent = self.run(
            |group, config, now_ms| classic::sync(group, config, now_ms, &request, &topics),
            |world, answer| world.park(answer, ticket, |world| &mut world.syncs),
        );
        flatten(sent)
    }

    fn park<R>(
        &mut self,
        answer: Answer<R>,
        ticket: Ticket,
        places: impl Fn(&mut World) -> &mut BTreeMap<StrBytes, Ticket>,
    ) -> Sent<R> {
        match answer {
            Answer::Now(response) => Sent::Answered(response),
            Answer::Parked(member_id) => {
                places(self).insert(member_id, ticket);
                Sent::Parked(ticket)
            }
        }
    }

    pub(super) fn heartbeat(&mut self, request: &HeartbeatRequest) -> Sent<i16> {
        self.run(
            |group, _, _| classic::heartbeat(group, request),
            |_, response| response.error_code,
        )
    }

    pub(super) fn leave(&mut self, request: &LeaveGroupRequest) -> Sent<Vec<i16>> {
        let codes = |_: &mut World, response: kafka_protocol::messages::LeaveGroupResponse| match response.error_code {
            0 => response.members.iter().map(|member| member.error_code).collect(),
            error => vec![error],
        };
        let topics = self.topics.clone();
        self.run(
            |group, config, now_ms| classic::leave(group, config, now_ms, request, &topics),
            codes,
        )
    }

    pub(super) fn consumer_heartbeat(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
    ) -> Sent<ConsumerGroupHeartbeatResponse> {
        self.requests += 1;
        let topics = self.topics.clone();
        let nonce = uuid::Uuid::from_u128(u128::from(self.requests));
        let command = consumer::HeartbeatCommand {
            caller: Self::caller(1),
            request,
            nonce,
        };
        self.run(
            |group, config, now_ms| consumer::heartbeat(group, config, now_ms, &command, &topics),
            |_, response| response,
        )
    }

    /// The first partition's error code.
    pub(super) fn commit(&mut self, api_version: i16, request: &OffsetCommitRequest) -> Sent<i16> {
        self.run(
            |group, config, now_ms| offsets::commit(group, config, now_ms, api_version, request),
            |_, response| response.topics[0].partitions[0].error_code,
        )
    }

    pub(super) fn delete(&mut self) -> Sent<bool> {
        self.run(|group, _, _| group::delete(group), |_, result| result.is_ok())
    }

    pub(super) fn expire_offsets(&mut self) {
        self.run(offsets::expire, |_, ()| ());
    }

    /// Moves time on, timer by timer.
    pub(super) fn advance(&mut self, by_ms: i64) {
        let until_ms = self.now_ms + by_ms;
        while let Some((timer, deadline_ms)) = self
            .timers
            .iter()
            .min_by_key(|(_, deadline_ms)| **deadline_ms)
            .map(|(timer, at)| (timer.clone(), *at))
        {
            if deadline_ms > until_ms {
                break;
            }
            self.now_ms = self.now_ms.max(deadline_ms);
            self.timers.remove(&timer);
            let topics = self.topics.clone();
            self.run(
                |group, config, now_ms| classic::expire(group, config, now_ms, &timer, &topics),
                |_, ()| (),
            );
        }
        self.now_ms = until_ms;
    }

    /// The broker dies and comes back: what is not in the store is gone.
    pub(super) fn crash(&mut self) {
        self.store.crash(0);
        self.crashes += 1;
        self.crash_at = None;
        self.joins.clear();
        self.syncs.clear();
        self.timers.clear();
        self.deliveries.clear();
        let mut groups = self.groups.load().unwrap();
        self.group = groups.remove(&group_id().0).unwrap_or_default();
        assert_eq!(
            self.group,
            settled(&self.durable),
            "a restart finds exactly what was acknowledged"
        );
        self.published.repair(&self.durable);
        self.run(classic::recover, |_, ()| ());
    }

    fn run<R, S>(
        &mut self,
        decide: impl Fn(&Group, &GroupConfig, i64) -> Outcome<R>,
        reply: impl FnOnce(&mut World, R) -> S,
    ) -> Sent<S> {
        let outcome = decide(&self.group, &self.config, self.now_ms);
        let again = decide(&self.group, &self.config, self.now_ms);
        assert_eq!(
            (&outcome.records, &outcome.effects),
            (&again.records, &again.effects),
            "the same outcome twice"
        );

        self.published.append(&self.group, &outcome.records);
        let wrote = self.groups.write(&group_id(), &self.group, &outcome.records).unwrap();
        let crash = self.crash_at.take_if(|_| wrote);
        if crash == Some(CrashPoint::Lost) {
            self.crash();
            return Sent::Crashed;
        }
        for record in &outcome.records {
            group::apply(&mut self.group, record);
        }
        if wrote {
            self.store.flush_blocking().unwrap();
            for record in outcome.records.iter().filter(|record| record.is_durable()) {
                self.apply_durable(record);
            }
        }
        self.published.check(&self.durable);
        if crash == Some(CrashPoint::Untold) {
            self.crash();
            return Sent::Crashed;
        }
        let answered = reply(self, outcome.reply);
        for effect in outcome.effects {
            self.carry_out(effect);
        }
        self.check();
        Sent::Answered(answered)
    }

    fn apply_durable(&mut self, record: &Record) {
        group::apply(&mut self.durable, record);
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::AnswerJoin { member_id, response } => {
                let ticket = self.joins.remove(&member_id).expect("somebody waits for this answer");
                self.deliveries.push(Delivery::Join(ticket, *response));
            }
            Effect::AnswerSync { member_id, response } => {
                let ticket = self.syncs.remove(&member_id).expect("somebody waits for this answer");
                self.deliveries.push(Delivery::Sync(ticket, *response));
            }
            Effect::Arm { timer, after_ms } => {
                self.timers.insert(timer, self.now_ms + i64::from(after_ms));
            }
            Effect::ArmIfAbsent { timer, after_ms } => {
                let at_ms = self.now_ms + i64::from(after_ms);
                self.timers.entry(timer).or_insert(at_ms);
            }
            Effect::Cancel(timer) => {
                self.timers.remove(&timer);
            }
        }
    }

    /// Nobody waits in vain, nobody is forgotten, and the state is one that the protocol knows.
    fn check(&self) {
        assert!(self.group.membership.is_none() || self.group.consumer.is_none());
        let Some(group) = &self.group.membership else {
            assert!(self.joins.is_empty() && self.syncs.is_empty());
            let consumer = self.group.consumer.clone().unwrap_or_default();
            assert!(self.group.consumer.is_some() || self.group.offsets.is_empty());
            for member in consumer.members.values() {
                assert!(
                    self.timers.contains_key(&Timer::Session(member.id.clone())),
                    "{member:?} can be lost for ever"
                );
                let revokes = member.state == consumer::MemberState::UnrevokedPartitions && member.classic.is_none();
                assert!(!revokes || self.timers.contains_key(&Timer::Revocation(member.id.clone())));
            }
            return;
        };
        let waiting = |wait: fn(&classic::Member) -> bool| {
            group
                .members
                .values()
                .filter(|member| wait(member))
                .map(|member| member.id.clone())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            waiting(|member| member.awaiting_join),
            self.joins.keys().cloned().collect()
        );
        assert_eq!(
            waiting(|member| member.awaiting_sync),
            self.syncs.keys().cloned().collect()
        );
        for member in group.members.values() {
            assert!(!member.awaiting_join || group.state == State::PreparingRebalance);
            assert!(!member.awaiting_sync || group.state == State::CompletingRebalance);
            let watched = self.timers.contains_key(&Timer::Session(member.id.clone()));
            assert!(
                watched || ((member.awaiting_join || member.awaiting_sync) && !member.is_new),
                "{member:?} can be lost for ever"
            );
            if let Some(instance_id) = &member.instance_id {
                assert_eq!(group.static_members.get(instance_id), Some(&member.id));
            }
        }
        assert_eq!(
            group.static_members.len(),
            group
                .members
                .values()
                .filter(|member| member.instance_id.is_some())
                .count()
        );
        assert!(
            group
                .pending_joins
                .iter()
                .all(|id| !group.members.contains_key(id) && self.timers.contains_key(&Timer::Session(id.clone())))
        );
        assert!(group.pending_syncs.iter().all(|id| group.members.contains_key(id)));
        assert_eq!(
            group
                .leader
                .as_ref()
                .is_some_and(|leader| group.members.contains_key(leader)),
            !group.members.is_empty()
        );
        match group.state {
            State::Empty => assert!(group.members.is_empty()),
            State::PreparingRebalance => assert!(self.timers.contains_key(&Timer::Join)),
            State::CompletingRebalance => assert!(self.timers.contains_key(&Timer::Sync) && !group.members.is_empty()),
            State::Stable => {
                assert!(!group.members.is_empty());
                assert!(group.pending_syncs.is_empty() || self.timers.contains_key(&Timer::Sync));
            }
        }
    }
}

fn settled(group: &Group) -> Group {
    Group {
        membership: group.membership.as_ref().map(group::ClassicGroup::settled),
        consumer: group.consumer.clone().map(|consumer| group::ConsumerGroup {
            topics_version: 0,
            ..consumer
        }),
        pending: group.pending.clone(),
        offsets: group.offsets.clone(),
    }
}

fn flatten<R>(sent: Sent<Sent<R>>) -> Sent<R> {
    match sent {
        Sent::Answered(sent) => sent,
        Sent::Parked(ticket) => Sent::Parked(ticket),
        Sent::Crashed => Sent::Crashed,
    }
}
