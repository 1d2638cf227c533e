//! DescribeProducers (61): ids of producers that the cases made up, the same on both.

use serde_json::{Value, json};
use tickertape_broker::wire::build::BatchBuilder;

use super::in_transactions;
use crate::records::{batch, built};
use crate::run::{Case, Outcome, Run, ask, case};

/// A batch of two records of a producer.
fn produced(run: &mut Run<'_>, topic: &str, partition: i32, (id, epoch, sequence): (i64, i16, i32)) -> Outcome {
    let records = BatchBuilder::new()
        .producer(id, epoch, sequence)
        .record(5_000 + i64::from(sequence), None, Some(b"one"))
        .record(4_000, None, Some(b"two"));
    run.must(
        "Produce",
        json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
            "TopicId": format!("id:{topic}"), "PartitionData": [{ "Index": partition, "Records": built(records) }],
        }] }),
    )
    .map(drop)
}

fn of(topic: &str, partitions: &[i32]) -> Value {
    json!({ "Topics": [{ "Name": topic, "PartitionIndexes": partitions }] })
}

pub(super) fn cases() -> Vec<Case> {
    plain().into_iter().chain(in_transactions::described()).collect()
}

fn plain() -> Vec<Case> {
    vec![
        case("a partition without producers", |run| {
            let topic = run.topic(1)?;
            run.must(
                "Produce",
                json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
                    "TopicId": format!("id:{topic}"), "PartitionData": [{ "Index": 0, "Records": batch(&["one"]) }],
                }] }),
            )?;
            run.ask(of(&topic, &[0])).map(drop)
        }),
        case("an empty partition", |run| {
            let topic = run.topic(1)?;
            run.ask(of(&topic, &[0])).map(drop)
        }),
        case("a producer", |run| {
            let topic = run.topic(2)?;
            produced(run, &topic, 0, (4_711, 0, 0))?;
            produced(run, &topic, 0, (4_711, 0, 2))?;
            run.ask(of(&topic, &[0, 1])).map(drop)
        }),
        case("several producers", |run| {
            let topic = run.topic(2)?;
            for (id, partition) in [(4_713, 0), (4_711, 1), (4_712, 0)] {
                produced(run, &topic, partition, (id, 3, 0))?;
            }
            run.ask(of(&topic, &[1, 0])).map(drop)
        }),
        case("a producer's next epoch", |run| {
            let topic = run.topic(1)?;
            produced(run, &topic, 0, (4_711, 0, 0))?;
            produced(run, &topic, 0, (4_711, 1, 0))?;
            run.ask(of(&topic, &[0])).map(drop)
        }),
        case("a sequence about to wrap around", |run| {
            let topic = run.topic(1)?;
            produced(run, &topic, 0, (4_711, i16::MAX, i32::MAX))?;
            run.ask(of(&topic, &[0])).map(drop)
        }),
        case("after the records were deleted", |run| {
            let topic = run.topic(1)?;
            produced(run, &topic, 0, (4_711, 0, 0))?;
            run.must(
                "DeleteRecords",
                json!({ "TimeoutMs": 30_000, "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0, "Offset": -1 }] }] }),
            )?;
            run.ask(of(&topic, &[0])).map(drop)
        }),
        ask("nothing", json!({ "Topics": [] })),
        case("no partitions", |run| {
            let topic = run.topic(1)?;
            run.ask(of(&topic, &[])).map(drop)
        }),
        case("unknown partitions", |run| {
            let topic = run.topic(1)?;
            run.ask(of(&topic, &[1, -1, i32::MAX])).map(drop)
        }),
        case("a partition twice", |run| {
            let topic = run.topic(1)?;
            run.ask(of(&topic, &[0, 0])).map(drop)
        }),
        case("a topic twice", |run| {
            let topic = run.topic(2)?;
            let named = |index: i32| json!({ "Name": topic, "PartitionIndexes": [index] });
            run.ask(json!({ "Topics": [named(1), named(0)] })).map(drop)
        }),
        ask("an unknown topic", of("nowhere", &[0, 1])),
        ask("an empty name", of("", &[0])),
        ask("a name that no topic may have", of("a b", &[0])),
        case("known and unknown topics", |run| {
            let topic = run.topic(1)?;
            let named = |name: &str| json!({ "Name": name, "PartitionIndexes": [0] });
            run.ask(json!({ "Topics": [named("nowhere"), named(&topic), named("a b")] }))
                .map(drop)
        }),
    ]
}
