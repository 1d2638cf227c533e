//! CreateDelegationToken (38), on a listener without authentication.

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    let somebody = json!([{ "PrincipalType": "User", "PrincipalName": "a" }]);
    vec![
        ask("a token", json!({ "Renewers": [], "MaxLifetimeMs": 1_000 })),
        ask(
            "a token with a renewer",
            json!({ "Renewers": somebody, "MaxLifetimeMs": -1 }),
        ),
        ask(
            "a token for somebody else",
            json!({ "OwnerPrincipalType": "User", "OwnerPrincipalName": "b", "Renewers": [], "MaxLifetimeMs": 1_000 }),
        ),
        ask(
            "a token for nobody",
            json!({ "OwnerPrincipalType": "", "OwnerPrincipalName": "", "Renewers": [], "MaxLifetimeMs": 1_000 }),
        ),
        ask(
            "a token for a group",
            json!({ "OwnerPrincipalType": "Group", "OwnerPrincipalName": "b", "Renewers": [], "MaxLifetimeMs": 0 }),
        ),
    ]
}
