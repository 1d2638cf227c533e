//! The producer from its outside: files to events, and events to a broker.

mod feeds;
mod tables;
mod to_kafka;
