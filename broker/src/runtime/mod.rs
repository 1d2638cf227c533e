//! What carries out decisions: stores records, holds timers and parked requests, answers them.
//!
//! The coordinators decide and never act; the runtime acts and never decides.

pub mod groups;
