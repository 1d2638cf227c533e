//! ConsumerGroupDescribe (69), v0–1: groups under the consumer group protocol, with what each member owns and is meant to
//! own (KIP-848). v1 adds the type of each member (KIP-1099).

use kafka_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::describe_groups::ALL_OPERATIONS;
use super::{Disconnect, RequestContext};

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: ConsumerGroupDescribeRequest,
) -> Result<ConsumerGroupDescribeResponse, Disconnect> {
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for group_id in &request.group_ids {
        let mut group = ctx.broker.groups.consumer_describe(group_id);
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = ALL_OPERATIONS;
        }
        groups.push(group);
    }
    Ok(ConsumerGroupDescribeResponse::default().with_groups(groups))
}
