//! AlterClientQuotas (49): what is answered, and what DescribeClientQuotas has to say afterwards.

use serde_json::{Value, json};

use crate::run::{Case, Outcome, Run, case};

/// An entity of these kinds and names.
fn entity(names: &[(&str, Value)]) -> Value {
    let names = names.iter();
    names
        .map(|(kind, name)| json!({ "EntityType": kind, "EntityName": name }))
        .collect()
}

fn set(key: &str, value: impl Into<Value>) -> Value {
    json!({ "Key": key, "Value": value.into(), "Remove": false })
}

fn remove(key: &str) -> Value {
    json!({ "Key": key, "Value": 0.0, "Remove": true })
}

fn entry(entity: &Value, ops: &[Value]) -> Value {
    json!({ "Entity": entity, "Ops": ops })
}

/// Asks for the entries, and what their entities have then.
fn alter(run: &mut Run<'_>, entries: &[Value], validate_only: bool) -> Outcome {
    run.ask(json!({ "Entries": entries, "ValidateOnly": validate_only }))?;
    for entry in entries {
        seen(run, &entry["Entity"])?;
    }
    Ok(())
}

/// What the entity of these names has, and none that has more names.
fn seen(run: &mut Run<'_>, entity: &Value) -> Outcome {
    let names = entity.as_array().into_iter().flatten();
    let components: Value = names
        .map(|name| {
            let (kind, name) = (&name["EntityType"], &name["EntityName"]);
            json!({ "EntityType": kind, "MatchType": i8::from(name.is_null()), "Match": name })
        })
        .collect();
    let version = run.version();
    let request = json!({ "Components": components, "Strict": true });
    run.soon("DescribeClientQuotas", version, &request).map(drop)
}

/// One entry of operations, for a user of a name of its own.
fn user(name: &'static str, ops: &[Value]) -> Case {
    let ops = ops.to_vec();
    case(name, move |run| {
        let user = entity(&[("user", run.name("user").into())]);
        alter(run, &[entry(&user, &ops)], false)
    })
}

/// A quota for an entity: whether it may be.
fn of(name: &'static str, names: &[(&'static str, Value)], key: &'static str) -> Case {
    let entity = entity(names);
    case(name, move |run| {
        alter(run, &[entry(&entity, &[set(key, 7.0)])], false)?;
        // Not for other cases to find.
        run.ask(json!({ "Entries": [entry(&entity, &[remove(key)])] }))?;
        seen(run, &entity)
    })
}

fn keys_and_values() -> Vec<Case> {
    vec![
        user("no operations", &[]),
        user("bytes that are written", &[set("producer_byte_rate", 1024.0)]),
        user("bytes that are read", &[set("consumer_byte_rate", 2048.0)]),
        user("time of requests", &[set("request_percentage", 12.5)]),
        user("changes of the cluster", &[set("controller_mutation_rate", 0.25)]),
        user("new connections of a user", &[set("connection_creation_rate", 5.0)]),
        user("a key that there is not", &[set("producer_bytes", 1.0)]),
        user("a key without a name", &[set("", 1.0)]),
        user("a key in capitals", &[set("PRODUCER_BYTE_RATE", 1.0)]),
        user(
            "all keys",
            &[
                set("producer_byte_rate", 1.0),
                set("consumer_byte_rate", 2.0),
                set("request_percentage", 3.0),
                set("controller_mutation_rate", 4.0),
            ],
        ),
        user("nothing may be written", &[set("producer_byte_rate", 0.0)]),
        user("less than nothing", &[set("consumer_byte_rate", -1.0)]),
        user("no time for requests", &[set("request_percentage", 0.0)]),
        user("a fraction of a byte", &[set("producer_byte_rate", 1.5)]),
        user("hardly a fraction of a byte", &[set("producer_byte_rate", 1.000_000_1)]),
        user("a byte but for a bit", &[set("producer_byte_rate", 0.999_999_9)]),
        user("very many bytes", &[set("producer_byte_rate", 1e18)]),
        user(
            "as many bytes as there may be",
            &[set("producer_byte_rate", 9_223_372_036_854_775_807.0)],
        ),
        user("more bytes than there may be", &[set("consumer_byte_rate", 1e19)]),
        user("endlessly many bytes", &[set("consumer_byte_rate", "inf")]),
        user("time without end", &[set("request_percentage", "inf")]),
        user("less than nothing, without end", &[set("request_percentage", "-inf")]),
        user("bytes that are no number", &[set("producer_byte_rate", "NaN")]),
        user("time that is no number", &[set("request_percentage", "NaN")]),
        user(
            "one right and one wrong",
            &[set("producer_byte_rate", 10.0), set("consumer_byte_rate", 0.5)],
        ),
        user(
            "several that are wrong",
            &[
                set("request_percentage", -1.0),
                set("producer_byte_rate", 1.5),
                set("nonsense", 1.0),
                set("consumer_byte_rate", 1e30),
            ],
        ),
        user(
            "a key twice",
            &[set("producer_byte_rate", 10.0), set("producer_byte_rate", 20.0)],
        ),
        user(
            "a key twice, once removed",
            &[remove("producer_byte_rate"), set("producer_byte_rate", 20.0)],
        ),
        user("a quota is removed that is not there", &[remove("producer_byte_rate")]),
        user("a key is removed that there is not", &[remove("nonsense")]),
    ]
}

