//! `tickertape crawl` on the command line.

use tickertape_client::s3::{S3Options, S3Url};

use super::{CrawlReport, crawl};
use crate::catalog::DEFAULT_DATABASE;
use crate::sql::CatalogOptions;

/// How to crawl.
#[derive(Debug, Clone)]
pub struct CrawlSettings {
    /// Where tables are registered.
    pub database: String,
    /// Whether to leave the catalog as it is, and only say what would change.
    pub dry_run: bool,
}

impl Default for CrawlSettings {
    fn default() -> Self {
        CrawlSettings {
            database: DEFAULT_DATABASE.to_owned(),
            dry_run: false,
        }
    }
}

/// A crawl of a prefix into a catalog.
#[derive(clap::Args, Clone, Debug)]
pub struct CrawlOptions {
    /// The prefix whose folders are tables, or the folder of one table.
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub lake: S3Url,

    /// The database in which tables are registered.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_DATABASE)]
    pub database: String,

    /// Only say what would change.
    #[arg(long)]
    pub dry_run: bool,

    /// Print the report as one JSON object.
    #[arg(long)]
    pub json: bool,

    /// The store.
    #[command(flatten)]
    pub s3: S3Options,

    /// The catalog.
    #[command(flatten)]
    pub catalog: CatalogOptions,
}

/// Crawls as the command line says.
///
/// # Errors
/// As [`crawl`], and where the store or the catalog isn't named properly.
pub async fn run(options: &CrawlOptions) -> anyhow::Result<CrawlReport> {
    let client = options.s3.client().await?;
    let catalog = options.catalog.open(&options.s3).await?;
    let settings = CrawlSettings {
        database: options.database.clone(),
        dry_run: options.dry_run,
    };
    crawl(&client, catalog.as_ref(), &options.lake, &settings).await
}
