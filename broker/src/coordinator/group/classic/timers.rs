//! What happens to a group when nobody asks: sessions and phases time out, and a restart finds members again.

use kafka_protocol::protocol::StrBytes;

use super::{ClassicGroup, Draft, State};
use crate::coordinator::group::consumer::{self, TopicsView};
use crate::coordinator::group::{Group, GroupConfig, Outcome, Timer};

/// Decides on a timer that has gone off.
pub fn expire(group: &Group, config: &GroupConfig, now_ms: i64, timer: &Timer, topics: &dyn TopicsView) -> Outcome<()> {
    if let Some(consumer) = &group.consumer {
        return consumer::expire(consumer, config, now_ms, timer, topics);
    }
    let Some(classic) = &group.membership else {
        return Outcome::reply(());
    };
    match timer {
        Timer::Revocation(_) | Timer::MemberJoin(_) | Timer::MemberSync(_) => Outcome::reply(()),
        Timer::Session(member_id) => expire_session(classic, config, now_ms, member_id),
        Timer::Join => expire_join(classic, config, now_ms),
        Timer::Sync => expire_sync(classic, config, now_ms),
    }
}

fn expire_session(classic: &ClassicGroup, config: &GroupConfig, now_ms: i64, member_id: &StrBytes) -> Outcome<()> {
    let pending = classic.pending_joins.contains(member_id);
    let gone = classic
        .members
        .get(member_id)
        .is_some_and(|member| !member.satisfies_heartbeat());
    if !pending && !gone {
        return Outcome::reply(());
    }
    let mut draft = Draft::new(classic, config, now_ms);
    draft.refuse_join(member_id);
    draft.remove_member(member_id);
    match draft.group.state {
        State::Stable | State::CompletingRebalance if gone => draft.prepare_rebalance_or_complete_join(),
        State::PreparingRebalance if draft.group.all_members_joined() => draft.complete_join(),
        State::Empty | State::PreparingRebalance | State::CompletingRebalance | State::Stable => {}
    }
    draft.finish(())
}

fn expire_join(classic: &ClassicGroup, config: &GroupConfig, now_ms: i64) -> Outcome<()> {
    if classic.state != State::PreparingRebalance {
        return Outcome::reply(());
    }
    let mut draft = Draft::new(classic, config, now_ms);
    match classic.initial_join {
        Some(initial) => draft.prolong_initial_join(initial),
        None => draft.complete_join(),
    }
    draft.finish(())
}

/// Removes the members of this generation that have not sent their SyncGroup in time.
fn expire_sync(classic: &ClassicGroup, config: &GroupConfig, now_ms: i64) -> Outcome<()> {
    let in_generation = matches!(classic.state, State::CompletingRebalance | State::Stable);
    if !in_generation || classic.pending_syncs.is_empty() {
        return Outcome::reply(());
    }
    let mut draft = Draft::new(classic, config, now_ms);
    for member_id in &classic.pending_syncs {
        draft.remove_member(member_id);
        draft.cancel(Timer::Session(member_id.clone()));
    }
    draft.prepare_rebalance();
    draft.finish(())
}

/// Decides what to do with a group that was read from the store: each member has one session time-out to show up.
/// A rebalance that was owed, which Apache Kafka forgets, begins anew. A group that is over `group.max.size` by now
/// rebalances, which gives its members a chance to commit first.
pub fn recover(group: &Group, config: &GroupConfig, now_ms: i64) -> Outcome<()> {
    if let Some(consumer) = &group.consumer {
        return consumer::recover(consumer, config);
    }
    let Some(classic) = group.membership.as_ref().filter(|classic| !classic.members.is_empty()) else {
        return Outcome::reply(());
    };
    let mut draft = Draft::new(classic, config, now_ms);
    for member_id in classic.members.keys() {
        draft.renew_session(member_id);
    }
    if classic.state == State::PreparingRebalance || classic.members.len() > config.max_size {
        draft.prepare_rebalance();
    }
    draft.finish(())
}
