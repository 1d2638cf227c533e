//! OffsetForLeaderEpoch (23).

use serde_json::{Value, json};

use crate::records::batch;
use crate::run::{Case, case};

const TOPIC: &str = "of-one-epoch";

fn asks(name: &'static str, request: Value) -> Case {
    case(name, move |run| {
        run.once(TOPIC, |both| {
            both.create_topic(TOPIC, 2, &[])?;
            let data = json!([{ "TopicId": format!("id:{TOPIC}"), "PartitionData": [{ "Index": 0, "Records": batch(&["a", "b"]) }] }]);
            both.must("Produce", &json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": data })).map(drop)
        })?;
        run.ask(request.clone()).map(drop)
    })
}

fn of(partition: i32, current: i32, epoch: i32) -> Value {
    let partition = json!({ "Partition": partition, "CurrentLeaderEpoch": current, "LeaderEpoch": epoch });
    json!({ "ReplicaId?": -1, "Topics": [{ "Topic": TOPIC, "Partitions": [partition] }] })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        asks("the epoch", of(0, -1, 0)),
        asks("the epoch of an empty partition", of(1, 0, 0)),
        asks("an epoch ahead", of(0, -1, 1)),
        asks("an epoch far ahead", of(0, -1, i32::MAX)),
        asks("no epoch", of(0, -1, -1)),
        asks("an epoch below -1", of(0, -1, -7)),
        asks("a leader's epoch ahead", of(0, 1, 0)),
        asks("a leader's epoch below -1", of(0, -2, 0)),
        asks("an unknown partition", of(7, -1, 0)),
        asks(
            "an unknown topic",
            json!({ "ReplicaId?": -1, "Topics": [{ "Topic": "nowhere", "Partitions": [{ "Partition": 0, "LeaderEpoch": 0 }] }] }),
        ),
        asks("no topics", json!({ "ReplicaId?": -1, "Topics": [] })),
        asks(
            "no partitions",
            json!({ "ReplicaId?": -1, "Topics": [{ "Topic": TOPIC, "Partitions": [] }] }),
        ),
        asks(
            "a debugging consumer",
            json!({ "ReplicaId": -2, "Topics": [{ "Topic": TOPIC, "Partitions": [{ "Partition": 0, "LeaderEpoch": 0 }] }] }),
        ),
        asks(
            "a partition twice",
            json!({ "ReplicaId?": -1, "Topics": [{ "Topic": TOPIC, "Partitions": [{ "Partition": 0, "LeaderEpoch": 0 }, { "Partition": 0, "LeaderEpoch": 1 }] }] }),
        ),
    ]
}
