//! LeaveGroup: members go, or an administrator removes static ones by their instance id, and any of a consumer group.

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{Draft, State};
use crate::coordinator::group::consumer::TopicsView;
use crate::coordinator::group::{Group, GroupConfig, GroupError, Outcome, Timer, consumer};

/// Decides on a LeaveGroup whose members stand in `members`, at any version.
pub fn leave(
    group: &Group,
    config: &GroupConfig,
    now_ms: i64,
    request: &LeaveGroupRequest,
    topics: &dyn TopicsView,
) -> Outcome<LeaveGroupResponse> {
    if request.group_id.is_empty() {
        return Outcome::reply(LeaveGroupResponse::default().with_error_code(GroupError::InvalidGroupId.code()));
    }
    if let Some(group) = &group.consumer {
        return consumer::remove(group, config, now_ms, request, topics);
    }
    let Some(classic) = &group.membership else {
        let unknown = |member: &MemberIdentity| result(member, Err(GroupError::UnknownMemberId));
        return Outcome::reply(
            LeaveGroupResponse::default().with_members(request.members.iter().map(unknown).collect()),
        );
    };
    let mut draft = Draft::new(classic, config, now_ms);
    let mut anybody_left = false;
    let mut members = Vec::with_capacity(request.members.len());
    for member in &request.members {
        let left = remove(&mut draft, member);
        anybody_left |= left.is_ok();
        members.push(result(member, left));
    }
    let response = LeaveGroupResponse::default().with_members(members);
    if !anybody_left {
        return Outcome::reply(response);
    }
    match draft.group.state {
        State::Stable | State::CompletingRebalance => draft.prepare_rebalance_or_complete_join(),
        State::PreparingRebalance => draft.complete_join_if_all_joined(),
        State::Empty => {}
    }
    draft.finish(response)
}

fn result(member: &MemberIdentity, left: Result<(), GroupError>) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(member.member_id.clone())
        .with_group_instance_id(member.group_instance_id.clone())
        .with_error_code(left.err().map_or(0, GroupError::code))
}

fn remove(draft: &mut Draft<'_>, member: &MemberIdentity) -> Result<(), GroupError> {
    let member_id = if member.member_id.is_empty() {
        let instance_id = member.group_instance_id.as_ref().ok_or(GroupError::UnknownMemberId)?;
        draft
            .group
            .static_members
            .get(instance_id)
            .cloned()
            .ok_or(GroupError::UnknownMemberId)?
    } else if draft.group.pending_joins.contains(&member.member_id) {
        member.member_id.clone()
    } else {
        draft
            .group
            .validate_member(&member.member_id, member.group_instance_id.as_ref())?
            .id
            .clone()
    };
    draft.cancel(Timer::Session(member_id.clone()));
    draft.refuse_join(&member_id);
    draft.remove_member(&member_id);
    Ok(())
}
