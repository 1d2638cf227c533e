//! SaslHandshake (key 17), versions 0–1: there is no listener with SASL, so no client has to say who it is.

use kafka_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Refuses it, as Apache Kafka does on a listener without SASL.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    _request: SaslHandshakeRequest,
) -> Result<SaslHandshakeResponse, Disconnect> {
    Ok(SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code()))
}
