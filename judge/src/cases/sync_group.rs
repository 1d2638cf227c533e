//! SyncGroup (14).

use serde_json::{Value, json};

use super::group::{BYTES, Member, ask_as, but, group, joined, stable, stable_static};
use crate::run::{Case, ask, case};

fn syncing(member: &Member, id: &str) -> Value {
    json!({
        "GroupId": member.group, "GenerationId": member.generation, "MemberId": id,
        "ProtocolType?": "consumer", "ProtocolName?": "range",
        "Assignments": [{ "MemberId": id, "Assignment": BYTES }],
    })
}

pub(super) fn cases() -> Vec<Case> {
    let first = |name: &'static str, changes: Value| {
        case(name, move |run| {
            let member = joined(run)?;
            ask_as(run, &member, |id| but(syncing(&member, id), changes.clone()))
        })
    };
    let again = |name: &'static str, changes: Value| {
        case(name, move |run| {
            let member = stable(run)?;
            ask_as(run, &member, |id| but(syncing(&member, id), changes.clone()))
        })
    };
    let mut cases = vec![
        first("the leader's assignment", json!({})),
        first("an assignment for nobody", json!({ "Assignments": [] })),
        first(
            "an assignment for a stranger",
            json!({ "Assignments": [{ "MemberId": "nobody", "Assignment": "01" }] }),
        ),
        first("an earlier generation", json!({ "GenerationId": 0 })),
        first("a later generation", json!({ "GenerationId": 9 })),
        first("another protocol type", json!({ "ProtocolType": "connect" })),
        first("another protocol", json!({ "ProtocolName": "sticky" })),
        first("no protocol", json!({ "ProtocolName": null, "ProtocolType": null })),
        again("the assignment again", json!({ "Assignments": [] })),
        again(
            "another assignment when it is too late",
            json!({ "Assignments": [{ "MemberId": "x", "Assignment": "" }] }),
        ),
        again("a stranger", json!({ "MemberId": "nobody" })),
        again("no member", json!({ "MemberId": "" })),
        again(
            "an instance that the group does not have",
            json!({ "GroupInstanceId": "two" }),
        ),
        case("a static member", |run| {
            let member = stable_static(run, "one")?;
            ask_as(run, &member, |id| {
                but(syncing(&member, id), json!({ "GroupInstanceId": "one" }))
            })
        })
        .versions(3..=5),
        case("a static member under another's id", |run| {
            let member = stable_static(run, "one")?;
            ask_as(run, &member, |_| {
                but(syncing(&member, "nobody"), json!({ "GroupInstanceId": "one" }))
            })
        })
        .versions(3..=5),
        case("an unknown group", |run| {
            let group = group(run)?;
            run.ask(json!({
                "GroupId": group, "GenerationId": 1, "MemberId": "member",
                "ProtocolType?": "consumer", "ProtocolName?": "range",
            }))
            .map(drop)
        }),
        ask(
            "no group",
            json!({
                "GroupId": "", "GenerationId": 1, "MemberId": "member", "ProtocolType?": "consumer", "ProtocolName?": "range",
            }),
        ),
    ];
    cases.extend(super::mixed::syncs());
    cases
}
