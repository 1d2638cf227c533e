//! DescribeDelegationToken (key 41), versions 1–3: there are no tokens, as nobody is known here.

use kafka_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Refuses it, as Apache Kafka does on a listener without authentication.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    _request: DescribeDelegationTokenRequest,
) -> Result<DescribeDelegationTokenResponse, Disconnect> {
    Ok(DescribeDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenRequestNotAllowed.code()))
}
