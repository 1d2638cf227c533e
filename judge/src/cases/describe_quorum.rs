//! DescribeQuorum (55).

use serde_json::{Value, json};

use crate::run::{Case, ask};

fn topic(name: &str, partitions: &[i32]) -> Value {
    let partitions: Vec<Value> = partitions
        .iter()
        .map(|index| json!({ "PartitionIndex": index }))
        .collect();
    json!({ "TopicName": name, "Partitions": partitions })
}

pub(super) fn cases() -> Vec<Case> {
    const METADATA: &str = "__cluster_metadata";
    vec![
        ask("the controllers", json!({ "Topics": [topic(METADATA, &[0])] })),
        ask("no topic", json!({ "Topics": [] })),
        ask("no partition", json!({ "Topics": [topic(METADATA, &[])] })),
        ask("another partition", json!({ "Topics": [topic(METADATA, &[1])] })),
        ask(
            "another partition, too",
            json!({ "Topics": [topic(METADATA, &[0, 1])] }),
        ),
        ask("another topic", json!({ "Topics": [topic("nowhere", &[0, 3])] })),
    ]
}
