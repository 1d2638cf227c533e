//! Groups whose members follow both protocols, under a simulated clock: members of each kind join, lag, leave, die, come back
//! under the same instance ids, and the broker crashes. Whichever protocol the group follows meanwhile, a partition has one
//! owner per epoch, what was committed stays, and the group comes to rest with every partition read.

mod scenarios;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::client::{Phase, TOPIC, commit_request};
use super::consumers::Consumer;
use super::world::{CrashPoint, Delivery, Sent, World, group_id, text};
use crate::coordinator::group::classic::State;
use crate::coordinator::group::consumer::{LEAVE_STATIC_EPOCH, TopicMetadata};
use crate::coordinator::group::{GroupConfig, MigrationPolicy, embedded};

/// Partitions of the topic that everybody reads.
const PARTITIONS: i32 = 7;
/// Members of each kind.
const EACH: usize = 5;

/// A consumer under the classic protocol.
#[derive(Clone, Debug)]
struct Classic {
    instance_id: Option<StrBytes>,
    /// Keeps what it owns while it joins, and gives up what it lost afterwards.
    cooperative: bool,
    api_version: i16,
    phase: Phase,
    member_id: StrBytes,
    generation: i32,
    owned: BTreeSet<i32>,
    /// It was just told what it owns.
    assigned: bool,
}

impl Classic {
    fn new(instance_id: Option<&str>, cooperative: bool, api_version: i16) -> Classic {
        Classic {
            instance_id: instance_id.map(text),
            cooperative,
            api_version,
            phase: Phase::Out,
            member_id: StrBytes::default(),
            generation: -1,
            owned: BTreeSet::new(),
            assigned: false,
        }
    }

    fn identity(&self) -> StrBytes {
        self.instance_id.clone().unwrap_or_else(|| self.member_id.clone())
    }

    fn subscription(&self) -> bytes::Bytes {
        let mut bytes = 1_i16.to_be_bytes().to_vec();
        bytes.extend(1_i32.to_be_bytes());
        bytes.extend((TOPIC.len() as i16).to_be_bytes());
        bytes.extend(TOPIC.as_bytes());
        bytes.extend((-1_i32).to_be_bytes());
        let owned = [(text(TOPIC), self.owned.iter().copied().collect())];
        // Topics and partitions are written as in an assignment, between its version and its user data.
        let assignment = embedded::encode_assignment(1, &owned);
        bytes.extend(&assignment[2..assignment.len() - 4]);
        bytes.into()
    }

    fn step(&mut self, world: &mut World) {
        match self.phase.clone() {
            Phase::Out | Phase::Joining(_) | Phase::Syncing(_) => {}
            Phase::Rejoin => self.join(world),
            Phase::Sync(assignments) => self.sync(world, assignments),
            Phase::Member => {
                let request = HeartbeatRequest::default()
                    .with_group_id(group_id())
                    .with_member_id(self.member_id.clone())
                    .with_group_instance_id(self.instance_id.clone())
                    .with_generation_id(self.generation);
                if let Sent::Answered(error) = world.heartbeat(&request) {
                    self.failed(error);
                }
            }
        }
    }

    fn join(&mut self, world: &mut World) {
        if !self.cooperative {
            self.owned.clear();
        }
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("any"))
            .with_metadata(self.subscription());
        let request = JoinGroupRequest::default()
            .with_group_id(group_id())
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(self.instance_id.clone())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(20_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        match world.join(self.api_version, request) {
            Sent::Answered(response) => self.joined(&response),
            Sent::Parked(ticket) => self.phase = Phase::Joining(ticket),
            Sent::Crashed => {}
        }
    }

