//! Our model to and from the types of the Glue SDK, member by member.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_glue::primitives::DateTime;
use aws_sdk_glue::types as sdk;

use super::super::{CatalogError, Column, Database, Order, Partition, SerDeInfo, StorageDescriptor, Table};

fn invalid(error: aws_sdk_glue::error::BuildError) -> CatalogError {
    CatalogError::Invalid(error.to_string())
}

fn to_map(of: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!of.is_empty()).then(|| of.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn from_map(of: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    of.unwrap_or_default().into_iter().collect()
}

fn ms(of: Option<DateTime>) -> Option<i64> {
    of.and_then(|time| time.to_millis().ok())
}

pub(super) fn database_input(database: &Database) -> Result<sdk::DatabaseInput, CatalogError> {
    sdk::DatabaseInput::builder()
        .name(database.name.to_lowercase())
        .set_description(database.description.clone())
        .set_location_uri(database.location.clone())
        .set_parameters(to_map(&database.parameters))
        .build()
        .map_err(invalid)
}

pub(super) fn database(database: sdk::Database) -> Database {
    Database {
        name: database.name,
        description: database.description,
        location: database.location_uri,
        parameters: from_map(database.parameters),
        create_time_ms: ms(database.create_time),
    }
}

fn columns_to(columns: &[Column]) -> Vec<sdk::Column> {
    let build = |column: &Column| {
        sdk::Column::builder()
            .name(&column.name)
            .r#type(&column.hive_type)
            .set_comment(column.comment.clone())
            .build()
            .ok()
    };
    columns.iter().filter_map(build).collect()
}

fn columns_from(columns: Option<Vec<sdk::Column>>) -> Vec<Column> {
    let build = |column: sdk::Column| Column {
        name: column.name,
        hive_type: column.r#type.unwrap_or_else(|| "string".to_owned()),
        comment: column.comment,
    };
    columns.unwrap_or_default().into_iter().map(build).collect()
}

fn storage_to(storage: &StorageDescriptor) -> sdk::StorageDescriptor {
    let list = |of: &[String]| (!of.is_empty()).then(|| of.to_vec());
    let order = |order: &Order| {
        sdk::Order::builder()
            .column(&order.column)
            .sort_order(order.sort_order)
            .build()
            .ok()
    };
    let serde = storage.serde_info.as_ref().map(|serde| {
        sdk::SerDeInfo::builder()
            .set_name(serde.name.clone())
            .set_serialization_library(serde.serialization_library.clone())
            .set_parameters(to_map(&serde.parameters))
            .build()
    });
    let sorted: Vec<_> = storage.sort_columns.iter().filter_map(order).collect();
    sdk::StorageDescriptor::builder()
        .set_columns(Some(columns_to(&storage.columns)))
        .set_location(storage.location.clone())
        .set_additional_locations(list(&storage.additional_locations))
        .set_input_format(storage.input_format.clone())
        .set_output_format(storage.output_format.clone())
        .compressed(storage.compressed)
        .number_of_buckets(storage.number_of_buckets)
        .set_serde_info(serde)
        .set_bucket_columns(list(&storage.bucket_columns))
        .set_sort_columns((!sorted.is_empty()).then_some(sorted))
        .set_parameters(to_map(&storage.parameters))
        .stored_as_sub_directories(storage.stored_as_sub_directories)
        .build()
}

fn storage_from(storage: sdk::StorageDescriptor) -> StorageDescriptor {
    let order = |order: sdk::Order| Order {
        column: order.column,
        sort_order: order.sort_order,
    };
    StorageDescriptor {
        columns: columns_from(storage.columns),
        location: storage.location,
        additional_locations: storage.additional_locations.unwrap_or_default(),
        input_format: storage.input_format,
        output_format: storage.output_format,
        compressed: storage.compressed,
        number_of_buckets: storage.number_of_buckets,
        serde_info: storage.serde_info.map(|serde| SerDeInfo {
            name: serde.name,
            serialization_library: serde.serialization_library,
            parameters: from_map(serde.parameters),
        }),
        bucket_columns: storage.bucket_columns.unwrap_or_default(),
        sort_columns: storage
            .sort_columns
            .unwrap_or_default()
            .into_iter()
            .map(order)
            .collect(),
        parameters: from_map(storage.parameters),
        stored_as_sub_directories: storage.stored_as_sub_directories,
    }
}

pub(super) fn table_input(table: &Table) -> Result<sdk::TableInput, CatalogError> {
    let keys = columns_to(&table.partition_keys);
    sdk::TableInput::builder()
        .name(&table.name)
        .set_description(table.description.clone())
        .set_owner(table.owner.clone())
        .retention(table.retention)
        .set_storage_descriptor(table.storage_descriptor.as_ref().map(storage_to))
        .set_partition_keys(Some(keys))
        .set_view_original_text(table.view_original_text.clone())
        .set_view_expanded_text(table.view_expanded_text.clone())
        .set_table_type(table.table_type.clone())
        .set_parameters(to_map(&table.parameters))
        .build()
        .map_err(invalid)
}

pub(super) fn table(table: sdk::Table, database: &str) -> Table {
    Table {
        database: table.database_name.unwrap_or_else(|| database.to_owned()),
        name: table.name,
        description: table.description,
        owner: table.owner,
        retention: table.retention,
        storage_descriptor: table.storage_descriptor.map(storage_from),
        partition_keys: columns_from(table.partition_keys),
        view_original_text: table.view_original_text,
        view_expanded_text: table.view_expanded_text,
        table_type: table.table_type,
        parameters: from_map(table.parameters),
        create_time_ms: ms(table.create_time),
        update_time_ms: ms(table.update_time),
        version_id: table.version_id,
    }
}

pub(super) fn partition_input(partition: &Partition) -> sdk::PartitionInput {
    sdk::PartitionInput::builder()
        .set_values(Some(partition.values.clone()))
        .set_storage_descriptor(partition.storage_descriptor.as_ref().map(storage_to))
        .set_parameters(to_map(&partition.parameters))
        .build()
}

pub(super) fn partition(partition: sdk::Partition) -> Partition {
    Partition {
        values: partition.values.unwrap_or_default(),
        storage_descriptor: partition.storage_descriptor.map(storage_from),
        parameters: from_map(partition.parameters),
        create_time_ms: ms(partition.creation_time),
    }
}
