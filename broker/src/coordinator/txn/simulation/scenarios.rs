//! The tables of KIP-890 and KIP-360, line by line.

use super::super::{
    Caller, EndCommand, Ended, InitCommand, State, Transaction, TxnError, Version, abort_timed_out, add, end,
    forget_idle, init,
};
use super::world::{Told, World, partition};

fn initialize(world: &mut World, expected: Option<(i64, i16)>) -> Result<(i64, i16), TxnError> {
    let told = world.run(|state, config, now_ms, new_producer_id| {
        let command = InitCommand {
            timeout_ms: 10_000,
            expected,
            new_producer_id,
        };
        init(state, config, now_ms, &command)
    });
    reply(told)
}

fn add_one(world: &mut World, producer_id: i64, producer_epoch: i16) -> Result<(), TxnError> {
    let caller = Caller {
        producer_id,
        producer_epoch,
    };
    reply(world.run(|state, _, now_ms, _| Ok(add(state, now_ms, caller, Version::V2, &partition(0)))))
}

fn finish(
    world: &mut World,
    version: Version,
    (producer_id, producer_epoch): (i64, i16),
    commit: bool,
) -> Result<(i64, i16), TxnError> {
    let told = world.run(|state, _, now_ms, new_producer_id| {
        let command = EndCommand {
            caller: Caller {
                producer_id,
                producer_epoch,
            },
            commit,
            version,
            new_producer_id,
        };
        end(state, now_ms, &command)
    });
    reply(told).map(|ended: Ended| (ended.producer_id, ended.producer_epoch))
}

fn reply<R>(told: Told<R>) -> R {
    match told {
        Told::Reply(reply) => reply,
        Told::Nothing => panic!("there is no trouble here"),
    }
}

fn time_out(world: &mut World) -> bool {
    reply(world.run(|state, _, now_ms, new_producer_id| abort_timed_out(state, now_ms, new_producer_id)))
}

fn live(world: &World) -> &Transaction {
    world.live.as_ref().unwrap()
}

#[test]
fn an_end_of_version_2_raises_the_epoch_and_knows_its_retry() {
    let mut world = World::new();
    assert_eq!(initialize(&mut world, None), Ok((0, 0)));
    let v2 = |world: &mut World, epoch, commit| finish(world, Version::V2, (0, epoch), commit);
    // Nothing has begun: an abort is taken all the same, a commit is not.
    assert_eq!(v2(&mut world, 0, true), Err(TxnError::InvalidState));
    assert_eq!(v2(&mut world, 0, false), Ok((0, 1)));
    assert_eq!(live(&world).state, State::CompleteAbort);
    assert_eq!(v2(&mut world, 0, false), Ok((0, 1)), "the retry");
    assert_eq!(
        v2(&mut world, 0, true),
        Err(TxnError::InvalidState),
        "another retry than was sent"
    );
    assert_eq!(v2(&mut world, 1, true), Err(TxnError::InvalidState));
    assert_eq!(
        v2(&mut world, 1, false),
        Ok((0, 2)),
        "an abort of the next, which has not begun"
    );
    assert_eq!(add_one(&mut world, 0, 1), Err(TxnError::ProducerFenced));
    assert_eq!(add_one(&mut world, 0, 2), Ok(()));
    assert_eq!(
        v2(&mut world, 1, false),
        Err(TxnError::ProducerFenced),
        "no retry once the next has begun"
    );
    assert_eq!(v2(&mut world, 2, true), Ok((0, 3)));
    assert_eq!(live(&world).state, State::CompleteCommit);
    assert_eq!(v2(&mut world, 2, true), Ok((0, 3)), "the retry");
    assert_eq!(v2(&mut world, 2, false), Err(TxnError::InvalidState));
    assert_eq!(v2(&mut world, 4, true), Err(TxnError::ProducerFenced));
    assert_eq!(
        finish(&mut world, Version::V2, (9, 3), true),
        Err(TxnError::InvalidProducerIdMapping)
    );
}

#[test]
fn an_end_of_version_1_keeps_the_epoch() {
    let mut world = World::new();
    let v1 = |world: &mut World, epoch, commit| finish(world, Version::V1, (0, epoch), commit);
    assert_eq!(
        v1(&mut world, 0, true),
        Err(TxnError::InvalidProducerIdMapping),
        "not known"
    );
    assert_eq!(initialize(&mut world, None), Ok((0, 0)));
    assert_eq!(
        v1(&mut world, 0, false),
        Err(TxnError::InvalidState),
        "nothing has begun"
    );
    for (commit, state) in [(true, State::CompleteCommit), (false, State::CompleteAbort)] {
        assert_eq!(add_one(&mut world, 0, 0), Ok(()));
        assert_eq!(v1(&mut world, 0, commit), Ok((-1, -1)));
        assert_eq!(v1(&mut world, 0, commit), Ok((-1, -1)), "the retry");
        assert_eq!(v1(&mut world, 0, !commit), Err(TxnError::InvalidState));
        assert_eq!(v1(&mut world, 1, commit), Err(TxnError::ProducerFenced));
        assert_eq!((live(&world).state, live(&world).producer_epoch), (state, 0));
    }
}

