//! Changes over between the protocols, case by case.

use super::super::world::CrashPoint;
use super::{Action, Cast, EACH, PARTITIONS};
use crate::coordinator::group::GroupConfig;
use crate::coordinator::group::classic::State;

/// Everybody steps until nothing has changed for a while.
fn rest(cast: &mut Cast) {
    for _ in 0..30 {
        (0..2 * EACH).for_each(|who| cast.step(who));
    }
}

#[test]
fn members_change_over_one_by_one_and_back() {
    for cooperative in [false, true] {
        let mut cast = Cast::new(GroupConfig::default(), cooperative);
        for who in EACH..EACH + 3 {
            cast.start(who);
        }
        rest(&mut cast);
        assert_eq!((cast.was_classic, cast.upgrades), (Some(true), 0));
        for who in 0..3 {
            cast.leave(EACH + who);
            cast.start(who);
            rest(&mut cast);
            cast.check_calm();
        }
        assert_eq!((cast.was_classic, cast.upgrades, cast.downgrades), (Some(false), 1, 0));
        for who in 0..3 {
            cast.start(EACH + who);
            rest(&mut cast);
            cast.leave(who);
            rest(&mut cast);
            cast.check_calm();
        }
        assert_eq!((cast.was_classic, cast.upgrades, cast.downgrades), (Some(true), 1, 1));
    }
}

#[test]
fn a_classic_member_that_does_not_join_again_in_time_is_out() {
    let mut cast = Cast::new(GroupConfig::default(), false);
    cast.start(EACH);
    rest(&mut cast);
    cast.start(0);
    cast.step(0);
    // It sends heartbeats, which tell it to join again, and does not.
    let classic = cast.classics[0].clone();
    for _ in 0..5 {
        cast.classics[0] = classic.clone();
        cast.step(EACH);
        cast.world.advance(5_000);
        cast.step(0);
    }
    assert_eq!(
        cast.world.group.consumer.as_ref().map(|group| group.members.len()),
        Some(1)
    );
    cast.step(0);
    assert_eq!(cast.consumers[0].owned.values().flatten().count(), PARTITIONS as usize);
}

#[test]
fn the_rebalance_of_a_downgrade_survives_the_broker() {
    // The classic member waits for partitions of the consumer's, and knows it or not, when the consumer leaves.
    for steps in 2..4 {
        for cooperative in [false, true] {
            for crash in [CrashPoint::Untold, CrashPoint::Lost] {
                let mut cast = Cast::new(GroupConfig::default(), cooperative);
                cast.act(&Action::Start(0));
                cast.act(&Action::Start(EACH));
                (0..steps).for_each(|_| cast.act(&Action::StepAll));
                cast.act(&Action::CrashIn(crash));
                cast.act(&Action::Leave(0));
                let classic = cast.world.group.membership.clone();
                let owes = classic.is_some_and(|classic| classic.state == State::PreparingRebalance);
                assert_eq!(
                    owes,
                    crash == CrashPoint::Untold,
                    "lost with the change, and kept with it"
                );
                // Once more before anybody has joined.
                cast.act(&Action::Crash);
                cast.calm_down();
                cast.check_calm();
                assert_eq!(cast.downgrades, 1);
                assert_eq!(cast.classics[0].owned.len(), PARTITIONS as usize);
            }
        }
    }
}
