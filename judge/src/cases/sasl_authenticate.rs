//! SaslAuthenticate (36), on a listener without SASL.

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("a name", json!({ "AuthBytes": "00750070" })),
        ask("nothing", json!({ "AuthBytes": "" })),
    ]
}
