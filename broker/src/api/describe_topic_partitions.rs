//! DescribeTopicPartitions (key 75), version 0: topics and their partitions, a page at a time (KIP-966).
//!
//! Topics come in the order of their names. A page has at most `response.partition.limit` partitions, and never more than
//! `max.request.partition.size.limit`; the cursor says where the next one begins.

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext, operations};
use crate::error::ResponseError;
use crate::metadata::topics::{Topic, check_name};

/// Describes a page of topics.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: DescribeTopicPartitionsRequest,
) -> Result<DescribeTopicPartitionsResponse, Disconnect> {
    let topics = &ctx.broker.topics;
    let all = request.topics.is_empty();
    let asked: Vec<StrBytes> = request.topics.into_iter().map(|topic| topic.name.0).collect();
    let names: BTreeSet<StrBytes> = if all {
        topics.all().iter().map(|topic| topic.name.clone()).collect()
    } else {
        asked.iter().cloned().collect()
    };
    let (from_topic, from_partition) = match &request.cursor {
        None => (StrBytes::new(), 0),
        Some(cursor) => {
            let listed = all || names.contains(&cursor.topic_name.0);
            match usize::try_from(cursor.partition_index) {
                Ok(partition) if listed => (cursor.topic_name.0.clone(), partition),
                _ => return Ok(refused(asked, ResponseError::InvalidRequest)),
            }
        }
    };
    if !all && names.range(from_topic.clone()..).any(|name| name.is_empty()) {
        return Ok(refused(asked, ResponseError::UnknownServerError));
    }
    let most = i32::try_from(ctx.broker.config.int("max.request.partition.size.limit")).unwrap_or(i32::MAX);
    let mut left = usize::try_from(request.response_partition_limit.min(most).max(1)).unwrap_or(1);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names.range(from_topic.clone()..) {
        let Some(topic) = topics.get(name) else {
            if !all {
                response.topics.push(unknown(name));
            }
            continue;
        };
        let first = if *name == from_topic { from_partition } else { 0 };
        if left == 0 {
            response.next_cursor = Some(cursor(name, first));
            break;
        }
        let end = topic.partitions.len().min(first.saturating_add(left));
        let described = describe(ctx, &topic, first.min(end)..end);
        left -= described.partitions.len();
        response.topics.push(described);
        if end < topic.partitions.len() {
            response.next_cursor = Some(cursor(name, end));
            break;
        }
    }
    Ok(response)
}

/// The whole request is refused: the error stands at each topic, as the answer has no other place for it.
fn refused(asked: Vec<StrBytes>, error: ResponseError) -> DescribeTopicPartitionsResponse {
    let topic = |name| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(TopicName(name)))
            .with_topic_authorized_operations(operations::UNKNOWN)
    };
    DescribeTopicPartitionsResponse::default().with_topics(asked.into_iter().map(topic).collect())
}

fn cursor(name: &StrBytes, partition: usize) -> Cursor {
    Cursor::default()
        .with_topic_name(TopicName(name.clone()))
        .with_partition_index(i32::try_from(partition).unwrap_or(i32::MAX))
}

fn unknown(name: &StrBytes) -> DescribeTopicPartitionsResponseTopic {
    let error = match check_name(name) {
        Ok(()) => ResponseError::UnknownTopicOrPartition,
        Err(_) => ResponseError::InvalidTopicException,
    };
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(error.code())
        .with_name(Some(TopicName(name.clone())))
        .with_topic_authorized_operations(operations::TOPIC)
}

fn describe(
    ctx: &RequestContext,
    topic: &Topic,
    partitions: std::ops::Range<usize>,
) -> DescribeTopicPartitionsResponseTopic {
    let node = BrokerId(ctx.broker.node_id);
    let partitions = topic.partitions[partitions].iter().map(|partition| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(partition.index)
            .with_leader_id(node)
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    });
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(topic.name.clone())))
        .with_topic_id(topic.id)
        .with_is_internal(topic.internal)
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(operations::TOPIC)
}
