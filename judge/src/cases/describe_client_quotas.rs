//! DescribeClientQuotas (48).

use serde_json::{Value, json};

use crate::run::{Case, ask};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

fn component(entity: &str, kind: i8, name: Value) -> Value {
    json!({ "EntityType": entity, "MatchType": kind, "Match": name })
}

/// A filter of these components, strict and not.
fn filter(name: &'static str, components: &[Value]) -> Case {
    ask(name, json!({ "Components": components, "Strict": false }))
}

pub(super) fn cases() -> Vec<Case> {
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
