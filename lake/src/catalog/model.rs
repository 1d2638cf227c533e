//! Glue's model as plain data.
//!
//! The field names in JSON are Glue's own (`StorageDescriptor`, `SerdeInfo`, …) and absent members
//! are left out, so that one representation serves the store and the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A named set of tables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Database {
    /// Lower case.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where tables go that name no location of their own.
    #[serde(rename = "LocationUri", skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Free properties.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// When it was created; set by the catalog.
    #[serde(
        rename = "CreateTime",
        with = "epoch_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub create_time_ms: Option<i64>,
}

impl Database {
    /// A database with nothing but a name.
    pub fn new(name: &str) -> Self {
        Database {
            name: name.to_lowercase(),
            ..Database::default()
        }
    }
}

/// A column: a name and a type in Hive's notation (see [`super::HiveType`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Column {
    /// Lower case.
    pub name: String,
    /// Hive's name of the type: `bigint`, `array<struct<price:double>>`.
    #[serde(rename = "Type")]
    pub hive_type: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Column {
    /// A column without a comment.
    pub fn new(name: impl Into<String>, hive_type: impl Into<String>) -> Self {
        Column {
            name: name.into(),
            hive_type: hive_type.into(),
            comment: None,
        }
    }
}

/// How rows are written into and read from the objects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SerDeInfo {
    /// Seldom set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The Java class of the SerDe, by which Athena knows the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serialization_library: Option<String>,
    /// The SerDe's own properties.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// A column that the objects are sorted by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Order {
    /// The column.
    pub column: String,
    /// 1 ascending, 0 descending.
    pub sort_order: i32,
}

/// Where the objects are, what they hold and how it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StorageDescriptor {
    /// The columns that stand in the objects: without the partition keys.
    pub columns: Vec<Column>,
    /// `s3://bucket/prefix/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// More locations, kept for others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_locations: Vec<String>,
    /// The Java class of Hadoop's input format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_format: Option<String>,
    /// The Java class of Hadoop's output format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_format: Option<String>,
    /// Whether the objects are compressed; Athena looks at their names instead.
    pub compressed: bool,
    /// For bucketed tables, kept for others.
    pub number_of_buckets: i32,
    /// The SerDe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serde_info: Option<SerDeInfo>,
    /// For bucketed tables, kept for others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bucket_columns: Vec<String>,
    /// How the rows of an object are sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sort_columns: Vec<Order>,
    /// Free properties.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Hive's "stored as directories", kept for others.
    pub stored_as_sub_directories: bool,
}

/// A table. In Glue's protocol `Table` is the answer and `TableInput` the request: the request lacks
/// `DatabaseName`, `CreateTime`, `UpdateTime` and `VersionId`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Table {
    /// The database, in lower case.
    #[serde(rename = "DatabaseName")]
    pub database: String,
    /// Lower case.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// In days, kept for others.
    pub retention: i32,
    /// Where the objects are and what they hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_descriptor: Option<StorageDescriptor>,
    /// The columns whose values stand in the objects' path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partition_keys: Vec<Column>,
    /// Of a view, kept for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_original_text: Option<String>,
    /// Of a view, kept for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_expanded_text: Option<String>,
    /// `EXTERNAL_TABLE` for everything that we write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_type: Option<String>,
    /// Free properties: `classification`, `EXTERNAL`, ….
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// When it was created; set by the catalog.
    #[serde(
        rename = "CreateTime",
        with = "epoch_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub create_time_ms: Option<i64>,
    /// When it was last changed; set by the catalog.
    #[serde(
        rename = "UpdateTime",
        with = "epoch_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub update_time_ms: Option<i64>,
    /// Which state of the table this is: what [`super::Catalog::update_table`] compares. Set by the
    /// catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

impl Table {
    /// The columns that stand in the objects.
    pub fn columns(&self) -> &[Column] {
        self.storage_descriptor
            .as_ref()
            .map_or(&[], |storage| storage.columns.as_slice())
    }

