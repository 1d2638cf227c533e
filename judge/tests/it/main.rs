//! Apache Kafka beside ours. Where it cannot be started (no Java, no jars) these tests are ignored, and each says what
//! is missing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic for it")]

mod harness;
mod internal_topics;
mod requests;
mod streams;
