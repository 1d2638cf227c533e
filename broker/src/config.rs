//! Kafka's broker and topic properties: names, types, defaults and units as in Kafka's documentation.
//!
//! Generated tables ([`apache`]) say what Apache Kafka has; everything else derives from them: reading
//! `server.properties`, checking values, DescribeConfigs with its synonyms and sources, AlterConfigs. Which of them have an
//! effect here is in [`broker_properties`] and [`topic_properties`]: one that has none is kept and shown, with a warning
//! that says so; one that nobody knows is a warning that names the nearest known one; a value that cannot be is an error
//! that names the property.
//!
//! A topic's property has, in this order, the value set for the topic, the broker's dynamic value, the cluster's dynamic
//! default, the static value, and the default; for some of them the broker's name and unit differ
//! (`log.retention.hours` for `retention.ms`).

mod apache;
mod broker_properties;
mod client_metrics;
mod definition;
mod dynamic;
mod group_properties;
mod log_config;
mod properties_file;
mod topic_properties;

use std::collections::BTreeMap;
use std::path::PathBuf;

use parking_lot::RwLock;

pub(crate) use apache::{
    BROKER as BROKER_PROPERTIES, CLIENT_METRICS as CLIENT_METRICS_PROPERTIES, GROUP as GROUP_PROPERTIES,
};
pub use broker_properties::{ListedProperty, listed_properties};
pub(crate) use broker_properties::{broker_property, broker_synonyms, warn_of_change};
pub(crate) use client_metrics::check_client_metrics;
pub(crate) use definition::{Definition, Kind, Update};
pub(crate) use dynamic::check_dynamic;
pub(crate) use group_properties::{check_group, group_property, group_value};
pub(crate) use log_config::{effective, log_config};
pub(crate) use properties_file::read_properties;
pub(crate) use topic_properties::{TOPIC_PROPERTIES, check_topic_overrides, topic_property, warn_of_topic_property};

/// A property with a value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Values by property name.
pub(crate) type Values = BTreeMap<String, String>;

/// Where a property's value comes from, highest precedence of a broker's first. The numbers are DescribeConfigs'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub(crate) enum Source {
    /// Set for a topic.
    Topic = 1,
    /// Set for this broker while it runs.
    DynamicBroker = 2,
    /// Set for all brokers while they run.
    DynamicDefault = 3,
    /// Given at the start.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// Set for a subscription to clients' metrics.
    ClientMetrics = 7,
    /// Set for a group.
    Group = 8,
}

/// One source's value of one broker property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourcedValue {
    /// The broker property's name.
    pub name: &'static str,
    /// Its value there.
    pub value: String,
    /// Where.
    pub source: Source,
}

/// The broker's properties: what was given at the start, and what was changed while it runs.
#[derive(Debug, Default)]
pub(crate) struct BrokerConfig {
    given: Values,
    dynamic: RwLock<Dynamic>,
}

#[derive(Debug, Default, Clone)]
struct Dynamic {
    broker: Values,
    cluster: Values,
}

impl BrokerConfig {
    /// Checks `given` and warns of what is unknown or not served.
    pub(crate) fn new(given: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        // Of a property that is given twice the later value counts.
        let given: Values = given
            .into_iter()
            .map(|(name, value)| (name.trim().to_owned(), value))
            .collect();
        let mut accepted = Values::new();
        for (name, value) in given {
            if let Some(complaint) = broker_properties::complaint(&name) {
                tracing::warn!("{complaint}");
            }
            let value = match broker_property(&name) {
                Some(definition) => definition.check(&value)?,
                // It may be a plug-in's: kept, and listed without its value.
                None => value,
            };
            accepted.insert(name, value);
        }
        // Kafka takes either name for the broker's id, and shows both.
        if let (Some(id), None) = (accepted.get("broker.id").cloned(), accepted.get("node.id")) {
            accepted.insert("node.id".to_owned(), id);
        }
        for (name, value) in broker_properties::BUILT_IN {
            accepted
                .entry((*name).to_owned())
                .or_insert_with(|| (*value).to_owned());
        }
        let node_id = accepted.get("node.id").cloned().unwrap_or_default();
        accepted.entry("broker.id".to_owned()).or_insert(node_id);
        let config = Self {
            given: accepted,
            dynamic: RwLock::default(),
        };
        config.check_together()?;
        Ok(config)
    }

