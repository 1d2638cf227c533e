//! Groups whose members follow both protocols, and how groups change from one to the other: cases for each group API.
//!
//! A classic member that joins a consumer group may name itself, so both brokers are asked the same; only the members of what
//! was a classic group before have ids of their own on each.

use serde_json::{Value, json};

use super::group::{Member, beating, but, consuming, group, joining, known_topic, must_each};
use crate::both::{Answers, Side};
use crate::embedded;
use crate::run::{Case, Outcome, Run, Stop, case};
use crate::value::hex;

/// The version of JoinGroup in which a member is taken at once.
const JOIN_AT_ONCE: i16 = 3;

/// A consumer's subscription, version 1: topics, and what it owns.
fn subscription(topics: &[&str], owned: &[(&str, &[i32])]) -> String {
    hex(&embedded::subscription(1, topics, None, owned))
}

/// A consumer's assignment, version 1.
fn assignment(partitions: &[(&str, &[i32])], user_data: &[u8]) -> String {
    hex(&embedded::assignment(1, partitions, Some(user_data)))
}

/// A JoinGroup of a consumer that reads a topic and owns some of it.
fn reading(group: &str, member_id: &str, topic: &str, owned: &[i32]) -> Value {
    let metadata = match owned {
        [] => subscription(&[topic], &[]),
        owned => subscription(&[topic], &[(topic, owned)]),
    };
    but(
        joining(group, member_id),
        json!({ "Protocols": [{ "Name": "range", "Metadata": metadata }, { "Name": "other", "Metadata": metadata }] }),
    )
}

/// A group whose two members share a topic of four partitions: `member` follows the consumer group protocol, `classic` the
/// other. Both are at epoch 2 and have their part.
struct Mixed {
    group: String,
    topic: String,
}

/// Such a group, in which `classic` has joined and waits for `member` to give partitions up.
fn joined(run: &mut Run<'_>) -> Result<Mixed, Stop> {
    let (group, topic) = consuming(run, 4)?;
    must_each(run, "JoinGroup", 5, |_| reading(&group, "classic", &topic, &[]))?;
    Ok(Mixed { group, topic })
}

fn mixed(run: &mut Run<'_>) -> Result<Mixed, Stop> {
    let mixed = joined(run)?;
    let beat = json!({ "GroupId": mixed.group, "MemberId": "member", "MemberEpoch": 1 });
    let answers = must_each(run, "ConsumerGroupHeartbeat", 1, |_| beat.clone())?;
    must_each(run, "ConsumerGroupHeartbeat", 1, |side| {
        let kept = &answers[usize::from(side == Side::Theirs)]["Assignment"]["TopicPartitions"];
        but(beat.clone(), json!({ "TopicPartitions": kept }))
    })?;
    must_each(run, "JoinGroup", 5, |_| {
        reading(&mixed.group, "classic", &mixed.topic, &[])
    })?;
    Ok(mixed)
}

fn describe(run: &mut Run<'_>, group: &str) -> Outcome {
    run.ask_api("ConsumerGroupDescribe", 1, json!({ "GroupIds": [group] }))?;
    run.ask_api("DescribeGroups", 5, json!({ "Groups": [group] })).map(drop)
}

/// As [`describe`] of a group with a member whose id each broker made up, ours first; they are compared under one name.
fn describe_with(run: &mut Run<'_>, group: &str, ids: &[&str; 2]) -> Outcome {
    for (api, version, request) in [
        ("ConsumerGroupDescribe", 1, json!({ "GroupIds": [group] })),
        ("DescribeGroups", 5, json!({ "Groups": [group] })),
    ] {
        let (ours, theirs) = run.both().each(|side, client| {
            let answer = client.ask(api, version, &request)?.into_value().to_string();
            let named = answer.replace(ids[usize::from(side == Side::Theirs)], "made-up");
            Ok(serde_json::from_str(&named).unwrap_or(Value::Null))
        })?;
        run.judge(api, Answers { ours, theirs });
    }
    Ok(())
}

/// As [`describe_with`] the member of what was a classic group.
fn describe_as(run: &mut Run<'_>, member: &Member) -> Outcome {
    describe_with(run, &member.group, &[member.id(Side::Ours), member.id(Side::Theirs)])
}

/// What a classic member says to its group.
fn as_classic(group: &Mixed, changes: Value) -> Value {
    but(
        json!({ "GroupId": group.group, "MemberId": "classic", "GenerationId": 2 }),
        changes,
    )
}

