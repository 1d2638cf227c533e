//! AlterUserScramCredentials (key 51), version 0: sets and removes what users' passwords can be checked by.
//!
//! What comes is the salted password, and what is kept are the keys made of it ([`crate::metadata::credentials`]), durable
//! before the answer. Each user may be named once. All that is right is done together; a user in error keeps nobody from
//! theirs. As no listener asks clients who they are, a warning says that nobody signs in by what is set.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use kafka_protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};
use crate::metadata::credentials::{Change, Credential, Mechanism, Users};

/// How often a password must be hashed, and how often it may be.
const ITERATIONS: std::ops::RangeInclusive<i32> = 4096..=16384;

/// Changes the credentials of each user.
pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    request: AlterUserScramCredentialsRequest,
) -> Result<AlterUserScramCredentialsResponse, Disconnect> {
    let broker = &ctx.broker;
    let decided = match broker.credentials.alter(|users| decide(users, &request)) {
        Ok(decided) => broker.store.flush().await.map(|()| decided),
        Err(error) => Err(error),
    };
    let decided = decided.unwrap_or_else(|error| {
        let error = ApiError::new(ResponseError::KafkaStorageError, error.to_string());
        let mut names: Vec<_> = request.deletions.iter().map(|deletion| &*deletion.name).collect();
        names.extend(request.upsertions.iter().map(|upsertion| &*upsertion.name));
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name, Some(error.clone()))).collect()
    });
    let set: HashSet<&str> = request.upsertions.iter().map(|upsertion| &*upsertion.name).collect();
    for (user, _) in decided
        .iter()
        .filter(|(name, error)| error.is_none() && set.contains(name))
    {
        tracing::warn!(
            user,
            "credentials are kept, but no listener of this broker asks for them"
        );
    }
    let results = decided.into_iter().map(|(name, error)| {
        let result = AlterUserScramCredentialsResult::default().with_user(name.to_owned().into());
        match error {
            None => result.with_error_message(None),
            Some(error) => result.with_error_code(error.code()).with_error_message(error.message),
        }
    });
    Ok(AlterUserScramCredentialsResponse::default().with_results(results.collect()))
}

/// A user, and what is wrong if something is.
type Decided<'a> = (&'a str, Option<ApiError>);

enum Wanted<'a> {
    Deletion(Mechanism),
    Upsertion(Mechanism, &'a ScramCredentialUpsertion),
    Refused(ApiError),
}

/// What is to be changed, and what each user is answered. Once more named, a user in order is one in error; one in error
/// stays so.
fn decide<'a>(users: &Users, request: &'a AlterUserScramCredentialsRequest) -> (Vec<Change>, Vec<Decided<'a>>) {
    let mut names = Vec::new();
    let mut wanted: HashMap<&str, Wanted<'a>> = HashMap::new();
    let mut want = |name: &'a str, checked: Result<Wanted<'a>, ApiError>| match wanted.entry(name) {
        Entry::Vacant(vacant) => {
            names.push(name);
            vacant.insert(checked.unwrap_or_else(Wanted::Refused));
        }
        Entry::Occupied(mut occupied) => {
            if !matches!(occupied.get(), Wanted::Refused(_)) {
                let reason = "A user credential cannot be altered twice in the same request";
                occupied.insert(Wanted::Refused(ApiError::new(ResponseError::DuplicateResource, reason)));
            }
        }
    };
    for deletion in &request.deletions {
        want(&deletion.name, check_deletion(users, deletion));
    }
    for upsertion in &request.upsertions {
        want(&upsertion.name, check_upsertion(upsertion));
    }
    let mut changes = Vec::new();
    let mut decided = Vec::with_capacity(names.len());
    for name in names {
        let error = match wanted.remove(name) {
            Some(Wanted::Deletion(mechanism)) => {
                changes.push((name.to_owned(), mechanism, None));
                None
            }
            Some(Wanted::Upsertion(mechanism, given)) => {
                let made = Credential::new(mechanism, &given.salt, given.iterations, &given.salted_password);
                let error = made
                    .is_none()
                    .then(|| ApiError::silent(ResponseError::UnknownServerError));
                changes.extend(made.map(|credential| (name.to_owned(), mechanism, Some(credential))));
                error
            }
            Some(Wanted::Refused(error)) => Some(error),
            None => continue,
        };
        decided.push((name, error));
    }
    (changes, decided)
}

fn check_deletion<'a>(users: &Users, deletion: &ScramCredentialDeletion) -> Result<Wanted<'a>, ApiError> {
    let mechanism = check(&deletion.name, deletion.mechanism)?;
    let has_it = users
        .get(&*deletion.name)
        .is_some_and(|of_user| of_user.contains_key(&mechanism));
    if !has_it {
        let reason = "Attempt to delete a user credential that does not exist";
        return Err(ApiError::new(ResponseError::ResourceNotFound, reason));
    }
    Ok(Wanted::Deletion(mechanism))
}

fn check_upsertion(upsertion: &ScramCredentialUpsertion) -> Result<Wanted<'_>, ApiError> {
    let mechanism = check(&upsertion.name, upsertion.mechanism)?;
    let unacceptable = |reason: &str| Err(ApiError::new(ResponseError::UnacceptableCredential, reason));
    if upsertion.iterations < *ITERATIONS.start() {
        return unacceptable("Too few iterations");
    }
    if upsertion.iterations > *ITERATIONS.end() {
        return unacceptable("Too many iterations");
    }
    Ok(Wanted::Upsertion(mechanism, upsertion))
}

fn check(name: &str, mechanism: i8) -> Result<Mechanism, ApiError> {
    if name.is_empty() {
        let reason = "Username must not be empty";
        return Err(ApiError::new(ResponseError::UnacceptableCredential, reason));
    }
    Mechanism::by_number(mechanism)
        .ok_or_else(|| ApiError::new(ResponseError::UnsupportedSaslMechanism, "Unknown SCRAM mechanism"))
}
