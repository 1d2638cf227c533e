//! OffsetForLeaderEpoch (key 23), versions 2–4: where an epoch of a log ends, for clients that check whether what they have
//! is still there (KIP-320).

use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::fetch::check_leader_epoch;
use super::{Disconnect, RequestContext};
use crate::error::ResponseError;
use crate::metadata::topics::{Partition, Topic};

/// Answers for each partition.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, Disconnect> {
    let topics = request.topics.into_iter().map(|asked| {
        let topic = ctx.broker.topics.get(&asked.topic);
        let partitions = asked
            .partitions
            .iter()
            .map(|partition| answer(topic.as_deref(), partition))
            .collect();
        OffsetForLeaderTopicResult::default()
            .with_topic(asked.topic)
            .with_partitions(partitions)
    });
    Ok(OffsetForLeaderEpochResponse::default().with_topics(topics.collect()))
}

fn answer(topic: Option<&Topic>, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let answer = EpochEndOffset::default()
        .with_partition(asked.partition)
        .with_leader_epoch(-1)
        .with_end_offset(-1);
    let partition = topic
        .and_then(|topic| topic.partition(asked.partition))
        .ok_or(ResponseError::UnknownTopicOrPartition)
        .and_then(|partition| check_leader_epoch(partition, asked.current_leader_epoch).map(|()| partition));
    match partition {
        Err(error) => answer.with_error_code(error.code()),
        Ok(partition) => {
            let (epoch, end_offset) = end_offset(partition, asked.leader_epoch);
            answer.with_leader_epoch(epoch).with_end_offset(end_offset)
        }
    }
}

/// The largest epoch that is not above `epoch`, and where it ends; `(-1, -1)` for an epoch that there has not been.
///
/// The log knows the epochs under which something was written. The leader's own is there from the start, as in Kafka.
pub(crate) fn end_offset(partition: &Partition, epoch: i32) -> (i32, i64) {
    if epoch == partition.leader_epoch {
        return (epoch, partition.log.offsets().log_end_offset);
    }
    if epoch == -1 || epoch > partition.leader_epoch {
        return (-1, -1);
    }
    if epoch < 0 {
        // Before the first epoch there is nothing: it ends where the first begins.
        return (epoch, partition.log.offsets().log_start_offset);
    }
    partition.log.end_offset_for_epoch(epoch)
}
