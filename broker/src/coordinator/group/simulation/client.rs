//! A consumer as the group sees it: joins, syncs, sends heartbeats, and does after an error what clients do.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
    SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::world::{Sent, Ticket, World, group_id, text};

pub(super) const SESSION_TIMEOUT_MS: i32 = 10_000;
pub(super) const REBALANCE_TIMEOUT_MS: i32 = 20_000;
/// Partitions of the one topic that everybody reads.
pub(super) const PARTITIONS: u8 = 4;
pub(super) const TOPIC: &str = "prices";

/// What a client does next, or waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not running.
    Out,
    /// Joins at its next step.
    Rejoin,
    /// Its JoinGroup is parked.
    Joining(Ticket),
    /// Hands in this assignment (none, for a follower) at its next step.
    Sync(Vec<(StrBytes, Bytes)>),
    /// Its SyncGroup is parked.
    Syncing(Ticket),
    /// Owns its partitions, and sends a heartbeat at each step.
    Member,
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) instance_id: Option<StrBytes>,
    pub(super) api_version: i16,
    pub(super) phase: Phase,
    pub(super) member_id: StrBytes,
    pub(super) generation: i32,
    pub(super) owned: Vec<u8>,
    /// It was just told what it owns.
    pub(super) assigned: bool,
}

/// A subscription to [`TOPIC`].
fn subscription() -> Bytes {
    let mut bytes = 0_i16.to_be_bytes().to_vec();
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend((TOPIC.len() as i16).to_be_bytes());
    bytes.extend(TOPIC.as_bytes());
    bytes.into()
}

pub(super) fn join_request(
    member_id: &StrBytes,
    instance_id: Option<&StrBytes>,
    protocols: &[&str],
) -> JoinGroupRequest {
    let protocol = |name: &&str| {
        JoinGroupRequestProtocol::default()
            .with_name(text(name))
            .with_metadata(subscription())
    };
    JoinGroupRequest::default()
        .with_group_id(group_id())
        .with_member_id(member_id.clone())
        .with_group_instance_id(instance_id.cloned())
        .with_session_timeout_ms(SESSION_TIMEOUT_MS)
        .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
        .with_protocol_type(text("consumer"))
        .with_protocols(protocols.iter().map(protocol).collect())
}

pub(super) fn commit_request(
    member_id: &StrBytes,
    generation: i32,
    partition: i32,
    offset: i64,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(TOPIC)))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group_id())
        .with_member_id(member_id.clone())
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic])
}

impl Client {
    pub(super) fn new(instance_id: Option<&str>, api_version: i16) -> Client {
        Client {
            instance_id: instance_id.map(text),
            api_version,
            phase: Phase::Out,
            member_id: StrBytes::default(),
            generation: -1,
            owned: Vec::new(),
            assigned: false,
        }
    }

    /// Who owns what this client owns: a static member stays the same under a new member id.
    pub(super) fn identity(&self) -> StrBytes {
        self.instance_id.clone().unwrap_or_else(|| self.member_id.clone())
    }

    pub(super) fn waits(&self) -> bool {
        matches!(self.phase, Phase::Joining(_) | Phase::Syncing(_))
    }

    pub(super) fn step(&mut self, world: &mut World) {
        match self.phase.clone() {
            Phase::Out | Phase::Joining(_) | Phase::Syncing(_) => {}
            Phase::Rejoin => {
                self.owned.clear();
                let request = join_request(&self.member_id, self.instance_id.as_ref(), &["range", "sticky"]);
                match world.join(self.api_version, request) {
                    Sent::Answered(response) => self.joined(&response),
                    Sent::Parked(ticket) => self.phase = Phase::Joining(ticket),
                    Sent::Crashed => {}
                }
            }
            Phase::Sync(assignments) => {
                let assignment = |(member_id, assignment): (StrBytes, Bytes)| {
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
                    .with_assignments(assignments.into_iter().map(assignment).collect());
                match world.sync(request) {
                    Sent::Answered(response) => self.synced(&response),
                    Sent::Parked(ticket) => self.phase = Phase::Syncing(ticket),
                    Sent::Crashed => self.phase = Phase::Rejoin,
                }
            }
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

    pub(super) fn joined(&mut self, response: &JoinGroupResponse) {
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
        let partitions_of = |index: usize| {
            (0..PARTITIONS)
                .filter(|partition| usize::from(*partition) % response.members.len() == index)
                .collect::<Vec<u8>>()
        };
        let assignments = response.members.iter().enumerate().filter(|_| leads);
        self.phase = Phase::Sync(
            assignments
                .map(|(index, member)| (member.member_id.clone(), partitions_of(index).into()))
                .collect(),
        );
    }

    pub(super) fn synced(&mut self, response: &SyncGroupResponse) {
        if response.error_code != 0 {
            return self.failed(response.error_code);
        }
        self.owned = response.assignment.to_vec();
        self.assigned = true;
        self.phase = Phase::Member;
    }

    fn failed(&mut self, error: i16) {
        if error == 0 {
            return;
        }
        let fatal = [
            ResponseError::FencedInstanceId,
            ResponseError::GroupMaxSizeReached,
            ResponseError::InconsistentGroupProtocol,
        ];
        if fatal.iter().any(|fatal| fatal.code() == error) {
            self.stop();
            return;
        }
        if error == ResponseError::UnknownMemberId.code() {
            self.member_id = StrBytes::default();
        }
        self.owned.clear();
        self.phase = Phase::Rejoin;
    }

    /// Stops without a word.
    pub(super) fn stop(&mut self) {
        self.phase = Phase::Out;
        self.owned.clear();
    }

    /// The connection is gone: what was parked will not be answered.
    pub(super) fn disconnected(&mut self) {
        if self.waits() {
            self.phase = Phase::Rejoin;
        }
    }

    pub(super) fn leave(&mut self, world: &mut World) {
        let member = MemberIdentity::default()
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(self.instance_id.clone());
        self.stop();
        world.leave(
            &LeaveGroupRequest::default()
                .with_group_id(group_id())
                .with_members(vec![member]),
        );
        self.member_id = StrBytes::default();
    }
}
