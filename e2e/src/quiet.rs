//! A consumer's context that does not report what the caller handles.

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tickertape_client::oauth_token;

/// The end of a partition is an event here, and no error to be logged.
pub(crate) struct QuietAtEnd;

/// A consumer that says nothing at the end of a partition.
pub(crate) type Reader = BaseConsumer<QuietAtEnd>;

impl ClientContext for QuietAtEnd {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(config)
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::error!(%error, "{reason}");
        }
    }
}

impl ConsumerContext for QuietAtEnd {}
