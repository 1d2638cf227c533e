//! SyncGroup (14), v0–5: the leader hands in the assignment, and each member waits for its own.
//!
//! v3 adds `group.instance.id` (KIP-345), v5 the protocol type and name (KIP-559).

use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::join_group::unless_gone;
use super::{Disconnect, RequestContext};

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, Disconnect> {
    let response = unless_gone(ctx, ctx.broker.groups.sync(request)).await?;
    response.ok_or_else(|| Disconnect("the member has sent another SyncGroup".into()))
}
