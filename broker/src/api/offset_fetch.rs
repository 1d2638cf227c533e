//! OffsetFetch (9), v1–9: the committed offsets of groups.
//!
//! * v2 may ask for all topics (null) and adds an error for the whole answer; v5 adds the leader epoch.
//! * v7 adds `require_stable`: an offset that an open transaction is about to replace is `UNSTABLE_OFFSET_COMMIT` (KIP-447).
//! * v8 asks for several groups at once (KIP-709), v9 names the member and its epoch (KIP-848).
//!
//! v10 (topic ids) is unstable in Apache Kafka 4.1 and not announced there either.

use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::{Disconnect, RequestContext};

/// From this version on there are several groups.
const GROUPS_SINCE: i16 = 8;
/// From this version on there is an error for the whole answer.
const TOP_LEVEL_ERROR_SINCE: i16 = 2;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: OffsetFetchRequest,
) -> Result<OffsetFetchResponse, Disconnect> {
    let require_stable = request.require_stable;
    if version < GROUPS_SINCE {
        let wanted = only_group(request);
        let group = ctx.broker.groups.fetch(&wanted, require_stable).await;
        return Ok(one_group(version, &wanted, group));
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    for wanted in &request.groups {
        groups.push(ctx.broker.groups.fetch(wanted, require_stable).await);
    }
    Ok(OffsetFetchResponse::default().with_groups(groups))
}

fn only_group(request: OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter();
        topics
            .map(|topic| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic.name)
                    .with_partition_indexes(topic.partition_indexes)
            })
            .collect()
    });
    OffsetFetchRequestGroup::default()
        .with_group_id(request.group_id)
        .with_topics(topics)
}

fn one_group(version: i16, wanted: &OffsetFetchRequestGroup, group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    if version < TOP_LEVEL_ERROR_SINCE && group.error_code != 0 {
        return OffsetFetchResponse::default().with_topics(everywhere(wanted, group.error_code));
    }
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    let topic = |topic: OffsetFetchResponseTopics| {
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(topic.partitions.into_iter().map(partition).collect())
    };
    OffsetFetchResponse::default()
        .with_error_code(group.error_code)
        .with_topics(group.topics.into_iter().map(topic).collect())
}

/// The error, for every partition that was asked for.
fn everywhere(wanted: &OffsetFetchRequestGroup, error_code: i16) -> Vec<OffsetFetchResponseTopic> {
    let partition = |index: &i32| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(*index)
            .with_committed_offset(-1)
            .with_committed_leader_epoch(-1)
            .with_error_code(error_code)
    };
    let topic = |topic: &OffsetFetchRequestTopics| {
        OffsetFetchResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(topic.partition_indexes.iter().map(partition).collect())
    };
    wanted.topics.iter().flatten().map(topic).collect()
}
