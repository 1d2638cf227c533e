//! DescribeConfigs (32): values, sources, synonyms, types and documentation of every property.

use serde_json::{Value, json};

use crate::both::{Answers, Both};
use crate::run::{Case, case};

const TOPIC: &str = "described";

const TOPICS: i8 = 2;
const BROKERS: i8 = 4;

fn prepare(both: &mut Both) -> anyhow::Result<()> {
    both.create_topic(TOPIC, 1, &[("retention.ms", "1000"), ("cleanup.policy", "compact")])
}

fn describes(name: &'static str, resources: Value, fields: Value) -> Case {
    case(name, move |run| {
        run.once(TOPIC, prepare)?;
        let mut request = fields.clone();
        request["Resources"] = resources.clone();
        let version = run.version();
        let Answers { mut ours, mut theirs } = run.both().ask("DescribeConfigs", version, &request)?;
        plain(&mut ours);
        plain(&mut theirs);
        run.judge("DescribeConfigs", Answers { ours, theirs });
        Ok(())
    })
}

/// An answer without what is each broker's own: its addresses and its directory.
fn plain(answer: &mut Value) {
    match answer {
        Value::Object(fields) if fields.get("Name").is_some_and(|name| name == "log.dirs") => {
            if let Some(value) = fields.get_mut("Value").filter(|value| value.is_string()) {
                *value = json!("(a directory)");
            }
            fields.values_mut().for_each(plain);
        }
        Value::Object(fields) => fields.values_mut().for_each(plain),
        Value::Array(elements) => elements.iter_mut().for_each(plain),
        Value::String(text) => {
            let mut parts = text.split("127.0.0.1:");
            let first = parts.next().unwrap_or_default().to_owned();
            let plain = parts.fold(first, |plain, part| {
                plain + "(an address)" + part.trim_start_matches(|char: char| char.is_ascii_digit())
            });
            *text = plain;
        }
        _ => {}
    }
}

fn resource(kind: i8, name: &str, keys: Value) -> Value {
    json!([{ "ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys }])
}

pub(super) fn cases() -> Vec<Case> {
    let all = |kind: i8, name: &str| resource(kind, name, Value::Null);
    let synonyms = || json!({ "IncludeSynonyms": true });
    let documented = || json!({ "IncludeSynonyms": true, "IncludeDocumentation": true });
    vec![
        describes("a topic", all(TOPICS, TOPIC), json!({})),
        describes("a topic with synonyms", all(TOPICS, TOPIC), synonyms()),
        describes("a topic with documentation", all(TOPICS, TOPIC), documented()),
        describes(
            "some properties of a topic",
            resource(TOPICS, TOPIC, json!(["retention.ms", "segment.bytes"])),
            synonyms(),
        ),
        describes(
            "no properties of a topic",
            resource(TOPICS, TOPIC, json!([])),
            json!({}),
        ),
        describes(
            "an unknown property of a topic",
            resource(TOPICS, TOPIC, json!(["no.such.property", "retention.ms"])),
            json!({}),
        ),
        describes("an unknown topic", all(TOPICS, "nowhere"), json!({})),
        describes("a bad name of a topic", all(TOPICS, "a b"), json!({})),
        describes("an empty name of a topic", all(TOPICS, ""), json!({})),
        describes("the broker", all(BROKERS, "1"), json!({})),
        describes("the broker with synonyms", all(BROKERS, "1"), synonyms()),
        describes("the broker with documentation", all(BROKERS, "1"), documented()),
        describes(
            "some properties of the broker",
            resource(BROKERS, "1", json!(["log.retention.ms", "num.partitions"])),
            synonyms(),
        ),
        describes(
            "an unknown property of the broker",
            resource(BROKERS, "1", json!(["no.such.property"])),
            json!({}),
        ),
        describes("all brokers", all(BROKERS, ""), synonyms()),
        describes("another broker", all(BROKERS, "2"), json!({})),
        describes("a broker that is no number", all(BROKERS, "one"), json!({})),
        describes("resource 0", all(0, ""), json!({})),
        describes("resource 1", all(1, "x"), json!({})),
        describes("resource 99", all(99, "x"), json!({})),
        describes("a resource below zero", all(-1, "x"), json!({})),
        describes("no resources", json!([]), json!({})),
        describes(
            "several resources",
            json!([
                { "ResourceType": TOPICS, "ResourceName": "nowhere", "ConfigurationKeys": ["retention.ms"] },
                { "ResourceType": TOPICS, "ResourceName": TOPIC, "ConfigurationKeys": ["retention.ms"] },
                { "ResourceType": BROKERS, "ResourceName": "1", "ConfigurationKeys": ["num.partitions"] },
            ]),
            json!({}),
        ),
        describes(
            "a resource twice",
            json!([
                { "ResourceType": TOPICS, "ResourceName": TOPIC, "ConfigurationKeys": ["retention.ms"] },
                { "ResourceType": TOPICS, "ResourceName": TOPIC, "ConfigurationKeys": ["segment.bytes"] },
            ]),
            json!({}),
        ),
        describes("loggers", all(8, "1"), json!({})),
        describes(
            "a logger that there is not",
            resource(8, "1", json!(["nope"])),
            json!({}),
        ),
        describes("loggers of another broker", all(8, "2"), json!({})),
        describes("loggers of no broker", all(8, ""), json!({})),
        describes("loggers of a broker that is no number", all(8, "one"), json!({})),
        describes("client metrics", all(16, "m"), json!({})),
        describes("client metrics without a name", all(16, ""), json!({})),
        describes(
            "some properties of client metrics",
            resource(16, "m", json!(["match"])),
            documented(),
        ),
        describes("a group", all(32, "g"), synonyms()),
        describes("a group with documentation", all(32, "g"), documented()),
        describes("a group without a name", all(32, ""), synonyms()),
        describes(
            "some properties of a group",
            resource(32, "g", json!(["consumer.session.timeout.ms"])),
            json!({}),
        ),
    ]
}
