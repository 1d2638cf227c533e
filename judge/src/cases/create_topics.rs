//! CreateTopics (19).

use serde_json::{Value, json};

use crate::run::{Case, case};

/// One topic with a new name and these fields, and then what metadata says of it.
fn makes(name: &'static str, fields: Value) -> Case {
    case(name, move |run| {
        let topic = run.name("made");
        let answers = run.ask(request(&[with_name(&topic, &fields)], false))?;
        let metadata = json!({ "Topics": [{ "Name": topic }], "AllowAutoTopicCreation": false });
        if crate::both::error_of(&answers.theirs).is_none() {
            run.both().learn(&topic)?;
        }
        run.soon("Metadata", 12, &metadata).map(drop)
    })
}

/// As [`makes`], where a new name would tell nothing.
fn named(name: &'static str, topic: &'static str) -> Case {
    case(name, move |run| {
        run.ask(request(&[with_name(topic, &plain(1))], true)).map(drop)
    })
}

fn plain(partitions: i32) -> Value {
    json!({ "NumPartitions": partitions, "ReplicationFactor": 1 })
}

fn with_name(name: &str, fields: &Value) -> Value {
    let mut topic = fields.clone();
    topic["Name"] = name.into();
    topic
}

fn request(topics: &[Value], validate_only: bool) -> Value {
    json!({ "Topics": topics, "timeoutMs": 30_000, "validateOnly": validate_only })
}

fn config(name: &'static str, configs: &'static [(&str, Option<&str>)]) -> Case {
    let configs: Vec<Value> = configs
        .iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    makes(
        name,
        json!({ "NumPartitions": 1, "ReplicationFactor": 1, "Configs": configs }),
    )
}

fn assigned(name: &'static str, partitions: i32, replicas: i16, assignments: Value) -> Case {
    makes(
        name,
        json!({ "NumPartitions": partitions, "ReplicationFactor": replicas, "Assignments": assignments }),
    )
}

