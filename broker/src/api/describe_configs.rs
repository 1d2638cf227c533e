//! DescribeConfigs (key 32), versions 1–4: the properties of topics and of the broker, with their sources.
//!
//! Each property says where its value comes from and, on request, what every other source has for it (synonyms) and what it
//! does. An empty broker name stands for the cluster's dynamic defaults.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext, broker_loggers};
use crate::config::{
    BROKER_PROPERTIES, BrokerConfig, CLIENT_METRICS_PROPERTIES, Definition, GROUP_PROPERTIES, Source, SourcedValue,
    TOPIC_PROPERTIES, Update, Values, broker_property, effective, group_value,
};
use crate::error::{ApiError, ResponseError};
use crate::metadata::topics::check_name;

/// `ConfigResource.Type.TOPIC`.
pub(crate) const TOPIC: i8 = 2;
/// `ConfigResource.Type.BROKER`.
pub(crate) const BROKER: i8 = 4;
/// `ConfigResource.Type.CLIENT_METRICS`.
pub(crate) const CLIENT_METRICS: i8 = 16;
/// `ConfigResource.Type.GROUP`.
pub(crate) const GROUP: i8 = 32;
/// `ConfigResource.Type.BROKER_LOGGER`.
pub(crate) const BROKER_LOGGER: i8 = 8;

/// One property as it is.
pub(crate) struct Entry {
    pub definition: &'static Definition,
    pub value: Option<String>,
    pub source: Source,
    pub read_only: bool,
    pub synonyms: Vec<SourcedValue>,
}

impl Entry {
    /// The source is that of the first synonym.
    fn new(
        definition: &'static Definition,
        value: Option<String>,
        synonyms: Vec<SourcedValue>,
        read_only: bool,
    ) -> Self {
        let source = synonyms.first().map_or(Source::Default, |first| first.source);
        Self {
            definition,
            value,
            source,
            read_only,
            synonyms,
        }
    }
}

/// Describes each resource.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Disconnect> {
    let results = request.resources.iter().map(|resource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        if resource.resource_type == BROKER_LOGGER {
            return match broker_loggers::describe(ctx, &resource.resource_name) {
                Ok(mut loggers) => {
                    loggers.retain(|logger| is_wanted(resource, &logger.name));
                    result.with_configs(loggers)
                }
                Err(error) => result.with_error_code(error.code()).with_error_message(error.message),
            };
        }
        match entries(ctx, resource) {
            Ok(entries) => {
                let wanted = |entry: &Entry| is_wanted(resource, entry.definition.name);
                let show = |entry| show(entry, version, request.include_synonyms, request.include_documentation);
                let mut configs: Vec<_> = entries.into_iter().filter(wanted).map(show).collect();
                if resource.resource_type == BROKER {
                    configs.extend(unknown_entries(&ctx.broker.config, resource, request.include_synonyms));
                }
                result.with_configs(configs)
            }
            Err(error) => result.with_error_code(error.code()).with_error_message(error.message),
        }
    });
    Ok(DescribeConfigsResponse::default().with_results(results.collect()))
}

/// Whether a property is asked for: by its name, or as all are.
fn is_wanted(resource: &DescribeConfigsResource, name: &str) -> bool {
    match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|key| **key == *name),
        _ => true,
    }
}

fn entries(ctx: &RequestContext, resource: &DescribeConfigsResource) -> Result<Vec<Entry>, ApiError> {
    let config = &ctx.broker.config;
    let name = &*resource.resource_name;
    let invalid = |reason: String| Err(ApiError::new(ResponseError::InvalidRequest, reason));
    match resource.resource_type {
        TOPIC => {
            check_name(name).map_err(|reason| ApiError::new(ResponseError::InvalidTopicException, reason))?;
            let topic = ctx.broker.topics.get(name);
            let topic = topic.ok_or_else(|| ApiError::new(ResponseError::UnknownTopicOrPartition, ""))?;
            Ok(topic_entries(config, &topic.overrides).collect())
        }
        BROKER if name.is_empty() => Ok(cluster_entries(config)),
        BROKER => match name.parse::<i32>() {
            Ok(id) if id == ctx.broker.node_id => Ok(broker_entries(config)),
            Ok(_) => invalid(format!(
                "Unexpected broker id, expected {} or empty string, but received {name}",
                ctx.broker.node_id
            )),
            Err(_) => invalid(format!("Broker id must be an integer, but it is: {name}")),
        },
        CLIENT_METRICS if name.is_empty() => invalid("Client metrics subscription name must not be empty".to_owned()),
        CLIENT_METRICS => Ok(client_metrics_entries(&ctx.broker.client_metrics.get(name))),
        GROUP if name.is_empty() => invalid("Group name must not be empty".to_owned()),
        GROUP => Ok(group_entries(config, &ctx.broker.group_configs.get(name))),
        _ => Err(ApiError::plain(ResponseError::InvalidRequest)),
    }
}

