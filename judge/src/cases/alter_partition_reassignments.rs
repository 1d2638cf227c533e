//! AlterPartitionReassignments (45).

use serde_json::{Value, json};

use crate::run::{Case, ask, case};

/// One request for partitions of a topic with two, then what there is of moves and of the topic.
fn moves(name: &'static str, partitions: Value) -> Case {
    case(name, move |run| {
        let topic = run.topic(2)?;
        run.ask(json!({ "Topics": [{ "Name": topic, "Partitions": partitions }] }))?;
        run.ask_api("ListPartitionReassignments", 0, json!({ "Topics": null }))?;
        run.ask_api(
            "Metadata",
            12,
            json!({ "Topics": [{ "Name": topic }], "AllowAutoTopicCreation": false }),
        )
        .map(drop)
    })
}

fn to(replicas: Value) -> Value {
    json!([{ "PartitionIndex": 0, "Replicas": replicas }])
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        moves("to where it is", to(json!([1]))),
        moves("to another broker", to(json!([2]))),
        moves("to more brokers", to(json!([1, 2]))),
        moves("to a broker twice", to(json!([1, 1]))),
        moves("to nowhere", to(json!([]))),
        moves("to a broker below zero", to(json!([-1]))),
        moves("to the smallest and the largest", to(json!([i32::MIN, i32::MAX]))),
        moves("a cancellation", to(Value::Null)),
        moves(
            "an unknown partition",
            json!([{ "PartitionIndex": 2, "Replicas": [1] }, { "PartitionIndex": -1, "Replicas": null }]),
        ),
        moves(
            "good and bad",
            json!([{ "PartitionIndex": 1, "Replicas": [1] }, { "PartitionIndex": 0, "Replicas": [7] }]),
        ),
        moves(
            "a partition twice",
            json!([{ "PartitionIndex": 0, "Replicas": [1] }, { "PartitionIndex": 0, "Replicas": null }]),
        ),
        moves("no partitions", json!([])),
        ask("no topics", json!({ "Topics": [] })),
        ask(
            "an unknown topic",
            json!({ "Topics": [{ "Name": "nowhere", "Partitions": [{ "PartitionIndex": 0, "Replicas": [1] }] }] }),
        ),
        ask(
            "an unknown topic's cancellation",
            json!({ "Topics": [{ "Name": "nowhere", "Partitions": [{ "PartitionIndex": 0, "Replicas": null }] }] }),
        ),
        ask(
            "names that no topic may have",
            json!({ "Topics": [
                { "Name": "", "Partitions": [{ "PartitionIndex": 0, "Replicas": [1] }] },
                { "Name": "a b", "Partitions": [{ "PartitionIndex": 0, "Replicas": [1] }] },
            ] }),
        ),
        case("a topic twice", |run| {
            let topic = run.topic(2)?;
            let partition =
                |index: i32| json!({ "Name": topic, "Partitions": [{ "PartitionIndex": index, "Replicas": [1] }] });
            run.ask(json!({ "Topics": [partition(0), partition(1)] })).map(drop)
        }),
        case("as many replicas as now", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "AllowReplicationFactorChange": false, "Topics": [{ "Name": topic, "Partitions": to(json!([1])) }] }))
                .map(drop)
        }),
        case("another number of replicas, which may not be", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "AllowReplicationFactorChange": false, "Topics": [{ "Name": topic, "Partitions": to(json!([1, 2])) }] }))
                .map(drop)
        }),
        case("no replicas, which may not be", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "AllowReplicationFactorChange": false, "Topics": [{ "Name": topic, "Partitions": to(json!([])) }] }))
                .map(drop)
        }),
        case("a time-out below zero", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "TimeoutMs": -1, "Topics": [{ "Name": topic, "Partitions": to(json!([1])) }] }))
                .map(drop)
        }),
    ]
}
