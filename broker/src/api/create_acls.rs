//! CreateAcls (key 30), versions 1–3: refused, since there is no authorizer ([`super::describe_acls`]).

use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use super::describe_acls::{NO_AUTHORIZER, refuse_unknown};
use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Refuses each.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    request: CreateAclsRequest,
) -> Result<CreateAclsResponse, Disconnect> {
    for acl in &request.creations {
        refuse_unknown([
            acl.resource_type,
            acl.resource_pattern_type,
            acl.operation,
            acl.permission_type,
        ])?;
    }
    let refused = AclCreationResult::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(NO_AUTHORIZER));
    Ok(CreateAclsResponse::default().with_results(vec![refused; request.creations.len()]))
}
