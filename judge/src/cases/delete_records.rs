//! DeleteRecords (21).

use serde_json::{Value, json};

use crate::records::batch;
use crate::run::{Case, case};

fn of(topic: &str, partitions: Value) -> Value {
    json!({ "Topics": [{ "Name": topic, "Partitions": partitions }], "TimeoutMs": 30_000 })
}

/// Deletes up to each offset in turn, in a log of four records.
fn deletes(name: &'static str, offsets: &'static [i64]) -> Case {
    case(name, move |run| {
        let topic = run.topic(1)?;
        for values in [&["a", "b"][..], &["c", "d"]] {
            run.must(
                "Produce",
                json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
                "TopicId": format!("id:{topic}"), "PartitionData": [{ "Index": 0, "Records": batch(values) }],
            }] }),
            )?;
        }
        for offset in offsets {
            run.ask(of(&topic, json!([{ "PartitionIndex": 0, "Offset": offset }])))?;
        }
        let start = json!({ "ReplicaId": -1, "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0, "Timestamp": -2 }] }] });
        run.ask_api("ListOffsets", 5, start).map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        deletes("to the middle of a batch", &[1]),
        deletes("to a batch", &[2]),
        deletes("to the end", &[4]),
        deletes("all there is", &[-1]),
        deletes("beyond the end", &[5]),
        deletes("to zero", &[0]),
        deletes("below -1", &[-2]),
        deletes("twice", &[2, 2]),
        deletes("backwards", &[3, 1]),
        deletes("all there is, twice", &[-1, -1]),
        case("an unknown topic", |run| {
            run.ask(of("nowhere", json!([{ "PartitionIndex": 0, "Offset": 0 }])))
                .map(drop)
        }),
        case("an unknown partition", |run| {
            let topic = run.topic(1)?;
            run.ask(of(
                &topic,
                json!([{ "PartitionIndex": 0, "Offset": 0 }, { "PartitionIndex": 7, "Offset": 0 }]),
            ))
            .map(drop)
        }),
        case("a partition twice", |run| {
            let topic = run.topic(1)?;
            run.ask(of(
                &topic,
                json!([{ "PartitionIndex": 0, "Offset": 0 }, { "PartitionIndex": 0, "Offset": 7 }]),
            ))
            .map(drop)
        }),
        case("a topic twice", |run| {
            let topic = run.topic(2)?;
            let of =
                |partition: i32| json!({ "Name": topic, "Partitions": [{ "PartitionIndex": partition, "Offset": 0 }] });
            run.ask(json!({ "Topics": [of(0), of(1)], "TimeoutMs": 30_000 }))
                .map(drop)
        }),
        case("no topics", |run| {
            run.ask(json!({ "Topics": [], "TimeoutMs": 30_000 })).map(drop)
        }),
        case("no partitions", |run| {
            let topic = run.topic(1)?;
            run.ask(of(&topic, json!([]))).map(drop)
        }),
        case("a topic that is compacted", |run| {
            let topic = run.topic_with(1, &[("cleanup.policy", "compact")])?;
            run.ask(of(&topic, json!([{ "PartitionIndex": 0, "Offset": 0 }])))
                .map(drop)
        }),
        case("a time-out below zero", |run| {
            let topic = run.topic(1)?;
            let mut request = of(&topic, json!([{ "PartitionIndex": 0, "Offset": 0 }]));
            request["TimeoutMs"] = json!(-1);
            run.ask(request).map(drop)
        }),
    ]
}
