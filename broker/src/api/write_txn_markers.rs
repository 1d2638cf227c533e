//! WriteTxnMarkers (key 27), version 1: markers by hand, past the transaction coordinator.
//!
//! Apache Kafka's coordinators send this to the partitions' leaders; here the coordinator writes its markers itself. What is
//! left is the administrator who ends a transaction that hangs (`kafka-transactions abort`).

use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{ProducerId, TopicName, WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::{Disconnect, RequestContext};
use crate::coordinator::group::offsets::OFFSETS_TOPIC;
use crate::error::ResponseError;
use crate::runtime::txn::append_marker;

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: WriteTxnMarkersRequest,
) -> Result<WriteTxnMarkersResponse, Disconnect> {
    let mut answer = Answer::default();
    for marker in &request.markers {
        for topic in &marker.topics {
            for index in &topic.partition_indexes {
                let error_code = write(ctx, marker, topic, *index).await;
                answer.put(marker.producer_id, &topic.name, *index, error_code);
            }
        }
    }
    Ok(WriteTxnMarkersResponse::default().with_markers(answer.0))
}

async fn write(ctx: &RequestContext, marker: &WritableTxnMarker, topic: &WritableTxnMarkerTopic, index: i32) -> i16 {
    let of_offsets = topic.name.as_str() == OFFSETS_TOPIC;
    if of_offsets && (ctx.broker.topics.get(OFFSETS_TOPIC).is_none() || *marker.producer_id < 0) {
        return end_groups(ctx, marker, index);
    }
    // Kafka's batches refuse to be of nobody.
    if *marker.producer_id < 0 || marker.producer_epoch < 0 {
        return ResponseError::UnknownServerError.code();
    }
    let found = ctx.broker.topics.get(&topic.name);
    let Some(partition) = found.as_ref().and_then(|topic| topic.partition(index)) else {
        return ResponseError::UnknownTopicOrPartition.code();
    };
    let appended = append_marker(
        partition,
        *marker.producer_id,
        marker.producer_epoch,
        marker.coordinator_epoch,
        marker.transaction_result,
        ctx.broker.clock.now_ms(),
    );
    let synced = match appended {
        Ok(appended) if appended.needs_sync => partition.log.synced(appended.last_offset + 1).await,
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match synced {
        Err(error) => error.response_error().code(),
        Ok(()) if of_offsets => end_groups(ctx, marker, index),
        Ok(()) => 0,
    }
}

/// Ends a transaction in the groups of a partition.
fn end_groups(ctx: &RequestContext, marker: &WritableTxnMarker, index: i32) -> i16 {
    let groups = &ctx.broker.groups;
    if groups.end_transaction(index, *marker.producer_id, marker.transaction_result) {
        0
    } else {
        ResponseError::NotLeaderOrFollower.code()
    }
}

/// The answer: each producer of whom partitions are named once, each of its topics once, in the order in which they were
/// first named.
#[derive(Default)]
struct Answer(Vec<WritableTxnMarkerResult>);

impl Answer {
    fn of(&mut self, producer_id: ProducerId) -> &mut WritableTxnMarkerResult {
        let at = self.0.iter().position(|result| result.producer_id == producer_id);
        let at = at.unwrap_or_else(|| {
            self.0
                .push(WritableTxnMarkerResult::default().with_producer_id(producer_id));
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    fn put(&mut self, producer_id: ProducerId, name: &TopicName, index: i32, error_code: i16) {
        let topics = &mut self.of(producer_id).topics;
        let at = topics.iter().position(|topic| topic.name == *name).unwrap_or_else(|| {
            topics.push(WritableTxnMarkerTopicResult::default().with_name(name.clone()));
            topics.len() - 1
        });
        let partitions = &mut topics[at].partitions;
        match partitions
            .iter_mut()
            .find(|partition| partition.partition_index == index)
        {
            Some(partition) => partition.error_code = error_code,
            None => partitions.push(
                WritableTxnMarkerPartitionResult::default()
                    .with_partition_index(index)
                    .with_error_code(error_code),
            ),
        }
    }
}