#[test]
fn a_producer_comes_back_with_its_epoch_unless_another_has_taken_over() {
    let mut world = World::new();
    assert_eq!(
        initialize(&mut world, Some((77, 3))),
        Ok((0, 0)),
        "what is forgotten starts anew"
    );
    assert_eq!(initialize(&mut world, Some((0, 0))), Ok((0, 1)));
    assert_eq!(initialize(&mut world, Some((0, 0))), Ok((0, 1)), "the retry");
    assert_eq!(initialize(&mut world, Some((1, 0))), Err(TxnError::ProducerFenced));
    assert_eq!(initialize(&mut world, None), Ok((0, 2)));
    assert_eq!(
        initialize(&mut world, Some((0, 1))),
        Err(TxnError::ProducerFenced),
        "taken over"
    );
    // What it left open is aborted first, and the producer comes again.
    assert_eq!(add_one(&mut world, 0, 2), Ok(()));
    assert_eq!(initialize(&mut world, None), Err(TxnError::Concurrent));
    assert_eq!(
        (live(&world).state, live(&world).producer_epoch),
        (State::CompleteAbort, 3)
    );
    assert_eq!(
        finish(&mut world, Version::V1, (0, 2), true),
        Err(TxnError::ProducerFenced)
    );
    assert_eq!(initialize(&mut world, None), Ok((0, 4)));
}

#[test]
fn used_up_epochs_give_another_producer_id() {
    let last = i16::MAX - 1;
    let mut world = World::with_epoch(last - 1);
    assert_eq!(initialize(&mut world, None), Ok((0, last)));
    assert_eq!(initialize(&mut world, Some((0, last))), Ok((1, 0)));
    assert_eq!(initialize(&mut world, Some((0, last))), Ok((1, 0)), "the retry");
    // By the end of a transaction.
    let mut world = World::with_epoch(last - 1);
    assert_eq!(initialize(&mut world, None), Ok((0, last)));
    assert_eq!(add_one(&mut world, 0, last), Ok(()));
    assert_eq!(finish(&mut world, Version::V2, (0, last), true), Ok((1, 0)));
    assert_eq!(
        finish(&mut world, Version::V2, (0, last), true),
        Ok((1, 0)),
        "the retry"
    );
    assert_eq!(add_one(&mut world, 1, 0), Ok(()));
    assert_eq!(
        finish(&mut world, Version::V2, (0, last), true),
        Err(TxnError::InvalidProducerIdMapping),
        "no retry once the next has begun"
    );
}

#[test]
fn a_producer_whose_epochs_are_used_up_is_fenced_by_another_producer_id() {
    let last = i16::MAX - 1;
    let fenced = || {
        let mut world = World::with_epoch(last);
        assert_eq!(add_one(&mut world, 0, last), Ok(()));
        world
    };
    // By its successor.
    let mut world = fenced();
    assert_eq!(initialize(&mut world, None), Err(TxnError::Concurrent));
    assert_eq!(
        (live(&world).producer_id, live(&world).producer_epoch),
        (1, 0),
        "the epoch above the last one is in the markers only"
    );
    assert_eq!(initialize(&mut world, None), Ok((1, 1)));
    let commit = finish(&mut world, Version::V1, (0, last), true);
    assert_eq!(commit, Err(TxnError::InvalidProducerIdMapping));
    assert_eq!(
        initialize(&mut world, Some((0, last))),
        Err(TxnError::ProducerFenced),
        "taken over"
    );
    // It comes back first, and can be fenced again.
    let mut world = fenced();
    assert_eq!(initialize(&mut world, None), Err(TxnError::Concurrent));
    assert_eq!(initialize(&mut world, Some((0, last))), Ok((1, 0)));
    assert_eq!(add_one(&mut world, 1, 0), Ok(()));
    assert_eq!(initialize(&mut world, None), Err(TxnError::Concurrent));
    assert_eq!(add_one(&mut world, 1, 0), Err(TxnError::ProducerFenced));
    // By a time-out, after which its own abort is told what it would have been.
    let mut world = fenced();
    world.now_ms += 60_001;
    assert!(time_out(&mut world));
    assert_eq!(finish(&mut world, Version::V2, (0, last), false), Ok((1, 0)));
    assert_eq!(add_one(&mut world, 1, 0), Ok(()));
    world.now_ms += 60_001;
    assert!(time_out(&mut world));
    assert_eq!(add_one(&mut world, 1, 0), Err(TxnError::ProducerFenced));
}

#[test]
fn time_outs_are_checked_and_kept() {
    let mut world = World::new();
    for timeout_ms in [0, -1, 900_001] {
        let told = world.run(|state, config, now_ms, new_producer_id| {
            let command = InitCommand {
                timeout_ms,
                expected: None,
                new_producer_id,
            };
            init(state, config, now_ms, &command)
        });
        assert_eq!(reply(told), Err(TxnError::InvalidTimeout));
    }
    assert!(world.live.is_none());
    assert_eq!(initialize(&mut world, None), Ok((0, 0)));
    assert_eq!(add_one(&mut world, 0, 0), Ok(()));
    world.now_ms += 10_000;
    assert!(!time_out(&mut world));
    world.now_ms += 1;
    assert!(time_out(&mut world));
    assert!(!time_out(&mut world), "once");
    assert_eq!(
        (live(&world).state, live(&world).producer_epoch),
        (State::CompleteAbort, 1)
    );
    // Idle for a week, and forgotten.
    let forget =
        |world: &mut World| reply(world.run(|state, config, now_ms, _| Ok(forget_idle(state, config, now_ms))));
    world.now_ms += 7 * 86_400_000 - 1;
    assert!(!forget(&mut world));
    world.now_ms += 1;
    assert!(forget(&mut world));
    assert!(world.live.is_none());
    assert_eq!(add_one(&mut world, 0, 1), Err(TxnError::InvalidProducerIdMapping));
}