fn entities() -> Vec<Case> {
    const RATE: &str = "producer_byte_rate";
    const CONNECTIONS: &str = "connection_creation_rate";
    let nothing = || Value::Null;
    vec![
        of("a user", &[("user", "u".into())], RATE),
        of("the default user", &[("user", nothing())], RATE),
        of("a client", &[("client-id", "c".into())], RATE),
        of("the default client", &[("client-id", nothing())], RATE),
        of(
            "a user's client",
            &[("user", "u".into()), ("client-id", "c".into())],
            RATE,
        ),
        of(
            "a client of a user",
            &[("client-id", "c".into()), ("user", "u".into())],
            RATE,
        ),
        of(
            "a user's default client",
            &[("user", "u".into()), ("client-id", nothing())],
            RATE,
        ),
        of(
            "the default user's client",
            &[("user", nothing()), ("client-id", "c".into())],
            RATE,
        ),
        of(
            "the default user's default client",
            &[("user", nothing()), ("client-id", nothing())],
            RATE,
        ),
        of(
            "names of other alphabets",
            &[("user", "ünï =,".into()), ("client-id", "鍵".into())],
            RATE,
        ),
        of("an address", &[("ip", "127.0.0.1".into())], CONNECTIONS),
        of("an address of version 6", &[("ip", "::1".into())], CONNECTIONS),
        of("a host", &[("ip", "localhost".into())], CONNECTIONS),
        of("the default address", &[("ip", nothing())], CONNECTIONS),
        of(
            "a host that there is not",
            &[("ip", "nowhere.invalid".into())],
            CONNECTIONS,
        ),
        of("an address that is none", &[("ip", "1.2.3.400".into())], CONNECTIONS),
        of("bytes of an address", &[("ip", "127.0.0.1".into())], RATE),
        of("new connections of a client", &[("client-id", "c".into())], CONNECTIONS),
        of("nobody", &[], RATE),
        of("a kind that there is not", &[("group", "g".into())], RATE),
        of("a kind in capitals", &[("USER", "u".into())], RATE),
        of("a kind without a name", &[("", "u".into())], RATE),
        of(
            "a user and a kind that there is not",
            &[("user", "u".into()), ("group", "g".into())],
            RATE,
        ),
        of("a user without a name", &[("user", "".into())], RATE),
        of("a client without a name", &[("client-id", "".into())], RATE),
        of("an address without a name", &[("ip", "".into())], CONNECTIONS),
        of(
            "a user and a client without names",
            &[("user", "".into()), ("client-id", "".into())],
            RATE,
        ),
        of(
            "an address and a user",
            &[("ip", "127.0.0.1".into()), ("user", "u".into())],
            RATE,
        ),
        of(
            "a client and an address",
            &[("client-id", "c".into()), ("ip", nothing())],
            CONNECTIONS,
        ),
        of(
            "an address that is none, and a user",
            &[("ip", "1.2.3.400".into()), ("user", "u".into())],
            RATE,
        ),
        of(
            "all kinds",
            &[
                ("user", "u".into()),
                ("client-id", "c".into()),
                ("ip", "127.0.0.1".into()),
            ],
            RATE,
        ),
        case("a kind twice", |run| {
            let user = entity(&[("user", "first".into()), ("user", run.name("second").into())]);
            run.ask(json!({ "Entries": [entry(&user, &[set(RATE, 7.0)])] }))?;
            seen(run, &json!([user[1]]))
        }),
        case("a new connection less than whole", |run| {
            let address = entity(&[("ip", "127.0.0.9".into())]);
            for value in [0.5, 2_147_483_648.0, 0.0] {
                alter(run, &[entry(&address, &[set(CONNECTIONS, value)])], false)?;
            }
            Ok(())
        }),
    ]
}

