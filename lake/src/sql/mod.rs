//! SQL over the lake: what Athena does, in this process.
//!
//! A query is planned from the catalog, which is read anew for each. Where the catalog keeps a table's objects (those of
//! our sink do), they and their statistics come from there; of other tables the partitions that the `WHERE` leaves are
//! listed, and nothing else is. DataFusion plans and runs; everything that touches the
//! store is here: which objects (`registered`, `listing`), with what statistics (`footers`), read through which
//! cache (`cache`, `reader`), and how a file that is older than its table is read as the table's
//! columns (`adapter`, `text`, `unpack`).
//!
//! Promises:
//! - A query sees every object that was there, in a registered partition, when it began. Of tables whose objects the
//!   catalog keeps it sees what was registered when it first looked, and each batch of a writer whole or not at all, however
//!   often it names the table. Caches hold only what an ETag names: they are never out of date.
//! - Every file is read as the table's columns: missing ones are null, narrower types are cast.
//! - Keys with a part that starts with `_` or `.` do not exist.
//!
//! It never writes: neither objects nor the catalog.

mod adapter;
mod answer;
mod cache;
mod connection;
mod engine;
mod error;
mod footers;
mod functions;
mod listing;
mod options;
mod output;
mod partitions;
mod provider;
mod reader;
mod registered;
mod show;
mod table;
mod text;
mod unpack;

pub use answer::{Answer, Cost, Interrupted, QueryEngine};
pub use connection::S3Connection;
pub use engine::{Engine, QueryOutput};
pub use options::{CatalogOptions, EngineKind, SqlOptions};
pub use output::OutputFormat;
pub(crate) use unpack::plain;
