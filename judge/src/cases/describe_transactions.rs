//! DescribeTransactions (65).

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("nothing", json!({ "TransactionalIds": [] })),
        ask("an unknown id", json!({ "TransactionalIds": ["nobody"] })),
        ask("an empty id", json!({ "TransactionalIds": [""] })),
        ask("several ids", json!({ "TransactionalIds": ["nobody", "", "no one"] })),
        ask("an id twice", json!({ "TransactionalIds": ["nobody", "nobody"] })),
    ]
}
