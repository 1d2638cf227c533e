//! The broker's own properties that are served.
//!
//! Names, types and bounds are Kafka's; a default that differs says so in its documentation.

use super::definition::Update::{ClusterWide, ReadOnly};
use super::definition::Valid::{Any, AtLeast, Between, GzipLevel, ListOf, OneOf};
use super::definition::{Definition, Kind};
use super::topic_properties::{CLEANUP_POLICIES, COMPRESSION_TYPES, TIMESTAMP_TYPES};

macro_rules! broker {
    ($name:literal, $kind:ident, $default:expr, $valid:expr, $update:ident, $doc:literal) => {
        Definition {
            name: $name,
            kind: Kind::$kind,
            default: $default,
            valid: $valid,
            update: $update,
            internal: false,
            documentation: $doc,
        }
    };
}

/// Every broker property that is served, by name.
pub(crate) static BROKER_PROPERTIES: &[Definition] = &[
    broker!(
        "advertised.listeners",
        String,
        None,
        Any,
        ReadOnly,
        "Where clients are told to connect, when that differs from `listeners` (behind NAT, in a container)."
    ),
    broker!(
        "auto.create.topics.enable",
        Boolean,
        Some("true"),
        Any,
        ReadOnly,
        "Whether a topic that does not exist is made when a client asks for its metadata or produces to it."
    ),
    broker!(
        "broker.id",
        Int,
        Some("-1"),
        Any,
        ReadOnly,
        "The broker's number; `node.id` is the same under its newer name."
    ),
    broker!(
        "broker.rack",
        String,
        None,
        Any,
        ReadOnly,
        "The rack that metadata names for this broker."
    ),
    broker!(
        "compression.gzip.level",
        Int,
        Some("-1"),
        GzipLevel,
        ClusterWide,
        "The level at which gzip compresses when compression.type is gzip; the default of topics."
    ),
    broker!(
        "compression.lz4.level",
        Int,
        Some("9"),
        Between(1, 17),
        ClusterWide,
        "The level at which lz4 compresses when compression.type is lz4; the default of topics."
    ),
    broker!(
        "compression.type",
        String,
        Some("producer"),
        OneOf(COMPRESSION_TYPES),
        ClusterWide,
        "How batches are compressed on disk, unless a topic says otherwise; `producer` keeps them as sent."
    ),
    broker!(
        "compression.zstd.level",
        Int,
        Some("3"),
        Between(-131_072, 22),
        ClusterWide,
        "The level at which zstd compresses when compression.type is zstd; the default of topics."
    ),
    broker!(
        "connections.max.idle.ms",
        Long,
        Some("600000"),
        Any,
        ReadOnly,
        "After how many milliseconds without a request a connection is closed."
    ),
    broker!(
        "default.replication.factor",
        Int,
        Some("1"),
        Any,
        ReadOnly,
        "The number of replicas of a new topic; a cluster of one keeps exactly one."
    ),
    broker!(
        "delete.topic.enable",
        Boolean,
        Some("true"),
        Any,
        ReadOnly,
        "Whether DeleteTopics deletes."
    ),
    broker!(
        "fetch.max.bytes",
        Int,
        Some("57671680"),
        AtLeast(1024),
        ReadOnly,
        "The most bytes that one fetch response carries, whatever the client asks for; a single larger batch still goes through."
    ),
    broker!(
        "group.consumer.heartbeat.interval.ms",
        Int,
        Some("5000"),
        AtLeast(1),
        ReadOnly,
        "How often the members of consumer groups are told to send a heartbeat."
    ),
    broker!(
        "group.consumer.max.size",
        Int,
        Some("2147483647"),
        AtLeast(1),
        ReadOnly,
        "The most members that one consumer group may have."
    ),
    broker!(
        "group.consumer.migration.policy",
        String,
        Some("bidirectional"),
        OneOf(&["bidirectional", "upgrade", "downgrade", "disabled"]),
        ReadOnly,
        "Which groups of consumers may change from one protocol to the other while they have members: classic ones (upgrade), consumer groups (downgrade), both or none."
    ),
    broker!(
        "group.consumer.session.timeout.ms",
        Int,
        Some("45000"),
        AtLeast(1),
        ReadOnly,
        "After how long without a heartbeat a member of a consumer group is removed."
    ),
    broker!(
        "group.initial.rebalance.delay.ms",
        Int,
        Some("0"),
        Any,
        ReadOnly,
        "How long the first rebalance of an empty group waits for more members. Kafka's default is 3000; here it is 0, so that a lone consumer starts at once."
    ),
    broker!(
        "group.max.session.timeout.ms",
        Int,
        Some("1800000"),
        Any,
        ReadOnly,
        "The longest session timeout that a group's member may ask for."
    ),
    broker!(
        "group.max.size",
        Int,
        Some("2147483647"),
        AtLeast(1),
        ReadOnly,
        "The most members that one group may have."
    ),
    broker!(
        "group.min.session.timeout.ms",
        Int,
        Some("6000"),
        Any,
        ReadOnly,
        "The shortest session timeout that a group's member may ask for."
    ),
    broker!(
        "listeners",
        String,
        Some("PLAINTEXT://:9092"),
        Any,
        ReadOnly,
        "Where the broker listens, as PLAINTEXT://host:port; port 0 takes a free one."
    ),
    broker!(
        "log.cleaner.backoff.ms",
        Long,
        Some("15000"),
        AtLeast(0),
        ReadOnly,
        "How often compaction looks for something to do, in milliseconds."
    ),
    broker!(
        "log.cleaner.dedupe.buffer.size",
        Long,
        Some("134217728"),
        Any,
        ReadOnly,
        "Memory for the keys of one pass of compaction, in bytes."
    ),
    broker!(
        "log.cleaner.delete.retention.ms",
        Long,
        Some("86400000"),
        AtLeast(0),
        ClusterWide,
        "How long a tombstone stays readable after compaction has seen it; the default of topics."
    ),
    broker!(
        "log.cleaner.enable",
        Boolean,
        Some("true"),
        Any,
        ReadOnly,
        "Whether topics with cleanup.policy=compact are compacted."
    ),
    broker!(
        "log.cleaner.io.max.bytes.per.second",
        Double,
        Some("1.7976931348623157E308"),
        Any,
        ReadOnly,
        "How many bytes a second compaction may read and write."
    ),
    broker!(
        "log.cleaner.max.compaction.lag.ms",
        Long,
        Some("9223372036854775807"),
        AtLeast(1),
        ClusterWide,
        "How long a record may stay out of reach of compaction at most; the default of topics."
    ),
    broker!(
        "log.cleaner.min.cleanable.ratio",
        Double,
        Some("0.5"),
        Between(0, 1),
        ClusterWide,
        "How much of a log, as a share, must be uncompacted before compaction runs; the default of topics."
    ),
    broker!(
        "log.cleaner.min.compaction.lag.ms",
        Long,
        Some("0"),
        AtLeast(0),
        ClusterWide,
        "How long a record stays safe from compaction; the default of topics."
    ),
    broker!(
        "log.cleanup.policy",
        List,
        Some("delete"),
        ListOf(CLEANUP_POLICIES),
        ClusterWide,
        "What becomes of old segments, unless a topic says otherwise: `delete`, `compact` or both."
    ),
    broker!(
        "log.dir",
        String,
        Some("/tmp/kafka-logs"),
        Any,
        ReadOnly,
        "The data directory, if `log.dirs` is not given."
    ),
    broker!(
        "log.dirs",
        String,
        None,
        Any,
        ReadOnly,
        "The data directory; of several the first is used."
    ),
    broker!(
        "log.flush.interval.messages",
        Long,
        Some("9223372036854775807"),
        AtLeast(1),
        ClusterWide,
        "After how many records a partition's log is synced to disk; the default of topics. With 1 no record is acknowledged before it is on disk."
    ),
    broker!(
        "log.flush.interval.ms",
        Long,
        None,
        Any,
        ClusterWide,
        "After how many milliseconds a partition's log is synced to disk; without it `log.flush.scheduler.interval.ms` counts."
    ),
    broker!(
        "log.flush.scheduler.interval.ms",
        Long,
        Some("9223372036854775807"),
        Any,
        ReadOnly,
        "How often logs are looked at for syncing, and the time of `log.flush.interval.ms` when that is not given."
    ),
    broker!(
        "log.index.interval.bytes",
        Int,
        Some("4096"),
        AtLeast(0),
        ClusterWide,
        "After how many bytes of records the offset index gets another entry; the default of topics."
    ),
    broker!(
        "log.index.size.max.bytes",
        Int,
        Some("10485760"),
        AtLeast(4),
        ClusterWide,
        "How large a segment's offset index may become; the default of topics."
    ),
    broker!(
        "log.local.retention.bytes",
        Long,
        Some("-2"),
        AtLeast(-2),
        ClusterWide,
        "How much would be kept locally of what is in remote storage; kept and shown, without effect: there is none."
    ),
    broker!(
        "log.local.retention.ms",
        Long,
        Some("-2"),
        AtLeast(-2),
        ClusterWide,
        "For how long records in remote storage would be kept locally as well; kept and shown, without effect: there is none."
    ),
    broker!(
        "log.message.timestamp.after.max.ms",
        Long,
        Some("3600000"),
        AtLeast(0),
        ClusterWide,
        "How far a record's timestamp may lie ahead of the broker's clock; the default of topics."
    ),
    broker!(
        "log.message.timestamp.before.max.ms",
        Long,
        Some("9223372036854775807"),
        AtLeast(0),
        ClusterWide,
        "How far a record's timestamp may lie behind the broker's clock; the default of topics."
    ),
    broker!(
        "log.message.timestamp.type",
        String,
        Some("CreateTime"),
        OneOf(TIMESTAMP_TYPES),
        ClusterWide,
        "Whether a record keeps the producer's timestamp or gets the time of its append; the default of topics."
    ),
    broker!(
        "log.preallocate",
        Boolean,
        Some("false"),
        Any,
        ClusterWide,
        "Whether a new segment's file is made at its full size; kept and shown, without effect here."
    ),
    broker!(
        "log.retention.bytes",
        Long,
        Some("-1"),
        Any,
        ClusterWide,
        "Above which size of a partition its oldest segments are discarded; the default of topics; -1 for never."
    ),
    broker!(
        "log.retention.check.interval.ms",
        Long,
        Some("300000"),
        AtLeast(1),
        ReadOnly,
        "How often retention looks for segments to discard."
    ),
    broker!(
        "log.retention.hours",
        Int,
        Some("168"),
        Any,
        ReadOnly,
        "After how many hours a segment is discarded, if neither `log.retention.minutes` nor `log.retention.ms` is given."
    ),
    broker!(
        "log.retention.minutes",
        Int,
        None,
        Any,
        ReadOnly,
        "After how many minutes a segment is discarded, if `log.retention.ms` is not given."
    ),
    broker!(
        "log.retention.ms",
        Long,
        None,
        Any,
        ClusterWide,
        "After how many milliseconds a segment is discarded; the default of topics; -1 for never."
    ),
    broker!(
        "log.roll.hours",
        Int,
        Some("168"),
        AtLeast(1),
        ReadOnly,
        "After how many hours a segment is closed even though it is not full, if `log.roll.ms` is not given."
    ),
    broker!(
        "log.roll.jitter.hours",
        Int,
        Some("0"),
        AtLeast(0),
        ReadOnly,
        "By how many hours at most closing a segment is brought forward at random, if `log.roll.jitter.ms` is not given."
    ),
    broker!(
        "log.roll.jitter.ms",
        Long,
        None,
        Any,
        ClusterWide,
        "By how many milliseconds at most closing a segment is brought forward at random."
    ),
    broker!(
        "log.roll.ms",
        Long,
        None,
        Any,
        ClusterWide,
        "After how many milliseconds a segment is closed even though it is not full; the default of topics."
    ),
    broker!(
        "log.segment.bytes",
        Int,
        Some("1073741824"),
        AtLeast(1_048_576),
        ClusterWide,
        "At which size a segment is closed; the default of topics."
    ),
    broker!(
        "log.segment.delete.delay.ms",
        Long,
        Some("60000"),
        AtLeast(0),
        ClusterWide,
        "How long a discarded segment's files stay on disk before they are removed; the default of topics."
    ),
    broker!(
        "max.connections",
        Int,
        Some("2147483647"),
        AtLeast(0),
        ClusterWide,
        "The most connections at one time; one more is closed as soon as it is accepted."
    ),
    broker!(
        "max.connections.per.ip",
        Int,
        Some("2147483647"),
        AtLeast(0),
        ClusterWide,
        "The most connections at one time from one address."
    ),
    broker!(
        "max.incremental.fetch.session.cache.slots",
        Int,
        Some("1000"),
        AtLeast(0),
        ReadOnly,
        "The most incremental fetch sessions kept; without a slot a client fetches in full each time."
    ),
    broker!(
        "max.request.partition.size.limit",
        Int,
        Some("2000"),
        AtLeast(1),
        ReadOnly,
        "The most partitions that one DescribeTopicPartitions response lists."
    ),
    broker!(
        "message.max.bytes",
        Int,
        Some("1048588"),
        AtLeast(0),
        ClusterWide,
        "The largest record batch that is accepted, unless a topic says otherwise."
    ),
    broker!(
        "min.insync.replicas",
        Int,
        Some("1"),
        AtLeast(1),
        ClusterWide,
        "How many replicas must be in sync for acks=all; the default of topics."
    ),
    broker!("node.id", Int, Some("1"), AtLeast(0), ReadOnly, "The broker's number."),
    broker!(
        "num.network.threads",
        Int,
        Some("1"),
        AtLeast(1),
        ReadOnly,
        "How many loops serve the connections; each owns its connections from accept to close. Kafka's default is 3; here it is one for every two cores, three at most."
    ),
    broker!(
        "num.partitions",
        Int,
        Some("1"),
        AtLeast(1),
        ReadOnly,
        "The number of partitions of a topic that is made without saying how many."
    ),
    broker!(
        "offset.metadata.max.bytes",
        Int,
        Some("4096"),
        Any,
        ReadOnly,
        "The longest text that a client may store with a committed offset."
    ),
    broker!(
        "offsets.retention.check.interval.ms",
        Long,
        Some("600000"),
        AtLeast(1),
        ReadOnly,
        "How often committed offsets are looked at for expiry."
    ),
    broker!(
        "offsets.retention.minutes",
        Int,
        Some("10080"),
        AtLeast(1),
        ReadOnly,
        "For how long the offsets of a group without members are kept."
    ),
    broker!(
        "producer.id.expiration.ms",
        Int,
        Some("86400000"),
        AtLeast(1),
        ClusterWide,
        "For how long a partition remembers an idle producer's sequence numbers."
    ),
    broker!(
        "queued.max.request.bytes",
        Long,
        Some("-1"),
        Any,
        ReadOnly,
        "The most bytes of requests that are held in memory before the broker reads no further; -1 for no limit but that of each connection."
    ),
    broker!(
        "socket.listen.backlog.size",
        Int,
        Some("50"),
        AtLeast(1),
        ReadOnly,
        "How many connections may wait to be accepted."
    ),
    broker!(
        "socket.receive.buffer.bytes",
        Int,
        Some("102400"),
        Any,
        ReadOnly,
        "The size of each socket's receive buffer; -1 for the system's own. Here the system's own is used unless it is given."
    ),
    broker!(
        "socket.request.max.bytes",
        Int,
        Some("104857600"),
        AtLeast(1),
        ReadOnly,
        "The largest request that is read; a larger one closes the connection."
    ),
    broker!(
        "socket.send.buffer.bytes",
        Int,
        Some("102400"),
        Any,
        ReadOnly,
        "The size of each socket's send buffer; -1 for the system's own. Here the system's own is used unless it is given."
    ),
    broker!(
        "transaction.max.timeout.ms",
        Int,
        Some("900000"),
        AtLeast(1),
        ReadOnly,
        "The longest transaction timeout that a producer may ask for."
    ),
    broker!(
        "transactional.id.expiration.ms",
        Int,
        Some("604800000"),
        AtLeast(1),
        ReadOnly,
        "For how long an idle transactional id is remembered."
    ),
    broker!(
        "unclean.leader.election.enable",
        Boolean,
        Some("false"),
        Any,
        ClusterWide,
        "Whether a replica out of sync may lead; kept and shown, without effect in a cluster of one."
    ),
];
