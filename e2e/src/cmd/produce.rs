//! `tickertape produce`: historical prices, played to any Kafka as a live feed.

use std::process::ExitCode;

use clap::Args;
use tickertape_client::Progress;
use tickertape_producer::ProduceOptions;
use tokio_util::sync::CancellationToken;

/// Play historical prices to Kafka as a live market feed.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    produce: ProduceOptions,
}

/// Plays until the feed ends or `shutdown`, and says how many events were acknowledged.
pub(crate) async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let progress = Progress::new("produce", "events", options.produce.max_events);
    let summary = tickertape_producer::run(options.produce, shutdown, progress).await?;
    println!("{summary}");
    Ok(ExitCode::SUCCESS)
}
