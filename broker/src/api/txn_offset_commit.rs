//! TxnOffsetCommit (key 28), versions 0–5: offsets that count when the producer's transaction is committed.
//!
//! Version 2 adds the leader epoch, version 3 the consumer's member and generation (KIP-447). Up to version 4 AddOffsetsToTxn
//! must have come before: what it did not is `INVALID_TXN_STATE`, or from version 4 on `TRANSACTION_ABORTABLE`. Version 5
//! makes the group's offsets part of the transaction by itself (KIP-890).

use std::collections::HashMap;

use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::coordinator::group::offsets::{OFFSETS_TOPIC, commit_pending_refused, partition_for};
use crate::coordinator::txn::{Caller, Partitions, TxnError};
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
    let mut answers = Answers::default();
    for topic in std::mem::take(&mut request.topics) {
        request.topics.extend(only_existing(ctx, topic, &mut answers));
    }
    // Where no partition exists, neither the transaction nor the group is looked at.
    if !request.topics.is_empty() {
        let committed = commit(ctx, version, &request).await;
        let committed = committed.unwrap_or_else(|error| commit_pending_refused(&request, error_code(error, version)));
        for topic in committed.topics {
            answers.of(&topic.name).extend(topic.partitions);
        }
    }
    Ok(TxnOffsetCommitResponse::default().with_topics(answers.topics))
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
    let index = partition_for(&request.group_id);
    if id.is_empty() && !request.group_id.is_empty() {
        return Err(TxnError::InvalidRequest);
    }
    if version >= ADDS_SINCE && !request.group_id.is_empty() {
        txns.add(id, caller, &offsets_partition(index)).await?;
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

/// What is left of the topic without the partitions that do not exist; those are answered.
fn only_existing(
    ctx: &RequestContext,
    mut topic: TxnOffsetCommitRequestTopic,
    answers: &mut Answers,
) -> Option<TxnOffsetCommitRequestTopic> {
    let known = ctx.broker.topics.get(&topic.name);
    let exists = |partition: i32| known.as_ref().is_some_and(|known| known.partition(partition).is_some());
    let (kept, unknown) = topic
        .partitions
        .into_iter()
        .partition(|partition| exists(partition.partition_index));
    topic.partitions = kept;
    let unknown: Vec<_> = unknown;
    if !unknown.is_empty() || known.is_none() {
        let error_code = ResponseError::UnknownTopicOrPartition.code();
        answers.of(&topic.name).extend(unknown.into_iter().map(|partition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error_code)
        }));
    }
    (!topic.partitions.is_empty()).then_some(topic)
}

/// The answer's topics, each once, in the order in which they were first answered.
#[derive(Default)]
struct Answers {
    topics: Vec<TxnOffsetCommitResponseTopic>,
    by_name: HashMap<TopicName, usize>,
}

impl Answers {
    fn of(&mut self, name: &TopicName) -> &mut Vec<TxnOffsetCommitResponsePartition> {
        let index = *self.by_name.entry(name.clone()).or_insert_with(|| {
            self.topics
                .push(TxnOffsetCommitResponseTopic::default().with_name(name.clone()));
            self.topics.len() - 1
        });
        &mut self.topics[index].partitions
    }
}
