//! CreateDelegationToken (key 38), versions 1–3: a token stands for who asks, and nobody is known here. Version 3 added a
//! token for somebody else.

use kafka_protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Who asks on a connection without authentication.
const ANONYMOUS: (StrBytes, StrBytes) = (
    StrBytes::from_static_str("User"),
    StrBytes::from_static_str("ANONYMOUS"),
);

/// Refuses it, as Apache Kafka does on a listener without authentication.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    version: i16,
    request: CreateDelegationTokenRequest,
) -> Result<CreateDelegationTokenResponse, Disconnect> {
    let (kind, name) = ANONYMOUS;
    let owner = match (&request.owner_principal_type, &request.owner_principal_name) {
        (Some(kind), Some(name)) if version >= 3 && !name.is_empty() => (kind.clone(), name.clone()),
        _ => (kind.clone(), name.clone()),
    };
    let mut response = CreateDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenRequestNotAllowed.code())
        .with_principal_type(owner.0)
        .with_principal_name(owner.1)
        .with_issue_timestamp_ms(-1)
        .with_expiry_timestamp_ms(-1)
        .with_max_timestamp_ms(-1);
    if version >= 3 {
        response.token_requester_principal_type = kind;
        response.token_requester_principal_name = name;
    }
    Ok(response)
}
