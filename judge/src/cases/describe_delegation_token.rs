//! DescribeDelegationToken (41), on a listener without authentication.

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("all", json!({ "Owners": null })),
        ask("nobody's", json!({ "Owners": [] })),
        ask(
            "somebody's",
            json!({ "Owners": [{ "PrincipalType": "User", "PrincipalName": "a" }] }),
        ),
    ]
}
