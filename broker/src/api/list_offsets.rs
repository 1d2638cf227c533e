//! ListOffsets (key 2), versions 1–10: offsets by time.
//!
//! Besides a time there are -1 (the end), -2 (the start) and, from versions 7, 8 and 9 on, -3 (the record with the greatest
//! timestamp), -4 (the start of what is local, which is all) and -5 (the end of what is in remote storage, which is
//! nothing). Any other negative number is UNSUPPORTED_VERSION.

use std::collections::HashSet;

use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::fetch::check_leader_epoch;
use super::{Disconnect, RequestContext};
use crate::error::ResponseError;
use crate::log::{ReadError, TimedOffset};
use crate::metadata::topics::{Partition, Topic};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// Answers for each partition.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Disconnect> {
    let doubled = doubled(&request);
    let mut told = HashSet::new();
    let committed_only = request.isolation_level == 1;
    // Apache Kafka does not foresee another level.
    let known_level = (0..=1).contains(&request.isolation_level);
    // It answers by partition, so a topic without any is not in its answer.
    let asked = request.topics.into_iter().filter(|asked| !asked.partitions.is_empty());
    let topics = asked.map(|asked| {
        let topic = ctx.broker.topics.get(&asked.name);
        let partitions = asked.partitions.iter().filter_map(|partition| {
            let place = (asked.name.to_string(), partition.partition_index);
            let found = if !known_level {
                Err(ResponseError::UnknownServerError)
            } else if !doubled.contains(&place) {
                find(topic.as_deref(), partition, version, committed_only)
            } else if told.insert(place) {
                Err(ResponseError::InvalidRequest)
            } else {
                return None;
            };
            Some(respond(partition.partition_index, version, found))
        });
        ListOffsetsTopicResponse::default()
            .with_partitions(partitions.collect())
            .with_name(asked.name.clone())
    });
    Ok(ListOffsetsResponse::default().with_topics(topics.collect()))
}

/// The partitions that are asked for more than once.
fn doubled(request: &ListOffsetsRequest) -> HashSet<(String, i32)> {
    let mut seen = HashSet::new();
    let partitions = request.topics.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|partition| (topic.name.to_string(), partition.partition_index))
    });
    partitions.filter(|partition| !seen.insert(partition.clone())).collect()
}

fn respond(
    index: i32,
    version: i16,
    found: Result<Option<TimedOffset>, ResponseError>,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(index)
        .with_timestamp(-1)
        .with_offset(-1);
    match found {
        Err(error) => response.with_error_code(error.code()),
        Ok(None) => response,
        Ok(Some(found)) => {
            let response = response.with_timestamp(found.timestamp_ms).with_offset(found.offset);
            if version >= 4 {
                response.with_leader_epoch(found.leader_epoch)
            } else {
                response
            }
        }
    }
}

fn find(
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
    version: i16,
    committed_only: bool,
) -> Result<Option<TimedOffset>, ResponseError> {
    let needs_version = match asked.timestamp {
        LATEST | EARLIEST | 0.. => 1,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        _ => i16::MAX,
    };
    if version < needs_version {
        return Err(ResponseError::UnsupportedVersion);
    }
    let partition = topic
        .and_then(|topic| topic.partition(asked.partition_index))
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_leader_epoch(partition, asked.current_leader_epoch)?;
    let log = &partition.log;
    let offsets = log.offsets();
    let end = if committed_only {
        offsets.last_stable_offset
    } else {
        offsets.high_watermark
    };
    let at = |offset, leader_epoch| {
        Ok(Some(TimedOffset {
            timestamp_ms: -1,
            offset,
            leader_epoch,
        }))
    };
    let by_time = |found: Result<Option<TimedOffset>, ReadError>| {
        // What is not yet committed is not there yet.
        found
            .map(|found| found.filter(|found| found.offset < end))
            .map_err(|error| error.response_error())
    };
    match asked.timestamp {
        LATEST => at(end, partition.leader_epoch),
        EARLIEST | EARLIEST_LOCAL => at(offsets.log_start_offset, epoch_of(partition, offsets.log_start_offset)),
        LATEST_TIERED => at(-1, -1),
        MAX_TIMESTAMP => by_time(log.max_timestamp()),
        timestamp_ms => by_time(log.offset_for_time(timestamp_ms)),
    }
}

/// The epoch under which the record at `offset` was written, or will be.
fn epoch_of(partition: &Partition, offset: i64) -> i32 {
    let ends_after = |epoch: &i32| {
        let (found, end_offset) = partition.log.end_offset_for_epoch(*epoch);
        found == *epoch && end_offset > offset
    };
    (0..partition.leader_epoch)
        .find(ends_after)
        .unwrap_or(partition.leader_epoch)
}
