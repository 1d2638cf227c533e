//! Consumer groups (KIP-848) under a simulated clock: members that heartbeat, lag, die, come back and change their minds,
//! while topics come and grow and the broker crashes. A partition never has two owners, and the group comes to rest.

use std::collections::{BTreeSet, HashMap};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::world::{CrashPoint, Sent, World, group_id, text};
use crate::coordinator::group::GroupConfig;
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::consumer::{self, LEAVE_STATIC_EPOCH, TopicMetadata};

/// A consumer: what it thinks, and whether it still gives up what it was told to give up.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) running: bool,
    pub(super) epoch: i32,
    pub(super) subscription: (Vec<&'static str>, Option<&'static str>),
    /// The subscription that was acknowledged last.
    said: (Vec<&'static str>, Option<&'static str>),
    assignor: Option<&'static str>,
    pub(super) owned: Assignment,
    /// It has been told to give partitions up, and has not said yet that it did.
    to_say: bool,
    /// An answer was lost, so the next request says everything again.
    full: bool,
}

impl Consumer {
    pub(super) fn new(number: usize, instance_id: Option<&str>) -> Consumer {
        Consumer {
            id: text(&format!("m-{number}")),
            instance_id: instance_id.map(text),
            running: false,
            epoch: 0,
            subscription: (vec!["a"], None),
            said: (Vec::new(), None),
            assignor: None,
            owned: Assignment::new(),
            to_say: false,
            full: false,
        }
    }

    pub(super) fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_id())
            .with_member_id(self.id.clone())
            .with_instance_id(self.instance_id.clone())
            .with_member_epoch(self.epoch);
        let owned = |(id, partitions): (&Uuid, &BTreeSet<i32>)| {
            TopicPartitions::default()
                .with_topic_id(*id)
                .with_partitions(partitions.iter().copied().collect())
        };
        let request = if self.epoch == 0 || self.to_say || self.full {
            request.with_topic_partitions(Some(self.owned.iter().map(owned).collect()))
        } else {
            request
        };
        let request = request.with_server_assignor(self.assignor.map(text));
        let request = if self.epoch == 0 || self.full || self.said != self.subscription {
            let names = self.subscription.0.iter().map(|name| TopicName(text(name))).collect();
            let expression = text(self.subscription.1.unwrap_or(""));
            request
                .with_subscribed_topic_names(Some(names))
                .with_subscribed_topic_regex(Some(expression))
        } else {
            request
        };
        if self.epoch == 0 || self.full {
            request.with_rebalance_timeout_ms(20_000)
        } else {
            request
        }
    }

    pub(super) fn step(&mut self, world: &mut World) {
        if !self.running {
            return;
        }
        match world.consumer_heartbeat(self.request()) {
            Sent::Answered(response) => self.answered(&response),
            Sent::Parked(_) | Sent::Crashed => self.full = true,
        }
    }

    pub(super) fn answered(&mut self, response: &ConsumerGroupHeartbeatResponse) {
        if response.error_code == ResponseError::UnreleasedInstanceId.code() {
            return;
        }
        if response.error_code == ResponseError::FencedInstanceId.code() {
            self.stop();
            return;
        }
        if response.error_code != 0 {
            assert!(
                !response.error_message.as_deref().unwrap_or("").is_empty(),
                "{response:?}"
            );
            self.epoch = 0;
            self.owned.clear();
            return;
        }
        self.epoch = response.member_epoch;
        self.said = self.subscription.clone();
        self.to_say = false;
        self.full = false;
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            self.owned = topics
                .map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()))
                .collect();
            self.to_say = true;
        }
    }

    pub(super) fn stop(&mut self) {
        self.running = false;
        self.epoch = 0;
        self.owned.clear();
        self.to_say = false;
    }
}

#[derive(Clone, Debug)]
enum Action {
    Start(usize),
    Step(usize),
    StepAll,
    /// Stops without a word.
    Die(usize),
    /// Leaves; a static member for a while only.
    Leave(usize),
    Subscribe(usize, usize),
    Advance(i64),
    Grow,
    Crash,
    CrashIn(CrashPoint),
}