fn several() -> Vec<Case> {
    const WRITTEN: &str = "producer_byte_rate";
    const READ: &str = "consumer_byte_rate";
    vec![
        case("nothing", |run| alter(run, &[], false)),
        case("several entities", |run| {
            let entries: Vec<Value> = (0..3)
                .map(|at| entry(&entity(&[("user", run.name("user").into())]), &[set(WRITTEN, at + 1)]))
                .collect();
            alter(run, &entries, false)
        }),
        case("one entity right and one wrong", |run| {
            let (a, b) = (run.name("user"), run.name("user"));
            let right = entry(&entity(&[("user", a.into())]), &[set(WRITTEN, 5.0)]);
            let wrong = entry(&entity(&[("user", b.into())]), &[set(WRITTEN, 0.0)]);
            alter(run, &[wrong, right], false)
        }),
        case("an entity twice", |run| {
            let user = entity(&[("user", run.name("user").into())]);
            let entries = [entry(&user, &[set(WRITTEN, 5.0)]), entry(&user, &[set(READ, 6.0)])];
            alter(run, &entries, false)
        }),
        case("an entity three times, the first wrong", |run| {
            let user = entity(&[("client-id", run.name("app").into()), ("user", "u".into())]);
            let entries = [
                entry(&user, &[set(WRITTEN, 0.0)]),
                entry(&user, &[set(READ, 6.0)]),
                entry(&user, &[set(WRITTEN, 6.0)]),
            ];
            alter(run, &entries, false)
        }),
        case("quotas are changed, kept and removed", |run| {
            let user = entity(&[("user", run.name("user").into())]);
            for ops in [
                vec![set(WRITTEN, 5.0), set(READ, 6.0)],
                vec![set(WRITTEN, 7.0)],
                vec![set(WRITTEN, 7.0)],
                vec![remove(READ)],
                vec![remove(READ), set("request_percentage", 1.0)],
                vec![remove(WRITTEN), remove("request_percentage")],
                vec![remove(WRITTEN)],
            ] {
                alter(run, &[entry(&user, &ops)], false)?;
            }
            Ok(())
        }),
        case("a removal beside what is wrong", |run| {
            let user = entity(&[("user", run.name("user").into())]);
            run.must(
                "AlterClientQuotas",
                json!({ "Entries": [entry(&user, &[set(WRITTEN, 5.0)])] }),
            )?;
            alter(run, &[entry(&user, &[remove(WRITTEN), set(READ, 0.5)])], false)
        }),
        case("a client has what its user has not", |run| {
            let (name, app) = (run.name("user"), run.name("app"));
            let user = entity(&[("user", name.clone().into())]);
            let both = entity(&[("user", name.into()), ("client-id", app.into())]);
            let entries = [entry(&user, &[set(WRITTEN, 5.0)]), entry(&both, &[set(READ, 6.0)])];
            alter(run, &entries, false)
        }),
        case("only to be checked", |run| {
            let user = entity(&[("user", run.name("user").into())]);
            alter(run, &[entry(&user, &[set(WRITTEN, 5.0)])], true)?;
            alter(run, &[entry(&user, &[set(WRITTEN, 0.0)])], true)?;
            run.must(
                "AlterClientQuotas",
                json!({ "Entries": [entry(&user, &[set(WRITTEN, 5.0)])] }),
            )?;
            alter(run, &[entry(&user, &[remove(WRITTEN), set(READ, 1.0)])], true)
        }),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [keys_and_values(), entities(), several()]
        .into_iter()
        .flatten()
        .collect()
}
