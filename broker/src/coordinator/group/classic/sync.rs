//! SyncGroup, by which the leader hands in the assignment and everybody gets theirs, and Heartbeat.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse, SyncGroupRequest, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::{ClassicGroup, Draft, State};
use crate::coordinator::group::consumer::{self, TopicsView};
use crate::coordinator::group::{
    Answer, Effect, Group, GroupConfig, GroupError, Outcome, Timer, detached, detached_bytes,
};

type Synced = Outcome<Answer<SyncGroupResponse>>;

fn refused(error: GroupError) -> Synced {
    Outcome::reply(Answer::Now(SyncGroupResponse::default().with_error_code(error.code())))
}

/// Decides on a SyncGroup.
pub fn sync(
    group: &Group,
    config: &GroupConfig,
    now_ms: i64,
    request: &SyncGroupRequest,
    topics: &dyn TopicsView,
) -> Synced {
    if request.group_id.is_empty() {
        return refused(GroupError::InvalidGroupId);
    }
    if let Some(consumer) = &group.consumer {
        return consumer::classic_sync(consumer, request, topics);
    }
    let Some(classic) = group
        .membership
        .as_ref()
        .filter(|classic| classic.state != State::Empty)
    else {
        return refused(GroupError::UnknownMemberId);
    };
    if let Err(error) = validate(classic, request) {
        return refused(error);
    }
    match classic.state {
        State::Empty | State::PreparingRebalance => refused(GroupError::RebalanceInProgress),
        State::CompletingRebalance => hand_in(Draft::new(classic, config, now_ms), request),
        State::Stable => {
            let member = classic.members.get(&request.member_id);
            let response = SyncGroupResponse::default()
                .with_protocol_type(classic.protocol_type.clone())
                .with_protocol_name(classic.protocol_name.clone())
                .with_assignment(member.map(|member| member.assignment.clone()).unwrap_or_default());
            if !classic.pending_syncs.contains(&request.member_id) {
                return Outcome::reply(Answer::Now(response));
            }
            let mut draft = Draft::new(classic, config, now_ms);
            arrived(&mut draft, &request.member_id);
            draft.finish(Answer::Now(response))
        }
    }
}

fn validate(classic: &ClassicGroup, request: &SyncGroupRequest) -> Result<(), GroupError> {
    classic.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
    if request.generation_id != classic.generation {
        return Err(GroupError::IllegalGeneration);
    }
    let differs =
        |theirs: &Option<StrBytes>, ours: &Option<StrBytes>| theirs.is_some() && ours.is_some() && theirs != ours;
    if differs(&request.protocol_type, &classic.protocol_type)
        || differs(&request.protocol_name, &classic.protocol_name)
    {
        return Err(GroupError::InconsistentGroupProtocol);
    }
    Ok(())
}

/// A member has sent its SyncGroup; when all have, nobody has to be waited for any more.
fn arrived(draft: &mut Draft<'_>, member_id: &StrBytes) {
    draft.group.pending_syncs.remove(member_id);
    if draft.group.pending_syncs.is_empty() {
        draft.cancel(Timer::Sync);
    }
}

fn hand_in(mut draft: Draft<'_>, request: &SyncGroupRequest) -> Synced {
    let member_id = &request.member_id;
    if let Some(member) = draft.member_mut(member_id) {
        member.awaiting_sync = true;
    }
    arrived(&mut draft, member_id);
    if draft.group.is_leader(member_id) {
        let mut assignments: HashMap<&StrBytes, Bytes> = HashMap::new();
        for assignment in &request.assignments {
            assignments.insert(&assignment.member_id, detached_bytes(&assignment.assignment));
        }
        draft.assign(|member_id| assignments.remove(member_id).unwrap_or_default());
    }
    draft.finish(Answer::Parked(detached(member_id)))
}

/// Decides on a Heartbeat: the session starts anew, and the member learns of a rebalance.
pub fn heartbeat(group: &Group, request: &HeartbeatRequest) -> Outcome<HeartbeatResponse> {
    let answer =
        |error: Option<GroupError>| HeartbeatResponse::default().with_error_code(error.map_or(0, GroupError::code));
    if request.group_id.is_empty() {
        return Outcome::reply(answer(Some(GroupError::InvalidGroupId)));
    }
    if let Some(consumer) = &group.consumer {
        return consumer::classic_heartbeat(consumer, request);
    }
    let Some(classic) = &group.membership else {
        return Outcome::reply(answer(Some(GroupError::UnknownMemberId)));
    };
    let member = match classic.validate_member(&request.member_id, request.group_instance_id.as_ref()) {
        Ok(member) => member,
        Err(error) => return Outcome::reply(answer(Some(error))),
    };
    if request.generation_id != classic.generation {
        return Outcome::reply(answer(Some(GroupError::IllegalGeneration)));
    }
    let error = match classic.state {
        State::Empty => return Outcome::reply(answer(Some(GroupError::UnknownMemberId))),
        State::PreparingRebalance => Some(GroupError::RebalanceInProgress),
        State::CompletingRebalance | State::Stable => None,
    };
    let renewed = Effect::Arm {
        timer: Timer::Session(member.id.clone()),
        after_ms: member.session_timeout_ms,
    };
    Outcome {
        reply: answer(error),
        records: Vec::new(),
        effects: vec![renewed],
    }
}
