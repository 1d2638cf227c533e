//! DescribeUserScramCredentials (key 50), version 0: none, since nobody signs in here.

use std::collections::HashMap;

use kafka_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use kafka_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

/// Says of each user that is named that it has no credentials; without names there is nobody to describe.
pub(crate) async fn handle(
    _ctx: &RequestContext,
    _version: i16,
    request: DescribeUserScramCredentialsRequest,
) -> Result<DescribeUserScramCredentialsResponse, Disconnect> {
    let asked = request.users.unwrap_or_default();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for user in &asked {
        *times.entry(&user.name).or_default() += 1;
    }
    let mut results = Vec::with_capacity(times.len());
    for user in &asked {
        let Some(times) = times.remove(&*user.name) else {
            continue;
        };
        let name = &*user.name;
        let error = if times > 1 {
            let reason =
                format!("Cannot describe SCRAM credentials for the same user twice in a single request: {name}");
            ApiError::new(ResponseError::DuplicateResource, reason)
        } else {
            let reason = format!("Attempt to describe a user credential that does not exist: {name}");
            ApiError::new(ResponseError::ResourceNotFound, reason)
        };
        results.push(
            DescribeUserScramCredentialsResult::default()
                .with_user(user.name.clone())
                .with_error_code(error.code())
                .with_error_message(error.message),
        );
    }
    Ok(DescribeUserScramCredentialsResponse::default().with_results(results))
}
