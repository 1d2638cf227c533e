//! A table of the catalog as DataFusion sees it: partitions first, then listings, then footers, and only
//! then rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use object_store::path::Path;
use tickertape_client::s3::S3Url;

use super::adapter::AnyCaseAdapterFactory;
use super::cache::ObjectCache;
use super::connection::S3Connection;
use super::reader::{LakeReaderFactory, Objects, ScanCounters};
use super::text::{TextFormat, TextSource};
use super::{footers, listing, partitions};
use crate::catalog::{Catalog, Partition, PartitionFilter, Table, TableFormat, schema_of_columns};

/// What every table of one query shares.
#[derive(Debug, Clone)]
pub(super) struct QueryContext {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) connection: Arc<S3Connection>,
    pub(super) cache: Arc<ObjectCache>,
    pub(super) counters: Arc<ScanCounters>,
}

/// A table as it stood in the catalog when the query was planned.
#[derive(Debug)]
pub(super) struct LakeTable {
    table: Table,
    format: TableFormat,
    location: S3Url,
    keys: Vec<FieldRef>,
    schema: TableSchema,
    context: QueryContext,
}

fn external(error: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::External(error.to_string().into())
}

/// A partition with its values and the objects that lie under it.
type Listed = (Vec<ScalarValue>, Vec<ObjectMeta>);

impl LakeTable {
    /// Fails where the table has no location, or types or a format that can't be read here.
    pub(super) fn new(table: Table, context: QueryContext) -> Result<LakeTable> {
        let name = table.qualified_name();
        let format = TableFormat::of_table(&table)
            .ok_or_else(|| external(format!("{name} has a format that can't be read here")))?;
        let location: S3Url = table
            .location()
            .ok_or_else(|| external(format!("{name} has no location")))?
            .parse()
            .map_err(|error| external(format!("{name}: {error}")))?;
        let keys = schema_of_columns(&table.partition_keys).map_err(external)?;
        let keys: Vec<FieldRef> = keys.fields().iter().cloned().collect();
        let stored: Vec<_> = table
            .columns()
            .iter()
            .filter(|column| keys.iter().all(|key| *key.name() != column.name))
            .cloned()
            .collect();
        let file_schema = Arc::new(schema_of_columns(&stored).map_err(external)?);
        Ok(LakeTable {
            schema: TableSchema::builder(file_schema)
                .with_table_partition_cols(keys.clone())
                .build(),
            table,
            format,
            location,
            keys,
            context,
        })
    }

