//! CreateTable, GetTable, GetTables, UpdateTable, DeleteTable, BatchDeleteTable.

use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::databases::with_token;
use super::error::GlueError;
use super::paging::PageRequest;
use crate::catalog::{Catalog, CatalogError, Table};

/// Glue's own limits.
const PAGE_ENTRIES_MAX: usize = 100;
const DELETE_BATCH_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change {
    database_name: String,
    table_input: Table,
    version_id: Option<String>,
}

impl Change {
    fn table(self) -> Table {
        Table {
            database: self.database_name,
            ..self.table_input
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    database_name: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    database_name: String,
    expression: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteBatch {
    database_name: String,
    tables_to_delete: Vec<String>,
}

pub(super) async fn create(catalog: &dyn Catalog, input: Change) -> Answer {
    catalog.create_table(&input.table()).await?;
    Ok(json!({}))
}

pub(super) async fn get(catalog: &dyn Catalog, input: Named) -> Answer {
    Ok(json!({ "Table": find(catalog, &input.database_name, &input.name).await? }))
}

/// A table, or Glue's answer that says what is missing: the table or its database.
pub(super) async fn find(catalog: &dyn Catalog, database: &str, name: &str) -> Result<Table, GlueError> {
    match catalog.table(database, name).await? {
        Some(table) => Ok(table),
        None if catalog.database(database).await?.is_none() => Err(GlueError::no_database(database)),
        None => Err(GlueError::no_table(name)),
    }
}

pub(super) async fn list(catalog: &dyn Catalog, input: List) -> Answer {
    let mut all = catalog.tables(&input.database_name).await?;
    if let Some(expression) = input.expression.as_deref().filter(|expression| !expression.is_empty()) {
        let pattern = Pattern::parse(expression)?;
        all.retain(|table| pattern.matches(&table.name));
    }
    let (page, token) = input.page.cut(all, PAGE_ENTRIES_MAX, |table| table.name.clone())?;
    Ok(with_token(json!({ "TableList": page }), token))
}

pub(super) async fn update(catalog: &dyn Catalog, input: Change) -> Answer {
    let version = input.version_id.clone();
    catalog.update_table(&input.table(), version.as_deref()).await?;
    Ok(json!({}))
}

pub(super) async fn delete(catalog: &dyn Catalog, input: Named) -> Answer {
    catalog.delete_table(&input.database_name, &input.name).await?;
    Ok(json!({}))
}

pub(super) async fn delete_batch(catalog: &dyn Catalog, input: DeleteBatch) -> Answer {
    if input.tables_to_delete.len() > DELETE_BATCH_MAX {
        return Err(GlueError::validation(format!(
            "a batch deletes at most {DELETE_BATCH_MAX} tables"
        )));
    }
    let mut errors = Vec::new();
    for name in input.tables_to_delete {
        match catalog.delete_table(&input.database_name, &name).await {
            Ok(()) => {}
            Err(error @ CatalogError::NotFound { what: "database", .. }) => return Err(error.into()),
            Err(error) => {
                let GlueError { code, message, .. } = error.into();
                let detail = json!({ "ErrorCode": code, "ErrorMessage": message });
                errors.push(json!({ "TableName": name, "ErrorDetail": detail }));
            }
        }
    }
    Ok(json!({ "Errors": errors }))
}

/// The `Expression` of GetTables. Glue takes a regular expression; here letters, digits, `_`, `-` and the
/// wildcards `.*` and `*` are understood, and anything else is refused rather than misread.
struct Pattern<'a>(Vec<&'a str>);

impl<'a> Pattern<'a> {
    fn parse(expression: &'a str) -> Result<Self, GlueError> {
        let pieces: Vec<&str> = expression
            .split('*')
            .map(|piece| piece.strip_suffix('.').unwrap_or(piece))
            .collect();
        let plain = |piece: &&str| piece.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if pieces.iter().all(plain) {
            return Ok(Self(pieces));
        }
        Err(GlueError::invalid(format!(
            "Expression {expression:?}: only names with the wildcards * and .* are understood here"
        )))
    }

    fn matches(&self, name: &str) -> bool {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return false;
        };
        let first = first.to_lowercase();
        if self.0.len() == 1 {
            return name == first;
        }
        let Some(mut rest) = name
            .strip_prefix(first.as_str())
            .and_then(|rest| rest.strip_suffix(&last.to_lowercase()))
        else {
            return false;
        };
        for piece in &self.0[1..self.0.len() - 1] {
            let piece = piece.to_lowercase();
            match rest.find(&piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        for (expression, name, expected) in [
            ("ticks", "ticks", true),
            ("Ticks", "ticks", true),
            ("tick", "ticks", false),
            ("t.*", "ticks", true),
            ("*ck*", "ticks", true),
            ("*", "ticks", true),
            ("b*", "ticks", false),
            ("ticks*ks", "ticks", false),
        ] {
            assert_eq!(
                Pattern::parse(expression).unwrap().matches(name),
                expected,
                "{expression}"
            );
        }
        assert!(Pattern::parse("(a|b)").is_err());
    }
}
