//! ListOffsets (2).

use serde_json::{Value, json};

use super::in_transactions;
use crate::both::Both;
use crate::records::batch;
use crate::run::{Case, case};

/// Partition 0 has the times 1,000 to 1,002, then 1,000 and 1,001, then 1,000 again; 1 is empty; 2 begins at 2.
const TOPIC: &str = "to-be-listed";

fn prepare(both: &mut Both) -> anyhow::Result<()> {
    both.create_topic(TOPIC, 3, &[])?;
    for (partition, values) in [
        (0, &["a", "b", "c"][..]),
        (0, &["d", "e"]),
        (0, &["f"]),
        (2, &["a", "b", "c"]),
    ] {
        both.must(
            "Produce",
            &json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": [{
            "TopicId": format!("id:{TOPIC}"), "PartitionData": [{ "Index": partition, "Records": batch(values) }],
        }] }),
        )?;
    }
    let before = json!({ "Topics": [{ "Name": TOPIC, "Partitions": [{ "PartitionIndex": 2, "Offset": 2 }] }], "TimeoutMs": 30_000 });
    both.must("DeleteRecords", &before).map(drop)
}

fn lists(name: &'static str, request: Value) -> Case {
    case(name, move |run| {
        run.once(TOPIC, prepare)?;
        run.ask(request.clone()).map(drop)
    })
}

/// One time of each partition.
fn at(timestamp: i64) -> Value {
    of(json!([0, 1, 2].map(
        |partition| json!({ "PartitionIndex": partition, "Timestamp": timestamp })
    )))
}

fn of(partitions: Value) -> Value {
    json!({ "ReplicaId": -1, "Topics": [{ "Name": TOPIC, "Partitions": partitions }] })
}

pub(super) fn cases() -> Vec<Case> {
    plain().into_iter().chain(in_transactions::listed()).collect()
}

fn plain() -> Vec<Case> {
    let epoch = |epoch: i32| of(json!([{ "PartitionIndex": 0, "CurrentLeaderEpoch": epoch, "Timestamp": -1 }]));
    let with = |field: &str, value: Value| {
        let mut request = at(-1);
        request[field] = value;
        request
    };
    vec![
        lists("the end", at(-1)),
        lists("the start", at(-2)),
        lists("the greatest time", at(-3)),
        lists("the start of what is local", at(-4)),
        lists("the end of what is remote", at(-5)),
        lists("a number that means nothing yet", at(-6)),
        lists("a number far below", at(i64::MIN)),
        lists("time zero", at(0)),
        lists("a time before all", at(500)),
        lists("the first time", at(1_000)),
        lists("a time in the middle", at(1_001)),
        lists("the last time", at(1_002)),
        lists("a time after all", at(1_003)),
        lists("the end of time", at(i64::MAX)),
        lists(
            "an unknown topic",
            json!({ "ReplicaId": -1, "Topics": [{ "Name": "nowhere", "Partitions": [{ "PartitionIndex": 0, "Timestamp": -1 }] }] }),
        ),
        lists(
            "a topic without a name",
            json!({ "ReplicaId": -1, "Topics": [{ "Name": "", "Partitions": [{ "PartitionIndex": 0, "Timestamp": -1 }] }] }),
        ),
        lists(
            "an unknown partition",
            of(json!([{ "PartitionIndex": 7, "Timestamp": -1 }, { "PartitionIndex": -1, "Timestamp": -1 }])),
        ),
        lists("no topics", json!({ "ReplicaId": -1, "Topics": [] })),
        lists("no partitions", of(json!([]))),
        lists(
            "a partition twice",
            of(
                json!([{ "PartitionIndex": 0, "Timestamp": -1 }, { "PartitionIndex": 1, "Timestamp": -1 }, { "PartitionIndex": 0, "Timestamp": -2 }]),
            ),
        ),
        lists("the leader's epoch", epoch(0)),
        lists("an epoch ahead", epoch(1)),
        lists("an epoch below -1", epoch(-2)),
        lists("what is committed", with("IsolationLevel", json!(1))),
        lists("an isolation that there is not", with("IsolationLevel", json!(2))),
        lists("a debugging consumer", with("ReplicaId", json!(-2))),
        lists("a time-out", with("TimeoutMs", json!(1_000))),
        lists("a time-out below zero", with("TimeoutMs", json!(-1))),
    ]
}
