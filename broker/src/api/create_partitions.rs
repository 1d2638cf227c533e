//! CreatePartitions (key 37), versions 0–3: give topics more partitions.
//!
//! Checks, their order and their texts are those of Kafka's controller.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName};

use super::create_topics::{PARTITIONS_MAX, check_replicas, check_timeout, named_twice, topics_error};
use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

/// Checks and makes the partitions of each topic.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Disconnect> {
    let doubled = named_twice(request.topics.iter().map(|topic| &topic.name));
    if let Err(late) = check_timeout(request.timeout_ms)
        && request.topics.iter().any(|topic| !doubled.contains(&topic.name))
    {
        let refuse = |topic: &CreatePartitionsTopic| respond(&topic.name, Err(late.clone()));
        return Ok(CreatePartitionsResponse::default().with_results(request.topics.iter().map(refuse).collect()));
    }
    let duplicate = || ApiError::new(ResponseError::InvalidRequest, "Duplicate topic name.");
    let mut results: Vec<_> = doubled.iter().map(|name| respond(name, Err(duplicate()))).collect();
    for topic in request.topics.iter().filter(|topic| !doubled.contains(&topic.name)) {
        results.push(respond(&topic.name, grow(ctx, topic, request.validate_only).await));
    }
    Ok(CreatePartitionsResponse::default().with_results(results))
}

fn respond(name: &TopicName, result: Result<(), ApiError>) -> CreatePartitionsTopicResult {
    let response = CreatePartitionsTopicResult::default().with_name(name.clone());
    match result {
        Ok(()) => response,
        Err(error) => response.with_error_code(error.code()).with_error_message(error.message),
    }
}

async fn grow(ctx: &RequestContext, asked: &CreatePartitionsTopic, validate_only: bool) -> Result<(), ApiError> {
    let invalid = |reason: String| Err(ApiError::new(ResponseError::InvalidPartitions, reason));
    let topic = ctx
        .broker
        .topics
        .get(&asked.name)
        .ok_or_else(|| ApiError::silent(ResponseError::UnknownTopicOrPartition))?;
    let (now, wanted) = (topic.partitions.len(), usize::try_from(asked.count).unwrap_or(0));
    if wanted == now {
        return invalid(format!("Topic already has {now} partition(s)."));
    }
    if wanted < now {
        return invalid(format!(
            "The topic {} currently has {now} partition(s); {} would not be an increase.",
            *asked.name, asked.count
        ));
    }
    let additional = wanted - now;
    if let Some(assignments) = &asked.assignments {
        if assignments.len() != additional {
            return Err(ApiError::new(
                ResponseError::InvalidReplicaAssignment,
                format!(
                    "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                    assignments.len()
                ),
            ));
        }
        assignments
            .iter()
            .try_for_each(|assignment| check_replicas(ctx, &assignment.broker_ids, Some(1)))?;
    }
    if asked.count > PARTITIONS_MAX {
        // More records than Apache Kafka's controller writes at once, which it does not foresee here.
        return Err(ApiError::silent(ResponseError::UnknownServerError));
    }
    if validate_only {
        return Ok(());
    }
    ctx.broker
        .topics
        .add_partitions(&asked.name, asked.count)
        .await
        .map_err(topics_error)
}
