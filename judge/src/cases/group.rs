//! What the cases of the group APIs share: groups and members that both brokers have.
//!
//! A classic member's id is made up by each broker, so a request that names it is another on each side; everything else in
//! it is the same. Members of consumer groups name themselves.

use serde_json::{Value, json};

use crate::both::{Side, error_of, until};
use crate::run::{Outcome, Run, Stop};

/// JoinGroup's highest version in which a member without an id is taken at once.
const JOIN_AT_ONCE: i16 = 3;
/// The assignment that cases give, and the metadata that their members join with: what Kafka's own `range` assignor writes
/// for no topics at all.
pub(super) const BYTES: &str = "00000000000000000000";

/// A classic member that both brokers have.
pub(super) struct Member {
    /// Its group.
    pub group: String,
    /// The generation that it joined, the same on both.
    pub generation: i64,
    ours: String,
    theirs: String,
}

impl Member {
    /// The member that two answers to JoinGroup, ours first, tell of.
    pub(super) fn joined(group: String, [ours, theirs]: &[Value; 2]) -> Member {
        let id = |answer: &Value| answer["MemberId"].as_str().unwrap_or_default().to_owned();
        Member {
            group,
            generation: ours["GenerationId"].as_i64().unwrap_or(-1),
            ours: id(ours),
            theirs: id(theirs),
        }
    }

    /// The id that one broker gave it.
    pub(super) fn id(&self, side: Side) -> &str {
        match side {
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        }
    }
}

/// The name of a group that nobody has used, whose coordinator answers on both.
pub(super) fn group(run: &mut Run<'_>) -> Result<String, Stop> {
    let group = run.name("group");
    let find = json!({ "CoordinatorKeys": [group], "KeyType": 0 });
    let fetch = json!({ "Groups": [{ "GroupId": group, "Topics": [] }] });
    for side in [Side::Ours, Side::Theirs] {
        let client = run.both().client(side);
        until(client, "FindCoordinator", 6, &find, |answer| error_of(answer).is_none())?;
        until(client, "OffsetFetch", 9, &fetch, |answer| error_of(answer).is_none())?;
    }
    Ok(group)
}

/// A JoinGroup request that is taken.
pub(super) fn joining(group: &str, member_id: &str) -> Value {
    json!({
        "GroupId": group, "SessionTimeoutMs": 300_000, "RebalanceTimeoutMs?": 300_000, "MemberId": member_id,
        "ProtocolType": "consumer", "Protocols": [{ "Name": "range", "Metadata": BYTES }],
    })
}

/// A request with other values, or more of them.
pub(super) fn but(mut request: Value, changes: Value) -> Value {
    if let (Value::Object(request), Value::Object(changes)) = (&mut request, changes) {
        for (name, value) in changes {
            // A field stands in a request once, required or not.
            request.remove(&format!("{name}?"));
            request.insert(name, value);
        }
    }
    request
}

/// Asks each what must succeed.
pub(super) fn must_each(
    run: &mut Run<'_>,
    api: &str,
    version: i16,
    request: impl Fn(Side) -> Value,
) -> Result<[Value; 2], Stop> {
    let (ours, theirs) = run
        .both()
        .each(|side, client| Ok(client.ask(api, version, &request(side))?.into_value()))?;
    for (side, answer) in [(Side::Ours, &ours), (Side::Theirs, &theirs)] {
        if !answer.is_object() || error_of(answer).is_some() {
            return Err(Stop::Failed(anyhow::anyhow!(
                "{side:?} refuses {api} {}: {answer}",
                request(side)
            )));
        }
    }
    Ok([ours, theirs])
}

/// A new group with one member, its leader, which has not given its assignment yet.
pub(super) fn joined(run: &mut Run<'_>) -> Result<Member, Stop> {
    let group = group(run)?;
    let answers = must_each(run, "JoinGroup", JOIN_AT_ONCE, |_| joining(&group, ""))?;
    Ok(Member::joined(group, &answers))
}

/// A new group with one member, stable.
pub(super) fn stable(run: &mut Run<'_>) -> Result<Member, Stop> {
    let member = joined(run)?;
    must_each(run, "SyncGroup", 3, |side| {
        json!({
            "GroupId": member.group, "GenerationId": member.generation, "MemberId": member.id(side),
            "Assignments": [{ "MemberId": member.id(side), "Assignment": BYTES }],
        })
    })?;
    Ok(member)
}

