//! `tickertape broker`: the Kafka-compatible broker.

use std::process::ExitCode;

use clap::Args;
use tickertape_broker::BrokerError;
use tickertape_broker::cli::BrokerOptions;
use tickertape_client::UsageError;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "Examples:
  tickertape broker
  tickertape broker --listen 127.0.0.1:0 --data-dir /tmp/kafka --set num.partitions=6
  tickertape broker --config server.properties --advertise kafka.local:9092

It prints one line of JSON when it is ready. SIGINT and SIGTERM stop it cleanly.";

/// Run a Kafka-compatible broker.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    broker: BrokerOptions,
}

/// Serves until `shutdown`.
pub(crate) async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    match tickertape_broker::cli::run(options.broker, shutdown).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(as_usage(error)),
    }
}

/// The broker knows no clients, so it says in its own words what the user can mend.
fn as_usage(error: anyhow::Error) -> anyhow::Error {
    match error.chain().find_map(|cause| cause.downcast_ref::<BrokerError>()) {
        Some(cause) if cause.is_usage() => UsageError::new(format!("{error:#}")).into(),
        _ => error,
    }
}
