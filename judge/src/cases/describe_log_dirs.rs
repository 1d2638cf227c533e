//! DescribeLogDirs (35).

use serde_json::{Value, json};

use crate::both::Answers;
use crate::records::batch;
use crate::run::{Case, case};

const TOPIC: &str = "on-disk";

fn describes(name: &'static str, topics: Value) -> Case {
    case(name, move |run| {
        run.once(TOPIC, |both| {
            both.create_topic(TOPIC, 3, &[])?;
            let data = json!([{ "TopicId": format!("id:{TOPIC}"), "PartitionData": [{ "Index": 0, "Records": batch(&["a", "b"]) }] }]);
            both.must("Produce", &json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": data })).map(drop)
        })?;
        run.ask(json!({ "Topics": topics })).map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    let of = |partitions: &[i32]| json!([{ "Topic": TOPIC, "Partitions": partitions }]);
    vec![
        case("everything", |run| {
            run.topic(1)?;
            let version = run.version();
            let Answers { mut ours, mut theirs } =
                run.both().ask("DescribeLogDirs", version, &json!({ "Topics": null }))?;
            // Other cases delete topics, and make them larger; here it is about which there are and of what form.
            for answer in [&mut ours, &mut theirs] {
                if let Some(topics) = answer["Results"][0]["Topics"].as_array_mut() {
                    topics.retain(|topic| topic["Name"].as_str().unwrap_or_default().starts_with("paged-"));
                }
            }
            run.judge("DescribeLogDirs", Answers { ours, theirs });
            Ok(())
        }),
        describes("a topic", of(&[0, 1, 2])),
        describes("a partition", of(&[1])),
        describes("no topics", json!([])),
        describes("no partitions", of(&[])),
        describes("an unknown partition", of(&[0, 7])),
        describes("a partition twice", of(&[0, 0])),
        describes("an unknown topic", json!([{ "Topic": "nowhere", "Partitions": [0] }])),
        describes(
            "a topic twice",
            json!([{ "Topic": TOPIC, "Partitions": [0] }, { "Topic": TOPIC, "Partitions": [1] }]),
        ),
    ]
}