/// A stable classic group with one member, on each with its own id, that has all of a topic of four partitions.
fn classic_group(
    run: &mut Run<'_>,
    join: impl Fn(&str) -> Value,
    assignment: impl Fn(&str) -> String,
) -> Result<(Member, String), Stop> {
    let group = group(run)?;
    let topic = known_topic(run, &group, 4)?;
    let request = but(reading(&group, "", &topic, &[]), join(&topic));
    let is_static = request.get("GroupInstanceId").is_some();
    let version = if is_static { 5 } else { JOIN_AT_ONCE };
    let answers = must_each(run, "JoinGroup", version, |_| request.clone())?;
    let member = Member::joined(group, &answers);
    let given = assignment(&topic);
    must_each(run, "SyncGroup", 3, |side| {
        let assigned = json!([{ "MemberId": member.id(side), "Assignment": given }]);
        let sync = json!({
            "GroupId": member.group, "GenerationId": 1, "MemberId": member.id(side), "Assignments": assigned,
        });
        match is_static {
            true => but(sync, json!({ "GroupInstanceId": "one" })),
            false => sync,
        }
    })?;
    Ok((member, topic))
}

fn all_of_it(topic: &str) -> String {
    assignment(&[(topic, &[0, 1, 2, 3])], &[])
}

fn stable_group(run: &mut Run<'_>) -> Result<(Member, String), Stop> {
    classic_group(run, |_| json!({}), all_of_it)
}

/// Classic groups that a member of the consumer group protocol joins.
pub(super) fn heartbeats() -> Vec<Case> {
    let joined_by_another = |name: &'static str, join: Value, given: fn(&str) -> String| {
        case(name, move |run| {
            let (member, topic) = classic_group(run, |_| join.clone(), given)?;
            run.ask(beating(&member.group, "member", &[&topic]))?;
            describe_as(run, &member)
        })
        .versions(1..=1)
    };
    vec![
        joined_by_another("a classic group of one that reads", json!({}), all_of_it),
        joined_by_another("a classic group whose leader said more", json!({}), |topic| {
            assignment(&[(topic, &[0])], b"more")
        }),
        joined_by_another("a classic group whose assignment is none", json!({}), |_| "0001".into()),
        joined_by_another(
            "a classic group of no consumers",
            json!({ "ProtocolType": "connect" }),
            all_of_it,
        ),
        joined_by_another(
            "a classic group whose subscription is none",
            json!({ "Protocols": [{ "Name": "range", "Metadata": "00" }] }),
            all_of_it,
        ),
        case(
            "a classic group whose member has nothing, by one that wants nothing",
            |run| {
                let (member, _) = classic_group(run, |_| json!({}), |_| String::new())?;
                run.ask(beating(&member.group, "member", &[]))?;
                describe_as(run, &member)
            },
        )
        .versions(1..=1),
        case("a classic group before its assignment", |run| {
            let member = super::group::joined(run)?;
            let topic = known_topic(run, &member.group, 1)?;
            run.ask(beating(&member.group, "member", &[&topic])).map(drop)
        }),
        case("a classic group, by a member that is not new", |run| {
            let (member, topic) = stable_group(run)?;
            run.ask(but(
                beating(&member.group, "member", &[&topic]),
                json!({ "MemberEpoch": 1 }),
            ))
            .map(drop)
        }),
        case("a classic group, by one that leaves", |run| {
            let (member, _) = stable_group(run)?;
            run.ask(json!({ "GroupId": member.group, "MemberId": "member", "MemberEpoch": -1 }))
                .map(drop)
        }),
        case("a static member's instance in a classic group", |run| {
            let instance = json!({ "GroupInstanceId": "one" });
            let (member, topic) = classic_group(run, |_| instance.clone(), all_of_it)?;
            run.ask(but(
                beating(&member.group, "member", &[&topic]),
                json!({ "InstanceId": "one" }),
            ))?;
            run.ask_api("ConsumerGroupDescribe", 1, json!({ "GroupIds": [member.group] }))
                .map(drop)
        }),
        case("a classic member's id", |run| {
            let mixed = mixed(run)?;
            let request = but(
                beating(&mixed.group, "classic", &[&mixed.topic]),
                json!({ "MemberEpoch": 2 }),
            );
            run.ask(request)?;
            describe(run, &mixed.group)
        }),
        case("the last that is no classic member leaves", |run| {
            let mixed = mixed(run)?;
            run.ask(json!({ "GroupId": mixed.group, "MemberId": "member", "MemberEpoch": -1 }))?;
            describe(run, &mixed.group)?;
            let beat = json!({ "GroupId": mixed.group, "GenerationId": 2, "MemberId": "classic" });
            run.ask_api("Heartbeat", 4, beat).map(drop)
        }),
        case("a member that goes on when a classic one came", |run| {
            let mixed = joined(run)?;
            run.ask(json!({ "GroupId": mixed.group, "MemberId": "member", "MemberEpoch": 1 }))?;
            describe(run, &mixed.group)
        }),
    ]
}

