//! The producer from its outside: files to events, and events to a broker.

#![allow(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod feeds;
mod reader;
mod tables;
mod to_broker;
mod to_kafka;
