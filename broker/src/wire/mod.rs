//! Bytes to typed messages and back: the part of the broker that distrusts what a peer declares.
//!
//! - [`batch`]: the header of a record batch (magic 2), its checks, and iteration over batches in a buffer
//! - [`record`]: the records inside one decompressed batch
//! - [`build`]: batches and control batches made here
//! - [`compression`]: Kafka's framings of gzip, snappy, lz4 and zstd, bounded in what they may expand to
//! - [`guard`]: checks every length in a message before it is decoded
//! - [`shapes`]: what each message looks like in each version (generated)
//! - [`varint`]: Kafka's variable-length integers
//!
//! Promises: nothing here panics on any input, and nothing allocates by a length that the input merely declares.
//! Holds no broker state, does no I/O and reads no clock.

pub mod batch;
pub mod build;
pub mod compression;
pub mod guard;
pub mod record;
pub mod shapes;
pub mod varint;
