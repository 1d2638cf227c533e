//! The embedded S3 server: what Amazon S3 does, over a directory, for programs that speak to Amazon S3.
//! The same port serves the catalog as AWS Glue does ([`crate::glue`]).
//!
//! `s3s` reads requests, checks signatures (AWS Signature Version 4, also presigned and chunked) and writes
//! answers; the modules here are what is behind it:
//!
//! | module | |
//! |---|---|
//! | [`server`](Server), [`cli`] | the port, start and stop |
//! | `ops` | S3's operations, one file per kind |
//! | `store` | atomicity, conditions, locks: what a write is |
//! | `index` | what exists (sled) |
//! | `blobs` | the bytes (files) |
//! | `listing`, `condition`, `digest` | pages, preconditions, checksums |
//!
//! # Promises
//! - A write is whole or absent, also after `kill -9`; of conditional writes to one key exactly one wins; what a
//!   client was told stays true when the process is killed, and with `fsync` when the power is lost.
//! - Memory does not grow with the size of an object, nor the cost of a page with the size of a bucket.
//!
//! # What it is not
//! No versions, tags, ACLs, policies, lifecycle or encryption: asked for, they are refused as not implemented.

mod blobs;
pub mod cli;
mod condition;
mod digest;
mod error;
mod index;
mod listing;
mod ops;
mod records;
mod refusal;
mod server;
mod store;

pub use error::{IndexError, StoreError};
pub use server::{Handle, Server, ServerConfig, StartError};