/// JoinGroup to a consumer group.
pub(super) fn joins() -> Vec<Case> {
    let newcomer = |name: &'static str, id: &'static str, changes: Value| {
        case(name, move |run| {
            let (group, topic) = consuming(run, 4)?;
            let answers = run.ask(but(reading(&group, id, &topic, &[]), changes.clone()))?;
            let named = |answer: &Value| match answer["MemberId"].as_str() {
                Some(id) if !id.is_empty() => id.to_owned(),
                _ => "nobody".to_owned(),
            };
            describe_with(run, &group, &[&named(&answers.ours), &named(&answers.theirs)])
        })
    };
    let again = |name: &'static str, owned: &'static [i32], changes: Value| {
        case(name, move |run| {
            let mixed = mixed(run)?;
            let request = reading(&mixed.group, "classic", &mixed.topic, owned);
            run.ask(but(request, changes.clone()))?;
            describe(run, &mixed.group)
        })
    };
    vec![
        newcomer("a consumer group", "classic", json!({})),
        newcomer("a consumer group, without an id", "", json!({})),
        newcomer(
            "a consumer group, as no consumer",
            "classic",
            json!({ "ProtocolType": "connect" }),
        ),
        newcomer(
            "a consumer group, with no protocol",
            "classic",
            json!({ "Protocols": [] }),
        ),
        newcomer(
            "a consumer group, with a subscription that is none",
            "classic",
            json!({ "Protocols": [{ "Name": "range", "Metadata": "00" }] }),
        ),
        newcomer(
            "a consumer group, as an instance",
            "",
            json!({ "GroupInstanceId": "one" }),
        ),
        newcomer(
            "a consumer group, as an instance that it does not have",
            "classic",
            json!({ "GroupInstanceId": "one" }),
        ),
        newcomer("a consumer group, as its member", "member", json!({})),
        newcomer(
            "a consumer group, with a session time-out that is too short",
            "classic",
            json!({ "SessionTimeoutMs": 5_999 }),
        ),
        again("a mixed group again", &[2, 3], json!({})),
        again("a mixed group again, owning nothing", &[], json!({})),
        again(
            "a mixed group, with other time-outs",
            &[2, 3],
            json!({ "SessionTimeoutMs": 10_000 }),
        ),
        again(
            "a mixed group, with a protocol that the other lacks",
            &[],
            json!({ "MemberId": "third", "Protocols": [{ "Name": "sticky", "Metadata": "00000000000000000000" }] }),
        ),
        again(
            "a mixed group, with a protocol that the other has",
            &[],
            json!({ "MemberId": "third", "Protocols": [{ "Name": "other", "Metadata": "00000000000000000000" }] }),
        ),
        again(
            "a mixed group, with no topics any more",
            &[],
            json!({ "Protocols": [{ "Name": "range", "Metadata": "00000000000000000000" }] }),
        ),
        case(
            "a static member of the consumer group protocol comes back as a classic one",
            |run| {
                let group = group(run)?;
                let topic = known_topic(run, &group, 4)?;
                let first = but(beating(&group, "member", &[&topic]), json!({ "InstanceId": "one" }));
                must_each(run, "ConsumerGroupHeartbeat", 1, |_| first.clone())?;
                run.ask(but(
                    reading(&group, "", &topic, &[]),
                    json!({ "GroupInstanceId": "one" }),
                ))?;
                run.soon("DescribeGroups", 5, &json!({ "Groups": [group] })).map(drop)
            },
        ),
        case("as a classic one, with other topics", |run| {
            let group = group(run)?;
            let topic = known_topic(run, &group, 4)?;
            let first = but(beating(&group, "member", &[&topic]), json!({ "InstanceId": "one" }));
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| first.clone())?;
            run.ask(but(joining(&group, ""), json!({ "GroupInstanceId": "one" })))?;
            run.soon("DescribeGroups", 5, &json!({ "Groups": [group] })).map(drop)
        }),
        case("a member of a group that was a classic one", |run| {
            let (member, topic) = stable_group(run)?;
            let join = beating(&member.group, "member", &[&topic]);
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| join.clone())?;
            run.ask_each(|side| reading(&member.group, member.id(side), &topic, &[]))?;
            describe_as(run, &member)
        }),
    ]
}

