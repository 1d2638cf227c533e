//! What transactions are to the APIs that are not theirs: Produce within one, and Fetch, ListOffsets, OffsetFetch and
//! DescribeProducers beside one that is open, committed or aborted.

use serde_json::{Value, json};
use tickertape_broker::wire::build::BatchBuilder;

use super::group::{group, must_each};
use super::transactions::{
    Producer, Protocol, add, batch_of, begun_anew, commit_offset, end, opened, produce, producer, producing, reading,
    sees,
};
use crate::both::Side;
use crate::records::{batch, built};
use crate::run::{Case, Outcome, Run, Stop, case};
use crate::value::hex;

const BOTH: [Protocol; 2] = [Protocol::One, Protocol::Two];

/// The protocol of the clients that produce in this version.
fn protocol(run: &Run<'_>) -> Protocol {
    if run.version() < 12 {
        Protocol::One
    } else {
        Protocol::Two
    }
}

fn ask(run: &mut Run<'_>, producer: &Producer, topic: &str, batch: impl Fn(Side) -> BatchBuilder) -> Outcome {
    run.ask_each(|side| producing(producer, topic, 0, batch(side)))?;
    sees(run, producer, topic)
}

/// A producer whose transaction has partition 0 of a new topic, as far as its client says so, and no records yet.
fn ready(run: &mut Run<'_>) -> Result<(Producer, String), Stop> {
    let (producer, topic) = (producer(run)?, run.topic(2)?);
    if protocol(run) == Protocol::One {
        add(run, &producer, &topic, &[0])?;
    }
    Ok((producer, topic))
}

/// One request within a transaction.
fn within(name: &'static str, batch: impl Fn(&Producer, Side) -> BatchBuilder + 'static) -> Case {
    case(name, move |run| {
        let (producer, topic) = ready(run)?;
        ask(run, &producer, &topic, |side| batch(&producer, side))
    })
}

pub(super) fn produced() -> Vec<Case> {
    [batches(), producers()].into_iter().flatten().collect()
}

fn batches() -> Vec<Case> {
    vec![
        within("a transaction's first records", |producer, side| {
            batch_of(producer, side, 0, 2)
        }),
        within("a transaction that begins late", |producer, side| {
            batch_of(producer, side, 5, 1)
        }),
        within("a transaction without a sequence", |producer, side| {
            batch_of(producer, side, -1, 1)
        }),
        within("a producer's records outside of its transaction", |producer, side| {
            let (id, epoch) = (producer.producer_id(side), producer.epoch(side));
            BatchBuilder::new()
                .producer(id, epoch, 0)
                .record(1_000, None, Some(b"value"))
        }),
        within("a transaction's marker by its producer", |producer, side| {
            batch_of(producer, side, 0, 1).control()
        }),
        within("nobody's records under a transactional id", |_, _| {
            BatchBuilder::new().record(1_000, None, Some(b"value"))
        }),
        within("a transactional batch of nobody", |_, _| {
            BatchBuilder::new().transactional().record(1_000, None, Some(b"value"))
        }),
        case("records after records", |run| {
            let (producer, topic) = ready(run)?;
            for (sequence, records) in [(0, 2), (2, 1), (2, 1), (9, 1), (3, 2)] {
                ask(run, &producer, &topic, |side| {
                    batch_of(&producer, side, sequence, records)
                })?;
            }
            Ok(())
        }),
        case("plain records within a transaction", |run| {
            let (producer, topic) = ready(run)?;
            ask(run, &producer, &topic, |side| batch_of(&producer, side, 0, 1))?;
            ask(run, &producer, &topic, |side| {
                let (id, epoch) = (producer.producer_id(side), producer.epoch(side));
                BatchBuilder::new()
                    .producer(id, epoch, 1)
                    .record(1_000, None, Some(b"value"))
            })
        }),
        case("records between a transaction's", |run| {
            let (producer, topic) = ready(run)?;
            ask(run, &producer, &topic, |side| batch_of(&producer, side, 0, 1))?;
            must_each(run, "Produce", 12, |_| {
                json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
                    "Name": topic, "PartitionData": [{ "Index": 0, "Records": batch(&["beside"]) }],
                }] })
            })?;
            ask(run, &producer, &topic, |side| batch_of(&producer, side, 1, 1))
        }),
        case("records of the next transaction", |run| {
            let (mut producer, topic) = ready(run)?;
            ask(run, &producer, &topic, |side| batch_of(&producer, side, 0, 2))?;
            let protocol = protocol(run);
            end(run, protocol, &mut producer, true)?;
            let mut first = 0;
            if protocol == Protocol::One {
                add(run, &producer, &topic, &[0])?;
                first = 2;
            }
            ask(run, &producer, &topic, |side| batch_of(&producer, side, first, 1))
        }),
        case("without its transactional id", |run| {
            let (producer, topic) = ready(run)?;
            run.ask_each(|side| {
                let mut request = producing(&producer, &topic, 0, batch_of(&producer, side, 0, 1));
                request["TransactionalId"] = Value::Null;
                request
            })?;
            sees(run, &producer, &topic)
        }),
        case("a transaction's records without acknowledgement", |run| {
            let (producer, topic) = ready(run)?;
            for acks in [1, 0] {
                let answers = run.both().each(|side, client| {
                    let mut request = producing(&producer, &topic, 0, batch_of(&producer, side, 0, 1));
                    request["Acks"] = acks.into();
                    let version = 11;
                    let body = client.encode("Produce", version, &request)?;
                    Ok(client.ask_body_quietly("Produce", version, &body)?.into_value())
                })?;
                let (ours, theirs) = answers;
                run.judge("Produce", crate::both::Answers { ours, theirs });
            }
            sees(run, &producer, &topic)
        })
        .versions(11..=11),
        case("two partitions, one of them not added", |run| {
            let (producer, topic) = ready(run)?;
            run.ask_each(|side| {
                let data = |index: i32| json!({ "Index": index, "Records": built(batch_of(&producer, side, 0, 1)) });
                json!({
                    "TransactionalId": producer.id, "Acks": -1, "TimeoutMs": 30_000,
                    "TopicData": [{
                        "Name?": topic, "TopicId?": format!("id:{topic}"), "PartitionData": [data(0), data(1), data(7)],
                    }],
                })
            })?;
            sees(run, &producer, &topic)
        }),
        case("two batches for one partition", |run| {
            let (producer, topic) = ready(run)?;
            run.ask_each(|side| {
                let both = [0, 1].map(|at| batch_of(&producer, side, at, 1).build().unwrap_or_default());
                let mut request = producing(&producer, &topic, 0, BatchBuilder::new());
                request["TopicData"][0]["PartitionData"][0]["Records"] = hex(&both.concat()).into();
                request
            })?;
            sees(run, &producer, &topic)
        }),
    ]
}

