//! What AlterConfigs and IncrementalAlterConfigs do alike: each resource in turn, its checks in Apache Kafka's order and
//! words, and the change itself, durable before the answer and in force when it goes out.
//!
//! An empty broker name stands for the cluster's dynamic defaults.

use std::collections::HashSet;

use kafka_protocol::protocol::StrBytes;

use super::RequestContext;
use super::create_topics::topics_error;
use crate::config::{
    BrokerConfig, Update, Values, broker_property, check_client_metrics, check_dynamic, check_group,
    check_topic_overrides, log_config, warn_of_change, warn_of_topic_property,
};
use crate::error::{ApiError, ResponseError};
use crate::metadata::topics::check_name;

/// A resource by its type and name.
pub(super) type Identity = (i8, StrBytes);

/// Changes each resource by `change`. One that is named more than once is refused each time.
pub(super) async fn each<R>(
    resources: &[R],
    identity: impl Fn(&R) -> Identity,
    change: impl AsyncFn(&R) -> Result<(), ApiError>,
) -> Vec<(Identity, Result<(), ApiError>)> {
    let mut seen = HashSet::new();
    let doubled: HashSet<Identity> = resources
        .iter()
        .map(&identity)
        .filter(|id| !seen.insert(id.clone()))
        .collect();
    let mut results = Vec::with_capacity(resources.len());
    for resource in resources {
        let identity = identity(resource);
        let result = if doubled.contains(&identity) {
            Err(invalid("Each resource must appear at most once."))
        } else {
            change(resource).await
        };
        results.push((identity, result));
    }
    results
}

pub(super) fn invalid(reason: impl Into<String>) -> ApiError {
    ApiError::new(ResponseError::InvalidRequest, reason)
}

fn invalid_config(reason: impl ToString) -> ApiError {
    ApiError::new(ResponseError::InvalidConfig, reason.to_string())
}

/// Replaces what is set for a topic.
pub(super) async fn replace_topic(
    ctx: &RequestContext,
    name: &str,
    overrides: Values,
    validate_only: bool,
) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(invalid("Default topic resources are not allowed."));
    }
    check_name(name).map_err(|reason| ApiError::new(ResponseError::InvalidTopicException, reason))?;
    check_topic_overrides(&overrides).map_err(invalid_config)?;
    log_config(&ctx.broker.config, &overrides).map_err(invalid_config)?;
    let Some(topic) = ctx.broker.topics.get(name) else {
        let reason = format!("The topic '{name}' does not exist.");
        return Err(ApiError::new(ResponseError::UnknownTopicOrPartition, reason));
    };
    if validate_only {
        return Ok(());
    }
    for changed in overrides
        .iter()
        .filter(|(name, value)| topic.overrides.get(*name) != Some(value))
    {
        warn_of_topic_property(name, changed.0);
    }
    ctx.broker
        .topics
        .set_overrides(name, overrides)
        .await
        .map_err(topics_error)
}

