//! Kafka's broker and topic properties.

/// A property with a value that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);
