//! IncrementalAlterConfigs (key 44), versions 0–1: set, delete, append to or subtract from single properties of topics and
//! of the broker.
//!
//! A change is checked with everything else that is set for the resource, durable before the answer, and in force when it
//! goes out. An empty broker name stands for the cluster's dynamic defaults.

use std::collections::HashSet;

use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::config_changes::{
    check_broker_name, each, invalid, replace_broker, replace_client_metrics, replace_group, replace_topic,
};
use super::describe_configs::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::{Disconnect, RequestContext, broker_loggers};
use crate::config::{Kind, Values, broker_property, effective, group_property, topic_property};
use crate::error::{ApiError, ResponseError};

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
    let identity = |resource: &AlterConfigsResource| (resource.resource_type, resource.resource_name.clone());
    let change = async |resource: &AlterConfigsResource| alter(ctx, resource, request.validate_only).await;
    let results = each(&request.resources, identity, change).await;
    let responses = results.into_iter().map(|((kind, name), result)| {
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_error_message(None);
        match result {
            Ok(()) => response,
            Err(error) => response.with_error_code(error.code()).with_error_message(error.message),
        }
    });
    Ok(IncrementalAlterConfigsResponse::default().with_responses(responses.collect()))
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
        CLIENT_METRICS => alter_client_metrics(ctx, resource, validate_only).await,
        GROUP => alter_group(ctx, resource, validate_only).await,
        BROKER_LOGGER => broker_loggers::alter(ctx, resource, validate_only),
        other => Err(invalid(format!("Unknown resource type {other}"))),
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
        if list_operation(change).is_some() && kind.is_none() {
            return Err(ApiError::silent(ResponseError::UnknownServerError));
        }
        if let (Some(operation), true) = (list_operation(change), kind != Some(Kind::List)) {
            let reason = format!(
                "Config value {} is not allowed for config key: {}",
                operation.to_lowercase(),
                &*change.name
            );
            return Err(ApiError::new(ResponseError::InvalidConfig, reason));
        }
        apply(change, kind, config.value(&change.name), &mut values)?;
    }
    replace_broker(ctx, of_broker, values, validate_only).await
}

async fn alter_group(
    ctx: &RequestContext,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), ApiError> {
    let name = &*resource.resource_name;
    let mut values = ctx.broker.group_configs.get(name);
    for change in &resource.configs {
        let kind = group_property(&change.name).map(|definition| definition.kind);
        apply(change, kind, None, &mut values)?;
    }
    replace_group(ctx, name, &values, validate_only).await
}

async fn alter_client_metrics(
    ctx: &RequestContext,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), ApiError> {
    let name = &*resource.resource_name;
    let mut values = ctx.broker.client_metrics.get(name);
    for change in &resource.configs {
        // As Apache Kafka's controller has it, which knows no lists but those of topics and brokers.
        apply(change, None, None, &mut values)?;
    }
    replace_client_metrics(ctx, name, values, validate_only).await
}

/// The name of an operation on lists.
fn list_operation(config: &AlterableConfig) -> Option<&'static str> {
    match config.config_operation {
        APPEND => Some("APPEND"),
        SUBTRACT => Some("SUBTRACT"),
        _ => None,
    }
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
                let operation = list_operation(config).unwrap_or_default();
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
