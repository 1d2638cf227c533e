//! Generated from Apache Kafka 4.1.1 by `cargo xtask configs`; not to be edited. The texts are Apache Kafka's (see NOTICE).

use super::*;

#[rustfmt::skip]
pub(crate) static GROUP: &[Definition] = &[
    property("consumer.heartbeat.interval.ms", Int, Some("5000"), AtLeast("1"), ClusterWide, "The heartbeat interval given to the members of a consumer group."),
    property("consumer.session.timeout.ms", Int, Some("45000"), AtLeast("1"), ClusterWide, "The timeout to detect client failures when using the consumer group protocol."),
    property("share.auto.offset.reset", String, Some("latest"), OffsetReset, ClusterWide, "The strategy to initialize the share-partition start offset. <ul><li>earliest: automatically reset the offset to the earliest offset</li><li>latest: automatically reset the offset to the latest offset</li><li>by_duration:&lt;duration&gt;: automatically reset the offset to a configured duration from the current timestamp. &lt;duration&gt; must be specified in ISO8601 format (PnDTnHnMn.nS). Negative duration is not allowed.</li><li>anything else: throw exception to the share consumer.</li></ul>"),
    property("share.heartbeat.interval.ms", Int, Some("5000"), AtLeast("1"), ClusterWide, "The heartbeat interval given to the members of a share group."),
    property("share.isolation.level", String, Some("read_uncommitted"), OneOf(&["read_committed", "read_uncommitted"]), ClusterWide, "Controls how to read records written transactionally. If set to \"read_committed\", the share group will only deliver transactional records which have been committed. If set to \"read_uncommitted\", the share group will return all messages, even transactional messages which have been aborted. Non-transactional records will be returned unconditionally in either mode."),
    property("share.record.lock.duration.ms", Int, Some("30000"), AtLeast("1000"), ClusterWide, "The record acquisition lock duration in milliseconds for share groups."),
    property("share.session.timeout.ms", Int, Some("45000"), AtLeast("1"), ClusterWide, "The timeout to detect client failures when using the share group protocol."),
    property("streams.heartbeat.interval.ms", Int, Some("5000"), AtLeast("1"), ClusterWide, "The heartbeat interval given to the members."),
    property("streams.num.standby.replicas", Int, Some("0"), AtLeast("0"), ClusterWide, "The number of standby replicas for each task."),
    property("streams.session.timeout.ms", Int, Some("45000"), AtLeast("1"), ClusterWide, "The timeout to detect client failures when using the streams group protocol."),
];