fn producers() -> Vec<Case> {
    let as_other = |name: &'static str, other: fn(&Producer) -> Producer| {
        case(name, move |run| {
            let (producer, topic) = ready(run)?;
            let other = other(&producer);
            ask(run, &other, &topic, |side| batch_of(&other, side, 0, 1))?;
            sees(run, &producer, &topic)
        })
    };
    vec![
        case("a partition that is not added", |run| {
            let (producer, topic) = (producer(run)?, run.topic(1)?);
            ask(run, &producer, &topic, |side| batch_of(&producer, side, 0, 1))
        }),
        case("a partition that was added to the transaction before", |run| {
            let (mut producer, topic) = opened(run, Protocol::One)?;
            end(run, Protocol::One, &mut producer, true)?;
            ask(run, &producer, &topic, |side| batch_of(&producer, side, 2, 1))
        }),
        as_other("an unknown transactional id", |producer| producer.called("nobody")),
        as_other("an empty transactional id", |producer| producer.called("")),
        as_other("another producer's id", Producer::stranger),
        as_other("a producer's epoch before", |producer| producer.at(-1)),
        as_other("a producer's epoch to come", |producer| producer.at(1)),
        case("a producer that is fenced", |run| {
            let (fenced, topic) = ready(run)?;
            begun_anew(run, &fenced.id, 60_000)?;
            ask(run, &fenced, &topic, |side| batch_of(&fenced, side, 0, 1))
        }),
        case("a producer that is fenced within its transaction", |run| {
            let (fenced, topic) = ready(run)?;
            ask(run, &fenced, &topic, |side| batch_of(&fenced, side, 0, 1))?;
            begun_anew(run, &fenced.id, 60_000)?;
            ask(run, &fenced, &topic, |side| batch_of(&fenced, side, 1, 1))
        }),
    ]
}

/// A log with transactions that are over, one that is open and records beside them; its producers.
fn history(run: &mut Run<'_>) -> Result<(Vec<Producer>, String), Stop> {
    let topic = run.topic(1)?;
    let mut producers = Vec::new();
    for (protocol, commit) in [
        (Protocol::One, Some(false)),
        (Protocol::Two, Some(true)),
        (Protocol::Two, Some(false)),
        (Protocol::One, None),
    ] {
        let mut one = producer(run)?;
        if protocol == Protocol::One {
            add(run, &one, &topic, &[0])?;
        }
        produce(run, protocol, &one, &topic, 0)?;
        run.must(
            "Produce",
            json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
                "TopicId": format!("id:{topic}"), "PartitionData": [{ "Index": 0, "Records": batch(&["beside"]) }],
            }] }),
        )?;
        if let Some(commit) = commit {
            end(run, protocol, &mut one, commit)?;
        }
        producers.push(one);
    }
    Ok((producers, topic))
}

