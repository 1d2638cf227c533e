//! Reads historical stock prices and plays them to Kafka as a live market feed.
//!
//! ```text
//! input  ->  table  ->  feed  ->  pace  ->  kafka
//! bytes      rows       events    when      acknowledged
//! ```
//!
//! - [`input`] opens the bundled prices, a `.csv`, a `.csv.gz` or stdin.
//! - [`table`] reads rows by header, checks them and keeps each number's own digits.
//! - [`market`] is the simulated market: a pure function from one day's bar to its trades.
//! - [`feed`] makes events of rows or trades, in market time order, and can go on from a [`Position`].
//! - [`run()`] paces the events, hands them to Kafka, waits for every acknowledgement and reports a [`Summary`].
//!
//! What it promises: an event is never dropped, a full queue slows the feed, and anything that Kafka did not
//! acknowledge is an error. The same input, options and seed give the same events, byte for byte (but for the
//! `event_time` of the `sample` feed, which is the wall clock's).
//!
//! It reaches Kafka by librdkafka alone: it knows nothing of the broker in this repository, and plays to
//! Apache Kafka as well.

mod clock;
pub mod feed;
pub mod input;
mod kafka;
pub mod market;
mod number;
mod options;
mod pace;
mod resume;
mod run;
mod stats;
pub mod table;

pub use feed::{Event, Feed, Position, Stream};
pub use options::{FeedKind, OnBadRow, ProduceOptions, Rate, Speed};
pub use run::{Summary, run};
pub use stats::{Quote, Stats};
