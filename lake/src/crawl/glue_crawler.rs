//! AWS Glue's own crawler: started, waited for, and what it changed.
//!
//! `StartCrawler` answers at once; `GetCrawler` then says `RUNNING`, `STOPPING` (it writes to the catalog) and `READY`.
//! Right after the start it may still say `READY`, so the crawl is over only when `LastCrawl` is another than before.
//! A crawl that somebody else has started may have listed the lake before the newest objects were there: it is waited
//! for, and then another is started.
//!
//! What became of the tables is said twice: as Glue's own metrics, which count over all of the crawler's runs, and by name,
//! from the catalog before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_glue::Client;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::types::{Crawler, CrawlerState, LastCrawlInfo, LastCrawlStatus};
use aws_smithy_types::error::display::DisplayErrorContext;
use serde::Serialize;
use tickertape_client::UsageError;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, GlueCatalog, Table};
use crate::sql::Interrupted;

/// The first pause between two questions about the crawler's state; each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long after the start Glue may go on saying that nothing has happened.
const START_MAX: Duration = Duration::from_secs(120);

/// A crawler of AWS Glue's, by its name.
#[derive(Debug, Clone)]
pub struct GlueCrawler {
    client: Client,
    catalog: GlueCatalog,
    name: String,
}

/// What a crawl of AWS Glue's did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct GlueCrawlReport {
    /// The crawler.
    pub crawler: String,
    /// The database it writes to.
    pub database: Option<String>,
    /// From the start to the end, as it was waited for.
    pub seconds: f64,
    /// Tables that are new.
    pub tables_created: Vec<String>,
    /// Tables whose definition is another than before.
    pub tables_updated: Vec<String>,
    /// Tables that are gone.
    pub tables_deleted: Vec<String>,
    /// Glue's own count over all of the crawler's runs, where it gives one.
    pub metrics: Option<CrawlerCounts>,
    /// What the crawl is charged by, where Glue says.
    pub dpu_hours: Option<f64>,
    /// Where Glue logs what it did: group, stream and what its lines start with.
    pub log: Option<String>,
}

/// Glue's counters of a crawler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CrawlerCounts {
    /// Tables created.
    pub created: i32,
    /// Tables updated.
    pub updated: i32,
    /// Tables deleted.
    pub deleted: i32,
}

/// What tells one crawl from another.
#[derive(Debug, Clone, PartialEq)]
struct Run(Option<LastCrawlInfo>);

impl GlueCrawler {
    /// The crawler of this name, with the credentials, region and endpoint of `config`.
    pub fn new(config: &SdkConfig, name: &str) -> GlueCrawler {
        let client = Client::new(config);
        GlueCrawler {
            catalog: GlueCatalog::from_client(client.clone()),
            client,
            name: name.to_owned(),
        }
    }

    /// Starts the crawler and waits until it is done.
    ///
    /// # Errors
    /// A [`UsageError`] where there is no such crawler (the nearest is named); an error with Glue's words and the place
    /// of its log where the crawl failed or was cancelled; [`Interrupted`] where `stop` was cancelled: the crawl goes on.
    pub async fn run(&self, stop: &CancellationToken) -> anyhow::Result<GlueCrawlReport> {
        tokio::select! {
            report = self.crawl() => report,
            () = stop.cancelled() => Err(Interrupted::new(format!(
                "no longer waiting; the crawl goes on (aws glue stop-crawler --name {} ends it)",
                self.name
            ))
            .into()),
        }
    }

    async fn crawl(&self) -> anyhow::Result<GlueCrawlReport> {
        let started = Instant::now();
        let (before, tables_before) = loop {
            let crawler = self.ready().await?;
            let tables = self.tables(crawler.database_name()).await?;
            if self.start().await? {
                break (Run(crawler.last_crawl), tables);
            }
            tracing::info!(
                "the crawler {} is at work already, perhaps since before the newest objects: waiting to start it anew",
                self.name
            );
            tokio::time::sleep(PAUSE_MIN).await;
        };
        let crawler = self.done(&before).await?;
        let last = crawler.last_crawl();
        let log = last.and_then(log_of);
        refuse_failure(&self.name, last, log.as_deref())?;
        let tables_after = self.tables(crawler.database_name()).await?;
        let mut report = GlueCrawlReport {
            crawler: self.name.clone(),
            database: crawler.database_name,
            seconds: started.elapsed().as_secs_f64(),
            metrics: self.metrics().await,
            dpu_hours: self.dpu_hours().await,
            log,
            ..GlueCrawlReport::default()
        };
        report.compare(&tables_before, &tables_after);
        Ok(report)
    }

