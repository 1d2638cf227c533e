//! ListConfigResources (key 74), versions 0–1: the names of what has properties.
//!
//! Version 0 asks for client metrics alone; from version 1 on the request names kinds of resources,
//! and none means all.

use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use kafka_protocol::protocol::StrBytes;

use super::describe_configs::{BROKER, CLIENT_METRICS, GROUP, TOPIC};
use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

const BROKER_LOGGER: i8 = 8;

/// In the order in which Kafka lists them.
const KINDS: [i8; 5] = [GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC];

/// Names each resource of the kinds that are asked for.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: ListConfigResourcesRequest,
) -> Result<ListConfigResourcesResponse, Disconnect> {
    let asked = request.resource_types;
    if asked.iter().any(|kind| !KINDS.contains(kind)) {
        return Ok(ListConfigResourcesResponse::default().with_error_code(ResponseError::UnsupportedVersion.code()));
    }
    let wanted = |kind: &i8| match version {
        0 => *kind == CLIENT_METRICS,
        _ => asked.is_empty() || asked.contains(kind),
    };
    let mut resources = Vec::new();
    for kind in KINDS.into_iter().filter(wanted) {
        let names = match kind {
            BROKER | BROKER_LOGGER => vec![StrBytes::from_string(ctx.broker.node_id.to_string())],
            TOPIC => ctx.broker.topics.all().iter().map(|topic| topic.name.clone()).collect(),
            CLIENT_METRICS => ctx
                .broker
                .client_metrics
                .names()
                .into_iter()
                .map(StrBytes::from_string)
                .collect(),
            _ => ctx.broker.groups.configured(),
        };
        let resource = |name| {
            ConfigResource::default()
                .with_resource_name(name)
                .with_resource_type(kind)
        };
        resources.extend(names.into_iter().map(resource));
    }
    Ok(ListConfigResourcesResponse::default().with_config_resources(resources))
}
