//! AlterReplicaLogDirs (key 34), versions 1–2: there is one data directory, in which every replica is already.
//!
//! To move a replica there is done at once; any other directory is unknown. Version 2 is the flexible encoding.

use std::collections::BTreeMap;

use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, TopicName};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// The longest name of a directory.
const NAME_LENGTH_MAX: usize = 255;

/// What a topic and partition grow by in the name of the directory of a replica on its way: `-`, the partition, `.`, 32
/// digits, `-future`.
const FUTURE_SUFFIX_LENGTH: usize = ".".len() + 32 + "-future".len();

/// Answers for each replica; the last directory that is named for it counts.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: AlterReplicaLogDirsRequest,
) -> Result<AlterReplicaLogDirsResponse, Disconnect> {
    let mut wanted: BTreeMap<TopicName, BTreeMap<i32, &str>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            let partitions = wanted.entry(topic.name.clone()).or_default();
            partitions.extend(topic.partitions.iter().map(|partition| (*partition, &*dir.path)));
        }
    }
    let results = wanted.into_iter().map(|(topic, partitions)| {
        let results = partitions.into_iter().map(|(partition, dir)| {
            AlterReplicaLogDirPartitionResult::default()
                .with_partition_index(partition)
                .with_error_code(refusal(ctx, &topic, partition, dir).map_or(0, |error| error.code()))
        });
        let results = results.collect();
        AlterReplicaLogDirTopicResult::default()
            .with_topic_name(topic)
            .with_partitions(results)
    });
    Ok(AlterReplicaLogDirsResponse::default().with_results(results.collect()))
}

fn refusal(ctx: &RequestContext, topic: &str, partition: i32, dir: &str) -> Option<ResponseError> {
    if format!("{topic}-{partition}").len() + FUTURE_SUFFIX_LENGTH > NAME_LENGTH_MAX {
        return Some(ResponseError::InvalidTopicException);
    }
    if ctx.broker.data_dir.to_str() != Some(dir) {
        return Some(ResponseError::LogDirNotFound);
    }
    let found = ctx.broker.topics.get(topic);
    let is_here = found.is_some_and(|topic| topic.partitions.iter().any(|known| known.index == partition));
    (!is_here).then_some(ResponseError::UnknownTopicOrPartition)
}
