//! DescribeTransactions (65).

use serde_json::{Value, json};

use super::group::group;
use super::transactions::{
    Protocol, add, begun_anew, commit_offset, coordinated, end, opened, producer, producer_with, sees_state,
};
use crate::run::{Case, case};

fn of(name: &'static str, ids: Value) -> Case {
    case(name, move |run| {
        coordinated(run)?;
        run.ask(json!({ "TransactionalIds": ids })).map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        of("nothing", json!([])),
        of("an unknown id", json!(["nobody"])),
        of("an empty id", json!([""])),
        of("several ids", json!(["nobody", "", "no one"])),
        of("an id twice", json!(["nobody", "nobody"])),
        case("a producer without a transaction", |run| {
            let producer = producer_with(run, 12_345)?;
            sees_state(run, &producer)?;
            begun_anew(run, &producer.id, 54_321)?;
            sees_state(run, &producer)
        }),
        case("open and over", |run| {
            for protocol in [Protocol::One, Protocol::Two] {
                for commit in [true, false] {
                    let (mut producer, _) = opened(run, protocol)?;
                    sees_state(run, &producer)?;
                    end(run, protocol, &mut producer, commit)?;
                    sees_state(run, &producer)?;
                }
            }
            Ok(())
        }),
        case("partitions of several topics and offsets", |run| {
            let (producer, one) = opened(run, Protocol::One)?;
            let (two, group) = (run.topic(3)?, group(run)?);
            add(run, &producer, &two, &[2, 0])?;
            commit_offset(run, Protocol::One, &producer, &group, &one)?;
            sees_state(run, &producer)
        }),
        case("several producers", |run| {
            let (one, _) = opened(run, Protocol::Two)?;
            let two = producer(run)?;
            run.ask(json!({ "TransactionalIds": [two.id, "nobody", one.id, two.id] }))
                .map(drop)
        }),
    ]
}
