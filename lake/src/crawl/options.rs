//! `tickertape crawl` on the command line.

use tickertape_client::s3::{S3Options, S3Url};
use tokio_util::sync::CancellationToken;

use super::{CrawlReport, GlueCrawlReport, GlueCrawler, crawl};
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
    #[arg(long, value_name = "s3://BUCKET/PREFIX", required_unless_present = "glue_crawler")]
    pub lake: Option<S3Url>,

    /// Start this crawler of AWS Glue's instead, and wait until it is done.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["lake", "dry_run", "database"])]
    pub glue_crawler: Option<String>,

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

/// Crawls `lake` as the command line says.
///
/// # Errors
/// As [`crawl`], and where the store or the catalog isn't named properly.
pub async fn run(options: &CrawlOptions, lake: &S3Url) -> anyhow::Result<CrawlReport> {
    let client = options.s3.client().await?;
    let catalog = options.catalog.open(&options.s3).await?;
    let settings = CrawlSettings {
        database: options.catalog.database(),
        dry_run: options.dry_run,
    };
    crawl(&client, catalog.as_ref(), lake, &settings).await
}

/// Has AWS Glue crawl, as the command line says.
///
/// # Errors
/// As [`super::GlueCrawler::run`], and where the catalog isn't named properly.
pub async fn run_glue_crawler(
    options: &CrawlOptions,
    name: &str,
    stop: &CancellationToken,
) -> anyhow::Result<GlueCrawlReport> {
    let mut of_glue = options.catalog.clone();
    // A crawler is AWS Glue's own, wherever the store is.
    of_glue.catalog.get_or_insert_with(|| "glue".to_owned());
    let config = of_glue.config(&options.s3).await?;
    GlueCrawler::new(&config, name).run(stop).await
}