    fn sync(&mut self, world: &mut World, assignments: Vec<(StrBytes, bytes::Bytes)>) {
        let assignment = |(member_id, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(member_id)
                .with_assignment(assignment)
        };
        let request = SyncGroupRequest::default()
            .with_group_id(group_id())
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(self.instance_id.clone())
            .with_generation_id(self.generation)
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("any")))
            .with_assignments(assignments.into_iter().map(assignment).collect());
        match world.sync(request) {
            Sent::Answered(response) => self.synced(&response),
            Sent::Parked(ticket) => self.phase = Phase::Syncing(ticket),
            Sent::Crashed => self.phase = Phase::Rejoin,
        }
    }

    fn joined(&mut self, response: &JoinGroupResponse) {
        if response.error_code == ResponseError::MemberIdRequired.code() {
            self.member_id = response.member_id.clone();
            self.phase = Phase::Rejoin;
            return;
        }
        if response.error_code != 0 {
            return self.failed(response.error_code);
        }
        self.member_id = response.member_id.clone();
        self.generation = response.generation_id;
        let leads = response.leader == response.member_id && !response.skip_assignment;
        self.phase = Phase::Sync(if leads { assignments(response) } else { Vec::new() });
    }

    fn synced(&mut self, response: &SyncGroupResponse) {
        if response.error_code != 0 {
            return self.failed(response.error_code);
        }
        let given = embedded::assignment(&response.assignment).unwrap();
        let given: BTreeSet<i32> = given.partitions.into_iter().flat_map(|(_, owned)| owned).collect();
        let lost = self.owned.difference(&given).count();
        self.owned = given;
        self.assigned = true;
        // What was given up can go to somebody else in the next generation.
        self.phase = if lost > 0 { Phase::Rejoin } else { Phase::Member };
    }

    fn failed(&mut self, error: i16) {
        if error == 0 {
            return;
        }
        if error == ResponseError::FencedInstanceId.code() {
            return self.stop();
        }
        if error != ResponseError::RebalanceInProgress.code() {
            // It has lost its place, and with it what it owned.
            self.owned.clear();
        }
        if error == ResponseError::UnknownMemberId.code() {
            self.member_id = StrBytes::default();
        }
        self.phase = Phase::Rejoin;
    }

    fn stop(&mut self) {
        self.phase = Phase::Out;
        self.owned.clear();
    }

    fn leave(&mut self, world: &mut World) {
        let member = MemberIdentity::default()
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(self.instance_id.clone());
        self.stop();
        let request = LeaveGroupRequest::default().with_group_id(group_id());
        world.leave(&request.with_members(vec![member]));
        self.member_id = StrBytes::default();
    }
}

/// What a leader assigns: equal parts; what another member says that it owns is withheld until it was given up.
fn assignments(response: &JoinGroupResponse) -> Vec<(StrBytes, bytes::Bytes)> {
    let mut owners: HashMap<i32, &StrBytes> = HashMap::new();
    for member in &response.members {
        let subscription = embedded::subscription(&member.metadata).unwrap();
        for partition in subscription.owned.into_iter().flat_map(|(_, owned)| owned) {
            owners.insert(partition, &member.member_id);
        }
    }
    let count = response.members.len() as i32;
    let part_of = |(index, member): (
        usize,
        &kafka_protocol::messages::join_group_response::JoinGroupResponseMember,
    )| {
        let own = (0..PARTITIONS).filter(|partition| partition % count == index as i32);
        let free = own.filter(|partition| owners.get(partition).is_none_or(|owner| **owner == member.member_id));
        let assigned = [(text(TOPIC), free.collect())];
        (member.member_id.clone(), embedded::encode_assignment(1, &assigned))
    };
    response.members.iter().enumerate().map(part_of).collect()
}

#[derive(Clone, Debug)]
enum Action {
    Start(usize),
    Step(usize),
    StepAll,
    /// Stops without a word.
    Die(usize),
    Leave(usize),
    Commit(usize),
    Advance(i64),
    Crash,
    CrashIn(CrashPoint),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let who = 0..2 * EACH;
    let action = prop_oneof![
        5 => who.clone().prop_map(Action::Start),
        8 => who.clone().prop_map(Action::Step),
        10 => Just(Action::StepAll),
        2 => who.clone().prop_map(Action::Die),
        3 => who.clone().prop_map(Action::Leave),
        4 => who.prop_map(Action::Commit),
        3 => (1_i64..15_000).prop_map(Action::Advance),
        1 => Just(Action::Crash),
        1 => prop_oneof![Just(CrashPoint::Lost), Just(CrashPoint::Untold)].prop_map(Action::CrashIn),
    ];
    proptest::collection::vec(action, 0..120)
}

