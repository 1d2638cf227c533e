//! The S3 server over real sockets, by the clients that people use.

mod s3;
