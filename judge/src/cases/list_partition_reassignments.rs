//! ListPartitionReassignments (46).

use serde_json::{Value, json};

use crate::run::{Case, ask, case};

/// One request for partitions of a topic with two.
fn of(name: &'static str, partitions: &'static [i32]) -> Case {
    case(name, move |run| {
        let topic = run.topic(2)?;
        run.ask(json!({ "Topics": [{ "Name": topic, "PartitionIndexes": partitions }] }))
            .map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("all", json!({ "Topics": null })),
        ask("no topics", json!({ "Topics": [] })),
        of("partitions that stay", &[0, 1]),
        of("no partitions", &[]),
        of("unknown partitions", &[2, -1, i32::MAX]),
        of("a partition twice", &[0, 0]),
        ask(
            "an unknown topic",
            json!({ "Topics": [{ "Name": "nowhere", "PartitionIndexes": [0] }] }),
        ),
        ask(
            "names that no topic may have",
            json!({ "Topics": [{ "Name": "", "PartitionIndexes": [0] }, { "Name": "a b", "PartitionIndexes": [0] }] }),
        ),
        case("a topic twice", |run| {
            let topic = run.topic(2)?;
            let named: Value = json!({ "Name": topic, "PartitionIndexes": [0] });
            run.ask(json!({ "Topics": [named, named] })).map(drop)
        }),
        ask("a time-out below zero", json!({ "TimeoutMs": -1, "Topics": null })),
    ]
}
