//! Whatever clients and broker do, and whenever they die: a partition has one owner per generation, nobody waits for
//! ever, a restart finds what was acknowledged, and the group comes to rest when the noise stops.

use std::collections::HashMap;

use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;

use super::client::{Client, PARTITIONS, Phase, TOPIC, commit_request};
use super::world::{CrashPoint, Delivery, Sent, World, text};
use crate::coordinator::group::GroupConfig;
use crate::coordinator::group::classic::State;

/// What can happen.
#[derive(Clone, Debug)]
enum Action {
    /// A client starts, or comes back with the member id that it had.
    Start(usize),
    /// A client does what is next.
    Step(usize),
    /// Everybody does what is next, so that there is something to disturb.
    StepAll,
    /// A client stops without a word.
    Die(usize),
    /// A client leaves the group.
    Leave(usize),
    /// A client commits one of its partitions.
    Commit(usize),
    /// A consumer outside the group commits.
    CommitOutside,
    /// An administrator deletes the group.
    Delete,
    /// Time passes.
    Advance(i64),
    /// The broker dies.
    Crash,
    /// The broker dies in the middle of its next durable change.
    CrashIn(CrashPoint),
}

const CLIENTS: usize = 6;

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let client = 0..CLIENTS;
    let action = prop_oneof![
        4 => client.clone().prop_map(Action::Start),
        8 => client.clone().prop_map(Action::Step),
        6 => Just(Action::StepAll),
        2 => client.clone().prop_map(Action::Die),
        2 => client.clone().prop_map(Action::Leave),
        4 => client.prop_map(Action::Commit),
        1 => Just(Action::CommitOutside),
        1 => Just(Action::Delete),
        4 => (1_i64..12_000).prop_map(Action::Advance),
        1 => Just(Action::Crash),
        1 => prop_oneof![Just(CrashPoint::Lost), Just(CrashPoint::Untold)].prop_map(Action::CrashIn),
    ];
    proptest::collection::vec(action, 0..80)
}

fn config() -> impl Strategy<Value = GroupConfig> {
    (
        prop_oneof![Just(0), Just(3_000)],
        prop_oneof![4 => Just(usize::MAX), 1 => Just(2)],
    )
        .prop_map(|(initial_rebalance_delay_ms, max_size)| GroupConfig {
            initial_rebalance_delay_ms,
            max_size,
            new_member_join_timeout_ms: 30_000,
            ..GroupConfig::default()
        })
}

struct Cast {
    world: World,
    clients: Vec<Client>,
    /// Owner by generation and partition. Generations start anew when the group is deleted, hence its incarnation.
    owners: HashMap<(u32, i32, u8), StrBytes>,
    incarnation: u32,
    acknowledged: HashMap<i32, i64>,
    crashes_seen: u32,
    next_offset: i64,
}

impl Cast {
    fn new(config: GroupConfig) -> Cast {
        let clients = vec![
            Client::new(None, 9),
            Client::new(None, 9),
            Client::new(None, 3),
            Client::new(Some("i-1"), 9),
            Client::new(Some("i-1"), 7),
            Client::new(Some("i-2"), 5),
        ];
        Cast {
            world: World::new(config),
            clients,
            owners: HashMap::new(),
            incarnation: 0,
            acknowledged: HashMap::new(),
            crashes_seen: 0,
            next_offset: 1,
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Start(index) => {
                if self.clients[*index].phase == Phase::Out {
                    self.clients[*index].phase = Phase::Rejoin;
                }
            }
            Action::Step(index) => self.clients[*index].step(&mut self.world),
            Action::StepAll => {
                for index in 0..CLIENTS {
                    self.clients[index].step(&mut self.world);
                    self.settle();
                }
            }
            Action::Die(index) => self.clients[*index].stop(),
            Action::Leave(index) => self.clients[*index].leave(&mut self.world),
            Action::Commit(index) => self.commit(*index),
            Action::CommitOutside => self.commit_as(&StrBytes::default(), -1, 0),
            Action::Delete => {
                if let Sent::Answered(true) = self.world.delete() {
                    self.forget();
                }
            }
            Action::Advance(by_ms) => self.world.advance(*by_ms),
            Action::Crash => self.world.crash(),
            Action::CrashIn(point) => self.world.crash_at = Some(*point),
        }
        self.settle();
    }

