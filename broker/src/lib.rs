//! A Kafka-compatible broker: the wire protocol over sled-backed log segments.

mod api;
mod broker;
pub mod cli;
pub mod clock;
mod config;
pub mod coordinator;
mod error;
mod hash_order;
mod internal_topics;
pub mod log;
pub mod loggers;
pub mod metadata;
mod rebuild;
pub mod runtime;
mod server;
pub mod wire;

pub use api::{ServedApi, served};
pub use broker::{Broker, BrokerBuilder, BrokerHandle};
pub use config::{ConfigError, ListedProperty, listed_properties};
pub use error::{ApiError, BrokerError};
pub use rebuild::rebuild;
