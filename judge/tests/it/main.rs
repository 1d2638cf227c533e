//! Apache Kafka beside ours. Where it cannot be started (no Java, no jars) these tests are ignored, and each says what
//! is missing.

mod harness;
mod requests;
mod streams;