/// SyncGroup to a consumer group.
pub(super) fn syncs() -> Vec<Case> {
    let sync = |name: &'static str, changes: Value| {
        case(name, move |run| {
            let mixed = mixed(run)?;
            run.ask(as_classic(&mixed, changes.clone())).map(drop)
        })
    };
    let named = |changes: Value| {
        but(
            json!({ "ProtocolType?": "consumer", "ProtocolName?": "range" }),
            changes,
        )
    };
    vec![
        sync("a mixed group", named(json!({}))),
        sync(
            "a mixed group, an earlier generation",
            named(json!({ "GenerationId": 1 })),
        ),
        sync("a mixed group, a later generation", named(json!({ "GenerationId": 3 }))),
        sync(
            "a mixed group, of another type",
            named(json!({ "ProtocolType": "connect" })),
        ),
        sync(
            "a mixed group, another protocol",
            named(json!({ "ProtocolName": "other" })),
        ),
        sync("a mixed group, a stranger", named(json!({ "MemberId": "nobody" }))),
        sync(
            "a mixed group, a member of the other protocol",
            named(json!({ "MemberId": "member" })),
        ),
        sync(
            "a mixed group, an instance that it does not have",
            named(json!({ "GroupInstanceId": "one" })),
        ),
        case("a mixed group that waits for partitions", |run| {
            let mixed = joined(run)?;
            run.ask(as_classic(
                &mixed,
                json!({ "ProtocolType?": "consumer", "ProtocolName?": "range" }),
            ))
            .map(drop)
        }),
        case("a mixed group that has moved on", |run| {
            let mixed = mixed(run)?;
            let third = beating(&mixed.group, "third", &[&mixed.topic]);
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| third.clone())?;
            run.ask(as_classic(
                &mixed,
                json!({ "ProtocolType?": "consumer", "ProtocolName?": "range" }),
            ))
            .map(drop)
        }),
    ]
}

/// Heartbeat to a consumer group.
pub(super) fn beats() -> Vec<Case> {
    let beat = |name: &'static str, changes: Value| {
        case(name, move |run| {
            let mixed = mixed(run)?;
            run.ask(as_classic(&mixed, changes.clone())).map(drop)
        })
    };
    vec![
        beat("a mixed group", json!({})),
        beat("a mixed group, an earlier generation", json!({ "GenerationId": 1 })),
        beat("a mixed group, a stranger", json!({ "MemberId": "nobody" })),
        beat(
            "a mixed group, a member of the other protocol",
            json!({ "MemberId": "member" }),
        ),
        beat(
            "a mixed group, an instance that it does not have",
            json!({ "GroupInstanceId": "one" }),
        ),
        case("a mixed group that waits for partitions", |run| {
            let mixed = joined(run)?;
            run.ask(as_classic(&mixed, json!({}))).map(drop)
        }),
        case("a mixed group whose partitions have become free", |run| {
            let mixed = joined(run)?;
            let beat = json!({ "GroupId": mixed.group, "MemberId": "member", "MemberEpoch": 1 });
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| beat.clone())?;
            let revoked = but(beat, json!({ "TopicPartitions": [] }));
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| revoked.clone())?;
            run.ask(as_classic(&mixed, json!({}))).map(drop)
        }),
        case("a mixed group that has moved on", |run| {
            let mixed = mixed(run)?;
            let third = beating(&mixed.group, "third", &[&mixed.topic]);
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| third.clone())?;
            run.ask(as_classic(&mixed, json!({}))).map(drop)
        }),
        case("a classic group that has become a consumer group", |run| {
            let (member, topic) = stable_group(run)?;
            let join = beating(&member.group, "member", &[&topic]);
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| join.clone())?;
            run.ask_each(|side| json!({ "GroupId": member.group, "MemberId": member.id(side), "GenerationId": 1 }))
                .map(drop)
        }),
    ]
}

/// LeaveGroup to a consumer group.
pub(super) fn leaves() -> Vec<Case> {
    let leave = |name: &'static str, who: &'static [&'static str]| {
        case(name, move |run| {
            let mixed = mixed(run)?;
            let members: Vec<Value> = who.iter().map(|id| json!({ "MemberId": id })).collect();
            run.ask(json!({ "GroupId": mixed.group, "Members": members }))?;
            describe(run, &mixed.group)
        })
        .versions(3..=5)
    };
    vec![
        leave("the classic member of a mixed group", &["classic"]),
        leave("the other member of a mixed group", &["member"]),
        leave("both members of a mixed group", &["member", "classic"]),
        leave("a stranger to a mixed group", &["nobody"]),
    ]
}

/// OffsetCommit by a classic member of a consumer group.
pub(super) fn commits() -> Vec<Case> {
    let commit = |name: &'static str, member_id: &'static str, generation: i32| {
        case(name, move |run| {
            let mixed = mixed(run)?;
            let partition = json!({ "PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": "" });
            run.ask(json!({
                "GroupId": mixed.group, "MemberId": member_id, "GenerationIdOrMemberEpoch": generation,
                "Topics": [{ "Name?": mixed.topic, "TopicId?": format!("id:{}", mixed.topic), "Partitions": [partition] }],
            }))
            .map(drop)
        })
        .versions(2..=9)
    };
    vec![
        commit("a classic member of a consumer group", "classic", 2),
        commit("a classic member of a consumer group, before", "classic", 1),
        commit("a member of a mixed group", "member", 2),
        commit("a member of a mixed group, before", "member", 1),
    ]
}
