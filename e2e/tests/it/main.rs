//! The whole system, as its users meet it: the binary's subcommands over real sockets and real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics is a test that fails"
)]

mod apache_tools;
mod athena;
mod aws_chain;
mod bad_input;
mod bench;
mod demo;
mod dump_log;
mod glue;
mod help;
mod log;
mod moto;
mod pipeline;
mod rooms;
mod secured;
mod servers;
mod sinks_catalog;
mod support;
mod swap;
