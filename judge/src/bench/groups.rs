//! How long a classic group of several members takes to agree, each member over a connection of its own.
//!
//! Members do what clients do, without a client's pauses: they join, the leader gives the assignment, all sync, and a
//! heartbeat every few milliseconds tells them of the next rebalance, where clients ask every three seconds.

use std::collections::HashMap;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use super::raw::{PATIENCE, ask, coordinator, when_loaded};
use crate::client::Client;

/// Members of the large group.
const MANY: usize = 100;
/// How often two members rebalance.
const REBALANCES: usize = 20;
/// Between two heartbeats of a member of the large group.
const HEARTBEAT: Duration = Duration::from_millis(20);
/// Between two heartbeats of one of two members.
const HEARTBEAT_OF_TWO: Duration = Duration::from_millis(1);

const REBALANCE_IN_PROGRESS: i64 = 27;
const MEMBER_ID_REQUIRED: i64 = 79;

struct Member {
    client: Client,
    group: String,
    id: Value,
    generation: Value,
}

impl Member {
    fn new(address: &str, group: &str) -> anyhow::Result<Member> {
        Ok(Member {
            client: coordinator(address, group, 0)?,
            group: group.to_owned(),
            id: json!(""),
            generation: json!(-1),
        })
    }

    /// Joins and syncs until it has the assignment of a generation, which is returned.
    fn settle(&mut self) -> anyhow::Result<i64> {
        let until = Instant::now() + PATIENCE;
        loop {
            ensure!(Instant::now() < until, "the group {} does not settle", self.group);
            let request = json!({
                "GroupId": self.group, "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 30_000, "MemberId": self.id,
                "ProtocolType": "consumer", "Protocols": [{ "Name": "range", "Metadata": "00" }],
            });
            let (joined, _) = when_loaded(&mut self.client, "JoinGroup", 7, &request)?;
            match joined["ErrorCode"].as_i64() {
                Some(0) => {}
                Some(MEMBER_ID_REQUIRED) => {
                    self.id = joined["MemberId"].clone();
                    continue;
                }
                Some(REBALANCE_IN_PROGRESS) => continue,
                _ => bail!("JoinGroup: {joined}"),
            }
            self.generation = joined["GenerationId"].clone();
            let members = joined["Members"].as_array().into_iter().flatten();
            let assignments: Vec<Value> = members
                .map(|member| json!({ "MemberId": member["MemberId"], "Assignment": "00" }))
                .collect();
            let request = json!({
                "GroupId": self.group, "GenerationId": self.generation, "MemberId": self.id,
                "ProtocolType": "consumer", "ProtocolName": "range", "Assignments": assignments,
            });
            let synced = ask(&mut self.client, "SyncGroup", 5, &request)?;
            match synced["ErrorCode"].as_i64() {
                Some(0) => return Ok(self.generation.as_i64().unwrap_or(-1)),
                Some(REBALANCE_IN_PROGRESS) => {}
                _ => bail!("SyncGroup: {synced}"),
            }
        }
    }

    /// Whether it has to join again.
    fn has_to_join(&mut self) -> anyhow::Result<bool> {
        let request = json!({ "GroupId": self.group, "GenerationId": self.generation, "MemberId": self.id });
        let answer = ask(&mut self.client, "Heartbeat", 4, &request)?;
        match answer["ErrorCode"].as_i64() {
            Some(0) => Ok(false),
            Some(REBALANCE_IN_PROGRESS) => Ok(true),
            _ => bail!("Heartbeat: {answer}"),
        }
    }

    fn leave(mut self) -> anyhow::Result<()> {
        let left = json!({ "GroupId": self.group, "Members": [{ "MemberId": self.id }] });
        ask(&mut self.client, "LeaveGroup", 4, &left).map(drop)
    }
}

/// Who has the assignment of which generation, and when the last of `members` got that of the same one.
struct Settled {
    members: usize,
    by_generation: HashMap<i64, usize>,
    at: Option<Instant>,
    failed: bool,
}

impl Settled {
    fn of(members: usize) -> Mutex<Settled> {
        Mutex::new(Settled {
            members,
            by_generation: HashMap::new(),
            at: None,
            failed: false,
        })
    }

    fn note(&mut self, generation: i64) {
        let count = self.by_generation.entry(generation).or_default();
        *count += 1;
        if *count == self.members {
            self.at = Some(Instant::now());
        }
    }
}

/// Takes part until all have settled in one generation.
fn take_part(member: &mut Member, settled: &Mutex<Settled>, pause: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let locked = || settled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    loop {
        let generation = member.settle()?;
        locked().note(generation);
        loop {
            {
                let settled = locked();
                ensure!(!settled.failed, "another member failed");
                ensure!(Instant::now() < until, "the group {} does not settle", member.group);
                if settled.at.is_some() {
                    return Ok(());
                }
            }
            if member.has_to_join()? {
                break;
            }
            thread::sleep(pause);
        }
    }
}

/// Takes part with each member on a thread of its own; how long that took from the moment at which all began.
fn all_take_part(members: &mut [Member], pause: Duration) -> anyhow::Result<Duration> {
    let settled = Settled::of(members.len());
    let begin = Barrier::new(members.len() + 1);
    let mut began = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = members
            .iter_mut()
            .map(|member| {
                let (begin, settled) = (&begin, &settled);
                scope.spawn(move || {
                    begin.wait();
                    let result = take_part(member, settled, pause);
                    if result.is_err() {
                        settled.lock().unwrap_or_else(std::sync::PoisonError::into_inner).failed = true;
                    }
                    result
                })
            })
            .collect();
        began = Instant::now();
        begin.wait();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => bail!("a member panicked"),
        })
    })?;
    let settled = settled.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    match settled.at {
        Some(at) => Ok(at - began),
        None => bail!("the group has not settled"),
    }
}

/// From the first JoinGroup of a hundred members at a time until all have the assignment of one generation.
pub(super) fn join_many(address: &str, group: &str) -> anyhow::Result<Duration> {
    let mut members = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        members.push(Member::new(address, group)?);
    }
    let taken = all_take_part(&mut members, HEARTBEAT)?;
    members.into_iter().try_for_each(Member::leave)?;
    Ok(taken)
}

/// Milliseconds that several rebalances took: from the JoinGroup of a second member until both have their assignments.
pub(super) fn rebalances(address: &str, group: &str) -> anyhow::Result<Vec<f64>> {
    let mut taken = Vec::new();
    let mut first = Member::new(address, group)?;
    first.settle()?;
    for _ in 0..REBALANCES {
        let mut second = Member::new(address, group)?;
        let settled = Settled::of(2);
        let began = Instant::now();
        thread::scope(|scope| {
            let other = scope.spawn(|| take_part(&mut second, &settled, HEARTBEAT_OF_TWO));
            while !first.has_to_join()? {
                ensure!(began.elapsed() < PATIENCE, "nobody is told to join again");
                thread::sleep(HEARTBEAT_OF_TWO);
            }
            take_part(&mut first, &settled, HEARTBEAT_OF_TWO)?;
            match other.join() {
                Ok(result) => result,
                Err(_) => bail!("a member panicked"),
            }
        })?;
        let settled = settled.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = settled.at.unwrap_or(began);
        taken.push((at - began).as_secs_f64() * 1e3);
        second.leave()?;
        while !first.has_to_join()? {
            thread::sleep(HEARTBEAT_OF_TWO);
        }
        first.settle()?;
    }
    first.leave()?;
    Ok(taken)
}
