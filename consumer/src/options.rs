//! What a user can ask of the sink.

use std::time::Duration;

use tickertape_client::{KafkaOptions, UsageError, check_topic_name, s3::S3Options, s3::S3Url};

use crate::{
    date::{DateRule, PartitionBy},
    decode::{OnNewType, Rules},
    encode::Encoding,
    names::{Compression, Format, table_of_topic},
    schema::{Column, ColumnType, METADATA_COLUMNS, PARTITION_COLUMN},
};

/// What happens when messages were deleted from Kafka before they could be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnLost {
    /// Their range is named and counted, and the sink goes on behind them.
    #[default]
    Continue,
    /// Their range is named and the sink stops.
    Stop,
}

/// How the sink breaks its own protocol, so that a test of the protocol can show that it would notice. For tests only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Break {
    /// Offsets are committed when a batch is claimed, before its objects are there: a crash in between loses rows.
    CommitBeforeData,
    /// Claims are made whether or not there is one: a sink that slept doubles what another has written.
    ClaimWithoutCondition,
}

/// The options of `tickertape consume`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ConsumeOptions {
    /// The topic to read; may be repeated
    #[arg(
        long = "topic",
        short = 't',
        value_name = "TOPIC",
        required = true,
        value_delimiter = ','
    )]
    pub topics: Vec<String>,

    /// Where tables are written: each becomes a folder below it
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub to: S3Url,

    /// How rows are stored
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// How Parquet is compressed
    #[arg(long, value_enum, default_value_t)]
    pub compression: Compression,

    /// The type of a column, instead of what its first values suggest; may be repeated. TYPE is boolean, bigint, double,
    /// decimal(PRECISION,SCALE), string, timestamp or date
    #[arg(long = "column", value_name = "NAME=TYPE", value_parser = parse_column)]
    pub columns: Vec<Column>,

    /// The table's name, with a single topic [default: the topic's, in lower case, `_` for other characters]
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,

    /// The consumer group; sinks of one group share the partitions
    #[arg(long, value_name = "NAME", default_value = "tickertape-sink")]
    pub group: String,

    /// Write a batch when it has this many messages
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_records: u64,

    /// Write a batch when its messages are this large
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    pub max_bytes: usize,

    /// Write a batch when its first message has waited this long [with --rotate-at: as long as it takes]
    #[arg(
        long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration,
        default_value_if("rotate_at", clap::builder::ArgPredicate::IsPresent, "1000days")
    )]
    pub max_age: Duration,

    /// Write all batches when the clock passes a boundary in UTC: every hour, every day, or every so long
    #[arg(long, value_name = "hour|day|DURATION")]
    pub rotate_at: Option<RotateAt>,

    /// Memory for all batches together, open or being written; consumption pauses at this limit
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_memory)]
    pub memory: usize,

    /// Whether the folder is the event's own date or that of the record's timestamp
    #[arg(long, value_enum, default_value_t)]
    pub partition_by: PartitionBy,

    /// The fields that hold the event's date or time, first one first; the first is stored as a timestamp. Read are
    /// YYYY-MM-DD, RFC 3339, and numbers of seconds, ms, µs or ns since 1970, of the years 1980 to 2099
    #[arg(long = "date-field", value_name = "FIELD", value_delimiter = ',', default_values = DATE_FIELDS)]
    pub date_fields: Vec<String>,

    /// What becomes of a value that doesn't have its column's type
    #[arg(long, value_enum, default_value_t)]
    pub on_new_type: OnNewType,

    /// What to do when messages were deleted from Kafka before they were written
    #[arg(long, value_enum, default_value_t)]
    pub on_lost: OnLost,

    /// To be raised when a topic was deleted and made anew, so that its offsets don't meet those before
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub epoch: u32,

    /// Serve metrics for Prometheus at http://HOST:PORT/metrics
    #[arg(long, value_name = "HOST:PORT")]
    pub metrics: Option<std::net::SocketAddr>,

    /// Break the protocol on purpose, so that a test can show that it notices; never for data that matters
    #[arg(long = "break", value_name = "HOW", value_enum, hide = true)]
    pub broken: Option<Break>,

    /// Where Kafka is.
    #[command(flatten)]
    pub kafka: KafkaOptions,

    /// Where the store is.
    #[command(flatten)]
    pub s3: S3Options,
}

/// Boundaries of the clock, so many milliseconds apart, counted from 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotateAt(pub i64);

impl std::str::FromStr for RotateAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let every = match text {
            "hour" => Duration::from_secs(3_600),
            "day" => Duration::from_secs(86_400),
            other => humantime::parse_duration(other)
                .map_err(|error| format!("{error}; it is hour, day, or a duration like 15m"))?,
        };
        match i64::try_from(every.as_millis()) {
            Ok(every_ms @ 1..) => Ok(Self(every_ms)),
            _ => Err("a duration of at least a millisecond is needed".to_owned()),
        }
    }
}

