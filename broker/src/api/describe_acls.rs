//! DescribeAcls (key 29), versions 1–3: nobody's rights are limited here, as in Apache Kafka without an authorizer.

use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Says that there is no authorizer.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    request: DescribeAclsRequest,
) -> Result<DescribeAclsResponse, Disconnect> {
    refuse_unknown([
        request.resource_type_filter,
        request.pattern_type_filter,
        request.operation,
        request.permission_type,
    ])?;
    Ok(DescribeAclsResponse::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str(
            "No Authorizer is configured on the broker",
        ))))
}

/// What an administrator is told who would change what is not there.
pub(super) const NO_AUTHORIZER: StrBytes = StrBytes::from_static_str("No Authorizer is configured.");

/// Apache Kafka closes the connection on which a resource type, a pattern type, an operation or a permission type is 0,
/// `UNKNOWN`.
pub(super) fn refuse_unknown(codes: [i8; 4]) -> Result<(), Disconnect> {
    if codes.contains(&0) {
        return Err(Disconnect("an ACL with an UNKNOWN element".to_owned()));
    }
    Ok(())
}
