//! AlterPartitionReassignments (key 45), versions 0–1: a partition can only be where it is.
//!
//! To put it on this broker is done at once; any other place is refused as Kafka refuses a broker that it does not know; and
//! there is never a move to cancel. A time-out that leaves no time is over at once. Version 1 may forbid to change the number of replicas, which cannot change here.

use kafka_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use super::create_topics::check_replicas;
use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

/// Answers for each partition.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: AlterPartitionReassignmentsRequest,
) -> Result<AlterPartitionReassignmentsResponse, Disconnect> {
    let response = AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(request.allow_replication_factor_change);
    if request.topics.is_empty() {
        return Ok(response);
    }
    let timed_out = (request.timeout_ms <= 0).then(|| ApiError::silent(ResponseError::RequestTimedOut));
    let responses = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let response = ReassignablePartitionResponse::default().with_partition_index(partition.partition_index);
            let outcome = match &timed_out {
                Some(error) => Err(error.clone()),
                None => reassign(ctx, &topic.name, partition),
            };
            match outcome {
                Ok(()) => response.with_error_message(None),
                Err(error) => response.with_error_code(error.code()).with_error_message(error.message),
            }
        });
        ReassignableTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    Ok(response
        .with_error_code(timed_out.as_ref().map_or(0, ApiError::code))
        .with_error_message(None)
        .with_responses(responses.collect()))
}

fn reassign(ctx: &RequestContext, topic: &str, asked: &ReassignablePartition) -> Result<(), ApiError> {
    let unknown = |reason: String| ApiError::new(ResponseError::UnknownTopicOrPartition, reason);
    let found = ctx.broker.topics.get(topic);
    let found = found.ok_or_else(|| unknown(format!("Unable to find a topic named {topic}.")))?;
    if found.partition(asked.partition_index).is_none() {
        let reason = format!("Unable to find partition {topic}:{}.", asked.partition_index);
        return Err(unknown(reason));
    }
    match &asked.replicas {
        Some(replicas) => check_replicas(ctx, replicas, None),
        None => Err(ApiError::silent(ResponseError::NoReassignmentInProgress)),
    }
}