    fn forget(&mut self) {
        self.acknowledged.clear();
        self.incarnation += 1;
    }

    fn commit(&mut self, index: usize) {
        let client = self.clients[index].clone();
        if let Some(partition) = client.owned.first() {
            self.commit_as(&client.member_id, client.generation, i32::from(*partition));
        }
    }

    fn commit_as(&mut self, member_id: &StrBytes, generation: i32, partition: i32) {
        let offset = self.next_offset;
        self.next_offset += 1;
        let mut request = commit_request(member_id, generation, partition, offset);
        request.group_instance_id = self
            .clients
            .iter()
            .find(|client| client.member_id == *member_id)
            .and_then(|client| client.instance_id.clone());
        if generation < 0 {
            request.group_instance_id = None;
        }
        if let Sent::Answered(0) = self.world.commit(9, &request) {
            self.acknowledged.insert(partition, offset);
        }
    }

    /// Hands out what was answered, and checks.
    fn settle(&mut self) {
        if self.crashes_seen != self.world.crashes {
            self.crashes_seen = self.world.crashes;
            self.clients.iter_mut().for_each(Client::disconnected);
            if !self.world.group.exists() {
                self.forget();
            }
        }
        for delivery in std::mem::take(&mut self.world.deliveries) {
            match delivery {
                Delivery::Join(ticket, response) => {
                    if let Some(client) = self
                        .clients
                        .iter_mut()
                        .find(|client| client.phase == Phase::Joining(ticket))
                    {
                        client.joined(&response);
                    }
                }
                Delivery::Sync(ticket, response) => {
                    if let Some(client) = self
                        .clients
                        .iter_mut()
                        .find(|client| client.phase == Phase::Syncing(ticket))
                    {
                        client.synced(&response);
                    }
                }
            }
        }
        self.check_owners();
        for (partition, offset) in &self.acknowledged {
            let committed = self
                .world
                .group
                .offsets
                .get(&text(TOPIC), *partition)
                .map_or(-1, |committed| committed.offset);
            assert!(
                committed >= *offset,
                "the offset {offset} of partition {partition} was acknowledged, and {committed} is there"
            );
        }
    }

    /// An assignment that is handed out gives a partition to nobody else than before in the same generation.
    fn check_owners(&mut self) {
        for client in self.clients.iter_mut().filter(|client| client.assigned) {
            client.assigned = false;
            for partition in &client.owned {
                let key = (self.incarnation, client.generation, *partition);
                let owner = self.owners.entry(key).or_insert_with(|| client.identity());
                assert_eq!(
                    *owner,
                    client.identity(),
                    "two owners of partition {partition} in {}",
                    client.generation
                );
            }
        }
    }

    /// No more noise: everybody who runs goes on for two minutes, a step every half second.
    fn calm_down(&mut self) {
        self.world.crash_at = None;
        for _ in 0..240 {
            for index in 0..CLIENTS {
                self.clients[index].step(&mut self.world);
                self.settle();
            }
            self.world.advance(500);
            self.settle();
        }
    }

    fn check_calm(&self) {
        let running: Vec<&Client> = self
            .clients
            .iter()
            .filter(|client| client.phase != Phase::Out)
            .collect();
        let Some(group) = &self.world.group.membership else {
            assert!(running.is_empty());
            return;
        };
        let expected = if running.is_empty() {
            State::Empty
        } else {
            State::Stable
        };
        assert_eq!(group.state, expected, "{running:?}");
        assert_eq!(group.members.len(), running.len());
        let mut owned: Vec<u8> = running.iter().flat_map(|client| client.owned.clone()).collect();
        owned.sort_unstable();
        if !running.is_empty() {
            assert_eq!(
                owned,
                (0..PARTITIONS).collect::<Vec<_>>(),
                "each partition has its owner: {running:?}"
            );
        }
    }
}

proptest! {
    // `PROPTEST_CASES` runs more of them.

    #[test]
    fn a_group_survives_its_members_and_its_broker(config in config(), actions in actions()) {
        let mut cast = Cast::new(config);
        for action in &actions {
            cast.act(action);
        }
        cast.calm_down();
        cast.check_calm();
    }
}
