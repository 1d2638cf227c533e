//! `tickertape demo`: all of it in one process, on real prices.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tickertape_producer::Speed;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "Examples:
  tickertape demo                            a live view; q stops
  tickertape demo --for 30s                  half a minute of it, then the verdict
  tickertape demo --data-dir ./demo          keeps everything there; a later run goes on from it
  tickertape demo --for 30s --json | tail -1 the verdict as JSON

It starts a Kafka-compatible broker, an S3 server with a catalog, a feed of simulated trades made
from real daily prices, the sink and SQL. First the past days are played as fast as it goes, then
the market runs live. At the end every record of the topics is compared with the rows of the lake,
and every day's trades with the real bar: exit code 1 if one is missing, doubled or different.";

/// Run the whole pipeline in one process and watch it.
#[derive(Args, Clone)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoOptions {
    /// Stop after this long; without it, when asked to (q, Ctrl-C).
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,
    /// Market seconds per second while the market is open, or `max`; 390 plays a trading day in a minute.
    #[arg(long, default_value = "390", value_name = "N|max")]
    pub(crate) speed: Speed,
    /// Keep everything in this directory, and go on where an earlier run in it stopped; without it, in a new directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// One JSON object a second, and one at the end.
    #[arg(long)]
    pub(crate) json: bool,
    /// How many past days are played at once before the market runs live.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) past_days: u32,
    /// Trades per symbol and day.
    #[arg(long, value_name = "N", default_value_t = 23_400, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) ticks_per_day: u32,
    /// Where the broker listens; by default Kafka's port, or a free one if that is taken.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) broker_listen: Option<String>,
    /// Where the S3 server listens; by default port 9000, or a free one if that is taken.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) s3_listen: Option<String>,
}

/// Runs the demo until it has been long enough or the person stops it.
pub(crate) async fn run(options: DemoOptions, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    crate::demo::run(options, shutdown).await
}
