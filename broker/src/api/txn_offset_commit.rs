//! TxnOffsetCommit (key 28), versions 0–5: offsets that count when the producer's transaction is committed.
//!
//! Version 2 adds the leader epoch, version 3 the consumer's member and generation (KIP-447). Up to version 4 AddOffsetsToTxn
//! must have come before: what it did not is `INVALID_TXN_STATE`, or from version 4 on `TRANSACTION_ABORTABLE`. Version 5
//! makes the group's offsets part of the transaction by itself (KIP-890).

use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use kafka_protocol::protocol::StrBytes;

use super::offset_topics::Answers;
use super::{Disconnect, RequestContext};
use crate::coordinator::group::offsets::{OFFSETS_TOPIC, commit_pending_refused};
use crate::coordinator::txn::{Caller, Partitions, TxnError, Version};
use crate::error::ResponseError;

/// From this version on there is `TRANSACTION_ABORTABLE`.
const ABORTABLE_SINCE: i16 = 4;
/// From this version on the group's offsets need not be added before.
const ADDS_SINCE: i16 = 5;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    mut request: TxnOffsetCommitRequest,
) -> Result<TxnOffsetCommitResponse, Disconnect> {
    let asked = std::mem::take(&mut request.topics);
    let (existing, mut answers) = Answers::but_for_existing(ctx, asked);
    request.topics = existing;
    // Where no partition exists, neither the transaction nor the group is looked at.
    if !request.topics.is_empty() {
        let committed = commit(ctx, version, &request).await;
        let committed = committed.unwrap_or_else(|error| commit_pending_refused(&request, error_code(error, version)));
        for topic in committed.topics {
            answers.of(&topic.name).extend(topic.partitions);
        }
    }
    Ok(TxnOffsetCommitResponse::default().with_topics(answers.into_topics()))
}

async fn commit(
    ctx: &RequestContext,
    version: i16,
    request: &TxnOffsetCommitRequest,
) -> Result<TxnOffsetCommitResponse, TxnError> {
    let caller = Caller {
        producer_id: *request.producer_id,
        producer_epoch: request.producer_epoch,
    };
    let (txns, id) = (&ctx.broker.txns, &request.transactional_id);
    let index = ctx.broker.groups.partition_of(&request.group_id);
    if id.is_empty() && !request.group_id.is_empty() {
        return Err(TxnError::InvalidRequest);
    }
    if version >= ADDS_SINCE && !request.group_id.is_empty() {
        txns.add(id, caller, Version::V2, &offsets_partition(index)).await?;
    }
    let topic = StrBytes::from_static_str(OFFSETS_TOPIC);
    let groups = &ctx.broker.groups;
    groups
        .commit_pending(request, |work| txns.while_open(id, caller, &topic, index, work))
        .await
}

fn error_code(error: TxnError, version: i16) -> i16 {
    match error {
        TxnError::ProducerFenced => ResponseError::InvalidProducerEpoch.code(),
        TxnError::Abortable if version < ABORTABLE_SINCE => ResponseError::InvalidTxnState.code(),
        other => other.code(),
    }
}

/// One partition of the offsets' topic.
pub(super) fn offsets_partition(index: i32) -> Partitions {
    Partitions::from([(StrBytes::from_static_str(OFFSETS_TOPIC), [index].into())])
}