/// A topic's properties, from what is set for it and what the broker has.
pub(crate) fn topic_entries<'a>(config: &'a BrokerConfig, overrides: &'a Values) -> impl Iterator<Item = Entry> + 'a {
    let shown = TOPIC_PROPERTIES.iter().filter(|topic| !topic.definition.internal);
    shown.map(|topic| {
        let name = topic.definition.name;
        let value = effective(config, overrides, name);
        // Kafka names the sources of the first synonym, though the others count as well.
        let first = topic.synonyms.first();
        let mut synonyms = first.map_or_else(Vec::new, |first| config.sources(first.name));
        if overrides.contains_key(name) {
            let value = value.clone().unwrap_or_default();
            synonyms.insert(
                0,
                SourcedValue {
                    name,
                    value,
                    source: Source::Topic,
                },
            );
        }
        Entry::new(topic.definition, value, synonyms, false)
    })
}

fn broker_entries(config: &BrokerConfig) -> Vec<Entry> {
    let shown = BROKER_PROPERTIES.iter().filter(|definition| !definition.internal);
    let entries = shown.map(|definition| {
        let read_only = definition.update == Update::ReadOnly;
        let synonyms = config.sources(definition.name);
        Entry::new(definition, config.value(definition.name), synonyms, read_only)
    });
    entries.collect()
}

/// What a subscription has; one that nobody made has the defaults.
/// A group's properties, whether or not there is such a group.
fn group_entries(config: &BrokerConfig, values: &Values) -> Vec<Entry> {
    let entries = GROUP_PROPERTIES.iter().map(|definition| {
        let name = definition.name;
        let source = match values.contains_key(name) {
            true => Source::Group,
            false => Source::Default,
        };
        let value = group_value(config, values, name);
        let synonyms = value.clone().map(|value| SourcedValue { name, value, source });
        Entry::new(definition, value, synonyms.into_iter().collect(), false)
    });
    entries.collect()
}

fn client_metrics_entries(values: &Values) -> Vec<Entry> {
    let entries = CLIENT_METRICS_PROPERTIES.iter().map(|definition| {
        let name = definition.name;
        let set = values.get(name).and_then(|value| definition.check(value).ok());
        let source = Source::ClientMetrics;
        let synonyms = set.clone().map(|value| SourcedValue { name, value, source });
        let value = set.or_else(|| definition.default.map(str::to_owned));
        Entry::new(definition, value, synonyms.into_iter().collect(), false)
    });
    entries.collect()
}

fn cluster_entries(config: &BrokerConfig) -> Vec<Entry> {
    let dynamic = config.dynamic(false);
    let entries = dynamic.into_iter().filter_map(|(name, value)| {
        let definition = broker_property(&name)?;
        let mut synonyms = config.sources(definition.name);
        synonyms.retain(|synonym| synonym.source == Source::DynamicDefault);
        let read_only = definition.update == Update::ReadOnly;
        Some(Entry::new(definition, Some(value), synonyms, read_only))
    });
    entries.collect()
}

/// What is set and nobody knows: it may be a secret of a plug-in's, so its value is not shown.
fn unknown_entries(
    config: &BrokerConfig,
    resource: &DescribeConfigsResource,
    synonyms: bool,
) -> Vec<DescribeConfigsResourceResult> {
    let wanted = |name: &String| is_wanted(resource, name);
    let entry = |(name, sources): (String, Vec<Source>)| {
        let name = StrBytes::from_string(name);
        let synonym = |source: &Source| {
            DescribeConfigsSynonym::default()
                .with_name(name.clone())
                .with_value(None)
                .with_source(*source as i8)
        };
        DescribeConfigsResourceResult::default()
            .with_name(name.clone())
            .with_value(None)
            .with_read_only(true)
            .with_config_source(sources[0] as i8)
            .with_is_sensitive(true)
            .with_documentation(None)
            .with_synonyms(if synonyms {
                sources.iter().map(synonym).collect()
            } else {
                Vec::new()
            })
    };
    let of_cluster = resource.resource_name.is_empty();
    let mut unknown = config.unknown();
    if of_cluster {
        unknown
            .values_mut()
            .for_each(|sources| sources.retain(|source| *source == Source::DynamicDefault));
    }
    let unknown = unknown
        .into_iter()
        .filter(|(name, sources)| wanted(name) && !sources.is_empty());
    unknown.map(entry).collect()
}

fn show(entry: Entry, version: i16, synonyms: bool, documentation: bool) -> DescribeConfigsResourceResult {
    let sensitive = entry.definition.is_sensitive();
    let shown = |value: String| (!sensitive).then(|| StrBytes::from_string(value));
    let mut result = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(entry.definition.name))
        .with_value(entry.value.and_then(shown))
        .with_read_only(entry.read_only)
        .with_config_source(entry.source as i8)
        .with_is_sensitive(sensitive);
    if synonyms {
        let synonym = |synonym: SourcedValue| {
            DescribeConfigsSynonym::default()
                .with_name(StrBytes::from_static_str(synonym.name))
                .with_value(shown(synonym.value))
                .with_source(synonym.source as i8)
        };
        result.synonyms = entry.synonyms.into_iter().map(synonym).collect();
    }
    if version >= 3 {
        result.config_type = entry.definition.kind as i8;
        result.documentation = documentation.then(|| StrBytes::from_static_str(entry.definition.documentation));
    }
    result
}