    /// What no single value shows: properties that must agree with each other.
    fn check_together(&self) -> Result<(), ConfigError> {
        let replicas = self.int("default.replication.factor");
        if replicas != 1 {
            return Err(ConfigError(format!(
                "Invalid value {replicas} for configuration default.replication.factor: this broker is a cluster of one \
                 and keeps exactly one replica"
            )));
        }
        let (least, most) = (
            self.int("group.min.session.timeout.ms"),
            self.int("group.max.session.timeout.ms"),
        );
        if least > most {
            return Err(ConfigError(format!(
                "Invalid value {least} for configuration group.min.session.timeout.ms: it is above \
                 group.max.session.timeout.ms ({most})"
            )));
        }
        log_config(self, &Values::new()).map(|_| ())
    }

    /// The effective value of a broker property by its own name, or its default; `None` where that is null.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let dynamic = self.dynamic.read();
        dynamic
            .broker
            .get(name)
            .or_else(|| dynamic.cluster.get(name))
            .or_else(|| self.given.get(name))
            .cloned()
            .or_else(|| broker_property(name)?.default.map(str::to_owned))
    }

    /// The effective value of a whole-number property; 0 for one that has none (a mistake in the table).
    pub(crate) fn int(&self, name: &str) -> i64 {
        self.value(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// As [`int`](Self::int), for sizes and counts.
    pub(crate) fn size(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).unwrap_or(0)
    }

    /// The effective value of a boolean property.
    pub(crate) fn boolean(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value == "true")
    }

    /// The effective value of a text property; empty where it is null.
    pub(crate) fn string(&self, name: &str) -> String {
        self.value(name).unwrap_or_default()
    }

    /// The directory of `log.dirs` or `log.dir`, if one was given. Of several only the first is used.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        let given = self.given.get("log.dirs").or_else(|| self.given.get("log.dir"))?;
        let dirs = definition::split_list(given);
        if dirs.len() > 1 {
            tracing::warn!(used = %dirs[0], "log.dirs names several directories; only the first is used");
        }
        dirs.into_iter().next().map(PathBuf::from)
    }

    /// What it became of a property at the start, where that is more than what was given (a port, a directory).
    pub(crate) fn set_given(&mut self, name: &str, value: String) {
        self.given.insert(name.to_owned(), value);
    }

    /// The properties that are set and nobody knows, and where, in order of precedence.
    pub(crate) fn unknown(&self) -> BTreeMap<String, Vec<Source>> {
        let dynamic = self.dynamic.read();
        let mut found: BTreeMap<String, Vec<Source>> = BTreeMap::new();
        for (values, source) in [
            (&dynamic.broker, Source::DynamicBroker),
            (&dynamic.cluster, Source::DynamicDefault),
            (&self.given, Source::StaticBroker),
        ] {
            for name in values.keys().filter(|name| broker_property(name).is_none()) {
                found.entry(name.clone()).or_default().push(source);
            }
        }
        found
    }

    /// What was given at the start, by name.
    pub(crate) fn given(&self, name: &str) -> Option<&String> {
        self.given.get(name)
    }

    /// Every source that has a value for a broker property, in order of precedence, the defaults last. Behind its own come
    /// those of the same property in other units, as in Apache Kafka.
    pub(crate) fn sources(&self, name: &'static str) -> Vec<SourcedValue> {
        let own = [name];
        let names = match broker_synonyms(name) {
            [] => &own,
            family => family,
        };
        let dynamic = self.dynamic.read();
        let mut found = Vec::new();
        let mut add = |values: &Values, source| {
            let of = |name: &&'static str| {
                let value = values.get(*name)?.clone();
                Some(SourcedValue { name, value, source })
            };
            found.extend(names.iter().filter_map(of));
        };
        add(&dynamic.broker, Source::DynamicBroker);
        add(&dynamic.cluster, Source::DynamicDefault);
        add(&self.given, Source::StaticBroker);
        let default = |name: &&'static str| {
            let value = broker_property(name)?.default?.to_owned();
            let source = Source::Default;
            Some(SourcedValue { name, value, source })
        };
        found.extend(names.iter().filter_map(default));
        let others = found.iter().take_while(|found| found.name != name).count();
        found.split_off(others)
    }

    /// The dynamic values of this broker (`true`) or of the whole cluster (`false`).
    pub(crate) fn dynamic(&self, of_broker: bool) -> Values {
        let dynamic = self.dynamic.read();
        if of_broker {
            dynamic.broker.clone()
        } else {
            dynamic.cluster.clone()
        }
    }

    /// Replaces the dynamic values of this broker (`true`) or of the whole cluster (`false`). They were checked before.
    pub(crate) fn set_dynamic(&self, of_broker: bool, values: Values) {
        let mut dynamic = self.dynamic.write();
        if of_broker {
            dynamic.broker = values;
        } else {
            dynamic.cluster = values;
        }
    }
}

