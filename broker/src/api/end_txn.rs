//! EndTxn (key 26), versions 0–5: a producer commits or aborts its transaction.
//!
//! The answer says that the end is decided, also if the broker dies now. Version 2 knows `PRODUCER_FENCED`. From version 5 on
//! the epoch goes up with each end, and the answer tells the producer what it is from now on (KIP-890).

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::{Disconnect, RequestContext};
use crate::coordinator::txn::{Caller, EndCommand, TxnError, Version};

/// From this version on there is `PRODUCER_FENCED`.
const FENCED_SINCE: i16 = 2;
/// From this version on each end raises the epoch.
const EPOCH_RAISED_SINCE: i16 = 5;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: EndTxnRequest,
) -> Result<EndTxnResponse, Disconnect> {
    let command = EndCommand {
        caller: Caller {
            producer_id: *request.producer_id,
            producer_epoch: request.producer_epoch,
        },
        commit: request.committed,
        version: if version >= EPOCH_RAISED_SINCE {
            Version::V2
        } else {
            Version::V1
        },
        new_producer_id: None,
    };
    let ended = if request.transactional_id.is_empty() {
        Err(TxnError::InvalidRequest)
    } else {
        ctx.broker.txns.end(&request.transactional_id, command).await
    };
    Ok(match ended {
        Ok(ended) => EndTxnResponse::default()
            .with_producer_id(ended.producer_id.into())
            .with_producer_epoch(ended.producer_epoch),
        Err(error) => EndTxnResponse::default()
            .with_error_code(error.code_for(version >= FENCED_SINCE))
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    })
}
