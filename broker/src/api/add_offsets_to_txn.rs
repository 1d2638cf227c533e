//! AddOffsetsToTxn (key 25), versions 0–4: a group's offsets become part of a producer's transaction.
//!
//! Transactions know the group by the partition of `__consumer_offsets` to which it belongs. Version 2 knows
//! `PRODUCER_FENCED`. Clients of `transaction.version` 2 leave this out: TxnOffsetCommit from version 5 on does it (KIP-890).

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{Disconnect, RequestContext};
use crate::api::txn_offset_commit::offsets_partition;
use crate::coordinator::txn::{Caller, TxnError, Version};

/// From this version on there is `PRODUCER_FENCED`.
const FENCED_SINCE: i16 = 2;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: AddOffsetsToTxnRequest,
) -> Result<AddOffsetsToTxnResponse, Disconnect> {
    let caller = Caller {
        producer_id: *request.producer_id,
        producer_epoch: request.producer_epoch,
    };
    let id = &request.transactional_id;
    let added = if id.is_empty() {
        Err(TxnError::InvalidRequest)
    } else {
        let partitions = offsets_partition(ctx.broker.groups.partition_of(&request.group_id));
        ctx.broker.txns.add(id, caller, Version::V1, &partitions).await
    };
    let error_code = added.map_or_else(|error| error.code_for(version >= FENCED_SINCE), |()| 0);
    Ok(AddOffsetsToTxnResponse::default().with_error_code(error_code))
}
