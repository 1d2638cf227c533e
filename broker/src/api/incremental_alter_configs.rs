//! IncrementalAlterConfigs (key 44), versions 0–1: set, delete, append to or subtract from single properties of topics and
//! of the broker.
//!
//! A change is checked with everything else that is set for the resource, durable before the answer, and in force when it
//! goes out. An empty broker name stands for the cluster's dynamic defaults.

use std::collections::HashSet;

use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::create_topics::topics_error;
use super::describe_configs::{BROKER, TOPIC, UNSERVED};
use super::{Disconnect, RequestContext};
use crate::config::{
    Kind, Update, Values, broker_property, check_topic_overrides, effective, log_config, topic_property,
};
use crate::error::{ApiError, ResponseError};
use crate::metadata::topics::check_name;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Changes each resource.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, Disconnect> {
    let mut seen = HashSet::new();
    let identity = |resource: &AlterConfigsResource| (resource.resource_type, resource.resource_name.clone());
    let doubled: HashSet<_> = request
        .resources
        .iter()
        .map(identity)
        .filter(|id| !seen.insert(id.clone()))
        .collect();
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let result = if doubled.contains(&identity(resource)) {
            Err(invalid("Each resource must appear at most once."))
        } else {
            alter(ctx, resource, request.validate_only).await
        };
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_error_message(None);
        responses.push(match result {
            Ok(()) => response,
            Err(error) => response.with_error_code(error.code()).with_error_message(error.message),
        });
    }
    Ok(IncrementalAlterConfigsResponse::default().with_responses(responses))
}

pub(super) fn invalid(reason: impl Into<String>) -> ApiError {
    ApiError::new(ResponseError::InvalidRequest, reason)
}

async fn alter(ctx: &RequestContext, resource: &AlterConfigsResource, validate_only: bool) -> Result<(), ApiError> {
    let mut names = HashSet::new();
    if !resource.configs.iter().all(|config| names.insert(&config.name)) {
        return Err(invalid("Error due to duplicate config keys"));
    }
    let needs_value = |config: &&AlterableConfig| config.config_operation != DELETE && config.value.is_none();
    let without: Vec<&str> = resource
        .configs
        .iter()
        .filter(needs_value)
        .map(|config| &*config.name)
        .collect();
    if !without.is_empty() {
        return Err(invalid(format!(
            "Null value not supported for : {}",
            without.join(", ")
        )));
    }
    if let Some(config) = resource
        .configs
        .iter()
        .find(|config| !(SET..=SUBTRACT).contains(&config.config_operation))
    {
        return Err(match resource.resource_type {
            BROKER => invalid(format!("Unknown operations type {}", config.config_operation)),
            _ => ApiError::silent(ResponseError::UnknownServerError),
        });
    }
    match resource.resource_type {
        TOPIC => alter_topic(ctx, resource, validate_only).await,
        BROKER => alter_broker(ctx, resource, validate_only).await,
        other => match UNSERVED.iter().find(|(id, _)| *id == other) {
            Some((_, kind)) => Err(invalid(format!("Unsupported resource type: {kind}"))),
            None => Err(invalid(format!("Unknown resource type {other}"))),
        },
    }
}

async fn alter_topic(
    ctx: &RequestContext,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), ApiError> {
    let name = &*resource.resource_name;
    let topic = ctx.broker.topics.get(name);
    let mut overrides = topic.as_ref().map(|topic| topic.overrides.clone()).unwrap_or_default();
    for config in &resource.configs {
        let kind = topic_property(&config.name).map(|topic| topic.definition.kind);
        let current = effective(&ctx.broker.config, &overrides, &config.name);
        apply(config, kind, current, &mut overrides)?;
    }
    replace_topic(ctx, name, overrides, validate_only).await
}

/// Replaces what is set for a topic.
pub(super) async fn replace_topic(
    ctx: &RequestContext,
    name: &str,
    overrides: Values,
    validate_only: bool,
) -> Result<(), ApiError> {
    let invalid_config = |reason: String| ApiError::new(ResponseError::InvalidConfig, reason);
    if name.is_empty() {
        return Err(invalid("Default topic resources are not allowed."));
    }
    check_name(name).map_err(|reason| ApiError::new(ResponseError::InvalidTopicException, reason))?;
    check_topic_overrides(&overrides).map_err(|error| invalid_config(error.to_string()))?;
    log_config(&ctx.broker.config, &overrides).map_err(|error| invalid_config(error.to_string()))?;
    if ctx.broker.topics.get(name).is_none() {
        let reason = format!("The topic '{name}' does not exist.");
        return Err(ApiError::new(ResponseError::UnknownTopicOrPartition, reason));
    }
    if validate_only {
        return Ok(());
    }
    ctx.broker
        .topics
        .set_overrides(name, overrides)
        .await
        .map_err(topics_error)
}