/// `price=decimal(12,4)`.
fn parse_column(text: &str) -> Result<Column, String> {
    let (name, kind) = text.split_once('=').ok_or("it is NAME=TYPE")?;
    let kind = match kind.trim().to_ascii_lowercase().as_str() {
        "boolean" => ColumnType::Boolean,
        "bigint" | "int" => ColumnType::Int,
        "double" => ColumnType::Double,
        "string" => ColumnType::Text,
        "timestamp" => ColumnType::Timestamp,
        "date" => ColumnType::Date,
        other => decimal(other).ok_or_else(|| {
            format!("{kind}: it is boolean, bigint, double, decimal(PRECISION,SCALE), string, timestamp or date")
        })?,
    };
    match name.trim().to_lowercase() {
        name if name.is_empty() => Err("the column has no name".to_owned()),
        name => Ok(Column {
            name,
            kind,
            fixed: true,
        }),
    }
}

/// `decimal(12,4)`, up to the 38 digits that Athena knows.
fn decimal(text: &str) -> Option<ColumnType> {
    let inner = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',').unwrap_or((inner, "0"));
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then_some(ColumnType::Decimal { precision, scale })
}

const DATE_FIELDS: [&str; 2] = ["event_time", "date"];

const EXAMPLES: &str = "\
Examples:
  Everything on this machine (tickertape broker, tickertape s3):
    tickertape consume --topic ticks --to s3://lake/market --s3-endpoint http://127.0.0.1:9000

  Apache Kafka and Amazon S3, with the credentials of the environment, a profile or the instance:
    tickertape consume -b b-1.example.com:9092 -X fetch.min.bytes=65536 --topic ticks,bars \\
      --to s3://my-lake/market --region eu-central-1 --max-age 5m --memory 1GiB

Objects are named <prefix>/<table>/dt=YYYY-MM-DD/<topic>-<partition>-<start>-<end>.parquet.
What is not a JSON object goes to <prefix>/_rejected/<table>/ with the reason. Offsets are
committed when both are written.";

impl ConsumeOptions {
    /// The defaults, for these topics.
    pub fn new(kafka: KafkaOptions, s3: S3Options, topics: Vec<String>, to: S3Url) -> Self {
        Self {
            topics,
            to,
            format: Format::default(),
            compression: Compression::default(),
            columns: Vec::new(),
            table: None,
            group: "tickertape-sink".to_owned(),
            max_records: 500_000,
            max_bytes: 64 << 20,
            max_age: Duration::from_secs(30),
            rotate_at: None,
            memory: 256 << 20,
            partition_by: PartitionBy::default(),
            date_fields: DATE_FIELDS.map(str::to_owned).to_vec(),
            on_new_type: OnNewType::default(),
            on_lost: OnLost::default(),
            epoch: 0,
            metrics: None,
            broken: None,
            kafka,
            s3,
        }
    }

    /// The group in force: `-X group.id=…` wins, as every `-X` does.
    pub fn group(&self) -> &str {
        self.kafka.property("group.id").unwrap_or(&self.group)
    }

    /// How a topic's messages become objects.
    pub(crate) fn encoding(&self, topic: &str) -> Encoding {
        Encoding {
            table: self.table.clone().unwrap_or_else(|| table_of_topic(topic)),
            format: self.format,
            compression: self.compression,
            dates: DateRule {
                by: self.partition_by,
                fields: self.date_fields.clone(),
                lenient: true,
            },
            rules: Rules {
                on_new_type: self.on_new_type,
                time_fields: self.date_fields.first().cloned().into_iter().collect(),
            },
        }
    }

    /// What clap can't see in one option alone.
    ///
    /// # Errors
    /// Names the option and what is wrong with it.
    pub fn check(&self) -> Result<(), UsageError> {
        if let Some(table) = &self.table {
            if self.topics.len() > 1 {
                return Err(UsageError::new("--table names one table, so it goes with one --topic"));
            }
            if table.is_empty() || table.starts_with(['_', '.']) || *table != table_of_topic(table) {
                return Err(UsageError::new(format!(
                    "--table {table}: a table's name is made of a-z, 0-9 and _, and does not begin with _"
                )));
            }
        }
        for (at, topic) in self.topics.iter().enumerate() {
            check_topic_name(topic)?;
            let table = table_of_topic(topic);
            let same = self.topics[..at].iter().find(|other| table_of_topic(other) == table);
            if let Some(same) = same.filter(|_| self.table.is_none()) {
                return Err(UsageError::new(format!(
                    "the topics {same} and {topic} would share the table {table}"
                )));
            }
        }
        for (at, column) in self.columns.iter().enumerate() {
            let name = &column.name;
            if METADATA_COLUMNS.contains(&name.as_str()) || name == PARTITION_COLUMN {
                return Err(UsageError::new(format!(
                    "--column {name}: a name that the sink keeps for itself"
                )));
            }
            if self.columns[..at].iter().any(|other| other.name == *name) {
                return Err(UsageError::new(format!("--column {name}: given twice")));
            }
        }
        if self.format == Format::Json && self.compression != Compression::default() {
            return Err(UsageError::new(
                "--compression is how Parquet is compressed; JSON lines are always gzip",
            ));
        }
        let partition_by_nothing = self.date_fields.iter().all(String::is_empty);
        if self.partition_by == PartitionBy::Event && partition_by_nothing {
            return Err(UsageError::new("--partition-by event needs a --date-field"));
        }
        Ok(())
    }
}

