//! ListPartitionReassignments (key 46), version 0: none, since a partition cannot be anywhere but here.

use kafka_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::{Disconnect, RequestContext};

/// Says that nothing is being moved; Kafka, too, passes over topics that it does not know.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    _request: ListPartitionReassignmentsRequest,
) -> Result<ListPartitionReassignmentsResponse, Disconnect> {
    Ok(ListPartitionReassignmentsResponse::default().with_error_message(None))
}
