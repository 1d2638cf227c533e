//! RemoveRaftVoter (key 81), version 0: takes a controller out of the quorum (KIP-853), which is always this broker alone.
//!
//! Checks, their order and their texts are those of Apache Kafka's quorum; the last voter cannot be removed.

use kafka_protocol::messages::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};
use uuid::Uuid;

use super::add_raft_voter::{check_cluster_id, is_voter, replica_key};
use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

/// Refuses every voter.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: RemoveRaftVoterRequest,
) -> Result<RemoveRaftVoterResponse, Disconnect> {
    let error = if let Err(error) = check_cluster_id(ctx, request.cluster_id.as_ref()) {
        error
    } else if !is_voter(request.voter_id, request.voter_directory_id) {
        ApiError::new(
            ResponseError::InvalidRequest,
            "Remove voter request didn't include a valid voter",
        )
    } else {
        let reason = format!(
            "Cannot remove voter {} from the set of voters [{}]",
            replica_key(request.voter_id, request.voter_directory_id),
            replica_key(ctx.broker.node_id, Uuid::nil())
        );
        ApiError::new(ResponseError::VoterNotFound, reason)
    };
    Ok(RemoveRaftVoterResponse::default()
        .with_error_code(error.code())
        .with_error_message(error.message))
}