/// A name of `known` that `wanted` may have meant: the nearest by edit distance, if it is near.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (edit_distance(wanted, name), name))
        .filter(|(distance, name)| *distance <= 2.max(name.len().min(wanted.len()) / 3))
        .min()
        .map(|(_, name)| name)
}

/// The number of inserted, deleted or replaced characters between two names (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(given: &[(&str, &str)]) -> Result<BrokerConfig, ConfigError> {
        BrokerConfig::new(
            given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn every_default_of_the_tables_passes_its_own_check() {
        for definition in BROKER_PROPERTIES {
            if let Some(default) = definition.default {
                assert_eq!(definition.check(default).as_deref(), Ok(default), "{}", definition.name);
            }
        }
        for topic in TOPIC_PROPERTIES.iter() {
            if let Some(default) = topic.definition.default {
                let checked = topic.definition.check(default);
                assert_eq!(checked.as_deref(), Ok(default), "{}", topic.definition.name);
            }
            for synonym in topic.synonyms {
                assert!(broker_property(synonym.name).is_some(), "{}", synonym.name);
            }
        }
    }

    #[test]
    fn the_tables_are_in_order_without_doubles() {
        assert!(BROKER_PROPERTIES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(
            TOPIC_PROPERTIES
                .windows(2)
                .all(|pair| pair[0].definition.name < pair[1].definition.name)
        );
    }

    #[test]
    fn a_bad_value_is_named_in_kafkas_words() {
        let error = config(&[("num.partitions", "many")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid value many for configuration num.partitions: Not a number of type INT"
        );
        let error = config(&[("num.partitions", "0")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid value 0 for configuration num.partitions: Value must be at least 1"
        );
    }

    #[test]
    fn the_nearest_name_is_found() {
        let names = || BROKER_PROPERTIES.iter().map(|definition| definition.name);
        assert_eq!(nearest("num.partitons", names()), Some("num.partitions"));
        assert_eq!(
            nearest("auto.create.topic.enabled", names()),
            Some("auto.create.topics.enable")
        );
        assert_eq!(nearest("entirely.else", names()), None);
    }

    #[test]
    fn a_topics_property_takes_the_brokers_synonym_in_order_and_unit() {
        let config = config(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]).unwrap();
        assert_eq!(log_config(&config, &Values::new()).unwrap().retention_ms, 180_000);
        let overrides = Values::from([("retention.ms".to_owned(), "5".to_owned())]);
        assert_eq!(log_config(&config, &overrides).unwrap().retention_ms, 5);
    }

    #[test]
    fn behind_a_property_stands_what_it_has_in_other_units() {
        let config = config(&[("log.retention.ms", "5"), ("log.retention.minutes", "3")]).unwrap();
        let names = |name| {
            config
                .sources(name)
                .into_iter()
                .map(|found| found.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names("log.retention.ms"),
            ["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        );
        assert_eq!(
            names("log.retention.minutes"),
            ["log.retention.minutes", "log.retention.hours"]
        );
        assert_eq!(
            names("log.roll.ms"),
            [""; 0],
            "nobody set it, and it has no default of its own"
        );
    }

    #[test]
    fn what_is_set_where_nobody_sets_it_counts_as_given() {
        let nobodys = config(&[]).unwrap();
        let sources = nobodys.sources("group.initial.rebalance.delay.ms");
        let values: Vec<_> = sources
            .iter()
            .map(|found| (found.value.as_str(), found.source))
            .collect();
        assert_eq!(values, [("0", Source::StaticBroker), ("3000", Source::Default)]);
        assert_eq!((nobodys.int("node.id"), nobodys.int("broker.id")), (1, 1));
        let somebodys = config(&[("broker.id", "7")]).unwrap();
        assert_eq!((somebodys.int("node.id"), somebodys.int("broker.id")), (7, 7));
    }

    #[test]
    fn dynamic_values_come_before_given_ones() {
        let config = config(&[("message.max.bytes", "2000")]).unwrap();
        config.set_dynamic(false, Values::from([("message.max.bytes".into(), "3000".into())]));
        assert_eq!(config.int("message.max.bytes"), 3000);
        config.set_dynamic(true, Values::from([("message.max.bytes".into(), "4000".into())]));
        assert_eq!(config.int("message.max.bytes"), 4000);
        let sources: Vec<_> = config
            .sources("message.max.bytes")
            .into_iter()
            .map(|found| (found.value, found.source))
            .collect();
        assert_eq!(
            sources,
            [
                ("4000".to_owned(), Source::DynamicBroker),
                ("3000".to_owned(), Source::DynamicDefault),
                ("2000".to_owned(), Source::StaticBroker),
                ("1048588".to_owned(), Source::Default),
            ]
        );
    }
}
