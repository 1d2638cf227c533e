//! DescribeQuorum (key 55), versions 0–2: the controllers, of which this broker is the only one.
//!
//! Metadata is in a store and not in a log, so the offsets of its log are all 0. Version 1 added times, version 2
//! directories, errors as text and the controllers' addresses.

use kafka_protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use kafka_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// The topic that stands for the log of metadata.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// Describes the one partition that there is to describe, if it alone was asked for.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: DescribeQuorumRequest,
) -> Result<DescribeQuorumResponse, Disconnect> {
    let [topic] = &request.topics[..] else {
        return Ok(unknown(request));
    };
    let partitions: Vec<_> = topic.partitions.iter().map(|asked| asked.partition_index).collect();
    if &*topic.topic_name != METADATA_TOPIC || partitions != [0] {
        return Ok(unknown(request));
    }
    let broker = &ctx.broker;
    let now_ms = broker.clock.now_ms();
    let mut leader = ReplicaState::default()
        .with_replica_id(BrokerId(broker.node_id))
        .with_log_end_offset(0);
    if version >= 1 {
        leader = leader
            .with_last_fetch_timestamp(now_ms)
            .with_last_caught_up_timestamp(now_ms);
    }
    let partition = PartitionData::default()
        .with_leader_id(BrokerId(broker.node_id))
        .with_leader_epoch(1)
        .with_high_watermark(0)
        .with_current_voters(vec![leader]);
    let mut response = DescribeQuorumResponse::default().with_topics(vec![
        TopicData::default()
            .with_topic_name(TopicName(StrBytes::from_static_str(METADATA_TOPIC)))
            .with_partitions(vec![partition]),
    ]);
    if version >= 2 {
        let listener = Listener::default()
            .with_name(StrBytes::from_static_str("CONTROLLER"))
            .with_host(StrBytes::from_string(broker.advertised.host.clone()))
            .with_port(broker.advertised.port);
        response.nodes = vec![
            Node::default()
                .with_node_id(BrokerId(broker.node_id))
                .with_listeners(vec![listener]),
        ];
    }
    Ok(response)
}

/// Every partition that was asked for is unknown.
fn unknown(request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            PartitionData::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(ResponseError::UnknownTopicOrPartition.code())
                .with_error_message(Some(StrBytes::from_static_str(
                    "This server does not host this topic-partition.",
                )))
        });
        TopicData::default()
            .with_partitions(partitions.collect())
            .with_topic_name(topic.topic_name)
    });
    DescribeQuorumResponse::default().with_topics(topics.collect())
}