async fn alter_broker(
    ctx: &RequestContext,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), ApiError> {
    let config = &ctx.broker.config;
    let of_broker = check_broker_name(ctx, &resource.resource_name)?;
    let mut values = config.dynamic(of_broker);
    for change in &resource.configs {
        let kind = broker_property(&change.name).map(|definition| definition.kind);
        apply(change, kind, config.value(&change.name), &mut values)?;
    }
    replace_broker(ctx, of_broker, values, validate_only).await
}

/// Whether a broker resource is this broker (`true`) or the cluster's defaults (`false`).
pub(super) fn check_broker_name(ctx: &RequestContext, name: &str) -> Result<bool, ApiError> {
    if name.is_empty() {
        return Ok(false);
    }
    let node_id = ctx.broker.node_id;
    match name.parse::<i32>() {
        Ok(id) if id == node_id => Ok(true),
        Ok(_) => Err(invalid(format!(
            "Unexpected broker id, expected {node_id}, but received {name}"
        ))),
        Err(_) => Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
}

/// Replaces the dynamic properties of this broker or of the cluster.
pub(super) async fn replace_broker(
    ctx: &RequestContext,
    of_broker: bool,
    values: Values,
    validate_only: bool,
) -> Result<(), ApiError> {
    let broker = &ctx.broker;
    let mut checked = Values::new();
    for (name, value) in values {
        let Some(definition) = broker_property(&name) else {
            // Kafka keeps what it does not know, for plug-ins that might.
            tracing::warn!(name, "a dynamic property without effect is kept");
            checked.insert(name, value);
            continue;
        };
        if definition.update == Update::ReadOnly {
            return Err(invalid(format!("Cannot update these configs dynamically: Set({name})")));
        }
        if !of_broker && definition.update == Update::PerBroker {
            return Err(invalid(format!(
                "Cannot update these configs at default cluster level, broker id must be specified: Set({name})"
            )));
        }
        checked.insert(
            name,
            definition.check(&value).map_err(|error| invalid(error.to_string()))?,
        );
    }
    if validate_only {
        return Ok(());
    }
    let stored = broker.configs.put(of_broker, &checked);
    let stored = match stored {
        Ok(()) => broker.store.flush().await,
        Err(error) => Err(error),
    };
    stored.map_err(|error| ApiError::new(ResponseError::KafkaStorageError, error.to_string()))?;
    broker.config.set_dynamic(of_broker, checked);
    broker.topics.apply_broker_config();
    Ok(())
}

/// Carries out one operation on what is set. `current` is the value in force, which a list starts from.
fn apply(
    config: &AlterableConfig,
    kind: Option<Kind>,
    current: Option<String>,
    values: &mut Values,
) -> Result<(), ApiError> {
    let name = config.name.to_string();
    let given = config.value.as_deref().unwrap_or_default();
    match config.config_operation {
        SET => {
            values.insert(name, given.to_owned());
        }
        DELETE => {
            values.remove(&name);
        }
        operation => {
            if kind != Some(Kind::List) {
                let operation = if operation == APPEND { "APPEND" } else { "SUBTRACT" };
                return Err(ApiError::new(
                    ResponseError::InvalidConfig,
                    format!("Can't {operation} to key {name} because its type is not LIST."),
                ));
            }
            let current = current.unwrap_or_default();
            let mut items: Vec<&str> = current.split(',').filter(|item| !item.is_empty()).collect();
            for item in given.split(',') {
                match (operation, items.iter().position(|known| *known == item)) {
                    (APPEND, None) => items.push(item),
                    (SUBTRACT, Some(at)) => {
                        items.remove(at);
                    }
                    _ => {}
                }
            }
            let joined = items.join(",");
            values.insert(name, joined);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn lists_are_appended_to_and_subtracted_from() {
        let config = |operation, value: &str| {
            AlterableConfig::default()
                .with_name(StrBytes::from_static_str("cleanup.policy"))
                .with_config_operation(operation)
                .with_value(Some(StrBytes::from_string(value.to_owned())))
        };
        let mut values = Values::new();
        let current = Some("delete".to_owned());
        apply(
            &config(APPEND, "compact"),
            Some(Kind::List),
            current.clone(),
            &mut values,
        )
        .unwrap();
        assert_eq!(values["cleanup.policy"], "delete,compact");
        apply(
            &config(SUBTRACT, "delete"),
            Some(Kind::List),
            Some("delete,compact".into()),
            &mut values,
        )
        .unwrap();
        assert_eq!(values["cleanup.policy"], "compact");
        assert!(apply(&config(APPEND, "x"), Some(Kind::Int), current, &mut values).is_err());
    }
}
