//! Consumers: one that is told its partitions, and members of groups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use super::history::{Isolation, Seen};
use super::journal::Journal;
use super::producing::value_of;
use super::site::{DERIVED, PARTITIONS, PATIENCE, Quiet, Site, TOPIC, place};

/// How long a poll waits; what is over is noticed after that.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// Records after which a member of a group commits.
const COMMIT_EVERY: usize = 20;

fn level(isolation: Isolation) -> (&'static str, &'static str) {
    let level = match isolation {
        Isolation::Uncommitted => "read_uncommitted",
        Isolation::Committed => "read_committed",
    };
    ("isolation.level", level)
}

/// What a message is in a history.
pub(crate) fn seen(message: &BorrowedMessage<'_>) -> Seen {
    Seen {
        partition: place(message.topic(), message.partition()),
        offset: message.offset(),
        // A value that nobody sends.
        value: message.payload().and_then(value_of).unwrap_or(u64::MAX),
    }
}

/// Whether an error is what a client may meet while things are bad.
fn is_bad_luck(error: &KafkaError) -> bool {
    let never = [
        RDKafkaErrorCode::OffsetOutOfRange,
        RDKafkaErrorCode::AutoOffsetReset,
        RDKafkaErrorCode::BadMessage,
        RDKafkaErrorCode::InvalidMessage,
        RDKafkaErrorCode::Fatal,
        RDKafkaErrorCode::UnknownTopicOrPartition,
    ];
    error.rdkafka_error_code().is_none_or(|code| !never.contains(&code))
}

/// Reads all partitions from their beginning until it is over.
pub(crate) fn alone(site: &Site, isolation: Isolation) {
    let properties = [
        ("group.id", "alone"),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "error"),
        ("fetch.wait.max.ms", "50"),
        level(isolation),
    ];
    let consumer: BaseConsumer<Quiet> = site.client(&properties).create_with_context(Quiet).unwrap();
    let mut assignment = TopicPartitionList::new();
    let mut readings = HashMap::new();
    for partition in 0..PARTITIONS {
        assignment
            .add_partition_offset(TOPIC, partition, Offset::Beginning)
            .unwrap();
        let reading = site.journal.assigned(isolation, None, place(TOPIC, partition));
        readings.insert(partition, reading);
    }
    consumer.assign(&assignment).unwrap();
    while !site.is_over() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => site.journal.seen(readings[&message.partition()], seen(&message)),
            Some(Err(error)) if !is_bad_luck(&error) => {
                site.journal.broken(format!("a consumer alone: {error}"));
                return;
            }
            _ => {}
        }
    }
}

/// How a group's members agree on who reads what.
pub(crate) type Protocol = &'static [(&'static str, &'static str)];

/// The protocols of librdkafka.
pub(crate) const PROTOCOLS: [Protocol; 3] = [
    &[
        ("partition.assignment.strategy", "range"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "200"),
    ],
    &[
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "200"),
    ],
    &[("group.protocol", "consumer")],
];

/// Writes down what a member is given.
pub(crate) struct Assignments {
    journal: Arc<Journal>,
    isolation: Isolation,
    group: usize,
    /// The reading of each partition that it has.
    pub(crate) readings: Mutex<HashMap<i32, usize>>,
}

impl ClientContext for Assignments {
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Assignments {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut readings = self.readings.lock();
        match rebalance {
            Rebalance::Assign(partitions) => {
                for element in partitions.elements() {
                    let place = place(element.topic(), element.partition());
                    let reading = self.journal.assigned(self.isolation, Some(self.group), place);
                    readings.insert(element.partition(), reading);
                }
            }
            Rebalance::Revoke(partitions) => {
                for element in partitions.elements() {
                    readings.remove(&element.partition());
                }
            }
            Rebalance::Error(_) => readings.clear(),
        }
    }

    fn main_queue_min_poll_interval(&self) -> Timeout {
        Timeout::After(POLL)
    }
}

