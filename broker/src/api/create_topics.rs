//! CreateTopics (key 19), versions 2–7: make topics, by number of partitions or by assignment.
//!
//! A topic exists, is durable and takes records when the answer goes out. `validate_only` goes through everything but the
//! making. Checks, their order and their texts are those of Kafka's controller. Version 5 returns the topic's properties,
//! version 7 its id.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, CreateTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Disconnect, RequestContext, describe_configs};
use crate::config::{Values, check_topic_overrides, log_config};
use crate::error::{ApiError, ResponseError};
use crate::metadata::topics::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC, Topic, TopicsError, check_name};

/// The topic of Kafka's own metadata, which is never to be made.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// What a checked request for a topic comes to.
struct Plan {
    partitions: i32,
    overrides: Values,
}

/// The names that stand in a request more than once: none of them is served.
pub(super) fn named_twice<'a>(names: impl Iterator<Item = &'a TopicName>) -> HashSet<TopicName> {
    let mut seen = HashSet::new();
    names.filter(|name| !seen.insert(*name)).cloned().collect()
}

/// Checks and makes each topic.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Disconnect> {
    let doubled = named_twice(request.topics.iter().map(|topic| &topic.name));
    let possible = |topic: &CreatableTopic| !doubled.contains(&topic.name) && &**topic.name != CLUSTER_METADATA;
    if let Err(late) = check_timeout(request.timeout_ms)
        && request.topics.iter().any(possible)
    {
        let refuse = |topic: CreatableTopic| refused(topic.name, late.clone());
        let refused = request.topics.into_iter().map(refuse).collect();
        return Ok(CreateTopicsResponse::default().with_topics(refused));
    }
    if total(ctx, &request.topics) > i64::from(PARTITIONS_MAX) {
        let refuse = |topic: CreatableTopic| refused(topic.name, too_many());
        let refused = request.topics.into_iter().map(refuse).collect();
        return Ok(CreateTopicsResponse::default().with_topics(refused));
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics.iter().filter(|topic| !doubled.contains(&topic.name)) {
        let result = if &**topic.name == CLUSTER_METADATA {
            let text = format!("Creation of internal topic {CLUSTER_METADATA} is prohibited.");
            Err(ApiError::new(ResponseError::InvalidRequest, text))
        } else {
            create(ctx, version, topic, request.validate_only).await
        };
        results.push(result.unwrap_or_else(|error| refused(topic.name.clone(), error)));
    }
    for name in doubled {
        results.push(refused(
            name,
            ApiError::new(ResponseError::InvalidRequest, "Duplicate topic name."),
        ));
    }
    Ok(CreateTopicsResponse::default().with_topics(results))
}

/// Nothing is done without time for it: what Apache Kafka's controller is to do by now, it finds too late.
pub(crate) fn check_timeout(timeout_ms: i32) -> Result<(), ApiError> {
    if timeout_ms > 0 {
        return Ok(());
    }
    Err(ApiError::silent(ResponseError::RequestTimedOut))
}

/// How many partitions are asked for in all.
fn total(ctx: &RequestContext, topics: &[CreatableTopic]) -> i64 {
    let partitions = |topic: &CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => ctx.broker.config.int("num.partitions"),
        (0, asked) => i64::from(asked),
        (assigned, _) => assigned as i64,
    };
    topics.iter().map(partitions).sum()
}

/// The refusal of more partitions in one request than Kafka's controller makes.
pub(crate) fn too_many() -> ApiError {
    ApiError::new(
        ResponseError::PolicyViolation,
        "Excessively large number of partitions per request.",
    )
}

fn refused(name: TopicName, error: ApiError) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name)
        .with_error_code(error.code())
        .with_error_message(error.message)
        .with_configs(Some(Vec::new()))
}

