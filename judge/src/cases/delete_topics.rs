//! DeleteTopics (20).

use serde_json::{Value, json};

use crate::run::{Case, case};

/// Topics by name, in the form that the version has.
fn named(version: i16, names: &[&str]) -> Value {
    let topics: Vec<Value> = names.iter().map(|name| json!({ "Name": name })).collect();
    match version {
        ..6 => json!({ "TopicNames": names, "TimeoutMs": 30_000 }),
        _ => json!({ "Topics": topics, "TimeoutMs": 30_000 }),
    }
}

fn states(topics: Value) -> Value {
    json!({ "Topics": topics, "TimeoutMs": 30_000 })
}

pub(super) fn cases() -> Vec<Case> {
    let unknown_id = "AAAAAAAAAAAAAAAAAAAAqg";
    vec![
        case("a topic", |run| {
            let topic = run.topic(2)?;
            run.ask(named(run.version(), &[&topic]))?;
            run.soon(
                "Metadata",
                12,
                &json!({ "Topics": [{ "Name": topic }], "AllowAutoTopicCreation": false }),
            )
            .map(drop)
        }),
        case("a topic by its id", |run| {
            let topic = run.topic(1)?;
            run.ask(states(json!([{ "TopicId": format!("id:{topic}") }]))).map(drop)
        }),
        case("a topic that is made anew", |run| {
            let topic = run.topic(1)?;
            run.ask(named(run.version(), &[&topic]))?;
            run.gone(&topic)?;
            run.both().create_topic(&topic, 3, &[])?;
            run.ask_api("Metadata", 12, json!({ "Topics": [{ "Name": topic }] }))
                .map(drop)
        }),
        case("a topic again", |run| {
            let topic = run.topic(1)?;
            run.ask(named(run.version(), &[&topic]))?;
            run.gone(&topic)?;
            run.ask(named(run.version(), &[&topic])).map(drop)
        }),
        case("an unknown topic", |run| {
            run.ask(named(run.version(), &["nowhere"])).map(drop)
        }),
        case("a bad name", |run| run.ask(named(run.version(), &["a b"])).map(drop)),
        case("an empty name", |run| run.ask(named(run.version(), &[""])).map(drop)),
        case("a time-out of zero", |run| {
            let topic = run.topic(1)?;
            let mut request = named(run.version(), &[&topic, "nowhere"]);
            request["TimeoutMs"] = json!(0);
            run.ask(request).map(drop)
        }),
        case("a time-out of zero, a name twice, and an id", |run| {
            let (good, twice) = (run.topic(1)?, run.topic(1)?);
            let mut request = states(
                json!([{ "Name": twice }, { "Name": twice }, { "Name": null }, { "TopicId": format!("id:{good}") }]),
            );
            request["TimeoutMs"] = json!(0);
            run.ask(request).map(drop)
        }),
        case("a time-out below zero, and a topic twice", |run| {
            let topic = run.topic(1)?;
            let mut request = named(run.version(), &[&topic, &topic]);
            request["TimeoutMs"] = json!(-1);
            run.ask(request).map(drop)
        }),
        case("no topics", |run| run.ask(named(run.version(), &[])).map(drop)),
        case("a topic twice", |run| {
            let topic = run.topic(1)?;
            run.ask(named(run.version(), &[&topic, &topic])).map(drop)
        }),
        case("known and unknown", |run| {
            let topic = run.topic(1)?;
            run.ask(named(run.version(), &["nowhere", &topic])).map(drop)
        }),
        case("an unknown id", move |run| {
            run.ask(states(json!([{ "TopicId": unknown_id }]))).map(drop)
        }),
        case("an unknown id twice", move |run| {
            run.ask(states(json!([{ "TopicId": unknown_id }, { "TopicId": unknown_id }])))
                .map(drop)
        }),
        case("neither id nor name", |run| {
            run.ask(states(json!([{ "Name": null }]))).map(drop)
        }),
        case("id and name", |run| {
            let topic = run.topic(1)?;
            run.ask(states(json!([{ "Name": topic, "TopicId": format!("id:{topic}") }])))
                .map(drop)
        }),
        case("a topic by its id and by its name", |run| {
            let topic = run.topic(1)?;
            run.ask(states(json!([{ "Name": topic }, { "TopicId": format!("id:{topic}") }])))
                .map(drop)
        }),
    ]
}
