//! ExpireDelegationToken (40), on a listener without authentication.

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("a token", json!({ "Hmac": "00750070", "ExpiryTimePeriodMs": 1_000 })),
        ask("no token", json!({ "Hmac": "", "ExpiryTimePeriodMs": -1 })),
    ]
}
