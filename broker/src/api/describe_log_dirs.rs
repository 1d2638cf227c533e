//! DescribeLogDirs (key 35), versions 1–4: how much each partition takes of the one data directory.
//!
//! Without a list of topics all are told; of a list, those partitions that there are. Version 3 added a top-level error, version 4 the size of the disk and what is
//! left of it.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::metadata::topics::Topic;

/// Describes the data directory.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: DescribeLogDirsRequest,
) -> Result<DescribeLogDirsResponse, Disconnect> {
    let topics = &ctx.broker.topics;
    let described: Vec<_> = match request.topics {
        None => topics.all().iter().map(|topic| describe(topic, |_| true)).collect(),
        Some(asked) => {
            // A set of partitions, whatever topics they were named with.
            let mut wanted: BTreeMap<StrBytes, HashSet<i32>> = BTreeMap::new();
            for asked in asked {
                wanted.entry(asked.topic.0).or_default().extend(asked.partitions);
            }
            let found = wanted.iter().filter_map(|(name, wanted)| {
                let described = describe(&*topics.get(name)?, |partition| wanted.contains(&partition));
                (!described.partitions.is_empty()).then_some(described)
            });
            found.collect()
        }
    };
    let dir = &ctx.broker.data_dir;
    let mut result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(dir.display().to_string()))
        .with_topics(described);
    if version >= 4 {
        let (total_bytes, usable_bytes) = disk_space(dir).unwrap_or((-1, -1));
        result.total_bytes = total_bytes;
        result.usable_bytes = usable_bytes;
    }
    Ok(DescribeLogDirsResponse::default().with_results(vec![result]))
}

fn describe(topic: &Topic, wanted: impl Fn(i32) -> bool) -> DescribeLogDirsTopic {
    let partitions = topic.partitions.iter().filter(|partition| wanted(partition.index));
    let partitions = partitions.map(|partition| {
        DescribeLogDirsPartition::default()
            .with_partition_index(partition.index)
            .with_partition_size(i64::try_from(partition.log.size_bytes()).unwrap_or(i64::MAX))
            .with_offset_lag(0)
            .with_is_future_key(false)
    });
    DescribeLogDirsTopic::default()
        .with_name(TopicName(topic.name.clone()))
        .with_partitions(partitions.collect())
}

/// The bytes of the disk that holds `path`, and those of them that can still be used.
fn disk_space(path: &std::path::Path) -> Option<(i64, i64)> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    let mut stats = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in a zero byte and `stats` is room for one answer.
    if unsafe { libc::statvfs(path.as_ptr(), stats.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: a successful call has filled it in.
    let stats = unsafe { stats.assume_init() };
    let bytes = |blocks| i64::try_from(u128::from(blocks) * u128::from(stats.f_frsize)).ok();
    Some((bytes(stats.f_blocks)?, bytes(stats.f_bavail)?))
}
