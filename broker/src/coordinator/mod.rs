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