const CONSUMERS: usize = 5;
const SUBSCRIPTIONS: [(&[&str], Option<&str>); 4] = [
    (&["a"], None),
    (&["a", "b"], None),
    (&[], Some("[ab]")),
    (&["b"], Some("c.*")),
];

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let who = 0..CONSUMERS;
    let action = prop_oneof![
        4 => who.clone().prop_map(Action::Start),
        6 => who.clone().prop_map(Action::Step),
        8 => Just(Action::StepAll),
        1 => who.clone().prop_map(Action::Die),
        2 => who.clone().prop_map(Action::Leave),
        2 => (who, 0..SUBSCRIPTIONS.len()).prop_map(|(who, what)| Action::Subscribe(who, what)),
        3 => (1_i64..30_000).prop_map(Action::Advance),
        1 => Just(Action::Grow),
        1 => Just(Action::Crash),
        1 => prop_oneof![Just(CrashPoint::Lost), Just(CrashPoint::Untold)].prop_map(Action::CrashIn),
    ];
    proptest::collection::vec(action, 0..80)
}

struct Cast {
    world: World,
    consumers: Vec<Consumer>,
}

impl Cast {
    fn new() -> Cast {
        let mut consumers: Vec<Consumer> = (0..CONSUMERS).map(|number| Consumer::new(number, None)).collect();
        consumers[3] = Consumer::new(3, Some("i-1"));
        consumers[4] = Consumer::new(4, Some("i-1"));
        consumers[1].assignor = Some("range");
        let topic = |number: u128, partitions| TopicMetadata {
            id: Uuid::from_u128(number),
            partitions,
        };
        let topics = [("a".to_owned(), topic(1, 3)), ("b".to_owned(), topic(2, 2))];
        let mut world = World::new(GroupConfig::default());
        world.topics.0 = topics.into();
        Cast { world, consumers }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Start(who) => self.consumers[*who].running = true,
            Action::Step(who) => self.step(*who),
            Action::StepAll => (0..CONSUMERS).for_each(|who| self.step(who)),
            Action::Die(who) => self.consumers[*who].stop(),
            Action::Leave(who) => self.leave(*who),
            Action::Subscribe(who, what) => {
                let (names, expression) = SUBSCRIPTIONS[*what];
                self.consumers[*who].subscription = (names.to_vec(), expression);
            }
            Action::Advance(by_ms) => self.world.advance(*by_ms),
            Action::Grow => {
                let next = self.world.topics.0.len() as u128 + 1;
                self.world
                    .topics
                    .0
                    .entry("c".to_owned())
                    .or_insert(TopicMetadata {
                        id: Uuid::from_u128(next),
                        partitions: 0,
                    })
                    .partitions += 1;
            }
            Action::Crash => self.world.crash(),
            Action::CrashIn(point) => self.world.crash_at = Some(*point),
        }
    }

    fn step(&mut self, who: usize) {
        self.consumers[who].step(&mut self.world);
        self.check();
    }

    fn leave(&mut self, who: usize) {
        let consumer = &self.consumers[who];
        let epoch = if consumer.instance_id.is_some() {
            LEAVE_STATIC_EPOCH
        } else {
            -1
        };
        let request = consumer.request().with_member_epoch(epoch);
        self.world.consumer_heartbeat(request);
        self.consumers[who].stop();
    }

    /// No two members of the group hold the same partition, neither by the group's account nor, among those that the group
    /// knows under the same epoch, by their own.
    fn check(&self) {
        let Some(group) = &self.world.group.consumer else {
            return;
        };
        let mut held: HashMap<(Uuid, i32), &StrBytes> = HashMap::new();
        for member in group.members.values() {
            for (topic, partitions) in member.assigned.iter().chain(&member.revoking) {
                for partition in partitions {
                    let other = held.insert((*topic, *partition), &member.id);
                    assert!(
                        other.is_none(),
                        "{partition} of {topic} belongs to {} and {other:?}",
                        member.id
                    );
                }
            }
        }
        let mut owned: HashMap<(Uuid, i32), &StrBytes> = HashMap::new();
        for consumer in self.consumers.iter().filter(|consumer| {
            group
                .members
                .get(&consumer.id)
                .is_some_and(|member| member.epoch == consumer.epoch)
        }) {
            for (topic, partitions) in &consumer.owned {
                for partition in partitions {
                    assert!(
                        owned.insert((*topic, *partition), &consumer.id).is_none(),
                        "two owners of {partition}"
                    );
                }
            }
        }
    }

    fn calm_down(&mut self) {
        self.world.crash_at = None;
        for _ in 0..30 {
            for who in 0..CONSUMERS {
                self.step(who);
            }
            self.world.advance(5_000);
        }
    }

    fn check_calm(&self) {
        let running: Vec<&Consumer> = self
            .consumers
            .iter()
            .filter(|consumer| consumer.running && consumer.epoch > 0)
            .collect();
        let Some(group) = &self.world.group.consumer else {
            assert!(running.is_empty());
            return;
        };
        assert_eq!(group.state_name(), if running.is_empty() { "Empty" } else { "Stable" });
        assert_eq!(group.members.len(), running.len());
        let mut owned: BTreeSet<(Uuid, i32)> = BTreeSet::new();
        for consumer in &running {
            assert_eq!(group.members[&consumer.id].assigned, consumer.owned);
            assert_eq!(consumer.epoch, group.epoch);
            owned.extend(
                consumer
                    .owned
                    .iter()
                    .flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition))),
            );
        }
        let wanted = |name: &String| {
            running.iter().any(|consumer| {
                let expression = consumer
                    .subscription
                    .1
                    .map(|expression| regex::Regex::new(&format!("^({expression})$")).unwrap());
                consumer.subscription.0.contains(&name.as_str())
                    || expression.is_some_and(|expression| expression.is_match(name))
            })
        };
        let topics = self.world.topics.0.iter().filter(|(name, _)| wanted(name));
        let all: BTreeSet<(Uuid, i32)> = topics
            .flat_map(|(_, topic)| (0..topic.partitions).map(|partition| (topic.id, partition)))
            .collect();
        assert_eq!(owned, all, "each wanted partition has its owner");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, ..ProptestConfig::default() })]

    #[test]
    fn a_consumer_group_survives_its_members_and_its_broker(actions in actions()) {
        let mut cast = Cast::new();
        for action in &actions {
            cast.act(action);
        }
        cast.calm_down();
        cast.check_calm();
    }
}

