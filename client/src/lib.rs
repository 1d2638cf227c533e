//! How a program reaches Kafka and S3: options, credentials, waiting, and errors that say what to do.
//!
//! What the producer, the consumer, the lake and the `tickertape` binary share about the outside world:
//!
//! - [`UsageError`]: the user asked for something that cannot be. It names what was asked, suggests the
//!   nearest thing that exists ([`nearest`]), and makes the binary exit with [`exit_code`] 2.
//! - [`KafkaOptions`]: `--bootstrap-server`, `-X name=value`, `--timeout`, checked before they are used.
//! - [`connect`]: makes every librdkafka client of the workspace, and lets it log in.
//! - [`wait_for_broker`]: waits with backoff for a broker that is away, and says so; a broker that refuses is not waited for.
//! - [`check_topic_name`]: what Kafka takes for a topic's name, and what it never does.
//! - [`Progress`]: a bar on a terminal, a line a second in a pipe while something moves.
//! - [`s3`]: where S3 is, with which credentials, and `s3://bucket/prefix`.
//!
//! Nothing here knows what is produced, consumed or stored.

mod aws;
mod kafka;
mod login;
mod msk;
mod oidc;
mod progress;
mod properties;
mod refusal;
pub mod s3;
mod topic;
mod usage;
mod wait;

pub use kafka::KafkaOptions;
pub use login::{Native, Plain, connect, oauth_token};
pub use progress::Progress;
pub use topic::check_topic_name;
pub use usage::{UsageError, chain_of, exit_code, nearest};
pub use wait::{Cluster, wait_for_broker};
