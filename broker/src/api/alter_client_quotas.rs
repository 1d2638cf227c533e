//! AlterClientQuotas (key 49), versions 0–1: sets and removes quotas of users, client ids and addresses.
//!
//! They are checked as Apache Kafka checks them and durable before the answer; DescribeClientQuotas has them. None of them
//! has an effect on clients, and a warning says so when one is set. Version 1 is the first flexible one.

use std::collections::{HashMap, HashSet};

use kafka_protocol::messages::alter_client_quotas_request::{EntryData, OpData};
use kafka_protocol::messages::alter_client_quotas_response::{self as response, EntityData};
use kafka_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};
use crate::hash_order::place_in;
use crate::metadata::quotas::{Change, Entity};

/// What a quota's number must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Int,
    Long,
    Double,
}

const OF_CLIENTS: &[(&str, Number)] = &[
    ("consumer_byte_rate", Number::Long),
    ("controller_mutation_rate", Number::Double),
    ("producer_byte_rate", Number::Long),
    ("request_percentage", Number::Double),
];

const OF_ADDRESSES: &[(&str, Number)] = &[("connection_creation_rate", Number::Int)];

/// Changes the quotas of each entity.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: AlterClientQuotasRequest,
) -> Result<AlterClientQuotasResponse, Disconnect> {
    let mut changes = Vec::new();
    let mut results: Vec<(Named, Result<(), ApiError>)> = Vec::with_capacity(request.entries.len());
    let mut known: HashMap<Entity, usize> = HashMap::new();
    for entry in &request.entries {
        let named = Named::new(entry);
        match known.get(&named.entity()) {
            // What was right before stays so, whatever is answered.
            Some(at) => results[*at].1 = Err(invalid(format!("Ignoring duplicate entity {named}"))),
            None => {
                let result = check(&named, &entry.ops).await;
                known.insert(named.entity(), results.len());
                let result = result.map(|values| changes.push((named.entity(), values)));
                results.push((named, result));
            }
        }
    }
    if !request.validate_only
        && let Err(error) = store(ctx, changes).await
    {
        for (_, result) in &mut results {
            *result = Err(error.clone());
        }
    }
    let entries = results.into_iter().map(|(named, result)| {
        let entry = response::EntryData::default()
            .with_entity(named.answered())
            .with_error_message(None);
        match result {
            Ok(()) => entry,
            Err(error) => entry.with_error_code(error.code()).with_error_message(error.message),
        }
    });
    Ok(AlterClientQuotasResponse::default().with_entries(entries.collect()))
}

async fn store(ctx: &RequestContext, changes: Vec<Change>) -> Result<(), ApiError> {
    for (entity, values) in &changes {
        let names = entity.iter();
        let names: Vec<_> = names
            .map(|(kind, name)| format!("{kind}={}", name.as_deref().unwrap_or("(default)")))
            .collect();
        let entity = names.join(",");
        for (key, _) in values.iter().filter(|(_, value)| value.is_some()) {
            tracing::warn!(entity, "quota {key} is kept, but has no effect in this broker");
        }
    }
    let stored = match ctx.broker.client_quotas.alter(changes) {
        Ok(()) => ctx.broker.store.flush().await,
        Err(error) => Err(error),
    };
    stored.map_err(|error| ApiError::new(ResponseError::KafkaStorageError, error.to_string()))
}

fn invalid(reason: impl Into<String>) -> ApiError {
    ApiError::new(ResponseError::InvalidRequest, reason)
}

/// An entity's names by kind as they were given, in the order in which Apache Kafka comes to them.
struct Named(Vec<(String, Option<String>)>);

impl Named {
    fn new(entry: &EntryData) -> Self {
        let mut names: Vec<(String, Option<String>)> = Vec::with_capacity(entry.entity.len());
        let mut places = HashMap::with_capacity(entry.entity.len());
        for given in &entry.entity {
            let (kind, name) = (&*given.entity_type, given.entity_name.as_ref().map(ToString::to_string));
            let at = *places.entry(kind).or_insert(names.len());
            match names.get_mut(at) {
                Some(known) => known.1 = name,
                None => names.push((kind.to_owned(), name)),
            }
        }
        let count = names.len();
        names.sort_by_key(|(kind, _)| place_in(kind, entry.entity.len(), count));
        Self(names)
    }

    fn entity(&self) -> Entity {
        self.0.iter().cloned().collect()
    }

    fn answered(self) -> Vec<EntityData> {
        let names = self.0.into_iter().map(|(kind, name)| {
            EntityData::default()
                .with_entity_type(kind.into())
                .with_entity_name(name.map(Into::into))
        });
        names.collect()
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.iter();
        let names: Vec<_> = names
            .map(|(kind, name)| format!("{kind}={}", name.as_deref().unwrap_or("null")))
            .collect();
        write!(f, "ClientQuotaEntity(entries={{{}}})", names.join(", "))
    }
}

/// What is to be changed for an entity, if all of it can be.
async fn check(named: &Named, ops: &[OpData]) -> Result<Vec<(String, Option<f64>)>, ApiError> {
    let mut seen = HashSet::with_capacity(ops.len());
    if !ops.iter().all(|op| seen.insert(&*op.key)) {
        return Err(invalid(format!("Ignoring duplicate entity {named}")));
    }
    let keys = keys_of(named).await?;
    let mut wanted: Vec<(&str, Option<f64>)> = ops
        .iter()
        .map(|op| (&*op.key, (!op.remove).then_some(op.value)))
        .collect();
    let count = wanted.len();
    wanted.sort_by_key(|(key, _)| place_in(key, count, count));
    for (key, value) in &wanted {
        value.map_or(Ok(()), |value| check_value(keys, key, value))?;
    }
    Ok(wanted.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The quotas that an entity may have.
async fn keys_of(named: &Named) -> Result<&'static [(&'static str, Number)], ApiError> {
    let (mut of_client, mut address) = (false, None);
    for (kind, name) in &named.0 {
        match kind.as_str() {
            "user" | "client-id" => of_client = true,
            "ip" => address = Some(name.as_deref()),
            other => return Err(invalid(format!("Unhandled client quota entity type: {other}"))),
        }
        if name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {kind} not supported")));
        }
    }
    match (address, of_client) {
        (None, true) => Ok(OF_CLIENTS),
        (None, false) => Err(invalid("Invalid empty client quota entity")),
        (Some(_), true) => Err(invalid(
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        )),
        (Some(None), false) => Ok(OF_ADDRESSES),
        (Some(Some(name)), false) => match tokio::net::lookup_host((name, 0)).await {
            Ok(_) => Ok(OF_ADDRESSES),
            Err(_) => Err(invalid(format!("{name} is not a valid IP or resolvable host."))),
        },
    }
}

fn check_value(keys: &[(&str, Number)], key: &str, value: f64) -> Result<(), ApiError> {
    let Some((_, number)) = keys.iter().find(|(known, _)| *known == key) else {
        return Err(invalid(format!("Invalid configuration key {key}")));
    };
    if value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    let (max, what) = match number {
        Number::Double => return Ok(()),
        Number::Int => (f64::from(i32::MAX), "an INT"),
        // As Java compares it: 2^63.
        Number::Long => (9_223_372_036_854_775_808.0, "a LONG"),
    };
    if value > max {
        return Err(invalid(format!("Proposed value for {key} is too large for {what}.")));
    }
    if (value % 1.0).abs() > 1e-6 {
        return Err(invalid(format!("{key} cannot be a fractional value.")));
    }
    Ok(())
}
