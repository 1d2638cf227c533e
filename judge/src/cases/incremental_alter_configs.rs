//! IncrementalAlterConfigs (44).

use serde_json::{Value, json};

use crate::run::{Case, Outcome, Run, case};

const TOPICS: i8 = 2;
const BROKERS: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// What is changed: property, operation, value.
type Change = (&'static str, i8, Option<&'static str>);

fn request(kind: i8, name: &str, changes: &[Change], validate_only: bool) -> Value {
    let configs: Vec<Value> = changes
        .iter()
        .map(|(name, operation, value)| json!({ "Name": name, "ConfigOperation": operation, "Value": value }))
        .collect();
    json!({ "Resources": [{ "ResourceType": kind, "ResourceName": name, "Configs": configs }], "ValidateOnly": validate_only })
}

/// What a resource has, once both have applied it.
pub(super) fn sees(run: &mut Run<'_>, kind: i8, name: &str) -> Outcome {
    let keys = [
        "retention.ms",
        "segment.ms",
        "segment.bytes",
        "cleanup.policy",
        "log.retention.ms",
        "log.cleanup.policy",
        "message.max.bytes",
    ];
    let resource = json!({ "ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys });
    run.soon(
        "DescribeConfigs",
        4,
        &json!({ "Resources": [resource], "IncludeSynonyms": true }),
    )
    .map(drop)
}

/// Changes to a topic that has properties already, and what it has then.
fn of_topic(name: &'static str, changes: &'static [Change]) -> Case {
    case(name, move |run| {
        let topic = run.topic_with(1, &[("retention.ms", "1000"), ("cleanup.policy", "compact")])?;
        run.ask(request(TOPICS, &topic, changes, false))?;
        sees(run, TOPICS, &topic)
    })
}

/// Changes to the broker or to all, what there is then, and back.
fn of_broker(name: &'static str, broker: &'static str, changes: &'static [Change]) -> Case {
    case(name, move |run| {
        run.ask(request(BROKERS, broker, changes, false))?;
        sees(run, BROKERS, broker)?;
        sees(run, BROKERS, "1")?;
        let back: Vec<Change> = changes.iter().map(|(name, ..)| (*name, DELETE, None)).collect();
        run.ask(request(BROKERS, broker, &back, false))?;
        sees(run, BROKERS, "1")
    })
}

fn of(name: &'static str, kind: i8, resource: &'static str, changes: &'static [Change]) -> Case {
    case(name, move |run| {
        run.ask(request(kind, resource, changes, true)).map(drop)
    })
}

fn topics() -> Vec<Case> {
    vec![
        of_topic("set", &[("retention.ms", SET, Some("3000"))]),
        of_topic("set another", &[("segment.ms", SET, Some("3000"))]),
        of_topic("delete", &[("retention.ms", DELETE, None)]),
        of_topic("delete what is not set", &[("segment.ms", DELETE, None)]),
        of_topic("delete with a value", &[("retention.ms", DELETE, Some("1000"))]),
        of_topic("append", &[("cleanup.policy", APPEND, Some("delete"))]),
        of_topic("append what is there", &[("cleanup.policy", APPEND, Some("compact"))]),
        of_topic("append to what is no list", &[("retention.ms", APPEND, Some("1"))]),
        of_topic("subtract", &[("cleanup.policy", SUBTRACT, Some("compact"))]),
        of_topic(
            "subtract what is not there",
            &[("cleanup.policy", SUBTRACT, Some("delete"))],
        ),
        of_topic(
            "subtract from what is no list",
            &[("retention.ms", SUBTRACT, Some("1"))],
        ),
        of_topic(
            "several",
            &[
                ("retention.ms", SET, Some("5")),
                ("cleanup.policy", APPEND, Some("delete")),
                ("segment.ms", SET, Some("7")),
            ],
        ),
        of_topic("nothing", &[]),
        of_topic("set without a value", &[("retention.ms", SET, None)]),
        of_topic("append without a value", &[("cleanup.policy", APPEND, None)]),
        of_topic("an operation that there is not", &[("retention.ms", 4, Some("1"))]),
        of_topic("an operation below zero", &[("retention.ms", -1, Some("1"))]),
        of_topic(
            "a property twice",
            &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)],
        ),
        of_topic("an unknown property", &[("no.such.property", SET, Some("1"))]),
        of_topic("delete an unknown property", &[("no.such.property", DELETE, None)]),
        of_topic(
            "append to an unknown property",
            &[("no.such.property", APPEND, Some("1"))],
        ),
        of_topic("a number that is none", &[("retention.ms", SET, Some("long"))]),
        of_topic("a number out of range", &[("segment.bytes", SET, Some("1"))]),
        of_topic("a word that is none", &[("cleanup.policy", APPEND, Some("forget"))]),
        of_topic("a property without a name", &[("", SET, Some("1"))]),
        of_topic(
            "good and bad",
            &[("segment.ms", SET, Some("3000")), ("retention.ms", SET, Some("x"))],
        ),
        case("only to see", |run| {
            let topic = run.topic(1)?;
            run.ask(request(TOPICS, &topic, &[("retention.ms", SET, Some("3000"))], true))?;
            sees(run, TOPICS, &topic)
        }),
        of(
            "an unknown topic",
            TOPICS,
            "nowhere",
            &[("retention.ms", SET, Some("1"))],
        ),
        of(
            "a bad name of a topic",
            TOPICS,
            "a b",
            &[("retention.ms", SET, Some("1"))],
        ),
        of(
            "an empty name of a topic",
            TOPICS,
            "",
            &[("retention.ms", SET, Some("1"))],
        ),
    ]
}

