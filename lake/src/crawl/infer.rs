//! The columns of one object: from a Parquet footer, from the values of JSON lines, from a CSV's header
//! and values.
//!
//! JSON strings that are all RFC 3339 times become `timestamp`, all ISO dates `date`: narrower than
//! `string`, so that a table whose writer declared them as times is not widened by a crawl. JSON and
//! CSV are read up to [`SAMPLE_BYTES_MAX`] of their text; of what was not read to its end, such strings
//! stay strings, since a later value might be none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, Read};

use anyhow::{Context, bail};
use arrow::datatypes::{Field, Schema};
use aws_sdk_s3::Client;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::objects::{self, Object};
use crate::catalog::{Column, CsvDialect, HiveType, SchemaChange, TableFormat, columns_of_schema, widen};
use crate::sql::plain;

/// How much of a JSON or CSV object's text is looked at.
const SAMPLE_BYTES_MAX: u64 = 64 << 20;
/// What is read from the end of a Parquet file at first.
const FOOTER_GUESS_BYTES: u64 = 64 << 10;

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inferred {
    pub(super) format: TableFormat,
    pub(super) columns: Vec<Column>,
    /// JSON names that are not their columns' names, by column.
    pub(super) own_names: BTreeMap<String, String>,
    /// Types within the object that have nothing in common.
    pub(super) conflicts: Vec<SchemaChange>,
}

/// Reads what is needed of an object to know its columns.
pub(super) async fn infer(client: &Client, bucket: &str, object: &Object) -> anyhow::Result<Inferred> {
    match format_by_name(&object.key) {
        Some(TableFormat::Parquet) => parquet(client, bucket, object).await,
        Some(format) => {
            let body = objects::range(client, bucket, &object.key, 0, object.bytes).await?;
            text(format, body)
        }
        None => {
            let start = objects::range(client, bucket, &object.key, 0, object.bytes.min(4)).await?;
            if start.as_ref() == b"PAR1" {
                return parquet(client, bucket, object).await;
            }
            let body = objects::range(client, bucket, &object.key, 0, object.bytes).await?;
            let mut first = [0];
            plain(body.clone()).read_exact(&mut first)?;
            match first {
                [b'{'] => text(TableFormat::Json, body),
                _ => bail!("neither Parquet nor JSON lines, and its name doesn't say what it is"),
            }
        }
    }
}

fn format_by_name(key: &str) -> Option<TableFormat> {
    let name = key.to_lowercase();
    let packed = [".gz", ".deflate", ".bz2", ".zst", ".lz4", ".snappy", ".sz"];
    let name = packed.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    match name.rsplit('.').next()? {
        "parquet" | "pq" => Some(TableFormat::Parquet),
        "json" | "jsonl" | "ndjson" => Some(TableFormat::Json),
        "csv" => Some(TableFormat::Csv(CsvDialect::default())),
        "tsv" => Some(TableFormat::Csv(CsvDialect {
            delimiter: b'\t',
            ..CsvDialect::default()
        })),
        _ => None,
    }
}

