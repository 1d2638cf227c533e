//! DescribeGroups (15), v0–6: groups under the classic protocol, with their members and assignments.
//!
//! v3 may ask which operations the client is authorized for, v4 adds `group.instance.id` (KIP-345), v6 answers
//! `GROUP_ID_NOT_FOUND` where there was a dead group (KIP-1043).

use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::{Disconnect, RequestContext};

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, as bits of Kafka's `AclOperation` codes: all that there
/// is to do with a group, and without an authorizer everybody may.
pub(super) const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: DescribeGroupsRequest,
) -> Result<DescribeGroupsResponse, Disconnect> {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group_id in &request.groups {
        let mut group = ctx.broker.groups.describe(group_id, version);
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = ALL_OPERATIONS;
        }
        groups.push(group);
    }
    Ok(DescribeGroupsResponse::default().with_groups(groups))
}
