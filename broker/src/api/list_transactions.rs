//! ListTransactions (key 66), versions 0–2: the transactional ids that the coordinator knows, and where each stands.
//!
//! States that do not exist are named back, each once, as Kafka does, and match nothing. Version 1 added a filter by
//! duration, version 2 one by a pattern that the whole id must match (KIP-1152). Kafka's patterns are Java's; what only Java
//! knows (looking around, back references) is no valid expression here.

use std::collections::HashSet;

use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};
use regex::Regex;

use super::{Disconnect, RequestContext};
use crate::coordinator::txn::{ListFilter, State};
use crate::error::ResponseError;

/// States of Kafka's that no transactional id is ever seen in here.
const NEVER_SEEN: [&str; 2] = ["PrepareEpochFence", "Dead"];

/// Lists what passes the filters.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: ListTransactionsRequest,
) -> Result<ListTransactionsResponse, Disconnect> {
    let pattern = request.transactional_id_pattern.filter(|pattern| !pattern.is_empty());
    let pattern = pattern.map(|pattern| Regex::new(&format!("^(?:{})$", pattern.as_str())));
    let Ok(pattern) = pattern.transpose() else {
        return Ok(ListTransactionsResponse::default().with_error_code(ResponseError::InvalidRegularExpression.code()));
    };
    let states = request.state_filters.iter().filter_map(|name| State::of_name(name));
    let filter = ListFilter {
        states: (!request.state_filters.is_empty()).then(|| states.collect()),
        producer_ids: request.producer_id_filters.iter().map(|id| **id).collect(),
        duration_ms: request.duration_filter,
        pattern,
    };
    let listed = ctx.broker.txns.list(&filter);
    let mut unknown = request.state_filters;
    let mut seen = HashSet::new();
    unknown
        .retain(|name| State::of_name(name).is_none() && !NEVER_SEEN.contains(&&**name) && seen.insert(name.clone()));
    Ok(ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown)
        .with_transaction_states(listed))
}
