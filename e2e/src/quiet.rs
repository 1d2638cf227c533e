//! A consumer's context that does not report what the caller handles.

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The end of a partition is an event here, and no error to be logged.
pub(crate) struct QuietAtEnd;

/// A consumer that says nothing at the end of a partition.
pub(crate) type Reader = BaseConsumer<QuietAtEnd>;

impl ClientContext for QuietAtEnd {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::error!(%error, "{reason}");
        }
    }
}

impl ConsumerContext for QuietAtEnd {}
