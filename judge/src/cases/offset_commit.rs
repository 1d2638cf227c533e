//! OffsetCommit (8).

use serde_json::{Value, json};

use super::group::{ask_as, but, committed_beside, committing, consuming, group, joined, stable, stable_static};
use crate::run::{Case, Outcome, Run, case};

/// What can be seen of a commit.
fn seen(run: &mut Run<'_>, group: &str) -> Outcome {
    run.ask_api(
        "OffsetFetch",
        9,
        json!({ "Groups": [{ "GroupId": group, "Topics": null }] }),
    )
    .map(drop)
}

fn alone(name: &'static str, partitions: Value) -> Case {
    case(name, move |run| {
        let topic = run.topic(2)?;
        let group = group(run)?;
        let topics = json!([{ "Name": topic, "Partitions": partitions }]);
        run.ask(but(committing(&group, &topic, 0, 5), json!({ "Topics": topics })))?;
        seen(run, &group)
    })
}

fn member(name: &'static str, changes: Value) -> Case {
    case(name, move |run| {
        let topic = run.topic(1)?;
        let member = stable(run)?;
        ask_as(run, &member, |id| {
            let as_member = json!({ "GenerationIdOrMemberEpoch": member.generation, "MemberId": id });
            but(but(committing(&member.group, &topic, 0, 5), as_member), changes.clone())
        })?;
        seen(run, &member.group)
    })
}

fn consumer(name: &'static str, changes: Value) -> Case {
    case(name, move |run| {
        let (group, topic) = consuming(run, 1)?;
        let as_member = json!({ "GenerationIdOrMemberEpoch": 1, "MemberId": "member" });
        run.ask(but(but(committing(&group, &topic, 0, 5), as_member), changes.clone()))?;
        seen(run, &group)
    })
}

pub(super) fn cases() -> Vec<Case> {
    let long = "x".repeat(4_096);
    let too_long = "x".repeat(4_097);
    let with_metadata = |text: &str| json!([{ "PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": text }]);
    let mut cases = vec![
        alone(
            "offsets of nobody's",
            json!([
                { "PartitionIndex": 0, "CommittedOffset": 5, "CommittedLeaderEpoch?": 0, "CommittedMetadata": "seen" },
                { "PartitionIndex": 1, "CommittedOffset": 0, "CommittedMetadata": null },
            ]),
        ),
        alone("no partitions", json!([])),
        alone(
            "a partition that is not there",
            json!([
                { "PartitionIndex": 2, "CommittedOffset": 5, "CommittedMetadata": "" },
                { "PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": "" },
                { "PartitionIndex": -1, "CommittedOffset": 5, "CommittedMetadata": "" },
            ]),
        ),
        alone(
            "a partition twice",
            json!([
                { "PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": "" },
                { "PartitionIndex": 0, "CommittedOffset": 6, "CommittedMetadata": "" },
            ]),
        ),
        alone(
            "negative offsets",
            json!([
                { "PartitionIndex": 0, "CommittedOffset": -1, "CommittedMetadata": "" },
                { "PartitionIndex": 1, "CommittedOffset": -7, "CommittedMetadata": "" },
            ]),
        ),
        alone(
            "the largest offset",
            json!([{ "PartitionIndex": 0, "CommittedOffset": i64::MAX, "CommittedMetadata": "" }]),
        ),
        alone("as much metadata as may be", with_metadata(&long)),
        alone("more metadata than may be", with_metadata(&too_long)),
        alone(
            "metadata of several bytes a character",
            with_metadata(&"ä".repeat(2_049)),
        ),
        case("an unknown topic", |run| {
            let group = group(run)?;
            run.ask(committing(&group, "nowhere", 0, 5))?;
            seen(run, &group)
        }),
        case("no topics", |run| {
            let group = group(run)?;
            run.ask(but(committing(&group, "", 0, 5), json!({ "Topics": [] })))?;
            seen(run, &group)
        }),
        case("a group of which nothing could be committed", |run| {
            let topic = run.topic(1)?;
            let group = group(run)?;
            let too_long = json!({ "PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": "x".repeat(4_097) });
            let topics = json!([{ "Name": topic, "Partitions": [too_long] }]);
            run.ask(but(committing(&group, &topic, 0, 5), json!({ "Topics": topics })))?;
            committed_beside(run, &group)?;
            run.ask_api("DescribeGroups", 6, json!({ "Groups": [group] })).map(drop)
        }),
        case("no group", |run| {
            let topic = run.topic(1)?;
            run.ask(committing("", &topic, 0, 5)).map(drop)
        }),
        case("as a member of an unknown group", |run| {
            let topic = run.topic(1)?;
            let group = group(run)?;
            let as_member = json!({ "GenerationIdOrMemberEpoch": 1, "MemberId": "member" });
            run.ask(but(committing(&group, &topic, 0, 5), as_member)).map(drop)
        }),
        case("a kept time", |run| {
            let topic = run.topic(1)?;
            let group = group(run)?;
            run.ask(but(
                committing(&group, &topic, 0, 5),
                json!({ "RetentionTimeMs": 60_000 }),
            ))?;
            seen(run, &group)
        }),
        member("a member", json!({})),
        member("a generation before", json!({ "GenerationIdOrMemberEpoch": 0 })),
        member("a generation to come", json!({ "GenerationIdOrMemberEpoch": 2 })),
        member("a stranger", json!({ "MemberId": "nobody" })),
        member(
            "nobody in a group with members",
            json!({ "GenerationIdOrMemberEpoch": -1, "MemberId": "" }),
        ),
        member(
            "an instance that the group does not have",
            json!({ "GroupInstanceId": "two" }),
        ),
        case("a member before its assignment", |run| {
            let topic = run.topic(1)?;
            let member = joined(run)?;
            ask_as(run, &member, |id| {
                let as_member = json!({ "GenerationIdOrMemberEpoch": member.generation, "MemberId": id });
                but(committing(&member.group, &topic, 0, 5), as_member)
            })
        }),
        case("a static member", |run| {
            let topic = run.topic(1)?;
            let member = stable_static(run, "one")?;
            ask_as(run, &member, |id| {
                let as_member = json!({
                    "GenerationIdOrMemberEpoch": member.generation, "MemberId": id, "GroupInstanceId": "one",
                });
                but(committing(&member.group, &topic, 0, 5), as_member)
            })
        })
        .versions(7..=9),
        case("a static member under another's id", |run| {
            let topic = run.topic(1)?;
            let member = stable_static(run, "one")?;
            let as_member = json!({
                "GenerationIdOrMemberEpoch": member.generation, "MemberId": "nobody", "GroupInstanceId": "one",
            });
            run.ask(but(committing(&member.group, &topic, 0, 5), as_member))
                .map(drop)
        })
        .versions(7..=9),
        consumer("a consumer group's member", json!({})),
        consumer("a member epoch before", json!({ "GenerationIdOrMemberEpoch": 0 })),
        consumer("a member epoch to come", json!({ "GenerationIdOrMemberEpoch": 2 })),
        consumer("a stranger in a consumer group", json!({ "MemberId": "nobody" })),
        consumer(
            "nobody in a consumer group with members",
            json!({ "GenerationIdOrMemberEpoch": -1, "MemberId": "" }),
        ),
    ];
    cases.extend(super::mixed::commits());
    cases
}
