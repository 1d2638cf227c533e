//! Hive's type names, as Athena and Glue know them, to and from Arrow's types.
//!
//! Every type has one Arrow type that SQL shows it as. Timestamps are microseconds without a zone:
//! fine enough that no object's milliseconds are lost, and Athena's own values read the same.
//! Arrow types that Hive lacks become the narrowest that holds all their values (`uint32` →
//! `bigint`, `uint64` → `decimal(20,0)`), or `string`.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use thiserror::Error;

use super::Column;

/// A type as Hive writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HiveType {
    /// `boolean`
    Boolean,
    /// `tinyint`, 8 bits
    TinyInt,
    /// `smallint`, 16 bits
    SmallInt,
    /// `int` (also read from `integer`), 32 bits
    Int,
    /// `bigint` (also read from `long`), 64 bits
    BigInt,
    /// `float` (also read from `real`)
    Float,
    /// `double`
    Double,
    /// `decimal(precision,scale)`
    Decimal(u8, i8),
    /// `string` (also read from `varchar(n)` and `char(n)`, whose lengths nobody checks)
    String,
    /// `binary`
    Binary,
    /// `date`
    Date,
    /// `timestamp`
    Timestamp,
    /// `array<type>`
    Array(Box<HiveType>),
    /// `map<type,type>`
    Map(Box<HiveType>, Box<HiveType>),
    /// `struct<name:type,…>`
    Struct(Vec<(String, HiveType)>),
}

/// A type that is none of Hive's.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("not a Hive type, at byte {position}: {name}")]
pub struct HiveTypeError {
    /// What was given.
    pub name: String,
    /// Where the understanding ended.
    pub position: usize,
}

/// Types may be nested no deeper than this: the names come from users and peers.
const DEPTH_MAX: usize = 64;

impl HiveType {
    /// Reads a type's name, in any case.
    pub fn parse(name: &str) -> Result<HiveType, HiveTypeError> {
        let mut parser = Parser { name, position: 0 };
        let parsed = parser.hive_type(0)?;
        parser.skip_spaces();
        match parser.position == name.len() {
            true => Ok(parsed),
            false => Err(parser.error()),
        }
    }

    /// Whether values compare as numbers.
    pub fn is_numeric(&self) -> bool {
        matches!(
            self,
            HiveType::TinyInt
                | HiveType::SmallInt
                | HiveType::Int
                | HiveType::BigInt
                | HiveType::Float
                | HiveType::Double
                | HiveType::Decimal(..)
        )
    }

    /// The Arrow type that SQL shows.
    pub fn to_arrow(&self) -> DataType {
        match self {
            HiveType::Boolean => DataType::Boolean,
            HiveType::TinyInt => DataType::Int8,
            HiveType::SmallInt => DataType::Int16,
            HiveType::Int => DataType::Int32,
            HiveType::BigInt => DataType::Int64,
            HiveType::Float => DataType::Float32,
            HiveType::Double => DataType::Float64,
            HiveType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
            HiveType::String => DataType::Utf8,
            HiveType::Binary => DataType::Binary,
            HiveType::Date => DataType::Date32,
            HiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            HiveType::Array(item) => DataType::new_list(item.to_arrow(), true),
            HiveType::Map(key, value) => {
                let entries = Fields::from(vec![
                    Field::new("key", key.to_arrow(), false),
                    Field::new("value", value.to_arrow(), true),
                ]);
                let entries = Field::new("entries", DataType::Struct(entries), false);
                DataType::Map(Arc::new(entries), false)
            }
            HiveType::Struct(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|(name, hive)| Field::new(name, hive.to_arrow(), true))
                    .collect(),
            ),
        }
    }

    /// The type that holds every value of an Arrow type; `None` for `Null`, which says nothing yet.
    pub fn from_arrow(data_type: &DataType) -> Option<HiveType> {
        Some(match data_type {
            DataType::Null => return None,
            DataType::Boolean => HiveType::Boolean,
            DataType::Int8 => HiveType::TinyInt,
            DataType::Int16 | DataType::UInt8 => HiveType::SmallInt,
            DataType::Int32 | DataType::UInt16 => HiveType::Int,
            DataType::Int64 | DataType::UInt32 => HiveType::BigInt,
            DataType::UInt64 => HiveType::Decimal(20, 0),
            DataType::Float16 | DataType::Float32 => HiveType::Float,
            DataType::Float64 => HiveType::Double,
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
                HiveType::Decimal(*p, *s)
            }
            DataType::Decimal256(p, s) if *p <= 38 => HiveType::Decimal(*p, *s),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                HiveType::Binary
            }
            DataType::Date32 | DataType::Date64 => HiveType::Date,
            DataType::Timestamp(..) => HiveType::Timestamp,
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => HiveType::Array(Box::new(HiveType::from_arrow(item.data_type())?)),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => HiveType::Map(
                    Box::new(HiveType::from_arrow(fields[0].data_type())?),
                    Box::new(HiveType::from_arrow(fields[1].data_type())?),
                ),
                _ => HiveType::String,
            },
            DataType::Struct(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .filter_map(|field| {
                        let hive = HiveType::from_arrow(field.data_type())?;
                        Some((field.name().to_lowercase(), hive))
                    })
                    .collect();
                match fields.is_empty() {
                    true => return None,
                    false => HiveType::Struct(fields),
                }
            }
            DataType::Dictionary(_, value) => return HiveType::from_arrow(value),
            DataType::RunEndEncoded(_, value) => return HiveType::from_arrow(value.data_type()),
            _ => HiveType::String,
        })
    }
}

