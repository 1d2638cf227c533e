//! DescribeGroups (15).

use serde_json::json;

use super::group::{committed, consuming, group, joined, stable, stable_static};
use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a stable group", |run| {
            let member = stable(run)?;
            run.ask(json!({ "Groups": [member.group] })).map(drop)
        }),
        case("a group before its assignment", |run| {
            let member = joined(run)?;
            run.ask(json!({ "Groups": [member.group] })).map(drop)
        }),
        case("a static member", |run| {
            let member = stable_static(run, "one")?;
            run.ask(json!({ "Groups": [member.group] })).map(drop)
        }),
        case("an empty group that has offsets", |run| {
            let topic = run.topic(1)?;
            let group = committed(run, &topic)?;
            run.ask(json!({ "Groups": [group] })).map(drop)
        }),
        case("a group that its member left", |run| {
            let member = stable(run)?;
            super::group::must_each(
                run,
                "LeaveGroup",
                5,
                |side| json!({ "GroupId": member.group, "Members": [{ "MemberId": member.id(side) }] }),
            )?;
            run.ask(json!({ "Groups": [member.group] })).map(drop)
        }),
        case("an unknown group", |run| {
            let group = group(run)?;
            run.ask(json!({ "Groups": [group] })).map(drop)
        }),
        case("a consumer group", |run| {
            let (group, _) = consuming(run, 1)?;
            run.ask(json!({ "Groups": [group] })).map(drop)
        }),
        case("a group twice", |run| {
            let member = stable(run)?;
            run.ask(json!({ "Groups": [member.group, member.group] })).map(drop)
        }),
        case("what may be done with it", |run| {
            let member = stable(run)?;
            run.ask(json!({ "Groups": [member.group], "IncludeAuthorizedOperations": true }))
                .map(drop)
        })
        .versions(3..=6),
        ask("no groups", json!({ "Groups": [] })),
        ask("no name", json!({ "Groups": [""] })),
    ]
}
