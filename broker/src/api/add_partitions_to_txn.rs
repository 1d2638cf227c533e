//! AddPartitionsToTxn (key 24), versions 0–5: partitions become part of a producer's transaction.
//!
//! All of a transaction's partitions are added or none: where one does not exist, the others are `OPERATION_NOT_ATTEMPTED`.
//! Version 2 knows `PRODUCER_FENCED`. From version 4 on, which Apache Kafka's brokers send each other, there are several
//! transactions in one request, and each can be verified instead of added to (KIP-890).

use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::coordinator::txn::{Caller, Partitions, TxnError};
use crate::error::ResponseError;

/// From this version on there is `PRODUCER_FENCED`.
const FENCED_SINCE: i16 = 2;
/// From this version on there are several transactions.
const BATCHED_SINCE: i16 = 4;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: AddPartitionsToTxnRequest,
) -> Result<AddPartitionsToTxnResponse, Disconnect> {
    if version >= BATCHED_SINCE {
        let mut results = Vec::with_capacity(request.transactions.len());
        for transaction in request.transactions {
            let topics = add(ctx, version, &transaction).await;
            results.push(
                AddPartitionsToTxnResult::default()
                    .with_transactional_id(transaction.transactional_id)
                    .with_topic_results(topics),
            );
        }
        return Ok(AddPartitionsToTxnResponse::default().with_results_by_transaction(results));
    }
    let only = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(request.v3_and_below_transactional_id)
        .with_producer_id(request.v3_and_below_producer_id)
        .with_producer_epoch(request.v3_and_below_producer_epoch)
        .with_topics(request.v3_and_below_topics);
    let topics = add(ctx, version, &only).await;
    Ok(AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics))
}

async fn add(
    ctx: &RequestContext,
    version: i16,
    transaction: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let partitions = partitions(&transaction.topics);
    let exists = |topic: &StrBytes, index: i32| {
        let found = ctx.broker.topics.get(topic);
        found.is_some_and(|topic| topic.partition(index).is_some())
    };
    let all_exist = partitions
        .iter()
        .all(|(topic, indexes)| indexes.iter().all(|index| exists(topic, *index)));
    if !all_exist {
        return answer(&partitions, |topic, index| {
            if exists(topic, index) {
                ResponseError::OperationNotAttempted.code()
            } else {
                ResponseError::UnknownTopicOrPartition.code()
            }
        });
    }
    let caller = Caller {
        producer_id: *transaction.producer_id,
        producer_epoch: transaction.producer_epoch,
    };
    let id = &transaction.transactional_id;
    let code =
        |result: Result<(), TxnError>| result.map_or_else(|error| error.code_for(version >= FENCED_SINCE), |()| 0);
    if id.is_empty() {
        return answer(&partitions, |_, _| TxnError::InvalidRequest.code());
    }
    if transaction.verify_only {
        return match ctx.broker.txns.verify(id, caller, &partitions) {
            Ok(verified) => {
                let mut verified = verified.into_iter();
                answer(&partitions, |_, _| verified.next().map_or(0, code))
            }
            Err(error) => answer(&partitions, |_, _| error.code()),
        };
    }
    let code = code(ctx.broker.txns.add(id, caller, &partitions).await);
    answer(&partitions, |_, _| code)
}

fn partitions(topics: &[AddPartitionsToTxnTopic]) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in topics {
        // A copy that does not keep the request's frame alive.
        let name = StrBytes::from_string(topic.name.to_string());
        partitions.entry(name).or_default().extend(&topic.partitions);
    }
    partitions
}

/// An error code for each partition, asked for in order.
fn answer(partitions: &Partitions, mut code: impl FnMut(&StrBytes, i32) -> i16) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = partitions.iter().map(|(topic, indexes)| {
        let results = indexes.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(code(topic, *index))
        });
        AddPartitionsToTxnTopicResult::default()
            .with_results_by_partition(results.collect())
            .with_name(TopicName(topic.clone()))
    });
    topics.collect()
}