async fn parquet(client: &Client, bucket: &str, object: &Object) -> anyhow::Result<Inferred> {
    let mut tail_bytes = object.bytes.min(FOOTER_GUESS_BYTES);
    loop {
        let from = object.bytes - tail_bytes;
        let tail = objects::range(client, bucket, &object.key, from, object.bytes).await?;
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
        match reader.try_parse_sized(&tail, object.bytes) {
            Ok(()) => {
                let metadata = reader.finish()?;
                let file = metadata.file_metadata();
                let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
                return Ok(Inferred {
                    format: TableFormat::Parquet,
                    columns: columns_of_schema(&schema),
                    own_names: BTreeMap::new(),
                    conflicts: Vec::new(),
                });
            }
            Err(ParquetError::NeedMoreData(needed))
                if needed as u64 > tail_bytes && (needed as u64) <= object.bytes =>
            {
                tail_bytes = needed as u64;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn text(format: TableFormat, body: Bytes) -> anyhow::Result<Inferred> {
    let mut sample = plain(body).take(SAMPLE_BYTES_MAX);
    match format {
        TableFormat::Csv(dialect) => csv(dialect, sample),
        _ => json(&mut sample),
    }
}

fn csv(dialect: CsvDialect, sample: impl Read) -> anyhow::Result<Inferred> {
    let (schema, _) = arrow::csv::reader::Format::default()
        .with_header(dialect.header)
        .with_delimiter(dialect.delimiter)
        .with_quote(dialect.quote)
        .with_truncated_rows(true)
        .infer_schema(sample, None)?;
    Ok(Inferred {
        format: TableFormat::Csv(dialect),
        columns: columns_of_schema(&named_by_header(&schema)),
        own_names: BTreeMap::new(),
        conflicts: Vec::new(),
    })
}

/// The columns of a CSV by names that a table can have, each once: the values are found by their position.
fn named_by_header(schema: &Schema) -> Schema {
    let mut taken = BTreeSet::new();
    let fields = schema.fields().iter().enumerate().map(|(at, field)| {
        let mut name = super::layout::table_name(field.name().trim());
        if name.is_empty() {
            name = format!("col{at}");
        }
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| taken.insert(name.clone())).unwrap_or(name);
        field.as_ref().clone().with_name(free)
    });
    Schema::new(fields.collect::<Vec<Field>>())
}

fn json(sample: &mut std::io::Take<Box<dyn BufRead + Send>>) -> anyhow::Result<Inferred> {
    let mut inferred = Inferred {
        format: TableFormat::Json,
        columns: Vec::new(),
        own_names: BTreeMap::new(),
        conflicts: Vec::new(),
    };
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if sample.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if sample.limit() == 0 && !line.ends_with(b"\n") {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if line.trim_ascii_start().first() != Some(&b'{') {
            bail!("line {number} is not a JSON object");
        }
        let members: Members = serde_json::from_slice(&line).with_context(|| format!("line {number}"))?;
        inferred.see(&members.0);
    }
    if sample.limit() == 0 {
        for column in &mut inferred.columns {
            column.hive_type = without_guesses(&column.hive_type);
        }
    }
    Ok(inferred)
}

/// The members of a JSON object in their own order, which becomes that of the columns.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Inferred {
    /// Takes the members of one line into account.
    fn see(&mut self, members: &[(String, Value)]) {
        let known = |columns: &[Column], name: &str, hive: &HiveType| {
            let mut columns = columns.iter();
            columns.any(|column| column.name == name && column.hive_type == hive.to_string())
        };
        for (name, value) in members {
            let Some(hive) = type_of(value) else { continue };
            let lower = name.to_lowercase();
            if known(&self.columns, &lower, &hive) {
                continue;
            }
            if lower != *name {
                self.own_names.insert(lower.clone(), name.clone());
            }
            let (columns, changes) = widen(&self.columns, &[Column::new(lower, hive.to_string())]);
            self.columns = columns;
            for conflict in changes.into_iter().filter(|change| !change.alters()) {
                if !self.conflicts.contains(&conflict) {
                    self.conflicts.push(conflict);
                }
            }
        }
    }
}

/// The narrowest type that holds a JSON value; `None` where it says nothing (null, `[]`, `{}`).
fn type_of(value: &Value) -> Option<HiveType> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => HiveType::Boolean,
        Value::Number(number) if number.is_i64() => HiveType::BigInt,
        Value::Number(number) if number.is_u64() => HiveType::Decimal(20, 0),
        Value::Number(_) => HiveType::Double,
        Value::String(text) => type_of_text(text),
        Value::Array(items) => {
            let mut of = items.iter().filter_map(type_of);
            let first = of.next()?;
            let all = of.try_fold(first, |all, item| crate::catalog::common_type(&all, &item));
            HiveType::Array(Box::new(all.unwrap_or(HiveType::String)))
        }
        Value::Object(members) => {
            let fields: Vec<_> = members
                .iter()
                .filter_map(|(name, value)| Some((name.to_lowercase(), type_of(value)?)))
                .collect();
            match fields.is_empty() {
                true => return None,
                false => HiveType::Struct(fields),
            }
        }
    })
}

