//! ElectLeaders (43): what is answered of the case's own topics, as both lead those of every other case too.

use serde_json::{Value, json};

use crate::run::{Case, ask, case};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// An election of partitions of a topic with two.
fn election(name: &'static str, kind: i8, partitions: &'static [i32]) -> Case {
    case(name, move |run| {
        let topic = run.topic(2)?;
        run.ask(json!({ "ElectionType": kind, "TopicPartitions": [{ "Topic": topic, "Partitions": partitions }] }))
            .map(drop)
    })
    .versions(1..=2)
}

fn of_all(name: &'static str, kind: Value) -> Case {
    case(name, move |run| {
        let topic = run.topic(2)?;
        let mut request = json!({ "TopicPartitions": null });
        if !kind.is_null() {
            request["ElectionType"] = kind.clone();
        }
        run.ask_own(&request, "ReplicaElectionResults", "Topic", &[&topic])
            .map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a partition", |run| {
            let topic = run.topic(2)?;
            run.ask(json!({ "TopicPartitions": [{ "Topic": topic, "Partitions": [0] }] }))
                .map(drop)
        }),
        election("the preferred leader", PREFERRED, &[0, 1]),
        election("any leader", UNCLEAN, &[0]),
        election("a kind that there is not", 2, &[0]),
        election("a kind below zero", -1, &[0, 1]),
        election("the largest kind", i8::MAX, &[]),
        case("an unknown kind, of all", |run| {
            run.ask(json!({ "ElectionType": 7, "TopicPartitions": null })).map(drop)
        })
        .versions(1..=2),
        case("an unknown kind, of an unknown topic", |run| {
            run.ask(json!({ "ElectionType": 7, "TopicPartitions": [{ "Topic": "nowhere", "Partitions": [0] }] }))
                .map(drop)
        })
        .versions(1..=2),
        of_all("all partitions", Value::Null),
        of_all("all partitions, any leader", UNCLEAN.into()),
        ask("no topics", json!({ "TopicPartitions": [] })),
        case("no partitions", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "TopicPartitions": [{ "Topic": topic, "Partitions": [] }] }))
                .map(drop)
        }),
        case("a partition twice", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "TopicPartitions": [{ "Topic": topic, "Partitions": [0, 0] }] }))
                .map(drop)
        }),
        case("a topic twice", |run| {
            let topic = run.topic(2)?;
            let partition = |index: i32| json!({ "Topic": topic, "Partitions": [index] });
            run.ask(json!({ "TopicPartitions": [partition(0), partition(1)] }))
                .map(drop)
        })
        .versions(1..=2),
        case("several topics", |run| {
            let (one, two) = (run.topic(2)?, run.topic(1)?);
            run.ask(json!({ "TopicPartitions": [
                { "Topic": two, "Partitions": [0] },
                { "Topic": "nowhere", "Partitions": [3, 1] },
                { "Topic": one, "Partitions": [1, 0, 2] },
            ] }))
            .map(drop)
        }),
        case("unknown partitions", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "TopicPartitions": [{ "Topic": topic, "Partitions": [1, -1, i32::MAX, i32::MIN] }] }))
                .map(drop)
        }),
        ask(
            "an unknown topic",
            json!({ "TopicPartitions": [{ "Topic": "nowhere", "Partitions": [0] }] }),
        ),
        ask(
            "an unknown topic without partitions",
            json!({ "TopicPartitions": [{ "Topic": "nowhere", "Partitions": [] }] }),
        ),
        ask(
            "names that no topic may have",
            json!({ "TopicPartitions": [{ "Topic": "", "Partitions": [0] }, { "Topic": "a b", "Partitions": [0] }] }),
        ),
        case("a time-out of zero", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "TimeoutMs": 0, "TopicPartitions": [{ "Topic": topic, "Partitions": [0] }] }))
                .map(drop)
        }),
        case("a time-out below zero", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "TimeoutMs": -1, "TopicPartitions": [{ "Topic": topic, "Partitions": [0] }] }))
                .map(drop)
        }),
    ]
}
