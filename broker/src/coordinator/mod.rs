//! Coordinators as pure functions.
//!
//! Each coordinator is a state, a family of `decide` functions and one `apply`:
//!
//! * `decide(&state, …, now_ms, command)` reads the state and answers with an outcome: what to reply, which records
//!   change the state, and which effects (parked requests to answer, timers to arm) go with them.
//! * `apply(&mut state, &record)` is the only thing that changes a state. Folding it over the records of all
//!   outcomes gives the live state; folding it over those that were stored gives the state after a restart.
//!
//! Nothing in here does I/O, reads a clock, draws a random number, spawns a task or knows an async runtime. The same
//! state, time and command always give the same outcome. `runtime` stores the records, applies them, and only then
//! lets the reply and the answers go.

pub mod group;
pub mod txn;

/// The partition of the coordinators' topic, of so many, to which a group or transactional id belongs: the absolute value of
/// Java's hash of the id, in which the smallest hash counts as 0.
pub fn partition_for(id: &str, partitions: i32) -> i32 {
    let hash = id
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

/// What a command comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<R, Record, Effect> {
    /// The reply.
    pub reply: R,
    /// Changes to store and apply, in order, before anything else.
    pub records: Vec<Record>,
    /// Effects to carry out, in order, after that.
    pub effects: Vec<Effect>,
}

impl<R, Record, Effect> Outcome<R, Record, Effect> {
    /// A reply that changes nothing.
    pub fn reply(reply: R) -> Self {
        Outcome {
            reply,
            records: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// The same outcome with another reply.
    pub fn map<S>(self, reply: impl FnOnce(R) -> S) -> Outcome<S, Record, Effect> {
        Outcome {
            reply: reply(self.reply),
            records: self.records,
            effects: self.effects,
        }
    }
}
