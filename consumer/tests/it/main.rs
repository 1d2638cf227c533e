//! The whole sink over real sockets: an embedded broker, an embedded S3 server, and what is in the bucket
//! afterwards compared with what was produced.

mod faults;
mod mistakes;
mod sharing;
mod support;
mod writing;
