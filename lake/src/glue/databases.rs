//! CreateDatabase, GetDatabase, GetDatabases, UpdateDatabase, DeleteDatabase.

use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::error::GlueError;
use super::paging::PageRequest;
use crate::catalog::{Catalog, Database};

/// Glue's own limit.
const PAGE_ENTRIES_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    database_input: Database,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    name: String,
    database_input: Database,
}

pub(super) async fn create(catalog: &dyn Catalog, input: Create) -> Answer {
    catalog.create_database(&input.database_input).await?;
    Ok(json!({}))
}

pub(super) async fn get(catalog: &dyn Catalog, input: Named) -> Answer {
    match catalog.database(&input.name).await? {
        Some(database) => Ok(json!({ "Database": database })),
        None => Err(GlueError::no_database(&input.name)),
    }
}

pub(super) async fn list(catalog: &dyn Catalog, input: PageRequest) -> Answer {
    let all = catalog.databases().await?;
    let (page, token) = input.cut(all, PAGE_ENTRIES_MAX, |database| database.name.clone())?;
    Ok(with_token(json!({ "DatabaseList": page }), token))
}

pub(super) async fn update(catalog: &dyn Catalog, input: Update) -> Answer {
    if !input.name.eq_ignore_ascii_case(&input.database_input.name) {
        return Err(GlueError::invalid("a database cannot be renamed"));
    }
    catalog.update_database(&input.database_input).await?;
    Ok(json!({}))
}

pub(super) async fn delete(catalog: &dyn Catalog, input: Named) -> Answer {
    catalog.delete_database(&input.name).await?;
    Ok(json!({}))
}

/// Adds the token of the next page, where there is one.
pub(super) fn with_token(mut answer: serde_json::Value, token: Option<String>) -> serde_json::Value {
    if let Some(token) = token {
        answer["NextToken"] = token.into();
    }
    answer
}
