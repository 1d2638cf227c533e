//! What carries out decisions: stores records, holds timers, sessions and parked requests, answers them.
//!
//! The coordinators decide and never act; the runtime acts and never decides.

pub(crate) mod fetch_sessions;
pub mod groups;
pub mod housekeeping;
pub(crate) mod internal_topics;
pub(crate) mod parked;
pub(crate) mod txn;
