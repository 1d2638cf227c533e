//! EndTxn (26).

use super::group::group;
use super::transactions::{
    Producer, Protocol, add, begun_anew, commit_offset, end, ending, opened, over, produce, producer, sees, sees_log,
    sees_offsets, sees_state,
};
use crate::run::{Case, Outcome, Run, case};

/// The protocol of the clients that send this version.
fn protocol(run: &Run<'_>) -> Protocol {
    if run.version() < 5 {
        Protocol::One
    } else {
        Protocol::Two
    }
}

/// Asks, and compares what can be seen once it is over.
fn ask(run: &mut Run<'_>, producer: &Producer, commit: bool) -> Outcome {
    run.ask_each(|side| ending(producer, side, commit))?;
    over(run, producer)?;
    sees_state(run, producer)
}

/// One request in the name of somebody else about an open transaction.
fn as_other(name: &'static str, other: impl Fn(&Producer) -> Producer + 'static) -> Case {
    case(name, move |run| {
        let (producer, topic) = opened(run, protocol(run))?;
        let other = other(&producer);
        run.ask_each(|side| ending(&other, side, true))?;
        sees(run, &producer, &topic)
    })
}

fn ends(name: &'static str, commit: bool) -> Case {
    case(name, move |run| {
        let (producer, topic) = opened(run, protocol(run))?;
        ask(run, &producer, commit)?;
        sees_log(run, &topic)
    })
}

/// Of a producer that has begun nothing.
fn of_nothing(name: &'static str, commit: bool) -> Case {
    case(name, move |run| {
        let producer = producer(run)?;
        ask(run, &producer, commit)
    })
}

/// An end after an end, by the epoch that the first began or by the one before.
fn after(name: &'static str, first: bool, then: bool, epochs_back: i64) -> Case {
    case(name, move |run| {
        let protocol = protocol(run);
        let (mut producer, topic) = opened(run, protocol)?;
        end(run, protocol, &mut producer, first)?;
        let by = if protocol == Protocol::Two {
            producer.at(-epochs_back)
        } else {
            producer
        };
        ask(run, &by, then)?;
        sees_log(run, &topic)
    })
}

pub(super) fn cases() -> Vec<Case> {
    [good(), again(), producers()].into_iter().flatten().collect()
}

fn good() -> Vec<Case> {
    vec![
        ends("a commit", true),
        ends("an abort", false),
        of_nothing("a commit of nothing", true),
        of_nothing("an abort of nothing", false),
        case("a commit of a partition without records", |run| {
            let (producer, topic) = (producer(run)?, run.topic(1)?);
            add(run, &producer, &topic, &[0])?;
            ask(run, &producer, true)?;
            sees_log(run, &topic)
        }),
        case("an abort of a partition without records", |run| {
            let (producer, topic) = (producer(run)?, run.topic(1)?);
            add(run, &producer, &topic, &[0])?;
            ask(run, &producer, false)?;
            sees_log(run, &topic)
        }),
        case("transactions one after the other", |run| {
            let protocol = protocol(run);
            let (mut producer, topic) = opened(run, protocol)?;
            let mut sequence = 2;
            for commit in [false, true, true, false] {
                end(run, protocol, &mut producer, commit)?;
                if protocol == Protocol::One {
                    add(run, &producer, &topic, &[0])?;
                } else {
                    sequence = 0;
                }
                produce(run, protocol, &producer, &topic, sequence)?;
                sees(run, &producer, &topic)?;
                sequence += 2;
            }
            ask(run, &producer, true)?;
            sees_log(run, &topic)
        }),
        case("offsets", |run| {
            let protocol = protocol(run);
            let (mut producer, topic) = opened(run, protocol)?;
            let group = group(run)?;
            for commit in [false, true] {
                commit_offset(run, protocol, &producer, &group, &topic)?;
                sees_offsets(run, &group, &topic)?;
                end(run, protocol, &mut producer, commit)?;
                sees_offsets(run, &group, &topic)?;
            }
            sees_log(run, &topic)
        }),
    ]
}

fn again() -> Vec<Case> {
    vec![
        after("a commit again", true, true, 1),
        after("an abort again", false, false, 1),
        after("an abort after a commit", true, false, 1),
        after("a commit after an abort", false, true, 1),
        after("a commit of nothing after a commit", true, true, 0),
        after("an abort of nothing after a commit", true, false, 0),
        after("a commit of nothing after an abort", false, true, 0),
        after("an abort of nothing after an abort", false, false, 0),
    ]
}

fn producers() -> Vec<Case> {
    vec![
        as_other("an unknown transactional id", |producer| producer.called("nobody")),
        as_other("an empty transactional id", |producer| producer.called("")),
        as_other("another producer's id", Producer::stranger),
        as_other("an epoch before", |producer| producer.at(-1)),
        as_other("an epoch to come", |producer| producer.at(1)),
        as_other("two epochs on", |producer| producer.at(2)),
        case("a producer that is fenced", |run| {
            let fenced = producer(run)?;
            begun_anew(run, &fenced.id, 60_000)?;
            for commit in [true, false] {
                ask(run, &fenced, commit)?;
            }
            Ok(())
        }),
        case("a producer that is fenced within its transaction", |run| {
            let (fenced, topic) = opened(run, protocol(run))?;
            begun_anew(run, &fenced.id, 60_000)?;
            for commit in [true, false] {
                ask(run, &fenced, commit)?;
            }
            sees_log(run, &topic)
        }),
    ]
}
