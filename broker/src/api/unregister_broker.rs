//! UnregisterBroker (key 64), version 0: takes a broker that has gone out of the cluster (KIP-631). The only one is here.

use kafka_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

/// Refuses other brokers as unknown, and this one as it serves.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: UnregisterBrokerRequest,
) -> Result<UnregisterBrokerResponse, Disconnect> {
    let id = *request.broker_id;
    let error = if id == ctx.broker.node_id {
        // Apache Kafka would do it, and serve nobody until it is started anew.
        ApiError::new(
            ResponseError::InvalidRequest,
            "The only broker of the cluster cannot be unregistered.",
        )
    } else {
        let reason = format!("Broker ID {id} is not currently registered");
        ApiError::new(ResponseError::BrokerIdNotRegistered, reason)
    };
    let message: Option<StrBytes> = error.message.clone();
    Ok(UnregisterBrokerResponse::default()
        .with_error_code(error.code())
        .with_error_message(message))
}
