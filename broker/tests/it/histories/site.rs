//! What all clients of a history share: where the broker is, where they write, when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::journal::Journal;

/// The topic that producers write to.
pub(crate) const TOPIC: &str = "history";
/// The topic that is derived from it.
pub(crate) const DERIVED: &str = "derived";
/// Partitions of each of them.
pub(crate) const PARTITIONS: i32 = 2;

/// How long anything may take that has to happen. A history that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How long a call to a client library is left alone.
pub(crate) const CALL: Duration = Duration::from_secs(5);

/// The number of a partition in a history.
pub(crate) fn place(topic: &str, partition: i32) -> i32 {
    if topic == DERIVED {
        PARTITIONS + partition
    } else {
        partition
    }
}

/// See the head of the module.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) bootstrap_servers: String,
    pub(crate) journal: Arc<Journal>,
    over: Arc<AtomicBool>,
}

impl Site {
    pub(crate) fn new(bootstrap_servers: String, journal: Journal) -> Self {
        Self {
            bootstrap_servers,
            journal: Arc::new(journal),
            over: Arc::default(),
        }
    }

    /// Readers stop.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.journal.wake();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// A client that does not lose much time over a fault.
    pub(crate) fn client(&self, properties: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Emerg);
        for (name, value) in [
            ("bootstrap.servers", self.bootstrap_servers.as_str()),
            ("socket.timeout.ms", "1000"),
            ("socket.connection.setup.timeout.ms", "1000"),
            ("reconnect.backoff.ms", "5"),
            ("reconnect.backoff.max.ms", "50"),
            ("retry.backoff.ms", "10"),
            ("retry.backoff.max.ms", "50"),
            ("topic.metadata.refresh.fast.interval.ms", "50"),
        ]
        .iter()
        .chain(properties)
        {
            config.set(*name, *value);
        }
        config
    }
}

/// Says nothing of what librdkafka logs.
pub(crate) struct Quiet;

impl rdkafka::ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: rdkafka::error::KafkaError, _: &str) {}
}

impl rdkafka::consumer::ConsumerContext for Quiet {}
