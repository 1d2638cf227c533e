//! The properties of a topic, and the broker's properties that give their defaults.

use super::definition::{Definition, Kind, Update, Valid};
use super::{ConfigError, Values};

/// A broker property that gives a topic property its default, and how its unit becomes the topic's.
#[derive(Debug)]
pub(crate) struct Synonym {
    /// The broker property.
    pub name: &'static str,
    /// What its number is multiplied by (hours to milliseconds); 1 for none.
    pub factor: i64,
}

/// A topic property with its synonyms in order of precedence.
#[derive(Debug)]
pub(crate) struct TopicDefinition {
    /// The property.
    pub definition: Definition,
    /// The broker's properties for it.
    pub synonyms: &'static [Synonym],
}

macro_rules! topic {
    ($name:literal, $kind:ident, $default:expr, $valid:expr, [$($synonym:literal $(* $factor:literal)?),*], $doc:literal) => {
        TopicDefinition {
            definition: Definition {
                name: $name,
                kind: Kind::$kind,
                default: $default,
                valid: $valid,
                update: Update::ClusterWide,
                internal: false,
                documentation: $doc,
            },
            synonyms: &[$(Synonym { name: $synonym, factor: 1 $(* $factor)? }),*],
        }
    };
}

use Valid::{Any, AtLeast, Between, GzipLevel, ListOf, OneOf, ThrottledReplicas};

/// The codecs of `compression.type`, in Kafka's order.
pub(super) const COMPRESSION_TYPES: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
pub(super) const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];
pub(super) const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];

