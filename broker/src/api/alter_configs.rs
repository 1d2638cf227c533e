//! AlterConfigs (key 33), versions 0–2: replace all that is set for topics and for the broker.
//!
//! What the request does not name goes back to its default; IncrementalAlterConfigs changes single properties.

use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::config_changes::{
    check_broker_name, each, invalid, replace_broker, replace_client_metrics, replace_group, replace_topic,
};
use super::describe_configs::{BROKER, CLIENT_METRICS, GROUP, TOPIC};
use super::{Disconnect, RequestContext};
use crate::config::Values;
use crate::error::ApiError;

/// Changes each resource.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Disconnect> {
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
    Ok(AlterConfigsResponse::default().with_responses(responses.collect()))
}

async fn alter(ctx: &RequestContext, resource: &AlterConfigsResource, validate_only: bool) -> Result<(), ApiError> {
    let mut values = Values::new();
    let mut without = Vec::new();
    for config in &resource.configs {
        match &config.value {
            None => without.push(&*config.name),
            Some(value) => {
                if values.insert(config.name.to_string(), value.to_string()).is_some() {
                    return Err(invalid("Error due to duplicate config keys"));
                }
            }
        }
    }
    if !without.is_empty() {
        return Err(invalid(format!(
            "Null value not supported for : {}",
            without.join(", ")
        )));
    }
    match resource.resource_type {
        TOPIC => replace_topic(ctx, &resource.resource_name, values, validate_only).await,
        BROKER => {
            let of_broker = check_broker_name(ctx, &resource.resource_name)?;
            replace_broker(ctx, of_broker, values, validate_only).await
        }
        CLIENT_METRICS => replace_client_metrics(ctx, &resource.resource_name, values, validate_only).await,
        GROUP => replace_group(ctx, &resource.resource_name, &values, validate_only).await,
        other => Err(invalid(format!("Unknown resource type {other}"))),
    }
}
