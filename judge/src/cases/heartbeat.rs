//! Heartbeat (12).

use serde_json::{Value, json};

use super::group::{ask_as, but, group, joined, stable, stable_static};
use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    let beat = |name: &'static str, changes: Value| {
        case(name, move |run| {
            let member = stable(run)?;
            ask_as(run, &member, |id| {
                let request = json!({ "GroupId": member.group, "GenerationId": member.generation, "MemberId": id });
                but(request, changes.clone())
            })
        })
    };
    let mut cases = vec![
        beat("a member", json!({})),
        beat("an earlier generation", json!({ "GenerationId": 0 })),
        beat("a later generation", json!({ "GenerationId": 2 })),
        beat("a negative generation", json!({ "GenerationId": -1 })),
        beat("a stranger", json!({ "MemberId": "nobody" })),
        beat("no member", json!({ "MemberId": "" })),
        beat("an instance that the group does not have", json!({ "GroupInstanceId": "two" })),
        case("a member before its assignment", |run| {
            let member = joined(run)?;
            ask_as(run, &member, |id| {
                json!({ "GroupId": member.group, "GenerationId": member.generation, "MemberId": id })
            })
        }),
        case("a static member", |run| {
            let member = stable_static(run, "one")?;
            ask_as(run, &member, |id| {
                json!({
                    "GroupId": member.group, "GenerationId": member.generation, "MemberId": id, "GroupInstanceId": "one",
                })
            })
        })
        .versions(3..=4),
        case("a static member under another's id", |run| {
            let member = stable_static(run, "one")?;
            run.ask(json!({
                "GroupId": member.group, "GenerationId": member.generation, "MemberId": "nobody", "GroupInstanceId": "one",
            }))
            .map(drop)
        })
        .versions(3..=4),
        case("an unknown group", |run| {
            let group = group(run)?;
            run.ask(json!({ "GroupId": group, "GenerationId": 1, "MemberId": "member" })).map(drop)
        }),
        case("an empty group that has offsets", |run| {
            let topic = run.topic(1)?;
            let group = super::group::committed(run, &topic)?;
            run.ask(json!({ "GroupId": group, "GenerationId": 1, "MemberId": "member" })).map(drop)
        }),
        ask("no group", json!({ "GroupId": "", "GenerationId": 1, "MemberId": "member" })),
    ];
    cases.extend(super::mixed::beats());
    cases
}
