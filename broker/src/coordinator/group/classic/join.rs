//! JoinGroup: a member comes, comes back, or changes what it can do.

use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::draft::{current_generation, refusal};
use super::{ClassicGroup, Draft, Member, Protocol, State};
use crate::coordinator::group::consumer::{self, TopicsView};
use crate::coordinator::group::{
    Answer, Caller, Group, GroupConfig, GroupError, Outcome, Record, Timer, detached, detached_bytes,
};

/// From this version on a dynamic member is first told its id and must join again with it (KIP-394).
const MEMBER_ID_REQUIRED_SINCE: i16 = 4;
/// From this version on a static leader that comes back learns the members, and that it must not assign (KIP-814).
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

/// How many member ids may be handed out and unused at a time. Apache Kafka knows no such limit; here a peer that asks for
/// ids and never uses them is told that the group is full.
const PENDING_JOINS_MAX: usize = 10_000;

/// A JoinGroup request.
#[derive(Clone, Debug)]
pub struct JoinCommand {
    /// Who sends it.
    pub caller: Caller,
    /// The request; at version 0 with the session time-out as its rebalance time-out.
    pub request: JoinGroupRequest,
    /// What makes a new member id unique.
    pub nonce: uuid::Uuid,
}

type Joined = Outcome<Answer<JoinGroupResponse>>;

fn refused(member_id: &StrBytes, error: GroupError) -> Answer<JoinGroupResponse> {
    Answer::Now(refusal(member_id.clone(), error))
}

/// Decides on a JoinGroup.
pub fn join(
    group: &Group,
    config: &GroupConfig,
    now_ms: i64,
    command: &JoinCommand,
    topics: &dyn TopicsView,
) -> Joined {
    let request = &command.request;
    let (member_id, nobody) = (&request.member_id, StrBytes::default());
    if request.group_id.is_empty() {
        return Outcome::reply(refused(member_id, GroupError::InvalidGroupId));
    }
    if !(config.min_session_timeout_ms..=config.max_session_timeout_ms).contains(&request.session_timeout_ms) {
        return Outcome::reply(refused(member_id, GroupError::InvalidSessionTimeout));
    }
    if let Some(consumer) = group.consumer.as_ref().filter(|consumer| !consumer.members.is_empty()) {
        return consumer::classic_join(consumer, config, now_ms, command, topics);
    }
    let created;
    let classic = match &group.membership {
        Some(classic) => classic,
        None if !member_id.is_empty() => return Outcome::reply(refused(member_id, GroupError::UnknownMemberId)),
        None => {
            created = ClassicGroup {
                state_since_ms: Some(now_ms),
                ..ClassicGroup::default()
            };
            &created
        }
    };
    let join = Join {
        config,
        now_ms,
        command,
        classic,
        protocols: protocols(request),
    };
    if !join.has_room() {
        let mut draft = join.draft();
        draft.remove_member(member_id);
        return draft.finish(refused(&nobody, GroupError::GroupMaxSizeReached));
    }
    let outcome = if member_id.is_empty() {
        join.new_member()
    } else {
        join.known_member()
    };
    if group.membership.is_none() {
        return begun(classic, outcome);
    }
    outcome
}

/// The first join of a group leaves an empty group behind for good, even if it is refused, as in Apache Kafka.
fn begun(created: &ClassicGroup, mut outcome: Joined) -> Joined {
    outcome.records.insert(
        0,
        Record::Membership {
            group: Box::new(created.clone()),
            durable: true,
        },
    );
    outcome
}

/// The protocols of a request, detached from its frame.
pub(in crate::coordinator::group) fn protocols(request: &JoinGroupRequest) -> Vec<Protocol> {
    let detach = |protocol: &kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol| Protocol {
        name: detached(&protocol.name),
        metadata: detached_bytes(&protocol.metadata),
    };
    request.protocols.iter().map(detach).collect()
}

struct Join<'a> {
    config: &'a GroupConfig,
    now_ms: i64,
    command: &'a JoinCommand,
    classic: &'a ClassicGroup,
    protocols: Vec<Protocol>,
}

