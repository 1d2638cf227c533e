//! ListConfigResources (74): of topics the case's own, as both have those of every other case too.

use serde_json::{Value, json};

use crate::run::{Case, case};

fn of(name: &'static str, kinds: Value) -> Case {
    case(name, move |run| {
        let topic = run.topic(1)?;
        let request = json!({ "ResourceTypes": kinds });
        run.ask_own(&request, "ConfigResources", "ResourceName", &[&topic, "1", ""])
            .map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("what version 0 lists", |run| run.ask(json!({})).map(drop)).versions(0..=0),
        of("all kinds", json!([])),
        of("topics", json!([2])),
        of("brokers", json!([4])),
        of("loggers", json!([8])),
        of("client metrics", json!([16])),
        of("groups", json!([32])),
        of("several kinds", json!([4, 32, 8, 2, 16])),
        of("a kind twice", json!([4, 4])),
        of("no kind", json!([0])),
        of("any kind", json!([1])),
        of("a kind that there is not", json!([99])),
        of("a kind below zero", json!([-1])),
        of("known and unknown kinds", json!([2, 3])),
    ]
}