/// `256MiB`, `1GB`, `4096`.
fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("a size is a number with KiB, MiB, GiB, kB, MB or GB".to_owned()),
    };
    let number: usize = number.parse().map_err(|_| "a size begins with a number".to_owned())?;
    number
        .checked_mul(factor)
        .filter(|size| *size > 0)
        .ok_or_else(|| "a size of that kind cannot be".to_owned())
}

/// Below this, what librdkafka holds ahead leaves no room for a batch, and nothing would move.
const MEMORY_MIN: usize = 8 << 20;

/// `--memory`: [a size](ConsumeOptions::memory) that a sink can do with.
///
/// # Errors
/// The text is no size, or too small a one.
pub fn parse_memory(text: &str) -> Result<usize, String> {
    match parse_size(text)? {
        memory if memory < MEMORY_MIN => Err("a sink needs 8 MiB at least".to_owned()),
        memory => Ok(memory),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: ConsumeOptions,
    }

    fn parse(arguments: &[&str]) -> Result<ConsumeOptions, clap::Error> {
        Command::try_parse_from(["test"].iter().chain(arguments)).map(|command| command.options)
    }

    #[test]
    fn options_parse_with_the_defaults_of_new() {
        let parsed = parse(&["--topic", "ticks,bars", "--to", "s3://lake/market"]).unwrap();
        let to = "s3://lake/market".parse().unwrap();
        let made = ConsumeOptions::new(
            KafkaOptions::default(),
            S3Options::default(),
            vec!["ticks".into(), "bars".into()],
            to,
        );
        let without_environment = |options: &ConsumeOptions| {
            let mut options = options.clone();
            options.s3 = S3Options::default();
            format!("{options:?}")
        };
        assert_eq!(without_environment(&parsed), without_environment(&made));
        assert_eq!(
            parse(&["--to", "s3://lake"]).unwrap_err().kind(),
            ErrorKind::MissingRequiredArgument
        );
        assert_eq!(
            parse(&["--topic", "t", "--to", "lake"]).unwrap_err().kind(),
            ErrorKind::ValueValidation
        );
    }

    #[test]
    fn columns_and_boundaries_parse() {
        let options = parse(&[
            "--topic",
            "t",
            "--to",
            "s3://lake",
            "--column",
            "Price=decimal(12, 4)",
            "--column",
            "day=date",
            "--rotate-at",
            "hour",
        ])
        .unwrap();
        let kinds: Vec<_> = options
            .columns
            .iter()
            .map(|c| (c.name.as_str(), c.kind.clone()))
            .collect();
        let decimal = ColumnType::Decimal {
            precision: 12,
            scale: 4,
        };
        assert_eq!(kinds, [("price", decimal), ("day", ColumnType::Date)]);
        assert_eq!(options.rotate_at, Some(RotateAt(3_600_000)));
        assert!(
            options.max_age > Duration::from_secs(86_400 * 900),
            "only the clock cuts then"
        );
        for bad in [
            "price",
            "=int",
            "p=number",
            "p=decimal(39,1)",
            "p=decimal(3,4)",
            "p=decimal",
        ] {
            assert!(
                parse(&["--topic", "t", "--to", "s3://lake", "--column", bad]).is_err(),
                "{bad}"
            );
        }
        for bad in ["week", "0s", ""] {
            assert!(
                parse(&["--topic", "t", "--to", "s3://lake", "--rotate-at", bad]).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("1 GB"), Ok(1_000_000_000));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_memory("8MiB"), Ok(8 << 20));
        assert!(parse_memory("1KiB").is_err());
        for text in ["", "MiB", "1.5GiB", "5 apples", "0", "99999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let error = |arguments: &[&str]| parse(arguments).unwrap().check().unwrap_err().to_string();
        let to = ["--to", "s3://lake"];
        assert!(error(&[&to[..], &["--topic", "a,b", "--table", "t"]].concat()).contains("--table"));
        assert!(error(&[&to[..], &["--topic", "a", "--table", "_ledger"]].concat()).contains("_ledger"));
        for compression in ["snappy", "none"] {
            let arguments = ["--topic", "a", "--format", "json", "--compression", compression];
            assert!(error(&[&to[..], &arguments].concat()).contains("always gzip"));
        }
        assert!(error(&[&to[..], &["--topic", "a.b,a-b"]].concat()).contains("a.b and a-b"));
        assert!(error(&[&to[..], &["--topic", "ticks,bad topic!"]].concat()).contains("\"bad topic!\""));
    }
}
