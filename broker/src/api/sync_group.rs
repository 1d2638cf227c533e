//! SyncGroup (14), v0–5: the leader hands in the assignment, and each member waits for its own.
//!
//! v3 adds `group.instance.id` (KIP-345), v5 the protocol type and name (KIP-559), without which it refuses.

use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::join_group::unless_gone;
use super::{Disconnect, RequestContext};
use crate::coordinator::group::GroupError;

/// From this version on the member must name the protocol.
const PROTOCOL_SINCE: i16 = 5;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, Disconnect> {
    if version >= PROTOCOL_SINCE && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        let error = GroupError::InconsistentGroupProtocol;
        return Ok(SyncGroupResponse::default().with_error_code(error.code()));
    }
    let response = unless_gone(ctx, ctx.broker.groups.sync(request)).await?;
    response.ok_or_else(|| Disconnect("the member has sent another SyncGroup".into()))
}