    /// The partitions that the filters leave, and whether they are nearly all that there are.
    async fn wanted_partitions(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<(Vec<(Partition, Vec<ScalarValue>)>, bool)> {
        if self.keys.is_empty() {
            let location = self.table.location().unwrap_or_default();
            let all = Partition::of_table(&self.table, Vec::new(), location);
            return Ok((vec![(all, Vec::new())], true));
        }
        let filter = partitions::catalog_filter(filters, &self.keys);
        let found = self
            .context
            .catalog
            .partitions(&self.table.database, &self.table.name, &filter)
            .await
            .map_err(external)?;
        let total = found.len();
        let typed = found
            .into_iter()
            .map(|partition| {
                let values = partitions::typed_values(&partition, &self.keys)?;
                Ok((partition, values))
            })
            .collect::<Result<Vec<_>>>()?;
        let wanted = partitions::passing(state, filters, &self.keys, typed)?;
        let nearly_all = filter == PartitionFilter::all() && wanted.len() * 2 >= total;
        Ok((wanted, nearly_all))
    }

    async fn list(&self, objects: &Objects, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Listed>> {
        let (wanted, nearly_all) = self.wanted_partitions(state, filters).await?;
        let mut prefixes = Vec::with_capacity(wanted.len());
        for (partition, _) in &wanted {
            let location: S3Url = partition
                .location()
                .ok_or_else(|| external(format!("partition {:?} has no location", partition.values)))?
                .parse()
                .map_err(external)?;
            if location.bucket != self.location.bucket {
                return Err(external(format!(
                    "partition {:?} lies in another bucket than {}",
                    partition.values,
                    self.table.qualified_name()
                )));
            }
            prefixes.push(Path::parse(&location.prefix).map_err(external)?);
        }
        let whole = Path::parse(&self.location.prefix).map_err(external)?;
        let whole = nearly_all.then_some(&whole);
        let listed = listing::objects_of(objects.store.as_ref(), &prefixes, whole)
            .await
            .map_err(|error| external(format!("listing {}: {error}", self.location)))?;
        Ok(wanted.into_iter().map(|(_, values)| values).zip(listed).collect())
    }

    /// The files of a scan with what is known of them, and the statistics of all.
    async fn files(&self, objects: &Objects, listed: Vec<Listed>) -> Result<(Vec<PartitionedFile>, Statistics)> {
        let schema = self.schema.file_schema();
        let (values, metas): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .flat_map(|(values, metas)| metas.into_iter().map(move |meta| (values.clone(), meta)))
            .unzip();
        let mut footers = match self.format {
            TableFormat::Parquet => footers::load_all(objects, &metas).await?,
            TableFormat::Json | TableFormat::Csv(_) => Vec::new(),
        }
        .into_iter();
        let mut files = Vec::with_capacity(metas.len());
        for (values, meta) in values.into_iter().zip(metas) {
            let mut file = PartitionedFile::new_from_meta(meta).with_partition_values(values);
            if let Some(footer) = footers.next() {
                file = file.with_statistics(footer.statistics(schema));
            }
            files.push(file);
        }
        let table_schema = self.schema.table_schema();
        let statistics = match self.format {
            TableFormat::Parquet => {
                Statistics::try_merge_iter(files.iter().filter_map(|file| file.statistics.as_deref()), table_schema)?
            }
            _ => Statistics::new_unknown(table_schema),
        };
        Ok((files, statistics))
    }

    fn source(&self, objects: Objects) -> Arc<dyn FileSource> {
        let text =
            |format, objects| Arc::new(TextSource::new(format, objects, self.schema.clone())) as Arc<dyn FileSource>;
        match self.format {
            TableFormat::Parquet => {
                let factory = Arc::new(LakeReaderFactory(objects));
                let source = ParquetSource::new(self.schema.clone());
                Arc::new(source.with_parquet_file_reader_factory(factory))
            }
            TableFormat::Json => text(TextFormat::Json(Arc::new(self.own_names())), objects),
            TableFormat::Csv(dialect) => text(TextFormat::Csv(dialect), objects),
        }
    }

    /// The SerDe's `mapping.<column>`: what a column is called in the objects.
    fn own_names(&self) -> BTreeMap<String, String> {
        let storage = self.table.storage_descriptor.as_ref();
        let serde = storage.and_then(|storage| storage.serde_info.as_ref());
        serde
            .map(|serde| &serde.parameters)
            .into_iter()
            .flatten()
            .filter_map(|(name, own)| Some((name.strip_prefix("mapping.")?.to_owned(), own.clone())))
            .collect()
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match partitions::is_decidable(filter, &self.keys) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let store = self.context.connection.bucket(&self.location.bucket)?;
        let url = ObjectStoreUrl::parse(format!("s3://{}", self.location.bucket))?;
        state
            .runtime_env()
            .register_object_store(url.as_ref(), Arc::clone(&store));
        let objects = Objects {
            bucket: self.location.bucket.as_str().into(),
            store,
            cache: Arc::clone(&self.context.cache),
            counters: Arc::clone(&self.context.counters),
        };
        let listed = self.list(&objects, state, filters).await?;
        let (files, statistics) = self.files(&objects, listed).await?;
        ScanCounters::add(&objects.counters.files, files.len() as u64);
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema().project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(url, self.source(objects))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(AnyCaseAdapterFactory)))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The table's columns and keys as fields, for `DESCRIBE` of what can't be read here too.
pub(super) fn described(table: &Table) -> Vec<(String, String, bool)> {
    let of = |columns: &[crate::catalog::Column], key: bool| -> Vec<(String, String, bool)> {
        columns
            .iter()
            .map(|column| (column.name.clone(), column.hive_type.clone(), key))
            .collect()
    };
    [of(table.columns(), false), of(&table.partition_keys, true)].concat()
}