fn brokers() -> Vec<Case> {
    vec![
        of_broker("the broker", "1", &[("log.retention.ms", SET, Some("100000000"))]),
        of_broker("all brokers", "", &[("log.retention.ms", SET, Some("100000000"))]),
        of_broker(
            "a list of the broker",
            "1",
            &[("log.cleanup.policy", APPEND, Some("compact"))],
        ),
        of("another broker", BROKERS, "2", &[("log.retention.ms", SET, Some("1"))]),
        of(
            "a broker that is no number",
            BROKERS,
            "one",
            &[("log.retention.ms", SET, Some("1"))],
        ),
        of(
            "a read-only property of the broker",
            BROKERS,
            "1",
            &[("num.partitions", SET, Some("3"))],
        ),
        of(
            "delete a read-only property of the broker",
            BROKERS,
            "1",
            &[("num.partitions", DELETE, None)],
        ),
        of(
            "an unknown property of the broker",
            BROKERS,
            "1",
            &[("no.such.property", SET, Some("3"))],
        ),
        of(
            "a bad property of the broker",
            BROKERS,
            "1",
            &[("log.retention.ms", SET, Some("x"))],
        ),
        of(
            "a property of the broker out of range",
            BROKERS,
            "1",
            &[("message.max.bytes", SET, Some("-1"))],
        ),
        of(
            "a property of one broker for all",
            BROKERS,
            "",
            &[("listeners", SET, Some("PLAINTEXT://127.0.0.1:1"))],
        ),
        of(
            "a security property of the broker",
            BROKERS,
            "1",
            &[("ssl.keystore.type", SET, Some("JKS"))],
        ),
        of(
            "a security property of one broker for all",
            BROKERS,
            "",
            &[("ssl.key.password", SET, Some("secret"))],
        ),
        of(
            "many threads at once",
            BROKERS,
            "1",
            &[("num.recovery.threads.per.data.dir", SET, Some("100"))],
        ),
        of("no threads", BROKERS, "1", &[("num.io.threads", SET, Some("0"))]),
        of(
            "a retention of nothing",
            BROKERS,
            "1",
            &[("log.retention.ms", SET, Some("0"))],
        ),
        of(
            "replicas in sync of one broker",
            BROKERS,
            "1",
            &[("min.insync.replicas", SET, Some("2"))],
        ),
        of(
            "no replicas in sync of all brokers",
            BROKERS,
            "",
            &[("min.insync.replicas", DELETE, None)],
        ),
        of(
            "subtract from what is no list of the broker",
            BROKERS,
            "",
            &[("log.retention.ms", SUBTRACT, Some("1"))],
        ),
        of(
            "append to an unknown property of the broker",
            BROKERS,
            "1",
            &[("no.such.property", APPEND, Some("1"))],
        ),
        case("a property of all brokers that nobody knows", |run| {
            let keys = json!(["no.such.property", "sasl.jaas.config"]);
            let see = json!({ "Resources": [{ "ResourceType": BROKERS, "ResourceName": "1", "ConfigurationKeys": keys }, { "ResourceType": BROKERS, "ResourceName": "", "ConfigurationKeys": keys }], "IncludeSynonyms": true });
            run.ask(request(
                BROKERS,
                "",
                &[("no.such.property", SET, Some("secret"))],
                false,
            ))?;
            run.soon("DescribeConfigs", 4, &see)?;
            run.ask(request(BROKERS, "", &[("no.such.property", DELETE, None)], false))?;
            run.soon("DescribeConfigs", 4, &see).map(drop)
        }),
        case("a password", |run| {
            let keys = json!(["sasl.jaas.config"]);
            let see = json!({ "Resources": [{ "ResourceType": BROKERS, "ResourceName": "1", "ConfigurationKeys": keys }], "IncludeSynonyms": true });
            run.ask(request(
                BROKERS,
                "1",
                &[("sasl.jaas.config", SET, Some("secret"))],
                false,
            ))?;
            run.soon("DescribeConfigs", 4, &see)?;
            run.ask(request(BROKERS, "1", &[("sasl.jaas.config", DELETE, None)], false))?;
            run.soon("DescribeConfigs", 4, &see).map(drop)
        }),
        of(
            "append to what is no list of the broker",
            BROKERS,
            "1",
            &[("log.retention.ms", APPEND, Some("1"))],
        ),
        of(
            "an operation that there is not for the broker",
            BROKERS,
            "1",
            &[("log.retention.ms", 4, Some("1"))],
        ),
    ]
}

