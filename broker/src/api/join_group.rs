//! JoinGroup (11), v0–9: a member joins or rejoins a group; the answer waits until the group's members have.
//!
//! * v1 adds the rebalance time-out; before, the session time-out stands for it.
//! * v4 hands a dynamic member its id first (`MEMBER_ID_REQUIRED`, KIP-394).
//! * v5 adds `group.instance.id` (KIP-345), v7 the protocol type in the answer (KIP-559), v8 a reason (KIP-800).
//! * v9 adds `skip_assignment` for a static leader that comes back (KIP-814).

use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::{Disconnect, RequestContext};
use crate::coordinator::group::Caller;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    mut request: JoinGroupRequest,
) -> Result<JoinGroupResponse, Disconnect> {
    if version == 0 {
        request.rebalance_timeout_ms = request.session_timeout_ms;
    }
    let caller = Caller {
        client_id: ctx.client_id.clone().unwrap_or_default(),
        client_host: ctx.client_host.clone().into(),
        api_version: version,
    };
    let response = unless_gone(ctx, ctx.broker.groups.join(caller, request)).await?;
    let mut response = response.ok_or_else(|| Disconnect("the member has sent another JoinGroup".into()))?;
    if version < 7 && response.protocol_name.is_none() {
        response.protocol_name = Some(Default::default());
    }
    Ok(response)
}

/// Waits for an answer as long as the client does. When the broker stops, everybody who waits is answered.
pub(super) async fn unless_gone<T>(ctx: &RequestContext, answer: impl Future<Output = T>) -> Result<T, Disconnect> {
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => return Ok(answer),
        () = ctx.gone.cancelled() => {}
    }
    if ctx.broker.stop.is_cancelled() {
        return Ok(answer.await);
    }
    Err(Disconnect("the client left while its request waited".into()))
}
