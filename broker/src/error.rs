//! What can keep a broker from starting, and the shape in which every API carries a Kafka error.
//!
//! Errors of the parts live with the parts (`log::AppendError`, `metadata::store::StoreError`, …), each with one function
//! that maps it to a Kafka error code. What stands here is common to all: [`BrokerError`] for the caller of
//! [`Broker::builder`](crate::Broker::builder), and [`ApiError`], an error code with the text that Kafka sends beside it.

use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

/// Why a broker does not start or does not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Something else listens on the wanted address.
    #[error(
        "cannot listen on {address}: the port is in use; stop what uses it, or let the system choose a free one with \
         --listen {host}:0",
        host = address.ip()
    )]
    PortInUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The listener's address cannot be used.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// What was given is not an address.
    #[error("{address:?} is not an address: expected HOST:PORT, with a port from 0 to 65535")]
    Address {
        /// What was given.
        address: String,
    },
    /// A property has a value that cannot be.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The data directory cannot be used.
    #[error("data directory {}: {reason}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A thread could not be started, or ended before it should.
    #[error("{0}")]
    Runtime(String),
}

impl BrokerError {
    /// Whether the caller asked for something that cannot be, as against something that went wrong.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::PortInUse { .. } | Self::Config(_) | Self::Address { .. } => true,
            Self::Listen { .. } | Self::DataDir { .. } | Self::Runtime(_) => false,
        }
    }
}

/// An error code and the message beside it, as a response carries them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The error.
    pub error: ResponseError,
    /// The text for `error_message`; Kafka's own standard text for the code where nothing more exact is known.
    pub message: Option<StrBytes>,
}

impl ApiError {
    /// An error with a text of its own.
    pub fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self {
            error,
            message: Some(StrBytes::from_string(message.into())),
        }
    }

    /// An error with the standard text of its code.
    pub fn plain(error: ResponseError) -> Self {
        Self::new(error, standard_text(error))
    }

    /// An error without a text.
    pub fn silent(error: ResponseError) -> Self {
        Self { error, message: None }
    }

    /// The code on the wire.
    pub fn code(&self) -> i16 {
        self.error.code()
    }
}

impl From<ResponseError> for ApiError {
    fn from(error: ResponseError) -> Self {
        Self::plain(error)
    }
}

/// Kafka's text for a code, where no handler has a more exact one.
fn standard_text(error: ResponseError) -> String {
    let text = match error {
        ResponseError::UnknownServerError => "The server experienced an unexpected error when processing the request.",
        ResponseError::UnknownTopicOrPartition => "This server does not host this topic-partition.",
        ResponseError::InvalidTopicException => "The request attempted to perform an operation on an invalid topic.",
        ResponseError::UnsupportedVersion => "The version of API is not supported.",
        ResponseError::InvalidRequest => {
            "This most likely occurs because of a request being malformed by the client library or the message was sent \
             to an incompatible broker. See the broker logs for more details."
        }
        ResponseError::KafkaStorageError => "Disk error when trying to access log file on the disk.",
        ResponseError::TopicDeletionDisabled => "Topic deletion is disabled.",
        ResponseError::UnknownTopicId => "This server does not host this topic ID.",
        other => return other.to_string(),
    };
    text.to_owned()
}
