//! SaslHandshake (17), on a listener without SASL.

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("PLAIN", json!({ "Mechanism": "PLAIN" })),
        ask("a mechanism that there is not", json!({ "Mechanism": "NOPE" })),
        ask("no mechanism", json!({ "Mechanism": "" })),
    ]
}
