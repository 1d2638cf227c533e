//! DescribeUserScramCredentials (key 50), version 0: the mechanisms of users' credentials and their iterations, never more.

use std::collections::HashMap;

use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use kafka_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};
use crate::metadata::credentials::Users;

/// Describes each user that is named, or everybody where nobody is.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: DescribeUserScramCredentialsRequest,
) -> Result<DescribeUserScramCredentialsResponse, Disconnect> {
    let asked = request.users.unwrap_or_default();
    let results = ctx.broker.credentials.read(|users| {
        if asked.is_empty() {
            return users.keys().map(|name| describe(users, name)).collect();
        }
        let mut times: HashMap<&str, usize> = HashMap::new();
        for user in &asked {
            *times.entry(&user.name).or_default() += 1;
        }
        let mut results = Vec::with_capacity(times.len());
        for user in &asked {
            results.extend(times.remove(&*user.name).map(|times| match times {
                1 => describe(users, &user.name),
                _ => {
                    let reason = "Cannot describe SCRAM credentials for the same user twice in a single request";
                    refused(&user.name, ResponseError::DuplicateResource, reason)
                }
            }));
        }
        results
    });
    Ok(DescribeUserScramCredentialsResponse::default().with_results(results))
}

fn describe(users: &Users, name: &str) -> DescribeUserScramCredentialsResult {
    let Some(of_user) = users.get(name) else {
        let reason = "Attempt to describe a user credential that does not exist";
        return refused(name, ResponseError::ResourceNotFound, reason);
    };
    let infos = of_user.iter().map(|(mechanism, credential)| {
        CredentialInfo::default()
            .with_mechanism(mechanism.number())
            .with_iterations(credential.iterations)
    });
    DescribeUserScramCredentialsResult::default()
        .with_user(name.to_owned().into())
        .with_credential_infos(infos.collect())
}

fn refused(name: &str, error: ResponseError, reason: &str) -> DescribeUserScramCredentialsResult {
    let error = ApiError::new(error, format!("{reason}: {name}"));
    DescribeUserScramCredentialsResult::default()
        .with_user(name.to_owned().into())
        .with_error_code(error.code())
        .with_error_message(error.message)
}
