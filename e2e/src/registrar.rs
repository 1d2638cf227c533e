//! What the sink commits, told to the lake's catalog: the consumer knows no catalog, the lake no consumer, and this is where they
//! meet.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tickertape_consumer::{Committed, Format, Registrar};
use tickertape_lake::catalog::{
    Catalog, Column, DEFAULT_DATABASE, TableFormat, columns_of_schema, ensure_database, ensure_table,
    register_partitions, schema_of_columns,
};

/// Registers tables, columns and partitions in a catalog of Glue's model.
#[derive(Debug)]
pub(crate) struct CatalogRegistrar {
    catalog: Arc<dyn Catalog>,
}

impl CatalogRegistrar {
    pub(crate) fn new(catalog: Arc<dyn Catalog>) -> CatalogRegistrar {
        CatalogRegistrar { catalog }
    }
}

#[async_trait]
impl Registrar for CatalogRegistrar {
    async fn table_schema(&self, table: &str) -> anyhow::Result<Option<SchemaRef>> {
        let found = self.catalog.table(DEFAULT_DATABASE, table).await?;
        found
            .map(|table| Ok(Arc::new(schema_of_columns(table.columns())?)))
            .transpose()
    }

    async fn register(&self, committed: &Committed) -> anyhow::Result<()> {
        let format = match committed.format {
            Format::Parquet => TableFormat::Parquet,
            Format::Json => TableFormat::Json,
        };
        let keys = committed
            .partition
            .iter()
            .map(|(name, _)| Column::new(name, "string"))
            .collect();
        let location = committed.location.to_string();
        let columns = columns_of_schema(&committed.schema);
        let wanted = format.table(DEFAULT_DATABASE, &committed.table, &location, columns, keys);
        ensure_database(self.catalog.as_ref(), DEFAULT_DATABASE).await?;
        let table = ensure_table(self.catalog.as_ref(), &wanted).await?.table;
        let folder: Vec<String> = committed
            .partition
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let values = committed.partition.iter().map(|(_, value)| value.clone()).collect();
        let place = format!("{}/{}", location.trim_end_matches('/'), folder.join("/"));
        register_partitions(self.catalog.as_ref(), &table, &[(values, place)]).await?;
        Ok(())
    }
}
