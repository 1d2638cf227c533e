//! SaslAuthenticate (key 36), versions 0–2: there is no listener with SASL, so every connection is authenticated from its
//! start.

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Refuses it, as Apache Kafka does on a listener without SASL.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    _request: SaslAuthenticateRequest,
) -> Result<SaslAuthenticateResponse, Disconnect> {
    let text = StrBytes::from_static_str("SaslAuthenticate request received after successful authentication");
    Ok(SaslAuthenticateResponse::default()
        .with_error_code(ResponseError::IllegalSaslState.code())
        .with_error_message(Some(text)))
}
