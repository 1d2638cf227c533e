//! Going on where the topics end, whatever happened to the run that wrote them.
//!
//! A feed gives the same events each time, an event's partition follows from its key, and an idempotent
//! producer leaves in each partition the first so many of its events, without gaps. So the last message of
//! each partition tells all: the feed begins anew at the earliest day that any of them shows, and leaves out
//! every event that its partition already has. Nothing is doubled and nothing left out, after a clean stop as
//! after `kill -9`.
//!
//! The last messages are compared with the events that are made anew: if they differ, the topic was written
//! from another input, seed or selection, and going on would make nonsense of it.

use std::time::Duration;

use anyhow::Context;
use chrono::NaiveDate;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use tickertape_client::{Plain, UsageError, connect};

use crate::clock;
use crate::feed::{Event, Position};
use crate::options::{FeedKind, ProduceOptions};
use crate::table::Table;

/// What the topics of a feed have already.
#[derive(Debug, Default)]
pub(crate) struct Already {
    topics: Vec<TopicTail>,
    /// How many last messages the feed has not come by yet.
    ahead: usize,
}

#[derive(Debug)]
struct TopicTail {
    topic: String,
    partitions: Vec<Option<Tail>>,
    /// The partition of each symbol.
    of_symbol: Vec<usize>,
}

/// The last message of a partition.
#[derive(Debug)]
struct Tail {
    seq: u64,
    date: NaiveDate,
    json: Vec<u8>,
}

/// What of an event tells its place.
#[derive(serde::Deserialize)]
struct Place {
    seq: u64,
    date: NaiveDate,
}

impl Already {
    /// Reads the last message of every partition. Blocks; to be called on a thread of its own.
    ///
    /// # Errors
    /// A topic whose last message is not an event of a feed, or whose messages are gone; no answer in time.
    pub(crate) fn read(options: &ProduceOptions, table: &Table) -> anyhow::Result<Already> {
        if let Some(partitioner) = options.kafka.property("partitioner")
            && !partitioner.starts_with("consistent")
        {
            return Err(UsageError(format!(
                "--resume has to know each symbol's partition, so not with -X partitioner={partitioner}"
            ))
            .into());
        }
        let config = options
            .kafka
            .client_config(&[("group.id", "tickertape-resume"), ("enable.auto.commit", "false")])?;
        let consumer: BaseConsumer<Plain> = connect(&config, Plain)?;
        let timeout = options.kafka.timeout;
        let mut topics = Vec::new();
        for topic in options.topics() {
            let partitions =
                read_tails(&consumer, topic, timeout).with_context(|| format!("reading the end of topic {topic}"))?;
            let count = partitions.len();
            let of_symbol = table.symbols.iter();
            let of_symbol = of_symbol.map(|symbol| partition_of(symbol, count)).collect();
            topics.push(TopicTail {
                topic: topic.to_owned(),
                partitions,
                of_symbol,
            });
        }
        let tails = topics.iter().flat_map(|topic| &topic.partitions);
        let ahead = match options.feed {
            FeedKind::Sample => 0,
            FeedKind::Bars | FeedKind::Ticks => tails.flatten().count(),
        };
        Ok(Already { topics, ahead })
    }

    /// Where the feed has to begin so that it comes by everything that is missing.
    pub(crate) fn start(&self, table: &Table, options: &ProduceOptions) -> Option<Position> {
        let tails = || self.topics.iter().flat_map(|topic| topic.partitions.iter().flatten());
        if options.feed == FeedKind::Sample {
            let seq = tails().map(|tail| tail.seq + 1).max()?;
            return Some(Position {
                seq,
                ..Position::default()
            });
        }
        // Topics without a message: the feed begins where it would have begun.
        tails().next()?;
        let dates = self.topics.iter().flat_map(|topic| topic.dates(table));
        dates.min().map(|date| Position::of_day(table, options, date))
    }

    /// Whether the topic has this event.
    ///
    /// # Errors
    /// The topic has another event in its place.
    pub(crate) fn has(&mut self, event: &Event) -> anyhow::Result<bool> {
        if self.ahead == 0 {
            return Ok(false);
        }
        let Some(topic) = self.topics.get(event.stream.index()) else {
            return Ok(false);
        };
        let partition = topic.of_symbol[event.symbol];
        let Some(tail) = &topic.partitions[partition] else {
            return Ok(false);
        };
        if event.seq == tail.seq {
            if event.json != tail.json {
                return Err(UsageError(format!(
                    "topic {} does not end with an event of this feed, but with {}; was it written from another \
                     --input, --seed or selection?",
                    topic.topic,
                    String::from_utf8_lossy(&tail.json),
                ))
                .into());
            }
            self.ahead -= 1;
        }
        Ok(event.seq <= tail.seq)
    }
}

impl TopicTail {
    /// For each partition, the day from which on something may be missing: that of its last message, or the
    /// first day of its symbols.
    fn dates<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = NaiveDate> + 'a {
        let first_day = move |partition: usize| {
            let mut rows = table.rows.iter();
            rows.find(|row| self.of_symbol[row.symbol] == partition)
                .map(|row| row.date)
        };
        let partitions = self.partitions.iter().enumerate();
        partitions.filter_map(move |(partition, tail)| match tail {
            Some(tail) => Some(tail.date),
            None => first_day(partition),
        })
    }
}

/// librdkafka's default, `consistent_random`, of a key that is not empty: its CRC-32 modulo the partitions.
fn partition_of(key: &str, partitions: usize) -> usize {
    let mut crc = flate2::Crc::new();
    crc.update(key.as_bytes());
    crc.sum() as usize % partitions.max(1)
}

fn read_tails(consumer: &BaseConsumer<Plain>, topic: &str, timeout: Duration) -> anyhow::Result<Vec<Option<Tail>>> {
    let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
    let found = metadata.topics().first();
    let count = found.map_or(0, |topic| topic.partitions().len());
    let mut tails: Vec<Option<Tail>> = (0..count).map(|_| None).collect();
    let mut ends = TopicPartitionList::new();
    for partition in 0..count {
        let partition = i32::try_from(partition)?;
        let (low, high) = consumer.fetch_watermarks(topic, partition, timeout)?;
        if high > low {
            ends.add_partition_offset(topic, partition, Offset::Offset(high - 1))?;
        } else if high > 0 {
            return Err(UsageError(format!(
                "partition {partition} has no messages left, so there is nothing to go on from"
            ))
            .into());
        }
    }
    let mut missing = ends.count();
    consumer.assign(&ends)?;
    let deadline = clock::now() + timeout;
    while missing > 0 {
        let left = deadline.saturating_duration_since(clock::now());
        anyhow::ensure!(
            !left.is_zero(),
            "no last message of {missing} partitions in {timeout:?}"
        );
        let Some(message) = consumer.poll(left).transpose()? else {
            continue;
        };
        let partition = usize::try_from(message.partition())?;
        if tails[partition].is_some() {
            continue;
        }
        let json = message.payload().unwrap_or_default().to_vec();
        let place: Place = serde_json::from_slice(&json).map_err(|_| {
            let text = String::from_utf8_lossy(&json);
            UsageError(format!("its last message is no event of a feed: {text}"))
        })?;
        tails[partition] = Some(Tail {
            seq: place.seq,
            date: place.date,
            json,
        });
        missing -= 1;
    }
    Ok(tails)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_librdkafkas() {
        // CRC-32 of "123456789" is the check value of every catalogue of CRCs.
        assert_eq!(partition_of("123456789", usize::MAX), 0xcbf4_3926);
        assert_eq!(partition_of("AAPL", 1), 0);
    }
}
