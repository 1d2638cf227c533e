//! DeleteAcls (key 31), versions 1–3: refused, since there is no authorizer ([`super::describe_acls`]).

use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

use super::describe_acls::{NO_AUTHORIZER, refuse_unknown};
use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Refuses each filter.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    request: DeleteAclsRequest,
) -> Result<DeleteAclsResponse, Disconnect> {
    for filter in &request.filters {
        refuse_unknown([
            filter.resource_type_filter,
            filter.pattern_type_filter,
            filter.operation,
            filter.permission_type,
        ])?;
    }
    let refused = DeleteAclsFilterResult::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(NO_AUTHORIZER));
    Ok(DeleteAclsResponse::default().with_filter_results(vec![refused; request.filters.len()]))
}
