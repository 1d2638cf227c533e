//! DeleteGroups (42), v0–2: removes groups without members, with their offsets.

use std::collections::HashSet;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::{Disconnect, RequestContext};

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: DeleteGroupsRequest,
) -> Result<DeleteGroupsResponse, Disconnect> {
    let mut seen = HashSet::new();
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group_id in request.groups_names {
        if seen.insert(group_id.clone()) {
            let deleted = ctx.broker.groups.delete(&group_id).await;
            let error_code = deleted.err().map_or(0, |error| error.code());
            results.push(
                DeletableGroupResult::default()
                    .with_group_id(group_id)
                    .with_error_code(error_code),
            );
        }
    }
    Ok(DeleteGroupsResponse::default().with_results(results))
}
