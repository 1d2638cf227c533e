//! What Glue has no operation for: the objects of tables, which writers register and queries are planned from. AWS Glue
//! answers `UnknownOperationException` to both; that is how a client knows whom it talks to.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Answer;
use super::error::GlueError;
use super::paging::PageRequest;
use crate::catalog::{Catalog, Registration, Snapshot};

/// How many objects one answer has at most: about 15 MB.
const PAGE_ENTRIES_MAX: usize = 50_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Register {
    database_name: String,
    table_name: String,
    registration: Registration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Take {
    /// Without a table it is only asked whether objects are kept here.
    database_name: Option<String>,
    table_name: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    database_name: String,
    table_name: String,
    snapshot: Snapshot,
    partitions: Option<Vec<Vec<String>>>,
    #[serde(flatten)]
    page: PageRequest,
}

fn value(of: impl Serialize) -> Answer {
    serde_json::to_value(of).map_err(|error| GlueError::validation(error.to_string()))
}

pub(super) async fn register(catalog: &dyn Catalog, input: Register) -> Answer {
    let (database, table) = (&input.database_name, &input.table_name);
    let registered = catalog.register_objects(database, table, &input.registration).await?;
    Ok(json!({ "Registered": value(registered)? }))
}

pub(super) async fn snapshot(catalog: &dyn Catalog, input: Take) -> Answer {
    let kept = catalog.keeps_objects().await;
    let snapshot = match (&input.database_name, &input.table_name) {
        (Some(database), Some(table)) => catalog.snapshot(database, table, input.source.as_deref()).await?,
        _ => None,
    };
    Ok(json!({ "Kept": kept, "Snapshot": value(snapshot)? }))
}

pub(super) async fn list(catalog: &dyn Catalog, input: List) -> Answer {
    let (database, table) = (&input.database_name, &input.table_name);
    let partitions = input.partitions.as_deref();
    let Some(mut objects) = catalog.objects(database, table, &input.snapshot, partitions).await? else {
        return Ok(json!({}));
    };
    objects.sort_unstable_by(|a, b| (&a.partition, &a.key).cmp(&(&b.partition, &b.key)));
    let position = |object: &crate::catalog::RegisteredObject| (object.partition.clone(), object.key.clone());
    let (page, token) = input.page.cut(objects, PAGE_ENTRIES_MAX, position)?;
    let mut answer = json!({ "Objects": value(page)? });
    if let Some(token) = token {
        answer["NextToken"] = token.into();
    }
    Ok(answer)
}