    /// Starts the crawler; `false` where it is at work already.
    async fn start(&self) -> anyhow::Result<bool> {
        match self.client.start_crawler().name(&self.name).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.code() {
                Some("CrawlerRunningException" | "CrawlerStoppingException") => Ok(false),
                _ => Err(self.explained(&error, "starting the crawler").await),
            },
        }
    }

    async fn get(&self) -> anyhow::Result<Crawler> {
        match self.client.get_crawler().name(&self.name).send().await {
            Ok(answer) => answer
                .crawler
                .ok_or_else(|| anyhow::anyhow!("AWS Glue says nothing about the crawler {}", self.name)),
            Err(error) => Err(self.explained(&error, "asking for the crawler").await),
        }
    }

    /// Waits until the crawler is at rest.
    async fn ready(&self) -> anyhow::Result<Crawler> {
        let mut pause = PAUSE_MIN;
        loop {
            let crawler = self.get().await?;
            if crawler.state() == Some(&CrawlerState::Ready) {
                return Ok(crawler);
            }
            self.pause(&crawler, &mut pause).await;
        }
    }

    /// Waits until a crawl is over that is another than `before`.
    async fn done(&self, before: &Run) -> anyhow::Result<Crawler> {
        let (started, mut pause) = (Instant::now(), PAUSE_MIN);
        let mut seen_at_work = false;
        loop {
            let crawler = self.get().await?;
            let at_rest = crawler.state() == Some(&CrawlerState::Ready);
            if at_rest && !before.is(crawler.last_crawl()) {
                return Ok(crawler);
            }
            seen_at_work |= !at_rest;
            if at_rest && !seen_at_work && started.elapsed() > START_MAX {
                anyhow::bail!(
                    "AWS Glue took the order to start the crawler {} and has not begun in {} s",
                    self.name,
                    START_MAX.as_secs()
                );
            }
            self.pause(&crawler, &mut pause).await;
        }
    }

    async fn pause(&self, crawler: &Crawler, pause: &mut Duration) {
        let state = crawler.state().map_or("in an unknown state", CrawlerState::as_str);
        let seconds = crawler.crawl_elapsed_time() / 1000;
        tracing::info!("the crawler {} is {state}, for {seconds} s by Glue's clock", self.name);
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSE_MAX);
    }

    async fn tables(&self, database: Option<&str>) -> anyhow::Result<BTreeMap<String, Table>> {
        let Some(database) = database else {
            return Ok(BTreeMap::new());
        };
        let found = match self.catalog.tables(database).await {
            Err(crate::catalog::CatalogError::NotFound { .. }) => Vec::new(),
            found => found?,
        };
        Ok(found.into_iter().map(|table| (table.name.clone(), table)).collect())
    }

    /// Glue's counters; not every server that speaks its protocol, and not every role, has them.
    async fn metrics(&self) -> Option<CrawlerCounts> {
        let answer = self
            .client
            .get_crawler_metrics()
            .crawler_name_list(&self.name)
            .send()
            .await;
        let answer = answer.inspect_err(|error| tracing::debug!(error = %DisplayErrorContext(error), "no metrics"));
        let all = answer.ok()?.crawler_metrics_list?;
        let of = all.into_iter().find(|of| of.crawler_name() == Some(&self.name))?;
        Some(CrawlerCounts {
            created: of.tables_created(),
            updated: of.tables_updated(),
            deleted: of.tables_deleted(),
        })
    }

    /// What the newest crawl is charged by.
    async fn dpu_hours(&self) -> Option<f64> {
        let answer = self
            .client
            .list_crawls()
            .crawler_name(&self.name)
            .max_results(1)
            .send()
            .await;
        let answer = answer.inspect_err(|error| tracing::debug!(error = %DisplayErrorContext(error), "no history"));
        let newest = answer.ok()?.crawls?.into_iter().next()?;
        Some(newest.dpu_hour()).filter(|hours| *hours > 0.0)
    }

    async fn explained<E, R>(&self, error: &SdkError<E, R>, doing: &str) -> anyhow::Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let message = error.message().unwrap_or_default();
        match error.code() {
            Some("EntityNotFoundException") => {
                let listed = self.client.list_crawlers().send().await;
                let names = listed.ok().and_then(|listed| listed.crawler_names).unwrap_or_default();
                UsageError::unknown("crawler", &self.name, names.iter().map(String::as_str)).into()
            }
            Some("UnknownOperationException") => UsageError::new(
                "the catalog's server has no crawlers: --glue-crawler is for AWS Glue; --lake has ours crawl",
            )
            .into(),
            Some(code @ ("AccessDeniedException" | "UnrecognizedClientException" | "ExpiredTokenException")) => {
                anyhow::anyhow!(
                    "no permission for {doing} ({code}): {message}; needed are glue:StartCrawler, GetCrawler and GetTables"
                )
            }
            Some(code) => anyhow::anyhow!("{doing} {}: {code}: {message}", self.name),
            None => anyhow::anyhow!("{doing} {}: {}", self.name, DisplayErrorContext(error)),
        }
    }
}

