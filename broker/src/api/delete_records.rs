//! DeleteRecords (key 21), versions 0–2: move a partition's start up to an offset; -1 stands for the high watermark.
//!
//! The new start is durable before the answer.

use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;
use crate::metadata::topics::Topic;

/// Moves each partition's start.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, Disconnect> {
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = ctx.broker.topics.get(&asked.name);
        let partitions = asked.partitions.iter().map(|partition| {
            let response = DeleteRecordsPartitionResult::default().with_partition_index(partition.partition_index);
            match delete(topic.as_deref(), partition.partition_index, partition.offset) {
                Ok(low_watermark) => response.with_low_watermark(low_watermark),
                Err(error) => response.with_low_watermark(-1).with_error_code(error.code()),
            }
        });
        topics.push(
            DeleteRecordsTopicResult::default()
                .with_partitions(partitions.collect())
                .with_name(asked.name.clone()),
        );
    }
    if let Err(error) = ctx.broker.store.flush().await {
        tracing::error!(%error, "deleted records may come back");
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = ResponseError::KafkaStorageError.code();
            partition.low_watermark = -1;
        }
    }
    Ok(DeleteRecordsResponse::default().with_topics(topics))
}

fn delete(topic: Option<&Topic>, index: i32, offset: i64) -> Result<i64, ResponseError> {
    let partition = topic
        .and_then(|topic| topic.partition(index))
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    partition
        .log
        .delete_records(offset)
        .map_err(|error| error.response_error())
}
