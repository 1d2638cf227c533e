//! CreatePartition, GetPartition, UpdatePartition, DeletePartition, GetPartitions, and their batches.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::databases::with_token;
use super::error::GlueError;
use super::paging::PageRequest;
use super::tables::find;
use crate::catalog::{Catalog, CatalogError, Partition, PartitionFilter};

/// Glue's own limits.
const PAGE_ENTRIES_MAX: usize = 1000;
const CREATE_BATCH_MAX: usize = 100;
const UPDATE_BATCH_MAX: usize = 100;
const DELETE_BATCH_MAX: usize = 25;
const GET_BATCH_MAX: usize = 1000;

/// The table that every request here names.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfTable {
    database_name: String,
    table_name: String,
}

impl OfTable {
    /// A partition as Glue answers it: with its table.
    fn described(&self, partition: &Partition) -> Result<Value, GlueError> {
        let mut value = serde_json::to_value(partition).map_err(|error| GlueError::validation(error.to_string()))?;
        value["DatabaseName"] = self.database_name.to_lowercase().into();
        value["TableName"] = self.table_name.to_lowercase().into();
        Ok(value)
    }

    async fn require(&self, catalog: &dyn Catalog) -> Result<(), GlueError> {
        find(catalog, &self.database_name, &self.table_name).await.map(drop)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    #[serde(flatten)]
    of: OfTable,
    partition_input: Partition,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateBatch {
    #[serde(flatten)]
    of: OfTable,
    partition_input_list: Vec<Partition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    #[serde(flatten)]
    of: OfTable,
    partition_values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Values {
    values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch {
    #[serde(flatten)]
    of: OfTable,
    #[serde(alias = "PartitionsToDelete")]
    partitions_to_get: Vec<Values>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    #[serde(flatten)]
    of: OfTable,
    partition_value_list: Vec<String>,
    partition_input: Partition,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateEntry {
    partition_value_list: Vec<String>,
    partition_input: Partition,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateBatch {
    #[serde(flatten)]
    of: OfTable,
    entries: Vec<UpdateEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Segment {
    segment_number: usize,
    total_segments: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    #[serde(flatten)]
    of: OfTable,
    expression: Option<String>,
    segment: Option<Segment>,
    #[serde(default)]
    exclude_column_schema: bool,
    #[serde(flatten)]
    page: PageRequest,
}

fn limit(len: usize, max: usize) -> Result<(), GlueError> {
    match len {
        1.. if len <= max => Ok(()),
        _ => Err(GlueError::validation(format!(
            "a batch has between 1 and {max} partitions, not {len}"
        ))),
    }
}

fn partition_error(values: &[String], error: GlueError) -> Value {
    let detail = json!({ "ErrorCode": error.code, "ErrorMessage": error.message });
    json!({ "PartitionValues": values, "ErrorDetail": detail })
}

fn already_there() -> GlueError {
    GlueError::new("AlreadyExistsException", "Partition already exists.")
}

pub(super) async fn create(catalog: &dyn Catalog, input: Create) -> Answer {
    input.of.require(catalog).await?;
    let (of, partition) = (&input.of, std::slice::from_ref(&input.partition_input));
    match catalog
        .create_partitions(&of.database_name, &of.table_name, partition)
        .await?
        .is_empty()
    {
        true => Ok(json!({})),
        false => Err(already_there()),
    }
}

pub(super) async fn create_batch(catalog: &dyn Catalog, input: CreateBatch) -> Answer {
    limit(input.partition_input_list.len(), CREATE_BATCH_MAX)?;
    input.of.require(catalog).await?;
    let of = &input.of;
    let known = catalog
        .create_partitions(&of.database_name, &of.table_name, &input.partition_input_list)
        .await?;
    let errors: Vec<Value> = known
        .iter()
        .map(|values| partition_error(values, already_there()))
        .collect();
    Ok(json!({ "Errors": errors }))
}

pub(super) async fn get(catalog: &dyn Catalog, input: Named) -> Answer {
    input.of.require(catalog).await?;
    let of = &input.of;
    match catalog
        .partition(&of.database_name, &of.table_name, &input.partition_values)
        .await?
    {
        Some(partition) => Ok(json!({ "Partition": of.described(&partition)? })),
        None => Err(GlueError::no_partition()),
    }
}

pub(super) async fn get_batch(catalog: &dyn Catalog, input: Batch) -> Answer {
    limit(input.partitions_to_get.len(), GET_BATCH_MAX)?;
    input.of.require(catalog).await?;
    let of = &input.of;
    let mut found = Vec::new();
    for wanted in &input.partitions_to_get {
        if let Some(partition) = catalog
            .partition(&of.database_name, &of.table_name, &wanted.values)
            .await?
        {
            found.push(of.described(&partition)?);
        }
    }
    Ok(json!({ "Partitions": found, "UnprocessedKeys": [] }))
}

pub(super) async fn list(catalog: &dyn Catalog, input: List) -> Answer {
    input.of.require(catalog).await?;
    let filter = match input
        .expression
        .as_deref()
        .filter(|expression| !expression.trim().is_empty())
    {
        Some(expression) => expression
            .parse::<PartitionFilter>()
            .map_err(|error| GlueError::invalid(format!("Expression {expression:?}: {error}")))?,
        None => PartitionFilter::all(),
    };
    let of = &input.of;
    let mut all = catalog.partitions(&of.database_name, &of.table_name, &filter).await?;
    if let Some(segment) = &input.segment {
        if segment.total_segments == 0 || segment.segment_number >= segment.total_segments {
            return Err(GlueError::invalid("Segment: SegmentNumber must be below TotalSegments"));
        }
        let mut at = 0;
        all.retain(|_| {
            at += 1;
            (at - 1) % segment.total_segments == segment.segment_number
        });
    }
    let (mut page, token) = input
        .page
        .cut(all, PAGE_ENTRIES_MAX, |partition| partition.values.clone())?;
    if input.exclude_column_schema {
        for storage in page
            .iter_mut()
            .filter_map(|partition| partition.storage_descriptor.as_mut())
        {
            storage.columns.clear();
        }
    }
    let page = page
        .iter()
        .map(|partition| of.described(partition))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(with_token(json!({ "Partitions": page }), token))
}

pub(super) async fn update(catalog: &dyn Catalog, input: Update) -> Answer {
    input.of.require(catalog).await?;
    replace(catalog, &input.of, &input.partition_value_list, &input.partition_input).await?;
    Ok(json!({}))
}

pub(super) async fn update_batch(catalog: &dyn Catalog, input: UpdateBatch) -> Answer {
    limit(input.entries.len(), UPDATE_BATCH_MAX)?;
    input.of.require(catalog).await?;
    let mut errors = Vec::new();
    for entry in &input.entries {
        let replaced = replace(catalog, &input.of, &entry.partition_value_list, &entry.partition_input).await;
        if let Err(error) = replaced {
            let detail = json!({ "ErrorCode": error.code, "ErrorMessage": error.message });
            errors.push(json!({ "PartitionValueList": entry.partition_value_list, "ErrorDetail": detail }));
        }
    }
    Ok(json!({ "Errors": errors }))
}

/// Values that are left out of the new description stay as they are.
async fn replace(
    catalog: &dyn Catalog,
    of: &OfTable,
    values: &[String],
    partition: &Partition,
) -> Result<(), GlueError> {
    let mut partition = partition.clone();
    if partition.values.is_empty() {
        partition.values = values.to_vec();
    }
    Ok(catalog
        .update_partition(&of.database_name, &of.table_name, values, &partition)
        .await?)
}

pub(super) async fn delete(catalog: &dyn Catalog, input: Named) -> Answer {
    input.of.require(catalog).await?;
    let (of, values) = (&input.of, [input.partition_values.clone()]);
    match catalog
        .delete_partitions(&of.database_name, &of.table_name, &values)
        .await?
        .is_empty()
    {
        true => Ok(json!({})),
        false => Err(GlueError::no_partition()),
    }
}

pub(super) async fn delete_batch(catalog: &dyn Catalog, input: Batch) -> Answer {
    limit(input.partitions_to_get.len(), DELETE_BATCH_MAX)?;
    input.of.require(catalog).await?;
    let of = &input.of;
    let values: Vec<Vec<String>> = input
        .partitions_to_get
        .into_iter()
        .map(|wanted| wanted.values)
        .collect();
    let missing = match catalog
        .delete_partitions(&of.database_name, &of.table_name, &values)
        .await
    {
        Ok(missing) => missing,
        Err(CatalogError::NotFound { what: "partition", .. }) => values,
        Err(error) => return Err(error.into()),
    };
    let errors: Vec<Value> = missing
        .iter()
        .map(|values| partition_error(values, GlueError::no_partition()))
        .collect();
    Ok(json!({ "Errors": errors }))
}
