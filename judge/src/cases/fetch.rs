//! Fetch (1).

use serde_json::{Value, json};

use super::in_transactions;
use crate::both::{Both, Side};
use crate::records::batch;
use crate::run::{Case, Outcome, Run, case};

/// A topic that cases read and none changes: partition 0 has ten batches of three records, 1 has one, 2 none.
const TOPIC: &str = "to-be-fetched";

pub(super) fn cases() -> Vec<Case> {
    [
        offsets(),
        limits(),
        unknown(),
        epochs(),
        sessions(),
        in_transactions::fetched(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A case that reads the topic.
fn reading(name: &'static str, body: impl Fn(&mut Run<'_>) -> Outcome + 'static) -> Case {
    case(name, move |run| {
        run.once(TOPIC, prepare)?;
        body(run)
    })
}

/// A case of one request.
fn reads(name: &'static str, request: Value) -> Case {
    reading(name, move |run| run.ask(request.clone()).map(drop))
}

fn prepare(both: &mut Both) -> anyhow::Result<()> {
    both.create_topic(TOPIC, 3, &[])?;
    for number in 0..11 {
        let values: Vec<String> = (0..3).map(|at| format!("value {number} {at}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let partition = i32::from(number == 10);
        both.must(
            "Produce",
            &json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
            "TopicId": format!("id:{TOPIC}"), "PartitionData": [{ "Index": partition, "Records": batch(&values) }],
        }] }),
        )?;
    }
    Ok(())
}

/// A request for partitions, each with an offset and a limit.
fn of(partitions: &[(i32, i64, i32)]) -> Value {
    let partitions: Vec<Value> = partitions
        .iter()
        .map(|(partition, offset, bytes)| json!({ "Partition": partition, "FetchOffset": offset, "PartitionMaxBytes": bytes }))
        .collect();
    with(partitions.into())
}

fn with(partitions: Value) -> Value {
    json!({
        "ReplicaId?": -1, "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 0x7fff_ffff,
        "Topics": [{ "Topic?": TOPIC, "TopicId?": format!("id:{TOPIC}"), "Partitions": partitions }],
    })
}

/// The request with other values of its own fields.
fn but(mut request: Value, fields: Value) -> Value {
    if let Value::Object(fields) = fields {
        for (name, value) in fields {
            request[name.as_str()] = value;
        }
    }
    request
}

fn offsets() -> Vec<Case> {
    const MANY: i32 = 1 << 20;
    vec![
        reads("from the start", of(&[(0, 0, MANY)])),
        reads("from within a batch", of(&[(0, 4, MANY)])),
        reads("the last record", of(&[(0, 29, MANY)])),
        reads("the end", of(&[(0, 30, MANY)])),
        reads("beyond the end", of(&[(0, 31, MANY)])),
        reads("far beyond the end", of(&[(0, i64::MAX, MANY)])),
        reads("below zero", of(&[(0, -1, MANY)])),
        reads("far below zero", of(&[(0, i64::MIN, MANY)])),
        reads("all partitions", of(&[(0, 27, MANY), (1, 0, MANY), (2, 0, MANY)])),
        reads("an empty partition", of(&[(2, 0, MANY)])),
        reads(
            "what is committed",
            but(of(&[(0, 27, MANY)]), json!({ "IsolationLevel": 1 })),
        ),
        reads(
            "an isolation that there is not",
            but(of(&[(0, 27, MANY)]), json!({ "IsolationLevel": 2 })),
        ),
        reads(
            "a start of the log that the client knows",
            with(json!([
                { "Partition": 0, "FetchOffset": 27, "LogStartOffset": 3, "PartitionMaxBytes": MANY },
            ])),
        ),
        reads("a rack", but(of(&[(0, 27, MANY)]), json!({ "RackId": "here" }))),
        case("below the start", |run| {
            let topic = run.topic(1)?;
            for values in [&["one", "two"][..], &["three"]] {
                run.must(
                    "Produce",
                    json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
                    "TopicId": format!("id:{topic}"), "PartitionData": [{ "Index": 0, "Records": batch(values) }],
                }] }),
                )?;
            }
            run.must("DeleteRecords", json!({ "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0, "Offset": 1 }] }], "TimeoutMs": 30_000 }))?;
            for offset in [0, 1, 2] {
                run.ask(json!({
                    "ReplicaId?": -1, "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": MANY,
                    "Topics": [{ "Topic?": topic, "TopicId?": format!("id:{topic}"), "Partitions": [
                        { "Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": MANY },
                    ] }],
                }))?;
            }
            Ok(())
        }),
    ]
}

