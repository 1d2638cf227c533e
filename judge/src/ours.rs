//! Our broker, started as Apache Kafka is: in this process, on a free port.

use std::net::TcpListener;

use futures::executor::block_on;
use tickertape_broker::{Broker, BrokerHandle};

use crate::apache::ApacheKafka;

/// A running broker of ours. Dropping it stops it.
#[derive(Debug)]
pub struct Ours {
    handle: BrokerHandle,
}

impl Ours {
    /// Starts it with the `server.properties` of a running Apache Kafka, but for the address and the directory, which is in
    /// the other's and goes with it.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn beside(kafka: &ApacheKafka) -> anyhow::Result<Self> {
        let dir = kafka.dir().join("ours");
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let text = std::fs::read_to_string(kafka.dir().join("server.properties"))?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let properties: Vec<(&str, String)> = lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| match name {
                "log.dirs" => (name, dir.display().to_string()),
                _ => (name, value.replace(kafka.bootstrap_servers(), &address)),
            })
            .collect();
        let properties = properties.iter().map(|(name, value)| (*name, value.as_str()));
        let builder = properties.fold(Broker::builder(), |builder, (name, value)| {
            builder.property(name, value)
        });
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
