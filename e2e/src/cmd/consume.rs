//! `tickertape consume`: topics of any Kafka to any S3, in folders by date.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use clap::Args;
use tickertape_client::Progress;
use tickertape_consumer::{ConsumeOptions, Registrar, Stats, Summary};
use tickertape_lake::sql::CatalogOptions;
use tokio_util::sync::CancellationToken;

use crate::lake_access;
use crate::registrar::CatalogRegistrar;

/// Write topics to S3 in folders partitioned by date.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    consume: ConsumeOptions,
    #[command(flatten)]
    catalog: CatalogOptions,
}

/// Consumes until `shutdown`, writes what is open, commits, and says what was written.
pub(crate) async fn run(mut options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    options.consume.check()?;
    lake_access::prefer_local(&mut options.consume.s3);
    options.consume.kafka.aws_profile = options.consume.s3.profile.clone();
    // A store of one's own need not have a catalog; Amazon S3 has AWS Glue's only where it was asked for.
    let (s3, timeout) = (&options.consume.s3, options.consume.kafka.timeout);
    let catalog = lake_access::catalog_of(&options.catalog, s3, timeout, &shutdown).await?;
    if shutdown.is_cancelled() {
        println!("{}", Summary::default());
        return Ok(ExitCode::SUCCESS);
    }
    let database = options.catalog.database();
    let registrar =
        catalog.map(|catalog| Arc::new(CatalogRegistrar::new(catalog).in_database(database)) as Arc<dyn Registrar>);
    let stats = Arc::new(Stats::default());
    let progress = Progress::new("consume", "records", None);
    let running = tickertape_consumer::run(options.consume, registrar, shutdown, Arc::clone(&stats));
    tokio::pin!(running);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let summary = loop {
        tokio::select! {
            summary = &mut running => break summary,
            _ = second.tick() => progress.set(stats.written.load(Relaxed)),
        }
    };
    progress.set(stats.written.load(Relaxed));
    progress.finish();
    let summary = summary?;
    println!("{summary}");
    Ok(ExitCode::SUCCESS)
}

/// Has glibc's allocator make do with two arenas: `--memory` is a bound for the process. By default there may be eight for each
/// core, and what one thread gives back is of no use to another: 379 MiB with 1,000 partitions of 30 days open, where with two it is
/// at most 267. To be called before there are threads, which get their arenas when they begin.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_memory_together() {
    const ARENAS: libc::c_int = 2;
    // SAFETY: no other thread runs yet; a number is changed that the allocator reads when a thread asks for its first memory.
    if unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) } != 1 {
        tracing::debug!("the allocator keeps its arenas");
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_memory_together() {}