fn limits() -> Vec<Case> {
    vec![
        reads("a limit within the second batch", of(&[(0, 0, 150)])),
        reads("a limit a byte beyond the first batch", of(&[(1, 0, 1), (0, 0, 110)])),
        reads("a limit within the last batch", of(&[(0, 24, 200)])),
        reads("a limit from within a batch", of(&[(0, 4, 150)])),
        reads(
            "limits within batches of two partitions",
            of(&[(0, 0, 150), (1, 0, 50)]),
        ),
        reads(
            "a limit below the first batch of the second partition",
            of(&[(0, 0, 150), (0, 3, 90)]),
        ),
        reads(
            "a limit in all within the third batch of the first partition",
            but(of(&[(0, 0, 1_000), (1, 0, 1_000)]), json!({ "MaxBytes": 300 })),
        ),
        reads(
            "a limit in all within the batch of the second partition",
            but(of(&[(0, 0, 150), (1, 0, 1_000)]), json!({ "MaxBytes": 290 })),
        ),
        reads(
            "a limit in all within the second batch of the second partition",
            but(of(&[(1, 0, 1_000), (0, 0, 1_000)]), json!({ "MaxBytes": 350 })),
        ),
        reads("a limit within the first batch", of(&[(0, 0, 10)])),
        reads("a limit of zero", of(&[(0, 0, 0)])),
        reads("a limit below zero", of(&[(0, 0, -1)])),
        reads(
            "a limit in all within the first batch",
            but(of(&[(0, 0, 1_000), (1, 0, 1_000)]), json!({ "MaxBytes": 10 })),
        ),
        reads(
            "a limit in all within the second partition",
            but(of(&[(0, 27, 1_000), (1, 0, 1_000)]), json!({ "MaxBytes": 150 })),
        ),
        reads(
            "a limit in all of zero",
            but(of(&[(0, 0, 1_000), (1, 0, 1_000)]), json!({ "MaxBytes": 0 })),
        ),
        reads(
            "a limit in all below zero",
            but(of(&[(0, 0, 1_000)]), json!({ "MaxBytes": -1 })),
        ),
        reads(
            "the second partition after an empty one",
            but(of(&[(2, 0, 10), (1, 0, 10)]), json!({ "MaxBytes": 10 })),
        ),
        reads(
            "a wait for what is there",
            but(of(&[(0, 0, 100)]), json!({ "MaxWaitMs": 60_000, "MinBytes": 1 })),
        ),
        reads(
            "a wait for what never comes",
            but(of(&[(0, 30, 100)]), json!({ "MaxWaitMs": 20, "MinBytes": 1 })),
        ),
        reads(
            "a wait below zero",
            but(of(&[(0, 30, 100)]), json!({ "MaxWaitMs": -1, "MinBytes": 1 })),
        ),
        reads(
            "more than there is, without a wait",
            but(of(&[(0, 0, 100)]), json!({ "MinBytes": 1_000_000 })),
        ),
    ]
}

