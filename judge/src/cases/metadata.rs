//! Metadata (3).

use serde_json::json;

use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    let by_name = |name: &str| json!({ "Topics": [{ "Name": name }], "AllowAutoTopicCreation?": false });
    vec![
        case("a topic", |run| {
            let topic = run.topic(3)?;
            run.ask(json!({ "Topics": [{ "Name": topic }] })).map(drop)
        }),
        ask("no topics", json!({ "Topics": [] })).versions(1..=13),
        ask("an unknown topic", by_name("nowhere")).versions(4..=13),
        ask(
            "an unknown id",
            json!({ "Topics": [{ "TopicId": "AAAAAAAAAAAAAAAAAAAAqg", "Name": null }] }),
        ),
    ]
}
