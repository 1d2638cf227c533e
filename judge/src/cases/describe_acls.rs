//! DescribeAcls (29), without an authorizer.

use serde_json::{Value, json};

use crate::run::{Case, ask};

fn filter(resource: i8, pattern: i8, operation: i8, permission: i8) -> Value {
    json!({
        "ResourceTypeFilter": resource, "ResourceNameFilter": null, "PatternTypeFilter": pattern,
        "PrincipalFilter": null, "HostFilter": "*", "Operation": operation, "PermissionType": permission,
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("all", filter(1, 1, 1, 1)),
        ask("who may read topics", filter(2, 3, 3, 3)),
        ask("types that there are not", filter(99, 99, 99, 99)),
        ask("an unknown resource type", filter(0, 1, 1, 1)),
        ask("an unknown operation", filter(1, 1, 0, 1)),
    ]
}