impl fmt::Display for HiveType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HiveType::Boolean => f.write_str("boolean"),
            HiveType::TinyInt => f.write_str("tinyint"),
            HiveType::SmallInt => f.write_str("smallint"),
            HiveType::Int => f.write_str("int"),
            HiveType::BigInt => f.write_str("bigint"),
            HiveType::Float => f.write_str("float"),
            HiveType::Double => f.write_str("double"),
            HiveType::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            HiveType::String => f.write_str("string"),
            HiveType::Binary => f.write_str("binary"),
            HiveType::Date => f.write_str("date"),
            HiveType::Timestamp => f.write_str("timestamp"),
            HiveType::Array(item) => write!(f, "array<{item}>"),
            HiveType::Map(key, value) => write!(f, "map<{key},{value}>"),
            HiveType::Struct(fields) => {
                f.write_str("struct<")?;
                for (at, (name, hive)) in fields.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{name}:{hive}")?;
                }
                f.write_str(">")
            }
        }
    }
}

/// The Arrow schema of catalog columns, all nullable. A type that is none of Hive's is an error that
/// names it.
pub fn schema_of_columns(columns: &[Column]) -> Result<Schema, HiveTypeError> {
    let fields = columns
        .iter()
        .map(|column| {
            let hive = HiveType::parse(&column.hive_type)?;
            Ok(Field::new(&column.name, hive.to_arrow(), true))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Schema::new(fields))
}

/// The catalog columns of an Arrow schema, names in lower case. Columns of which nothing but nulls was
/// seen are left out, and of two names that differ in case only the first stays.
pub fn columns_of_schema(schema: &Schema) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name().to_lowercase();
        if columns.iter().any(|column| column.name == name) {
            continue;
        }
        if let Some(hive) = HiveType::from_arrow(field.data_type()) {
            columns.push(Column::new(name, hive.to_string()));
        }
    }
    columns
}

struct Parser<'a> {
    name: &'a str,
    position: usize,
}

