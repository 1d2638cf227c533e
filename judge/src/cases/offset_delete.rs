//! OffsetDelete (47).

use serde_json::{Value, json};

use super::group::{committed, consuming, group, joining, must_each, stable};
use crate::run::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let of_committed = |name: &'static str, topics: fn(&str) -> Value| {
        case(name, move |run| {
            let topic = run.topic(2)?;
            let group = committed(run, &topic)?;
            run.ask(json!({ "GroupId": group, "Topics": topics(&topic) }))?;
            run.ask_api(
                "OffsetFetch",
                9,
                json!({ "Groups": [{ "GroupId": group, "Topics": null }] }),
            )
            .map(drop)
        })
    };
    vec![
        of_committed(
            "an offset",
            |topic| json!([{ "Name": topic, "Partitions": [{ "PartitionIndex": 0 }] }]),
        ),
        of_committed(
            "an offset that is not there",
            |topic| json!([{ "Name": topic, "Partitions": [{ "PartitionIndex": 1 }] }]),
        ),
        of_committed(
            "partitions that are not there",
            |topic| json!([{ "Name": topic, "Partitions": [{ "PartitionIndex": 2 }, { "PartitionIndex": -1 }, { "PartitionIndex": 0 }] }]),
        ),
        of_committed(
            "an unknown topic",
            |_| json!([{ "Name": "nowhere", "Partitions": [{ "PartitionIndex": 0 }] }]),
        ),
        of_committed("no topics", |_| json!([])),
        of_committed("no partitions", |topic| json!([{ "Name": topic, "Partitions": [] }])),
        case("a group with members of no topics", |run| {
            let topic = run.topic(1)?;
            let member = stable(run)?;
            run.ask(json!({ "GroupId": member.group, "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0 }] }] }))
                .map(drop)
        }),
        case("a group that is not of consumers", |run| {
            let topic = run.topic(1)?;
            let group = group(run)?;
            must_each(run, "JoinGroup", 3, |_| {
                super::group::but(joining(&group, ""), json!({ "ProtocolType": "connect" }))
            })?;
            run.ask(json!({ "GroupId": group, "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0 }] }] }))
                .map(drop)
        }),
        case("a consumer group that reads the topic", |run| {
            let (group, topic) = consuming(run, 1)?;
            run.ask(json!({ "GroupId": group, "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0 }] }] }))
                .map(drop)
        }),
        case("an unknown group", |run| {
            let topic = run.topic(1)?;
            let group = group(run)?;
            run.ask(json!({ "GroupId": group, "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0 }] }] }))
                .map(drop)
        }),
        case("no group", |run| {
            run.ask(json!({ "GroupId": "", "Topics": [] })).map(drop)
        }),
    ]
}
