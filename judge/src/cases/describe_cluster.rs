//! DescribeCluster (60).

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("the cluster", json!({})),
        ask(
            "what may be done",
            json!({ "IncludeClusterAuthorizedOperations": true }),
        ),
        ask("the brokers", json!({ "EndpointType": 1 })),
        ask("the controllers", json!({ "EndpointType": 2 })),
        ask("an endpoint that there is not", json!({ "EndpointType": 7 })),
        ask("endpoint zero", json!({ "EndpointType": 0 })),
        ask("brokers that are fenced", json!({ "IncludeFencedBrokers": true })),
    ]
}