/// Every property of a topic, by name.
pub(crate) static TOPIC_PROPERTIES: &[TopicDefinition] = &[
    topic!(
        "cleanup.policy",
        List,
        Some("delete"),
        ListOf(CLEANUP_POLICIES),
        ["log.cleanup.policy"],
        "What becomes of old segments: `delete` discards them by age and size, `compact` keeps the newest record of each key; both may be given."
    ),
    topic!(
        "compression.gzip.level",
        Int,
        Some("-1"),
        GzipLevel,
        ["compression.gzip.level"],
        "The level at which gzip compresses when compression.type is gzip."
    ),
    topic!(
        "compression.lz4.level",
        Int,
        Some("9"),
        Between(1, 17),
        ["compression.lz4.level"],
        "The level at which lz4 compresses when compression.type is lz4."
    ),
    topic!(
        "compression.type",
        String,
        Some("producer"),
        OneOf(COMPRESSION_TYPES),
        ["compression.type"],
        "How batches are compressed on disk; `producer` keeps them as the producer sent them, `uncompressed` expands them."
    ),
    topic!(
        "compression.zstd.level",
        Int,
        Some("3"),
        Between(-131_072, 22),
        ["compression.zstd.level"],
        "The level at which zstd compresses when compression.type is zstd."
    ),
    topic!(
        "delete.retention.ms",
        Long,
        Some("86400000"),
        AtLeast(0),
        ["log.cleaner.delete.retention.ms"],
        "How long a tombstone stays readable after compaction has seen it, in milliseconds."
    ),
    topic!(
        "file.delete.delay.ms",
        Long,
        Some("60000"),
        AtLeast(0),
        ["log.segment.delete.delay.ms"],
        "How long a discarded segment's files stay on disk before they are removed, in milliseconds."
    ),
    topic!(
        "flush.messages",
        Long,
        Some("9223372036854775807"),
        AtLeast(1),
        ["log.flush.interval.messages"],
        "After how many records the log is synced to disk. With 1 no record is acknowledged before it is on disk."
    ),
    topic!(
        "flush.ms",
        Long,
        Some("9223372036854775807"),
        AtLeast(0),
        ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "After how many milliseconds the log is synced to disk."
    ),
    topic!(
        "follower.replication.throttled.replicas",
        List,
        Some(""),
        ThrottledReplicas,
        [],
        "Replicas whose copying would be throttled on the follower's side; kept and shown, without effect in a cluster of one."
    ),
    topic!(
        "index.interval.bytes",
        Int,
        Some("4096"),
        AtLeast(0),
        ["log.index.interval.bytes"],
        "After how many bytes of records the offset index gets another entry."
    ),
    topic!(
        "leader.replication.throttled.replicas",
        List,
        Some(""),
        ThrottledReplicas,
        [],
        "Replicas whose copying would be throttled on the leader's side; kept and shown, without effect in a cluster of one."
    ),
    topic!(
        "local.retention.bytes",
        Long,
        Some("-2"),
        AtLeast(-2),
        ["log.local.retention.bytes"],
        "How much would be kept locally of what is in remote storage; kept and shown, without effect: there is none."
    ),
    topic!(
        "local.retention.ms",
        Long,
        Some("-2"),
        AtLeast(-2),
        ["log.local.retention.ms"],
        "For how long records in remote storage would be kept locally as well; kept and shown, without effect: there is none."
    ),
    topic!(
        "max.compaction.lag.ms",
        Long,
        Some("9223372036854775807"),
        AtLeast(1),
        ["log.cleaner.max.compaction.lag.ms"],
        "How long a record may stay out of reach of compaction at most, in milliseconds."
    ),
    topic!(
        "max.message.bytes",
        Int,
        Some("1048588"),
        AtLeast(0),
        ["message.max.bytes"],
        "The largest record batch that is accepted, in bytes as sent (after compression)."
    ),
    topic!(
        "message.timestamp.after.max.ms",
        Long,
        Some("3600000"),
        AtLeast(0),
        ["log.message.timestamp.after.max.ms"],
        "How far a record's timestamp may lie ahead of the broker's clock, in milliseconds."
    ),
    topic!(
        "message.timestamp.before.max.ms",
        Long,
        Some("9223372036854775807"),
        AtLeast(0),
        ["log.message.timestamp.before.max.ms"],
        "How far a record's timestamp may lie behind the broker's clock, in milliseconds."
    ),
    topic!(
        "message.timestamp.type",
        String,
        Some("CreateTime"),
        OneOf(TIMESTAMP_TYPES),
        ["log.message.timestamp.type"],
        "Whether a record keeps the producer's timestamp or gets the time at which it was appended."
    ),
    topic!(
        "min.cleanable.dirty.ratio",
        Double,
        Some("0.5"),
        Between(0, 1),
        ["log.cleaner.min.cleanable.ratio"],
        "How much of the log, as a share, must be uncompacted before compaction runs."
    ),
    topic!(
        "min.compaction.lag.ms",
        Long,
        Some("0"),
        AtLeast(0),
        ["log.cleaner.min.compaction.lag.ms"],
        "How long a record stays safe from compaction, in milliseconds."
    ),
    topic!(
        "min.insync.replicas",
        Int,
        Some("1"),
        AtLeast(1),
        ["min.insync.replicas"],
        "How many replicas must be in sync for a produce request with acks=all."
    ),
    topic!(
        "preallocate",
        Boolean,
        Some("false"),
        Any,
        ["log.preallocate"],
        "Whether a new segment's file is made at its full size; kept and shown, without effect here."
    ),
    topic!(
        "remote.log.copy.disable",
        Boolean,
        Some("false"),
        Any,
        [],
        "Whether copying to remote storage would stop; kept and shown, without effect: there is none."
    ),
    topic!(
        "remote.log.delete.on.disable",
        Boolean,
        Some("false"),
        Any,
        [],
        "Whether records in remote storage would be deleted when it is switched off; kept and shown, without effect: there is none."
    ),
    topic!(
        "remote.storage.enable",
        Boolean,
        Some("false"),
        Any,
        [],
        "Whether old segments go to remote storage. There is none, so it cannot be true."
    ),
    topic!(
        "retention.bytes",
        Long,
        Some("-1"),
        Any,
        ["log.retention.bytes"],
        "Above which size of a partition its oldest segments are discarded; -1 for never."
    ),
    topic!(
        "retention.ms",
        Long,
        Some("604800000"),
        AtLeast(-1),
        [
            "log.retention.ms",
            "log.retention.minutes" * 60_000,
            "log.retention.hours" * 3_600_000
        ],
        "After how many milliseconds a segment is discarded; -1 for never."
    ),
    topic!(
        "segment.bytes",
        Int,
        Some("1073741824"),
        AtLeast(1_048_576),
        ["log.segment.bytes"],
        "At which size a segment is closed and the next one begun."
    ),
    topic!(
        "segment.index.bytes",
        Int,
        Some("10485760"),
        AtLeast(4),
        ["log.index.size.max.bytes"],
        "How large a segment's offset index may become before the next segment is begun."
    ),
    topic!(
        "segment.jitter.ms",
        Long,
        Some("0"),
        AtLeast(0),
        ["log.roll.jitter.ms", "log.roll.jitter.hours" * 3_600_000],
        "By how much at most segment.ms is shortened at random, so that segments do not all close at once."
    ),
    topic!(
        "segment.ms",
        Long,
        Some("604800000"),
        AtLeast(1),
        ["log.roll.ms", "log.roll.hours" * 3_600_000],
        "After how many milliseconds a segment is closed even though it is not full."
    ),
    topic!(
        "unclean.leader.election.enable",
        Boolean,
        Some("false"),
        Any,
        ["unclean.leader.election.enable"],
        "Whether a replica out of sync may lead; kept and shown, without effect in a cluster of one."
    ),
];

