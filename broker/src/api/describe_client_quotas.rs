//! DescribeClientQuotas (key 48), versions 0–1: the quotas that AlterClientQuotas set, of the entities that a filter names.
//!
//! The filter is checked as Kafka checks it. Version 1 is the first flexible one.

use std::collections::HashSet;

use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use kafka_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};
use crate::hash_order::place;
use crate::metadata::quotas::{Entity, Quotas};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

/// Describes each entity that fits.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: DescribeClientQuotasRequest,
) -> Result<DescribeClientQuotasResponse, Disconnect> {
    let response = DescribeClientQuotasResponse::default();
    if let Err(error) = check(&request.components) {
        return Ok(response
            .with_error_code(error.code())
            .with_error_message(error.message)
            .with_entries(None));
    }
    let entries = ctx.broker.client_quotas.read(|all| {
        let fitting = all.iter().filter(|(entity, _)| fits(&request, entity));
        fitting.map(|(entity, quotas)| described(entity, quotas)).collect()
    });
    Ok(response.with_entries(Some(entries)))
}

/// Whether an entity has what each component asks for, and nothing besides where that is to be so.
fn fits(request: &DescribeClientQuotasRequest, entity: &Entity) -> bool {
    let has = |component: &ComponentData| match entity.get(&*component.entity_type) {
        None => false,
        Some(_) if component.match_type == SPECIFIED => true,
        Some(name) => name.as_deref() == component._match.as_deref(),
    };
    (!request.strict || entity.len() == request.components.len()) && request.components.iter().all(has)
}

fn described(entity: &Entity, quotas: &Quotas) -> EntryData {
    let mut names: Vec<_> = entity.iter().collect();
    names.sort_by_key(|(kind, _)| place(kind, entity.len()));
    let names = names.into_iter().map(|(kind, name)| {
        EntityData::default()
            .with_entity_type(kind.clone().into())
            .with_entity_name(name.clone().map(Into::into))
    });
    let values = quotas
        .iter()
        .map(|(key, value)| ValueData::default().with_key(key.clone().into()).with_value(*value));
    EntryData::default()
        .with_entity(names.collect())
        .with_values(values.collect())
}

fn check(components: &[ComponentData]) -> Result<(), ApiError> {
    let invalid = |reason: String| Err(ApiError::new(ResponseError::InvalidRequest, reason));
    let mut seen = HashSet::new();
    for component in components {
        let kind = &*component.entity_type;
        if kind.is_empty() {
            return invalid("Invalid empty entity type.".to_owned());
        }
        if !seen.insert(kind) {
            return invalid(format!(
                "Entity type {kind} cannot appear more than once in the filter."
            ));
        }
        if !matches!(kind, "ip" | "user" | "client-id") {
            let reason = format!("Unsupported entity type {kind}");
            return Err(ApiError::new(ResponseError::UnsupportedVersion, reason));
        }
        let also = |name: &str| {
            invalid(format!(
                "Request specified MATCH_TYPE_{name}, but also specified a match string."
            ))
        };
        match (component.match_type, &component._match) {
            (EXACT, None) => {
                return invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned());
            }
            (DEFAULT, Some(_)) => return also("DEFAULT"),
            (SPECIFIED, Some(_)) => return also("SPECIFIED"),
            (EXACT | DEFAULT | SPECIFIED, _) => {}
            (other, _) => return invalid(format!("Unknown match type {other}")),
        }
    }
    if seen.contains("ip") && seen.len() > 1 {
        return invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId \
             filter component."
                .to_owned(),
        );
    }
    Ok(())
}