/// A new group with one static member, stable.
pub(super) fn stable_static(run: &mut Run<'_>, instance_id: &str) -> Result<Member, Stop> {
    let group = group(run)?;
    let request = but(joining(&group, ""), json!({ "GroupInstanceId": instance_id }));
    let answers = must_each(run, "JoinGroup", 5, |_| request.clone())?;
    let member = Member::joined(group, &answers);
    must_each(run, "SyncGroup", 3, |side| {
        json!({
            "GroupId": member.group, "GenerationId": member.generation, "MemberId": member.id(side),
            "GroupInstanceId": instance_id,
            "Assignments": [{ "MemberId": member.id(side), "Assignment": BYTES }],
        })
    })?;
    Ok(member)
}

/// A group without members that has committed 5 for partition 0 of a topic.
pub(super) fn committed(run: &mut Run<'_>, topic: &str) -> Result<String, Stop> {
    let group = group(run)?;
    run.must("OffsetCommit", committing(&group, topic, 0, 5))?;
    Ok(group)
}

/// An OffsetCommit of somebody who is no member.
pub(super) fn committing(group: &str, topic: &str, partition: i32, offset: i64) -> Value {
    json!({
        "GroupId": group, "GenerationIdOrMemberEpoch": -1, "MemberId": "",
        "Topics": [{ "Name": topic, "Partitions": [
            { "PartitionIndex": partition, "CommittedOffset": offset, "CommittedMetadata": "seen" },
        ] }],
    })
}

/// The first heartbeat of a member of a consumer group, which names itself.
pub(super) fn beating(group: &str, member_id: &str, topics: &[&str]) -> Value {
    json!({
        "GroupId": group, "MemberId": member_id, "MemberEpoch": 0, "RebalanceTimeoutMs": 300_000,
        "SubscribedTopicNames": topics, "TopicPartitions": [],
    })
}

/// A new consumer group and the new topic whose partitions its one member, `member`, has at epoch 1.
pub(super) fn consuming(run: &mut Run<'_>, partitions: i32) -> Result<(String, String), Stop> {
    let group = group(run)?;
    let topic = known_topic(run, &group, partitions)?;
    must_each(run, "ConsumerGroupHeartbeat", 1, |_| {
        beating(&group, "member", &[&topic])
    })?;
    Ok((group, topic))
}

/// Lets the coordinator of a group, of which it may have changed nothing but its memory, commit something: an offset of
/// another group. Apache Kafka shows what is in memory when something after it has been committed.
pub(super) fn committed_beside(run: &mut Run<'_>, group: &str) -> Outcome {
    let topic = run.topic(1)?;
    let coordinator = coordinator_of(group);
    let other = (0..)
        .map(|at| format!("{topic}-{at}"))
        .find(|other| coordinator_of(other) == coordinator);
    let commit = committing(&other.unwrap_or_default(), &topic, 0, 5);
    run.must("OffsetCommit", commit).map(drop)
}

/// A topic that the coordinator of a group knows on both.
///
/// Apache Kafka tells each coordinator of a new topic when it gets to it. A member of another group of the same coordinator
/// gets its partitions when that is done.
pub(super) fn known_topic(run: &mut Run<'_>, group: &str, partitions: i32) -> Result<String, Stop> {
    let topic = run.topic(partitions)?;
    let coordinator = coordinator_of(group);
    let probe = (0..)
        .map(|at| format!("{topic}-{at}"))
        .find(|probe| coordinator_of(probe) == coordinator);
    let probe = probe.unwrap_or_default();
    let beat = beating(&probe, "probe", &[&topic]);
    for side in [Side::Ours, Side::Theirs] {
        let client = run.both().client(side);
        until(client, "ConsumerGroupHeartbeat", 1, &beat, |answer| {
            let assigned = answer["Assignment"]["TopicPartitions"].as_array();
            assigned.is_some_and(|assigned| !assigned.is_empty())
        })?;
    }
    let leave = json!({ "GroupId": probe, "MemberId": "probe", "MemberEpoch": -1 });
    must_each(run, "ConsumerGroupHeartbeat", 1, |_| leave.clone())?;
    Ok(topic)
}

/// The partition of `__consumer_offsets`, of 50, by which Apache Kafka finds a group's coordinator: the absolute value of
/// the name's hash, in which the smallest counts as 0.
fn coordinator_of(group: &str) -> i32 {
    let hash = group
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % 50
}

/// Asks with each broker's own id of a member, and compares.
pub(super) fn ask_as(run: &mut Run<'_>, member: &Member, request: impl Fn(&str) -> Value) -> Outcome {
    run.ask_each(|side| request(member.id(side))).map(drop)
}
