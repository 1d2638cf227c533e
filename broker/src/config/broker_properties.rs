//! The broker's own properties: which of Apache Kafka's have an effect here, and what is set where nobody sets it.
//!
//! Every property of Apache Kafka is accepted, checked and shown ([`super::apache`]). One that is not among
//! [`WITH_EFFECT`] changes nothing, and a warning says so when it is set, so that nobody believes otherwise.

use super::apache::{self, BROKER};
use super::definition::{Definition, Update};
use super::nearest;

/// A broker property by name.
pub(crate) fn broker_property(name: &str) -> Option<&'static Definition> {
    apache::find(BROKER, name)
}

/// What is set at the start where nobody sets it, as in the `server.properties` that Apache Kafka brings for a first look:
/// one node that is broker and controller, and whose own topics have one replica.
pub(super) static BUILT_IN: &[(&str, &str)] = &[
    ("group.initial.rebalance.delay.ms", "0"),
    ("node.id", "1"),
    ("num.network.threads", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("process.roles", "broker,controller"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.replication.factor", "1"),
];

/// The properties that change what this broker does, by name.
#[rustfmt::skip]
pub(crate) static WITH_EFFECT: &[&str] = &[
    "advertised.listeners",
    "auto.create.topics.enable",
    "broker.id",
    "broker.rack",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "connections.max.idle.ms",
    "default.replication.factor",
    "delete.topic.enable",
    "fetch.max.bytes",
    "group.consumer.heartbeat.interval.ms",
    "group.consumer.max.heartbeat.interval.ms",
    "group.consumer.max.session.timeout.ms",
    "group.consumer.max.size",
    "group.consumer.migration.policy",
    "group.consumer.min.heartbeat.interval.ms",
    "group.consumer.min.session.timeout.ms",
    "group.consumer.session.timeout.ms",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.max.size",
    "group.min.session.timeout.ms",
    "listeners",
    "log.cleaner.backoff.ms",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.delete.retention.ms",
    "log.cleaner.enable",
    "log.cleaner.io.max.bytes.per.second",
    "log.cleaner.max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "log.cleanup.policy",
    "log.dir",
    "log.dirs",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    "log.flush.scheduler.interval.ms",
    "log.index.interval.bytes",
    "log.index.size.max.bytes",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.retention.bytes",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "log.retention.minutes",
    "log.retention.ms",
    "log.roll.hours",
    "log.roll.jitter.hours",
    "log.roll.jitter.ms",
    "log.roll.ms",
    "log.segment.bytes",
    "log.segment.delete.delay.ms",
    "max.connections",
    "max.connections.per.ip",
    "max.incremental.fetch.session.cache.slots",
    "max.request.partition.size.limit",
    "message.max.bytes",
    "min.insync.replicas",
    "node.id",
    "num.network.threads",
    "num.partitions",
    "offset.metadata.max.bytes",
    "offsets.retention.check.interval.ms",
    "offsets.retention.minutes",
    "producer.id.expiration.ms",
    "queued.max.request.bytes",
    "socket.listen.backlog.size",
    "socket.receive.buffer.bytes",
    "socket.request.max.bytes",
    "socket.send.buffer.bytes",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    "transaction.max.timeout.ms",
    "transaction.partition.verification.enable",
    "transaction.remove.expired.transaction.cleanup.interval.ms",
    "transactional.id.expiration.ms",
];

/// Those that can be changed while Apache Kafka runs, and here only count from the next start on.
static AT_START: &[&str] = &[
    "log.cleaner.backoff.ms",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.io.max.bytes.per.second",
    "num.network.threads",
];

/// Whether a property that is given at the start changes anything.
pub(crate) fn has_effect(name: &str) -> bool {
    WITH_EFFECT.binary_search(&name).is_ok()
}

/// Whether a property that Apache Kafka takes while it runs counts from the next start on.
fn counts_from_start_on(name: &str) -> bool {
    AT_START.binary_search(&name).is_ok()
}

/// A property of Apache Kafka's broker as this one takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedProperty {
    /// Its name.
    pub name: &'static str,
    /// What it is where nobody sets it; `None` is null.
    pub default: Option<&'static str>,
    /// Whether it changes anything here; if not, it is checked, kept and shown.
    pub has_effect: bool,
    /// Whether it changes something while the broker runs, too.
    pub while_running: bool,
}

/// Every property of a broker, by name, but for those that Apache Kafka keeps to itself.
pub fn listed_properties() -> impl Iterator<Item = ListedProperty> {
    let shown = BROKER.iter().filter(|definition| !definition.internal);
    shown.map(|definition| {
        let name = definition.name;
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        ListedProperty {
            name,
            default: built_in.map(|(_, value)| *value).or(definition.default),
            has_effect: has_effect(name),
            while_running: has_effect(name) && definition.update != Update::ReadOnly && !counts_from_start_on(name),
        }
    })
}

/// The properties that a value of `name` may stand in, as Apache Kafka's DescribeConfigs looks for it: with those of other
/// units beside it.
pub(crate) fn broker_synonyms(name: &'static str) -> &'static [&'static str] {
    const FAMILIES: &[&[&str]] = &[
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.roll.ms", "log.roll.hours"],
    ];
    FAMILIES
        .iter()
        .find(|family| family.contains(&name))
        .copied()
        .unwrap_or_default()
}

/// What is wrong with a property that is given at the start, if anything is.
pub(super) fn complaint(name: &str) -> Option<String> {
    if has_effect(name) {
        return None;
    }
    if broker_property(name).is_some() || name.starts_with("listener.name.") {
        return Some(format!("property {name} is Kafka's, but has no effect in this broker"));
    }
    Some(match nearest(name, BROKER.iter().map(|definition| definition.name)) {
        Some(near) => format!("unknown property {name}; did you mean {near}?"),
        None => format!("unknown property {name}"),
    })
}

/// Warns of a property that is changed while the broker runs, where that does nothing yet.
pub(crate) fn warn_of_change(definition: &Definition) {
    let name = definition.name;
    if counts_from_start_on(name) {
        tracing::warn!("property {name} is kept, and counts from the next start of this broker on");
    } else if !has_effect(name) || definition.update == Update::PerBroker {
        tracing::warn!("property {name} is kept, but has no effect in this broker");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_unserved_properties_are_told_apart() {
        let of = |name| complaint(name).unwrap();
        assert_eq!(
            of("num.partitons"),
            "unknown property num.partitons; did you mean num.partitions?"
        );
        let process_roles = "property process.roles is Kafka's, but has no effect in this broker";
        assert_eq!(of("process.roles"), process_roles);
        assert_eq!(of("xyzzy"), "unknown property xyzzy");
        assert_eq!(complaint("num.partitions"), None);
    }

    #[test]
    fn the_lists_are_in_order_and_of_apache_kafkas_properties() {
        for list in [WITH_EFFECT, AT_START] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(list.iter().all(|name| broker_property(name).is_some()));
        }
        assert!(AT_START.iter().all(|name| has_effect(name)));
        for (name, value) in BUILT_IN {
            let checked = broker_property(name).unwrap().check(value);
            assert_eq!(checked.as_deref(), Ok(*value), "{name}");
        }
    }
}