fn joined(cast: &mut Cast, who: usize) {
    cast.consumers[who].running = true;
    cast.step(who);
}

#[test]
fn partitions_move_only_after_they_were_given_up() {
    let mut cast = Cast::new();
    joined(&mut cast, 0);
    assert_eq!(
        (
            cast.consumers[0].epoch,
            cast.consumers[0].owned[&Uuid::from_u128(1)].len()
        ),
        (1, 3)
    );
    joined(&mut cast, 2);
    // The newcomer is in the group, and what it is meant to have is still held.
    assert_eq!((cast.consumers[2].epoch, cast.consumers[2].owned.len()), (2, 0));
    cast.step(0);
    assert_eq!(
        (
            cast.consumers[0].epoch,
            cast.consumers[0].owned[&Uuid::from_u128(1)].len()
        ),
        (1, 2)
    );
    cast.step(2);
    assert!(cast.consumers[2].owned.is_empty(), "not given up yet");
    cast.step(0);
    assert_eq!(cast.consumers[0].epoch, 2);
    cast.step(2);
    assert_eq!(cast.consumers[2].owned[&Uuid::from_u128(1)].len(), 1);
    assert_eq!(cast.world.group.consumer.as_ref().unwrap().state_name(), "Stable");
}

/// However a member goes, the step of the epoch for it counts for a topic that has grown, too: one step, not two.
#[test]
fn a_member_that_goes_after_a_topic_has_grown_costs_one_epoch() {
    for falls_silent in [false, true] {
        let mut cast = Cast::new();
        joined(&mut cast, 0);
        joined(&mut cast, 2);
        for _ in 0..3 {
            cast.step(0);
            cast.step(2);
        }
        let epoch = |cast: &Cast| cast.world.group.consumer.as_ref().unwrap().epoch;
        let before = epoch(&cast);
        let grow = |cast: &mut Cast| cast.world.topics.0.get_mut("a").unwrap().partitions = 7;
        if falls_silent {
            cast.consumers[2].stop();
            cast.world.advance(30_000);
            cast.step(0);
            grow(&mut cast);
            // Its session ends, and that of the other, which has been heard of since, does not.
            cast.world.advance(20_000);
        } else {
            grow(&mut cast);
            cast.leave(2);
        }
        assert_eq!(cast.world.group.consumer.as_ref().unwrap().members.len(), 1);
        assert_eq!(epoch(&cast), before + 1);
        cast.calm_down();
        cast.check_calm();
        assert_eq!(epoch(&cast), before + 1, "falls silent: {falls_silent}");
    }
}