/// The one internal property of Kafka's topics: a segment size below the documented minimum, for tests.
static INTERNAL_SEGMENT_BYTES: TopicDefinition = TopicDefinition {
    definition: Definition {
        name: "internal.segment.bytes",
        kind: Kind::Int,
        default: None,
        valid: Any,
        update: Update::ClusterWide,
        internal: true,
        documentation: "A segment size without a minimum, for tests.",
    },
    synonyms: &[],
};

/// A topic property by name.
pub(crate) fn topic_property(name: &str) -> Option<&'static TopicDefinition> {
    if name == INTERNAL_SEGMENT_BYTES.definition.name {
        return Some(&INTERNAL_SEGMENT_BYTES);
    }
    TOPIC_PROPERTIES
        .binary_search_by_key(&name, |topic| topic.definition.name)
        .ok()
        .map(|at| &TOPIC_PROPERTIES[at])
}

/// The order in which Apache Kafka defines topic properties, and so checks them.
const DEFINED: &[&str] = &[
    "segment.bytes",
    "segment.ms",
    "segment.jitter.ms",
    "segment.index.bytes",
    "flush.messages",
    "flush.ms",
    "retention.bytes",
    "retention.ms",
    "max.message.bytes",
    "index.interval.bytes",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "file.delete.delay.ms",
    "min.cleanable.dirty.ratio",
    "cleanup.policy",
    "unclean.leader.election.enable",
    "min.insync.replicas",
    "compression.type",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "preallocate",
    "message.timestamp.type",
    "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms",
];

/// Checks what is set for a topic. It is kept as it was written, as Kafka keeps it.
pub(crate) fn check_topic_overrides(overrides: &Values) -> Result<(), ConfigError> {
    // All names before any value, as in Apache Kafka.
    let mut known = Vec::with_capacity(overrides.len());
    for (name, value) in overrides {
        match topic_property(name) {
            Some(topic) => known.push((topic, value)),
            None => return Err(ConfigError(format!("Unknown topic config name: {name}"))),
        }
    }
    // Of several values that cannot be, the first in the order of Apache Kafka's definitions is named.
    known.sort_by_key(|(topic, _)| DEFINED.iter().position(|name| *name == topic.definition.name));
    for (topic, value) in known {
        topic.definition.check(value)?;
    }
    Ok(())
}
