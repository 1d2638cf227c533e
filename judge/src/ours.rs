//! Our broker, started as Apache Kafka is: in this process, on a free port.

use std::path::Path;

use futures::executor::block_on;
use tickertape_broker::{Broker, BrokerHandle};

/// A running broker of ours. Dropping it stops it.
#[derive(Debug)]
pub struct Ours {
    handle: BrokerHandle,
}

impl Ours {
    /// Starts it in a directory, with properties by Kafka's names.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start<'a>(dir: &Path, properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> anyhow::Result<Self> {
        let builder = Broker::builder().data_dir(dir);
        let builder = properties
            .into_iter()
            .fold(builder, |builder, (name, value)| builder.property(name, value));
        Ok(Self {
            handle: block_on(builder.start())?,
        })
    }

    /// `host:port`, for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        self.handle.bootstrap_servers()
    }
}