#[test]
fn epochs_fence() {
    let mut cast = Cast::new();
    joined(&mut cast, 0);
    let mut error = |epoch: i32, id: &str| {
        let mut request = cast.consumers[0].request().with_member_epoch(epoch);
        request.member_id = text(id);
        match cast.world.consumer_heartbeat(request) {
            Sent::Answered(response) => response.error_code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error(7, "m-0"), ResponseError::FencedMemberEpoch.code());
    assert_eq!(error(1, "nobody"), ResponseError::UnknownMemberId.code());
    assert_eq!(error(-3, "m-0"), ResponseError::InvalidRequest.code());
    assert_eq!(error(1, "m-0"), 0);
    // A member that does not give up in time is out.
    joined(&mut cast, 2);
    cast.step(0);
    for _ in 0..4 {
        cast.world.advance(5_000);
        cast.consumers[0].to_say = false;
        cast.step(0);
        cast.step(2);
    }
    assert!(
        !cast
            .world
            .group
            .consumer
            .as_ref()
            .unwrap()
            .members
            .contains_key(&text("m-0"))
            || cast.consumers[0].epoch > 1
    );
}

#[test]
fn a_static_member_finds_its_partitions_again() {
    let mut cast = Cast::new();
    joined(&mut cast, 0);
    joined(&mut cast, 3);
    for _ in 0..3 {
        cast.step(0);
        cast.step(3);
    }
    let owned = cast.consumers[3].owned.clone();
    assert!(!owned.is_empty());
    joined(&mut cast, 4);
    assert_eq!(cast.consumers[4].epoch, 0, "the instance id is still in use");
    let epoch = cast.world.group.consumer.as_ref().unwrap().epoch;
    cast.leave(3);
    cast.step(4);
    assert_eq!(cast.consumers[4].owned, owned);
    assert_eq!(
        cast.world.group.consumer.as_ref().unwrap().epoch,
        epoch,
        "without a rebalance"
    );
}

#[test]
fn bad_requests_are_named() {
    let mut cast = Cast::new();
    let base = cast.consumers[0].request().with_rebalance_timeout_ms(1);
    let cases = [
        (
            base.clone().with_member_id(StrBytes::default()),
            ResponseError::InvalidRequest,
            "MemberId can't be empty.",
        ),
        (
            base.clone().with_rebalance_timeout_ms(-1),
            ResponseError::InvalidRequest,
            "RebalanceTimeoutMs must be provided in first request.",
        ),
        (
            base.clone().with_topic_partitions(None),
            ResponseError::InvalidRequest,
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            base.clone().with_server_assignor(Some(text("x"))),
            ResponseError::UnsupportedAssignor,
            "ServerAssignor x is not supported. Supported assignors: uniform, range.",
        ),
    ];
    for (request, error, message) in cases {
        let Sent::Answered(response) = cast.world.consumer_heartbeat(request) else {
            panic!("answered")
        };
        assert_eq!(
            (response.error_code, response.error_message),
            (error.code(), Some(text(message)))
        );
    }
    let Sent::Answered(response) = cast
        .world
        .consumer_heartbeat(base.clone().with_subscribed_topic_regex(Some(text("(a"))))
    else {
        panic!("answered")
    };
    assert_eq!(response.error_code, ResponseError::InvalidRegularExpression.code());
    let Sent::Answered(response) = cast.world.consumer_heartbeat(base.with_member_epoch(4)) else {
        panic!("answered")
    };
    assert_eq!(response.error_code, ResponseError::GroupIdNotFound.code());
    assert!(!cast.world.group.exists());
    let described = consumer::describe(&cast.world.group, &group_id(), &cast.world.topics);
    assert_eq!(described.error_code, ResponseError::GroupIdNotFound.code());
}
