//! InitProducerId (key 22), versions 0–5: an id for a producer.
//!
//! Without a transactional id the producer gets a new id with epoch 0, whatever id it says that it had. With one it takes the
//! id over: the epoch goes up, and whoever had it before is fenced; a transaction that it left open is aborted first, and the
//! producer asked to come again. From version 3 on a producer can come back with what it has (KIP-360), version 4 knows
//! `PRODUCER_FENCED`, version 5 that a transaction is to be aborted (KIP-890).

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Disconnect, RequestContext};
use crate::coordinator::txn::TxnError;

/// From this version on there is `PRODUCER_FENCED`.
const FENCED_SINCE: i16 = 4;

/// Gives out an id.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Disconnect> {
    let given = match init(ctx, &request).await {
        Ok((producer_id, producer_epoch)) => InitProducerIdResponse::default()
            .with_producer_id(producer_id.into())
            .with_producer_epoch(producer_epoch),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(error.code_for(version >= FENCED_SINCE))
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    };
    Ok(given)
}

async fn init(ctx: &RequestContext, request: &InitProducerIdRequest) -> Result<(i64, i16), TxnError> {
    let expected = match (*request.producer_id, request.producer_epoch) {
        (-1, -1) => None,
        // An id without an epoch, or the other way round, is no producer's.
        (-1, _) | (_, -1) => return Err(TxnError::InvalidRequest),
        both => Some(both),
    };
    match request.transactional_id.as_deref() {
        Some(id) if id.is_empty() => Err(TxnError::InvalidRequest),
        Some(id) => ctx.broker.txns.init(id, request.transaction_timeout_ms, expected).await,
        None => match ctx.broker.producer_ids.next().await {
            Ok(id) => Ok((id, 0)),
            Err(error) => {
                tracing::error!(%error, "no producer id can be given out");
                Err(TxnError::NoProducerId)
            }
        },
    }
}
