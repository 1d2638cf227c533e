//! Group coordination: membership and committed offsets of one group.
//!
//! A [`Group`] is what this broker knows of one group id. It comes into being with the first join or commit, and is
//! removed by DeleteGroups or when its last offset expires. Its membership follows the classic rebalance protocol
//! ([`classic`]) or the consumer group protocol ([`consumer`]), to which it can change over and back while it has members;
//! its offsets live in [`offsets`].
//!
//! What survives a restart is what Apache Kafka keeps in `__consumer_offsets`: each committed offset, and the
//! membership as of the last completed rebalance. Members that are in the middle of joining are a lease, not a fact:
//! after a restart they are told to join again, and members that went away meanwhile expire by their session time-out.
//! A rebalance that a stored change makes necessary (the last consumer of the newer protocol left) is stored with it.

pub mod assignor;
pub mod classic;
mod config;
pub mod consumer;
mod describe;
mod embedded;
mod error;
pub mod offsets;
#[cfg(test)]
mod simulation;

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

pub use classic::ClassicGroup;
pub use config::{GroupConfig, MigrationPolicy};
pub use consumer::{ConsumerGroup, ConsumerMember};
pub use describe::{delete, describe, list, matches_filters};
pub use error::GroupError;
pub use offsets::{CommittedOffset, Offsets, PendingOffset, PendingOffsets};

/// All that is known of one group id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Members, generation and state under the classic protocol.
    pub membership: Option<ClassicGroup>,
    /// Members, epochs and targets under the consumer group protocol. At most one of the two is there; with neither the
    /// group does not exist.
    pub consumer: Option<ConsumerGroup>,
    /// Committed offsets by topic and partition.
    pub offsets: Offsets,
    /// Offsets that transactions will commit, or not.
    pub pending: PendingOffsets,
}

impl Group {
    /// Whether the group exists, as DescribeGroups and ListGroups see it.
    pub fn exists(&self) -> bool {
        self.membership.is_some() || self.consumer.is_some()
    }

    /// Whether it has members.
    pub fn has_members(&self) -> bool {
        let classic = self
            .membership
            .as_ref()
            .is_some_and(|classic| classic.state != classic::State::Empty);
        classic
            || self
                .consumer
                .as_ref()
                .is_some_and(|consumer| !consumer.members.is_empty())
    }

    /// Whether the offsets of a topic are in use.
    pub fn is_subscribed_to(&self, topic: &StrBytes) -> bool {
        let classic = self
            .membership
            .as_ref()
            .is_some_and(|classic| classic.is_subscribed_to(topic));
        classic
            || self
                .consumer
                .as_ref()
                .is_some_and(|consumer| consumer.is_subscribed_to(topic))
    }
}

/// A change of a group's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The membership is now this. `durable` says whether it completes a rebalance and therefore must be stored; the
    /// steps in between are not (see the module's head).
    Membership {
        /// The new membership, whole.
        group: Box<ClassicGroup>,
        /// Whether this must be stored before anybody is told.
        durable: bool,
    },
    /// An offset was committed, or with `None` removed. Always durable. Creates the group if it does not exist.
    Offset {
        /// Topic name.
        topic: StrBytes,
        /// Partition index.
        partition: i32,
        /// The new value.
        value: Option<CommittedOffset>,
    },
    /// An offset waits for the end of a producer's transaction, or with `None` no longer does. Always durable. Creates the
    /// group if it does not exist.
    PendingOffset {
        /// Whose transaction.
        producer_id: i64,
        /// Topic name.
        topic: StrBytes,
        /// Partition index.
        partition: i32,
        /// The new value.
        value: Option<PendingOffset>,
    },
    /// The consumer group's epochs and topics are now these; its members stay. Creates it, in place of a classic group.
    ConsumerHead {
        /// The group without its members.
        head: Box<ConsumerGroup>,
        /// Whether more has changed than what is known of the topics, which a restart looks up again.
        durable: bool,
    },
    /// A member of a consumer group is now this, or with `None` no longer there. Always durable.
    ConsumerMember {
        /// Its id.
        member_id: StrBytes,
        /// What it is now.
        member: Option<Arc<ConsumerMember>>,
    },
    /// The group no longer exists. Always durable.
    Removed,
}

