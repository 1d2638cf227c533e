//! How a program reaches Kafka and S3: options, credentials, waiting, and errors that say what to do.

pub mod s3;
