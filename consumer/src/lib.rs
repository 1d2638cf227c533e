//! Batches messages of Kafka topics and writes them to S3 in folders partitioned by date.
//!
//! ```text
//! Kafka ──► sink (one thread) ──► batcher ──cut──► writer: encode ─► claim ─► put objects ─► register ─┐
//!             ▲                                                                                       │
//!             └───────────────────────────── commit offsets ◄─────────────────────────────────────────┘
//! ```
//!
//! What it promises: every message below a committed offset is in exactly one object, as a row of its table or
//! as a rejected one with its reason; and at no moment does an object show a row that another shows, whoever
//! was killed when ([`ledger`]). What it never does: depend on the broker, on the lake's server or on a catalog;
//! these are reached by the Kafka protocol, the S3 protocol and the [`Registrar`].
//!
//! The parts that decide are pure: [`batcher`] where batches are cut, [`decode`] and [`encode`] what they become,
//! [`names`] what that is called.

pub mod batch;
pub mod batcher;
mod clock;
pub mod date;
pub mod decode;
pub mod encode;
mod footer;
pub mod ledger;
mod metrics;
pub mod names;
mod options;
mod preflight;
mod protocol;
mod recover;
mod registrar;
mod run;
pub mod schema;
mod sink;
mod stats;
pub mod store;
mod writer;

pub use date::PartitionBy;
pub use decode::OnNewType;
pub use footer::{ColumnRange, RangeKind};
pub use names::{Compression, Format};
pub use options::{Break, ConsumeOptions, OnLost, parse_memory};
pub use registrar::{Committed, CommittedPartition, KnownTable, ObjectInfo, Refusal, Registrar};
pub use run::run;
pub use stats::{Histogram, Stats, Summary, TableSummary};
