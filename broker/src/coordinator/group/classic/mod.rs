//! The classic rebalance protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! ```text
//!            first join                 all joined, or time is up             leader synced
//!   Empty ───────────────▶ PreparingRebalance ─────────────▶ CompletingRebalance ─────────▶ Stable
//!     ▲                        │        ▲                            │                         │
//!     └─── nobody is left ─────┘        └──── a member joins, leaves, dies or changes ─────────┘
//! ```
//!
//! Here is the state and what can be read from it; `Draft` holds the transitions, and one file per request decides
//! with it: `join`, `sync`, `leave`, and `timers` for what happens when nobody asks.

mod draft;
mod join;
mod leave;
mod sync;
mod timers;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::protocol::StrBytes;

use super::{GroupConfig, GroupError, Outcome, embedded};
use crate::hash_order::place;
use draft::Draft;

pub(crate) use draft::refusal;
pub(super) use join::protocols;
pub use join::{JoinCommand, join};
pub use leave::leave;
pub use sync::{heartbeat, sync};
pub use timers::{expire, recover};

/// The protocol type of consumers; Kafka Connect uses `connect`.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// No members.
    #[default]
    Empty,
    /// Waiting for the members to join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Each member has its assignment.
    Stable,
}

impl State {
    /// The name by which clients know it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// Makes a group live that was a consumer group until now, stable: its members' sessions begin anew, and a rebalance if
/// there is to be one. The rebalance is owed across a restart, too: until it is done, what the members have is not all that
/// there is to read, and nobody else would begin one.
pub(super) fn take_over(group: &ClassicGroup, config: &GroupConfig, now_ms: i64, rebalances: bool) -> Outcome<()> {
    let mut draft = Draft::new(group, config, now_ms);
    for member_id in group.members.keys() {
        draft.renew_session(member_id);
    }
    if rebalances {
        draft.prepare_rebalance();
    }
    draft.set_durable();
    draft.finish(())
}

/// A protocol (for consumers: an assignor) that a member can speak, with the member's metadata for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Its name, such as `range`.
    pub name: StrBytes,
    /// Opaque to the broker; for consumers the subscription.
    pub metadata: Bytes,
}

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Assigned by the coordinator.
    pub id: StrBytes,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<StrBytes>,
    /// The client id of the request that it joined by.
    pub client_id: StrBytes,
    /// The address that it joined from.
    pub client_host: StrBytes,
    /// How long a rebalance waits for this member.
    pub rebalance_timeout_ms: i32,
    /// After how long without a sign of life it is removed.
    pub session_timeout_ms: i32,
    /// Protocols by preference.
    pub protocols: Vec<Protocol>,
    /// What the leader assigned to it; empty before the first.
    pub assignment: Bytes,
    /// Its JoinGroup is parked.
    pub awaiting_join: bool,
    /// Its SyncGroup is parked.
    pub awaiting_sync: bool,
    /// It has not completed a join phase yet.
    pub is_new: bool,
}

impl Member {
    /// The metadata for a protocol; empty if the member does not speak it.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|known| known.name.as_str() == protocol)
            .map(|known| known.metadata.clone())
            .unwrap_or_default()
    }

    /// Whether the member needs no heartbeat now: it waits for the coordinator, not the other way round.
    fn satisfies_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join || self.awaiting_sync)
    }
}

/// The first rebalance of an empty group while it waits for more members
/// (`group.initial.rebalance.delay.ms`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialJoin {
    /// A member came since the timer was armed, so that it may be armed once more.
    pub member_added: bool,
    /// What the armed timer was set to.
    pub delay_ms: i32,
    /// How much longer it may be prolonged in all.
    pub remaining_ms: i32,
}

/// A group under the classic protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicGroup {
    /// Where it is.
    pub state: State,
    /// When it got there, in milliseconds since the epoch; unknown for a group that only ever committed.
    pub state_since_ms: Option<i64>,
    /// Grows by one with each completed join phase.
    pub generation: i32,
    /// `consumer`, `connect`; `None` for a group that never had a member.
    pub protocol_type: Option<StrBytes>,
    /// The protocol that the members of this generation agreed on.
    pub protocol_name: Option<StrBytes>,
    /// The member that assigns.
    pub leader: Option<StrBytes>,
    /// By member id.
    pub members: BTreeMap<StrBytes, Arc<Member>>,
    /// Member ids by `group.instance.id`.
    pub static_members: BTreeMap<StrBytes, StrBytes>,
    /// Member ids that were handed out and not used yet.
    pub pending_joins: BTreeSet<StrBytes>,
    /// Members of this generation that have not sent SyncGroup yet.
    pub pending_syncs: BTreeSet<StrBytes>,
    /// Topics that the members of this generation subscribe to; `None` where the broker cannot know.
    pub subscribed_topics: Option<Arc<BTreeSet<StrBytes>>>,
    /// Set while the first rebalance of an empty group waits for more members.
    pub initial_join: Option<InitialJoin>,
}