    /// Where the table's objects lie.
    pub fn location(&self) -> Option<&str> {
        self.storage_descriptor.as_ref()?.location.as_deref()
    }

    /// What its next version is called.
    pub(super) fn next_version(&self) -> String {
        let found = self.version_id.as_deref().unwrap_or("0");
        (found.parse::<u64>().unwrap_or(0) + 1).to_string()
    }

    /// `database.name`.
    pub fn qualified_name(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }

    /// A copy with database, name, columns and partition keys in lower case, as the catalog keeps it.
    pub fn normalized(&self) -> Table {
        let mut table = self.clone();
        table.database = table.database.to_lowercase();
        table.name = table.name.to_lowercase();
        let stored = table
            .storage_descriptor
            .iter_mut()
            .flat_map(|storage| storage.columns.iter_mut());
        for column in stored.chain(table.partition_keys.iter_mut()) {
            column.name = column.name.to_lowercase();
        }
        table
    }
}

/// One partition of a table. In Glue's protocol `Partition` is the answer and `PartitionInput` the
/// request: the request lacks `DatabaseName`, `TableName` and `CreationTime`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Partition {
    /// One value per partition key, in their order.
    pub values: Vec<String>,
    /// Where the objects are; columns and formats default to the table's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_descriptor: Option<StorageDescriptor>,
    /// Free properties: `recordCount`, ….
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// When it was created; set by the catalog.
    #[serde(
        rename = "CreationTime",
        with = "epoch_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub create_time_ms: Option<i64>,
}

impl Partition {
    /// A partition of `table` at `location`, with the table's own columns and formats.
    pub fn of_table(table: &Table, values: Vec<String>, location: impl Into<String>) -> Self {
        let mut storage = table.storage_descriptor.clone().unwrap_or_default();
        storage.location = Some(location.into());
        Partition {
            values,
            storage_descriptor: Some(storage),
            ..Partition::default()
        }
    }

    /// Where the partition's objects lie.
    pub fn location(&self) -> Option<&str> {
        self.storage_descriptor.as_ref()?.location.as_deref()
    }
}

/// Glue writes times as seconds since 1970, with a fraction.
mod epoch_seconds {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::ref_option,
        reason = "the signature is serde's: it hands the field by reference"
    )]
    pub(super) fn serialize<S: Serializer>(ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
        match ms {
            Some(ms) => serializer.serialize_f64(*ms as f64 / 1000.0),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        Ok(seconds.map(|seconds| (seconds * 1000.0).round() as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_member_names_of_glue() {
        let table = Table {
            database: "default".into(),
            name: "ticks".into(),
            storage_descriptor: Some(StorageDescriptor {
                columns: vec![Column::new("price", "double")],
                serde_info: Some(SerDeInfo::default()),
                ..StorageDescriptor::default()
            }),
            partition_keys: vec![Column::new("dt", "string")],
            create_time_ms: Some(1_500),
            version_id: Some("0".into()),
            ..Table::default()
        };
        let json = serde_json::to_value(&table).unwrap();
        assert_eq!(json["DatabaseName"], "default");
        assert_eq!(json["StorageDescriptor"]["Columns"][0]["Type"], "double");
        assert!(json["StorageDescriptor"]["SerdeInfo"].is_object());
        assert_eq!(json["PartitionKeys"][0]["Name"], "dt");
        assert_eq!(json["CreateTime"], 1.5);
        assert_eq!(serde_json::from_value::<Table>(json).unwrap(), table);
    }

    #[test]
    fn a_request_with_few_and_unknown_members_is_understood() {
        let table: Table = serde_json::from_str(r#"{"Name":"t","SomethingNew":1,"Parameters":{"a":"b"}}"#).unwrap();
        assert_eq!(table.name, "t");
        assert_eq!(table.parameters["a"], "b");
        assert_eq!(table.storage_descriptor, None);
    }
}
