//! InitProducerId (22).

use serde_json::{Value, json};

use super::transactions::{
    Producer, Protocol, add, begun_anew, coordinated, end, opened, over, producer, sees, sees_state, transactional_id,
};
use crate::both::{Side, error_of, until};
use crate::run::{Case, Outcome, Run, ask, case};

fn request(transactional_id: Value, timeout_ms: i32) -> Value {
    json!({ "TransactionalId": transactional_id, "TransactionTimeoutMs": timeout_ms })
}

fn again(producer_id: i64, epoch: i16) -> Value {
    json!({ "TransactionalId": null, "TransactionTimeoutMs": 60_000, "ProducerId": producer_id, "ProducerEpoch": epoch })
}

/// As a producer asks that goes on under its id.
fn going_on(producer: &Producer, side: Side) -> Value {
    json!({
        "TransactionalId": producer.id, "TransactionTimeoutMs": 60_000,
        "ProducerId": producer.producer_id(side), "ProducerEpoch": producer.epoch(side),
    })
}

pub(super) fn cases() -> Vec<Case> {
    [idempotent(), transactional(), fencing(), open(), exhausted()]
        .into_iter()
        .flatten()
        .collect()
}

fn idempotent() -> Vec<Case> {
    vec![
        case("an idempotent producer", |run| {
            // Apache Kafka first asks its controller for a block of ids.
            run.once("producer ids", |both| {
                let request = request(Value::Null, 60_000);
                for side in [Side::Ours, Side::Theirs] {
                    let given = |answer: &Value| error_of(answer).is_none();
                    until(both.client(side), "InitProducerId", 4, &request, given)?;
                }
                Ok(())
            })?;
            run.ask(request(Value::Null, 60_000)).map(drop)
        }),
        ask("no time-out", request(Value::Null, 0)),
        ask("a time-out below zero", request(Value::Null, -1)),
        ask("an empty transactional id", request("".into(), 60_000)),
        ask("a producer's id", again(4_711, 0)),
        ask("a producer's id without an epoch", again(4_711, -1)),
        ask("an epoch without a producer's id", again(-1, 3)),
        ask("a producer's id below -1", again(-2, 0)),
        ask("an epoch below -1", again(4_711, -2)),
        ask("the last epoch", again(4_711, i16::MAX)),
    ]
}

fn transactional() -> Vec<Case> {
    let timed = |name: &'static str, timeout_ms: i32| {
        case(name, move |run| {
            let id = transactional_id(run)?;
            run.ask(request(id.clone().into(), timeout_ms))?;
            run.ask_api("DescribeTransactions", 0, json!({ "TransactionalIds": [id] }))
                .map(drop)
        })
    };
    vec![
        timed("a transactional id", 60_000),
        timed("transactions of a millisecond", 1),
        timed("transactions of no time", 0),
        timed("transactions of less than no time", -1),
        timed("the longest transactions", 900_000),
        timed("transactions that are too long", 900_001),
        timed("transactions without end", i32::MAX),
        case("a transactional id again, with another time-out", |run| {
            let id = transactional_id(run)?;
            for timeout_ms in [60_000, 30_000, 0, 45_000] {
                run.ask(request(id.clone().into(), timeout_ms))?;
                run.ask_api("DescribeTransactions", 0, json!({ "TransactionalIds": [id] }))?;
            }
            Ok(())
        }),
        case("a long transactional id of another alphabet", |run| {
            let id = format!("{}-{}", transactional_id(run)?, "ä".repeat(10_000));
            run.ask(request(id.into(), 60_000)).map(drop)
        }),
        case("an unknown transactional id that goes on", |run| {
            let producer = producer(run)?;
            let other = producer.called(&transactional_id(run)?);
            run.ask_each(|side| going_on(&other, side))?;
            sees_state(run, &other)
        })
        .versions(3..=5),
    ]
}

/// A request by an id and an epoch, of a producer that has begun three times.
fn by(name: &'static str, other: impl Fn(&Producer) -> Producer + 'static) -> Case {
    case(name, move |run| {
        let id = producer(run)?.id;
        begun_anew(run, &id, 60_000)?;
        let producer = begun_anew(run, &id, 60_000)?;
        let other = other(&producer);
        run.ask_each(|side| going_on(&other, side))?;
        sees_state(run, &producer)?;
        // And by what was given out, if it was.
        run.ask_each(|side| going_on(&producer, side))?;
        sees_state(run, &producer)
    })
    .versions(3..=5)
}

