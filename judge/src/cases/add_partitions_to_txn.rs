//! AddPartitionsToTxn (24): versions 0–3 as clients send it, 4 and 5 as brokers do among themselves. Of no transactions
//! Apache Kafka answers these never.

use serde_json::{Value, json};

use super::group::group;
use super::transactions::{Producer, Protocol, add, adding, begun_anew, end, opened, producer, sees_state};
use crate::both::Side;
use crate::run::{Case, Outcome, Run, case};

/// One transaction's partitions in the form that the version has.
fn request(version: i16, producer: &Producer, side: Side, topics: &Value, verify: bool) -> Value {
    if version < 4 {
        return adding(producer, side, topics);
    }
    json!({ "Transactions": [transaction(producer, side, topics, verify)] })
}

fn transaction(producer: &Producer, side: Side, topics: &Value, verify: bool) -> Value {
    json!({
        "TransactionalId": producer.id, "ProducerId": producer.producer_id(side),
        "ProducerEpoch": producer.epoch(side), "VerifyOnly": verify, "Topics": topics,
    })
}

fn ask(run: &mut Run<'_>, producer: &Producer, topics: &Value) -> Outcome {
    let version = run.version();
    run.ask_each(|side| request(version, producer, side, topics, false))?;
    sees_state(run, producer)
}

/// One request of a producer, and what its transaction has then.
fn adds(name: &'static str, topics: impl Fn(&str) -> Value + 'static) -> Case {
    case(name, move |run| {
        let (producer, topic) = (producer(run)?, run.topic(3)?);
        ask(run, &producer, &topics(&topic))
    })
}

/// One request in the name of somebody else, and what there is of the producer then.
fn as_other(name: &'static str, other: impl Fn(&Producer) -> Producer + 'static) -> Case {
    case(name, move |run| {
        let (producer, topic) = (producer(run)?, run.topic(1)?);
        let topics = json!([{ "Name": topic, "Partitions": [0] }]);
        ask(run, &other(&producer), &topics)?;
        sees_state(run, &producer)
    })
}

pub(super) fn cases() -> Vec<Case> {
    [partitions(), producers(), among_brokers()]
        .into_iter()
        .flatten()
        .collect()
}

fn partitions() -> Vec<Case> {
    vec![
        adds("a partition", |topic| json!([{ "Name": topic, "Partitions": [0] }])),
        adds(
            "partitions",
            |topic| json!([{ "Name": topic, "Partitions": [2, 0, 1] }]),
        ),
        adds("no topics", |_| json!([])),
        adds("no partitions", |topic| json!([{ "Name": topic, "Partitions": [] }])),
        adds(
            "a partition twice",
            |topic| json!([{ "Name": topic, "Partitions": [0, 0] }]),
        ),
        adds(
            "a topic twice",
            |topic| json!([{ "Name": topic, "Partitions": [0] }, { "Name": topic, "Partitions": [1] }]),
        )
        .versions(4..=5),
        adds(
            "an unknown topic",
            |_| json!([{ "Name": "nowhere", "Partitions": [0] }]),
        ),
        adds(
            "unknown partitions",
            |topic| json!([{ "Name": topic, "Partitions": [3, -1, i32::MAX] }]),
        ),
        adds(
            "good and bad",
            |topic| json!([{ "Name": topic, "Partitions": [0, 7] }, { "Name": "nowhere", "Partitions": [1] }]),
        ),
        adds("an empty name", |_| json!([{ "Name": "", "Partitions": [0] }])),
        case("a topic of the coordinators", |run| {
            // Apache Kafka makes it when it is first asked for a group's coordinator.
            group(run)?;
            let producer = producer(run)?;
            ask(
                run,
                &producer,
                &json!([{ "Name": "__consumer_offsets", "Partitions": [0] }]),
            )
        }),
        case("more partitions, and one again", |run| {
            let (producer, topic) = (producer(run)?, run.topic(3)?);
            for partitions in [&[0][..], &[1, 0], &[1], &[2]] {
                ask(run, &producer, &json!([{ "Name": topic, "Partitions": partitions }]))?;
            }
            Ok(())
        }),
        case("a next transaction", |run| {
            let (mut producer, topic) = opened(run, Protocol::One)?;
            for commit in [true, false] {
                end(run, Protocol::One, &mut producer, commit)?;
                ask(run, &producer, &json!([{ "Name": topic, "Partitions": [1] }]))?;
            }
            Ok(())
        }),
    ]
}