fn config() -> impl Strategy<Value = GroupConfig> {
    let policy = prop_oneof![
        5 => Just(MigrationPolicy::Bidirectional),
        1 => Just(MigrationPolicy::Upgrade),
        1 => Just(MigrationPolicy::Downgrade),
        1 => Just(MigrationPolicy::Disabled),
    ];
    (policy, prop_oneof![Just(0), Just(3_000)]).prop_map(|(migration_policy, initial_rebalance_delay_ms)| GroupConfig {
        migration_policy,
        initial_rebalance_delay_ms,
        ..GroupConfig::default()
    })
}

struct Cast {
    world: World,
    consumers: Vec<Consumer>,
    classics: Vec<Classic>,
    /// Owner by epoch and partition; epochs start anew with the group, hence its incarnation.
    owners: HashMap<(u32, i32, i32), StrBytes>,
    incarnation: u32,
    acknowledged: BTreeMap<i32, i64>,
    next_offset: i64,
    crashes_seen: u32,
    upgrades: u32,
    downgrades: u32,
    was_classic: Option<bool>,
    last_epoch: i32,
}

impl Cast {
    fn new(config: GroupConfig, cooperative: bool) -> Cast {
        let consumer = |number: usize| {
            let mut consumer = Consumer::new(number, (number >= EACH - 2).then_some("i-1"));
            consumer.subscription = (vec![TOPIC], None);
            consumer
        };
        let classic = |number: usize| {
            let instance_id = match number {
                3 => Some("i-1"),
                4 => Some("i-2"),
                _ => None,
            };
            Classic::new(instance_id, cooperative, if number == 2 { 3 } else { 9 })
        };
        let mut world = World::new(config);
        let topic = TopicMetadata {
            id: Uuid::from_u128(1),
            partitions: PARTITIONS,
        };
        world.topics.0.insert(TOPIC.to_owned(), topic);
        Cast {
            world,
            consumers: (0..EACH).map(consumer).collect(),
            classics: (0..EACH).map(classic).collect(),
            owners: HashMap::new(),
            incarnation: 0,
            acknowledged: BTreeMap::new(),
            next_offset: 1,
            crashes_seen: 0,
            upgrades: 0,
            downgrades: 0,
            was_classic: None,
            last_epoch: 0,
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Start(who) => self.start(*who),
            Action::Step(who) => self.step(*who),
            Action::StepAll => (0..2 * EACH).for_each(|who| self.step(who)),
            Action::Die(who) if *who < EACH => self.consumers[*who].stop(),
            Action::Die(who) => self.classics[*who - EACH].stop(),
            Action::Leave(who) => self.leave(*who),
            Action::Commit(who) => self.commit(*who),
            Action::Advance(by_ms) => self.world.advance(*by_ms),
            Action::Crash => self.world.crash(),
            Action::CrashIn(point) => self.world.crash_at = Some(*point),
        }
        self.settle();
    }

    fn start(&mut self, who: usize) {
        if who < EACH {
            self.consumers[who].running = true;
        } else if self.classics[who - EACH].phase == Phase::Out {
            self.classics[who - EACH].phase = Phase::Rejoin;
        }
    }

    fn step(&mut self, who: usize) {
        if who < EACH {
            self.consumers[who].step(&mut self.world);
        } else {
            self.classics[who - EACH].step(&mut self.world);
        }
        self.settle();
    }

