//! `tickertape cat -C` and `-G`: prints the messages of a topic, or of a group's share of several.

use std::collections::{HashMap, HashSet};
use std::io::{BufWriter, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tickertape_client::{Cluster, UsageError, connect};
use tokio_util::sync::CancellationToken;

use super::CatOptions;
use super::format::{Format, envelope, unescape};
use crate::quiet::{QuietAtEnd, Reader};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the loop looks at the shutdown token while nothing arrives.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Where -o says to start and to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Offset(Offset),
    Time(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: Start,
    end_ms: Option<i64>,
}

impl Range {
    fn parse(offsets: &[String]) -> Result<Range, UsageError> {
        let mut range = Range {
            start: Start::Offset(Offset::Beginning),
            end_ms: None,
        };
        for text in offsets {
            let bad = || {
                UsageError::new(format!(
                    "-o {text}: expected beginning, end, stored, N, -N, s@ms or e@ms"
                ))
            };
            if let Some(ms) = text.strip_prefix("s@") {
                range.start = Start::Time(ms.parse().map_err(|_| bad())?);
            } else if let Some(ms) = text.strip_prefix("e@") {
                range.end_ms = Some(ms.parse().map_err(|_| bad())?);
            } else {
                range.start = Start::Offset(match text.as_str() {
                    "beginning" | "earliest" => Offset::Beginning,
                    "end" | "latest" => Offset::End,
                    "stored" => Offset::Stored,
                    number => match number.parse::<i64>().map_err(|_| bad())? {
                        before_end if before_end < 0 => Offset::OffsetTail(-before_end),
                        offset => Offset::Offset(offset),
                    },
                });
            }
        }
        Ok(range)
    }
}

/// Consumes until the end, the count or the shutdown that the options name.
pub(super) fn run(options: &CatOptions, cluster: &Cluster, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let range = Range::parse(&options.offsets)?;
    let mut printer = Printer::new(options)?;
    let mut config = options.kafka.client_config(&[
        ("group.id", options.group.as_deref().unwrap_or("tickertape-cat")),
        ("enable.partition.eof", "true"),
        (
            "enable.auto.commit",
            if options.group.is_some() { "true" } else { "false" },
        ),
        // Closing polls what is still queued: only what was printed may count as read.
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", "100"),
    ])?;
    if matches!(range.start, Start::Offset(Offset::End)) {
        config.set("auto.offset.reset", "latest");
    }
    let consumer: Reader = connect(&config, QuietAtEnd)?;
    let assigned = match &options.group {
        Some(_) => {
            subscribe(options, cluster, &consumer)?;
            None
        }
        None => Some(assign(options, cluster, &consumer, range)?),
    };
    consume(options, &consumer, assigned, range.end_ms, &mut printer, shutdown)?;
    if options.group.is_some() {
        match consumer.commit_consumer_state(CommitMode::Sync) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => return Err(error).context("cannot commit the group's offsets"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn subscribe(options: &CatOptions, cluster: &Cluster, consumer: &Reader) -> anyhow::Result<()> {
    let arguments: Vec<String> = options
        .arguments
        .iter()
        .map(|topic| topic.to_string_lossy().into_owned())
        .collect();
    let topics: Vec<&str> = arguments.iter().chain(&options.topics).map(String::as_str).collect();
    if topics.is_empty() {
        return Err(UsageError::new("-G GROUP takes the topics to subscribe to").into());
    }
    for topic in topics.iter().filter(|topic| !topic.starts_with('^')) {
        cluster.require_topic(topic)?;
    }
    consumer.subscribe(&topics).context("cannot subscribe")
}

/// Assigns the topic's partitions from where -o says, and returns how many there are.
fn assign(options: &CatOptions, cluster: &Cluster, consumer: &Reader, range: Range) -> anyhow::Result<usize> {
    let topic = options.topic()?;
    let partitions = *cluster.topics.get(topic).ok_or_else(|| cluster.unknown_topic(topic))? as i32;
    let mut list = TopicPartitionList::new();
    for partition in (0..partitions).filter(|id| options.partition.is_none_or(|wanted| wanted == *id)) {
        let offset = match range.start {
            Start::Offset(offset) => offset,
            Start::Time(ms) => Offset::Offset(ms),
        };
        list.add_partition_offset(topic, partition, offset)?;
    }
    if list.count() == 0 {
        let wanted = options.partition.unwrap_or_default();
        let message = format!("topic `{topic}` has partitions 0 to {}, not {wanted}", partitions - 1);
        return Err(UsageError::new(message).into());
    }
    if matches!(range.start, Start::Time(_)) {
        list = consumer
            .offsets_for_times(list, REQUEST_TIMEOUT)
            .context("cannot look the start time up")?;
    }
    consumer.assign(&list)?;
    Ok(list.count())
}

fn consume(
    options: &CatOptions,
    consumer: &Reader,
    assigned: Option<usize>,
    end_ms: Option<i64>,
    printer: &mut Printer<'_>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut left = options.count.unwrap_or(u64::MAX);
    let mut at_end: HashSet<(String, i32)> = HashSet::new();
    let mut positions: HashMap<(String, i32), i64> = HashMap::new();
    while left > 0 && !shutdown.is_cancelled() {
        match consumer.poll(POLL_TIMEOUT) {
            None => printer.flush()?,
            Some(Ok(message)) => {
                let partition = (message.topic().to_owned(), message.partition());
                if end_ms.is_some_and(|end| message.timestamp().to_millis().is_some_and(|ms| ms >= end)) {
                    at_end.insert(partition);
                    if assigned.is_some_and(|count| at_end.len() == count) {
                        break;
                    }
                    continue;
                }
                at_end.remove(&partition);
                positions.insert(partition, message.offset() + 1);
                if !printer.print(&message)? {
                    return Ok(());
                }
                if options.group.is_some() {
                    consumer
                        .store_offset_from_message(&message)
                        .context("cannot note what was read")?;
                }
                left -= 1;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                printer.flush()?;
                let owner = assignment_with(consumer, partition)?;
                for topic in owner {
                    let key = (topic, partition);
                    let offset = positions.get(&key).copied();
                    let place = offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
                    if at_end.insert(key.clone()) {
                        options.say(format_args!("Reached end of topic {} [{partition}]{place}", key.0));
                    }
                }
                let wanted = match assigned {
                    Some(count) => count,
                    None => consumer.assignment()?.count(),
                };
                if options.exit_at_end && at_end.len() >= wanted {
                    options.say(format_args!("Reached the end of all partitions: exiting"));
                    break;
                }
            }
            Some(Err(error)) if is_fatal(&error) => bail!("cannot consume: {error}"),
            Some(Err(error)) => options.say(format_args!("ERROR: {error}")),
        }
    }
    printer.flush()
}

/// The assigned topics that have this partition; librdkafka's end-of-partition event names the partition alone.
fn assignment_with(consumer: &Reader, partition: i32) -> anyhow::Result<Vec<String>> {
    let assignment = consumer.assignment()?;
    let position = consumer.position()?;
    let mut topics = Vec::new();
    for element in assignment
        .elements()
        .iter()
        .filter(|element| element.partition() == partition)
    {
        let topic = element.topic();
        let (_, high) = consumer.client().fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        let read_to = position
            .find_partition(topic, partition)
            .map(|element| element.offset());
        // No position yet means that nothing has been delivered: the partition ended where it was entered.
        if matches!(read_to, Some(Offset::Offset(offset)) if offset < high) {
            continue;
        }
        topics.push(topic.to_owned());
    }
    Ok(topics)
}

fn is_fatal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::Fatal
        )
    )
}

/// Prints messages as the options ask.
struct Printer<'a> {
    out: BufWriter<std::io::StdoutLock<'a>>,
    format: Option<Format>,
    unbuffered: bool,
}

