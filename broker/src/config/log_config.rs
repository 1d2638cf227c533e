//! A topic's effective properties as the log takes them.

use super::definition::split_list;
use super::{BrokerConfig, ConfigError, Values, broker_property, topic_property};
use crate::log::{CleanupPolicy, CompressionType, LogConfig, TimestampType};

/// The effective value of a topic property: the topic's own, else the broker's by its synonyms, else the default.
pub(crate) fn effective(config: &BrokerConfig, overrides: &Values, name: &str) -> Option<String> {
    let topic = topic_property(name)?;
    if let Some(value) = overrides.get(name) {
        // It was checked when it was set.
        return topic.definition.check(value).ok();
    }
    for synonym in topic.synonyms {
        // A synonym without a default of its own counts only when someone set it, so that the next one has its turn.
        let Some(value) = config.value(synonym.name) else {
            continue;
        };
        if synonym.factor == 1 {
            return Some(value);
        }
        let number = value.parse::<i64>().unwrap_or(-1);
        // Below zero stands for "never", whatever the unit.
        let scaled = if number < 0 {
            -1
        } else {
            number.saturating_mul(synonym.factor)
        };
        return Some(scaled.to_string());
    }
    topic.definition.default.map(str::to_owned)
}

/// A topic's properties for its logs, from what is set for it and the broker's values.
///
/// # Errors
/// A value that cannot be, or two that contradict each other.
pub(crate) fn log_config(config: &BrokerConfig, overrides: &Values) -> Result<LogConfig, ConfigError> {
    let text = |name: &str| effective(config, overrides, name).unwrap_or_default();
    let long = |name: &str| text(name).parse::<i64>().unwrap_or(0);
    let int = |name: &str| i32::try_from(long(name)).unwrap_or(i32::MAX);
    let policies = split_list(&text("cleanup.policy"));
    let has = |policy: &str| policies.iter().any(|found| found == policy);
    let (least, most) = (long("min.compaction.lag.ms"), long("max.compaction.lag.ms"));
    if least > most {
        return Err(ConfigError(format!(
            "conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
        )));
    }
    if text("remote.storage.enable") == "true" {
        let reason = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log \
                      storage.";
        return Err(ConfigError(reason.to_owned()));
    }
    let segment_bytes = overrides
        .get("internal.segment.bytes")
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| int("segment.bytes"));
    debug_assert!(broker_property("producer.id.expiration.ms").is_some());
    Ok(LogConfig {
        cleanup_policy: CleanupPolicy {
            delete: has("delete"),
            compact: has("compact"),
        },
        compression_type: match text("compression.type").as_str() {
            "uncompressed" => CompressionType::Uncompressed,
            "gzip" => CompressionType::Gzip,
            "snappy" => CompressionType::Snappy,
            "lz4" => CompressionType::Lz4,
            "zstd" => CompressionType::Zstd,
            _ => CompressionType::Producer,
        },
        delete_retention_ms: long("delete.retention.ms"),
        file_delete_delay_ms: long("file.delete.delay.ms"),
        flush_messages: long("flush.messages"),
        flush_ms: long("flush.ms"),
        index_interval_bytes: int("index.interval.bytes"),
        max_compaction_lag_ms: most,
        max_message_bytes: int("max.message.bytes"),
        message_timestamp_after_max_ms: long("message.timestamp.after.max.ms"),
        message_timestamp_before_max_ms: long("message.timestamp.before.max.ms"),
        message_timestamp_type: match text("message.timestamp.type").as_str() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        },
        min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
        min_compaction_lag_ms: least,
        producer_id_expiration_ms: config.int("producer.id.expiration.ms"),
        retention_bytes: long("retention.bytes"),
        retention_ms: long("retention.ms"),
        segment_bytes,
        segment_index_bytes: int("segment.index.bytes"),
        segment_jitter_ms: long("segment.jitter.ms"),
        segment_ms: long("segment.ms"),
        ..LogConfig::default()
    })
}
