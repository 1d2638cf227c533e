//! ConsumerGroupHeartbeat (68).

use serde_json::{Value, json};

use super::group::{beating, but, committed, consuming, group, known_topic, must_each, stable};
use crate::run::{Case, case};

/// A member that is new, said in another way.
fn new(name: &'static str, changes: Value) -> Case {
    case(name, move |run| {
        let group = group(run)?;
        let topic = known_topic(run, &group, 3)?;
        run.ask(but(beating(&group, "member", &[&topic]), changes.clone()))
            .map(drop)
    })
}

/// A member at epoch 1 that has all of three partitions, and then says this.
fn then(name: &'static str, request: Value) -> Case {
    case(name, move |run| {
        let (group, _) = consuming(run, 3)?;
        let base = json!({ "GroupId": group, "MemberId": "member", "MemberEpoch": 1 });
        run.ask(but(base, request.clone()))?;
        run.ask_api("ConsumerGroupDescribe", 1, json!({ "GroupIds": [group] }))
            .map(drop)
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        new("a first member", json!({})),
        new("with the uniform assignor", json!({ "ServerAssignor": "uniform" })),
        new("with the range assignor", json!({ "ServerAssignor": "range" })),
        new("an unknown assignor", json!({ "ServerAssignor": "sticky" })),
        new("an empty assignor", json!({ "ServerAssignor": "" })),
        new("a rack", json!({ "RackId": "a" })),
        new("an empty rack", json!({ "RackId": "" })),
        new("an instance", json!({ "InstanceId": "one" })),
        new("an empty instance", json!({ "InstanceId": "" })),
        new("no subscription", json!({ "SubscribedTopicNames": null })),
        new("an empty subscription", json!({ "SubscribedTopicNames": [] })),
        new(
            "a topic that is not there",
            json!({ "SubscribedTopicNames": ["nowhere"] }),
        ),
        new("no rebalance time-out", json!({ "RebalanceTimeoutMs": -1 })),
        new("no partitions said", json!({ "TopicPartitions": null })),
        new(
            "partitions owned from the start",
            json!({ "TopicPartitions": [{ "TopicId": "AAAAAAAAAAAAAAAAAAAAqg", "Partitions": [0] }] }),
        ),
        new("an epoch that nobody gave", json!({ "MemberEpoch": 5 })),
        new("leaving before coming", json!({ "MemberEpoch": -1 })),
        new("leaving for a while before coming", json!({ "MemberEpoch": -2 })),
        new("an epoch that cannot be", json!({ "MemberEpoch": -3 })),
        new("no member id", json!({ "MemberId": "" })).versions(1..=1),
        new("no group", json!({ "GroupId": "" })),
        new("a blank group", json!({ "GroupId": "  " })),
        new(
            "an expression",
            json!({ "SubscribedTopicNames": null, "SubscribedTopicRegex": "topic-none-.*" }),
        ),
        new(
            "an expression that is none",
            json!({ "SubscribedTopicNames": null, "SubscribedTopicRegex": "[" }),
        ),
        new(
            "an empty expression",
            json!({ "SubscribedTopicNames": null, "SubscribedTopicRegex": "" }),
        ),
        new(
            "names and an expression",
            json!({ "SubscribedTopicRegex": "topic-none-.*" }),
        ),
        then("nothing new", json!({})),
        then("its partitions", json!({ "TopicPartitions": [] })),
        then("an epoch before", json!({ "MemberEpoch": 0 })),
        then("an epoch to come", json!({ "MemberEpoch": 2 })),
        then("a stranger", json!({ "MemberId": "nobody" })),
        then("another subscription", json!({ "SubscribedTopicNames": ["nowhere"] })),
        then("an empty subscription later", json!({ "SubscribedTopicNames": [] })),
        then("another assignor", json!({ "ServerAssignor": "range" })),
        then("another rack", json!({ "RackId": "b" })),
        then("an unknown assignor later", json!({ "ServerAssignor": "sticky" })),
        then("an instance of a member without one", json!({ "InstanceId": "one" })),
        then("leaving", json!({ "MemberEpoch": -1 })),
        then("leaving for a while without an instance", json!({ "MemberEpoch": -2 })),
        case("a second member", |run| {
            let (group, topic) = consuming(run, 4)?;
            run.ask(beating(&group, "other", &[&topic]))?;
            run.ask(json!({ "GroupId": group, "MemberId": "member", "MemberEpoch": 1 }))?;
            run.ask_api("ConsumerGroupDescribe", 1, json!({ "GroupIds": [group] }))
                .map(drop)
        }),
        case("a second member, until both have their share", |run| {
            let (group, topic) = consuming(run, 4)?;
            run.ask(beating(&group, "other", &[&topic]))?;
            let owned = json!([{ "TopicId": format!("id:{topic}"), "Partitions": [0, 1] }]);
            let revoked = json!({
                "GroupId": group, "MemberId": "member", "MemberEpoch": 1, "RebalanceTimeoutMs": 300_000,
                "SubscribedTopicNames": [topic], "TopicPartitions": owned,
            });
            run.ask(json!({ "GroupId": group, "MemberId": "member", "MemberEpoch": 1 }))?;
            run.ask(revoked)?;
            run.ask(json!({ "GroupId": group, "MemberId": "other", "MemberEpoch": 2 }))?;
            run.ask_api("ConsumerGroupDescribe", 1, json!({ "GroupIds": [group] }))
                .map(drop)
        }),
        case("a static member that leaves for a while and comes back", |run| {
            let group = group(run)?;
            let topic = known_topic(run, &group, 2)?;
            let first = but(beating(&group, "member", &[&topic]), json!({ "InstanceId": "one" }));
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| first.clone())?;
            run.ask(json!({ "GroupId": group, "MemberId": "member", "InstanceId": "one", "MemberEpoch": -2 }))?;
            run.ask(but(beating(&group, "again", &[&topic]), json!({ "InstanceId": "one" })))?;
            run.ask(json!({ "GroupId": group, "MemberId": "member", "InstanceId": "one", "MemberEpoch": 1 }))
                .map(drop)
        }),
        case("an instance that another member has", |run| {
            let group = group(run)?;
            let topic = known_topic(run, &group, 2)?;
            let first = but(beating(&group, "member", &[&topic]), json!({ "InstanceId": "one" }));
            must_each(run, "ConsumerGroupHeartbeat", 1, |_| first.clone())?;
            run.ask(but(beating(&group, "other", &[&topic]), json!({ "InstanceId": "one" })))
                .map(drop)
        }),
        case("a classic group's name", |run| {
            let topic = run.topic(1)?;
            let member = stable(run)?;
            run.ask(beating(&member.group, "member", &[&topic])).map(drop)
        }),
        case("a group with an interval of its own", |run| {
            let group = group(run)?;
            let config = json!({ "Name": "consumer.heartbeat.interval.ms", "ConfigOperation": 0, "Value": "7000" });
            let resource = json!({ "ResourceType": 32, "ResourceName": group, "Configs": [config] });
            run.must("IncrementalAlterConfigs", json!({ "Resources": [resource] }))?;
            run.must("ConsumerGroupHeartbeat", beating(&group, "member", &["nowhere"]))?;
            let beat = json!({ "GroupId": group, "MemberId": "member", "MemberEpoch": 1 });
            run.ask_until(beat, |answer| answer["HeartbeatIntervalMs"] == 7_000)
                .map(drop)
        }),
        case("an empty classic group's name", |run| {
            let topic = run.topic(1)?;
            let group = committed(run, &topic)?;
            run.ask(beating(&group, "member", &[&topic])).map(drop)
        }),
    ];
    cases.extend(super::mixed::heartbeats());
    cases
}