impl<'a> Join<'a> {
    fn draft(&self) -> Draft<'a> {
        Draft::new(self.classic, self.config, self.now_ms)
    }

    fn request(&self) -> &'a JoinGroupRequest {
        &self.command.request
    }

    /// Whether `group.max.size` lets this member in. While a rebalance is being prepared those count who have joined,
    /// so that a group that is over the limit loses the last to come.
    fn has_room(&self) -> bool {
        let known = self.classic.members.get(&self.request().member_id);
        match self.classic.state {
            State::Empty => true,
            State::PreparingRebalance => {
                known.is_some_and(|member| member.awaiting_join) || self.classic.awaiting_join() < self.config.max_size
            }
            State::CompletingRebalance | State::Stable => {
                known.is_some() || self.classic.members.len() < self.config.max_size
            }
        }
    }

    fn new_member(&self) -> Joined {
        if !self.classic.supports(&self.request().protocol_type, &self.protocols) {
            return Outcome::reply(refused(&StrBytes::default(), GroupError::InconsistentGroupProtocol));
        }
        let instance_id = self.request().group_instance_id.as_ref().map(detached);
        let prefix = instance_id.as_ref().unwrap_or(&self.command.caller.client_id);
        let new_id = StrBytes::from_string(format!("{}-{}", prefix.as_str(), self.command.nonce));
        match instance_id {
            Some(instance_id) => match self.classic.static_members.get(&instance_id) {
                Some(old_id) => self.replace_static(&instance_id, old_id, new_id),
                None => self.add(new_id, Some(instance_id)),
            },
            None if self.classic.pending_joins.len() >= PENDING_JOINS_MAX => {
                Outcome::reply(refused(&StrBytes::default(), GroupError::GroupMaxSizeReached))
            }
            None if self.command.caller.api_version >= MEMBER_ID_REQUIRED_SINCE => {
                let mut draft = self.draft();
                draft.group.pending_joins.insert(new_id.clone());
                draft.arm(Timer::Session(new_id.clone()), self.request().session_timeout_ms);
                draft.finish(refused(&new_id, GroupError::MemberIdRequired))
            }
            None => self.add(new_id, None),
        }
    }

    fn known_member(&self) -> Joined {
        let member_id = &self.request().member_id;
        let instance_id = self.request().group_instance_id.as_ref();
        if !self.classic.supports(&self.request().protocol_type, &self.protocols) {
            return Outcome::reply(refused(member_id, GroupError::InconsistentGroupProtocol));
        }
        if self.classic.pending_joins.contains(member_id) {
            return match instance_id {
                Some(_) => Outcome::reply(refused(&StrBytes::default(), GroupError::Unexpected)),
                None => self.add(detached(member_id), None),
            };
        }
        let member = match self.classic.validate_member(member_id, instance_id) {
            Ok(member) => member,
            Err(error) => {
                return Outcome::reply(refused(member_id, error));
            }
        };
        let unchanged = member.protocols == self.protocols;
        let is_leader = self.classic.is_leader(member_id);
        match self.classic.state {
            // The answer to the first join was lost: here it is again.
            State::CompletingRebalance if unchanged => {
                Outcome::reply(Answer::Now(current_generation(self.classic, member_id, is_leader)))
            }
            // A follower with nothing new needs no rebalance. A leader may have seen that the topics changed.
            State::Stable if unchanged && !is_leader => {
                Outcome::reply(Answer::Now(current_generation(self.classic, member_id, false)))
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                let mut draft = self.draft();
                self.update(&mut draft, member_id);
                draft.prepare_rebalance_or_complete_join();
                draft.finish(Answer::Parked(detached(member_id)))
            }
            State::Empty => Outcome::reply(refused(member_id, GroupError::UnknownMemberId)),
        }
    }

    /// Takes over what the request says of a member, whose request is parked from now on.
    fn update(&self, draft: &mut Draft<'_>, member_id: &StrBytes) {
        if let Some(member) = draft.member_mut(member_id) {
            member.protocols = self.protocols.clone();
            member.rebalance_timeout_ms = self.request().rebalance_timeout_ms;
            member.session_timeout_ms = self.request().session_timeout_ms;
            member.awaiting_join = true;
        }
    }

    fn add(&self, member_id: StrBytes, instance_id: Option<StrBytes>) -> Joined {
        let member = Member {
            id: member_id.clone(),
            instance_id,
            client_id: detached(&self.command.caller.client_id),
            client_host: detached(&self.command.caller.client_host),
            rebalance_timeout_ms: self.request().rebalance_timeout_ms,
            session_timeout_ms: self.request().session_timeout_ms,
            protocols: self.protocols.clone(),
            assignment: bytes::Bytes::new(),
            awaiting_join: true,
            awaiting_sync: false,
            is_new: true,
        };
        let mut draft = self.draft();
        if let Some(initial) = &mut draft.group.initial_join {
            initial.member_added = true;
        }
        draft.add_member(member, detached(&self.request().protocol_type));
        // A new member sends no heartbeats while its request is parked, and a client that gave up meanwhile would
        // leave one member behind with each retry: so the wait itself is limited.
        draft.arm(
            Timer::Session(member_id.clone()),
            self.config.new_member_join_timeout_ms,
        );
        draft.prepare_rebalance_or_complete_join();
        draft.finish(Answer::Parked(member_id))
    }

    /// A static member comes back under a new member id. In a stable group that needs no rebalance, as long as the
    /// group would still agree on the same protocol.
    fn replace_static(&self, instance_id: &StrBytes, old_id: &StrBytes, new_id: StrBytes) -> Joined {
        let mut draft = self.draft();
        draft.replace_static_member(instance_id, old_id, &new_id);
        self.update(&mut draft, &new_id);
        match self.classic.state {
            State::Stable if draft.group.select_protocol() == draft.group.protocol_name => {
                if let Some(member) = draft.member_mut(&new_id) {
                    member.awaiting_join = false;
                }
                draft.set_durable();
                let response = self.came_back(&draft.group, &new_id);
                draft.finish(Answer::Now(response))
            }
            // The leader may already be assigning to the old member id, so everybody has to join again.
            State::Stable | State::CompletingRebalance => {
                draft.prepare_rebalance();
                draft.finish(Answer::Parked(new_id))
            }
            State::PreparingRebalance | State::Empty => {
                draft.complete_join_if_all_joined();
                draft.finish(Answer::Parked(new_id))
            }
        }
    }

    fn came_back(&self, group: &ClassicGroup, new_id: &StrBytes) -> JoinGroupResponse {
        if self.command.caller.api_version >= SKIP_ASSIGNMENT_SINCE {
            let is_leader = group.is_leader(new_id);
            return current_generation(group, new_id, is_leader).with_skip_assignment(is_leader);
        }
        // Before that a leader must believe that it is none, or it would assign: it is shown its old id as the leader.
        let old_leader = self.classic.leader.clone().unwrap_or_default();
        current_generation(group, new_id, false).with_leader(old_leader)
    }
}
