//! DeleteGroups (42).

use serde_json::json;

use super::group::{committed, consuming, group, stable};
use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("an empty group, and what is left of it", |run| {
            let topic = run.topic(1)?;
            let group = committed(run, &topic)?;
            run.ask(json!({ "GroupsNames": [group] }))?;
            run.ask_api(
                "OffsetFetch",
                9,
                json!({ "Groups": [{ "GroupId": group, "Topics": null }] }),
            )?;
            run.ask_api("DescribeGroups", 6, json!({ "Groups": [group] })).map(drop)
        }),
        case("a group with members", |run| {
            let member = stable(run)?;
            run.ask(json!({ "GroupsNames": [member.group] })).map(drop)
        }),
        case("a consumer group with members", |run| {
            let (group, _) = consuming(run, 1)?;
            run.ask(json!({ "GroupsNames": [group] })).map(drop)
        }),
        case("an unknown group", |run| {
            let group = group(run)?;
            run.ask(json!({ "GroupsNames": [group] })).map(drop)
        }),
        case("a group twice", |run| {
            let topic = run.topic(1)?;
            let group = committed(run, &topic)?;
            run.ask(json!({ "GroupsNames": [group, group] })).map(drop)
        }),
        ask("no name", json!({ "GroupsNames": [""] })),
        ask("no groups", json!({ "GroupsNames": [] })),
    ]
}
