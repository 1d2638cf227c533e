//! DescribeTopicPartitions (75).

use serde_json::{Value, json};

use crate::both::Both;
use crate::run::{Case, case};

const TOPICS: [&str; 3] = ["paged-a", "paged-b", "paged-c"];

fn prepare(both: &mut Both) -> anyhow::Result<()> {
    TOPICS
        .iter()
        .zip(1..)
        .try_for_each(|(topic, partitions)| both.create_topic(topic, partitions, &[]))
}

fn page(name: &'static str, topics: &'static [&str], limit: i32, cursor: Value) -> Case {
    case(name, move |run| {
        run.once(TOPICS[0], prepare)?;
        let topics: Vec<Value> = topics.iter().map(|name| json!({ "Name": name })).collect();
        run.ask(json!({ "Topics": topics, "ResponsePartitionLimit": limit, "Cursor": cursor }))
            .map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    let at = |topic: &str, partition: i32| json!({ "TopicName": topic, "PartitionIndex": partition });
    vec![
        page("topics", &TOPICS, 2_000, Value::Null),
        page("topics out of order", &["paged-c", "paged-a"], 2_000, Value::Null),
        page("a topic twice", &["paged-a", "paged-a"], 2_000, Value::Null),
        page(
            "an unknown topic",
            &["paged-a", "paged-aa", "paged-b"],
            2_000,
            Value::Null,
        ),
        page("a bad name", &["a b"], 2_000, Value::Null),
        page("an empty name", &[""], 2_000, Value::Null),
        page(
            "an empty name among others",
            &["paged-a", "", "a b"],
            2_000,
            Value::Null,
        ),
        page("from an empty name", &["paged-a"], 2_000, at("", 0)),
        page("from below zero, all topics", &[], 2_000, at("zz", -1)),
        page("from beyond all topics", &[], 2_000, at("zz", 0)),
        page(
            "from a topic that is not asked for, one twice",
            &["paged-a", "paged-a"],
            2_000,
            at("b", 0),
        ),
        page(
            "an empty name before where it begins",
            &["", "paged-b"],
            2_000,
            at("paged-b", 0),
        ),
        page("a page that ends within a topic", &TOPICS, 2, Value::Null),
        page("a page that ends with a topic", &TOPICS, 3, Value::Null),
        page("a page of one", &TOPICS, 1, Value::Null),
        page("a page of none", &TOPICS, 0, Value::Null),
        page("a page below zero", &TOPICS, -1, Value::Null),
        page("an endless page", &TOPICS, i32::MAX, Value::Null),
        page("from a topic", &TOPICS, 2_000, at("paged-b", 0)),
        page("from within a topic", &TOPICS, 2_000, at("paged-c", 1)),
        page("from within a topic, a page of one", &TOPICS, 1, at("paged-c", 1)),
        page("from beyond a topic's partitions", &TOPICS, 2_000, at("paged-b", 9)),
        page(
            "from a topic that is not asked for",
            &["paged-a", "paged-c"],
            2_000,
            at("paged-b", 0),
        ),
        page("from below zero", &TOPICS, 2_000, at("paged-b", -1)),
        page(
            "from an unknown topic that is asked for",
            &["paged-a", "paged-aa", "paged-b"],
            2_000,
            at("paged-aa", 0),
        ),
    ]
}
