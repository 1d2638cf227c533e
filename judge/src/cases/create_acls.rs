//! CreateAcls (30), without an authorizer.

use serde_json::{Value, json};

use crate::run::{Case, ask};

fn acl(resource: i8, permission: i8) -> Value {
    json!({
        "ResourceType": resource, "ResourceName": "t", "ResourcePatternType": 3, "Principal": "User:a",
        "Host": "*", "Operation": 3, "PermissionType": permission,
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("none", json!({ "Creations": [] })),
        ask("one", json!({ "Creations": [acl(2, 3)] })),
        ask("two", json!({ "Creations": [acl(2, 3), acl(3, 2)] })),
        ask("an unknown permission", json!({ "Creations": [acl(2, 3), acl(2, 0)] })),
    ]
}
