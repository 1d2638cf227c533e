//! ExpireDelegationToken (key 40), versions 1–2: there are no tokens, as nobody is known here.

use kafka_protocol::messages::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Refuses it, as Apache Kafka does on a listener without authentication.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    _request: ExpireDelegationTokenRequest,
) -> Result<ExpireDelegationTokenResponse, Disconnect> {
    Ok(ExpireDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenRequestNotAllowed.code())
        .with_expiry_timestamp_ms(-1))
}