pub(super) fn fetched() -> Vec<Case> {
    vec![
        case("a log with transactions", |run| {
            let (_, topic) = history(run)?;
            for isolation in [0, 1] {
                for offset in 0..16 {
                    run.ask(reading(&topic, offset, isolation))?;
                }
            }
            Ok(())
        }),
        case("an unknown isolation", |run| {
            let (_, topic) = history(run)?;
            run.ask(reading(&topic, 0, 2))?;
            run.ask(reading(&topic, 0, -1)).map(drop)
        }),
        case("a transaction that was open and is over", |run| {
            for protocol in BOTH {
                for commit in [true, false] {
                    let (mut producer, topic) = opened(run, protocol)?;
                    run.ask(reading(&topic, 0, 1))?;
                    end(run, protocol, &mut producer, commit)?;
                    run.ask(reading(&topic, 0, 1))?;
                }
            }
            Ok(())
        }),
        case("a wait that a marker ends", |run| {
            let (mut producer, topic) = opened(run, Protocol::One)?;
            let mut request = reading(&topic, 0, 1);
            request["MaxWaitMs"] = 30_000.into();
            request["MinBytes"] = 1.into();
            let version = run.version();
            let addresses = [Side::Ours, Side::Theirs].map(|side| run.both().client(side).address().to_owned());
            let mut waiting = Vec::new();
            for (side, address) in [Side::Ours, Side::Theirs].into_iter().zip(&addresses) {
                let body = run.both().client(side).encode("Fetch", version, &request)?;
                let mut client = crate::client::Client::connect(address)?;
                client.topics = run.both().client(side).topics.clone();
                let ticket = client.start("Fetch", version, &body)?;
                waiting.push((client, ticket));
            }
            end(run, Protocol::One, &mut producer, true)?;
            let mut answers = Vec::new();
            for (mut client, ticket) in waiting {
                answers.push(client.finish(&ticket)?.into_value());
            }
            let (theirs, ours) = (answers.pop().unwrap_or_default(), answers.pop().unwrap_or_default());
            run.judge("Fetch", crate::both::Answers { ours, theirs });
            Ok(())
        }),
    ]
}

pub(super) fn listed() -> Vec<Case> {
    vec![
        case("a log with transactions", |run| {
            let (_, topic) = history(run)?;
            for isolation in [0, 1, 2] {
                for timestamp in [-1, -2, -3, 0, 1_000, 1_001, 1_002] {
                    let partition = json!({ "PartitionIndex": 0, "Timestamp": timestamp });
                    run.ask(json!({
                        "ReplicaId": -1, "IsolationLevel": isolation,
                        "Topics": [{ "Name": topic, "Partitions": [partition] }],
                    }))?;
                }
            }
            Ok(())
        })
        .versions(7..=10),
        case("the end beside an open transaction", |run| {
            let (_, topic) = opened(run, Protocol::Two)?;
            for isolation in [0, 1] {
                let partition = json!({ "PartitionIndex": 0, "Timestamp": -1 });
                run.ask(json!({
                    "ReplicaId": -1, "IsolationLevel": isolation,
                    "Topics": [{ "Name": topic, "Partitions": [partition] }],
                }))?;
            }
            Ok(())
        })
        .versions(2..=10),
    ]
}

pub(super) fn committed() -> Vec<Case> {
    vec![
        case("offsets of open transactions", |run| {
            let (group, topic) = (group(run)?, run.topic(2)?);
            let producers = [producer(run)?, producer(run)?];
            for (protocol, mut producer) in BOTH.into_iter().zip(producers) {
                commit_offset(run, protocol, &producer, &group, &topic)?;
                for over in [false, true] {
                    if over {
                        end(run, protocol, &mut producer, true)?;
                    }
                    for stable in [true, false] {
                        let topics = json!([{ "Name": topic, "PartitionIndexes": [0, 1] }]);
                        let request = if run.version() < 8 {
                            json!({ "GroupId": group, "Topics": topics, "RequireStable": stable })
                        } else {
                            json!({ "Groups": [{ "GroupId": group, "Topics": topics }], "RequireStable": stable })
                        };
                        run.ask(request)?;
                    }
                }
            }
            Ok(())
        })
        .versions(7..=9),
        case("all offsets beside an open transaction", |run| {
            let (group, topic) = (group(run)?, run.topic(2)?);
            let producer = producer(run)?;
            run.must("OffsetCommit", super::group::committing(&group, &topic, 1, 3))?;
            commit_offset(run, Protocol::Two, &producer, &group, &topic)?;
            for stable in [true, false] {
                let request = if run.version() < 8 {
                    json!({ "GroupId": group, "Topics": null, "RequireStable": stable })
                } else {
                    json!({ "Groups": [{ "GroupId": group, "Topics": null }], "RequireStable": stable })
                };
                run.ask(request)?;
            }
            Ok(())
        })
        .versions(7..=9),
    ]
}

pub(super) fn described() -> Vec<Case> {
    vec![case("producers of transactions", |run| {
        let (_, topic) = history(run)?;
        run.ask(json!({ "Topics": [{ "Name": topic, "PartitionIndexes": [0] }] }))
            .map(drop)
    })]
}
