//! The consumer group protocol (KIP-848): the broker assigns, and members follow step by step by one heartbeat each.
//!
//! Three epochs tell how far everybody is. The *group epoch* grows with each change of what members want or of the topics
//! that they want. The *assignment epoch* is the group epoch for which the target was computed last. Each member's *epoch*
//! is the assignment epoch that it has followed so far; a request with another one is fenced. A member first gives up what
//! it may not keep (`UnrevokedPartitions`), and gets what it is meant to have once nobody else holds it
//! (`UnreleasedPartitions`): so a partition never has two owners, without anybody stopping to wait for all.
//!
//! `heartbeat` decides on requests, `departure` on how members go, `reconcile` on a member's next step, `describe` on what
//! administrators see; `draft` holds the steps that they share. Members may follow the classic protocol beside the others
//! (`classic_member`), as far as `group.consumer.migration.policy` lets the group change over and back (`convert`).

mod classic_member;
mod convert;
mod departure;
mod describe;
mod draft;
mod heartbeat;
mod reconcile;
mod validate;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::GroupConfig;
use super::assignor::{Assignment, Assignor, Subscriber};
use super::classic::Protocol;

pub use classic_member::{heartbeat as classic_heartbeat, join as classic_join, sync as classic_sync};
pub use departure::{expire, recover, remove};
pub use describe::describe;
pub use heartbeat::{HeartbeatCommand, heartbeat};

/// The epoch by which a static member says that it leaves for a while, and under which it is remembered.
pub const LEAVE_STATIC_EPOCH: i32 = -2;

/// A topic as a group needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its id.
    pub id: Uuid,
    /// Its number of partitions.
    pub partitions: i32,
}

/// The topics that exist. The coordinator asks, and never keeps what it is told.
pub trait TopicsView: std::fmt::Debug + Send + Sync {
    /// Changes whenever a topic comes, goes or grows; never 0.
    fn version(&self) -> u64;
    /// The topic of that name.
    fn find(&self, name: &str) -> Option<TopicMetadata>;
    /// The name of the topic with that id.
    fn name_of(&self, id: Uuid) -> Option<StrBytes>;
    /// The names of all topics.
    fn names(&self) -> Vec<StrBytes>;
}

/// How far a member is on its way to its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// It is there, for its epoch.
    #[default]
    Stable,
    /// It has to give up partitions first.
    UnrevokedPartitions,
    /// It waits for partitions that others still hold.
    UnreleasedPartitions,
}

/// What is kept of a member that follows the classic protocol (`ClassicMemberMetadata`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicMetadata {
    /// After how long without a sign of life it is removed.
    pub session_timeout_ms: i32,
    /// Protocols by preference.
    pub protocols: Vec<Protocol>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerMember {
    /// Chosen by the client, or by the broker for clients of version 0.
    pub id: StrBytes,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<StrBytes>,
    /// `client.rack`
    pub rack_id: Option<StrBytes>,
    /// The client id of its last request.
    pub client_id: StrBytes,
    /// The address of its last request.
    pub client_host: StrBytes,
    /// How long it may take to give partitions up.
    pub rebalance_timeout_ms: i32,
    /// Topics that it names.
    pub topics: BTreeSet<StrBytes>,
    /// The expression by which it subscribes.
    pub regex: Option<StrBytes>,
    /// The topics that the expression matched when it was looked at last.
    pub matched: BTreeSet<StrBytes>,
    /// The assignor that it prefers.
    pub assignor: Option<StrBytes>,
    /// Its epoch; [`LEAVE_STATIC_EPOCH`] while it is away.
    pub epoch: i32,
    /// The epoch before, which is accepted once more in case an answer was lost.
    pub previous_epoch: i32,
    /// How far it is.
    pub state: MemberState,
    /// What it owns.
    pub assigned: Assignment,
    /// What it has to give up.
    pub revoking: Assignment,
    /// What it is meant to own.
    pub target: Assignment,
    /// Set if it follows the classic protocol.
    pub classic: Option<ClassicMetadata>,
}

impl ConsumerMember {
    /// All topics that it subscribes to, by name or expression.
    pub fn subscription(&self) -> impl Iterator<Item = &StrBytes> {
        self.topics.union(&self.matched)
    }

    fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }
}