impl ClassicGroup {
    /// Whether the members are consumers.
    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type
            .as_ref()
            .is_some_and(|kind| kind.as_str() == CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether offsets of this topic are in use. Where the subscription of consumers is unknown, all are.
    pub fn is_subscribed_to(&self, topic: &StrBytes) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Checks that this is a member, and under a `group.instance.id` still the one.
    pub fn validate_member(
        &self,
        member_id: &StrBytes,
        instance_id: Option<&StrBytes>,
    ) -> Result<&Arc<Member>, GroupError> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(GroupError::UnknownMemberId),
                Some(current) if current != member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.members.get(member_id).ok_or(GroupError::UnknownMemberId)
    }

    /// What is left after a restart if this was stored: the membership without who was waiting for what. A group that was
    /// stored in the middle of a rebalance owes it still.
    pub fn settled(&self) -> ClassicGroup {
        let members = self.members.iter().map(|(id, member)| {
            let member = Member {
                awaiting_join: false,
                awaiting_sync: false,
                is_new: false,
                ..(**member).clone()
            };
            (id.clone(), Arc::new(member))
        });
        ClassicGroup {
            state: match self.state {
                _ if self.members.is_empty() => State::Empty,
                State::PreparingRebalance => State::PreparingRebalance,
                State::Empty | State::CompletingRebalance | State::Stable => State::Stable,
            },
            members: members.collect(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            initial_join: None,
            ..self.clone()
        }
    }

    /// Rebuilds what is derived from the members; for a membership that was read from the store.
    pub fn rebuild(&mut self) {
        let named = self
            .members
            .values()
            .filter_map(|member| Some((member.instance_id.clone()?, member.id.clone())));
        self.static_members = named.collect();
        self.subscribed_topics = self.compute_subscribed_topics();
    }

    fn is_leader(&self, member_id: &StrBytes) -> bool {
        self.leader.as_ref() == Some(member_id)
    }

    fn can_rebalance(&self) -> bool {
        self.state != State::PreparingRebalance
    }

    fn awaiting_join(&self) -> usize {
        self.members.values().filter(|member| member.awaiting_join).count()
    }

    fn all_members_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(|member| member.awaiting_join)
    }

    fn rebalance_timeout_ms(&self) -> i32 {
        self.members
            .values()
            .map(|member| member.rebalance_timeout_ms)
            .max()
            .unwrap_or(0)
    }

    /// Whether a member of this type, with these protocols, can be in the group as it is.
    fn supports(&self, protocol_type: &StrBytes, protocols: &[Protocol]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(protocol_type)
            && protocols.iter().any(|protocol| self.all_speak(&protocol.name))
    }

    fn all_speak(&self, protocol: &StrBytes) -> bool {
        self.members
            .values()
            .all(|member| member.protocols.iter().any(|known| known.name == *protocol))
    }

    /// The protocol that every member speaks and most prefer; among equals the one that Apache Kafka takes.
    pub(super) fn select_protocol(&self) -> Option<StrBytes> {
        let mut votes: BTreeMap<&StrBytes, usize> = BTreeMap::new();
        let mut spoken: BTreeMap<&StrBytes, bool> = BTreeMap::new();
        for member in self.members.values() {
            let vote = member
                .protocols
                .iter()
                .map(|protocol| &protocol.name)
                .find(|name| *spoken.entry(name).or_insert_with(|| self.all_speak(name)));
            if let Some(vote) = vote {
                *votes.entry(vote).or_default() += 1;
            }
        }
        let names = votes.len();
        votes
            .into_iter()
            .max_by_key(|(name, count)| (*count, Reverse(place(name, names))))
            .map(|(name, _)| name.clone())
    }

    fn compute_subscribed_topics(&self) -> Option<Arc<BTreeSet<StrBytes>>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(Arc::new(topics));
        }
        let protocol = self.protocol_name.as_ref()?;
        for member in self.members.values() {
            topics.extend(embedded::topics(&member.metadata(protocol))?);
        }
        Some(Arc::new(topics))
    }

    /// The members as the leader needs them for its assignment.
    fn members_for_leader(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol_name.clone().unwrap_or_default();
        let describe = |member: &Arc<Member>| {
            JoinGroupResponseMember::default()
                .with_member_id(member.id.clone())
                .with_group_instance_id(member.instance_id.clone())
                .with_metadata(member.metadata(&protocol))
        };
        self.members.values().map(describe).collect()
    }
}