fn type_of_text(text: &str) -> HiveType {
    let bytes = text.as_bytes();
    let dated = bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[0].is_ascii_digit();
    if dated && bytes.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() {
        HiveType::Date
    } else if dated && bytes.len() > 10 && DateTime::parse_from_rfc3339(text).is_ok() {
        HiveType::Timestamp
    } else {
        HiveType::String
    }
}

fn without_guesses(hive_type: &str) -> String {
    fn plainer(hive: HiveType) -> HiveType {
        match hive {
            HiveType::Date | HiveType::Timestamp => HiveType::String,
            HiveType::Array(item) => HiveType::Array(Box::new(plainer(*item))),
            HiveType::Struct(fields) => HiveType::Struct(fields.into_iter().map(|(n, t)| (n, plainer(t))).collect()),
            other => other,
        }
    }
    HiveType::parse(hive_type).map_or_else(|_| hive_type.to_owned(), |hive| plainer(hive).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_json(lines: &str) -> Inferred {
        text(TableFormat::Json, Bytes::from(lines.to_owned())).unwrap()
    }

    fn said(inferred: &Inferred) -> Vec<String> {
        let columns = inferred.columns.iter();
        columns.map(|c| format!("{} {}", c.name, c.hive_type)).collect()
    }

    #[test]
    fn json_values_give_the_narrowest_types() {
        let inferred = of_json(concat!(
            r#"{"a":1,"b":null,"Close":1,"when":"2012-01-03T14:30:00Z","date":"2012-01-03","mixed":"2012-01-03"}"#,
            "\n\n",
            r#"{"a":2.5,"c":[1,2.5],"d":{"X":true},"mixed":"soon","when":"2012-01-03T14:30:00.123+01:00"}"#,
        ));
        assert_eq!(
            said(&inferred),
            [
                "a double",
                "close bigint",
                "when timestamp",
                "date date",
                "mixed string",
                "c array<double>",
                "d struct<x:boolean>",
            ]
        );
        assert_eq!(inferred.own_names["close"], "Close");
        assert_eq!(inferred.conflicts, []);
    }

    #[test]
    fn what_is_no_json_object_is_named_by_line() {
        for (lines, wanted) in [
            ("{\"a\":1}\n[1]\n", "line 2 is not a JSON object"),
            ("{\"a\":1}\n\n{\"a\":", "line 3"),
        ] {
            let error = text(TableFormat::Json, Bytes::from(lines)).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
        }
        let conflict = of_json("{\"a\":1}\n{\"a\":{\"b\":1}}\n");
        assert_eq!(conflict.conflicts.len(), 1);
    }

    #[test]
    fn csv_columns_come_from_the_header() {
        let body = Bytes::from("Index,Trade Date,Close USD,n\nNYA,2012-01-03,12.5,1\nNYA,2012-01-04,13,x\n");
        let inferred = text(TableFormat::Csv(CsvDialect::default()), body).unwrap();
        assert_eq!(
            said(&inferred),
            ["index string", "trade_date date", "close_usd double", "n string"]
        );
    }

    #[test]
    fn a_header_that_names_a_column_twice_or_not_names_each_once() {
        let body = Bytes::from("id,ID,,id,id_2\n1,2,3,4,5\n");
        let inferred = text(TableFormat::Csv(CsvDialect::default()), body).unwrap();
        let names: Vec<&str> = inferred.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "id_2", "col2", "id_3", "id_2_2"]);
    }

    #[test]
    fn guesses_are_dropped_with_what_was_not_read() {
        assert_eq!(without_guesses("timestamp"), "string");
        assert_eq!(without_guesses("struct<a:date,b:bigint>"), "struct<a:string,b:bigint>");
    }
}