/// A group under the consumer group protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// The group epoch.
    pub epoch: i32,
    /// The group epoch of the target.
    pub assignment_epoch: i32,
    /// The subscribed topics that existed when the group epoch was bumped last.
    pub topics: BTreeMap<StrBytes, TopicMetadata>,
    /// The version of the topics that this was compared with last; 0 after a restart.
    pub topics_version: u64,
    /// By member id.
    pub members: BTreeMap<StrBytes, Arc<ConsumerMember>>,
    /// Member ids by `group.instance.id`.
    pub static_members: BTreeMap<StrBytes, StrBytes>,
}

impl ConsumerGroup {
    /// The group without its members.
    fn head(&self) -> ConsumerGroup {
        ConsumerGroup {
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            topics: self.topics.clone(),
            topics_version: self.topics_version,
            ..ConsumerGroup::default()
        }
    }

    /// The group's state, by the name that clients know.
    pub fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self
            .members
            .values()
            .all(|member| member.is_reconciled_to(self.assignment_epoch))
        {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// Whether everybody but this member has reached the target of this epoch.
    fn is_settled_but_for(&self, member_id: &StrBytes) -> bool {
        let mut others = self.members.values().filter(|member| member.id != *member_id);
        self.epoch == self.assignment_epoch && others.all(|member| member.is_reconciled_to(self.assignment_epoch))
    }

    /// Whether a member subscribes to the topic.
    pub fn is_subscribed_to(&self, topic: &StrBytes) -> bool {
        self.members
            .values()
            .any(|member| member.topics.contains(topic) || member.matched.contains(topic))
    }

    /// The assignor that most members prefer, or the default.
    pub fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.assignor.as_ref()) {
            *votes.entry(name.as_str()).or_default() += 1;
        }
        let preferred = votes.into_iter().max_by_key(|(_, count)| *count);
        preferred
            .and_then(|(name, _)| Assignor::by_name(name))
            .unwrap_or(Assignor::ALL[0])
    }

    /// Puts a member in its place; `None` removes it.
    pub fn put(&mut self, member_id: &StrBytes, member: Option<Arc<ConsumerMember>>) {
        match member {
            Some(member) => {
                if let Some(instance_id) = &member.instance_id {
                    self.static_members.insert(instance_id.clone(), member_id.clone());
                }
                self.members.insert(member_id.clone(), member);
            }
            None => {
                let instance_id = self
                    .members
                    .remove(member_id)
                    .and_then(|member| member.instance_id.clone());
                // A replacement may have taken the instance id over already.
                if let Some(instance_id) = instance_id.filter(|id| self.static_members.get(id) == Some(member_id)) {
                    self.static_members.remove(&instance_id);
                }
            }
        }
    }

    /// What is kept of the members that follow the classic protocol.
    fn classic_members(&self) -> impl Iterator<Item = &ClassicMetadata> {
        self.members.values().filter_map(|member| member.classic.as_ref())
    }

    /// Whether `group.consumer.max.size` keeps this one out.
    fn is_full(&self, config: &GroupConfig, member_id: &StrBytes) -> bool {
        self.members.len() >= config.consumer_max_size && !self.members.contains_key(member_id)
    }

    /// Whether somebody holds a partition that this member is meant to have and does not have yet.
    fn holds_what_is_meant_for(&self, member: &ConsumerMember) -> bool {
        let held = self.held();
        let owns = |topic: &Uuid, partition: &i32| {
            member
                .assigned
                .get(topic)
                .is_some_and(|owned| owned.contains(partition))
        };
        member.target.iter().any(|(topic, partitions)| {
            partitions
                .iter()
                .any(|partition| !owns(topic, partition) && held.contains(&(*topic, *partition)))
        })
    }

    /// Every partition that somebody owns, or has not given up yet.
    fn held(&self) -> HashSet<(Uuid, i32)> {
        let held = self
            .members
            .values()
            .flat_map(|member| [&member.assigned, &member.revoking]);
        held.flatten()
            .flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
            .collect()
    }

    /// The members as an assignor needs them.
    fn subscribers(&self) -> Vec<Subscriber> {
        let subscriber = |member: &Arc<ConsumerMember>| Subscriber {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            topics: member
                .subscription()
                .filter_map(|name| self.topics.get(name))
                .map(|topic| topic.id)
                .collect(),
            target: member.target.clone(),
        };
        self.members.values().map(subscriber).collect()
    }
}
