//! Metadata (key 3), versions 0–13: the broker and the topics, and their creation at the first mention.
//!
//! No list means all topics (version 0: an empty list), an empty list means none. A topic that is not there is made where
//! `auto.create.topics.enable` and, from version 4 on, the request allow it. As in Apache Kafka, where another process makes
//! it meanwhile, that first answer is an error; who asks again finds it. Version 10 added topic ids, version 12 asks by
//! them, version 13 a top-level error.

use std::collections::HashSet;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Disconnect, RequestContext, create_topics, operations};
use crate::error::ResponseError;
use crate::metadata::topics::{Topic, check_name, is_internal};

/// Answers, making what may be made.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: MetadataRequest,
) -> Result<MetadataResponse, Disconnect> {
    let broker = &ctx.broker;
    let may_create =
        broker.config.boolean("auto.create.topics.enable") && (version < 4 || request.allow_auto_topic_creation);
    if let Some(error) = refuses(version, request.topics.as_deref().unwrap_or_default()) {
        return Ok(refusal(version, request.topics.unwrap_or_default(), error));
    }
    let mut topics = match request.topics {
        Some(asked) if version >= 1 || !asked.is_empty() => some(ctx, version, asked, may_create).await,
        _ => broker
            .topics
            .all()
            .iter()
            .map(|topic| describe(ctx, version, topic))
            .collect(),
    };
    if version >= 8 && request.include_topic_authorized_operations {
        for topic in &mut topics {
            topic.topic_authorized_operations = operations::TOPIC;
        }
    }
    let node = MetadataResponseBroker::default()
        .with_node_id(BrokerId(broker.node_id))
        .with_host(StrBytes::from_string(broker.advertised.host.clone()))
        .with_port(i32::from(broker.advertised.port))
        .with_rack(broker.rack.clone());
    let mut response = MetadataResponse::default()
        .with_brokers(vec![node])
        .with_topics(topics)
        .with_controller_id(BrokerId(broker.node_id))
        .with_cluster_id(Some(StrBytes::from_string(broker.cluster_id.clone())));
    if (8..=10).contains(&version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = operations::CLUSTER;
    }
    Ok(response)
}

/// Why a request is refused as a whole. Names may be null from version 10 on, but only version 12 and later ask by id; one
/// that then gives neither makes Apache Kafka fail unexpectedly.
fn refuses(version: i16, asked: &[MetadataRequestTopic]) -> Option<ResponseError> {
    let by_id = |topic: &MetadataRequestTopic| !topic.topic_id.is_nil();
    let nameless = |topic: &MetadataRequestTopic| topic.name.is_none();
    if version < 12 {
        let unfit = asked.iter().any(|topic| nameless(topic) || by_id(topic));
        return unfit.then_some(ResponseError::InvalidRequest);
    }
    let fails = !asked.iter().any(by_id) && asked.iter().any(nameless);
    fails.then_some(ResponseError::UnknownServerError)
}

/// The answer to a request that is refused: no brokers, and the error at each topic.
fn refusal(version: i16, asked: Vec<MetadataRequestTopic>, error: ResponseError) -> MetadataResponse {
    let topics = asked
        .into_iter()
        .map(|topic| unknown(version, Some(topic.name.unwrap_or_default()), topic.topic_id, error));
    let response = MetadataResponse::default()
        .with_topics(topics.collect())
        .with_controller_id(BrokerId(-1))
        .with_cluster_id(None);
    if version >= 13 {
        response.with_error_code(error.code())
    } else {
        response
    }
}

/// The topics that were asked for, each once. Where one is asked for by its id, names are not looked at, as in Apache Kafka.
async fn some(
    ctx: &RequestContext,
    version: i16,
    asked: Vec<MetadataRequestTopic>,
    may_create: bool,
) -> Vec<MetadataResponseTopic> {
    let by_id = asked.iter().any(|topic| !topic.topic_id.is_nil());
    let mut seen = HashSet::new();
    let mut topics = Vec::with_capacity(asked.len());
    for topic in asked {
        if by_id && topic.topic_id.is_nil() || !seen.insert((topic.name.clone(), topic.topic_id)) {
            continue;
        }
        topics.push(if topic.topic_id.is_nil() {
            by_name(ctx, version, topic.name.unwrap_or_default(), may_create).await
        } else {
            match ctx.broker.topics.by_id(topic.topic_id) {
                Some(found) => describe(ctx, version, &found),
                None => unknown(version, None, topic.topic_id, ResponseError::UnknownTopicId),
            }
        });
    }
    topics
}

async fn by_name(ctx: &RequestContext, version: i16, name: TopicName, may_create: bool) -> MetadataResponseTopic {
    if let Some(topic) = ctx.broker.topics.get(&name) {
        return describe(ctx, version, &topic);
    }
    if check_name(&name).is_err() {
        return unknown(version, Some(name), Uuid::nil(), ResponseError::InvalidTopicException);
    }
    if may_create && let Err(error) = create_topics::auto_create(ctx, &name).await {
        tracing::warn!(topic = %name.0, "cannot make a topic that was asked for: {}", error.error);
    }
    unknown(version, Some(name), Uuid::nil(), ResponseError::UnknownTopicOrPartition)
}

fn unknown(version: i16, name: Option<TopicName>, id: Uuid, error: ResponseError) -> MetadataResponseTopic {
    // Before version 12 a name cannot be null.
    let name = if version < 12 {
        Some(name.unwrap_or_default())
    } else {
        name
    };
    MetadataResponseTopic::default()
        .with_is_internal(name.as_deref().is_some_and(|name| is_internal(name)))
        .with_error_code(error.code())
        .with_name(name)
        .with_topic_id(id)
}

fn describe(ctx: &RequestContext, _version: i16, topic: &Topic) -> MetadataResponseTopic {
    let node = BrokerId(ctx.broker.node_id);
    let partitions = topic.partitions.iter().map(|partition| {
        MetadataResponsePartition::default()
            .with_partition_index(partition.index)
            .with_leader_id(node)
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(topic.name.clone())))
        .with_topic_id(topic.id)
        .with_is_internal(topic.internal)
        .with_partitions(partitions.collect())
}
