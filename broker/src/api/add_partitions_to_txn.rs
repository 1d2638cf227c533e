//! AddPartitionsToTxn (key 24), versions 0–5: partitions become part of a producer's transaction.
//!
//! All of a transaction's partitions are added or none: where one does not exist, the others are `OPERATION_NOT_ATTEMPTED`.
//! Clients may not name the topics of the coordinators. Version 2 knows `PRODUCER_FENCED`. From version 4 on, which Apache
//! Kafka's brokers send each other, there are several transactions in one request, and each can be verified instead of added
//! to (KIP-890).

use std::collections::HashMap;

use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::coordinator::group::offsets::OFFSETS_TOPIC;
use crate::coordinator::txn::{Caller, Partitions, TRANSACTIONS_TOPIC, TxnError, Version};
use crate::error::ResponseError;

/// From this version on there is `PRODUCER_FENCED`.
const FENCED_SINCE: i16 = 2;
/// From this version on there are several transactions.
const BATCHED_SINCE: i16 = 4;

/// Topics of the coordinators, whose partitions clients do not add.
const INTERNAL: [&str; 2] = [OFFSETS_TOPIC, TRANSACTIONS_TOPIC];

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
    let asked = &transaction.topics;
    let missing = |topic: &str, index: i32| {
        if version < BATCHED_SINCE && INTERNAL.contains(&topic) {
            return Some(ResponseError::TopicAuthorizationFailed);
        }
        let found = ctx.broker.topics.get(topic);
        let exists = found.is_some_and(|topic| topic.partition(index).is_some())
            || topic == OFFSETS_TOPIC && (0..ctx.broker.groups.partitions()).contains(&index);
        (!exists).then_some(ResponseError::UnknownTopicOrPartition)
    };
    let mut all = asked
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(move |index| (&topic.name, *index)));
    if all.any(|(topic, index)| missing(topic, index).is_some()) {
        return answer(asked, |topic, index| {
            missing(topic, index)
                .unwrap_or(ResponseError::OperationNotAttempted)
                .code()
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
        return answer(asked, |_, _| TxnError::InvalidRequest.code());
    }
    let partitions = partitions(asked);
    if transaction.verify_only {
        return match ctx.broker.txns.verify(id, caller, &partitions).await {
            Ok(verified) => {
                let places = partitions
                    .iter()
                    .flat_map(|(topic, indexes)| indexes.iter().map(move |index| (topic.as_str(), *index)));
                let codes: HashMap<(&str, i32), i16> = places.zip(verified.into_iter().map(code)).collect();
                answer(asked, |topic, index| codes.get(&(topic, index)).copied().unwrap_or(0))
            }
            Err(error) => answer(asked, |_, _| error.code()),
        };
    }
    let rules = if version < BATCHED_SINCE {
        Version::V1
    } else {
        Version::V2
    };
    let code = code(ctx.broker.txns.add(id, caller, rules, &partitions).await);
    answer(asked, |_, _| code)
}

/// Each topic of which partitions are named, once.
fn partitions(topics: &[AddPartitionsToTxnTopic]) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        // A copy that does not keep the request's frame alive.
        let name = StrBytes::from_string(topic.name.to_string());
        partitions.entry(name).or_default().extend(&topic.partitions);
    }
    partitions
}

/// An error code for each partition as it was asked for.
fn answer(topics: &[AddPartitionsToTxnTopic], code: impl Fn(&str, i32) -> i16) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = topics.iter().map(|topic| {
        let results = topic.partitions.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(code(&topic.name, *index))
        });
        AddPartitionsToTxnTopicResult::default()
            .with_results_by_partition(results.collect())
            .with_name(topic.name.clone())
    });
    topics.collect()
}
