//! TxnOffsetCommit (28).

use serde_json::{Value, json};

use super::group::{but, consuming, group, must_each, stable, stable_static};
use super::transactions::{
    Producer, Protocol, adding_offsets, begun_anew, committing, end, producer, sees_offsets, sees_state,
};
use crate::both::Side;
use crate::run::{Case, Outcome, Run, case};

/// The protocol of the clients that send this version.
fn protocol(run: &Run<'_>) -> Protocol {
    if run.version() < 5 {
        Protocol::One
    } else {
        Protocol::Two
    }
}

/// A producer whose transaction has the group's offsets, as far as its client says so.
fn with_offsets(run: &mut Run<'_>, group: &str) -> Result<Producer, crate::run::Stop> {
    let producer = producer(run)?;
    if protocol(run) == Protocol::One {
        must_each(run, "AddOffsetsToTxn", 3, |side| adding_offsets(&producer, side, group))?;
    }
    Ok(producer)
}

fn ask(run: &mut Run<'_>, producer: &Producer, group: &str, topic: &str, changes: impl Fn(Side) -> Value) -> Outcome {
    run.ask_each(|side| but(committing(producer, side, group, topic), changes(side)))?;
    sees_state(run, producer)?;
    sees_offsets(run, group, topic)
}

/// One request to a group that nobody has, and what there is before and after the transaction's end.
fn commits(name: &'static str, changes: impl Fn(&str) -> Value + 'static) -> Case {
    case(name, move |run| {
        let (group, topic) = (group(run)?, run.topic(2)?);
        let mut producer = with_offsets(run, &group)?;
        ask(run, &producer, &group, &topic, |_| changes(&topic))?;
        let protocol = protocol(run);
        end(run, protocol, &mut producer, true)?;
        sees_offsets(run, &group, &topic)
    })
}

/// One request that may have begun nothing.
fn tries(name: &'static str, changes: impl Fn(&str) -> Value + 'static) -> Case {
    case(name, move |run| {
        let (group, topic) = (group(run)?, run.topic(2)?);
        let producer = with_offsets(run, &group)?;
        ask(run, &producer, &group, &topic, |_| changes(&topic))
    })
}

/// One request in the name of somebody else.
fn as_other(name: &'static str, other: impl Fn(&Producer) -> Producer + 'static) -> Case {
    case(name, move |run| {
        let (group, topic) = (group(run)?, run.topic(1)?);
        let producer = with_offsets(run, &group)?;
        ask(run, &other(&producer), &group, &topic, |_| json!({}))?;
        sees_state(run, &producer)
    })
}

/// One request of a member of a stable group, with other values for what a member says of itself.
fn member(name: &'static str, changes: Value) -> Case {
    case(name, move |run| {
        let (member, topic) = (stable(run)?, run.topic(1)?);
        let producer = with_offsets(run, &member.group)?;
        ask(run, &producer, &member.group, &topic, |side| {
            let as_member = json!({ "GenerationId": member.generation, "MemberId": member.id(side) });
            but(as_member, changes.clone())
        })
    })
    .versions(3..=5)
}

fn consumer(name: &'static str, changes: Value) -> Case {
    case(name, move |run| {
        let (group, topic) = consuming(run, 1)?;
        let producer = with_offsets(run, &group)?;
        ask(run, &producer, &group, &topic, |_| {
            but(json!({ "GenerationId": 1, "MemberId": "member" }), changes.clone())
        })
    })
    .versions(3..=5)
}

fn offset(partition: i32, offset: i64, metadata: Value) -> Value {
    json!({ "PartitionIndex": partition, "CommittedOffset": offset, "CommittedMetadata": metadata })
}

fn topics(topic: &str, partitions: Value) -> Value {
    json!({ "Topics": [{ "Name": topic, "Partitions": partitions }] })
}

pub(super) fn cases() -> Vec<Case> {
    [offsets(), producers(), members()].into_iter().flatten().collect()
}

