//! The broker from outside: over its wire format, and over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod cleaner;
mod clients;
mod compaction_memory;
mod configs;
#[path = "../../../durable/tests/cut/mod.rs"]
mod cut;
mod docs;
mod fetching;
mod full_disk;
mod groups;
mod groups_next;
mod groups_wire;
mod histories;
mod hostile;
mod internal_topics;
mod kills;
mod model;
mod one_node;
mod power;
mod quotas_credentials;
mod rebuild;
mod robustness;
mod robustness_batches;
mod server;
mod support;
mod transactions;
mod transactions_kills;
mod transactions_wire;
mod validator;
mod wire;
mod wire_answers;

#[global_allocator]
static ALLOCATOR: support::alloc::Counting = support::alloc::Counting;
