//! ListGroups (16), v0–5: all groups.
//!
//! v4 adds each group's state and a filter by it (KIP-518), v5 the same for its type (KIP-848).

use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::{Disconnect, RequestContext};

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: ListGroupsRequest,
) -> Result<ListGroupsResponse, Disconnect> {
    Ok(ListGroupsResponse::default().with_groups(ctx.broker.groups.list(&request)))
}