fn offsets() -> Vec<Case> {
    let (long, too_long) = ("x".repeat(4_096), "x".repeat(4_097));
    vec![
        commits("an offset", |_| json!({})),
        commits("offsets", |topic| {
            topics(topic, json!([offset(1, 0, Value::Null), offset(0, 7, "".into())]))
        }),
        commits("a leader's epoch", |topic| {
            let mut one = offset(0, 7, "".into());
            one["CommittedLeaderEpoch"] = 0.into();
            topics(topic, json!([one]))
        })
        .versions(2..=5),
        commits("as much metadata as may be", move |topic| {
            topics(topic, json!([offset(0, 7, long.clone().into())]))
        }),
        tries("more metadata than may be", move |topic| {
            topics(topic, json!([offset(0, 7, too_long.clone().into())]))
        }),
        tries("an offset below zero", |topic| {
            topics(topic, json!([offset(0, -7, "".into())]))
        }),
        tries("a partition twice", |topic| {
            topics(topic, json!([offset(0, 7, "".into()), offset(0, 8, "".into())]))
        }),
        tries("unknown partitions", |topic| {
            topics(
                topic,
                json!([
                    offset(2, 7, "".into()),
                    offset(0, 7, "".into()),
                    offset(-1, 7, "".into())
                ]),
            )
        }),
        tries("an unknown topic", |_| {
            topics("nowhere", json!([offset(0, 7, "".into())]))
        }),
        tries("no partitions", |topic| topics(topic, json!([]))),
        tries("no topics", |_| json!({ "Topics": [] })),
        case("an abort, and a commit after it", |run| {
            let (group, topic) = (group(run)?, run.topic(1)?);
            let mut producer = with_offsets(run, &group)?;
            ask(run, &producer, &group, &topic, |_| json!({}))?;
            let protocol = protocol(run);
            end(run, protocol, &mut producer, false)?;
            sees_offsets(run, &group, &topic)?;
            if protocol == Protocol::One {
                must_each(run, "AddOffsetsToTxn", 3, |side| {
                    adding_offsets(&producer, side, &group)
                })?;
            }
            ask(run, &producer, &group, &topic, |_| json!({}))?;
            end(run, protocol, &mut producer, true)?;
            sees_offsets(run, &group, &topic)
        }),
        case("over an offset that is there", |run| {
            let (group, topic) = (group(run)?, run.topic(1)?);
            run.must("OffsetCommit", super::group::committing(&group, &topic, 0, 3))?;
            let producer = with_offsets(run, &group)?;
            ask(run, &producer, &group, &topic, |_| json!({}))?;
            // And one beside it, which does not wait.
            run.must("OffsetCommit", super::group::committing(&group, &topic, 0, 4))?;
            sees_offsets(run, &group, &topic)
        }),
        case("two producers' offsets", |run| {
            let (group, topic) = (group(run)?, run.topic(1)?);
            let (mut one, mut two) = (with_offsets(run, &group)?, with_offsets(run, &group)?);
            ask(run, &one, &group, &topic, |_| json!({}))?;
            ask(run, &two, &group, &topic, |_| {
                topics(&topic, json!([offset(0, 9, "".into())]))
            })?;
            let protocol = protocol(run);
            end(run, protocol, &mut two, true)?;
            sees_offsets(run, &group, &topic)?;
            end(run, protocol, &mut one, true)?;
            sees_offsets(run, &group, &topic)
        }),
    ]
}

fn producers() -> Vec<Case> {
    vec![
        case("offsets that are not in the transaction", |run| {
            let (group, topic) = (group(run)?, run.topic(1)?);
            let producer = producer(run)?;
            ask(run, &producer, &group, &topic, |_| json!({}))
        }),
        as_other("an unknown transactional id", |producer| producer.called("nobody")),
        as_other("an empty transactional id", |producer| producer.called("")),
        as_other("another producer's id", Producer::stranger),
        as_other("an epoch before", |producer| producer.at(-1)),
        as_other("an epoch to come", |producer| producer.at(1)),
        case("a producer that is fenced", |run| {
            let (group, topic) = (group(run)?, run.topic(1)?);
            let fenced = with_offsets(run, &group)?;
            begun_anew(run, &fenced.id, 60_000)?;
            ask(run, &fenced, &group, &topic, |_| json!({}))
        }),
        case("a producer that is fenced after its offsets", |run| {
            let (group, topic) = (group(run)?, run.topic(1)?);
            let fenced = with_offsets(run, &group)?;
            ask(run, &fenced, &group, &topic, |_| json!({}))?;
            begun_anew(run, &fenced.id, 60_000)?;
            ask(run, &fenced, &group, &topic, |_| json!({}))
        }),
    ]
}

fn members() -> Vec<Case> {
    vec![
        case("no group", |run| {
            let topic = run.topic(1)?;
            let producer = producer(run)?;
            run.ask_each(|side| committing(&producer, side, "", &topic)).map(drop)
        }),
        tries(
            "as a member of an unknown group",
            |_| json!({ "GenerationId": 1, "MemberId": "member" }),
        )
        .versions(3..=5),
        tries("a generation of nobody's", |_| json!({ "GenerationId": 1 })).versions(3..=5),
        member("a member", json!({})),
        member("a generation before", json!({ "GenerationId": 0 })),
        member("a generation to come", json!({ "GenerationId": 2 })),
        member("a stranger", json!({ "MemberId": "nobody" })),
        member(
            "nobody in a group with members",
            json!({ "GenerationId": -1, "MemberId": "" }),
        ),
        member(
            "an instance that the group does not have",
            json!({ "GroupInstanceId": "two" }),
        ),
        case("a static member", |run| {
            let (member, topic) = (stable_static(run, "one")?, run.topic(1)?);
            let producer = with_offsets(run, &member.group)?;
            for id in [None, Some("nobody")] {
                ask(run, &producer, &member.group, &topic, |side| {
                    json!({
                        "GenerationId": member.generation, "MemberId": id.unwrap_or_else(|| member.id(side)),
                        "GroupInstanceId": "one",
                    })
                })?;
            }
            Ok(())
        })
        .versions(3..=5),
        consumer("a consumer group's member", json!({})),
        consumer("a member epoch before", json!({ "GenerationId": 0 })),
        consumer("a member epoch to come", json!({ "GenerationId": 2 })),
        consumer("a stranger in a consumer group", json!({ "MemberId": "nobody" })),
        consumer(
            "nobody in a consumer group with members",
            json!({ "GenerationId": -1, "MemberId": "" }),
        ),
    ]
}
