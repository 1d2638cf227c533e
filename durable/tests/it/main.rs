//! sled's files after the loss of power, and the model of it that these tests and others stand on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../cut/mod.rs"]
mod cut;
mod model;
mod sled_files;
