//! DescribeTransactions (key 65), version 0: each id is unknown, since this broker serves no transactions.

use kafka_protocol::messages::describe_transactions_response::TransactionState;
use kafka_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

/// Says of each id that it is not found; an empty one cannot be.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    request: DescribeTransactionsRequest,
) -> Result<DescribeTransactionsResponse, Disconnect> {
    let states = request.transactional_ids.into_iter().map(|id| {
        let error = if id.is_empty() {
            ResponseError::InvalidRequest
        } else {
            ResponseError::TransactionalIdNotFound
        };
        TransactionState::default()
            .with_transactional_id(id)
            .with_error_code(error.code())
    });
    Ok(DescribeTransactionsResponse::default().with_transaction_states(states.collect()))
}
