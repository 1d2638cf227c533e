//! What Glue has no operation for: the objects of tables, which writers register and queries are planned from. Three
//! operations, which AWS Glue isn't asked for: a client knows by a header whom it talks to ([`super::KEEPS_OBJECTS`]).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Answer;
use super::error::GlueError;
use super::paging::{PageRequest, token_of};
use crate::catalog::{Catalog, ObjectsPart, Registration, Snapshot};

/// How many objects one answer has at most.
const PAGE_ENTRIES_MAX: usize = 50_000;
/// About how many bytes one answer has at most.
const PAGE_BYTES_MAX: usize = 8 << 20;

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
    database_name: String,
    table_name: String,
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
    let (database, table) = (&input.database_name, &input.table_name);
    let snapshot = catalog.snapshot(database, table, input.source.as_deref()).await?;
    Ok(json!({ "Snapshot": value(snapshot)? }))
}

pub(super) async fn list(catalog: &dyn Catalog, input: List) -> Answer {
    let (database, table) = (&input.database_name, &input.table_name);
    let part = ObjectsPart {
        after: input.page.after()?,
        entries_max: input.page.size(PAGE_ENTRIES_MAX),
        bytes_max: PAGE_BYTES_MAX,
    };
    let partitions = input.partitions.as_deref();
    let found = catalog.objects_part(database, table, &input.snapshot, partitions, &part);
    let Some(found) = found.await? else {
        return Ok(json!({}));
    };
    let last = found.objects.last().filter(|_| found.more);
    let token = last.and_then(|last| token_of(&(&last.partition, &last.key)));
    let mut answer = json!({ "Objects": value(&found.objects)? });
    if let Some(token) = token {
        answer["NextToken"] = token.into();
    }
    Ok(answer)
}
