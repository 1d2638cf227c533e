//! AlterConfigs (33).

use serde_json::{Value, json};

use super::incremental_alter_configs::sees;
use crate::run::{Case, case};

const TOPICS: i8 = 2;
const BROKERS: i8 = 4;

fn request(kind: i8, name: &str, configs: &[(&str, Option<&str>)], validate_only: bool) -> Value {
    let configs: Vec<Value> = configs
        .iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    json!({ "Resources": [{ "ResourceType": kind, "ResourceName": name, "Configs": configs }], "ValidateOnly": validate_only })
}

/// The properties of a topic that has two already, and what it has then.
fn of_topic(name: &'static str, configs: &'static [(&str, Option<&str>)]) -> Case {
    case(name, move |run| {
        let topic = run.topic_with(1, &[("retention.ms", "1000"), ("segment.ms", "2000")])?;
        run.ask(request(TOPICS, &topic, configs, false))?;
        sees(run, TOPICS, &topic)
    })
}

fn of(name: &'static str, kind: i8, resource: &'static str, configs: &'static [(&str, Option<&str>)]) -> Case {
    case(name, move |run| {
        run.ask(request(kind, resource, configs, true)).map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        of_topic("a property", &[("retention.ms", Some("3000"))]),
        of_topic("no properties", &[]),
        of_topic("another property", &[("cleanup.policy", Some("compact"))]),
        of_topic("a property without a value", &[("retention.ms", None)]),
        of_topic("an unknown property", &[("no.such.property", Some("1"))]),
        of_topic("a number that is none", &[("retention.ms", Some("long"))]),
        of_topic("a number out of range", &[("segment.bytes", Some("1"))]),
        of_topic("an empty list", &[("cleanup.policy", Some(""))]),
        of_topic(
            "a property twice",
            &[("retention.ms", Some("1")), ("retention.ms", Some("2"))],
        ),
        case("only to see", |run| {
            let topic = run.topic_with(1, &[("retention.ms", "1000")])?;
            run.ask(request(TOPICS, &topic, &[("retention.ms", Some("3000"))], true))?;
            sees(run, TOPICS, &topic)
        }),
        of("an unknown topic", TOPICS, "nowhere", &[("retention.ms", Some("1"))]),
        of("a bad name of a topic", TOPICS, "a b", &[("retention.ms", Some("1"))]),
        of("an empty name of a topic", TOPICS, "", &[("retention.ms", Some("1"))]),
        of("another broker", BROKERS, "2", &[("log.retention.ms", Some("1"))]),
        of(
            "a broker that is no number",
            BROKERS,
            "one",
            &[("log.retention.ms", Some("1"))],
        ),
        of(
            "the broker, only to see",
            BROKERS,
            "1",
            &[("log.retention.ms", Some("1000"))],
        ),
        of(
            "a read-only property of the broker",
            BROKERS,
            "1",
            &[("num.partitions", Some("3"))],
        ),
        of(
            "an unknown property of the broker",
            BROKERS,
            "1",
            &[("no.such.property", Some("3"))],
        ),
        of(
            "a bad property of the broker",
            BROKERS,
            "1",
            &[("log.retention.ms", Some("x"))],
        ),
        of(
            "all brokers, only to see",
            BROKERS,
            "",
            &[("log.retention.ms", Some("1000"))],
        ),
        of(
            "a group",
            32,
            "altered",
            &[("consumer.session.timeout.ms", Some("50000"))],
        ),
        of(
            "a bad property of a group",
            32,
            "altered",
            &[("consumer.session.timeout.ms", Some("1"))],
        ),
        of("a group without a name", 32, "", &[]),
        of("resource 0", 0, "x", &[]),
        of("resource 1", 1, "x", &[]),
        of("resource 99", 99, "x", &[]),
        of("loggers", 8, "1", &[("kafka", Some("INFO"))]),
        case("no resources", |run| run.ask(json!({ "Resources": [] })).map(drop)),
        // A resource twice is not asked: Apache Kafka fails inside and never answers.
        case("good and bad", |run| {
            let topic = run.topic(1)?;
            let resource = |name: &str| json!({ "ResourceType": TOPICS, "ResourceName": name, "Configs": [{ "Name": "retention.ms", "Value": "1" }] });
            run.ask(json!({ "Resources": [resource("nowhere"), resource(&topic)] }))
                .map(drop)
        }),
    ]
}
