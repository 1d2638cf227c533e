//! The S3 server and the catalog it serves, over real sockets, by the clients that people use.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails in a test's helper fails the test"
)]

mod answers;
mod athena;
mod catalog;
mod crawl;
#[path = "../../../durable/tests/cut/mod.rs"]
mod cut;
mod glue;
mod glue_crawler;
mod kept;
mod lake;
mod registered;
mod s3;
mod scripted;
mod sql;
