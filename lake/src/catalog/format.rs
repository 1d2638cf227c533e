//! How the objects of a table are written, and what Athena expects to find in the catalog for it.
//!
//! The definitions are those that Athena's own DDL leaves in AWS Glue (`STORED AS PARQUET`, `ROW FORMAT SERDE
//! 'org.openx.data.jsonserde.JsonSerDe'`), with the properties by which Glue's jobs and crawlers know a table
//! (`classification`, `typeOfData`). For JSON it is the OpenX SerDe: it takes any JSON value for a `string`, which is what
//! a column of mixed types has become, and reads RFC 3339 times without being told their form.

use std::collections::BTreeMap;

use super::{Column, SerDeInfo, StorageDescriptor, Table};

const PARQUET_INPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat";
const PARQUET_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat";
const PARQUET_SERDE: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";
const JSON_SERDE: &str = "org.openx.data.jsonserde.JsonSerDe";
const CSV_SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

/// What a CSV file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvDialect {
    /// Between the fields.
    pub delimiter: u8,
    /// Around fields that hold a delimiter.
    pub quote: u8,
    /// Whether the first line names the columns.
    pub header: bool,
}

impl Default for CsvDialect {
    fn default() -> Self {
        CsvDialect {
            delimiter: b',',
            quote: b'"',
            header: true,
        }
    }
}

/// The format of a table's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Apache Parquet.
    Parquet,
    /// One JSON object per line, plain, gzip or zstd.
    Json,
    /// Delimited text, plain, gzip or zstd.
    Csv(CsvDialect),
}

impl TableFormat {
    /// Glue's `classification`: `parquet`, `json` or `csv`.
    pub fn classification(self) -> &'static str {
        match self {
            TableFormat::Parquet => "parquet",
            TableFormat::Json => "json",
            TableFormat::Csv(_) => "csv",
        }
    }

    /// The format that a table says it has, by its SerDe, else by its `classification`.
    pub fn of_table(table: &Table) -> Option<TableFormat> {
        let storage = table.storage_descriptor.as_ref();
        let serde = storage.and_then(|storage| storage.serde_info.as_ref());
        let library = serde.and_then(|serde| serde.serialization_library.as_deref());
        let named = |part: &str| library.is_some_and(|l| l.to_lowercase().contains(part));
        let classified = |name: &str| {
            table
                .parameters
                .get("classification")
                .is_some_and(|c| c.eq_ignore_ascii_case(name))
        };
        if named("parquet") {
            Some(TableFormat::Parquet)
        } else if named("json") {
            Some(TableFormat::Json)
        } else if named("csv") || named("lazysimple") || (library.is_none() && classified("csv")) {
            Some(TableFormat::Csv(csv_dialect(table, serde)))
        } else if classified("parquet") {
            Some(TableFormat::Parquet)
        } else if classified("json") {
            Some(TableFormat::Json)
        } else {
            None
        }
    }

    fn serde_parameters(self) -> BTreeMap<String, String> {
        let own = |of: &[(&str, &str)]| of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        match self {
            TableFormat::Parquet => own(&[("serialization.format", "1")]),
            TableFormat::Json => own(&[("serialization.format", "1"), ("case.insensitive", "TRUE")]),
            TableFormat::Csv(dialect) => {
                let delimiter = char::from(dialect.delimiter).to_string();
                own(&[("field.delim", &delimiter), ("serialization.format", &delimiter)])
            }
        }
    }

    /// The storage descriptor of a table or partition in this format.
    pub fn storage(self, location: &str, columns: Vec<Column>) -> StorageDescriptor {
        let (input, output, serde) = match self {
            TableFormat::Parquet => (PARQUET_INPUT, PARQUET_OUTPUT, PARQUET_SERDE),
            TableFormat::Json => (TEXT_INPUT, TEXT_OUTPUT, JSON_SERDE),
            TableFormat::Csv(_) => (TEXT_INPUT, TEXT_OUTPUT, CSV_SERDE),
        };
        StorageDescriptor {
            columns,
            location: Some(location.to_owned()),
            input_format: Some(input.to_owned()),
            output_format: Some(output.to_owned()),
            serde_info: Some(SerDeInfo {
                name: None,
                serialization_library: Some(serde.to_owned()),
                parameters: self.serde_parameters(),
            }),
            number_of_buckets: -1,
            ..StorageDescriptor::default()
        }
    }

    /// An external table in this format, as Athena expects it. `location` ends in a slash: Athena
    /// takes it for a prefix, and `s3://lake/ticks` would hold `s3://lake/ticks_old/…` too.
    pub fn table(
        self,
        database: &str,
        name: &str,
        location: &str,
        columns: Vec<Column>,
        partition_keys: Vec<Column>,
    ) -> Table {
        let location = format!("{}/", location.trim_end_matches('/'));
        let mut parameters = BTreeMap::from([
            ("EXTERNAL".to_owned(), "TRUE".to_owned()),
            ("classification".to_owned(), self.classification().to_owned()),
            ("typeOfData".to_owned(), "file".to_owned()),
        ]);
        if let TableFormat::Csv(CsvDialect { header: true, .. }) = self {
            parameters.insert("skip.header.line.count".to_owned(), "1".to_owned());
        }
        Table {
            database: database.to_owned(),
            name: name.to_owned(),
            storage_descriptor: Some(self.storage(&location, columns)),
            partition_keys,
            table_type: Some("EXTERNAL_TABLE".to_owned()),
            parameters,
            ..Table::default()
        }
        .normalized()
    }
}

fn csv_dialect(table: &Table, serde: Option<&SerDeInfo>) -> CsvDialect {
    let byte = |name: &str| {
        serde
            .and_then(|serde| serde.parameters.get(name))
            .and_then(|value| value.bytes().next())
    };
    let storage = table.storage_descriptor.as_ref().map(|s| &s.parameters);
    let skipped = [Some(&table.parameters), storage, serde.map(|s| &s.parameters)]
        .into_iter()
        .flatten()
        .find_map(|parameters| parameters.get("skip.header.line.count"));
    CsvDialect {
        delimiter: byte("field.delim").or_else(|| byte("separatorChar")).unwrap_or(b','),
        quote: byte("quoteChar").unwrap_or(b'"'),
        header: skipped.is_some_and(|count| count != "0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let tab = CsvDialect {
            delimiter: b'\t',
            header: false,
            ..CsvDialect::default()
        };
        for format in [
            TableFormat::Parquet,
            TableFormat::Json,
            TableFormat::Csv(CsvDialect::default()),
            TableFormat::Csv(tab),
        ] {
            let table = format.table("Default", "T", "s3://lake/t", vec![], vec![]);
            assert_eq!(TableFormat::of_table(&table), Some(format));
            assert_eq!(table.qualified_name(), "default.t");
            assert_eq!(table.location(), Some("s3://lake/t/"));
        }
        assert_eq!(TableFormat::of_table(&Table::default()), None);
    }
}