fn groups() -> Vec<Case> {
    const GROUPS: i8 = 32;
    let set = |name: &'static str, configs: &'static [(&str, &str)]| {
        case(name, move |run| {
            let group = run.name("configured");
            let configs = configs
                .iter()
                .map(|(name, value)| json!({ "Name": name, "ConfigOperation": SET, "Value": value }));
            let resource =
                json!({ "ResourceType": GROUPS, "ResourceName": group, "Configs": configs.collect::<Vec<_>>() });
            run.ask(json!({ "Resources": [resource] }))?;
            let describe = json!({
                "Resources": [{ "ResourceType": GROUPS, "ResourceName": group }], "IncludeSynonyms": true,
            });
            run.soon("DescribeConfigs", 4, &describe).map(drop)
        })
    };
    vec![
        of(
            "a group that has no name",
            GROUPS,
            "",
            &[("consumer.session.timeout.ms", SET, Some("50000"))],
        ),
        set("a group's session", &[("consumer.session.timeout.ms", "50000")]),
        set(
            "a group's session that is too short",
            &[("consumer.session.timeout.ms", "44999")],
        ),
        set(
            "a group's session that is too long",
            &[("consumer.session.timeout.ms", "60001")],
        ),
        set("a group's session of no time", &[("consumer.session.timeout.ms", "0")]),
        set(
            "a group's session that is no number",
            &[("consumer.session.timeout.ms", "x")],
        ),
        set("a group's heartbeats", &[("consumer.heartbeat.interval.ms", " 6000 ")]),
        set(
            "a group's heartbeats that are too often",
            &[("consumer.heartbeat.interval.ms", "4999")],
        ),
        set(
            "a group's heartbeats that are too rare",
            &[("consumer.heartbeat.interval.ms", "15001")],
        ),
        set("an unknown property of a group", &[("no.such.property", "1")]),
        set(
            "a share group's session",
            &[
                ("share.session.timeout.ms", "50000"),
                ("share.heartbeat.interval.ms", "7000"),
            ],
        ),
        set(
            "a share group's session that is too short",
            &[("share.session.timeout.ms", "1000")],
        ),
        set(
            "a share group's heartbeats that are too rare",
            &[("share.heartbeat.interval.ms", "20000")],
        ),
        set(
            "a share group's lock that is too short",
            &[("share.record.lock.duration.ms", "14999")],
        ),
        set(
            "a share group's lock that is too long",
            &[("share.record.lock.duration.ms", "60001")],
        ),
        set(
            "a share group's start",
            &[("share.auto.offset.reset", "by_duration:P1D")],
        ),
        set(
            "a share group's start that is none",
            &[("share.auto.offset.reset", "nowhere")],
        ),
        set(
            "a share group's isolation",
            &[("share.isolation.level", "read_committed")],
        ),
        set(
            "a share group's isolation that is none",
            &[("share.isolation.level", "none")],
        ),
        set(
            "a streams group's session that is too long",
            &[("streams.session.timeout.ms", "70000")],
        ),
        set(
            "a streams group's heartbeats that are too often",
            &[("streams.heartbeat.interval.ms", "1")],
        ),
        set("a streams group's replicas", &[("streams.num.standby.replicas", "2")]),
        set(
            "a streams group's replicas that are too many",
            &[("streams.num.standby.replicas", "3")],
        ),
        of(
            "append to a group's session",
            GROUPS,
            "g",
            &[("consumer.session.timeout.ms", APPEND, Some("1"))],
        ),
        case("a group's session, taken back", |run| {
            let group = run.name("configured");
            let change = |operation: i8, value: Value| {
                let config =
                    json!({ "Name": "consumer.session.timeout.ms", "ConfigOperation": operation, "Value": value });
                json!({ "Resources": [{ "ResourceType": GROUPS, "ResourceName": group, "Configs": [config] }] })
            };
            run.ask(change(SET, json!("50000")))?;
            run.ask(change(DELETE, Value::Null))?;
            let describe = json!({ "Resources": [{ "ResourceType": GROUPS, "ResourceName": group }] });
            run.soon("DescribeConfigs", 4, &describe).map(drop)
        }),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let others = vec![
        of("resource 0", 0, "x", &[]),
        of("resource 1", 1, "x", &[]),
        of("resource 99", 99, "x", &[]),
        of("loggers", 8, "1", &[("kafka", SET, Some("INFO"))]),
        of("loggers of another broker", 8, "2", &[("root", SET, Some("INFO"))]),
        of("loggers of no broker", 8, "", &[("root", SET, Some("INFO"))]),
        of(
            "loggers of a broker that is no number",
            8,
            "one",
            &[("root", SET, Some("INFO"))],
        ),
        of("a level that there is not", 8, "1", &[("root", SET, Some("LOUD"))]),
        of("a level in small letters", 8, "1", &[("root", SET, Some("info"))]),
        of("a level only to see", 8, "1", &[("root", SET, Some("FATAL"))]),
        of("no level of the root logger", 8, "1", &[("root", DELETE, None)]),
        of("no level of an unknown logger", 8, "1", &[("kafka", DELETE, None)]),
        of("append to a level", 8, "1", &[("root", APPEND, Some("INFO"))]),
        of("subtract from a level", 8, "1", &[("kafka", SUBTRACT, Some("INFO"))]),
        of("no loggers", 8, "1", &[]),
        of("client metrics", 16, "m", &[("interval.ms", SET, Some("1000"))]),
        case("client metrics, until there are none", |run| {
            let name = run.name("metrics");
            let see = json!({ "Resources": [{ "ResourceType": 16, "ResourceName": name }], "IncludeSynonyms": true, "IncludeDocumentation": true });
            for change in [
                ("interval.ms", SET, Some(" 500 ")),
                ("metrics", SET, Some("org.a,org.b")),
                ("match", SET, Some("client_id=a.*, client_source_port=9")),
                ("interval.ms", DELETE, None),
                ("metrics", DELETE, None),
                ("match", DELETE, None),
            ] {
                run.ask(request(16, &name, &[change], false))?;
                run.soon("DescribeConfigs", 4, &see)?;
            }
            Ok(())
        }),
        of(
            "client metrics without a name",
            16,
            "",
            &[("interval.ms", SET, Some("1000"))],
        ),
        of(
            "client metrics too often",
            16,
            "m",
            &[("interval.ms", SET, Some("99")), ("match", SET, Some("x"))],
        ),
        of(
            "client metrics too seldom",
            16,
            "m",
            &[("interval.ms", SET, Some("3600001"))],
        ),
        of(
            "client metrics that is no number",
            16,
            "m",
            &[("interval.ms", SET, Some("x"))],
        ),
        of(
            "an unknown property of client metrics",
            16,
            "m",
            &[("interval.ms", SET, Some("9")), ("nope", SET, Some("x"))],
        ),
        of(
            "a match of client metrics without a value",
            16,
            "m",
            &[("match", SET, Some("client_id"))],
        ),
        of(
            "a match of client metrics of nothing known",
            16,
            "m",
            &[("match", SET, Some("client_id=a,other=b"))],
        ),
        of(
            "a match of client metrics that is no expression",
            16,
            "m",
            &[("match", SET, Some("client_id=["))],
        ),
        of(
            "append to a list of client metrics",
            16,
            "m",
            &[("metrics", APPEND, Some("x"))],
        ),
        of(
            "an operation that there is not for client metrics",
            16,
            "m",
            &[("metrics", 9, Some("x"))],
        ),
        case("no resources", |run| run.ask(json!({ "Resources": [] })).map(drop)),
        case("a resource twice", |run| {
            let topic = run.topic(1)?;
            let resource = json!({ "ResourceType": TOPICS, "ResourceName": topic, "Configs": [{ "Name": "retention.ms", "Value": "1" }] });
            run.ask(json!({ "Resources": [resource, resource] })).map(drop)
        }),
        case("good and bad resources", |run| {
            let topic = run.topic(1)?;
            let resource = |name: &str| json!({ "ResourceType": TOPICS, "ResourceName": name, "Configs": [{ "Name": "retention.ms", "Value": "1" }] });
            run.ask(json!({ "Resources": [resource("nowhere"), resource(&topic)] }))
                .map(drop)
        }),
    ];
    [topics(), brokers(), groups(), others].into_iter().flatten().collect()
}
