//! What objects are called.
//!
//! A key is a function of the batch's offsets and day alone, so that writing a batch again replaces what was
//! written before instead of standing beside it.

use tickertape_client::s3::S3Url;

use crate::{date::day_name, schema::PARTITION_COLUMN};

/// How rows are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Parquet.
    #[default]
    Parquet,
    /// One JSON object per line, gzip.
    Json,
}

/// How Parquet is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// zstd at level 1.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// Not at all.
    None,
}

impl Format {
    /// As users and catalogs say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Json => "json",
        }
    }

    /// What the names of its objects end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Json => "jsonl.gz",
        }
    }

    /// The media type stored with its objects.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Json => "application/gzip",
        }
    }
}

/// A partition of a topic, with the epoch that tells a topic from one of the same name before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The topic's name.
    pub topic: std::sync::Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// 0, or what `--epoch` says after the topic was deleted and made anew.
    pub epoch: u32,
}

impl Source {
    /// The topic's name as it stands in keys.
    pub fn topic_name(&self) -> String {
        if self.epoch == 0 {
            self.topic.to_string()
        } else {
            format!("{}@{}", self.topic, self.epoch)
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic_name(), self.partition)
    }
}

/// The offsets `[start, end)` of one partition: what one claim, and at most one object per day, is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Whose offsets.
    pub source: Source,
    /// The first offset.
    pub start: i64,
    /// The offset after the last.
    pub end: i64,
}

impl Range {
    fn file_stem(&self) -> String {
        format!("{}-{:020}-{:020}", self.source, self.start, self.end)
    }

    /// `<prefix>/<table>/dt=<day>/<topic>-<partition>-<start>-<end>.<extension>`.
    pub fn object_key(&self, lake: &S3Url, table: &str, day: i32, format: Format) -> String {
        lake.key(&format!(
            "{table}/dt={}/{}.{}",
            day_name(day),
            self.file_stem(),
            format.extension()
        ))
    }

    /// `<prefix>/_rejected/<table>/<topic>-<partition>-<start>-<end>.jsonl.gz`.
    pub fn rejected_key(&self, lake: &S3Url, table: &str) -> String {
        lake.key(&format!(
            "_rejected/{table}/{}.{}",
            self.file_stem(),
            Format::Json.extension()
        ))
    }

    /// `<prefix>/_ledger/<topic>/<partition>/<start>`.
    pub fn claim_key(&self, lake: &S3Url) -> String {
        claim_key(lake, &self.source, self.start)
    }
}

/// The key of the claim that starts at `start`.
pub fn claim_key(lake: &S3Url, source: &Source, start: i64) -> String {
    format!("{}{start:020}", ledger_prefix(lake, source))
}

/// What all claims of a partition start with, ending in a slash.
pub fn ledger_prefix(lake: &S3Url, source: &Source) -> String {
    lake.key(&format!("_ledger/{}/{}/", source.topic_name(), source.partition))
}

/// The key of the object that names the one group that may write this topic here.
pub fn owner_key(lake: &S3Url, source: &Source) -> String {
    lake.key(&format!("_ledger/{}/owner", source.topic_name()))
}

/// What the keys of all epochs of a topic but the first start with, up to the epoch's number.
pub fn epochs_prefix(lake: &S3Url, topic: &str) -> String {
    lake.key(&format!("_ledger/{topic}@"))
}

/// What the keys of all claims of a topic start with, and that of its owner, ending in a slash.
pub fn topic_prefix(lake: &S3Url, source: &Source) -> String {
    lake.key(&format!("_ledger/{}/", source.topic_name()))
}

/// What the keys of all versions of a table's columns start with, ending in a slash.
pub fn schema_prefix(lake: &S3Url, table: &str) -> String {
    lake.key(&format!("_schema/{table}/"))
}

/// The key of a version of a table's columns.
pub fn schema_key(lake: &S3Url, table: &str, version: u64) -> String {
    format!("{}{version:020}", schema_prefix(lake, table))
}

/// The table that a topic is written to by default: its name, with what SQL would have to quote replaced, and
/// without the leading `_` that makes readers of a lake pass a folder over.
pub fn table_of_topic(topic: &str) -> String {
    let name: String = topic
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| {
            if matches!(c, 'a'..='z' | '0'..='9' | '_') {
                c
            } else {
                '_'
            }
        })
        .collect();
    match name.trim_start_matches('_') {
        "" => "t".to_owned(),
        name => name.to_owned(),
    }
}

/// The column of a message's field: its name in lower case, as catalogs keep names. `dt` is the folder's, so the field of that
/// name is `dt_`, and that without a name is `_`.
pub fn column_name(field: &str) -> String {
    match field.to_lowercase() {
        name if name == PARTITION_COLUMN => format!("{name}_"),
        name if name.is_empty() => "_".to_owned(),
        name => name,
    }
}

/// The name of a field inside of an object, which is part of a type's name: in lower case, with `_` for what would end the
/// name there, for white space and control characters.
pub fn field_name(field: &str) -> String {
    let ends = |c: char| c.is_whitespace() || c.is_control() || ":,;<>()[]{}`'\"\\".contains(c);
    let name: String = field
        .to_lowercase()
        .chars()
        .map(|c| if ends(c) { '_' } else { c })
        .collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_of_offsets_and_day() {
        let lake: S3Url = "s3://lake/market".parse().unwrap();
        let source = Source {
            topic: "ticks".into(),
            partition: 3,
            epoch: 0,
        };
        let range = Range {
            source: source.clone(),
            start: 7,
            end: 19,
        };
        assert_eq!(
            range.object_key(&lake, "ticks", 15_492, Format::Parquet),
            "market/ticks/dt=2012-06-01/ticks-3-00000000000000000007-00000000000000000019.parquet"
        );
        assert_eq!(
            range.rejected_key(&lake, "ticks"),
            "market/_rejected/ticks/ticks-3-00000000000000000007-00000000000000000019.jsonl.gz"
        );
        assert_eq!(range.claim_key(&lake), "market/_ledger/ticks/3/00000000000000000007");
        let again = Range {
            source: Source { epoch: 2, ..source },
            ..range
        };
        assert_eq!(again.claim_key(&lake), "market/_ledger/ticks@2/3/00000000000000000007");
    }

    #[test]
    fn a_topics_table_needs_no_quotes() {
        assert_eq!(table_of_topic("Market.ticks-v2"), "market_ticks_v2");
        assert_eq!(table_of_topic("__consumer_offsets"), "consumer_offsets");
    }

    #[test]
    fn names_of_columns_and_of_fields_inside_of_them() {
        for (field, column, inside) in [
            ("userId", "userid", "userid"),
            ("\u{c9}T\u{c9}", "\u{e9}t\u{e9}", "\u{e9}t\u{e9}"),
            ("DT", "dt_", "dt"),
            ("", "_", "_"),
            ("first name", "first name", "first_name"),
            ("a:int,b", "a:int,b", "a_int_b"),
            ("l<t>;`x`", "l<t>;`x`", "l_t___x_"),
            ("a\u{0}\t\u{a0}b", "a\u{0}\t\u{a0}b", "a___b"),
            ("$a-b.c@d", "$a-b.c@d", "$a-b.c@d"),
        ] {
            assert_eq!(
                (column_name(field).as_str(), field_name(field).as_str()),
                (column, inside),
                "{field}"
            );
            assert_eq!(
                column_name(column),
                if column == "dt" { "dt_" } else { column },
                "a name is its own name"
            );
            assert_eq!(field_name(inside), inside);
        }
    }
}
