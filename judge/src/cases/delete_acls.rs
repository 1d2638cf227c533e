//! DeleteAcls (31), without an authorizer.

use serde_json::{Value, json};

use crate::run::{Case, ask};

fn filter(pattern: i8) -> Value {
    json!({
        "ResourceTypeFilter": 1, "ResourceNameFilter": null, "PatternTypeFilter": pattern,
        "PrincipalFilter": null, "HostFilter": null, "Operation": 1, "PermissionType": 1,
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("no filters", json!({ "Filters": [] })),
        ask("two filters", json!({ "Filters": [filter(1), filter(3)] })),
        ask("an unknown pattern", json!({ "Filters": [filter(0)] })),
    ]
}