impl Record {
    /// Whether the record must be stored before the reply goes out.
    pub fn is_durable(&self) -> bool {
        match self {
            Record::Membership { durable, .. } | Record::ConsumerHead { durable, .. } => *durable,
            Record::Offset { .. } | Record::PendingOffset { .. } | Record::ConsumerMember { .. } | Record::Removed => {
                true
            }
        }
    }
}

/// Changes the state by one record: the only function that does.
pub fn apply(group: &mut Group, record: &Record) {
    match record {
        Record::Membership { group: membership, .. } => {
            group.consumer = None;
            group.membership = Some((**membership).clone());
        }
        Record::Offset {
            topic,
            partition,
            value: Some(value),
        } => {
            if !group.exists() {
                group.membership = Some(ClassicGroup::default());
            }
            group.offsets.put(topic.clone(), *partition, value.clone());
        }
        Record::Offset {
            topic,
            partition,
            value: None,
        } => group.offsets.remove(topic, *partition),
        Record::PendingOffset {
            producer_id,
            topic,
            partition,
            value,
        } => {
            if value.is_some() && !group.exists() {
                group.membership = Some(ClassicGroup::default());
            }
            group.pending.set(*producer_id, topic, *partition, value.clone());
        }
        Record::ConsumerHead { head, .. } => {
            group.membership = None;
            let consumer = group.consumer.get_or_insert_default();
            let members = std::mem::take(&mut consumer.members);
            let static_members = std::mem::take(&mut consumer.static_members);
            *consumer = ConsumerGroup {
                members,
                static_members,
                ..(**head).clone()
            };
        }
        Record::ConsumerMember { member_id, member } => {
            group.consumer.get_or_insert_default().put(member_id, member.clone());
        }
        Record::Removed => *group = Group::default(),
    }
}

/// A timer of a group. Arming one that is already armed moves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The session of a member, or of a member id that was handed out and not yet used.
    Session(StrBytes),
    /// How long a member of a consumer group may take to give partitions up.
    Revocation(StrBytes),
    /// How long a member of a consumer group that follows the classic protocol may take to join again.
    MemberJoin(StrBytes),
    /// How long such a member may take to sync once it has joined.
    MemberSync(StrBytes),
    /// The end of the join phase.
    Join,
    /// The end of the time in which all members must have sent SyncGroup.
    Sync,
}

impl Timer {
    /// Every timer of one member.
    pub fn all_of(member_id: &StrBytes) -> [Timer; 4] {
        [
            Timer::Session(member_id.clone()),
            Timer::Revocation(member_id.clone()),
            Timer::MemberJoin(member_id.clone()),
            Timer::MemberSync(member_id.clone()),
        ]
    }
}

/// What has to be done besides the reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Answers the parked JoinGroup of this member.
    AnswerJoin {
        /// The member whose request is parked.
        member_id: StrBytes,
        /// Its answer.
        response: Box<JoinGroupResponse>,
    },
    /// Answers the parked SyncGroup of this member.
    AnswerSync {
        /// The member whose request is parked.
        member_id: StrBytes,
        /// Its answer.
        response: Box<SyncGroupResponse>,
    },
    /// Arms a timer, or moves it if it is armed.
    Arm {
        /// Which.
        timer: Timer,
        /// How long from now, in milliseconds.
        after_ms: i32,
    },
    /// Arms a timer unless it is armed.
    ArmIfAbsent {
        /// Which.
        timer: Timer,
        /// How long from now, in milliseconds.
        after_ms: i32,
    },
    /// Disarms a timer; nothing happens if it is not armed.
    Cancel(Timer),
}

/// The reply to a command that may have to wait for others.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<R> {
    /// Reply now.
    Now(R),
    /// Park the request under this member id, replacing what is parked there; an effect answers it, possibly one of
    /// this very outcome.
    Parked(StrBytes),
}

/// What a command to a group comes to; its effects come after the records are applied.
pub type Outcome<R> = super::Outcome<R, Record, Effect>;

/// Who sends a command, and how.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The client id of the request's header, or empty.
    pub client_id: StrBytes,
    /// The peer's address as Apache Kafka shows it: `/127.0.0.1`.
    pub client_host: StrBytes,
    /// The version of the request.
    pub api_version: i16,
}

/// A copy that does not keep the request's frame alive, for what is stored in a group.
pub(crate) fn detached(text: &StrBytes) -> StrBytes {
    StrBytes::from_string(text.as_str().to_owned())
}

/// A copy that does not keep the request's frame alive, for what is stored in a group.
pub(crate) fn detached_bytes(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