impl Run {
    fn is(&self, other: Option<&LastCrawlInfo>) -> bool {
        let mark = |of: &LastCrawlInfo| (of.start_time().copied(), of.message_prefix().map(str::to_owned));
        self.0.as_ref().map(mark) == other.map(mark)
    }
}

fn log_of(last: &LastCrawlInfo) -> Option<String> {
    let parts = [last.log_group(), last.log_stream(), last.message_prefix()];
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// An error for a crawl that did not come to a good end.
fn refuse_failure(name: &str, last: Option<&LastCrawlInfo>, log: Option<&str>) -> anyhow::Result<()> {
    let log = log.map(|log| format!("; its log: {log}")).unwrap_or_default();
    let reason = last
        .and_then(|last| last.error_message())
        .unwrap_or("no reason was given");
    match last.and_then(|last| last.status()) {
        Some(LastCrawlStatus::Failed) => Err(anyhow::anyhow!("the crawl by {name} failed: {reason}{log}")),
        Some(LastCrawlStatus::Cancelled) => Err(anyhow::anyhow!("the crawl by {name} was cancelled: {reason}{log}")),
        _ => Ok(()),
    }
}

impl GlueCrawlReport {
    fn compare(&mut self, before: &BTreeMap<String, Table>, after: &BTreeMap<String, Table>) {
        for (name, table) in after {
            match before.get(name) {
                None => self.tables_created.push(name.clone()),
                Some(old) if old != table => self.tables_updated.push(name.clone()),
                Some(_) => {}
            }
        }
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        self.tables_deleted.extend(gone.cloned());
    }
}

impl fmt::Display for GlueCrawlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.database.as_deref().unwrap_or("no database");
        write!(
            f,
            "the crawler {} has crawled into {database} in {:.1} s",
            self.crawler, self.seconds
        )?;
        match self.dpu_hours {
            Some(hours) => writeln!(f, ", {hours} DPU-hours")?,
            None => writeln!(f)?,
        }
        for (what, names) in [
            ("created", &self.tables_created),
            ("updated", &self.tables_updated),
            ("deleted", &self.tables_deleted),
        ] {
            for name in names {
                writeln!(f, "  {what} table {name}")?;
            }
        }
        if self.tables_created.is_empty() && self.tables_updated.is_empty() && self.tables_deleted.is_empty() {
            writeln!(f, "  no table is another than before")?;
        }
        if let Some(all) = &self.metrics {
            let CrawlerCounts {
                created,
                updated,
                deleted,
            } = all;
            writeln!(
                f,
                "  in all its runs: {created} tables created, {updated} updated, {deleted} deleted"
            )?;
        }
        if let Some(log) = &self.log {
            writeln!(f, "  log: {log}")?;
        }
        Ok(())
    }
}
