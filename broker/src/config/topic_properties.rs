//! The properties of a topic: Apache Kafka's ([`super::apache`]), the broker's properties that give their defaults, and which
//! have no effect here.

use std::sync::LazyLock;

use super::apache::TOPIC;
use super::definition::Definition;
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
    pub definition: &'static Definition,
    /// The broker's properties for it.
    pub synonyms: &'static [Synonym],
}

const fn synonym(name: &'static str, factor: i64) -> Synonym {
    Synonym { name, factor }
}

/// The broker's properties of each topic property that has any.
#[rustfmt::skip]
static SYNONYMS: &[(&str, &[Synonym])] = &[
    ("cleanup.policy", &[synonym("log.cleanup.policy", 1)]),
    ("compression.gzip.level", &[synonym("compression.gzip.level", 1)]),
    ("compression.lz4.level", &[synonym("compression.lz4.level", 1)]),
    ("compression.type", &[synonym("compression.type", 1)]),
    ("compression.zstd.level", &[synonym("compression.zstd.level", 1)]),
    ("delete.retention.ms", &[synonym("log.cleaner.delete.retention.ms", 1)]),
    ("file.delete.delay.ms", &[synonym("log.segment.delete.delay.ms", 1)]),
    ("flush.messages", &[synonym("log.flush.interval.messages", 1)]),
    ("flush.ms", &[synonym("log.flush.interval.ms", 1), synonym("log.flush.scheduler.interval.ms", 1)]),
    ("index.interval.bytes", &[synonym("log.index.interval.bytes", 1)]),
    ("local.retention.bytes", &[synonym("log.local.retention.bytes", 1)]),
    ("local.retention.ms", &[synonym("log.local.retention.ms", 1)]),
    ("max.compaction.lag.ms", &[synonym("log.cleaner.max.compaction.lag.ms", 1)]),
    ("max.message.bytes", &[synonym("message.max.bytes", 1)]),
    ("message.timestamp.after.max.ms", &[synonym("log.message.timestamp.after.max.ms", 1)]),
    ("message.timestamp.before.max.ms", &[synonym("log.message.timestamp.before.max.ms", 1)]),
    ("message.timestamp.type", &[synonym("log.message.timestamp.type", 1)]),
    ("min.cleanable.dirty.ratio", &[synonym("log.cleaner.min.cleanable.ratio", 1)]),
    ("min.compaction.lag.ms", &[synonym("log.cleaner.min.compaction.lag.ms", 1)]),
    ("min.insync.replicas", &[synonym("min.insync.replicas", 1)]),
    ("preallocate", &[synonym("log.preallocate", 1)]),
    ("retention.bytes", &[synonym("log.retention.bytes", 1)]),
    ("retention.ms", &[synonym("log.retention.ms", 1), synonym("log.retention.minutes", 60_000), synonym("log.retention.hours", 3_600_000)]),
    ("segment.bytes", &[synonym("log.segment.bytes", 1)]),
    ("segment.index.bytes", &[synonym("log.index.size.max.bytes", 1)]),
    ("segment.jitter.ms", &[synonym("log.roll.jitter.ms", 1), synonym("log.roll.jitter.hours", 3_600_000)]),
    ("segment.ms", &[synonym("log.roll.ms", 1), synonym("log.roll.hours", 3_600_000)]),
    ("unclean.leader.election.enable", &[synonym("unclean.leader.election.enable", 1)]),
];

/// Kept and shown, and nothing else: there are no other replicas here, no remote storage, and no files of full size.
static WITHOUT_EFFECT: &[&str] = &[
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "preallocate",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "unclean.leader.election.enable",
];

/// Every property of a topic, by name; also the internal one, a segment size below the documented minimum for tests.
pub(crate) static TOPIC_PROPERTIES: LazyLock<Vec<TopicDefinition>> = LazyLock::new(|| {
    let topic = |definition: &'static Definition| TopicDefinition {
        definition,
        synonyms: SYNONYMS
            .iter()
            .find(|(name, _)| *name == definition.name)
            .map_or(&[], |(_, synonyms)| *synonyms),
    };
    TOPIC.iter().map(topic).collect()
});

/// A topic property by name.
pub(crate) fn topic_property(name: &str) -> Option<&'static TopicDefinition> {
    TOPIC_PROPERTIES
        .binary_search_by_key(&name, |topic| topic.definition.name)
        .ok()
        .map(|at| &TOPIC_PROPERTIES[at])
}

/// Warns of a topic property that changes nothing.
pub(crate) fn warn_of_topic_property(topic: &str, name: &str) {
    if WITHOUT_EFFECT.binary_search(&name).is_ok() {
        tracing::warn!(topic, "property {name} is kept, but has no effect in this broker");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_topic_properties_is_said_of_ones_that_there_are() {
        assert!(WITHOUT_EFFECT.windows(2).all(|pair| pair[0] < pair[1]));
        let synonyms = SYNONYMS.iter().map(|(name, _)| name);
        for name in WITHOUT_EFFECT.iter().chain(DEFINED).chain(synonyms) {
            assert!(topic_property(name).is_some(), "{name}");
        }
        assert_eq!(
            SYNONYMS.len(),
            TOPIC_PROPERTIES
                .iter()
                .filter(|topic| !topic.synonyms.is_empty())
                .count()
        );
    }
}
