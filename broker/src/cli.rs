//! The broker as a command: its options, and running it until it is told to stop.
//!
//! `tickertape-broker` and `tickertape broker` are both this. On standard output there is exactly one line, when the broker
//! answers: `{"ready":true,"bootstrap_servers":"127.0.0.1:41234","data_dir":"…","pid":…}`. Everything else is said on
//! standard error.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigError, read_properties};
use crate::{Broker, BrokerBuilder, BrokerError};

/// Where the broker listens when nothing else is said.
const DEFAULT_LISTEN: &str = "127.0.0.1:9092";
/// Where the broker keeps its data when nothing else is said.
const DEFAULT_DATA_DIR: &str = "tickertape-data/broker";

/// How to run a broker.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct BrokerOptions {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,

    /// Address that clients are told to connect to, where it differs from the one listened on
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,

    /// Directory for everything the broker keeps [default: log.dirs, else tickertape-data/broker]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// File of broker properties, as Kafka's server.properties
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Broker property by Kafka's name; wins over the file; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_property)]
    pub properties: Vec<(String, String)>,
}

fn parse_property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

impl BrokerOptions {
    /// The broker that the options describe.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn builder(&self) -> Result<BrokerBuilder, BrokerError> {
        let mut properties = match &self.config {
            Some(path) => read_file(path)?,
            None => Vec::new(),
        };
        properties.extend(self.properties.iter().cloned());
        let given = |name: &str| {
            properties
                .iter()
                .any(|(given, value)| given == name && !value.trim().is_empty())
        };
        let mut builder = Broker::builder();
        match &self.listen {
            Some(address) => builder = builder.listen(address),
            None if given("listeners") => {}
            None => builder = builder.listen(DEFAULT_LISTEN),
        }
        match &self.data_dir {
            Some(path) => builder = builder.data_dir(path),
            None if given("log.dirs") || given("log.dir") => {}
            None => builder = builder.data_dir(DEFAULT_DATA_DIR),
        }
        if let Some(address) = &self.advertise {
            builder = builder.advertise(address);
        }
        Ok(builder.properties(properties))
    }
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, BrokerError> {
    let failed = |reason: String| ConfigError(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Ok(read_properties(&text).map_err(|error| failed(error.to_string()))?)
}

/// The line that says that the broker answers.
#[derive(serde::Serialize)]
struct Ready<'a> {
    ready: bool,
    bootstrap_servers: &'a str,
    data_dir: &'a Path,
    pid: u32,
}

/// Runs a broker until `shutdown` is cancelled, then stops it cleanly. Prints the line that says it is ready.
///
/// # Errors
/// A [`BrokerError`], in the chain: the broker does not start, or could not write everything when it stopped.
pub async fn run(options: BrokerOptions, shutdown: CancellationToken) -> anyhow::Result<()> {
    let broker = options.builder()?.start().await?;
    let ready = Ready {
        ready: true,
        bootstrap_servers: broker.bootstrap_servers(),
        data_dir: broker.data_dir(),
        pid: std::process::id(),
    };
    let ready = serde_json::to_string(&ready).context("the data directory's name is not text")?;
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{ready}")
            .and_then(|()| out.flush())
            .context("cannot write to standard output")?;
    }
    shutdown.cancelled().await;
    tracing::info!("stopping");
    broker.shutdown().await?;
    Ok(())
}

/// A token that SIGINT or SIGTERM cancels. A second signal ends the process at once.
///
/// # Errors
/// The system does not let signals be handled.
pub fn shutdown_on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                cancelled.cancel();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(token)
}
