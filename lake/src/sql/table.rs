//! A table of the catalog as DataFusion sees it: partitions first, then their objects as registered or as listed, then
//! footers of those of which not enough is known, and only then rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

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
use super::{footers, listing, partitions, registered};
use crate::catalog::{
    Catalog, Partition, PartitionFilter, RegisteredObject, Snapshot, Table, TableFormat, schema_of_columns,
};

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
    /// What objects it had when the query first looked; none where the catalog doesn't keep them.
    snapshot: tokio::sync::OnceCell<Option<Snapshot>>,
    /// Whether the query's first look at its objects was at the registered ones.
    is_registered: OnceLock<bool>,
}

fn external(error: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::External(error.to_string().into())
}

/// An object of a partition.
pub(super) struct Found {
    /// The partition's values.
    pub(super) values: Vec<ScalarValue>,
    pub(super) meta: ObjectMeta,
    /// What the catalog knows of it.
    pub(super) registered: Option<RegisteredObject>,
}

/// A partition that the filters leave, with its typed values.
type Wanted = (Partition, Vec<ScalarValue>);

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
            snapshot: tokio::sync::OnceCell::new(),
            is_registered: OnceLock::new(),
        })
    }

    /// The partitions that the filters leave, and whether they are nearly all that there are.
    async fn wanted_partitions(&self, state: &dyn Session, filters: &[Expr]) -> Result<(Vec<Wanted>, bool)> {
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

    /// What objects there are to be seen by this query. Taken before partitions are read: those of all that it has are
    /// registered by then.
    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        if !self.table.has_registered_objects() {
            return Ok(None);
        }
        let (database, name) = (&self.table.database, &self.table.name);
        let take = || self.context.catalog.snapshot(database, name, None);
        let snapshot = self.snapshot.get_or_try_init(take).await.map_err(external)?;
        Ok(*snapshot)
    }

    /// The objects of the partitions that the filters leave.
    async fn objects(&self, objects: &Objects, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Found>> {
        let snapshot = self.snapshot().await?;
        let (wanted, nearly_all) = self.wanted_partitions(state, filters).await?;
        let found = match snapshot {
            Some(snapshot) => self.registered(&snapshot, &wanted, nearly_all).await?,
            None => None,
        };
        // A listing may have what the registered objects don't: a query that names the table twice goes by one of them.
        if *self.is_registered.get_or_init(|| found.is_some()) != found.is_some() {
            let name = self.table.qualified_name();
            return Err(external(format!(
                "{name} was changed while the query was planned: its objects are listed from now on; ask once more"
            )));
        }
        match found {
            Some(found) => registered::ask_uncounted(objects, found).await,
            None => self.listed(objects, wanted, nearly_all).await,
        }
    }

    /// From the catalog, unless it keeps them no longer.
    async fn registered(&self, snapshot: &Snapshot, wanted: &[Wanted], nearly_all: bool) -> Result<Option<Vec<Found>>> {
        let of_values: HashMap<&[String], &Vec<ScalarValue>> = wanted
            .iter()
            .map(|(partition, values)| (partition.values.as_slice(), values))
            .collect();
        let only: Option<Vec<Vec<String>>> =
            (!nearly_all).then(|| wanted.iter().map(|(partition, _)| partition.values.clone()).collect());
        let (database, name) = (&self.table.database, &self.table.name);
        let objects = self.context.catalog.objects(database, name, snapshot, only.as_deref());
        let Some(objects) = objects.await.map_err(external)? else {
            return Ok(None);
        };
        let mut found = Vec::with_capacity(objects.len());
        for object in objects {
            let Some(values) = of_values.get(object.partition.as_slice()) else {
                continue;
            };
            found.push(Found {
                values: (*values).clone(),
                meta: registered::meta_of(&object)?,
                registered: Some(object),
            });
        }
        Ok(Some(found))
    }

    async fn listed(&self, objects: &Objects, wanted: Vec<Wanted>, nearly_all: bool) -> Result<Vec<Found>> {
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
        let values = wanted.into_iter().map(|(_, values)| values);
        let found = values.zip(listed).flat_map(|(values, metas)| {
            metas.into_iter().map(move |meta| Found {
                values: values.clone(),
                meta,
                registered: None,
            })
        });
        Ok(found.collect())
    }

    /// The files of a scan with what is known of them: by the catalog, else by their footers.
    async fn files(&self, objects: &Objects, found: Vec<Found>) -> Result<Vec<PartitionedFile>> {
        let schema = self.schema.file_schema();
        let of_catalog = |found: &Found| registered::statistics_of(found.registered.as_ref()?, schema);
        let known: Vec<Option<Arc<Statistics>>> = found.iter().map(of_catalog).collect();
        let unknown = found.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<ObjectMeta> = unknown.map(|(found, _)| found.meta.clone()).collect();
        let mut footers = match self.format {
            TableFormat::Parquet => footers::load_all(objects, &unknown).await?,
            TableFormat::Json | TableFormat::Csv(_) => Vec::new(),
        }
        .into_iter();
        let mut files = Vec::with_capacity(found.len());
        for (found, known) in found.into_iter().zip(known) {
            let mut file = PartitionedFile::new_from_meta(found.meta).with_partition_values(found.values);
            let known = known.or_else(|| footers.next().map(|footer| footer.statistics(schema)));
            if let Some(known) = known {
                file = registered::with_statistics(file, known);
            }
            files.push(file);
        }
        Ok(files)
    }

    /// The statistics of all files together; nothing is known of them where one has none.
    fn merged(&self, files: &[PartitionedFile]) -> Result<Statistics> {
        let table_schema = self.schema.table_schema();
        match files.iter().all(|file| file.statistics.is_some()) {
            true => {
                Statistics::try_merge_iter(files.iter().filter_map(|file| file.statistics.as_deref()), table_schema)
            }
            false => Ok(Statistics::new_unknown(table_schema)),
        }
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
        let found = self.objects(&objects, state, filters).await?;
        let files = self.files(&objects, found).await?;
        let files = registered::prune(state, filters, &self.schema, files)?;
        ScanCounters::add(&objects.counters.files, files.len() as u64);
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema().project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let statistics = self.merged(&files)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Column, LocalCatalog, Registration, list_from_now_on};
    use datafusion::prelude::SessionContext;

    #[tokio::test]
    async fn a_query_that_names_a_table_twice_finds_its_objects_in_one_way() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Arc::new(LocalCatalog::open(dir.path()).unwrap());
        let columns = vec![Column::new("seq", "bigint")];
        let keys = vec![Column::new("dt", "string")];
        let table = TableFormat::Parquet.table("default", "t", "s3://bucket/t", columns, keys);
        let table = table.with_registered_objects();
        catalog.create_table(&table).await.unwrap();
        let day = vec!["2012-01-01".to_owned()];
        let partition = Partition::of_table(&table, day.clone(), "s3://bucket/t/dt=2012-01-01/");
        catalog.create_partitions("default", "t", &[partition]).await.unwrap();
        let object = RegisteredObject {
            partition: day,
            key: "t/dt=2012-01-01/a.parquet".to_owned(),
            bytes: 100,
            rows: Some(1),
            ..RegisteredObject::default()
        };
        let registration = Registration {
            source: "t/0".to_owned(),
            start: 0,
            end: 1,
            objects: vec![object],
        };
        catalog.register_objects("default", "t", &registration).await.unwrap();
        let context = QueryContext {
            catalog: catalog.clone(),
            // Nobody is there: what was registered needs no request.
            connection: Arc::new(S3Connection::new("http://127.0.0.1:1", "key", "secret")),
            cache: Arc::new(ObjectCache::new()),
            counters: Arc::new(ScanCounters::default()),
        };
        let read = catalog.table("default", "t").await.unwrap().unwrap();
        let once = LakeTable::new(read, context).unwrap();
        let state = SessionContext::new().state();
        once.scan(&state, None, &[], None).await.unwrap();
        once.scan(&state, None, &[], None).await.unwrap();
        list_from_now_on(catalog.as_ref(), "default", "t").await.unwrap();
        let changed = once.scan(&state, None, &[], None).await.unwrap_err().to_string();
        assert!(
            changed.contains("default.t was changed while the query was planned"),
            "{changed}"
        );
    }
}
