//! What the coordinator works with for single groups that have been given properties of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use parking_lot::RwLock;

use crate::config::Values;
use crate::coordinator::group::GroupConfig;

/// By group id. A group whose properties were all taken back stays in it until the next start, as with Apache Kafka.
#[derive(Debug, Default)]
pub(super) struct Overrides(RwLock<BTreeMap<StrBytes, Arc<GroupConfig>>>);

impl Overrides {
    pub(super) fn set(&self, defaults: &GroupConfig, group_id: &str, values: &Values) {
        let mut config = defaults.clone();
        let set = |place: &mut i32, name: &str| {
            if let Some(value) = values.get(name).and_then(|value| value.parse().ok()) {
                *place = value;
            }
        };
        set(&mut config.consumer_session_timeout_ms, "consumer.session.timeout.ms");
        set(
            &mut config.consumer_heartbeat_interval_ms,
            "consumer.heartbeat.interval.ms",
        );
        let group_id = StrBytes::from_string(group_id.to_owned());
        self.0.write().insert(group_id, Arc::new(config));
    }

    pub(super) fn groups(&self) -> Vec<StrBytes> {
        self.0.read().keys().cloned().collect()
    }

    /// What holds for a group, if that is anything of its own.
    pub(super) fn config(&self, group_id: &StrBytes) -> Option<Arc<GroupConfig>> {
        self.0.read().get(group_id).cloned()
    }
}
