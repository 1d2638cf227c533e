//! What is measured without a client library, so that its own pauses are not part of the figure: one connection, one
//! request after the other.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::records;

/// How often a group is joined; the first time, which also creates the internal topic, is not measured.
const JOINS: usize = 30;
/// How long a broker may take to be able to.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const TOPIC: &str = "bench-raw";

pub(super) fn ask(client: &mut Client, api: &str, version: i16, request: &Value) -> anyhow::Result<Value> {
    match client.ask(api, version, request)? {
        Answer::Message(answer) => Ok(answer),
        other => anyhow::bail!("{api}: {}", other.into_value()),
    }
}

/// Creates a topic and produces a message to it, which is acknowledged.
pub(super) fn produce_one(address: &str) -> anyhow::Result<()> {
    let mut client = Client::connect(address)?;
    let topic = json!({ "Name": TOPIC, "NumPartitions": 1, "ReplicationFactor": 1 });
    let created = ask(
        &mut client,
        "CreateTopics",
        5,
        &json!({ "Topics": [topic], "timeoutMs": 30_000 }),
    )?;
    ensure!(created["Topics"][0]["ErrorCode"] == 0, "CreateTopics: {created}");
    let records = records::batch(&["first"]);
    let data = json!([{ "Name": TOPIC, "PartitionData": [{ "Index": 0, "Records": records }] }]);
    let request = json!({ "Acks": -1, "TimeoutMs": 30_000, "TopicData": data });
    let until = Instant::now() + PATIENCE;
    loop {
        let produced = ask(&mut client, "Produce", 9, &request)?;
        let code = &produced["Responses"][0]["PartitionResponses"][0]["ErrorCode"];
        if *code == 0 {
            return Ok(());
        }
        // Made, and not yet led: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER.
        ensure!(
            (*code == 3 || *code == 6) && Instant::now() < until,
            "Produce: {produced}"
        );
    }
}

/// Milliseconds that each of several joins of a new group took.
pub(super) fn joins(address: &str, join: fn(&str, &str) -> anyhow::Result<Duration>) -> anyhow::Result<Vec<f64>> {
    let mut taken = Vec::new();
    for at in 0..=JOINS {
        let join_ms = join(address, &format!("bench-{at}"))?.as_secs_f64() * 1e3;
        if at > 0 {
            taken.push(join_ms);
        }
    }
    Ok(taken)
}

/// A connection to the coordinator of a group (key type 0) or a transactional id (1): the broker itself, as soon as it is
/// that.
pub(super) fn coordinator(address: &str, key: &str, key_type: i8) -> anyhow::Result<Client> {
    let mut client = Client::connect(address)?;
    let until = Instant::now() + PATIENCE;
    loop {
        let found = ask(
            &mut client,
            "FindCoordinator",
            4,
            &json!({ "KeyType": key_type, "CoordinatorKeys": [key] }),
        )?;
        if found["Coordinators"][0]["ErrorCode"] == 0 {
            return Ok(client);
        }
        ensure!(Instant::now() < until, "FindCoordinator: {found}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Repeats a request while the coordinator says that it is still loading.
pub(super) fn when_loaded(
    client: &mut Client,
    api: &str,
    version: i16,
    request: &Value,
) -> anyhow::Result<(Value, Instant)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = Instant::now();
        let answer = ask(client, api, version, request)?;
        // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
        if ![14, 15, 16].iter().any(|code| answer["ErrorCode"] == *code) {
            return Ok((answer, asked));
        }
        ensure!(Instant::now() < until, "{api}: {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The classic protocol: from JoinGroup to the assignment that SyncGroup answers.
pub(super) fn join_classic(address: &str, group: &str) -> anyhow::Result<Duration> {
    let mut client = coordinator(address, group, 0)?;
    let mut request = json!({
        "GroupId": group, "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 30_000, "MemberId": "",
        "ProtocolType": "consumer", "Protocols": [{ "Name": "range", "Metadata": "00" }],
    });
    let (refused, started) = when_loaded(&mut client, "JoinGroup", 7, &request)?;
    ensure!(refused["ErrorCode"] == 79, "MEMBER_ID_REQUIRED expected: {refused}");
    request["MemberId"] = refused["MemberId"].clone();
    let joined = ask(&mut client, "JoinGroup", 7, &request)?;
    ensure!(joined["ErrorCode"] == 0, "JoinGroup: {joined}");
    let member = &joined["MemberId"];
    let synced = ask(
        &mut client,
        "SyncGroup",
        5,
        &json!({
            "GroupId": group, "GenerationId": joined["GenerationId"], "MemberId": member,
            "ProtocolType": "consumer", "ProtocolName": "range",
            "Assignments": [{ "MemberId": member, "Assignment": "00" }],
        }),
    )?;
    let taken = started.elapsed();
    ensure!(synced["ErrorCode"] == 0, "SyncGroup: {synced}");
    let left = json!({ "GroupId": group, "Members": [{ "MemberId": member }] });
    ask(&mut client, "LeaveGroup", 4, &left)?;
    Ok(taken)
}

/// The protocol of KIP-848: heartbeats until one of them is answered with an assignment.
pub(super) fn join_consumer(address: &str, group: &str) -> anyhow::Result<Duration> {
    let group = format!("{group}-consumer");
    let mut client = coordinator(address, &group, 0)?;
    let member = format!("{group}-member");
    let mut request = json!({
        "GroupId": group, "MemberId": member, "MemberEpoch": 0, "RebalanceTimeoutMs": 30_000,
        "SubscribedTopicNames": [TOPIC], "TopicPartitions": [],
    });
    let (mut answer, started) = when_loaded(&mut client, "ConsumerGroupHeartbeat", 1, &request)?;
    let until = Instant::now() + PATIENCE;
    loop {
        ensure!(answer["ErrorCode"] == 0, "ConsumerGroupHeartbeat: {answer}");
        let assigned = answer["Assignment"]["TopicPartitions"].as_array();
        if assigned.is_some_and(|topics| !topics.is_empty()) {
            break;
        }
        ensure!(Instant::now() < until, "nothing is assigned: {answer}");
        request = json!({ "GroupId": group, "MemberId": member, "MemberEpoch": answer["MemberEpoch"] });
        answer = ask(&mut client, "ConsumerGroupHeartbeat", 1, &request)?;
    }
    let taken = started.elapsed();
    let left = json!({ "GroupId": group, "MemberId": member, "MemberEpoch": -1 });
    ask(&mut client, "ConsumerGroupHeartbeat", 1, &left).context("leaving")?;
    Ok(taken)
}