pub(super) fn cases() -> Vec<Case> {
    let long = "n".repeat(250);
    let name: &'static str = Box::leak(long.into_boxed_str());
    [
        vec![
            makes("a topic", plain(1)),
            makes("several partitions", plain(3)),
            makes(
                "the default number of partitions",
                json!({ "NumPartitions": -1, "ReplicationFactor": -1 }),
            ),
            makes(
                "the default number of partitions alone",
                json!({ "NumPartitions": -1, "ReplicationFactor": 1 }),
            ),
            makes("no partitions", plain(0)),
            makes("partitions below -1", plain(-2)),
            makes("no replicas", json!({ "NumPartitions": 1, "ReplicationFactor": 0 })),
            makes(
                "replicas below -1",
                json!({ "NumPartitions": 1, "ReplicationFactor": -2 }),
            ),
            makes(
                "more replicas than brokers",
                json!({ "NumPartitions": 1, "ReplicationFactor": 2 }),
            ),
            makes(
                "far more replicas than brokers",
                json!({ "NumPartitions": 3, "ReplicationFactor": i16::MAX }),
            ),
            case("more partitions than one request may make", |run| {
                let topic = run.name("made");
                run.ask(request(&[with_name(&topic, &plain(10_001))], true)).map(drop)
            }),
            case("more partitions than two topics may make", |run| {
                let topics = [run.name("made"), run.name("made")];
                run.ask(request(
                    &[
                        with_name(&topics[0], &plain(5_000)),
                        with_name(&topics[1], &plain(5_001)),
                    ],
                    true,
                ))
                .map(drop)
            }),
            named("an empty name", ""),
            named("a dot", "."),
            named("two dots", ".."),
            named("a name with a space", "a b"),
            named("a name with a slash", "a/b"),
            named("a name that is not ASCII", "é"),
            named("a name that is too long", name),
            named("Kafka's own metadata", "__cluster_metadata"),
            case("a name that is almost another's", |run| {
                let topic = run.name("al.most");
                run.both().create_topic(&topic, 1, &[])?;
                let other = topic.replace('.', "_");
                run.ask(request(&[with_name(&other, &plain(1))], false)).map(drop)
            }),
        ],
        vec![
            assigned(
                "an assignment",
                -1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [1] }, { "PartitionIndex": 1, "BrokerIds": [1] }]),
            ),
            assigned(
                "an assignment out of order",
                -1,
                -1,
                json!([{ "PartitionIndex": 1, "BrokerIds": [1] }, { "PartitionIndex": 0, "BrokerIds": [1] }]),
            ),
            assigned(
                "an assignment and a number",
                1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [1] }]),
            ),
            assigned(
                "an assignment and replicas",
                -1,
                1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [1] }]),
            ),
            assigned(
                "an assignment to nobody",
                -1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [] }]),
            ),
            assigned(
                "an assignment to an unknown broker",
                -1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [7] }]),
            ),
            assigned(
                "an assignment to a broker twice",
                -1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [1, 1] }]),
            ),
            assigned(
                "an assignment with a gap",
                -1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [1] }, { "PartitionIndex": 2, "BrokerIds": [1] }]),
            ),
            assigned(
                "an assignment not from zero",
                -1,
                -1,
                json!([{ "PartitionIndex": 1, "BrokerIds": [1] }]),
            ),
            assigned(
                "an assignment of one twice",
                -1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [1] }, { "PartitionIndex": 0, "BrokerIds": [1] }]),
            ),
            assigned(
                "an assignment below zero",
                -1,
                -1,
                json!([{ "PartitionIndex": -1, "BrokerIds": [1] }]),
            ),
            assigned(
                "assignments of different lengths",
                -1,
                -1,
                json!([{ "PartitionIndex": 0, "BrokerIds": [1] }, { "PartitionIndex": 1, "BrokerIds": [1, 2] }]),
            ),
        ],
        vec![
            config(
                "properties",
                &[
                    ("retention.ms", Some("1000")),
                    ("cleanup.policy", Some("compact,delete")),
                ],
            ),
            config("a property without a value", &[("retention.ms", None)]),
            config("an empty property", &[("cleanup.policy", Some(""))]),
            config("an unknown property", &[("no.such.property", Some("1"))]),
            config("a property without a name", &[("", Some("1"))]),
            config("a number that is none", &[("retention.ms", Some("long"))]),
            config("a number out of range", &[("segment.bytes", Some("1"))]),
            config("a number with spaces", &[("retention.ms", Some(" 1000 "))]),
            config(
                "a number too large for its type",
                &[("segment.bytes", Some("99999999999"))],
            ),
            config("a truth that is none", &[("preallocate", Some("yes"))]),
            config("a word that is none", &[("cleanup.policy", Some("forget"))]),
            config("a codec that is none", &[("compression.type", Some("rar"))]),
            config("a share above one", &[("min.cleanable.dirty.ratio", Some("1.5"))]),
            config("a level that is none", &[("compression.gzip.level", Some("0"))]),
            config(
                "throttled replicas",
                &[("leader.replication.throttled.replicas", Some("0:1,1:1"))],
            ),
            config(
                "throttled replicas that are none",
                &[("leader.replication.throttled.replicas", Some("0"))],
            ),
            config(
                "a retention locally above that in all",
                &[("local.retention.ms", Some("2000")), ("retention.ms", Some("1000"))],
            ),
            config("remote storage", &[("remote.storage.enable", Some("true"))]),
            config(
                "a compaction lag above its most",
                &[
                    ("min.compaction.lag.ms", Some("2000")),
                    ("max.compaction.lag.ms", Some("1000")),
                ],
            ),
            config(
                "a property twice",
                &[("retention.ms", Some("1")), ("retention.ms", Some("2"))],
            ),
            config(
                "several bad properties",
                &[
                    ("retention.ms", Some("x")),
                    ("segment.bytes", Some("x")),
                    ("no.such", Some("x")),
                ],
            ),
        ],
        vec![
            case("a topic that is there", |run| {
                let topic = run.topic(1)?;
                run.ask(request(&[with_name(&topic, &plain(1))], false)).map(drop)
            }),
            case("a topic that is there, only to see", |run| {
                let topic = run.topic(1)?;
                run.ask(request(&[with_name(&topic, &plain(1))], true)).map(drop)
            }),
            case("a name twice", |run| {
                let topics = [run.name("made"), run.name("made")];
                run.ask(request(
                    &[
                        with_name(&topics[0], &plain(1)),
                        with_name(&topics[1], &plain(1)),
                        with_name(&topics[0], &plain(2)),
                    ],
                    false,
                ))
                .map(drop)
            }),
            case("only to see", |run| {
                let topic = run.name("made");
                run.ask(request(&[with_name(&topic, &plain(2))], true))?;
                run.ask_api(
                    "Metadata",
                    12,
                    json!({ "Topics": [{ "Name": topic }], "AllowAutoTopicCreation": false }),
                )
                .map(drop)
            }),
            case("good and bad", |run| {
                let topics = [run.name("made"), run.name("made"), run.name("made")];
                run.ask(request(
                    &[
                        with_name(&topics[0], &plain(0)),
                        with_name(&topics[1], &plain(1)),
                        with_name("a b", &plain(1)),
                        with_name(&topics[2], &plain(1)),
                    ],
                    false,
                ))
                .map(drop)
            }),
            case("no topics", |run| run.ask(request(&[], false)).map(drop)),
            case("a time-out of zero for a good one, and a name twice", |run| {
                let (good, twice) = (run.name("made"), run.name("made"));
                let mut request = request(
                    &[
                        with_name(&good, &plain(1)),
                        with_name(&twice, &plain(1)),
                        with_name(&twice, &plain(1)),
                    ],
                    false,
                );
                request["timeoutMs"] = json!(0);
                run.ask(request).map(drop)
            }),
            case("a time-out of zero, and too many partitions", |run| {
                let topic = run.name("made");
                let mut request = request(&[with_name(&topic, &plain(20_000))], false);
                request["timeoutMs"] = json!(0);
                run.ask(request).map(drop)
            }),
            case("a time-out below zero", |run| {
                let topic = run.name("made");
                let mut request = request(&[with_name(&topic, &plain(1))], false);
                request["timeoutMs"] = json!(-1);
                run.ask(request).map(drop)
            }),
            case("a time-out of zero", |run| {
                let topic = run.name("made");
                let mut request = request(&[with_name(&topic, &plain(0))], true);
                request["timeoutMs"] = json!(0);
                run.ask(request).map(drop)
            }),
        ],
    ]
    .into_iter()
    .flatten()
    .collect()
}
