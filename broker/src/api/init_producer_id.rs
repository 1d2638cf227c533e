//! InitProducerId (key 22), versions 0–5: an id for an idempotent producer.
//!
//! Without a transactional id the producer gets a new id with epoch 0, whatever id it says that it had. Transactional
//! producers are not served yet: UNSUPPORTED_VERSION, which clients take as fatal.

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Gives out an id.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Disconnect> {
    let refused = |error: ResponseError| {
        Ok(InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1))
    };
    // An id without an epoch, or the other way round, is no producer's.
    if (*request.producer_id == -1) != (request.producer_epoch == -1) {
        return refused(ResponseError::InvalidRequest);
    }
    match request.transactional_id.as_deref() {
        Some(id) if id.is_empty() => refused(ResponseError::InvalidRequest),
        Some(_) => refused(ResponseError::UnsupportedVersion),
        None => match ctx.broker.producer_ids.next().await {
            Ok(id) => Ok(InitProducerIdResponse::default()
                .with_producer_id(id.into())
                .with_producer_epoch(0)),
            Err(error) => {
                tracing::error!(%error, "no producer id can be given out");
                refused(ResponseError::CoordinatorNotAvailable)
            }
        },
    }
}
