//! The resource BROKER_LOGGER of DescribeConfigs and IncrementalAlterConfigs (KIP-412): checks, their order and their texts
//! are Apache Kafka's; which loggers there are is in [`crate::loggers`].

use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::protocol::StrBytes;

use super::RequestContext;
use super::config_changes::invalid;
use crate::error::{ApiError, ResponseError};
use crate::loggers::{self, LEVELS, ROOT};

/// `ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG`.
const SOURCE: i8 = 6;

/// The loggers of this broker and their levels.
pub(super) fn describe(ctx: &RequestContext, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
    let node_id = ctx.broker.node_id;
    if name.is_empty() {
        return Err(invalid("Broker id must not be empty"));
    }
    match name.parse::<i32>() {
        Ok(id) if id == node_id => {}
        Ok(id) => {
            return Err(invalid(format!(
                "Unexpected broker id, expected {node_id} but received {id}"
            )));
        }
        Err(_) => return Err(invalid(format!("Broker id must be an integer, but it is: {name}"))),
    }
    let logger = |(name, level)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(level)))
            .with_config_source(SOURCE)
    };
    Ok(loggers::levels().map(logger).collect())
}

/// Changes levels.
pub(super) fn alter(
    ctx: &RequestContext,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), ApiError> {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    let (name, node_id) = (&*resource.resource_name, ctx.broker.node_id);
    match name.parse::<i32>() {
        Ok(id) if id == node_id => {}
        Ok(id) => {
            return Err(invalid(format!(
                "Unexpected node id. Expected {node_id}, but received {id}"
            )));
        }
        Err(_) => return Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
    let mut changes = Vec::with_capacity(resource.configs.len());
    for config in &resource.configs {
        let logger = &*config.name;
        let operation = config.config_operation;
        if !matches!(operation, SET | DELETE) {
            let operation = if operation == APPEND { "APPEND" } else { "SUBTRACT" };
            return Err(invalid(format!(
                "{operation} operation is not allowed for the BROKER_LOGGER resource"
            )));
        }
        if !loggers::exists(logger) {
            let reason = format!("Logger {logger} does not exist!");
            return Err(ApiError::new(ResponseError::InvalidConfig, reason));
        }
        if operation == DELETE && logger == ROOT {
            return Err(invalid("Removing the log level of the root logger is not allowed"));
        }
        let level = config.value.as_deref().filter(|_| operation == SET);
        if let Some(level) = level.filter(|level| !LEVELS.iter().any(|(known, _)| known == level)) {
            let known: Vec<&str> = LEVELS.iter().map(|(known, _)| *known).collect();
            let reason = format!(
                "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are {}",
                known.join(", ")
            );
            return Err(ApiError::new(ResponseError::InvalidConfig, reason));
        }
        changes.push((logger, level));
    }
    if !validate_only && !changes.is_empty() && !loggers::change(&changes) {
        return Err(invalid("The program around this broker decides what is logged"));
    }
    Ok(())
}
