//! `tickertape s3`: the S3 server, which also serves the catalog.

use std::process::ExitCode;

use clap::Args;
use tickertape_lake::s3::cli::S3ServerOptions;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "Example:
  tickertape s3 --bucket market --data-dir ./lake &
  AWS_ACCESS_KEY_ID=tickertape AWS_SECRET_ACCESS_KEY=tickertape-secret \\
    aws --endpoint-url http://127.0.0.1:9000 s3 ls s3://market/

It prints one line of JSON when it is ready. It also answers AWS Glue's requests, for the catalog
of its tables.";

/// Serve S3 and the catalog from a directory.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    server: S3ServerOptions,
}

/// Serves until `shutdown`.
pub(crate) async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    tickertape_lake::s3::cli::run(options.server, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
