//! ListTransactions (key 66), versions 0–2: none, since this broker serves no transactions.
//!
//! States that do not exist are named back, as Kafka does. Version 1 added a filter by duration, version 2 one by a pattern.

use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use super::{Disconnect, RequestContext};

const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "PrepareEpochFence",
    "Dead",
];

/// Lists no transaction.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    request: ListTransactionsRequest,
) -> Result<ListTransactionsResponse, Disconnect> {
    let mut unknown = request.state_filters;
    unknown.retain(|state| !STATES.contains(&&**state));
    Ok(ListTransactionsResponse::default().with_unknown_state_filters(unknown))
}
