//! `tickertape cat`: a console producer and consumer with the options that people know from kcat.
//!
//! The modes are a file each: [`produce`] (-P), [`consume`] (-C and -G), [`list`] (-L metadata, -Q offsets by time);
//! [`format`](mod@format) holds kcat's `-f` language and its `-J` envelope.

mod consume;
mod format;
mod list;
mod produce;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tickertape_client::{KafkaOptions, UsageError, check_topic_name};
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "Examples:
  echo 'AAPL:{\"price\":118.5}' | tickertape cat -P -t ticks -K:
  tickertape cat -C -t ticks -o beginning -e -f '%p:%o %k %s\\n'
  tickertape cat -C -t ticks -o -10 -e -J         the last ten of each partition, as JSON
  tickertape cat -G readers ticks bars            as a member of a consumer group
  tickertape cat -L                               brokers, topics, partitions
  tickertape cat -Q -t ticks:0:1330610400000      the offset of a time";

/// Console producer (-P) and consumer (-C), with kcat's options.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CatOptions {
    /// Consume and print messages (the default on a terminal).
    #[arg(short = 'C', group = "mode")]
    consume: bool,
    /// Produce messages from standard input or files (the default when standard input is not a terminal).
    #[arg(short = 'P', group = "mode")]
    produce: bool,
    /// List brokers, topics and partitions.
    #[arg(short = 'L', group = "mode")]
    list: bool,
    /// Look offsets up by time: `-t topic:partition:timestamp_ms`.
    #[arg(short = 'Q', group = "mode")]
    query: bool,
    /// Consume as a member of this consumer group; the topics follow.
    #[arg(short = 'G', value_name = "GROUP", group = "mode")]
    group: Option<String>,

    /// The topic; with -Q `topic:partition:timestamp_ms`, repeatable.
    #[arg(short = 't', long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only this partition.
    #[arg(short = 'p', value_name = "PARTITION", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Where to start: `beginning`, `end`, `stored`, an offset, `-N` (N before the end), `s@ms` (from a time).
    /// A second one, `e@ms`, says where to end.
    #[arg(short = 'o', value_name = "OFFSET", allow_hyphen_values = true)]
    offsets: Vec<String>,
    /// Exit when the end of every partition has been reached.
    #[arg(short = 'e')]
    exit_at_end: bool,
    /// Exit after this many messages.
    #[arg(short = 'c', value_name = "COUNT")]
    count: Option<u64>,
    /// Print each message by this format: %s value, %S its size, %k key, %K its size, %t topic, %p partition, %o offset,
    /// %T timestamp, %h headers, %R value size as 4 bytes; \n \r \t \xNN.
    #[arg(short = 'f', value_name = "FORMAT", conflicts_with = "json")]
    format: Option<String>,
    /// Print each message (or the metadata) as a line of JSON.
    #[arg(short = 'J')]
    json: bool,
    /// What separates messages.
    #[arg(
        short = 'D',
        value_name = "DELIMITER",
        default_value = "\\n",
        hide_default_value = true
    )]
    delimiter: String,
    /// What separates key and value; without it messages have no key.
    #[arg(short = 'K', value_name = "DELIMITER")]
    key_delimiter: Option<String>,
    /// Produce every message with this key.
    #[arg(short = 'k', value_name = "KEY", conflicts_with = "key_delimiter")]
    key: Option<String>,
    /// Add a header, `name=value`, to every message; repeatable.
    #[arg(short = 'H', value_name = "name=value")]
    headers: Vec<String>,
    /// Compress by this codec.
    #[arg(short = 'z', value_name = "CODEC", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    codec: Option<String>,
    /// Produce an empty value or key as null; print null as `NULL`.
    #[arg(short = 'Z')]
    null: bool,
    /// Files hold delimited messages; without it each file is one message.
    #[arg(short = 'l')]
    lines: bool,
    /// Copy what is produced to standard output.
    #[arg(short = 'T')]
    tee: bool,
    /// Write each message at once.
    #[arg(short = 'u')]
    unbuffered: bool,
    /// Say nothing but messages and errors.
    #[arg(short = 'q')]
    quiet: bool,
    /// Files to produce, or the topics of -G.
    #[arg(value_name = "FILE|TOPIC")]
    arguments: Vec<PathBuf>,
    #[command(flatten)]
    kafka: KafkaOptions,
}

impl CatOptions {
    /// The one topic of -C and -P.
    fn topic(&self) -> Result<&str, UsageError> {
        match self.topics.as_slice() {
            [topic] => check_topic_name(topic).map(|()| topic.as_str()),
            [] => Err(UsageError::new("which topic? name it with -t TOPIC")),
            _ => Err(UsageError::new(
                "-C and -P take one topic; for several use -G GROUP TOPIC...",
            )),
        }
    }

    /// A note to the person, unless -q.
    fn say(&self, text: std::fmt::Arguments<'_>) {
        if !self.quiet {
            eprintln!("% {text}");
        }
    }
}

/// Runs `tickertape cat` in the mode that the options ask for.
pub(crate) async fn run(options: CatOptions, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let Some(cluster) = tickertape_client::wait_for_broker(&options.kafka, &shutdown).await? else {
        return Ok(ExitCode::FAILURE);
    };
    // librdkafka and standard input block: both live on a thread of their own.
    tokio::task::spawn_blocking(move || {
        if options.list {
            list::metadata(&options)
        } else if options.query {
            list::offsets(&options)
        } else if options.consume || options.group.is_some() {
            consume::run(&options, &cluster, &shutdown)
        } else if options.produce || !std::io::stdin().is_terminal() {
            produce::run(&options, &shutdown)
        } else {
            consume::run(&options, &cluster, &shutdown)
        }
    })
    .await?
}
