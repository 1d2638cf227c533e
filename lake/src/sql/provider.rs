//! The catalog as DataFusion asks for it, for the time of one query.
//!
//! Tables are read when they are named, once per query. The names of all of them, which only
//! `information_schema` needs, are read beforehand when the query names it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};

use super::table::{LakeTable, QueryContext};
use crate::catalog::CatalogError;

/// The name of the one catalog, as Athena has it.
pub(super) const CATALOG: &str = "awsdatacatalog";

/// All databases.
#[derive(Debug)]
pub(super) struct LakeCatalog {
    context: QueryContext,
    /// Databases with their tables, where somebody will ask for all names.
    names: BTreeMap<String, Vec<String>>,
    /// So that a table named twice in a query is the same one.
    schemas: Mutex<HashMap<String, Arc<LakeSchema>>>,
}

impl LakeCatalog {
    pub(super) fn new(context: QueryContext) -> LakeCatalog {
        LakeCatalog {
            context,
            names: BTreeMap::new(),
            schemas: Mutex::default(),
        }
    }

    /// With the names of all databases and tables.
    pub(super) async fn with_names(context: QueryContext) -> Result<LakeCatalog, CatalogError> {
        let mut names = BTreeMap::new();
        for database in context.catalog.databases().await? {
            let tables = context.catalog.tables(&database.name).await?;
            let tables = tables.into_iter().map(|table| table.name).collect();
            names.insert(database.name, tables);
        }
        Ok(LakeCatalog {
            names,
            ..LakeCatalog::new(context)
        })
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        let schema = schemas.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(LakeSchema {
                database: name.to_owned(),
                context: self.context.clone(),
                names: self.names.get(name).cloned().unwrap_or_default(),
                tables: tokio::sync::Mutex::default(),
            })
        });
        Some(Arc::clone(schema) as Arc<dyn SchemaProvider>)
    }
}

/// One database.
#[derive(Debug)]
struct LakeSchema {
    database: String,
    context: QueryContext,
    names: Vec<String>,
    tables: tokio::sync::Mutex<HashMap<String, Option<Arc<LakeTable>>>>,
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    fn table_names(&self) -> Vec<String> {
        self.names.clone()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let mut tables = self.tables.lock().await;
        if !tables.contains_key(name) {
            let found = self
                .context
                .catalog
                .table(&self.database, name)
                .await
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            let found = found
                .map(|table| LakeTable::new(table, self.context.clone()))
                .transpose()?;
            tables.insert(name.to_owned(), found.map(Arc::new));
        }
        let table = tables.get(name).cloned().flatten();
        Ok(table.map(|table| table as Arc<dyn TableProvider>))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}
