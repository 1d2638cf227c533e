//! WriteTxnMarkers (27): of producers that the cases made up, the same on both; their coordinator is nobody's. Of a
//! partition that is named twice in a marker Apache Kafka never answers.

use serde_json::{Value, json};
use tickertape_broker::wire::build::BatchBuilder;

use super::transactions::sees_log;
use crate::records::built;
use crate::run::{Case, Outcome, Run, case};

/// A marker for partitions of one topic.
fn marker(id: i64, epoch: i16, commit: bool, coordinator_epoch: i32, topic: &str, partitions: &[i32]) -> Value {
    json!({
        "ProducerId": id, "ProducerEpoch": epoch, "TransactionResult": commit, "CoordinatorEpoch": coordinator_epoch,
        "Topics": [{ "Name": topic, "PartitionIndexes": partitions }],
    })
}

/// Two records of an idempotent producer: it is known then.
fn known(run: &mut Run<'_>, topic: &str, id: i64, epoch: i16) -> Outcome {
    let records = BatchBuilder::new()
        .producer(id, epoch, 0)
        .record(1_000, None, Some(b"one"))
        .record(1_001, None, Some(b"two"));
    run.must(
        "Produce",
        json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
            "TopicId": format!("id:{topic}"), "PartitionData": [{ "Index": 0, "Records": built(records) }],
        }] }),
    )
    .map(drop)
}

/// Markers one after the other for a producer that is known at epoch 3.
fn after(name: &'static str, markers: &'static [(i16, bool, i32)]) -> Case {
    case(name, move |run| {
        let topic = run.topic(1)?;
        known(run, &topic, 4_711, 3)?;
        for (epoch, commit, coordinator_epoch) in markers {
            let marker = marker(4_711, *epoch, *commit, *coordinator_epoch, &topic, &[0]);
            run.ask(json!({ "Markers": [marker] }))?;
            sees_log(run, &topic)?;
        }
        Ok(())
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        after("a commit", &[(3, true, 0)]),
        after("an abort", &[(3, false, 0)]),
        after(
            "markers of one coordinator",
            &[(3, true, 2), (3, false, 2), (4, true, 2)],
        ),
        after("a coordinator's epoch before", &[(3, true, 2), (3, true, 1)]),
        after(
            "a coordinator's epoch after",
            &[(3, true, 2), (3, true, 5), (3, true, 4)],
        ),
        after("a coordinator's epoch below zero", &[(3, true, -1)]),
        after("a producer's epoch before", &[(2, true, 0)]),
        after("a producer's epoch after", &[(9, true, 0), (3, true, 0)]),
        after("a producer's epoch below zero", &[(-1, true, 0)]),
        case("of an unknown producer", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "Markers": [marker(4_712, 0, true, 0, &topic, &[0])] }))?;
            sees_log(run, &topic)
        }),
        case("of no producer", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "Markers": [marker(-1, -1, true, 0, &topic, &[0])] }))?;
            sees_log(run, &topic)
        }),
        case("no markers", |run| run.ask(json!({ "Markers": [] })).map(drop)),
        case("no topics", |run| {
            run.ask(json!({ "Markers": [{
                "ProducerId": 4_711, "ProducerEpoch": 0, "TransactionResult": true, "CoordinatorEpoch": 0, "Topics": [],
            }] }))
            .map(drop)
        }),
        case("no partitions", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "Markers": [marker(4_711, 0, true, 0, &topic, &[])] }))
                .map(drop)
        }),
        case("an unknown topic", |run| {
            run.ask(json!({ "Markers": [marker(4_711, 0, true, 0, "nowhere", &[0])] }))
                .map(drop)
        }),
        case("known and unknown partitions", |run| {
            let topic = run.topic(2)?;
            run.ask(json!({ "Markers": [marker(4_711, 0, true, 0, &topic, &[1, 7, 0, -1])] }))?;
            sees_log(run, &topic)
        }),
        case("several markers", |run| {
            let topic = run.topic(2)?;
            run.ask(json!({ "Markers": [
                marker(4_713, 0, false, 0, &topic, &[0, 1]),
                marker(4_711, 2, true, 0, &topic, &[0]),
            ] }))?;
            sees_log(run, &topic)
        }),
        case("one producer's markers in one request", |run| {
            let topic = run.topic(2)?;
            run.ask(json!({ "Markers": [
                marker(4_711, 0, false, 0, &topic, &[0]),
                marker(4_711, 0, true, 0, &topic, &[1]),
            ] }))?;
            sees_log(run, &topic)
        }),
        case("a topic twice in a marker", |run| {
            let topic = run.topic(2)?;
            let mut marker = marker(4_711, 0, true, 0, &topic, &[0]);
            marker["Topics"] = json!([
                { "Name": topic, "PartitionIndexes": [0] },
                { "Name": topic, "PartitionIndexes": [1] },
            ]);
            run.ask(json!({ "Markers": [marker] }))?;
            sees_log(run, &topic)
        }),
    ]
}
