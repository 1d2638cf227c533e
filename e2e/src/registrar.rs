//! What the sink commits, told to the lake's catalog: the consumer knows no catalog, the lake no consumer, and this is where they
//! meet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::Schema;
use async_trait::async_trait;
use tickertape_consumer::schema::PARTITION_COLUMN;
use tickertape_consumer::{Committed, Compression, Format, KnownTable, ObjectInfo, RangeKind, Refusal, Registrar};
use tickertape_lake::catalog::{
    self, Catalog, CatalogError, Column, DEFAULT_DATABASE, PartitionFilter, Registered, RegisteredObject, Registration,
    Table, TableFormat, align_partitions, columns_of_schema, ensure_database, ensure_table, list_from_now_on,
    register_partitions, schema_of_columns,
};

/// Registers tables, columns and partitions in a catalog of Glue's model.
#[derive(Debug)]
pub(crate) struct CatalogRegistrar {
    catalog: Arc<dyn Catalog>,
    database: String,
    /// The columns that every partition of a table had when this last looked.
    aligned: Mutex<BTreeMap<String, Vec<Column>>>,
}

impl CatalogRegistrar {
    pub(crate) fn new(catalog: Arc<dyn Catalog>) -> CatalogRegistrar {
        CatalogRegistrar {
            catalog,
            database: DEFAULT_DATABASE.to_owned(),
            aligned: Mutex::default(),
        }
    }

    /// The same with another database, which is created where it is missing.
    pub(crate) fn in_database(mut self, name: String) -> CatalogRegistrar {
        self.database = name;
        self
    }

    /// The table that a batch's objects make, as Athena wants it described.
    fn wanted(&self, committed: &Committed, location: &str) -> Table {
        let keys = vec![Column::new(PARTITION_COLUMN, "string")];
        let columns = columns_of_schema(&committed.schema);
        let format = match committed.format {
            Format::Parquet => TableFormat::Parquet,
            Format::Json => TableFormat::Json,
        };
        let mut table = format.table(&self.database, &committed.table, location, columns, keys);
        // How the sink compresses: Athena finds out by itself, and writes in the same way when it is told to insert.
        let (name, codec) = match committed.format {
            Format::Parquet => (
                "parquet.compression",
                match committed.compression {
                    Compression::Zstd => "ZSTD",
                    Compression::Snappy => "SNAPPY",
                    Compression::None => "NONE",
                },
            ),
            Format::Json => ("compressionType", "gzip"),
        };
        table.parameters.insert(name.to_owned(), codec.to_owned());
        if let (Format::Json, Some(storage)) = (committed.format, table.storage_descriptor.as_mut()) {
            storage.compressed = true;
        }
        table
    }

    /// Gives the table's columns to all its partitions where they are others than at the last look: this or another
    /// sink may have widened the table, or died between the table and its partitions.
    async fn align(&self, table: &Table) -> Result<(), CatalogError> {
        let last = |aligned: &BTreeMap<String, Vec<Column>>| aligned.get(&table.name).cloned();
        let known = last(&self.aligned.lock().unwrap_or_else(PoisonError::into_inner));
        if known.as_deref() == Some(table.columns()) {
            return Ok(());
        }
        align_partitions(self.catalog.as_ref(), table, &PartitionFilter::all()).await?;
        let mut aligned = self.aligned.lock().unwrap_or_else(PoisonError::into_inner);
        aligned.insert(table.name.clone(), table.columns().to_vec());
        Ok(())
    }
}

#[async_trait]
impl Registrar for CatalogRegistrar {
    async fn table(&self, table: &str) -> anyhow::Result<Option<KnownTable>> {
        let found = self.catalog.table(&self.database, table).await.map_err(told)?;
        let Some(table) = found else { return Ok(None) };
        let format = TableFormat::of_table(&table).map(|format| format.classification().to_owned());
        // Columns that can't be understood are no reason not to say what else there is: another format is refused for that.
        let schema = match schema_of_columns(table.columns()) {
            Err(_) if !matches!(format.as_deref(), Some("parquet" | "json")) => Schema::empty(),
            schema => schema?,
        };
        Ok(Some(KnownTable {
            name: table.qualified_name(),
            schema: Arc::new(schema),
            location: table
                .location()
                .filter(|location| !location.is_empty())
                .map(str::to_owned),
            format,
            partition_keys: table.partition_keys.iter().map(|key| key.name.clone()).collect(),
        }))
    }

    async fn register(&self, committed: &Committed) -> anyhow::Result<()> {
        let table = self.ensure_table(committed).await.map_err(told)?;
        let Some(table) = table else {
            return Ok(());
        };
        self.register_partitions(committed, &table).await.map_err(told)?;
        self.register_objects(committed, &table).await.map_err(told)
    }

    async fn registered_end(&self, table: &str, source: &str) -> anyhow::Result<Option<i64>> {
        let end = self.end_of_chain(table, source).await;
        end.map_err(told)
    }

    async fn list_from_now_on(&self, table: &str) -> anyhow::Result<()> {
        let listed = list_from_now_on(self.catalog.as_ref(), &self.database, table).await;
        listed.map_err(told)
    }
}

