//! InitProducerId (22).

use serde_json::{Value, json};

use crate::both::{Side, error_of, until};
use crate::run::{Case, ask, case};

fn request(transactional_id: Value, timeout_ms: i32) -> Value {
    json!({ "TransactionalId": transactional_id, "TransactionTimeoutMs": timeout_ms })
}

fn again(producer_id: i64, epoch: i16) -> Value {
    json!({ "TransactionalId": null, "TransactionTimeoutMs": 60_000, "ProducerId": producer_id, "ProducerEpoch": epoch })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("an idempotent producer", |run| {
            // Apache Kafka first asks its controller for a block of ids.
            run.once("producer ids", |both| {
                let request = request(Value::Null, 60_000);
                let client = both.client(Side::Theirs);
                until(client, "InitProducerId", 4, &request, |answer| {
                    error_of(answer).is_none()
                })
                .map(drop)
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