fn fencing() -> Vec<Case> {
    vec![
        by("by its id and epoch", Producer::clone),
        by("by the epoch before", |producer| producer.at(-1)),
        by("by an epoch long before", |producer| producer.at(-2)),
        by("by an epoch to come", |producer| producer.at(1)),
        by("by another producer's id", Producer::stranger),
        case("by its id and epoch after a transaction", |run| {
            for protocol in [Protocol::One, Protocol::Two] {
                let (mut producer, _) = opened(run, protocol)?;
                end(run, protocol, &mut producer, true)?;
                run.ask_each(|side| going_on(&producer, side))?;
                sees_state(run, &producer)?;
            }
            Ok(())
        })
        .versions(3..=5),
    ]
}

/// What a producer that begins anew finds, and what there is when what it found has been aborted.
fn found(run: &mut Run<'_>, producer: &Producer, topic: &str, ask: impl Fn(Side) -> Value) -> Outcome {
    let version = run.version();
    run.ask_each(&ask)?;
    over(run, producer)?;
    let taken = |answer: &Value| answer["ErrorCode"] != 51;
    let [ours, theirs] = run.await_each("InitProducerId", version, &ask, taken)?;
    run.judge("InitProducerId", crate::both::Answers { ours, theirs });
    sees(run, producer, topic)
}

fn open() -> Vec<Case> {
    vec![
        case("within a transaction", |run| {
            for protocol in [Protocol::One, Protocol::Two] {
                let (producer, topic) = opened(run, protocol)?;
                found(run, &producer, &topic, |_| request(producer.id.clone().into(), 60_000))?;
            }
            Ok(())
        }),
        case("within a transaction, by its id and epoch", |run| {
            let (producer, topic) = opened(run, Protocol::One)?;
            found(run, &producer, &topic, |side| going_on(&producer, side))
        })
        .versions(3..=5),
        case("within a transaction without records", |run| {
            let (producer, topic) = (producer(run)?, run.topic(1)?);
            add(run, &producer, &topic, &[0])?;
            found(run, &producer, &topic, |_| request(producer.id.clone().into(), 60_000))
        }),
        case("a transaction that takes too long", |run| {
            coordinated(run)?;
            let producer = super::transactions::producer_with(run, 1)?;
            let topic = run.topic(1)?;
            add(run, &producer, &topic, &[0])?;
            // It is aborted at the coordinator's next look.
            over(run, &producer)?;
            sees(run, &producer, &topic)?;
            run.ask_api_each("EndTxn", 4, |side| super::transactions::ending(&producer, side, true))?;
            run.ask_each(|_| request(producer.id.clone().into(), 60_000))?;
            sees_state(run, &producer)
        })
        .versions(5..=5),
    ]
}

fn exhausted() -> Vec<Case> {
    vec![
        case("epochs that come to their end", |run| {
            let id = transactional_id(run)?;
            let init = request(id.clone().into(), 60_000);
            // Each begins the next: many are on their way at once, as answers come in order.
            run.both().each(|_, client| {
                let body = client.encode("InitProducerId", 5, &init)?;
                for _ in 0..EPOCHS / AT_ONCE {
                    let tickets = (0..AT_ONCE).map(|_| client.start("InitProducerId", 5, &body));
                    let tickets: Vec<_> = tickets.collect::<Result<_, _>>()?;
                    for ticket in &tickets {
                        client.finish(ticket)?;
                    }
                }
                Ok(())
            })?;
            for _ in 0..EPOCHS_LEFT {
                run.ask(init.clone())?;
                sees_state(run, &Producer::named(&id))?;
            }
            Ok(())
        })
        .versions(5..=5),
    ]
}

/// How many epochs are used up unseen, in how many requests at once, and how many more are looked at: the last one that
/// clients get is 32766.
const EPOCHS: usize = 32_764;
const AT_ONCE: usize = 4;
const EPOCHS_LEFT: usize = 6;
