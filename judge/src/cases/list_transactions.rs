//! ListTransactions (66): of transactions the case's own, as both have those of every other case too.

use serde_json::{Value, json};

use super::transactions::{Protocol, coordinated, end, opened, producer};
use crate::both::Side;
use crate::run::{Case, Outcome, Run, case};

/// A filter that no transaction passes.
fn of_nobody(name: &'static str, filter: Value) -> Case {
    case(name, move |run| {
        coordinated(run)?;
        run.ask(filter.clone()).map(drop)
    })
}

/// A filter over producers in several states.
fn listed(name: &'static str, filter: Value) -> Case {
    case(name, move |run| listing(run, &filter))
}

fn listing(run: &mut Run<'_>, filter: &Value) -> Outcome {
    let mut ids = vec![producer(run)?.id];
    for protocol in [Protocol::One, Protocol::Two] {
        for commit in [Some(true), Some(false), None] {
            let (mut producer, _) = opened(run, protocol)?;
            if let Some(commit) = commit {
                end(run, protocol, &mut producer, commit)?;
            }
            ids.push(producer.id);
        }
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    run.ask_own(filter, "TransactionStates", "TransactionalId", &ids)
        .map(drop)
}

pub(super) fn cases() -> Vec<Case> {
    const NOBODY: i64 = 987_654_321;
    vec![
        of_nobody(
            "states that there are not",
            json!({ "StateFilters": ["Asleep", "ongoing", "Asleep", ""] }),
        ),
        of_nobody(
            "each state, of nobody",
            json!({
                "StateFilters": [
                    "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort",
                    "PrepareEpochFence", "Dead",
                ],
                "ProducerIdFilters": [NOBODY],
            }),
        ),
        of_nobody(
            "a state and one that there is not, of nobody",
            json!({ "StateFilters": ["Dead", "Alive"], "ProducerIdFilters": [NOBODY] }),
        ),
        of_nobody("an id of nobody's", json!({ "ProducerIdFilters": [NOBODY, -1] })),
        of_nobody(
            "for longer than can be",
            json!({ "DurationFilter": i64::MAX, "ProducerIdFilters": [NOBODY] }),
        ),
        of_nobody(
            "a duration below -1",
            json!({ "DurationFilter": -2, "ProducerIdFilters": [NOBODY] }),
        ),
        of_nobody(
            "a pattern of nobody's",
            json!({ "TransactionalIdPattern": "nobody-.*" }),
        ),
        of_nobody(
            "an empty pattern, of nobody",
            json!({ "TransactionalIdPattern": "", "ProducerIdFilters": [NOBODY] }),
        ),
        of_nobody("a pattern that is none", json!({ "TransactionalIdPattern": "(nobody" })),
        of_nobody("another pattern that is none", json!({ "TransactionalIdPattern": "*" })),
        of_nobody(
            "a pattern that is none and a state that there is not",
            json!({ "TransactionalIdPattern": "[", "StateFilters": ["Asleep"] }),
        ),
        listed("everything", json!({})),
        listed("one state", json!({ "StateFilters": ["Ongoing"] })),
        listed(
            "several states",
            json!({ "StateFilters": ["CompleteCommit", "Empty", "Dead"] }),
        ),
        listed("no time", json!({ "DurationFilter": 0 })),
        listed("an hour", json!({ "DurationFilter": 3_600_000 })),
        listed("below zero", json!({ "DurationFilter": -7 })),
        listed(
            "a pattern of all",
            json!({ "TransactionalIdPattern": "transactional-\\d+" }),
        ),
        listed("a pattern of a part", json!({ "TransactionalIdPattern": "actional" })),
        case("a producer's id", |run| {
            let (one, _) = opened(run, Protocol::Two)?;
            let two = producer(run)?;
            run.ask_each(|side: Side| json!({ "ProducerIdFilters": [two.producer_id(side), one.producer_id(side)] }))?;
            run.ask_each(|side| {
                json!({ "ProducerIdFilters": [two.producer_id(side), one.producer_id(side)], "StateFilters": ["Ongoing"] })
            })
            .map(drop)
        }),
    ]
}