/// A member of a group that reads the topic.
pub(crate) fn member(site: &Site, group: usize, isolation: Isolation, protocol: Protocol) -> BaseConsumer<Assignments> {
    let name = format!("group-{group}");
    let properties = [
        ("group.id", name.as_str()),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", "50"),
        level(isolation),
    ];
    let mut config = site.client(&properties);
    for (name, value) in protocol {
        config.set(*name, *value);
    }
    let context = Assignments {
        journal: Arc::clone(&site.journal),
        isolation,
        group,
        readings: Mutex::default(),
    };
    let consumer: BaseConsumer<Assignments> = config.create_with_context(context).unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    consumer
}

/// Members one after the other, each of which leaves when it has read enough.
pub(crate) fn members(site: &Site, group: usize, isolation: Isolation, protocol: Protocol, mut rng: ChaCha8Rng) {
    while !site.is_over() {
        let consumer = member(site, group, isolation, protocol);
        let life = rng.random_range(100..1_000);
        let mut read = 0;
        let mut ends: HashMap<i32, i64> = HashMap::new();
        while read < life && !site.is_over() {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let reading = consumer.context().readings.lock().get(&message.partition()).copied();
                    let Some(reading) = reading else {
                        site.journal.broken(format!("{:?} is not assigned", seen(&message)));
                        return;
                    };
                    site.journal.seen(reading, seen(&message));
                    ends.insert(message.partition(), message.offset() + 1);
                    read += 1;
                }
                Some(Err(error)) if !is_bad_luck(&error) => {
                    site.journal.broken(format!("a member: {error}"));
                    return;
                }
                _ => {}
            }
            if read % COMMIT_EVERY == 0 {
                commit(site, &consumer, group, &mut ends);
            }
        }
        commit(site, &consumer, group, &mut ends);
    }
}

/// Commits what was read of the partitions that are still assigned.
fn commit(site: &Site, consumer: &BaseConsumer<Assignments>, group: usize, ends: &mut HashMap<i32, i64>) {
    for (partition, offset) in ends.drain() {
        if !consumer.context().readings.lock().contains_key(&partition) {
            continue;
        }
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(TOPIC, partition, Offset::Offset(offset))
            .unwrap();
        let commit = site.journal.committing(group, place(TOPIC, partition), offset);
        // It may have happened all the same.
        if consumer.commit(&offsets, CommitMode::Sync).is_ok() {
            site.journal.committed(commit);
        }
    }
}

/// Everything that is to be read of some topics now, in order.
pub(crate) fn everything(site: &Site, topics: &[&str], isolation: Isolation) -> Vec<Seen> {
    let properties = [
        ("group.id", "everything"),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "error"),
        ("enable.partition.eof", "true"),
        level(isolation),
    ];
    let consumer: BaseConsumer<Quiet> = site.client(&properties).create_with_context(Quiet).unwrap();
    let mut all = Vec::new();
    for topic in topics {
        for partition in 0..PARTITIONS {
            let mut assignment = TopicPartitionList::new();
            assignment
                .add_partition_offset(topic, partition, Offset::Beginning)
                .unwrap();
            consumer.assign(&assignment).unwrap();
            loop {
                match consumer.poll(PATIENCE) {
                    Some(Ok(message)) => all.push(seen(&message)),
                    Some(Err(KafkaError::PartitionEOF(_))) => break,
                    Some(Err(error)) if is_bad_luck(&error) => {}
                    other => {
                        let what = other.map(|result| result.map(|message| message.offset()));
                        site.journal.broken(format!("reading everything: {what:?}"));
                        return all;
                    }
                }
            }
        }
    }
    all
}

/// The topics of a history that derives, and of one that does not.
pub(crate) fn topics(derives: bool) -> &'static [&'static str] {
    if derives { &[TOPIC, DERIVED] } else { &[TOPIC] }
}
