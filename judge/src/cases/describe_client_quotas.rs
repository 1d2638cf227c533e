//! DescribeClientQuotas (48).

use serde_json::{Value, json};

use crate::run::{Case, Outcome, Run, ask, case};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

fn component(entity: &str, kind: i8, name: Value) -> Value {
    json!({ "EntityType": entity, "MatchType": kind, "Match": name })
}

/// A filter of these components.
fn filter(name: &'static str, components: &[Value]) -> Case {
    ask(name, json!({ "Components": components, "Strict": false }))
}

/// A filter, strict and not, where quotas are set.
fn found(name: &'static str, components: &[Value]) -> Case {
    let components = components.to_vec();
    case(name, move |run| {
        make(run)?;
        let version = run.version();
        for strict in [false, true] {
            let request = json!({ "Components": components, "Strict": strict });
            run.soon("DescribeClientQuotas", version, &request)?;
        }
        Ok(())
    })
}

/// Sets quotas for some of all kinds of entities.
fn make(run: &mut Run<'_>) -> Outcome {
    run.once("quotas", |both| {
        for (names, key) in [
            (json!({ "user": "ann" }), "producer_byte_rate"),
            (json!({ "user": "ann" }), "consumer_byte_rate"),
            (json!({ "user": "ben" }), "request_percentage"),
            (json!({ "user": null }), "controller_mutation_rate"),
            (json!({ "client-id": "app" }), "consumer_byte_rate"),
            (json!({ "client-id": null }), "producer_byte_rate"),
            (json!({ "user": "ann", "client-id": "app" }), "producer_byte_rate"),
            (json!({ "user": "ann", "client-id": null }), "producer_byte_rate"),
            (json!({ "user": null, "client-id": "app" }), "producer_byte_rate"),
            (json!({ "user": null, "client-id": null }), "request_percentage"),
            (json!({ "ip": "127.0.0.7" }), "connection_creation_rate"),
            (json!({ "ip": null }), "connection_creation_rate"),
        ] {
            let entity: Value = names
                .as_object()
                .into_iter()
                .flatten()
                .map(|(kind, name)| json!({ "EntityType": kind, "EntityName": name }))
                .collect();
            // So much that it hinders nobody.
            let entry = json!({ "Entity": entity, "Ops": [{ "Key": key, "Value": 1e9, "Remove": false }] });
            both.must("AlterClientQuotas", &json!({ "Entries": [entry] }))?;
        }
        Ok(())
    })
}

/// What a filter finds where there is something to find.
fn of_what_there_is() -> Vec<Case> {
    let user = |kind: i8, name: Value| component("user", kind, name);
    let client = |kind: i8, name: Value| component("client-id", kind, name);
    let address = |kind: i8, name: Value| component("ip", kind, name);
    vec![
        found("of those there are: everything", &[]),
        found("of those there are: a user", &[user(EXACT, "ann".into())]),
        found("of those there are: a user in capitals", &[user(EXACT, "ANN".into())]),
        found("of those there are: the default user", &[user(DEFAULT, Value::Null)]),
        found("of those there are: any user", &[user(ANY, Value::Null)]),
        found("of those there are: a client", &[client(EXACT, "app".into())]),
        found(
            "of those there are: the default client",
            &[client(DEFAULT, Value::Null)],
        ),
        found("of those there are: any client", &[client(ANY, Value::Null)]),
        found(
            "of those there are: a user's client",
            &[user(EXACT, "ann".into()), client(EXACT, "app".into())],
        ),
        found(
            "of those there are: any client of a user",
            &[client(ANY, Value::Null), user(EXACT, "ann".into())],
        ),
        found(
            "of those there are: the default client of any user",
            &[client(DEFAULT, Value::Null), user(ANY, Value::Null)],
        ),
        found(
            "of those there are: any client of the default user",
            &[client(ANY, Value::Null), user(DEFAULT, Value::Null)],
        ),
        found("of those there are: an address", &[address(EXACT, "127.0.0.7".into())]),
        found(
            "of those there are: another address",
            &[address(EXACT, "127.0.0.8".into())],
        ),
        found(
            "of those there are: the default address",
            &[address(DEFAULT, Value::Null)],
        ),
        found("of those there are: any address", &[address(ANY, Value::Null)]),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    of_none().into_iter().chain(of_what_there_is()).collect()
}

/// What is wrong with filters, and those that find nothing.
fn of_none() -> Vec<Case> {
    let user = |kind: i8, name: Value| component("user", kind, name);
    vec![
        filter("everything", &[]),
        ask("everything, strictly", json!({ "Components": [], "Strict": true })),
        filter("a user", &[user(EXACT, "alice".into())]),
        ask(
            "a user, strictly",
            json!({ "Components": [user(EXACT, "alice".into())], "Strict": true }),
        ),
        filter("a user of an empty name", &[user(EXACT, "".into())]),
        filter("the default user", &[user(DEFAULT, Value::Null)]),
        filter("any user", &[user(ANY, Value::Null)]),
        filter("a client", &[component("client-id", EXACT, "reader".into())]),
        filter(
            "a user's client",
            &[user(EXACT, "alice".into()), component("client-id", ANY, Value::Null)],
        ),
        filter("an address", &[component("ip", EXACT, "127.0.0.1".into())]),
        filter("an address that is none", &[component("ip", EXACT, "nowhere".into())]),
        filter("any address", &[component("ip", ANY, Value::Null)]),
        filter("a user by no name", &[user(EXACT, Value::Null)]),
        filter("the default user by name", &[user(DEFAULT, "alice".into())]),
        filter("any user by name", &[user(ANY, "alice".into())]),
        filter("a kind of match that there is not", &[user(3, "alice".into())]),
        filter("a kind of match below zero", &[user(-1, Value::Null)]),
        filter(
            "an entity that there is not",
            &[component("group", EXACT, "readers".into())],
        ),
        filter("an entity in capitals", &[component("USER", ANY, Value::Null)]),
        filter("an entity without a name", &[component("", ANY, Value::Null)]),
        filter(
            "an entity twice",
            &[user(EXACT, "alice".into()), user(ANY, Value::Null)],
        ),
        filter(
            "an address and a user",
            &[component("ip", ANY, Value::Null), user(ANY, Value::Null)],
        ),
        filter(
            "an address and a client",
            &[
                component("client-id", ANY, Value::Null),
                component("ip", EXACT, "127.0.0.1".into()),
            ],
        ),
        filter(
            "two mistakes",
            &[component("group", ANY, Value::Null), user(EXACT, Value::Null)],
        ),
        filter(
            "two mistakes the other way round",
            &[user(EXACT, Value::Null), component("group", ANY, Value::Null)],
        ),
    ]
}
