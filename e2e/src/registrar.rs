//! What the sink commits, told to the lake's catalog: the consumer knows no catalog, the lake no consumer, and this is where they
//! meet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tickertape_consumer::{Committed, Compression, Format, Registrar};
use tickertape_lake::catalog::{
    Catalog, Column, DEFAULT_DATABASE, PartitionFilter, Table, TableFormat, align_partitions, columns_of_schema,
    ensure_database, ensure_table, register_partitions, schema_of_columns,
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
        let keys = committed.partition.iter();
        let keys = keys.map(|(name, _)| Column::new(name, "string")).collect();
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
    async fn align(&self, table: &Table) -> anyhow::Result<()> {
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
    async fn table_schema(&self, table: &str) -> anyhow::Result<Option<SchemaRef>> {
        let found = self.catalog.table(&self.database, table).await?;
        found
            .map(|table| Ok(Arc::new(schema_of_columns(table.columns())?)))
            .transpose()
    }

    async fn register(&self, committed: &Committed) -> anyhow::Result<()> {
        let location = committed.location.to_string();
        let wanted = self.wanted(committed, &location);
        ensure_database(self.catalog.as_ref(), &self.database).await?;
        let table = ensure_table(self.catalog.as_ref(), &wanted).await?.table;
        let folder: Vec<String> = committed
            .partition
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let values = committed.partition.iter().map(|(_, value)| value.clone()).collect();
        let place = format!("{}/{}", location.trim_end_matches('/'), folder.join("/"));
        register_partitions(self.catalog.as_ref(), &table, &[(values, place)]).await?;
        self.align(&table).await
    }
}
