//! CreatePartitions (37).

use serde_json::{Value, json};

use crate::run::{Case, case};

fn request(topics: Value, validate_only: bool) -> Value {
    json!({ "Topics": topics, "TimeoutMs": 30_000, "ValidateOnly": validate_only })
}

/// From two partitions to so many, and what metadata says then.
fn grows(name: &'static str, fields: Value, validate_only: bool) -> Case {
    case(name, move |run| {
        let topic = run.topic(2)?;
        let mut of_topic = fields.clone();
        of_topic["Name"] = topic.as_str().into();
        run.ask(request(json!([of_topic]), validate_only))?;
        run.soon("Metadata", 12, &json!({ "Topics": [{ "Name": topic }] }))
            .map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    let to = |count: i32| json!({ "Count": count, "Assignments": null });
    vec![
        grows("one more", to(3), false),
        grows("several more", to(7), false),
        grows("only to see", to(3), true),
        grows("as many as there are", to(2), false),
        grows("fewer", to(1), false),
        grows("none", to(0), false),
        grows("below zero", to(-1), false),
        grows("more than one request may make", to(10_003), true),
        case("a time-out of zero", |run| {
            let topic = run.topic(2)?;
            let mut request = request(
                json!([{ "Name": topic, "Count": 3, "Assignments": null }, { "Name": "nowhere", "Count": 3, "Assignments": null }]),
                false,
            );
            request["TimeoutMs"] = json!(0);
            run.ask(request).map(drop)
        }),
        case("a time-out of zero for a good one, and a topic twice", |run| {
            let (good, twice) = (run.topic(2)?, run.topic(2)?);
            let of = |topic: &str| json!({ "Name": topic, "Count": 3, "Assignments": null });
            let mut request = request(json!([of(&twice), of(&good), of(&twice)]), false);
            request["TimeoutMs"] = json!(0);
            run.ask(request).map(drop)
        }),
        case("a time-out below zero, and a topic twice", |run| {
            let topic = run.topic(2)?;
            let of_topic = json!({ "Name": topic, "Count": 3, "Assignments": null });
            let mut request = request(json!([of_topic, of_topic]), true);
            request["TimeoutMs"] = json!(-1);
            run.ask(request).map(drop)
        }),
        grows(
            "an assignment",
            json!({ "Count": 4, "Assignments": [{ "BrokerIds": [1] }, { "BrokerIds": [1] }] }),
            false,
        ),
        grows(
            "too few assignments",
            json!({ "Count": 4, "Assignments": [{ "BrokerIds": [1] }] }),
            false,
        ),
        grows(
            "too many assignments",
            json!({ "Count": 3, "Assignments": [{ "BrokerIds": [1] }, { "BrokerIds": [1] }] }),
            false,
        ),
        grows("no assignments", json!({ "Count": 3, "Assignments": [] }), false),
        grows(
            "an assignment to nobody",
            json!({ "Count": 3, "Assignments": [{ "BrokerIds": [] }] }),
            false,
        ),
        grows(
            "an assignment to an unknown broker",
            json!({ "Count": 3, "Assignments": [{ "BrokerIds": [7] }] }),
            false,
        ),
        grows(
            "an assignment to a broker twice",
            json!({ "Count": 3, "Assignments": [{ "BrokerIds": [1, 1] }] }),
            false,
        ),
        grows(
            "an assignment of more replicas",
            json!({ "Count": 3, "Assignments": [{ "BrokerIds": [1, 2] }] }),
            false,
        ),
        case("an unknown topic", |run| {
            run.ask(request(
                json!([{ "Name": "nowhere", "Count": 3, "Assignments": null }]),
                false,
            ))
            .map(drop)
        }),
        case("a bad name", |run| {
            run.ask(request(
                json!([{ "Name": "a b", "Count": 3, "Assignments": null }]),
                false,
            ))
            .map(drop)
        }),
        case("an empty name", |run| {
            run.ask(request(json!([{ "Name": "", "Count": 3, "Assignments": null }]), false))
                .map(drop)
        }),
        case("no topics", |run| run.ask(request(json!([]), false)).map(drop)),
        case("a topic twice", |run| {
            let topic = run.topic(1)?;
            let to = |count: i32| json!({ "Name": topic, "Count": count, "Assignments": null });
            run.ask(request(json!([to(2), to(3)]), false)).map(drop)
        }),
        case("good and bad", |run| {
            let topic = run.topic(1)?;
            let to = |name: &str| json!({ "Name": name, "Count": 2, "Assignments": null });
            run.ask(request(json!([to("nowhere"), to(&topic)]), false)).map(drop)
        }),
    ]
}