    fn leave(&mut self, who: usize) {
        if who >= EACH {
            return self.classics[who - EACH].leave(&mut self.world);
        }
        let consumer = &self.consumers[who];
        let epoch = match &consumer.instance_id {
            Some(_) => LEAVE_STATIC_EPOCH,
            None => -1,
        };
        let request = consumer.request().with_member_epoch(epoch);
        self.world.consumer_heartbeat(request);
        self.consumers[who].stop();
    }

    fn commit(&mut self, who: usize) {
        let (member_id, instance_id, epoch, partition) = if who < EACH {
            let consumer = &self.consumers[who];
            let owned = consumer.owned.values().flatten().next().copied();
            (consumer.id.clone(), None, consumer.epoch, owned)
        } else {
            let classic = &self.classics[who - EACH];
            let owned = classic.owned.first().copied();
            (
                classic.member_id.clone(),
                classic.instance_id.clone(),
                classic.generation,
                owned,
            )
        };
        let Some(partition) = partition else { return };
        let offset = self.next_offset;
        self.next_offset += 1;
        let mut request = commit_request(&member_id, epoch, partition, offset);
        request.group_instance_id = instance_id;
        if let Sent::Answered(0) = self.world.commit(9, &request) {
            self.acknowledged.insert(partition, offset);
        }
    }

    fn settle(&mut self) {
        if self.crashes_seen != self.world.crashes {
            self.crashes_seen = self.world.crashes;
            for classic in &mut self.classics {
                if matches!(classic.phase, Phase::Joining(_) | Phase::Syncing(_)) {
                    classic.phase = Phase::Rejoin;
                }
            }
        }
        for delivery in std::mem::take(&mut self.world.deliveries) {
            let classics = &mut self.classics;
            match delivery {
                Delivery::Join(ticket, response) => classics
                    .iter_mut()
                    .filter(|classic| classic.phase == Phase::Joining(ticket))
                    .for_each(|classic| classic.joined(&response)),
                Delivery::Sync(ticket, response) => classics
                    .iter_mut()
                    .filter(|classic| classic.phase == Phase::Syncing(ticket))
                    .for_each(|classic| classic.synced(&response)),
            }
        }
        self.note_protocol();
        self.note_incarnation();
        self.check_epochs();
        self.check_held();
        for (partition, offset) in &self.acknowledged {
            let committed = self.world.group.offsets.get(&text(TOPIC), *partition);
            let committed = committed.map_or(-1, |committed| committed.offset);
            assert!(
                committed >= *offset,
                "{offset} of {partition} was acknowledged, {committed} is there"
            );
        }
    }

    /// Counts how often the group changed over with members in it, so that a test can show that it does.
    fn note_protocol(&mut self) {
        let is_classic = match (&self.world.group.membership, &self.world.group.consumer) {
            (Some(classic), _) if classic.state != State::Empty => Some(true),
            (_, Some(consumer)) if !consumer.members.is_empty() => Some(false),
            _ => None,
        };
        match (self.was_classic, is_classic) {
            (Some(true), Some(false)) => self.upgrades += 1,
            (Some(false), Some(true)) => self.downgrades += 1,
            _ => {}
        }
        self.was_classic = is_classic;
    }

    /// A group without members that somebody of the other protocol joins begins anew, and so does one of which a crash has
    /// left nothing.
    fn note_incarnation(&mut self) {
        let group = &self.world.group;
        let epoch = match (&group.membership, &group.consumer) {
            (Some(classic), _) => classic.generation,
            (None, Some(consumer)) => consumer.epoch,
            (None, None) => 0,
        };
        self.incarnation += u32::from(epoch < self.last_epoch);
        self.last_epoch = epoch;
    }

    /// An assignment that a classic member is told gives a partition to nobody else than before in the same epoch.
    fn check_epochs(&mut self) {
        for classic in self.classics.iter_mut().filter(|classic| classic.assigned) {
            classic.assigned = false;
            for partition in &classic.owned {
                let key = (self.incarnation, classic.generation, *partition);
                let owner = self.owners.entry(key).or_insert_with(|| classic.identity());
                assert_eq!(
                    *owner,
                    classic.identity(),
                    "two owners of {partition} in {}",
                    classic.generation
                );
            }
        }
    }