/// Whether a broker resource is this broker (`true`) or the cluster's defaults (`false`).
pub(super) fn check_broker_name(ctx: &RequestContext, name: &str) -> Result<bool, ApiError> {
    if name.is_empty() {
        return Ok(false);
    }
    let node_id = ctx.broker.node_id;
    match name.parse::<i32>() {
        Ok(id) if id == node_id => Ok(true),
        Ok(_) => Err(invalid(format!(
            "Unexpected broker id, expected {node_id}, but received {name}"
        ))),
        Err(_) => Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
}

/// Replaces the dynamic properties of this broker or of the cluster.
pub(super) async fn replace_broker(
    ctx: &RequestContext,
    of_broker: bool,
    values: Values,
    validate_only: bool,
) -> Result<(), ApiError> {
    let broker = &ctx.broker;
    let before = broker.config.dynamic(of_broker);
    let checked = check_broker(&broker.config, of_broker, values)?;
    check_replicas_in_sync(of_broker, &before, &checked)?;
    if validate_only {
        return Ok(());
    }
    for (name, _) in checked.iter().filter(|(name, value)| before.get(*name) != Some(value)) {
        match broker_property(name) {
            Some(definition) => warn_of_change(definition),
            // Kafka keeps what it does not know, for plug-ins that might.
            None => tracing::warn!(name, "a dynamic property without effect is kept"),
        }
    }
    let stored = match broker.configs.put(of_broker, &checked) {
        Ok(()) => broker.store.flush().await,
        Err(error) => Err(error),
    };
    stored.map_err(|error| ApiError::new(ResponseError::KafkaStorageError, error.to_string()))?;
    broker.config.set_dynamic(of_broker, checked);
    broker.topics.apply_broker_config();
    Ok(())
}

/// The values as they are kept, if all of them can be.
fn check_broker(config: &BrokerConfig, of_broker: bool, values: Values) -> Result<Values, ApiError> {
    let refuse = |reason: &str, wrong: &dyn Fn(&str) -> bool| {
        let names: Vec<&str> = values.keys().map(String::as_str).filter(|name| wrong(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(invalid(format!("{reason}({})", names.join(", "))))
    };
    let is = |update: Update| move |name: &str| broker_property(name).is_some_and(|property| property.update == update);
    refuse("Cannot update these configs dynamically: Set", &is(Update::ReadOnly))?;
    let of_listeners = |name: &str| RELOADED_WITH_LISTENERS.contains(&name);
    refuse(
        "These security configs can be dynamically updated only per-listener using the listener prefix: HashSet",
        &of_listeners,
    )?;
    let mut checked = Values::new();
    for (name, value) in &values {
        let value = match broker_property(name) {
            Some(definition) => definition.check(value).map_err(|error| invalid(error.to_string()))?,
            None => value.clone(),
        };
        checked.insert(name.clone(), value);
    }
    if !of_broker {
        refuse(
            "Cannot update these configs at default cluster level, broker id must be specified: Set",
            &is(Update::PerBroker),
        )?;
    }
    check_dynamic(config, &checked).map_err(|error| invalid(error.to_string()))?;
    Ok(checked)
}

/// What TLS reads anew: Apache Kafka takes a change of it for single listeners only (`SslConfigs.RECONFIGURABLE_CONFIGS`).
const RELOADED_WITH_LISTENERS: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Where leaders out of sync are remembered (KIP-966), as in a new cluster of Apache Kafka, `min.insync.replicas` is one
/// number for all brokers.
fn check_replicas_in_sync(of_broker: bool, before: &Values, after: &Values) -> Result<(), ApiError> {
    const NAME: &str = "min.insync.replicas";
    let (before, after) = (before.get(NAME), after.get(NAME));
    if of_broker && after.is_some() {
        let reason = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
        return Err(invalid_config(reason));
    }
    if !of_broker && before.is_some() && after.is_none() {
        let reason = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
        return Err(invalid_config(reason));
    }
    Ok(())
}

/// Replaces what is set for a subscription to clients' metrics (KIP-714).
pub(super) async fn replace_client_metrics(
    ctx: &RequestContext,
    name: &str,
    values: Values,
    validate_only: bool,
) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(invalid("Subscription name can't be empty"));
    }
    check_client_metrics(&values)?;
    if validate_only {
        return Ok(());
    }
    let broker = &ctx.broker;
    let stored = match broker.client_metrics.put(name, values) {
        Ok(()) => broker.store.flush().await,
        Err(error) => Err(error),
    };
    stored.map_err(|error| ApiError::new(ResponseError::KafkaStorageError, error.to_string()))
}

/// Replaces what is set for a group, which need not exist. It counts from its members' next heartbeats on.
pub(super) async fn replace_group(
    ctx: &RequestContext,
    name: &str,
    values: &Values,
    validate_only: bool,
) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(invalid("Default group resources are not allowed."));
    }
    let broker = &ctx.broker;
    let checked = check_group(&broker.config, values).map_err(invalid_config)?;
    if validate_only {
        return Ok(());
    }
    let stored = match broker.group_configs.put(name, checked.clone()) {
        Ok(()) => broker.store.flush().await,
        Err(error) => Err(error),
    };
    stored.map_err(|error| ApiError::new(ResponseError::KafkaStorageError, error.to_string()))?;
    broker.groups.set_overrides(name, &checked);
    Ok(())
}
