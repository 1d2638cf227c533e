//! Quotas and credentials over the wire: what is acknowledged is there after a `kill -9`, and of a password nothing is on disk
//! by which somebody could sign in.

use std::collections::BTreeMap;
use std::path::Path;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use crate::support::client::Client;
use crate::support::process::Process;

const SALTED_PASSWORD: &[u8] = b"the salted password of thirty-two";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn upsertion(user: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(b"salt".as_slice().into())
        .with_salted_password(SALTED_PASSWORD.into())
}

fn alter(
    client: &mut Client,
    deletions: Vec<ScramCredentialDeletion>,
    upsertions: Vec<ScramCredentialUpsertion>,
) -> BTreeMap<String, i16> {
    let request = AlterUserScramCredentialsRequest::default()
        .with_deletions(deletions)
        .with_upsertions(upsertions);
    let results = client.call(0, &request).results.into_iter();
    results
        .map(|result| (result.user.to_string(), result.error_code))
        .collect()
}

/// Mechanism and iterations of each user.
fn users(client: &mut Client) -> BTreeMap<String, Vec<(i8, i32)>> {
    let request = DescribeUserScramCredentialsRequest::default().with_users(None);
    let results = client.call(0, &request).results.into_iter();
    results
        .map(|result| {
            let infos = result.credential_infos.iter();
            let infos = infos.map(|info| (info.mechanism, info.iterations)).collect();
            (result.user.to_string(), infos)
        })
        .collect()
}

/// Sets a quota, or with no value removes it.
fn alter_quota(client: &mut Client, names: &[(&str, Option<&str>)], key: &str, value: Option<f64>, check: bool) -> i16 {
    let names = names.iter().map(|(kind, name)| {
        EntityData::default()
            .with_entity_type(text(kind))
            .with_entity_name(name.map(text))
    });
    let op = OpData::default()
        .with_key(text(key))
        .with_value(value.unwrap_or_default())
        .with_remove(value.is_none());
    let entry = EntryData::default().with_entity(names.collect()).with_ops(vec![op]);
    let request = AlterClientQuotasRequest::default()
        .with_entries(vec![entry])
        .with_validate_only(check);
    client.call(1, &request).entries[0].error_code
}

/// Each quota as `kind=name,… key=value`.
fn quotas(client: &mut Client) -> Vec<String> {
    let entries = client.call(1, &DescribeClientQuotasRequest::default()).entries.unwrap();
    let mut lines = Vec::new();
    for entry in entries {
        let names = entry.entity.iter();
        let names: Vec<_> = names
            .map(|name| {
                format!(
                    "{}={}",
                    name.entity_type,
                    name.entity_name.as_deref().unwrap_or("(default)")
                )
            })
            .collect();
        let values = entry.values.iter();
        lines.extend(values.map(|value| format!("{} {}={}", names.join(","), value.key, value.value)));
    }
    lines.sort();
    lines
}

/// Whether bytes stand in any file below a directory.
fn are_in(bytes: &[u8], dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return are_in(bytes, &path);
        }
        let content = std::fs::read(&path).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn credentials_are_there_after_a_kill_and_the_salted_password_never_is() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(dir.path(), &[]);
    let mut client = process.connect();
    let set = vec![
        upsertion("alice", 1, 4096),
        upsertion("bob", 2, 16_384),
        upsertion("carol", 2, 16_385),
    ];
    let unacceptable = ResponseError::UnacceptableCredential.code();
    let answered = alter(&mut client, Vec::new(), set);
    assert_eq!(
        answered.into_iter().collect::<Vec<_>>(),
        [("alice".into(), 0), ("bob".into(), 0), ("carol".into(), unacceptable)]
    );
    process.kill();

    let process = Process::start(dir.path(), &[]);
    let mut client = process.connect();
    let both = BTreeMap::from([
        ("alice".to_owned(), vec![(1, 4096)]),
        ("bob".to_owned(), vec![(2, 16_384)]),
    ]);
    assert_eq!(users(&mut client), both);
    let of_alice = || {
        ScramCredentialDeletion::default()
            .with_name(text("alice"))
            .with_mechanism(1)
    };
    assert_eq!(alter(&mut client, vec![of_alice()], Vec::new())["alice"], 0);
    let missing = ResponseError::ResourceNotFound.code();
    assert_eq!(alter(&mut client, vec![of_alice()], Vec::new())["alice"], missing);
    process.kill();

    let process = Process::start(dir.path(), &[]);
    assert_eq!(users(&mut process.connect()).into_keys().collect::<Vec<_>>(), ["bob"]);
    process.stop();
    assert!(are_in(b"bob", dir.path()), "the store is looked through");
    assert!(!are_in(SALTED_PASSWORD, dir.path()));
}

#[test]
fn quotas_are_there_after_a_kill_until_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(dir.path(), &[]);
    let mut client = process.connect();
    let app = [("user", Some("alice")), ("client-id", Some("app"))];
    let everybody = [("user", None)];
    let rate = "producer_byte_rate";
    assert_eq!(alter_quota(&mut client, &app, rate, Some(1e12), false), 0);
    assert_eq!(
        alter_quota(&mut client, &everybody, "request_percentage", Some(99.5), false),
        0
    );
    assert_eq!(
        alter_quota(&mut client, &everybody, rate, Some(5.0), true),
        0,
        "only checked"
    );
    let invalid = ResponseError::InvalidRequest.code();
    assert_eq!(alter_quota(&mut client, &everybody, rate, Some(0.5), false), invalid);
    process.kill();

    let process = Process::start(dir.path(), &[]);
    let mut client = process.connect();
    let found = quotas(&mut client);
    let set = [
        "client-id=app,user=alice producer_byte_rate=1000000000000",
        "user=(default) request_percentage=99.5",
    ];
    assert_eq!(found, set);
    assert_eq!(alter_quota(&mut client, &app, rate, None, false), 0);
    process.kill();

    let process = Process::start(dir.path(), &[]);
    assert_eq!(
        quotas(&mut process.connect()),
        ["user=(default) request_percentage=99.5"]
    );
}
