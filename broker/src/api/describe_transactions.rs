//! DescribeTransactions (key 65), version 0: what the coordinator knows of transactional ids.

use kafka_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::{Disconnect, RequestContext};

/// Describes each.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: DescribeTransactionsRequest,
) -> Result<DescribeTransactionsResponse, Disconnect> {
    let states = request.transactional_ids.iter().map(|id| ctx.broker.txns.describe(id));
    Ok(DescribeTransactionsResponse::default().with_transaction_states(states.collect()))
}
