//! `tickertape crawl`: finds what others put into a lake, and keeps its tables and partitions in the catalog.

use std::process::ExitCode;

use clap::Args;
use tickertape_lake::crawl::CrawlOptions;

use crate::lake_access;

const EXAMPLES: &str = "Examples:
  tickertape crawl --lake s3://market/lake --s3-endpoint http://127.0.0.1:9000
  tickertape crawl --lake s3://market/lake --dry-run      only says what would change

Each folder under the prefix is a table, each name=value folder below it a partition; what starts with _ or . is ignored.";

/// Find tables, columns and partitions in a lake.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    crawl: CrawlOptions,
}

/// Crawls once and prints what it changed.
pub(crate) async fn run(mut options: Options) -> anyhow::Result<ExitCode> {
    lake_access::prefer_local(&mut options.crawl.s3);
    let report = tickertape_lake::crawl::run(&options.crawl).await?;
    if options.crawl.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}