    /// No two members of a consumer group hold a partition, neither by its account nor, among those that it knows under
    /// their epochs, by their own.
    fn check_held(&self) {
        let Some(group) = &self.world.group.consumer else {
            return;
        };
        let mut held = BTreeSet::new();
        for member in group.members.values() {
            for partitions in member.assigned.values().chain(member.revoking.values()) {
                for partition in partitions {
                    assert!(
                        held.insert(*partition),
                        "{partition} belongs to two, {} is one",
                        member.id
                    );
                }
            }
        }
        let knows = |id: &StrBytes, epoch: i32| group.members.get(id).is_some_and(|member| member.epoch == epoch);
        let consumers = self
            .consumers
            .iter()
            .filter(|consumer| knows(&consumer.id, consumer.epoch));
        let classics = self
            .classics
            .iter()
            .filter(|classic| classic.phase == Phase::Member && knows(&classic.member_id, classic.generation));
        let owned = consumers
            .flat_map(|consumer| consumer.owned.values().flatten())
            .chain(classics.flat_map(|classic| &classic.owned));
        let mut once = BTreeSet::new();
        for partition in owned {
            assert!(once.insert(*partition), "two owners of {partition}: {self:?}");
        }
    }

    /// No more noise: everybody who runs goes on for three minutes, a step every second.
    fn calm_down(&mut self) {
        self.world.crash_at = None;
        for _ in 0..180 {
            (0..2 * EACH).for_each(|who| self.step(who));
            self.world.advance(1_000);
            self.settle();
        }
    }

    fn check_calm(&self) {
        let group = &self.world.group;
        let consumers: Vec<&Consumer> = self.consumers.iter().filter(|consumer| consumer.epoch > 0).collect();
        let classics: Vec<&Classic> = self
            .classics
            .iter()
            .filter(|classic| classic.phase != Phase::Out)
            .collect();
        // Who waits for an instance id that another still has, or may not change a group over, is left out.
        let mut owned: Vec<i32> = Vec::new();
        owned.extend(consumers.iter().flat_map(|consumer| consumer.owned.values().flatten()));
        owned.extend(classics.iter().flat_map(|classic| &classic.owned));
        owned.sort_unstable();
        let anybody = !consumers.is_empty() || !classics.is_empty();
        if anybody {
            assert_eq!(
                owned,
                (0..PARTITIONS).collect::<Vec<_>>(),
                "each partition is read: {self:?}"
            );
        }
        assert!(
            classics.iter().all(|classic| classic.phase == Phase::Member),
            "{self:?}"
        );
        if let Some(consumer) = &group.consumer {
            assert_eq!(consumer.state_name(), if anybody { "Stable" } else { "Empty" });
            assert_eq!(consumer.members.len(), consumers.len() + classics.len());
            let alone = consumers.is_empty() && anybody;
            assert!(!alone || !self.world.config.migration_policy.downgrades());
        } else if let Some(classic) = &group.membership {
            assert_eq!(classic.state, if anybody { State::Stable } else { State::Empty });
            assert_eq!((classic.members.len(), consumers.len()), (classics.len(), 0));
            let waiting = self.consumers.iter().any(|consumer| consumer.running);
            assert!(!waiting || !self.world.config.migration_policy.upgrades());
        } else {
            assert!(!anybody);
        }
    }
}

impl std::fmt::Debug for Cast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:#?}\n{:?}\n{:?}", self.world.group, self.consumers, self.classics)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn a_mixed_group_survives_its_members_and_its_broker(
        config in config(),
        cooperative in any::<bool>(),
        actions in actions(),
    ) {
        let mut cast = Cast::new(config, cooperative);
        for action in &actions {
            cast.act(action);
        }
        cast.calm_down();
        cast.check_calm();
    }
}
