//! OffsetFetch (9).

use serde_json::{Value, json};

use super::group::{but, committed, committing, consuming, group, stable};
use super::in_transactions;
use crate::run::{Case, ask, case};

/// One group's question, in the form that versions 0–7 have.
fn single(group: &str, topics: &Value) -> Value {
    let topics = topics.as_array().map(|topics| {
        let topic = |topic: &Value| json!({ "Name": topic["Name"], "PartitionIndexes": topic["PartitionIndexes"] });
        topics.iter().map(topic).collect::<Vec<_>>()
    });
    json!({ "GroupId": group, "Topics": topics })
}

/// The same question in whichever form the version has.
fn asking(version: i16, group: &str, topics: &Value) -> Value {
    if version < 8 {
        return single(group, topics);
    }
    json!({ "Groups": [{ "GroupId": group, "Topics": topics }] })
}

fn of_committed(name: &'static str, topics: fn(&str) -> Value) -> Case {
    case(name, move |run| {
        let topic = run.topic(2)?;
        let group = committed(run, &topic)?;
        let request = asking(run.version(), &group, &topics(&topic));
        run.ask(request).map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    plain().into_iter().chain(in_transactions::committed()).collect()
}

fn plain() -> Vec<Case> {
    let with_member = |name: &'static str, member: Value| {
        case(name, move |run| {
            let (group, topic) = consuming(run, 1)?;
            let as_member = json!({ "GenerationIdOrMemberEpoch": 1, "MemberId": "member" });
            run.must("OffsetCommit", but(committing(&group, &topic, 0, 5), as_member))?;
            let asked = json!({ "GroupId": group, "Topics": [{ "Name": topic, "PartitionIndexes": [0] }] });
            run.ask(json!({ "Groups": [but(asked, member.clone())] })).map(drop)
        })
        .versions(9..=9)
    };
    vec![
        of_committed(
            "committed and not",
            |topic| json!([{ "Name": topic, "PartitionIndexes": [0, 1] }]),
        ),
        of_committed("everything", |_| Value::Null).versions(2..=9),
        of_committed("no topics", |_| json!([])),
        of_committed(
            "no partitions",
            |topic| json!([{ "Name": topic, "PartitionIndexes": [] }]),
        ),
        of_committed(
            "partitions that are not there",
            |topic| json!([{ "Name": topic, "PartitionIndexes": [-1, 2, i32::MAX] }]),
        ),
        of_committed(
            "an unknown topic beside a known one",
            |topic| json!([{ "Name": "nowhere", "PartitionIndexes": [0] }, { "Name": topic, "PartitionIndexes": [0] }]),
        ),
        of_committed(
            "a partition and a topic twice",
            |topic| json!([{ "Name": topic, "PartitionIndexes": [0, 0] }, { "Name": topic, "PartitionIndexes": [0] }]),
        ),
        case("an unknown group", |run| {
            let group = group(run)?;
            let topics = json!([{ "Name": "nowhere", "PartitionIndexes": [0] }]);
            let request = asking(run.version(), &group, &topics);
            run.ask(request).map(drop)
        }),
        case("everything of an unknown group", |run| {
            let group = group(run)?;
            let request = asking(run.version(), &group, &Value::Null);
            run.ask(request).map(drop)
        })
        .versions(2..=9),
        case("only what is stable", |run| {
            let topic = run.topic(1)?;
            let group = committed(run, &topic)?;
            let topics = json!([{ "Name": topic, "PartitionIndexes": [0] }]);
            let request = but(asking(run.version(), &group, &topics), json!({ "RequireStable": true }));
            run.ask(request).map(drop)
        })
        .versions(7..=9),
        case("a group with members", |run| {
            let topic = run.topic(1)?;
            let member = stable(run)?;
            let topics = json!([{ "Name": topic, "PartitionIndexes": [0] }]);
            let request = asking(run.version(), &member.group, &topics);
            run.ask(request).map(drop)
        }),
        case("several groups", |run| {
            let topic = run.topic(1)?;
            let (first, second) = (committed(run, &topic)?, committed(run, &topic)?);
            let topics = json!([{ "Name": topic, "PartitionIndexes": [0] }]);
            run.ask(json!({ "Groups": [
                { "GroupId": first, "Topics": topics }, { "GroupId": "nobody", "Topics": null },
                { "GroupId": second, "Topics": null }, { "GroupId": first, "Topics": [] },
            ] }))
            .map(drop)
        })
        .versions(8..=9),
        ask("no groups", json!({ "Groups": [] })).versions(8..=9),
        ask(
            "no group",
            json!({ "GroupId": "", "Topics": [{ "Name": "nowhere", "PartitionIndexes": [0] }] }),
        )
        .versions(1..=7),
        with_member(
            "a consumer group's member",
            json!({ "MemberId": "member", "MemberEpoch": 1 }),
        ),
        with_member(
            "a member epoch before",
            json!({ "MemberId": "member", "MemberEpoch": 0 }),
        ),
        with_member(
            "a member epoch to come",
            json!({ "MemberId": "member", "MemberEpoch": 7 }),
        ),
        with_member("a stranger", json!({ "MemberId": "nobody", "MemberEpoch": 1 })),
        with_member(
            "a stranger without an epoch",
            json!({ "MemberId": "nobody", "MemberEpoch": -1 }),
        ),
    ]
}
