//! Heartbeat (12), v0–4: a member is alive, and learns whether its group rebalances.
//!
//! v3 adds `group.instance.id` (KIP-345).

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Disconnect, RequestContext};

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: HeartbeatRequest,
) -> Result<HeartbeatResponse, Disconnect> {
    Ok(ctx.broker.groups.heartbeat(&request).await)
}
