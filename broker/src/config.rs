//! Kafka's broker and topic properties: names, types, defaults and units as in Kafka's documentation.
//!
//! Two tables ([`broker_properties`], [`topic_properties`]) say what is served; everything else derives from them:
//! reading `server.properties`, checking values, DescribeConfigs with its synonyms and sources, AlterConfigs. A property
//! that Kafka knows and this broker does not serve is a warning that says so; one that nobody knows is a warning that
//! names the nearest known one; a value that cannot be is an error that names the property.
//!
//! A topic's property has, in this order, the value set for the topic, the broker's dynamic value, the cluster's dynamic
//! default, the static value, and the default; for some of them the broker's name and unit differ
//! (`log.retention.hours` for `retention.ms`).

mod broker_properties;
mod definition;
mod log_config;
mod properties_file;
mod topic_properties;
mod unsupported;

use std::collections::BTreeMap;
use std::path::PathBuf;

use parking_lot::RwLock;

pub(crate) use broker_properties::BROKER_PROPERTIES;
pub(crate) use definition::{Definition, Kind, Update};
pub(crate) use log_config::{effective, log_config};
pub(crate) use properties_file::read_properties;
pub(crate) use topic_properties::{TOPIC_PROPERTIES, check_topic_overrides, topic_property};

/// A property with a value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Values by property name.
pub(crate) type Values = BTreeMap<String, String>;

/// Where a broker property's value comes from, highest precedence first. The numbers are DescribeConfigs'.
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
            match broker_property(&name) {
                Some(definition) => {
                    let value = definition.check(&value)?;
                    accepted.insert(name, value);
                }
                None => unsupported::warn_of(&name),
            }
        }
        // Kafka takes either name for the broker's id.
        if let (Some(id), None) = (accepted.get("broker.id").cloned(), accepted.get("node.id")) {
            accepted.insert("node.id".to_owned(), id);
        }
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

    /// What was given at the start, by name.
    pub(crate) fn given(&self, name: &str) -> Option<&String> {
        self.given.get(name)
    }

    /// Every source that has a value for one of `names`, in order of precedence, the defaults last.
    pub(crate) fn sources(&self, names: &[&'static str]) -> Vec<SourcedValue> {
        let dynamic = self.dynamic.read();
        let mut found = Vec::new();
        let mut add = |values: &Values, source| {
            for name in names {
                if let Some(value) = values.get(*name) {
                    found.push(SourcedValue {
                        name,
                        value: value.clone(),
                        source,
                    });
                }
            }
        };
        add(&dynamic.broker, Source::DynamicBroker);
        add(&dynamic.cluster, Source::DynamicDefault);
        add(&self.given, Source::StaticBroker);
        for name in names {
            if let Some(value) = broker_property(name).and_then(|definition| definition.default) {
                found.push(SourcedValue {
                    name,
                    value: value.to_owned(),
                    source: Source::Default,
                });
            }
        }
        found
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

/// A served broker property by name.
pub(crate) fn broker_property(name: &str) -> Option<&'static Definition> {
    BROKER_PROPERTIES
        .binary_search_by_key(&name, |definition| definition.name)
        .ok()
        .map(|at| &BROKER_PROPERTIES[at])
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
        for topic in TOPIC_PROPERTIES {
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
    fn dynamic_values_come_before_given_ones() {
        let config = config(&[("message.max.bytes", "2000")]).unwrap();
        config.set_dynamic(false, Values::from([("message.max.bytes".into(), "3000".into())]));
        assert_eq!(config.int("message.max.bytes"), 3000);
        config.set_dynamic(true, Values::from([("message.max.bytes".into(), "4000".into())]));
        assert_eq!(config.int("message.max.bytes"), 4000);
        let sources: Vec<_> = config
            .sources(&["message.max.bytes"])
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
