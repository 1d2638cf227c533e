//! LeaveGroup (13), v0–5: members leave a group, or an administrator removes static ones.
//!
//! v3 takes several members, by member id or `group.instance.id` (KIP-345); before, there is one, and its error is the
//! answer's. v5 adds a reason (KIP-800).

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{Disconnect, RequestContext};

/// From this version on the answer has a result per member.
const MEMBERS_SINCE: i16 = 3;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    mut request: LeaveGroupRequest,
) -> Result<LeaveGroupResponse, Disconnect> {
    if version < MEMBERS_SINCE {
        request.members = vec![MemberIdentity::default().with_member_id(request.member_id.clone())];
    }
    let mut response = ctx.broker.groups.leave(&request).await;
    if version < MEMBERS_SINCE {
        let of_member = response.members.drain(..).map(|member| member.error_code).next();
        if response.error_code == 0 {
            response.error_code = of_member.unwrap_or(0);
        }
    }
    Ok(response)
}
