//! Batches messages of Kafka topics and writes them to S3 in folders partitioned by date.

pub mod batch;
pub mod batcher;
pub mod date;
pub mod decode;
pub mod encode;
pub mod names;
pub mod schema;
