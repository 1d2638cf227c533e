//! Generated from Apache Kafka 4.1.1 by `cargo xtask configs`; not to be edited. The texts are Apache Kafka's (see NOTICE).

use super::*;

#[rustfmt::skip]
pub(crate) static CLIENT_METRICS: &[Definition] = &[
    property("interval.ms", Int, Some("300000"), Any, ClusterWide, "Metrics push interval in milliseconds"),
    property("match", List, Some(""), Any, ClusterWide, "Client match criteria"),
    property("metrics", List, Some(""), Any, ClusterWide, "Telemetry metric name prefix list"),
];
