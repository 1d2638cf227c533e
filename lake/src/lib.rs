//! An S3 server, a catalog with its crawler, and SQL: what Amazon S3, AWS Glue and Athena do, embedded.

pub mod athena;
pub mod catalog;
pub mod crawl;
pub mod glue;
pub mod s3;
pub mod sql;
