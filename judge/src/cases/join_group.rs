//! JoinGroup (11).

use serde_json::json;

use super::group::{ask_as, but, consuming, group, joined, joining, stable, stable_static};
use crate::run::{Case, Outcome, Run, ask, case};

pub(super) fn cases() -> Vec<Case> {
    let other = |changes: serde_json::Value| {
        move |run: &mut Run<'_>| -> Outcome {
            let group = group(run)?;
            run.ask(but(joining(&group, ""), changes.clone())).map(drop)
        }
    };
    let mut cases = vec![
        case("a first member", other(json!({}))),
        case("several protocols", |run| {
            let group = group(run)?;
            let protocols = json!([
                { "Name": "cooperative-sticky", "Metadata": "0001" }, { "Name": "range", "Metadata": "" },
            ]);
            run.ask(but(joining(&group, ""), json!({ "Protocols": protocols })))
                .map(drop)
        }),
        case(
            "a protocol type that is not a consumer's",
            other(json!({ "ProtocolType": "connect" })),
        ),
        case("no protocol type", other(json!({ "ProtocolType": "" }))),
        case("no protocols", other(json!({ "Protocols": [] }))),
        case(
            "a session time-out that is too short",
            other(json!({ "SessionTimeoutMs": 5_999 })),
        ),
        case(
            "a session time-out that is too long",
            other(json!({ "SessionTimeoutMs": 1_800_001 })),
        ),
        case("a negative session time-out", other(json!({ "SessionTimeoutMs": -1 }))),
        case("a member id that nobody has", |run| {
            let group = group(run)?;
            run.ask(joining(&group, "nobody")).map(drop)
        }),
        case("a member id that the group does not have", |run| {
            let member = stable(run)?;
            run.ask(joining(&member.group, "nobody")).map(drop)
        }),
        ask("no group", joining("", "")),
        case("the leader again", |run| {
            let member = stable(run)?;
            ask_as(run, &member, |id| joining(&member.group, id))
        }),
        case("the leader again, before its assignment", |run| {
            let member = joined(run)?;
            ask_as(run, &member, |id| joining(&member.group, id))
        }),
        case("the leader with other metadata", |run| {
            let member = stable(run)?;
            ask_as(run, &member, |id| {
                but(
                    joining(&member.group, id),
                    json!({ "Protocols": [{ "Name": "range", "Metadata": "77" }] }),
                )
            })
        }),
        case("a protocol that no member shares", |run| {
            let member = stable(run)?;
            let changes = json!({ "Protocols": [{ "Name": "sticky", "Metadata": "" }] });
            run.ask(but(joining(&member.group, ""), changes)).map(drop)
        }),
        case("another protocol type than the group's", |run| {
            let member = stable(run)?;
            run.ask(but(joining(&member.group, ""), json!({ "ProtocolType": "connect" })))
                .map(drop)
        }),
        case(
            "a static member",
            other(json!({ "GroupInstanceId": "one", "Reason?": "it starts" })),
        ),
        case("a static member that comes back", |run| {
            let member = stable_static(run, "one")?;
            let request = but(joining(&member.group, ""), json!({ "GroupInstanceId": "one" }));
            run.ask(request).map(drop)
        })
        .versions(5..=9),
        case("a static member that comes back with another protocol", |run| {
            let member = stable_static(run, "one")?;
            let changes = json!({ "GroupInstanceId": "one", "Protocols": [{ "Name": "sticky", "Metadata": "" }] });
            run.ask(but(joining(&member.group, ""), changes)).map(drop)
        })
        .versions(5..=9),
        case("a static member under another's id", |run| {
            let member = stable_static(run, "one")?;
            let request = but(joining(&member.group, "nobody"), json!({ "GroupInstanceId": "one" }));
            run.ask(request).map(drop)
        })
        .versions(5..=9),
        case("an instance that the group does not have, with an id", |run| {
            let member = stable_static(run, "one")?;
            ask_as(run, &member, |id| {
                but(joining(&member.group, id), json!({ "GroupInstanceId": "two" }))
            })
        })
        .versions(5..=9),
        case("an instance id that is none", other(json!({ "GroupInstanceId": "" }))),
        case("a consumer group's name, with no protocol that it understands", |run| {
            let (group, _) = consuming(run, 1)?;
            let changes = json!({ "ProtocolType": "connect" });
            run.ask(but(joining(&group, ""), changes)).map(drop)
        }),
        case("a group that only has offsets", |run| {
            let topic = run.topic(1)?;
            let group = super::group::committed(run, &topic)?;
            run.ask(joining(&group, "")).map(drop)
        }),
    ];
    cases.extend(super::mixed::joins());
    cases
}