async fn create(
    ctx: &RequestContext,
    version: i16,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, ApiError> {
    let plan = plan(ctx, topic)?;
    let id = Uuid::new_v4();
    if !validate_only {
        make(ctx, &topic.name, id, plan.partitions, plan.overrides.clone()).await?;
    }
    let mut result = CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_message(None);
    if version >= 5 {
        result.num_partitions = plan.partitions;
        result.replication_factor = 1;
        result.configs = Some(configs(ctx, &plan.overrides));
    }
    if version >= 7 {
        result.topic_id = id;
    }
    Ok(result)
}

/// Makes a topic that a client has mentioned, with the broker's defaults; the broker's own as Apache Kafka does when it looks
/// for a coordinator.
pub(crate) async fn auto_create(ctx: &RequestContext, name: &str) -> Result<Arc<Topic>, ApiError> {
    let mut asked = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_num_partitions(-1)
        .with_replication_factor(-1);
    if let Some((partitions, configs)) = of_internal(ctx, name) {
        asked.num_partitions = partitions;
        asked.configs = configs;
    }
    let plan = plan(ctx, &asked)?;
    match make(ctx, name, Uuid::new_v4(), plan.partitions, plan.overrides).await {
        // Somebody else was faster.
        Err(error) if error.error == ResponseError::TopicAlreadyExists => ctx
            .broker
            .topics
            .get(name)
            .ok_or(ApiError::plain(ResponseError::LeaderNotAvailable)),
        result => result,
    }
}

/// Partitions and properties of one of the coordinators' topics.
fn of_internal(ctx: &RequestContext, name: &str) -> Option<(i32, Vec<CreatableTopicConfig>)> {
    let config = &ctx.broker.config;
    let set = |name: &'static str, value: String| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string(value)))
    };
    let (partitions, configs) = match name {
        OFFSETS_TOPIC => (
            "offsets.topic.num.partitions",
            vec![
                set("cleanup.policy", "compact".to_owned()),
                set("compression.type", "producer".to_owned()),
                set("segment.bytes", config.string("offsets.topic.segment.bytes")),
            ],
        ),
        TRANSACTIONS_TOPIC => (
            "transaction.state.log.num.partitions",
            vec![
                set("cleanup.policy", "compact".to_owned()),
                set("compression.type", "uncompressed".to_owned()),
                set("segment.bytes", config.string("transaction.state.log.segment.bytes")),
                set("min.insync.replicas", config.string("transaction.state.log.min.isr")),
                set("unclean.leader.election.enable", "false".to_owned()),
            ],
        ),
        _ => return None,
    };
    Some((i32::try_from(config.int(partitions)).unwrap_or(-1), configs))
}

async fn make(
    ctx: &RequestContext,
    name: &str,
    id: Uuid,
    partitions: i32,
    overrides: Values,
) -> Result<Arc<Topic>, ApiError> {
    let topic = ctx
        .broker
        .topics
        .create(name, id, partitions, overrides)
        .await
        .map_err(topics_error)?;
    tracing::info!(topic = name, %id, partitions, "topic is made");
    ctx.broker.internal_topics.fill(&topic);
    Ok(topic)
}

/// What a client is told when topics cannot be changed.
pub(crate) fn topics_error(error: TopicsError) -> ApiError {
    match error {
        TopicsError::Exists(_) => ApiError::new(ResponseError::TopicAlreadyExists, error.to_string()),
        TopicsError::Unknown => ApiError::plain(ResponseError::UnknownTopicOrPartition),
        TopicsError::Log(_) | TopicsError::Store(_) => {
            tracing::error!(%error, "topics cannot be changed");
            ApiError::new(ResponseError::KafkaStorageError, error.to_string())
        }
        TopicsError::Invalid(_) => {
            tracing::error!(%error, "topics cannot be changed");
            ApiError::new(ResponseError::UnknownServerError, error.to_string())
        }
    }
}

/// Checks a request for a topic, in the order of Kafka's controller.
fn plan(ctx: &RequestContext, topic: &CreatableTopic) -> Result<Plan, ApiError> {
    check_new_name(ctx, &topic.name)?;
    let overrides = check_configs(ctx, topic)?;
    let partitions = if topic.assignments.is_empty() {
        check_counts(ctx, topic)?
    } else {
        check_assignments(ctx, topic)?
    };
    Ok(Plan { partitions, overrides })
}

/// The most partitions of one topic, as in Kafka, whose controller changes at most so many records at a time.
pub(crate) const PARTITIONS_MAX: i32 = 10_000;

fn check_new_name(ctx: &RequestContext, name: &str) -> Result<(), ApiError> {
    if ctx.broker.topics.get(name).is_some() {
        return Err(ApiError::new(
            ResponseError::TopicAlreadyExists,
            format!("Topic '{name}' already exists."),
        ));
    }
    check_name(name).map_err(|reason| ApiError::new(ResponseError::InvalidTopicException, reason))?;
    // Kafka's metrics write both as an underscore, so such names must differ in something else.
    if name.contains(['.', '_']) {
        let unified = name.replace('.', "_");
        let collides = |topic: &Arc<Topic>| topic.name.len() == name.len() && topic.name.replace('.', "_") == unified;
        if let Some(other) = ctx.broker.topics.all().into_iter().find(collides) {
            return Err(ApiError::new(
                ResponseError::InvalidTopicException,
                format!("Topic '{name}' collides with existing topic: {}", other.name),
            ));
        }
    }
    Ok(())
}

