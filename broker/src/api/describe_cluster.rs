//! DescribeCluster (key 60), versions 0–2: the cluster's id and its one broker.
//!
//! Version 1 asks for an endpoint type, and controllers are not to be had from a broker's listener; version 2 says whether
//! a broker is fenced, which this one never is.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext, operations};
use crate::error::ResponseError;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Describes the cluster.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, Disconnect> {
    let broker = &ctx.broker;
    if version >= 1 && request.endpoint_type != BROKERS {
        let (error, reason) = if request.endpoint_type == CONTROLLERS {
            let reason =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            (ResponseError::MismatchedEndpointType, reason.to_owned())
        } else {
            let reason = format!("Unsupported endpoint type {}", request.endpoint_type);
            (ResponseError::UnsupportedEndpointType, reason)
        };
        return Ok(DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_string(reason))));
    }
    let node = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(broker.node_id))
        .with_host(StrBytes::from_string(broker.advertised.host.clone()))
        .with_port(i32::from(broker.advertised.port))
        .with_rack(broker.rack.clone());
    let mut response = DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(broker.cluster_id.clone()))
        .with_controller_id(BrokerId(broker.node_id))
        .with_brokers(vec![node]);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = operations::CLUSTER;
    }
    Ok(response)
}
