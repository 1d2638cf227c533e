//! DescribeProducers (key 61), version 0: the idempotent and transactional producers that a partition still knows.

use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};
use crate::log::KnownProducer;
use crate::metadata::topics::{Topic, check_name};

/// Describes each partition's producers, in the order of their ids.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: DescribeProducersRequest,
) -> Result<DescribeProducersResponse, Disconnect> {
    let topics = request.topics.into_iter().map(|asked| {
        let topic = match check_name(&asked.name) {
            Ok(()) => ctx
                .broker
                .topics
                .get(&asked.name)
                .ok_or_else(|| ApiError::plain(ResponseError::UnknownTopicOrPartition)),
            Err(reason) => Err(ApiError::new(ResponseError::InvalidTopicException, reason)),
        };
        let partitions = asked.partition_indexes.iter();
        let partitions = partitions.map(|index| describe(topic.as_deref().map_err(ApiError::clone), *index));
        TopicResponse::default()
            .with_partitions(partitions.collect())
            .with_name(asked.name.clone())
    });
    Ok(DescribeProducersResponse::default().with_topics(topics.collect()))
}

fn describe(topic: Result<&Topic, ApiError>, index: i32) -> PartitionResponse {
    let response = PartitionResponse::default().with_partition_index(index);
    // Of a topic that is there Kafka names the error alone.
    let unknown = || ApiError::silent(ResponseError::UnknownTopicOrPartition);
    let partition = topic.and_then(|topic| topic.partition(index).ok_or_else(unknown));
    match partition {
        Ok(partition) => response
            .with_error_message(None)
            .with_active_producers(partition.log.producers().into_iter().map(show).collect()),
        Err(error) => response.with_error_code(error.code()).with_error_message(error.message),
    }
}

fn show(producer: KnownProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(i32::from(producer.epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp_ms)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.transaction_first_offset.unwrap_or(-1))
}
