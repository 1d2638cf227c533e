//! DescribeClientQuotas (key 48), versions 0–1: none, since quotas cannot be set here.
//!
//! The filter is checked as Kafka checks it. Version 1 is the first flexible one.

use std::collections::HashSet;

use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

/// Says that no quota is set.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    request: DescribeClientQuotasRequest,
) -> Result<DescribeClientQuotasResponse, Disconnect> {
    let response = DescribeClientQuotasResponse::default();
    Ok(match check(&request.components) {
        Ok(()) => response.with_entries(Some(Vec::new())),
        Err(error) => response
            .with_error_code(error.code())
            .with_error_message(error.message)
            .with_entries(None),
    })
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
