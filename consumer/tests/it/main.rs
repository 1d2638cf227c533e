//! The whole sink over real sockets: an embedded broker, an embedded S3 server, and what is in the bucket
//! afterwards compared with what was produced.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic for it")]

mod faults;
mod gaps;
mod mistakes;
mod moving;
mod patience;
mod process;
mod proxy;
mod sharing;
mod support;
mod writing;
