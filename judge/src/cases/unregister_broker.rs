//! UnregisterBroker (64); never of the broker that is asked, which Apache Kafka would do.

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("an unknown broker", json!({ "BrokerId": 7 })),
        ask("a broker below zero", json!({ "BrokerId": -1 })),
    ]
}
