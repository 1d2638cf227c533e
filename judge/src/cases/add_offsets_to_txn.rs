//! AddOffsetsToTxn (25).

use super::group::group;
use super::transactions::{
    Producer, Protocol, adding_offsets, begun_anew, coordinated, end, opened, producer, sees_state,
};
use crate::run::{Case, Outcome, Run, case};

fn ask(run: &mut Run<'_>, producer: &Producer, group: &str) -> Outcome {
    run.ask_each(|side| adding_offsets(producer, side, group))?;
    sees_state(run, producer)
}

/// One request in the name of somebody else, and what there is of the producer then.
fn as_other(name: &'static str, other: impl Fn(&Producer) -> Producer + 'static) -> Case {
    case(name, move |run| {
        let (group, producer) = (group(run)?, producer(run)?);
        ask(run, &other(&producer), &group)?;
        sees_state(run, &producer)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        // A group that nobody has: its name, and so its partition, is the same on both.
        case("a group's offsets", |run| {
            let (group, producer) = (group(run)?, producer(run)?);
            ask(run, &producer, &group)
        }),
        case("two groups' offsets, and one again", |run| {
            let (one, two, producer) = (group(run)?, group(run)?, producer(run)?);
            for group in [&one, &two, &one] {
                ask(run, &producer, group)?;
            }
            Ok(())
        }),
        case("beside partitions", |run| {
            let (producer, _) = opened(run, Protocol::One)?;
            let group = group(run)?;
            ask(run, &producer, &group)
        }),
        case("in a next transaction", |run| {
            let (mut producer, _) = opened(run, Protocol::One)?;
            let group = group(run)?;
            end(run, Protocol::One, &mut producer, true)?;
            ask(run, &producer, &group)
        }),
        case("an empty group", |run| {
            let producer = producer(run)?;
            ask(run, &producer, "")
        }),
        as_other("an unknown transactional id", |producer| producer.called("nobody")),
        as_other("an empty transactional id", |producer| producer.called("")),
        as_other("another producer's id", Producer::stranger),
        as_other("an epoch before", |producer| producer.at(-1)),
        as_other("an epoch to come", |producer| producer.at(1)),
        case("a producer that is fenced", |run| {
            coordinated(run)?;
            let (group, fenced) = (group(run)?, producer(run)?);
            begun_anew(run, &fenced.id, 60_000)?;
            ask(run, &fenced, &group)
        }),
    ]
}
