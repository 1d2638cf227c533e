//! LeaveGroup (13).

use serde_json::json;

use super::group::{ask_as, beating, but, consuming, group, must_each, stable, stable_static};
use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("a member, alone", |run| {
            let member = stable(run)?;
            ask_as(run, &member, |id| json!({ "GroupId": member.group, "MemberId": id }))
        })
        .versions(0..=2),
        case("a member", |run| {
            let member = stable(run)?;
            ask_as(
                run,
                &member,
                |id| json!({ "GroupId": member.group, "Members": [{ "MemberId": id, "Reason?": "it stops" }] }),
            )
        })
        .versions(3..=5),
        case("a member twice, and what is left", |run| {
            let member = stable(run)?;
            ask_as(
                run,
                &member,
                |id| json!({ "GroupId": member.group, "Members": [{ "MemberId": id }, { "MemberId": id }] }),
            )?;
            run.ask_api("DescribeGroups", 5, json!({ "Groups": [member.group] }))
                .map(drop)
        })
        .versions(3..=5),
        case("nobody", |run| {
            let member = stable(run)?;
            run.ask(json!({ "GroupId": member.group, "Members": [] })).map(drop)
        })
        .versions(3..=5),
        case("a stranger, alone", |run| {
            let member = stable(run)?;
            run.ask(json!({ "GroupId": member.group, "MemberId": "nobody" }))
                .map(drop)
        })
        .versions(0..=2),
        case("strangers and a member", |run| {
            let member = stable(run)?;
            ask_as(run, &member, |id| {
                json!({ "GroupId": member.group, "Members": [
                    { "MemberId": "nobody" }, { "MemberId": "" }, { "MemberId": id },
                    { "MemberId": "", "GroupInstanceId": "two" },
                ] })
            })
        })
        .versions(3..=5),
        case("a static member by its instance", |run| {
            let member = stable_static(run, "one")?;
            run.ask(json!({ "GroupId": member.group, "Members": [{ "MemberId": "", "GroupInstanceId": "one" }] }))
                .map(drop)
        })
        .versions(3..=5),
        case("a static member under another's id", |run| {
            let member = stable_static(run, "one")?;
            run.ask(json!({ "GroupId": member.group, "Members": [{ "MemberId": "nobody", "GroupInstanceId": "one" }] }))
                .map(drop)
        })
        .versions(3..=5),
        case("an unknown group", |run| {
            let group = group(run)?;
            run.ask(json!({ "GroupId": group, "MemberId": "member" })).map(drop)
        })
        .versions(0..=2),
        case("members of an unknown group", |run| {
            let group = group(run)?;
            run.ask(json!({ "GroupId": group, "Members": [{ "MemberId": "member" }] }))
                .map(drop)
        })
        .versions(3..=5),
        case(
            "members of a consumer group, one of them twice, and what is left",
            |run| {
                let (group, topic) = consuming(run, 2)?;
                let other = but(beating(&group, "other", &[&topic]), json!({ "InstanceId": "one" }));
                must_each(run, "ConsumerGroupHeartbeat", 1, |_| other.clone())?;
                run.ask(json!({ "GroupId": group, "Members": [
                { "MemberId": "member" }, { "MemberId": "nobody" }, { "MemberId": "member" },
                { "MemberId": "member", "GroupInstanceId": "one" }, { "MemberId": "", "GroupInstanceId": "one" },
                { "MemberId": "other", "GroupInstanceId": "two" },
            ] }))?;
                run.ask_api("ConsumerGroupDescribe", 1, json!({ "GroupIds": [group] }))
                    .map(drop)
            },
        )
        .versions(3..=5),
        ask("no group, alone", json!({ "GroupId": "", "MemberId": "member" })).versions(0..=2),
        ask(
            "no group",
            json!({ "GroupId": "", "Members": [{ "MemberId": "member" }] }),
        )
        .versions(3..=5),
    ];
    cases.extend(super::mixed::leaves());
    cases
}
