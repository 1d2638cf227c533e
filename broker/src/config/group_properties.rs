//! The properties of a GROUP resource (KIP-848, KIP-932, KIP-1071), checked as Apache Kafka does.
//!
//! Those of share and streams groups are kept and shown; only those of consumer groups have an effect, at the next heartbeat.
//! A value must lie within the broker's limits (`group.consumer.min.session.timeout.ms` and its like), and all of them must go
//! together. What the broker itself has as default is not held against its own limits: tests start it with short ones.

use super::apache::{self, GROUP};
use super::definition::Definition;
use super::{BrokerConfig, ConfigError, Values};

/// Which numbers lie between limits of the broker: `streams.num.standby.replicas` below one, the others between two. In the
/// order in which Kafka looks at them.
const LIMITED: &[&str] = &[
    "consumer.heartbeat.interval.ms",
    "consumer.session.timeout.ms",
    "share.heartbeat.interval.ms",
    "share.session.timeout.ms",
    "share.record.lock.duration.ms",
    "streams.heartbeat.interval.ms",
    "streams.session.timeout.ms",
    STANDBY_REPLICAS,
];
const STANDBY_REPLICAS: &str = "streams.num.standby.replicas";

/// The broker's properties that limit a group's.
fn limits(name: &str) -> (Option<String>, String) {
    if name == STANDBY_REPLICAS {
        return (None, "group.streams.max.standby.replicas".to_owned());
    }
    let (kind, what) = name.split_once('.').unwrap_or((name, ""));
    (
        Some(format!("group.{kind}.min.{what}")),
        format!("group.{kind}.max.{what}"),
    )
}

/// A group's property by name.
pub(crate) fn group_property(name: &str) -> Option<&'static Definition> {
    apache::find(GROUP, name)
}

/// The value of a group's property: what is set for it, or what the broker has.
pub(crate) fn group_value(config: &BrokerConfig, set: &Values, name: &str) -> Option<String> {
    set.get(name)
        .cloned()
        .or_else(|| config.value(&format!("group.{name}")))
        .or_else(|| group_property(name)?.default.map(str::to_owned))
}

/// Checks everything that is set for a group, and returns it as Kafka shows it.
pub(crate) fn check_group(config: &BrokerConfig, set: &Values) -> Result<Values, ConfigError> {
    if let Some(unknown) = set.keys().find(|name| group_property(name).is_none()) {
        return Err(ConfigError(format!("Unknown group config name: {unknown}")));
    }
    let mut checked = Values::new();
    for (name, value) in set {
        if let Some(definition) = group_property(name) {
            checked.insert(name.clone(), definition.check(value)?);
        }
    }
    for name in LIMITED {
        let Some(value) = checked.get(*name).and_then(|value| value.parse::<i64>().ok()) else {
            continue;
        };
        let (least, most) = limits(name);
        if let Some(least) = least.filter(|least| value < config.int(least)) {
            return Err(ConfigError(format!("{name} must be greater than or equal to {least}")));
        }
        if value > config.int(&most) {
            return Err(ConfigError(format!("{name} must be less than or equal to {most}")));
        }
    }
    for kind in ["consumer", "share", "streams"] {
        let (session, heartbeat) = (
            format!("{kind}.session.timeout.ms"),
            format!("{kind}.heartbeat.interval.ms"),
        );
        if !checked.contains_key(&session) && !checked.contains_key(&heartbeat) {
            continue;
        }
        let number = |name: &str| -> i64 {
            let value = group_value(config, &checked, name);
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        if number(&session) <= number(&heartbeat) {
            return Err(ConfigError(format!("{session} must be greater than {heartbeat}")));
        }
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::broker_property;

    fn check(given: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Values, String> {
        let owned = |pairs: &[(&str, &str)]| -> Values {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let config = BrokerConfig::new(owned(given)).unwrap();
        check_group(&config, &owned(set)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_limit_is_a_property_of_the_broker() {
        for name in LIMITED {
            assert!(group_property(name).is_some(), "{name}");
            let (least, most) = limits(name);
            for limit in least.into_iter().chain([most]) {
                assert!(broker_property(&limit).is_some(), "{limit}");
            }
        }
    }

    #[test]
    fn values_stay_within_the_brokers_limits() {
        let heartbeat = "consumer.heartbeat.interval.ms";
        assert!(check(&[], &[(heartbeat, "5000")]).is_ok());
        assert_eq!(
            check(&[], &[(heartbeat, "4999")]).unwrap_err(),
            "consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms"
        );
        assert_eq!(
            check(&[], &[(heartbeat, "15001")]).unwrap_err(),
            "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"
        );
        let limits = [
            ("group.consumer.min.session.timeout.ms", "100"),
            ("group.consumer.min.heartbeat.interval.ms", "10"),
        ];
        let set = [(heartbeat, "10"), ("consumer.session.timeout.ms", "100")];
        assert!(check(&limits, &set).is_ok());
        // Beside the broker's own interval this session is too short.
        assert_eq!(
            check(&limits, &[("consumer.session.timeout.ms", "100")]).unwrap_err(),
            "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms"
        );
        assert_eq!(
            check(&[], &[("nothing", "1")]).unwrap_err(),
            "Unknown group config name: nothing"
        );
    }

    #[test]
    fn a_short_default_of_the_broker_is_taken_as_it_is() {
        let given = [("group.consumer.heartbeat.interval.ms", "100")];
        assert!(check(&given, &[("consumer.session.timeout.ms", "50000")]).is_ok());
    }
}