fn unknown() -> Vec<Case> {
    let topics =
        |topics: Value| json!({ "ReplicaId?": -1, "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1_000, "Topics": topics });
    let partition = || json!([{ "Partition": 0, "FetchOffset": 27, "PartitionMaxBytes": 1_000 }]);
    vec![
        reads("no topics", topics(json!([]))),
        reads(
            "no partitions",
            topics(json!([{ "Topic?": TOPIC, "TopicId?": format!("id:{TOPIC}"), "Partitions": [] }])),
        ),
        reads(
            "an unknown topic",
            topics(json!([{ "Topic?": "nowhere", "TopicId?": "AAAAAAAAAAAAAAAAAAAAqg", "Partitions": partition() }])),
        ),
        reads(
            "no topic id",
            topics(json!([{ "TopicId": "AAAAAAAAAAAAAAAAAAAAAA", "Partitions": partition() }])),
        ),
        reads(
            "an unknown topic before a known one",
            topics(json!([
                { "Topic?": "nowhere", "TopicId?": "AAAAAAAAAAAAAAAAAAAAqg", "Partitions": partition() },
                { "Topic?": TOPIC, "TopicId?": format!("id:{TOPIC}"), "Partitions": partition() },
            ])),
        ),
        reads("an unknown partition", of(&[(7, 0, 1_000)])),
        reads("a partition below zero", of(&[(-1, 0, 1_000)])),
        reads("a partition twice", of(&[(0, 27, 1_000), (0, 24, 1_000)])),
        reads(
            "a topic twice",
            topics(json!([
                { "Topic?": TOPIC, "TopicId?": format!("id:{TOPIC}"), "Partitions": partition() },
                { "Topic?": TOPIC, "TopicId?": format!("id:{TOPIC}"), "Partitions": [{ "Partition": 1, "FetchOffset": 0, "PartitionMaxBytes": 1_000 }] },
            ])),
        ),
        reads(
            "a cluster's id",
            but(of(&[(0, 27, 1_000)]), json!({ "ClusterId": "another" })),
        ),
    ]
}

fn epochs() -> Vec<Case> {
    let epoch = |epoch: i32| {
        with(json!([{ "Partition": 0, "FetchOffset": 27, "CurrentLeaderEpoch": epoch, "PartitionMaxBytes": 1_000 }]))
    };
    let last = |epoch: i32, offset: i64| {
        with(
            json!([{ "Partition": 0, "FetchOffset": offset, "LastFetchedEpoch": epoch, "CurrentLeaderEpoch": 0, "PartitionMaxBytes": 1_000 }]),
        )
    };
    vec![
        reads("the leader's epoch", epoch(0)),
        reads("an epoch ahead", epoch(1)),
        reads("an epoch below -1", epoch(-2)),
        reads("the last epoch that was fetched", last(0, 27)),
        reads("a last epoch ahead", last(3, 27)),
        reads("a last epoch beyond the end", last(0, 31)),
        reads("a last epoch below -1", last(-2, 27)),
    ]
}

fn session(fields: Value, partitions: &[(i32, i64, i32)]) -> Value {
    but(of(partitions), fields)
}

/// A session on each, and its id there.
fn open(run: &mut Run<'_>, partitions: &[(i32, i64, i32)]) -> Result<impl Fn(Side) -> i64 + use<>, crate::run::Stop> {
    let answers = run.ask(session(json!({ "SessionId": 0, "SessionEpoch": 0 }), partitions))?;
    let ids = [Side::Ours, Side::Theirs].map(|side| answers.of(side)["SessionId"].as_i64().unwrap_or_default());
    Ok(move |side| if side == Side::Ours { ids[0] } else { ids[1] })
}

fn sessions() -> Vec<Case> {
    let none = |fields: Value| {
        but(
            json!({ "ReplicaId?": -1, "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1_000, "Topics": [] }),
            fields,
        )
    };
    vec![
        reads(
            "a session that there is not",
            session(json!({ "SessionId": 12_345, "SessionEpoch": 1 }), &[(0, 0, 100)]),
        ),
        reads(
            "a session's end that there is not",
            session(json!({ "SessionId": 12_345, "SessionEpoch": -1 }), &[(0, 27, 100)]),
        ),
        reads(
            "a session without an id",
            session(json!({ "SessionId": 0, "SessionEpoch": 1 }), &[(0, 27, 100)]),
        ),
        reading("a session", move |run| {
            let id = open(run, &[(0, 27, 1_000), (1, 0, 1_000), (2, 0, 1_000)])?;
            run.ask_each(|side| none(json!({ "SessionId": id(side), "SessionEpoch": 1 })))?;
            // Where each has got to: nothing is new.
            run.ask_each(|side| {
                session(
                    json!({ "SessionId": id(side), "SessionEpoch": 2 }),
                    &[(0, 30, 1_000), (1, 3, 1_000)],
                )
            })?;
            run.ask_each(|side| none(json!({ "SessionId": id(side), "SessionEpoch": 3 })))?;
            run.ask_each(|side| none(json!({ "SessionId": id(side), "SessionEpoch": -1 })))?;
            run.ask_each(|side| none(json!({ "SessionId": id(side), "SessionEpoch": 4 })))
                .map(drop)
        }),
        reading("a session's epoch that is not next", move |run| {
            let id = open(run, &[(0, 27, 1_000)])?;
            run.ask_each(|side| none(json!({ "SessionId": id(side), "SessionEpoch": 2 })))?;
            run.ask_each(|side| none(json!({ "SessionId": id(side), "SessionEpoch": 1 })))
                .map(drop)
        }),
        reading("a partition that a session forgets", move |run| {
            let id = open(run, &[(0, 27, 1_000), (1, 0, 1_000)])?;
            run.ask_each(|side| {
                none(json!({
                    "SessionId": id(side), "SessionEpoch": 1,
                    "ForgottenTopicsData": [{ "Topic?": TOPIC, "TopicId?": format!("id:{TOPIC}"), "Partitions": [0] }],
                }))
            })
            .map(drop)
        }),
        reading("a session made anew", move |run| {
            let id = open(run, &[(0, 27, 1_000)])?;
            run.ask_each(|side| session(json!({ "SessionId": id(side), "SessionEpoch": 0 }), &[(1, 0, 1_000)]))
                .map(drop)
        }),
        reading("an unknown partition in a session", move |run| {
            let id = open(run, &[(0, 30, 1_000), (7, 0, 1_000)])?;
            run.ask_each(|side| none(json!({ "SessionId": id(side), "SessionEpoch": 1 })))
                .map(drop)
        }),
    ]
}