impl CatalogRegistrar {
    /// The batch's table. `None` where there is none and the batch has nothing but rejected messages: they make one only to be
    /// the first link of its chain.
    async fn ensure_table(&self, committed: &Committed) -> Result<Option<Table>, CatalogError> {
        let known = self.catalog.table(&self.database, &committed.table).await?;
        let has_rows = !committed.partitions.is_empty();
        // Only of a table that it knows from the first message on does the catalog have all objects.
        let first = known.is_none() && committed.start == 0 && self.catalog.keeps_objects().await?;
        if !has_rows && !first {
            return Ok(known);
        }
        let mut wanted = self.wanted(committed, &committed.location.to_string());
        if first {
            wanted = wanted.with_registered_objects();
        }
        if let Some(known) = &known {
            refuse_elsewhere(known, &wanted)?;
        }
        ensure_database(self.catalog.as_ref(), &self.database).await?;
        let table = ensure_table(self.catalog.as_ref(), &wanted).await?.table;
        // Another sink may have made it meanwhile.
        refuse_elsewhere(&table, &wanted)?;
        Ok(Some(table))
    }

    async fn register_partitions(&self, committed: &Committed, table: &Table) -> Result<(), CatalogError> {
        if committed.partitions.is_empty() {
            return Ok(());
        }
        let location = committed.location.to_string();
        let place = |values: &[(String, String)]| {
            let folders: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let place = format!("{}/{}", location.trim_end_matches('/'), folders.join("/"));
            (values_of(values), place)
        };
        let partitions = committed.partitions.iter();
        let partitions: Vec<_> = partitions.map(|partition| place(&partition.values)).collect();
        register_partitions(self.catalog.as_ref(), table, &partitions).await?;
        self.align(table).await
    }

    async fn end_of_chain(&self, table: &str, source: &str) -> Result<Option<i64>, CatalogError> {
        let Some(found) = self.catalog.table(&self.database, table).await? else {
            return Ok(self.catalog.keeps_objects().await?.then_some(0));
        };
        if !found.has_registered_objects() {
            return Ok(None);
        }
        let snapshot = self.catalog.snapshot(&self.database, table, Some(source)).await?;
        Ok(snapshot.map(|snapshot| snapshot.source_end))
    }

    /// Registers the batch's objects, if the catalog keeps the table's. One that has missed a batch, or can't have this one,
    /// keeps them no longer.
    async fn register_objects(&self, committed: &Committed, table: &Table) -> Result<(), CatalogError> {
        if !table.has_registered_objects() {
            return Ok(());
        }
        let objects = committed.partitions.iter().flat_map(|partition| {
            let values = values_of(&partition.values);
            partition
                .objects
                .iter()
                .map(move |object| registered(values.clone(), object))
        });
        let registration = Registration {
            source: committed.source.clone(),
            start: committed.start,
            end: committed.end,
            objects: objects.collect(),
        };
        let (database, name) = (&self.database, &table.name);
        let outcome = self.catalog.register_objects(database, name, &registration).await?;
        if outcome == Registered::Done {
            return Ok(());
        }
        tracing::warn!(
            "the catalog has missed objects of {} ({outcome:?} before {} [{}, {})): queries list it from now on",
            table.qualified_name(),
            committed.source,
            committed.start,
            committed.end
        );
        list_from_now_on(self.catalog.as_ref(), database, name).await
    }
}

/// A table's partitions lie below it: those of a table that lies elsewhere would take the place of its own of the same day.
fn refuse_elsewhere(known: &Table, wanted: &Table) -> Result<(), CatalogError> {
    let place = |table: &Table| {
        let location = table.location().unwrap_or_default().trim_end_matches('/').to_owned();
        location
            .split_once("://")
            .map_or(location.clone(), |(_, place)| place.to_owned())
    };
    if place(known) == place(wanted) {
        return Ok(());
    }
    Err(CatalogError::Invalid(format!(
        "the table {} lies at {}, not at {}",
        known.qualified_name(),
        known.location().unwrap_or("no place"),
        wanted.location().unwrap_or("no place")
    )))
}

/// What the sink has to know of an error: whether asking again may mend it.
fn told(error: CatalogError) -> anyhow::Error {
    match error {
        CatalogError::Invalid(_) | CatalogError::Refused(_) => Refusal(error.to_string()).into(),
        error => error.into(),
    }
}

fn values_of(partition: &[(String, String)]) -> Vec<String> {
    partition.iter().map(|(_, value)| value.clone()).collect()
}

/// An object as the catalog keeps it.
fn registered(partition: Vec<String>, object: &ObjectInfo) -> RegisteredObject {
    let range = |range: &tickertape_consumer::ColumnRange| catalog::ColumnRange {
        kind: match range.kind {
            RangeKind::Integer => catalog::RangeKind::Integer,
            RangeKind::Timestamp => catalog::RangeKind::Timestamp,
            RangeKind::Date => catalog::RangeKind::Date,
        },
        min: range.min,
        max: range.max,
        nulls: range.nulls,
    };
    let columns = object.columns.iter().map(|(name, of)| (name.clone(), range(of)));
    RegisteredObject {
        partition,
        key: object.key.clone(),
        bytes: object.bytes,
        rows: object.rows,
        columns: columns.collect(),
        sequence: 0,
    }
}

#[cfg(test)]
mod tests;
