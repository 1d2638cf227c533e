//! The topic properties that a partition log obeys, by Kafka's names, units and defaults.

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's own time is kept.
    CreateTime,
    /// The broker overwrites it with the time of the append.
    LogAppendTime,
}

/// `cleanup.policy`: either or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments are deleted by age and size.
    pub delete: bool,
    /// Only the last record of each key is kept.
    pub compact: bool,
}

/// `compression.type`: what batches are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// `gzip`.
    Gzip,
    /// `snappy`.
    Snappy,
    /// `lz4`.
    Lz4,
    /// `zstd`.
    Zstd,
}

/// A log's properties. Fields are Kafka's topic properties with dots as underscores; sizes in bytes, times in
/// milliseconds, -1 for "no bound" where Kafka has it so.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the Kafka property of its name, documented by Kafka"
)]
pub struct LogConfig {
    pub cleanup_policy: CleanupPolicy,
    pub compression_type: CompressionType,
    pub delete_retention_ms: i64,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub index_interval_bytes: i32,
    pub max_compaction_lag_ms: i64,
    pub max_message_bytes: i32,
    pub message_timestamp_after_max_ms: i64,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_type: TimestampType,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    /// The broker's `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    pub retention_bytes: i64,
    pub retention_ms: i64,
    pub segment_bytes: i32,
    pub segment_index_bytes: i32,
    pub segment_jitter_ms: i64,
    pub segment_ms: i64,
    /// How far a compressed batch may expand where it has to be decompressed, in bytes. Not Kafka's.
    pub decompressed_bytes_max: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            cleanup_policy: CleanupPolicy {
                delete: true,
                compact: false,
            },
            compression_type: CompressionType::Producer,
            delete_retention_ms: 86_400_000,
            file_delete_delay_ms: 60_000,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            index_interval_bytes: 4_096,
            max_compaction_lag_ms: i64::MAX,
            max_message_bytes: 1_048_588,
            message_timestamp_after_max_ms: 3_600_000,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_type: TimestampType::CreateTime,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            producer_id_expiration_ms: 86_400_000,
            retention_bytes: -1,
            retention_ms: 604_800_000,
            segment_bytes: 1_073_741_824,
            segment_index_bytes: 10_485_760,
            segment_jitter_ms: 0,
            segment_ms: 604_800_000,
            decompressed_bytes_max: 256 * 1024 * 1024,
        }
    }
}

impl LogConfig {
    /// How old a segment becomes before another begins: `segment.ms`, or `max.compaction.lag.ms` where that is shorter and
    /// the topic is compacted, as the last segment is never cleaned.
    pub(super) fn segment_age_ms(&self) -> i64 {
        if self.cleanup_policy.compact {
            self.segment_ms.min(self.max_compaction_lag_ms.max(1))
        } else {
            self.segment_ms
        }
    }

    /// By how much a segment that draws `lot` is cut short: `segment.jitter.ms` at most, and never by all of `segment.ms`.
    pub(super) fn segment_jitter_ms(&self, lot: impl FnOnce() -> u64) -> i64 {
        match u64::try_from(self.segment_jitter_ms.min(self.segment_ms)) {
            Ok(bound) if bound > 0 => i64::try_from(lot() % bound).unwrap_or(0),
            _ => 0,
        }
    }
}
