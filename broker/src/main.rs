//! The broker as a small binary of its own.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tickertape_broker::BrokerError;
use tickertape_broker::cli::{self, BrokerOptions};
use tickertape_broker::loggers;
use tracing_subscriber::EnvFilter;

/// A Kafka-compatible broker: one process, one data directory, no other services.
///
/// Example: `tickertape-broker --listen 127.0.0.1:0 --data-dir /tmp/tt --set num.partitions=3` prints one line of JSON with
/// `bootstrap_servers` when it is ready.
#[derive(Debug, Parser)]
#[command(name = "tickertape-broker", version)]
struct Command {
    #[command(flatten)]
    options: BrokerOptions,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let base = filter.to_string();
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter_reloading();
    let handle = logging.reload_handle();
    loggers::changed_by(base, move |filter| handle.reload(EnvFilter::new(filter)).is_ok());
    logging.init();
    match run(command.options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tickertape-broker: {error:#}");
            let usage = error.downcast_ref::<BrokerError>().is_some_and(BrokerError::is_usage);
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

fn run(options: BrokerOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { cli::run(options, cli::shutdown_on_signal()?).await })
}
