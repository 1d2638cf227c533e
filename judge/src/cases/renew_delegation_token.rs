//! RenewDelegationToken (39), on a listener without authentication.

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("a token", json!({ "Hmac": "00750070", "RenewPeriodMs": 1_000 })),
        ask("no token", json!({ "Hmac": "", "RenewPeriodMs": -1 })),
    ]
}
