//! Runs queries.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionConfig;
use tickertape_client::UsageError;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Cost, Interrupted, QueryEngine};
use super::cache::ObjectCache;
use super::connection::S3Connection;
use super::error::explain;
use super::functions;
use super::output::{self, OutputFormat};
use super::provider::{CATALOG, LakeCatalog};
use super::reader::ScanCounters;
use super::show::{Show, unknown_table};
use super::table::QueryContext;
use crate::catalog::{Catalog, DEFAULT_DATABASE};

const INFORMATION_SCHEMA: &str = "information_schema";

/// Answers SQL over a catalog and a store. Any number of queries may run at once; they share what is
/// cached of objects.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<dyn Catalog>,
    connection: Arc<S3Connection>,
    cache: Arc<ObjectCache>,
    database: String,
    state: SessionState,
}

/// Rows, and what they cost.
#[derive(Debug)]
pub struct QueryOutput {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// How many rows there are.
    pub rows: usize,
    /// From the query's text to its last row.
    pub elapsed: Duration,
    /// Objects that were left by partitions and by what is known of the objects' columns.
    pub files: u64,
    /// Bytes that were decoded.
    pub bytes: u64,
    /// Bytes that the store was asked for: the rest was in the cache.
    pub fetched_bytes: u64,
}

impl QueryOutput {
    /// Writes the rows. The costs are left to the caller.
    ///
    /// # Errors
    /// Where the writer fails, or a value can't be written in the format.
    pub fn write(&self, format: OutputFormat, to: &mut dyn Write) -> anyhow::Result<()> {
        output::write(format, &self.schema, &self.batches, to)
    }
}

#[async_trait]
impl QueryEngine for Engine {
    async fn answer(&self, sql: &str, stop: &CancellationToken) -> anyhow::Result<Answer> {
        let output = tokio::select! {
            output = self.query(sql) => output?,
            () = stop.cancelled() => return Err(Interrupted::new("the query was stopped").into()),
        };
        Ok(Answer {
            schema: output.schema,
            batches: output.batches,
            elapsed: output.elapsed,
            cost: Cost::Local {
                objects: output.files,
                bytes: output.bytes,
            },
        })
    }
}

impl Engine {
    /// An engine over a catalog and the store that the catalog's locations lie in.
    pub fn new(catalog: Arc<dyn Catalog>, connection: S3Connection) -> Engine {
        let config = SessionConfig::new()
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, DEFAULT_DATABASE);
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .build();
        if let Err(error) = functions::register(&mut state) {
            tracing::warn!(%error, "Athena's aggregates are missing");
        }
        Engine {
            catalog,
            connection: Arc::new(connection),
            cache: Arc::new(ObjectCache::new()),
            database: DEFAULT_DATABASE.to_owned(),
            state,
        }
    }

    /// The engine with another database for tables that are named without one.
    #[must_use]
    pub fn in_database(mut self, name: &str) -> Engine {
        self.database = name.to_lowercase();
        self.state
            .config_mut()
            .options_mut()
            .catalog
            .default_schema
            .clone_from(&self.database);
        self
    }

    /// Runs one statement and collects its rows.
    ///
    /// # Errors
    /// A [`UsageError`] where the statement is at fault: it doesn't parse, names a
    /// table or column that doesn't exist (the nearest is suggested), or would write.
    pub async fn query(&self, sql: &str) -> anyhow::Result<QueryOutput> {
        let started = Instant::now();
        let sql = sql.trim().trim_end_matches(';').trim_end();
        let context = QueryContext {
            catalog: Arc::clone(&self.catalog),
            connection: Arc::clone(&self.connection),
            cache: Arc::clone(&self.cache),
            counters: Arc::new(ScanCounters::default()),
        };
        let counters = Arc::clone(&context.counters);
        let (schema, batches) = match Show::parse(sql, &self.database) {
            Some(show) => {
                let batch = show.answer(self.catalog.as_ref()).await?;
                (batch.schema(), vec![batch])
            }
            None => self.select(sql, context).await?,
        };
        Ok(QueryOutput {
            rows: batches.iter().map(RecordBatch::num_rows).sum(),
            schema,
            batches,
            elapsed: started.elapsed(),
            files: counters.files.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            fetched_bytes: counters.fetched_bytes.load(Ordering::Relaxed),
        })
    }

    async fn select(&self, sql: &str, context: QueryContext) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
        let mut state = self.state.clone();
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect).map_err(explain)?;
        let named = state.resolve_table_references(&statement).map_err(explain)?;
        let names_wanted = sql.to_lowercase().contains(INFORMATION_SCHEMA) || sql.to_lowercase().starts_with("show");
        let lake = match names_wanted {
            true => LakeCatalog::with_names(context).await?,
            false => LakeCatalog::new(context),
        };
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(lake));
        state.register_catalog_list(Arc::new(catalogs));

        let plan = match state.statement_to_plan(statement).await {
            Ok(plan) => plan,
            Err(error) => {
                self.refuse_unknown(&named).await?;
                return Err(explain(error));
            }
        };
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)
            .map_err(explain)?;
        let frame = DataFrame::new(state, plan);
        let schema = Arc::clone(frame.schema().inner());
        let batches = frame.collect().await.map_err(explain)?;
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        Ok((schema, batches))
    }

    /// Says which table doesn't exist, with the nearest that does, where the planner says less.
    async fn refuse_unknown(&self, named: &[TableReference]) -> anyhow::Result<()> {
        for reference in named {
            let database = reference.schema().unwrap_or(&self.database);
            if database == INFORMATION_SCHEMA {
                continue;
            }
            if let Some(catalog) = reference.catalog()
                && catalog != CATALOG
            {
                return Err(UsageError::unknown("catalog", catalog, [CATALOG]).into());
            }
            let name = reference.table();
            if self.catalog.table(database, name).await?.is_none() {
                return Err(unknown_table(self.catalog.as_ref(), database, name).await?.into());
            }
        }
        Ok(())
    }
}
