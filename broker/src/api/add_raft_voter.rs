//! AddRaftVoter (key 80), version 0: another controller for the quorum (KIP-853), which is always this broker alone.
//!
//! Checks, their order and their texts are those of Apache Kafka's quorum; at last no other controller is ever reached.

use kafka_protocol::messages::add_raft_voter_request::Listener;
use kafka_protocol::messages::{AddRaftVoterRequest, AddRaftVoterResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};
use crate::metadata::configs::base64_url;

/// Refuses every voter.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: AddRaftVoterRequest,
) -> Result<AddRaftVoterResponse, Disconnect> {
    let valid = is_voter(request.voter_id, request.voter_directory_id);
    let reachable = request.listeners.iter().any(|listener| &*listener.name == "CONTROLLER");
    let error = if let Err(error) = check_cluster_id(ctx, request.cluster_id.as_ref()) {
        error
    } else if !valid {
        ApiError::new(
            ResponseError::InvalidRequest,
            "Add voter request didn't include a valid voter",
        )
    } else if !reachable {
        let endpoint = |listener: &Listener| {
            let Listener { name, host, port, .. } = listener;
            format!("ListenerName({})={}/<unresolved>:{port}", &**name, &**host)
        };
        let endpoints: Vec<String> = request.listeners.iter().map(endpoint).collect();
        let reason = format!(
            "Add voter request didn't include the endpoint (Endpoints(endpoints={{{}}})) for the default listener \
             ListenerName(CONTROLLER)",
            endpoints.join(", ")
        );
        ApiError::new(ResponseError::InvalidRequest, reason)
    } else if request.voter_id == ctx.broker.node_id {
        let reason = format!(
            "The voter id for {} is already part of the set of voters [{}].",
            replica_key(request.voter_id, request.voter_directory_id),
            replica_key(ctx.broker.node_id, Uuid::nil())
        );
        ApiError::new(ResponseError::DuplicateVoter, reason)
    } else {
        let reason = "Aborted add voter operation for since API_VERSIONS returned an error BROKER_NOT_AVAILABLE";
        ApiError::new(ResponseError::RequestTimedOut, reason)
    };
    Ok(AddRaftVoterResponse::default()
        .with_error_code(error.code())
        .with_error_message(error.message))
}

/// Whether a cluster's id, where one is given, is this one's.
pub(super) fn check_cluster_id(ctx: &RequestContext, given: Option<&StrBytes>) -> Result<(), ApiError> {
    let own = &ctx.broker.cluster_id;
    match given {
        Some(given) if **given != **own => {
            let reason = format!("The given id \"{}\" doesn't match the cluster id \"{own}\"", &**given);
            Err(ApiError::new(ResponseError::InconsistentClusterId, reason))
        }
        _ => Ok(()),
    }
}

/// Whether this can name a voter: a directory without an id cannot.
pub(super) fn is_voter(id: i32, directory: Uuid) -> bool {
    id >= 0 && !directory.is_nil()
}

/// A voter as Apache Kafka writes it.
pub(super) fn replica_key(id: i32, directory: Uuid) -> String {
    format!("ReplicaKey(id={id}, directoryId={})", base64_url(directory.as_bytes()))
}
