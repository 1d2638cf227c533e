//! Statements about the catalog that DataFusion lacks or answers in its own words: `SHOW DATABASES`,
//! `SHOW TABLES`, `SHOW PARTITIONS`, `DESCRIBE` and `SHOW COLUMNS`, with Hive's names of types.

use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use tickertape_client::UsageError;

use super::table::described;
use crate::catalog::{Catalog, CatalogError, PartitionFilter, Table};

/// A statement about the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Show {
    /// `SHOW DATABASES`, `SHOW SCHEMAS`
    Databases,
    /// `SHOW TABLES [IN|FROM database]`
    Tables(String),
    /// `SHOW PARTITIONS table`
    Partitions(String, String),
    /// `DESCRIBE table`, `DESC table`, `SHOW COLUMNS IN|FROM table`
    Columns(String, String),
}

impl Show {
    /// Recognizes a statement by its first words; `None` for everything else. `database` is that of names without one.
    pub(super) fn parse(sql: &str, database: &str) -> Option<Show> {
        let words: Vec<&str> = sql.split_whitespace().collect();
        let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let table = |at: usize| qualified(words[at], database);
        match lower.as_slice() {
            ["show", "databases" | "schemas"] => Some(Show::Databases),
            ["show", "tables"] => Some(Show::Tables(database.to_owned())),
            ["show", "tables", "in" | "from", _] => Some(Show::Tables(plain_name(words[3]))),
            ["show", "partitions", _] => table(2).map(|(d, t)| Show::Partitions(d, t)),
            ["show", "columns", "in" | "from", _] => table(3).map(|(d, t)| Show::Columns(d, t)),
            ["describe" | "desc", "formatted" | "extended" | "table", _] => table(2).map(|(d, t)| Show::Columns(d, t)),
            ["describe" | "desc", _] => table(1).map(|(d, t)| Show::Columns(d, t)),
            _ => None,
        }
    }

    /// The answer, as text columns.
    pub(super) async fn answer(&self, catalog: &dyn Catalog) -> anyhow::Result<RecordBatch> {
        match self {
            Show::Databases => {
                let databases = catalog.databases().await?;
                let names = databases.into_iter().map(|database| vec![database.name]);
                batch(&["database_name"], names.collect())
            }
            Show::Tables(database) => {
                let tables = match catalog.tables(database).await {
                    Err(CatalogError::NotFound { .. }) => {
                        return Err(unknown_database(catalog, database).await?.into());
                    }
                    tables => tables?,
                };
                let rows = tables.into_iter().map(|table| vec![table.database, table.name]);
                batch(&["database_name", "table_name"], rows.collect())
            }
            Show::Partitions(database, name) => {
                let table = existing(catalog, database, name).await?;
                let all = PartitionFilter::all();
                let partitions = catalog.partitions(database, name, &all).await?;
                let keys: Vec<&str> = table.partition_keys.iter().map(|k| k.name.as_str()).collect();
                if keys.is_empty() {
                    let text = format!("{} is not partitioned", table.qualified_name());
                    return Err(UsageError::new(text).into());
                }
                batch(&keys, partitions.into_iter().map(|p| p.values).collect())
            }
            Show::Columns(database, name) => {
                let table = existing(catalog, database, name).await?;
                let rows = described(&table).into_iter().map(|(name, hive_type, key)| {
                    let note = if key { "partition key" } else { "" };
                    vec![name, hive_type, note.to_owned()]
                });
                batch(&["column_name", "data_type", "comment"], rows.collect())
            }
        }
    }
}

/// `table` or `database.table`, perhaps quoted; `None` for more parts, as `information_schema` has.
fn qualified(name: &str, database: &str) -> Option<(String, String)> {
    let parts: Vec<String> = name.split('.').map(plain_name).collect();
    match parts.as_slice() {
        [table] => Some((database.to_owned(), table.clone())),
        [database, _] if database == "information_schema" => None,
        [database, table] => Some((database.clone(), table.clone())),
        [_, database, table] => Some((database.clone(), table.clone())),
        _ => None,
    }
}

fn plain_name(name: &str) -> String {
    name.trim_matches(['"', '`']).to_lowercase()
}

async fn existing(catalog: &dyn Catalog, database: &str, name: &str) -> anyhow::Result<Table> {
    match catalog.table(database, name).await? {
        Some(table) => Ok(table),
        None => Err(unknown_table(catalog, database, name).await?.into()),
    }
}

/// The error for a table that isn't there, with the nearest that is.
pub(super) async fn unknown_table(catalog: &dyn Catalog, database: &str, name: &str) -> anyhow::Result<UsageError> {
    match catalog.tables(database).await {
        Ok(tables) => {
            let known = tables.iter().map(|table| table.name.as_str());
            Ok(UsageError::unknown("table", name, known))
        }
        Err(CatalogError::NotFound { .. }) => unknown_database(catalog, database).await,
        Err(error) => Err(error).context("looking for tables of a similar name"),
    }
}

async fn unknown_database(catalog: &dyn Catalog, name: &str) -> anyhow::Result<UsageError> {
    let databases = catalog.databases().await?;
    let known = databases.iter().map(|database| database.name.as_str());
    Ok(UsageError::unknown("database", name, known))
}

fn batch(names: &[&str], rows: Vec<Vec<String>>) -> anyhow::Result<RecordBatch> {
    let field = |name: &&str| Field::new(*name, DataType::Utf8, false);
    let schema = Schema::new(names.iter().map(field).collect::<Vec<_>>());
    let column = |at: usize| {
        let values = rows.iter().map(|row| row.get(at).map_or("", String::as_str));
        Arc::new(StringArray::from_iter_values(values)) as ArrayRef
    };
    let columns = (0..names.len()).map(column).collect();
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_recognized_in_any_case() {
        let table = |name: &str| ("market".to_owned(), name.to_owned());
        let columns = |(d, t)| Some(Show::Columns(d, t));
        for (sql, wanted) in [
            ("SHOW databases", Some(Show::Databases)),
            ("show tables", Some(Show::Tables("market".into()))),
            ("show tables IN Prices", Some(Show::Tables("prices".into()))),
            ("Describe Ticks", columns(table("ticks"))),
            ("desc \"ticks\"", columns(table("ticks"))),
            ("describe a.b", columns(("a".into(), "b".into()))),
            ("describe information_schema.tables", None),
            ("show columns from ticks", columns(table("ticks"))),
            ("select 1", None),
            ("show all", None),
            ("", None),
        ] {
            assert_eq!(Show::parse(sql, "market"), wanted, "{sql}");
        }
    }
}
