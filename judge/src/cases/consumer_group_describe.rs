//! ConsumerGroupDescribe (69).

use serde_json::json;

use super::group::{beating, but, committed, consuming, group, known_topic, must_each, stable};
use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a group with a member", |run| {
            let (group, _) = consuming(run, 2)?;
            run.ask(json!({ "GroupIds": [group] })).map(drop)
        }),
        case("a static member with a rack", |run| {
            let group = group(run)?;
            let topic = known_topic(run, &group, 2)?;
            let request = but(
                beating(&group, "member", &[&topic]),
                json!({ "InstanceId": "one", "RackId": "a" }),
            );
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| request.clone())?;
            run.ask(json!({ "GroupIds": [group] })).map(drop)
        }),
        case("a group that its member left", |run| {
            let (group, _) = consuming(run, 2)?;
            let leave = json!({ "GroupId": group, "MemberId": "member", "MemberEpoch": -1 });
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| leave.clone())?;
            run.ask(json!({ "GroupIds": [group] })).map(drop)
        }),
        case("a classic group", |run| {
            let member = stable(run)?;
            run.ask(json!({ "GroupIds": [member.group] })).map(drop)
        }),
        case("an empty classic group", |run| {
            let topic = run.topic(1)?;
            let group = committed(run, &topic)?;
            run.ask(json!({ "GroupIds": [group] })).map(drop)
        }),
        case("an unknown group", |run| {
            let group = group(run)?;
            run.ask(json!({ "GroupIds": [group] })).map(drop)
        }),
        case("several groups, one of them twice", |run| {
            let (group, _) = consuming(run, 2)?;
            run.ask(json!({ "GroupIds": [group, "nobody", group] })).map(drop)
        }),
        case("what may be done with it", |run| {
            let (group, _) = consuming(run, 2)?;
            run.ask(json!({ "GroupIds": [group], "IncludeAuthorizedOperations": true }))
                .map(drop)
        }),
        ask("no groups", json!({ "GroupIds": [] })),
        ask("no name", json!({ "GroupIds": [""] })),
    ]
}