fn producers() -> Vec<Case> {
    vec![
        as_other("an unknown transactional id", |producer| producer.called("nobody")),
        as_other("an empty transactional id", |producer| producer.called("")),
        as_other("another producer's id", Producer::stranger),
        as_other("an epoch before", |producer| producer.at(-1)),
        as_other("an epoch to come", |producer| producer.at(1)),
        case("a producer that is fenced", |run| {
            let (fenced, topic) = (producer(run)?, run.topic(1)?);
            begun_anew(run, &fenced.id, 60_000)?;
            ask(run, &fenced, &json!([{ "Name": topic, "Partitions": [0] }]))
        }),
        case("a producer that is fenced within its transaction", |run| {
            let (fenced, topic) = opened(run, Protocol::One)?;
            begun_anew(run, &fenced.id, 60_000)?;
            ask(run, &fenced, &json!([{ "Name": topic, "Partitions": [1] }]))
        }),
    ]
}

fn among_brokers() -> Vec<Case> {
    let verifies = |name: &'static str, partitions: &'static [i32]| {
        case(name, move |run| {
            let (producer, topic) = (producer(run)?, run.topic(2)?);
            add(run, &producer, &topic, &[0])?;
            let topics = json!([{ "Name": topic, "Partitions": partitions }]);
            let version = run.version();
            run.ask_each(|side| request(version, &producer, side, &topics, true))?;
            sees_state(run, &producer)
        })
        .versions(4..=5)
    };
    vec![
        verifies("whether a partition is in it", &[0]),
        verifies("whether one is that is not", &[1]),
        verifies("whether several are", &[1, 0]),
        case("whether one is of no transaction", |run| {
            let (producer, topic) = (producer(run)?, run.topic(1)?);
            let topics = json!([{ "Name": topic, "Partitions": [0] }]);
            run.ask_each(|side| json!({ "Transactions": [transaction(&producer, side, &topics, true)] }))
                .map(drop)
        })
        .versions(4..=5),
        case("whether one is of one that is over", |run| {
            let (mut producer, topic) = opened(run, Protocol::One)?;
            end(run, Protocol::One, &mut producer, true)?;
            let topics = json!([{ "Name": topic, "Partitions": [0] }]);
            run.ask_each(|side| json!({ "Transactions": [transaction(&producer, side, &topics, true)] }))
                .map(drop)
        })
        .versions(4..=5),
        case("whether one is of a stranger's", |run| {
            let (producer, topic) = (producer(run)?, run.topic(1)?);
            let topics = json!([{ "Name": topic, "Partitions": [0] }]);
            for other in [
                producer.called("nobody"),
                producer.stranger(),
                producer.at(-1),
                producer.at(1),
            ] {
                run.ask_each(|side| json!({ "Transactions": [transaction(&other, side, &topics, true)] }))?;
            }
            Ok(())
        })
        .versions(4..=5),
        case("several transactions", |run| {
            let (one, two, topic) = (producer(run)?, producer(run)?, run.topic(2)?);
            let topics = json!([{ "Name": topic, "Partitions": [1] }]);
            run.ask_each(|side| {
                json!({ "Transactions": [
                    transaction(&two, side, &topics, false),
                    transaction(&one.at(-1), side, &topics, false),
                ] })
            })?;
            sees_state(run, &one)?;
            sees_state(run, &two)
        })
        .versions(4..=5),
    ]
}