impl Printer<'_> {
    fn new(options: &CatOptions) -> Result<Self, UsageError> {
        let format = match (&options.format, options.json) {
            (_, true) => None,
            (Some(format), false) => Some(Format::parse(format, options.null)?),
            (None, false) => {
                // A literal `%` in a delimiter must not start a directive.
                let literal = |text: &str| text.replace('%', "%%");
                let key = options
                    .key_delimiter
                    .as_deref()
                    .map(|text| format!("%k{}", literal(text)))
                    .unwrap_or_default();
                unescape(&options.delimiter)?;
                Some(Format::parse(
                    &format!("{key}%s{}", literal(&options.delimiter)),
                    options.null,
                )?)
            }
        };
        Ok(Printer {
            out: BufWriter::new(std::io::stdout().lock()),
            format,
            unbuffered: options.unbuffered,
        })
    }

    /// False once nobody reads any more (a closed pipe, as `| head` leaves it).
    fn print(&mut self, message: &rdkafka::message::BorrowedMessage<'_>) -> anyhow::Result<bool> {
        let written = match &self.format {
            Some(format) => format.write(&mut self.out, message),
            None => writeln!(self.out, "{}", envelope(message)),
        };
        let written = if self.unbuffered {
            written.and_then(|()| self.out.flush())
        } else {
            written
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            other => other.map(|()| true).context("cannot write to standard output"),
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match self.out.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.context("cannot write to standard output"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(text: &str) -> Start {
        Range::parse(&[text.to_owned()]).unwrap().start
    }

    #[test]
    fn offsets_read_as_kcat_reads_them() {
        assert_eq!(Range::parse(&[]).unwrap().start, Start::Offset(Offset::Beginning));
        assert_eq!(start("beginning"), Start::Offset(Offset::Beginning));
        assert_eq!(start("end"), Start::Offset(Offset::End));
        assert_eq!(start("stored"), Start::Offset(Offset::Stored));
        assert_eq!(start("17"), Start::Offset(Offset::Offset(17)));
        assert_eq!(start("-5"), Start::Offset(Offset::OffsetTail(5)));
        assert_eq!(start("s@1000"), Start::Time(1000));
        assert!(
            Range::parse(&["soon".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("soon")
        );
    }

    #[test]
    fn start_and_end_times_go_together() {
        let range = Range::parse(&["s@5".to_owned(), "e@9".to_owned()]).unwrap();
        assert_eq!(
            range,
            Range {
                start: Start::Time(5),
                end_ms: Some(9)
            }
        );
    }
}
