//! The uniform assignor: loads differ by one at most where subscriptions allow it, and partitions stay where they are
//! unless balance needs them elsewhere.
//!
//! First everybody keeps what it had and may still have. Then each free partition goes to the subscriber with the least,
//! those partitions first that the fewest want. Then partitions move from a member to one with at least two less, as long
//! as there is such a pair; each move brings the loads closer together, so it ends.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Assignment, Subscriber};

pub(super) fn assign(members: &[Subscriber], topics: &BTreeMap<Uuid, i32>) -> BTreeMap<StrBytes, Assignment> {
    let mut table = Table::new(members, topics);
    table.keep();
    table.fill();
    table.balance();
    members
        .iter()
        .zip(table.owned)
        .map(|(member, owned)| (member.member_id.clone(), owned))
        .collect()
}

struct Table<'a> {
    members: &'a [Subscriber],
    topics: &'a BTreeMap<Uuid, i32>,
    /// By index of the member.
    owned: Vec<Assignment>,
    loads: Vec<usize>,
    /// Indexes of the members that subscribe to a topic.
    subscribers: BTreeMap<Uuid, Vec<usize>>,
}

impl<'a> Table<'a> {
    fn new(members: &'a [Subscriber], topics: &'a BTreeMap<Uuid, i32>) -> Table<'a> {
        let mut subscribers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (index, member) in members.iter().enumerate() {
            for topic in &member.topics {
                subscribers.entry(*topic).or_default().push(index);
            }
        }
        Table {
            members,
            topics,
            owned: vec![Assignment::new(); members.len()],
            loads: vec![0; members.len()],
            subscribers,
        }
    }

    fn give(&mut self, member: usize, topic: Uuid, partition: i32) {
        self.owned[member].entry(topic).or_default().insert(partition);
        self.loads[member] += 1;
    }

    fn take(&mut self, member: usize, topic: Uuid, partition: i32) {
        if let Some(partitions) = self.owned[member].get_mut(&topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.owned[member].remove(&topic);
            }
        }
        self.loads[member] -= 1;
    }

    fn keep(&mut self) {
        let mut taken: BTreeSet<(Uuid, i32)> = BTreeSet::new();
        for (index, member) in self.members.iter().enumerate() {
            for (topic, partitions) in &member.target {
                let count = self.topics.get(topic).copied().unwrap_or(0);
                for partition in partitions.iter().filter(|partition| (0..count).contains(*partition)) {
                    if member.topics.contains(topic) && taken.insert((*topic, *partition)) {
                        self.give(index, *topic, *partition);
                    }
                }
            }
        }
    }

    fn fill(&mut self) {
        let taken: BTreeSet<(Uuid, i32)> = self.owned.iter().flat_map(partitions_of).collect();
        let mut wanted: Vec<(Uuid, usize)> = self
            .subscribers
            .iter()
            .map(|(topic, members)| (*topic, members.len()))
            .collect();
        wanted.sort_by_key(|(_, subscribers)| *subscribers);
        for (topic, _) in wanted {
            let count = self.topics.get(&topic).copied().unwrap_or(0);
            for partition in (0..count).filter(|partition| !taken.contains(&(topic, *partition))) {
                let least = self.subscribers[&topic]
                    .iter()
                    .copied()
                    .min_by_key(|member| self.loads[*member]);
                if let Some(member) = least {
                    self.give(member, topic, partition);
                }
            }
        }
    }

    fn balance(&mut self) {
        while let Some((from, to, topic)) = self.improvement() {
            let last = self.owned[from]
                .get(&topic)
                .and_then(|partitions| partitions.last().copied());
            let Some(partition) = last else { return };
            self.take(from, topic, partition);
            self.give(to, topic, partition);
        }
    }

    /// From the one with the most to the one with the least that may take something from it.
    fn improvement(&self) -> Option<(usize, usize, Uuid)> {
        let mut richest: Vec<usize> = (0..self.members.len()).collect();
        richest.sort_by_key(|member| std::cmp::Reverse(self.loads[*member]));
        richest.into_iter().find_map(|from| {
            let best = self.owned[from].keys().filter_map(|topic| {
                let least = self
                    .subscribers
                    .get(topic)?
                    .iter()
                    .copied()
                    .min_by_key(|member| self.loads[*member])?;
                Some((least, *topic))
            });
            let (to, topic) = best.min_by_key(|(to, _)| self.loads[*to])?;
            (self.loads[to] + 2 <= self.loads[from]).then_some((from, to, topic))
        })
    }
}

fn partitions_of(assignment: &Assignment) -> impl Iterator<Item = (Uuid, i32)> + '_ {
    assignment
        .iter()
        .flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}
