//! `tickertape crawl`: finds what others put into a lake, and keeps its tables and partitions in the catalog.

use std::process::ExitCode;

use clap::Args;
use tickertape_client::UsageError;
use tickertape_lake::crawl::CrawlOptions;
use tickertape_lake::sql::Interrupted;
use tokio_util::sync::CancellationToken;

use crate::lake_access;
use crate::signals::INTERRUPTED;

const EXAMPLES: &str = "Examples:
  tickertape crawl --lake s3://market/lake --s3-endpoint http://127.0.0.1:9000
  tickertape crawl --lake s3://market/lake --dry-run      only says what would change
  tickertape crawl --lake s3://my-bucket/lake --catalog glue --database market
                                                          our crawler, into AWS Glue's catalog
  tickertape crawl --glue-crawler market                  AWS Glue's own crawler, waited for

Each folder under the prefix is a table, each name=value folder below it a partition;
what starts with _ or . is ignored.";

/// Find tables, columns and partitions in a lake.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    crawl: CrawlOptions,
}

/// Crawls once and prints what it changed.
pub(crate) async fn run(mut options: Options, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let crawl = &mut options.crawl;
    if let Some(name) = &crawl.glue_crawler {
        let report = match tickertape_lake::crawl::run_glue_crawler(crawl, name, &shutdown).await {
            Err(error) if error.is::<Interrupted>() => {
                eprintln!("{error:#}");
                return Ok(ExitCode::from(INTERRUPTED));
            }
            report => report?,
        };
        return print(&report, crawl.json);
    }
    let lake = crawl
        .lake
        .clone()
        .ok_or_else(|| UsageError::new("--lake or --glue-crawler is needed"))?;
    lake_access::prefer_local(&mut crawl.s3);
    let report = tickertape_lake::crawl::run(crawl, &lake).await?;
    print(&report, crawl.json)
}

fn print(report: &(impl std::fmt::Display + serde::Serialize), json: bool) -> anyhow::Result<ExitCode> {
    match json {
        true => println!("{}", serde_json::to_string(report)?),
        false => print!("{report}"),
    }
    Ok(ExitCode::SUCCESS)
}
