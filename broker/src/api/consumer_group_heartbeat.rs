//! ConsumerGroupHeartbeat (68), v0–1: members of consumer groups join, follow their assignment and leave (KIP-848).
//!
//! v1 adds subscribing by a regular expression, and lets the client choose its member id (KIP-1082).
//!
//! The first such member of a classic group of consumers makes a consumer group of it, in which the others go on with
//! JoinGroup, SyncGroup and Heartbeat (`group.consumer.migration.policy`).

use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::{Disconnect, RequestContext};
use crate::coordinator::group::Caller;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, Disconnect> {
    let caller = Caller {
        client_id: ctx.client_id.clone().unwrap_or_default(),
        client_host: ctx.client_host.clone().into(),
        api_version: version,
    };
    Ok(ctx.broker.groups.consumer_heartbeat(caller, request).await)
}
