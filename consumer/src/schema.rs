//! What is known of a table's columns, and how it grows.
//!
//! A type only ever widens: nothing known → a type, int → double, anything in conflict → text; objects and
//! lists widen inside. So whatever order batches are seen in, the type they end with is the same, and a new
//! field never has to close a file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// The columns that the sink adds to each row, in this order after the event's own.
pub const METADATA_COLUMNS: [&str; 4] = ["_topic", "_partition", "_offset", "_timestamp"];
/// The column that is a folder's name and not stored.
pub const PARTITION_COLUMN: &str = "dt";

/// The type of a column, as JSON and the tables of a lake share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Only nulls, empty lists or empty objects so far: not stored until more is known.
    Unknown,
    /// `true` and `false`.
    Boolean,
    /// 64 bits, signed.
    Int,
    /// 64 bits, IEEE 754.
    Double,
    /// UTF-8; also what values of different types end as, each as its JSON text.
    Text,
    /// Microseconds in UTC.
    Timestamp,
    /// A day.
    Date,
    /// An object.
    Struct(Vec<Column>),
    /// A list of values of one type.
    List(Box<ColumnType>),
}

/// A column of a table, or a field of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, in lower case as catalogs keep it.
    pub name: String,
    /// Its type so far.
    #[serde(rename = "type")]
    pub kind: ColumnType,
}

/// The event's own columns of a table. The metadata columns are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableSchema {
    /// In the order in which they were first seen.
    pub columns: Vec<Column>,
}

impl ColumnType {
    /// The narrowest type that holds both.
    pub fn widen(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Unknown) => {}
            (mine @ Self::Unknown, _) | (mine @ Self::Int, Self::Double) => *mine = other.clone(),
            (Self::Double, Self::Int) => {}
            (Self::Struct(mine), Self::Struct(theirs)) => widen_columns(mine, theirs),
            (Self::List(mine), Self::List(theirs)) => mine.widen(theirs),
            (mine, _) if mine == other => {}
            (mine, _) => *mine = Self::Text,
        }
    }

    /// As Arrow has it; `None` while there is nothing to store.
    fn to_arrow(&self) -> Option<DataType> {
        Some(match self {
            Self::Unknown => return None,
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Struct(columns) => {
                let fields: Fields = columns.iter().filter_map(Column::to_arrow).collect();
                if fields.is_empty() {
                    return None;
                }
                DataType::Struct(fields)
            }
            Self::List(item) => DataType::List(Arc::new(Field::new("element", item.to_arrow()?, true))),
        })
    }

    fn from_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Unknown,
            DataType::Boolean => Self::Boolean,
            kind if kind.is_integer() => Self::Int,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Double,
            kind if kind.is_decimal() => Self::Double,
            DataType::Timestamp(_, _) => Self::Timestamp,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Struct(fields) => Self::Struct(fields.iter().map(|field| Column::from_arrow(field)).collect()),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                Self::List(Box::new(Self::from_arrow(item.data_type())))
            }
            _ => Self::Text,
        }
    }
}

impl Column {
    fn to_arrow(&self) -> Option<Field> {
        Some(Field::new(&self.name, self.kind.to_arrow()?, true))
    }

    fn from_arrow(field: &Field) -> Self {
        Self {
            name: field.name().clone(),
            kind: ColumnType::from_arrow(field.data_type()),
        }
    }
}

impl TableSchema {
    /// What a catalog knows of the table, so that a new sink goes on from there.
    pub fn from_arrow(schema: &Schema) -> Self {
        let own = |name: &str| !METADATA_COLUMNS.contains(&name) && name != PARTITION_COLUMN;
        let fields = schema.fields().iter().filter(|field| own(field.name()));
        Self {
            columns: fields.map(|field| Column::from_arrow(field)).collect(),
        }
    }

    /// The columns of the table's files: the event's own, then the metadata.
    pub fn to_arrow(&self) -> SchemaRef {
        let own = self.columns.iter().filter_map(Column::to_arrow);
        let [topic, partition, offset, timestamp] = METADATA_COLUMNS;
        let metadata = [
            Field::new(topic, DataType::Utf8, false),
            Field::new(partition, DataType::Int32, false),
            Field::new(offset, DataType::Int64, false),
            Field::new(
                timestamp,
                DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
                true,
            ),
        ];
        Arc::new(Schema::new(own.chain(metadata).collect::<Fields>()))
    }

    /// Takes in what another batch taught.
    pub fn widen(&mut self, other: &Self) {
        widen_columns(&mut self.columns, &other.columns);
    }
}

fn widen_columns(mine: &mut Vec<Column>, theirs: &[Column]) {
    for theirs in theirs {
        match mine.iter_mut().find(|mine| mine.name == theirs.name) {
            Some(mine) => mine.kind.widen(&theirs.kind),
            None => mine.push(theirs.clone()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_type() -> impl Strategy<Value = ColumnType> {
        let leaf = prop_oneof![
            Just(ColumnType::Unknown),
            Just(ColumnType::Boolean),
            Just(ColumnType::Int),
            Just(ColumnType::Double),
            Just(ColumnType::Text),
            Just(ColumnType::Timestamp),
            Just(ColumnType::Date),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|item| ColumnType::List(Box::new(item))),
                prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|fields| {
                    ColumnType::Struct(fields.into_iter().map(|(name, kind)| Column { name, kind }).collect())
                }),
            ]
        })
    }

    fn widened(a: &ColumnType, b: &ColumnType) -> ColumnType {
        let mut widened = a.clone();
        widened.widen(b);
        sorted(widened)
    }

    /// Which field came first is the one thing that depends on the order.
    fn sorted(kind: ColumnType) -> ColumnType {
        match kind {
            ColumnType::Struct(mut columns) => {
                columns.sort_by(|a, b| a.name.cmp(&b.name));
                let columns = columns.into_iter().map(|c| Column {
                    name: c.name,
                    kind: sorted(c.kind),
                });
                ColumnType::Struct(columns.collect())
            }
            ColumnType::List(item) => ColumnType::List(Box::new(sorted(*item))),
            other => other,
        }
    }

    proptest! {
        #[test]
        fn widening_does_not_depend_on_the_order(a in any_type(), b in any_type(), c in any_type()) {
            prop_assert_eq!(widened(&a, &b), widened(&b, &a));
            prop_assert_eq!(widened(&widened(&a, &b), &c), widened(&a, &widened(&b, &c)));
            prop_assert_eq!(widened(&a, &a), sorted(a));
        }

        #[test]
        fn a_schema_survives_the_ledger_and_the_catalog(kind in any_type()) {
            let schema = TableSchema { columns: vec![Column { name: "a".into(), kind }] };
            let text = serde_json::to_string(&schema).unwrap();
            prop_assert_eq!(&serde_json::from_str::<TableSchema>(&text).unwrap(), &schema);
            let arrow = schema.to_arrow();
            prop_assert_eq!(TableSchema::from_arrow(&arrow).to_arrow(), arrow);
        }
    }
}
