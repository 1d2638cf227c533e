//! What is known of a table's columns, and how it grows.
//!
//! While no file has a column, its type widens: nothing known → a type, int → double as long as all of them are the same
//! number there, int → decimal(20,0) where there are integers beyond 63 bits, anything in conflict → text;
//! objects and lists widen inside. So whatever order messages are seen in, the type they end with is the same, and
//! a new field never has to close a file.
//!
//! Once Parquet files have it, the type stays, since Athena reads no file whose column has another type than the
//! table's. A table then only gets new columns: of new fields, and of values that don't fit ([`beside`]).

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
    /// A number with so many digits, so many of them behind the point; where the user asks for it, and of 20 digits where
    /// there are integers beyond 63 bits.
    Decimal {
        /// All digits.
        precision: u8,
        /// Those behind the point.
        scale: u8,
    },
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
    /// There may be files with it, and readers that can't read one type as another: its type stays. What doesn't fit
    /// goes into a column beside it ([`beside`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
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
            // Integers of 64 bits have up to 19 digits.
            (mine @ Self::Int, Self::Decimal { precision, scale }) if *precision >= 19 + scale => *mine = other.clone(),
            (Self::Decimal { precision, scale }, Self::Int) if *precision >= 19 + *scale => {}
            (Self::Struct(mine), Self::Struct(theirs)) => widen_columns(mine, theirs),
            (Self::List(mine), Self::List(theirs)) => mine.widen(theirs),
            (mine, _) if mine == other => {}
            (mine, _) => *mine = Self::Text,
        }
    }

    /// Takes in new fields of objects, and leaves types as they are.
    fn extend(&mut self, other: &Self) {
        match (&mut *self, other) {
            (mine @ Self::Unknown, _) => *mine = other.clone(),
            (Self::Struct(mine), Self::Struct(theirs)) => widen_columns(mine, theirs),
            (Self::List(mine), Self::List(theirs)) => mine.extend(theirs),
            _ => {}
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
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, i8::try_from(*scale).ok()?),
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
            DataType::Decimal128(precision, scale) if (0..=38).contains(scale) && *precision <= 38 => Self::Decimal {
                precision: *precision,
                scale: scale.unsigned_abs(),
            },
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
            fixed: false,
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

    /// From now on files have these columns: their types stay.
    pub fn fix(&mut self) {
        fix_columns(&mut self.columns);
    }

    /// Whether files with these columns can be read as the table's: those that the table has too have its types.
    pub fn is_readable_as(&self, table: &Self) -> bool {
        readable_columns(&self.columns, &table.columns)
    }
}

/// The name of the column that takes what doesn't fit a column whose type stays: `price` has `price__double` beside it
/// for numbers, and `price__string` for everything else.
pub fn beside(name: &str, kind: &ColumnType) -> String {
    let suffix = if *kind == ColumnType::Double {
        "double"
    } else {
        "string"
    };
    format!("{name}__{suffix}")
}

fn fix_columns(columns: &mut [Column]) {
    for column in columns {
        column.fixed = column.kind != ColumnType::Unknown;
        let mut kind = &mut column.kind;
        while let ColumnType::List(item) = kind {
            kind = item;
        }
        if let ColumnType::Struct(inner) = kind {
            fix_columns(inner);
        }
    }
}

fn readable_columns(of: &[Column], table: &[Column]) -> bool {
    of.iter().all(|column| {
        let known = table.iter().find(|known| known.name == column.name);
        known.is_none_or(|known| is_readable(&column.kind, &known.kind))
    })
}

fn is_readable(of: &ColumnType, table: &ColumnType) -> bool {
    match (of, table) {
        (ColumnType::Unknown, _) | (_, ColumnType::Unknown) => true,
        (ColumnType::Struct(of), ColumnType::Struct(table)) => readable_columns(of, table),
        (ColumnType::List(of), ColumnType::List(table)) => is_readable(of, table),
        (of, table) => of == table,
    }
}

fn widen_columns(mine: &mut Vec<Column>, theirs: &[Column]) {
    for theirs in theirs {
        match mine.iter_mut().find(|mine| mine.name == theirs.name) {
            Some(mine) if mine.fixed => mine.kind.extend(&theirs.kind),
            Some(mine) if theirs.fixed => {
                let before = std::mem::replace(&mut mine.kind, theirs.kind.clone());
                mine.kind.extend(&before);
                mine.fixed = true;
            }
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
            Just(ColumnType::Decimal {
                precision: 12,
                scale: 4
            }),
            Just(ColumnType::Decimal {
                precision: 20,
                scale: 0
            }),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|item| ColumnType::List(Box::new(item))),
                prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|fields| {
                    ColumnType::Struct(
                        fields
                            .into_iter()
                            .map(|(name, kind)| Column {
                                name,
                                kind,
                                fixed: false,
                            })
                            .collect(),
                    )
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
                    fixed: c.fixed,
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
            let schema = TableSchema { columns: vec![Column { name: "a".into(), kind, fixed: false }] };
            let text = serde_json::to_string(&schema).unwrap();
            prop_assert_eq!(&serde_json::from_str::<TableSchema>(&text).unwrap(), &schema);
            let arrow = schema.to_arrow();
            prop_assert_eq!(TableSchema::from_arrow(&arrow).to_arrow(), arrow);
        }
    }

    #[test]
    fn what_files_have_stays_and_new_fields_come_beside_it() {
        let column = |name: &str, kind| Column {
            name: name.into(),
            kind,
            fixed: false,
        };
        let inner = vec![column("x", ColumnType::Int)];
        let mut table = TableSchema {
            columns: vec![column("a", ColumnType::Int), column("o", ColumnType::Struct(inner))],
        };
        table.fix();
        let inner = vec![column("x", ColumnType::Text), column("y", ColumnType::Text)];
        let other = TableSchema {
            columns: vec![column("a", ColumnType::Double), column("o", ColumnType::Struct(inner))],
        };
        assert!(!other.is_readable_as(&table));
        table.widen(&other);
        assert_eq!(table.columns[0].kind, ColumnType::Int);
        let ColumnType::Struct(fields) = &table.columns[1].kind else {
            panic!("{table:?}")
        };
        assert_eq!(
            (&fields[0].kind, &fields[1].kind),
            (&ColumnType::Int, &ColumnType::Text)
        );
        let mut known_to_one = TableSchema {
            columns: vec![column("a", ColumnType::Double)],
        };
        known_to_one.widen(&table);
        assert_eq!(known_to_one.columns[0].kind, ColumnType::Int);
        assert!(known_to_one.is_readable_as(&table));
    }
}