impl Parser<'_> {
    fn error(&self) -> HiveTypeError {
        HiveTypeError {
            name: self.name.to_owned(),
            position: self.position,
        }
    }

    fn rest(&self) -> &str {
        &self.name[self.position..]
    }

    fn skip_spaces(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, symbol: char) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len_utf8();
        }
        found
    }

    fn require(&mut self, symbol: char) -> Result<(), HiveTypeError> {
        self.eat(symbol).then_some(()).ok_or_else(|| self.error())
    }

    /// Everything up to one of Hive's delimiters.
    fn word(&mut self) -> String {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest
            .find(|c: char| "<>(),:".contains(c) || c.is_whitespace())
            .unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.position += end;
        word
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, HiveTypeError> {
        let start = self.position;
        self.word().parse().map_err(|_| {
            self.position = start;
            self.error()
        })
    }

    fn hive_type(&mut self, depth: usize) -> Result<HiveType, HiveTypeError> {
        self.skip_spaces();
        let start = self.position;
        let word = self.word().to_lowercase();
        if depth > DEPTH_MAX {
            return Err(self.error());
        }
        Ok(match word.as_str() {
            "boolean" => HiveType::Boolean,
            "tinyint" => HiveType::TinyInt,
            "smallint" => HiveType::SmallInt,
            "int" | "integer" => HiveType::Int,
            "bigint" | "long" => HiveType::BigInt,
            "float" | "real" => HiveType::Float,
            "double" => HiveType::Double,
            "decimal" => self.decimal()?,
            "string" => HiveType::String,
            "varchar" | "char" => {
                if self.eat('(') {
                    self.number::<u32>()?;
                    self.require(')')?;
                }
                HiveType::String
            }
            "binary" => HiveType::Binary,
            "date" => HiveType::Date,
            "timestamp" => HiveType::Timestamp,
            "array" => {
                self.require('<')?;
                let item = self.hive_type(depth + 1)?;
                self.require('>')?;
                HiveType::Array(Box::new(item))
            }
            "map" => {
                self.require('<')?;
                let key = self.hive_type(depth + 1)?;
                self.require(',')?;
                let value = self.hive_type(depth + 1)?;
                self.require('>')?;
                HiveType::Map(Box::new(key), Box::new(value))
            }
            "struct" => {
                self.require('<')?;
                let mut fields = Vec::new();
                while !self.eat('>') {
                    if !fields.is_empty() {
                        self.require(',')?;
                    }
                    let name = self.word();
                    self.require(':')?;
                    fields.push((name, self.hive_type(depth + 1)?));
                }
                HiveType::Struct(fields)
            }
            _ => {
                self.position = start;
                return Err(self.error());
            }
        })
    }

    fn decimal(&mut self) -> Result<HiveType, HiveTypeError> {
        if !self.eat('(') {
            return Ok(HiveType::Decimal(10, 0));
        }
        let start = self.position;
        let precision: u8 = self.number()?;
        let scale: i8 = if self.eat(',') { self.number()? } else { 0 };
        self.require(')')?;
        let fits = (1..=38).contains(&precision) && scale >= 0 && scale as u8 <= precision;
        if !fits {
            self.position = start;
            return Err(self.error());
        }
        Ok(HiveType::Decimal(precision, scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_type() -> impl Strategy<Value = HiveType> {
        let leaf = prop_oneof![
            Just(HiveType::Boolean),
            Just(HiveType::TinyInt),
            Just(HiveType::SmallInt),
            Just(HiveType::Int),
            Just(HiveType::BigInt),
            Just(HiveType::Float),
            Just(HiveType::Double),
            (1u8..=38)
                .prop_flat_map(|p| (Just(p), 0..=p as i8))
                .prop_map(|(p, s)| HiveType::Decimal(p, s)),
            Just(HiveType::String),
            Just(HiveType::Binary),
            Just(HiveType::Date),
            Just(HiveType::Timestamp),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|t| HiveType::Array(Box::new(t))),
                (inner.clone(), inner.clone()).prop_map(|(k, v)| HiveType::Map(Box::new(k), Box::new(v))),
                proptest::collection::vec(("[a-z_][a-z0-9_]{0,6}", inner), 1..4).prop_map(HiveType::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn names_and_arrow_types_lead_back(hive in any_type()) {
            prop_assert_eq!(&HiveType::parse(&hive.to_string()).unwrap(), &hive);
            prop_assert_eq!(HiveType::from_arrow(&hive.to_arrow()), Some(hive));
        }

        #[test]
        fn no_name_panics(name in "[a-z<>(),: 0-9]{0,40}") {
            let _ = HiveType::parse(&name);
        }
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        for (name, wanted) in [
            ("INTEGER", "int"),
            ("varchar(20)", "string"),
            ("decimal", "decimal(10,0)"),
            ("Decimal( 12 , 4 )", "decimal(12,4)"),
            (
                "array< struct< a : int , b:map<string,double> > >",
                "array<struct<a:int,b:map<string,double>>>",
            ),
        ] {
            assert_eq!(HiveType::parse(name).unwrap().to_string(), wanted);
        }
        for (name, position) in [
            ("", 0),
            ("text", 0),
            ("array<int", 9),
            ("decimal(40,2)", 8),
            ("int int", 4),
        ] {
            assert_eq!(HiveType::parse(name).unwrap_err().position, position, "{name}");
        }
        let deep = "array<".repeat(100_000);
        assert!(HiveType::parse(&deep).is_err());
    }

    #[test]
    fn a_column_of_nulls_says_nothing_and_the_first_of_two_names_stays() {
        let schema = Schema::new(vec![
            Field::new("Close", DataType::Float64, true),
            Field::new("nothing", DataType::Null, true),
            Field::new("close", DataType::Utf8, true),
        ]);
        assert_eq!(columns_of_schema(&schema), [Column::new("close", "double")]);
    }
}
