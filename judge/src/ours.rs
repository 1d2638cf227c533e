//! Our broker, started as Apache Kafka is: in this process, in a temporary directory, on a free port.

use std::sync::OnceLock;

use futures::executor::block_on;
use tickertape_broker::{Broker, BrokerHandle};

/// A running broker of ours. Dropping it stops it and removes its directory.
#[derive(Debug)]
pub struct Ours {
    handle: BrokerHandle,
}

impl Ours {
    /// Starts it with properties by Kafka's names.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> anyhow::Result<Self> {
        let builder = properties
            .into_iter()
            .fold(Broker::builder(), |builder, (name, value)| {
                builder.property(name, value)
            });
        Ok(Self {
            handle: block_on(builder.start())?,
        })
    }

    /// The one that all tests of this process share, with [`crate::PROPERTIES`], beside
    /// [`crate::apache::ApacheKafka::shared`].
    ///
    /// # Errors
    /// Why it did not start.
    pub fn shared() -> Result<&'static Ours, &'static str> {
        static SHARED: OnceLock<Result<Ours, String>> = OnceLock::new();
        let started =
            SHARED.get_or_init(|| Self::start(crate::PROPERTIES.iter().copied()).map_err(|error| format!("{error:#}")));
        started.as_ref().map_err(String::as_str)
    }

    /// `host:port`, for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        self.handle.bootstrap_servers()
    }
}
