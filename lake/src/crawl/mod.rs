//! The crawler: brings what others put into the lake into the catalog.
//!
//! It lists a prefix, takes each folder of its first level for a table (the prefix itself where the catalog has it for one, where
//! `name=value` folders lie directly in it, or where objects do and none of its folders is a table by the catalog or by
//! `name=value` folders in it), takes `name=value` folders at any depth for partitions,
//! infers columns from Parquet footers, JSON lines and CSV, and says what it changed.
//!
//! Promises:
//! - Types widen and never narrow ([`crate::catalog::widen()`]); columns are added, never removed; a
//!   second crawl of the same objects changes nothing.
//! - What does not fit (another format, other partition keys, types with nothing in common) is reported
//!   as a conflict and left alone. So are Parquet objects whose types Athena will not read as the table's
//!   wider ones; SQL here casts them.
//! - A partition without objects is taken out of the catalog only if it lies under the crawled prefix, and has none when it
//!   is looked at once more after the catalog was read. It is looked at again when it is out, and put back if it has some by
//!   then: a sink that puts the first object of a day while the crawl is under way finds the partition registered.
//! - Tables of the catalog that lie under the prefix are looked at also when nothing lies in them any more.
//! - A table whose objects the catalog keeps is listed by queries from now on where one of them is gone.
//! - Objects are read once: a partition (or a table without any) keeps a digest of its objects' keys and
//!   ETags in its parameters, and is not read again while that stays the same.
//! - Path parts that start with `_` or `.` are not looked at.
//!
//! It never writes, moves or deletes an object.
//!
//! [`GlueCrawler`] is the other way: AWS Glue's own crawler, started and waited for.

mod glue_crawler;
mod infer;
mod known;
mod layout;
mod narrower;
mod objects;
mod options;
mod report;
mod table;
mod vanished;

use aws_sdk_s3::Client;
use futures::stream::{self, StreamExt, TryStreamExt};
use tickertape_client::s3::S3Url;

pub use glue_crawler::{CrawlerCounts, GlueCrawlReport, GlueCrawler};
pub use options::{CrawlOptions, CrawlSettings, run, run_glue_crawler};
pub use report::{CrawlReport, TableReport};

use crate::catalog::{Catalog, CatalogError};
use layout::{KnownTable, Layout};

/// How many tables are worked on at a time.
const CONCURRENT_TABLES: usize = 4;

/// Crawls the objects under `lake` into `catalog`.
///
/// # Errors
/// Where the store or the catalog can't be reached, or the bucket does not exist. What is wrong with
/// single objects stands in the report.
pub async fn crawl(
    client: &Client,
    catalog: &dyn Catalog,
    lake: &S3Url,
    settings: &CrawlSettings,
) -> anyhow::Result<CrawlReport> {
    let listed = objects::list(client, lake).await?;
    let known = match catalog.tables(&settings.database).await {
        Err(CatalogError::NotFound { .. }) => Vec::new(),
        tables => tables?,
    };
    let known: Vec<KnownTable> = known
        .iter()
        .filter_map(|table| KnownTable::under(lake, table))
        .collect();
    let Layout {
        folders,
        ignored,
        beside,
    } = layout::group(lake, listed, &known);
    if !settings.dry_run && !folders.is_empty() {
        crate::catalog::ensure_database(catalog, &settings.database).await?;
    }
    let mut tables: Vec<TableReport> = stream::iter(folders)
        .map(|folder| table::crawl(client, catalog, folder, settings))
        .buffer_unordered(CONCURRENT_TABLES)
        .try_collect()
        .await?;
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(CrawlReport {
        lake: lake.to_string(),
        dry_run: settings.dry_run,
        ignored_objects: ignored,
        beside,
        tables,
    })
}
