//! Metadata (3).

use serde_json::{Value, json};

use crate::both::Answers;
use crate::run::{Case, ask, case};

fn named(names: &[&str]) -> Value {
    let topics: Vec<Value> = names.iter().map(|name| json!({ "Name": name })).collect();
    json!({ "Topics": topics, "AllowAutoTopicCreation": false })
}

/// Topics that Kafka keeps for itself: there when something first needs them.
fn without_internal(mut answer: Value) -> Value {
    if let Some(topics) = answer["Topics"].as_array_mut() {
        topics.retain(|topic| !topic["Name"].as_str().unwrap_or_default().starts_with("__"));
    }
    answer
}

pub(super) fn cases() -> Vec<Case> {
    let unknown_id = "AAAAAAAAAAAAAAAAAAAAqg";
    vec![
        case("all topics", |run| {
            run.topic(2)?;
            let version = run.version();
            let none = if version == 0 { json!([]) } else { Value::Null };
            let Answers { ours, theirs } = run.both().ask("Metadata", version, &json!({ "Topics": none }))?;
            run.judge(
                "Metadata",
                Answers {
                    ours: without_internal(ours),
                    theirs: without_internal(theirs),
                },
            );
            Ok(())
        }),
        ask("no topics", json!({ "Topics": [] })).versions(1..=13),
        case("a topic", |run| {
            let topic = run.topic(3)?;
            run.ask(json!({ "Topics": [{ "Name": topic }] })).map(drop)
        }),
        case("topics in their order", |run| {
            let topics = [run.topic(1)?, run.topic(2)?];
            run.ask(json!({ "Topics": [{ "Name": topics[1] }, { "Name": topics[0] }] }))
                .map(drop)
        }),
        case("a topic by its id", |run| {
            let topic = run.topic(2)?;
            run.ask(json!({ "Topics": [{ "TopicId": format!("id:{topic}"), "Name": null }] }))
                .map(drop)
        }),
        case("a topic by its id and its name", |run| {
            let topic = run.topic(2)?;
            run.ask(json!({ "Topics": [{ "TopicId": format!("id:{topic}"), "Name": topic }] }))
                .map(drop)
        }),
        case("topics by id and by name", |run| {
            let topics = [run.topic(1)?, run.topic(1)?];
            run.ask(
                json!({ "Topics": [{ "Name": topics[0] }, { "TopicId": format!("id:{}", topics[1]), "Name": null }] }),
            )
            .map(drop)
        }),
        case("a topic twice", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "Topics": [{ "Name": topic }, { "Name": topic }] }))
                .map(drop)
        }),
        case("what may be done", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({
                "Topics": [{ "Name": topic }],
                "IncludeClusterAuthorizedOperations?": true,
                "IncludeTopicAuthorizedOperations": true,
            }))
            .map(drop)
        }),
        case("an unknown topic's operations", |run| {
            run.ask(json!({
                "Topics": [{ "Name": "nowhere" }], "AllowAutoTopicCreation": false,
                "IncludeTopicAuthorizedOperations": true,
            }))
            .map(drop)
        }),
        ask("an unknown topic", named(&["nowhere"])),
        ask("unknown topics", named(&["nowhere-2", "nowhere-1"])),
        ask("a bad name", named(&["a b"])),
        ask(
            "bad names",
            json!({ "Topics": [{ "Name": "." }, { "Name": ".." }, { "Name": "a/b" }, { "Name": "é" }] }),
        ),
        ask("an empty name", named(&[""])),
        ask("a name that is too long", named(&["n".repeat(250).as_str()])),
        ask(
            "an unknown id",
            json!({ "Topics": [{ "TopicId": unknown_id, "Name": null }] }),
        ),
        ask(
            "an unknown id with a name",
            json!({ "Topics": [{ "TopicId": unknown_id, "Name": "nowhere" }], "AllowAutoTopicCreation": false }),
        ),
        ask("neither id nor name", json!({ "Topics": [{ "Name": null }] })),
        case("a topic that is made by asking", |run| {
            let name = run.name("asked-for");
            run.ask(json!({ "Topics": [{ "Name": name }], "AllowAutoTopicCreation?": true }))?;
            run.both().await_topic(&name, 1)?;
            run.ask(json!({ "Topics": [{ "Name": name }] })).map(drop)
        }),
    ]
}