fn check_configs(ctx: &RequestContext, topic: &CreatableTopic) -> Result<Values, ApiError> {
    let invalid = |reason: String| ApiError::new(ResponseError::InvalidConfig, reason);
    let without_value: Vec<&str> = topic
        .configs
        .iter()
        .filter(|config| config.value.is_none())
        .map(|config| &*config.name)
        .collect();
    if !without_value.is_empty() {
        return Err(invalid(format!(
            "Null value not supported for topic configs: {}",
            without_value.join(",")
        )));
    }
    let given = topic
        .configs
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())));
    let given: Values = given.collect();
    check_topic_overrides(&given).map_err(|error| invalid(error.to_string()))?;
    log_config(&ctx.broker.config, &given).map_err(|error| invalid(error.to_string()))?;
    Ok(given)
}

fn check_counts(ctx: &RequestContext, topic: &CreatableTopic) -> Result<i32, ApiError> {
    match topic.replication_factor {
        -1 | 1 => {}
        ..=0 => {
            return Err(ApiError::new(
                ResponseError::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        factor if topic.num_partitions >= -1 && topic.num_partitions != 0 => {
            return Err(ApiError::new(
                ResponseError::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} \
                     cannot be reached because only 1 broker(s) are registered."
                ),
            ));
        }
        _ => {}
    }
    match topic.num_partitions {
        -1 => Ok(i32::try_from(ctx.broker.config.int("num.partitions")).unwrap_or(1)),
        ..=0 => Err(ApiError::new(
            ResponseError::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        )),
        partitions => Ok(partitions),
    }
}

fn check_assignments(ctx: &RequestContext, topic: &CreatableTopic) -> Result<i32, ApiError> {
    let invalid = |reason: &str| Err(ApiError::new(ResponseError::InvalidRequest, reason));
    if topic.replication_factor != -1 {
        return invalid("A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if topic.num_partitions != -1 {
        return invalid("A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    let mut seen: BTreeMap<i32, &CreatableReplicaAssignment> = BTreeMap::new();
    let mut replicas = None;
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        if seen.insert(index, assignment).is_some() {
            return Err(ApiError::new(
                ResponseError::InvalidReplicaAssignment,
                format!("Found multiple manual partition assignments for partition {index}"),
            ));
        }
        check_replicas(ctx, &assignment.broker_ids, replicas)?;
        replicas = Some(assignment.broker_ids.len());
    }
    if !seen.keys().copied().eq(0..) && !seen.keys().zip(0..).all(|(index, expected)| *index == expected) {
        return Err(ApiError::new(
            ResponseError::InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence",
        ));
    }
    Ok(i32::try_from(seen.len()).unwrap_or(i32::MAX))
}

/// Checks the brokers of one partition; `before` is how many replicas the partitions before it have.
pub(crate) fn check_replicas(
    ctx: &RequestContext,
    brokers: &[BrokerId],
    before: Option<usize>,
) -> Result<(), ApiError> {
    let invalid = |reason: String| Err(ApiError::new(ResponseError::InvalidReplicaAssignment, reason));
    let mut sorted: Vec<i32> = brokers.iter().map(|broker| broker.0).collect();
    sorted.sort_unstable();
    if sorted.is_empty() {
        return invalid("The manual partition assignment includes an empty replica list.".to_owned());
    }
    for (at, broker) in sorted.iter().enumerate() {
        if *broker != ctx.broker.node_id {
            return invalid(format!(
                "The manual partition assignment includes broker {broker}, but no such broker is registered."
            ));
        }
        if at > 0 && sorted[at - 1] == *broker {
            return invalid(format!(
                "The manual partition assignment includes the broker {broker} more than once."
            ));
        }
    }
    match before {
        Some(before) if before != sorted.len() => invalid(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {before} replica(s).",
            sorted.len()
        )),
        _ => Ok(()),
    }
}

/// The new topic's properties, by name; what was given as it was written.
fn configs(ctx: &RequestContext, overrides: &Values) -> Vec<CreatableTopicConfigs> {
    let entries = describe_configs::topic_entries(&ctx.broker.config, overrides);
    let configs = entries.map(|entry| {
        let value = overrides.get(entry.definition.name).cloned().or(entry.value);
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(entry.definition.name))
            .with_value(value.map(StrBytes::from_string))
            .with_read_only(false)
            .with_config_source(entry.source as i8)
            .with_is_sensitive(false)
    });
    configs.collect()
}
