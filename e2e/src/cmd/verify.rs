//! `tickertape verify`: proves that the lake holds each record of a topic, once.

use std::process::ExitCode;

use clap::Args;
use tickertape_client::s3::{S3Options, S3Url};
use tickertape_client::{KafkaOptions, Progress};
use tickertape_consumer::names::table_of_topic;
use tickertape_lake::sql::{CatalogOptions, Engine, S3Connection};
use tokio_util::sync::CancellationToken;

use crate::lake_access;

const EXAMPLES: &str = "Example:
  tickertape verify --topic ticks --lake s3://market/lake --s3-endpoint http://127.0.0.1:9000

Exit code 0: every record has its row, once, with the same content.
1: some do not; the first are named.";

/// Compare each offset of a topic with the rows of the lake.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The topic.
    #[arg(long, short = 't')]
    topic: String,
    /// Where the sink writes.
    #[arg(long, value_name = "s3://bucket/prefix")]
    lake: S3Url,
    /// The table; without it, the one that the sink makes of the topic.
    #[arg(long)]
    table: Option<String>,
    /// The verdict as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    catalog: CatalogOptions,
    #[command(flatten)]
    s3: S3Options,
    #[command(flatten)]
    kafka: KafkaOptions,
}

/// Reads the topic and the table, and says what is missing, doubled or different.
pub(crate) async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let Some(cluster) = tickertape_client::wait_for_broker(&options.kafka, &shutdown).await? else {
        return Ok(ExitCode::FAILURE);
    };
    cluster.require_topic(&options.topic)?;
    let table = options.table.unwrap_or_else(|| table_of_topic(&options.topic));
    let mut s3 = options.s3;
    lake_access::prefer_local(&mut s3);
    let catalog = options.catalog.open(&s3).await?;
    let database = options.catalog.database();
    lake_access::require_location(catalog.as_ref(), &database, &table, &options.lake).await?;
    let engine = Engine::new(catalog, S3Connection::from_options(&s3).await?).in_database(&database);
    let progress = Progress::new("verify", "records", None);
    let checking = crate::verify::verify(&options.kafka, &engine, &options.topic, &table, |records| {
        progress.set(records)
    });
    let verdict = tokio::select! {
        verdict = checking => verdict?,
        () = shutdown.cancelled() => return Ok(ExitCode::FAILURE),
    };
    progress.finish();
    if options.json {
        println!("{}", serde_json::to_string(&verdict)?);
    } else {
        for fault in &verdict.faults {
            println!("{fault}");
        }
        println!(
            "{} records, {} rows, {} set aside as not JSON: {} missing, {} doubled, {} different, in {:.1} s ({:.0} records/s)",
            verdict.records,
            verdict.rows,
            verdict.rejected,
            verdict.missing,
            verdict.doubled,
            verdict.different,
            verdict.seconds,
            verdict.records as f64 / verdict.seconds.max(1e-3),
        );
    }
    Ok(if verdict.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
