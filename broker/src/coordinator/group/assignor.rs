//! Server-side assignors of the consumer group protocol (KIP-848): who of a group should read what.
//!
//! An assignor sees each member's subscription and what it was meant to read before, and says what it is meant to read
//! now: every partition of a subscribed topic exactly once, by a member that subscribes to it. The same input gives the
//! same output; members and topics are looked at in a fixed order.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// Partitions by topic id; a topic without partitions is not in it.
pub type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// A member as an assignor sees it.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// The member's id.
    pub member_id: StrBytes,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<StrBytes>,
    /// The existing topics among those it subscribes to.
    pub topics: BTreeSet<Uuid>,
    /// What it was meant to read before.
    pub target: Assignment,
}

/// How partitions are given to members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As evenly as can be, moving as little as can be. The default.
    Uniform,
    /// Each topic in ranges, so that members with equal subscriptions read the same partition numbers of all topics.
    Range,
}

impl Assignor {
    /// All of them, the default first.
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    /// The name by which clients ask for it.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The assignor of that name.
    pub fn by_name(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Gives the partitions of `topics` (topic id and number of partitions) to the members, by member id. A member that
    /// gets nothing is in it with nothing.
    pub fn assign(self, members: &[Subscriber], topics: &BTreeMap<Uuid, i32>) -> BTreeMap<StrBytes, Assignment> {
        match self {
            Assignor::Uniform => uniform::assign(members, topics),
            Assignor::Range => range::assign(members, topics),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topic(number: usize) -> Uuid {
        Uuid::from_u128(number as u128 + 1)
    }

    #[derive(Clone, Debug)]
    struct Case {
        topics: BTreeMap<Uuid, i32>,
        members: Vec<Subscriber>,
    }

    fn cases() -> impl Strategy<Value = Case> {
        let topics = proptest::collection::vec(0_i32..9, 1..4);
        let member = (proptest::collection::vec(any::<bool>(), 4), any::<bool>());
        (topics, proptest::collection::vec(member, 1..7), any::<bool>()).prop_map(|(partitions, members, same)| {
            let topics: BTreeMap<Uuid, i32> = partitions
                .iter()
                .enumerate()
                .map(|(number, count)| (topic(number), *count))
                .collect();
            let subscriber = |(number, (wanted, is_static)): (usize, &(Vec<bool>, bool))| Subscriber {
                member_id: StrBytes::from_string(format!("m-{number}")),
                instance_id: is_static.then(|| StrBytes::from_string(format!("i-{number}"))),
                topics: topics
                    .keys()
                    .enumerate()
                    .filter(|(at, _)| same || wanted[*at])
                    .map(|(_, id)| *id)
                    .collect(),
                target: Assignment::new(),
            };
            let members = members.iter().enumerate().map(subscriber).collect();
            Case { topics, members }
        })
    }

    fn size(assignment: &Assignment) -> usize {
        assignment.values().map(BTreeSet::len).sum()
    }

    fn check(case: &Case, assigned: &BTreeMap<StrBytes, Assignment>) {
        assert_eq!(assigned.len(), case.members.len());
        for (id, count) in &case.topics {
            let wanted = case.members.iter().any(|member| member.topics.contains(id));
            for partition in 0..*count {
                let owners = assigned
                    .values()
                    .filter(|assignment| assignment.get(id).is_some_and(|owned| owned.contains(&partition)));
                assert_eq!(owners.count(), usize::from(wanted), "partition {partition}");
            }
        }
        for member in &case.members {
            let owned = &assigned[&member.member_id];
            assert!(owned.iter().all(|(id, owned)| member.topics.contains(id)
                && !owned.is_empty()
                && owned.iter().all(|at| (0..case.topics[id]).contains(at))));
        }
    }

    /// Nobody has two more than another who could take one of them.
    fn check_balance(case: &Case, assigned: &BTreeMap<StrBytes, Assignment>) {
        for rich in &case.members {
            for poor in &case.members {
                let (more, less) = (&assigned[&rich.member_id], &assigned[&poor.member_id]);
                let could_take = more.keys().any(|id| poor.topics.contains(id));
                assert!(!could_take || size(more) <= size(less) + 1, "{more:?} {less:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_that_wants_it(mut case in cases(), leaver in 0_usize..7) {
            for assignor in Assignor::ALL {
                let assigned = assignor.assign(&case.members, &case.topics);
                check(&case, &assigned);
                if assignor == Assignor::Uniform {
                    check_balance(&case, &assigned);
                }
                for member in &mut case.members {
                    member.target = assigned[&member.member_id].clone();
                }
                // What is balanced stays as it is.
                prop_assert_eq!(&assignor.assign(&case.members, &case.topics), &assigned);
                let mut smaller = case.clone();
                if smaller.members.len() > 1 {
                    smaller.members.remove(leaver % smaller.members.len());
                    let again = assignor.assign(&smaller.members, &smaller.topics);
                    check(&smaller, &again);
                    if assignor == Assignor::Uniform {
                        check_balance(&smaller, &again);
                    }
                }
                case.members.iter_mut().for_each(|member| member.target.clear());
            }
        }

        #[test]
        fn equal_members_keep_what_they_can(members in 1_usize..8, partitions in 1_i32..40) {
            let topics = BTreeMap::from([(topic(0), partitions)]);
            let subscriber = |number: usize| Subscriber {
                member_id: StrBytes::from_string(format!("m-{number}")),
                instance_id: None,
                topics: topics.keys().copied().collect(),
                target: Assignment::new(),
            };
            let mut group: Vec<Subscriber> = (0..members).map(subscriber).collect();
            let before = Assignor::Uniform.assign(&group, &topics);
            group.iter_mut().for_each(|member| member.target = before[&member.member_id].clone());
            group.push(subscriber(members));
            let after = Assignor::Uniform.assign(&group, &topics);
            // Only what the newcomer gets has moved.
            let moved: usize = before.iter().map(|(id, owned)| lost(owned, &after[id])).sum();
            prop_assert_eq!(moved, size(&after[&group[members].member_id]));
        }
    }

    /// How many partitions are in the first and not in the second.
    fn lost(before: &Assignment, after: &Assignment) -> usize {
        let of_topic = |(id, owned): (&Uuid, &BTreeSet<i32>)| {
            owned
                .iter()
                .filter(|at| !after.get(id).is_some_and(|kept| kept.contains(at)))
                .count()
        };
        before.iter().map(of_topic).sum()
    }
}
