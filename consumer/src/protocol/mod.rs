//! The protocol, as decisions: what a sink does next, given what it was told. Pure: nothing here waits, asks or writes.
//!
//! - [`Writing`] takes a batch from its claim to the commit of its offsets.
//! - [`TakingUp`] finds the place at which a partition goes on, and finishes what its last claim left unfinished.
//!
//! Both say one step at a time and are told how it went. [`crate::writer`] and [`crate::recover`] carry the steps out
//! against a store and Kafka; the model beside this file carries them out against a world in memory, in which several sinks
//! are stopped, woken and killed between any two steps and answers are lost, and looks at the invariant after each.
//!
//! What carries steps out may repeat any step whose answer was lost. It never leaves one out.

mod taking_up;
mod writing;

#[cfg(test)]
mod model;

pub(crate) use taking_up::{From, Heard, Place, Progress, TakeUp, TakingUp, note, progress_of};
pub(crate) use writing::{Answer, Next, Writing};
