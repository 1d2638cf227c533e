//! Groups over a raw socket: every version of every group API, as a client of that version would use it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::{Broker, BrokerHandle};

use crate::support::client::Client;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broker() -> (BrokerHandle, Client) {
    let broker = Broker::builder().listen("127.0.0.1:0").start_blocking().unwrap();
    let client = Client::connect(broker.bootstrap_servers());
    (broker, client)
}

fn join_request(version: i16, group: &str, member_id: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"?"));
    let mut request = JoinGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(member_id.clone())
        .with_session_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    if version >= 1 {
        request.rebalance_timeout_ms = 30_000;
    }
    if version >= 8 {
        request.reason = Some(text("a test"));
    }
    request
}

/// Joins as a client of that version does: where it has to, a second time with the id that it was given.
fn join(client: &mut Client, version: i16, group: &str) -> JoinGroupResponse {
    let response = client.call(version, &join_request(version, group, &StrBytes::default()));
    if response.error_code != ResponseError::MemberIdRequired.code() {
        return response;
    }
    assert!(version >= 4 && response.member_id.starts_with("it-"), "{response:?}");
    client.call(version, &join_request(version, group, &response.member_id))
}

fn sync_request(group: &str, joined: &JoinGroupResponse) -> SyncGroupRequest {
    let assignment = |member: &kafka_protocol::messages::join_group_response::JoinGroupResponseMember| {
        SyncGroupRequestAssignment::default()
            .with_member_id(member.member_id.clone())
            .with_assignment(Bytes::from_static(b"everything"))
    };
    SyncGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id)
        .with_assignments(joined.members.iter().map(assignment).collect())
}

fn heartbeat_request(group: &str, joined: &JoinGroupResponse) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id)
}

fn leave_request(version: i16, group: &str, member_id: &StrBytes) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(GroupId(text(group)));
    match version {
        0..3 => request.with_member_id(member_id.clone()),
        _ => request.with_members(vec![MemberIdentity::default().with_member_id(member_id.clone())]),
    }
}

fn describe(client: &mut Client, version: i16, group: &str) -> DescribedGroup {
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
    client.call(version, &request).groups.remove(0)
}

#[test]
fn a_member_lives_through_every_version() {
    let (_broker, mut client) = broker();
    for version in 0..=9 {
        let group = format!("join-{version}");
        let joined = join(&mut client, version, &group);
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "JoinGroup {version}");
        assert_eq!(joined.leader, joined.member_id);
        assert_eq!(joined.protocol_type.is_some(), version >= 7);
        assert_eq!(joined.protocol_name, Some(text("range")));

        let sync_version = version.min(5);
        let mut request = sync_request(&group, &joined);
        if sync_version >= 5 {
            request = request
                .with_protocol_type(Some(text("consumer")))
                .with_protocol_name(Some(text("range")));
        }
        if sync_version >= 5 {
            let refused = client.call(sync_version, &sync_request(&group, &joined));
            assert_eq!(refused.error_code, ResponseError::InconsistentGroupProtocol.code());
        }
        let synced = client.call(sync_version, &request);
        assert_eq!(
            (synced.error_code, &synced.assignment[..]),
            (0, &b"everything"[..]),
            "SyncGroup {sync_version}"
        );
        assert_eq!(
            client
                .call(version.min(4), &heartbeat_request(&group, &joined))
                .error_code,
            0
        );

        let described = describe(&mut client, version.min(6), &group);
        assert_eq!((described.error_code, described.group_state.as_str()), (0, "Stable"));
        let member = &described.members[0];
        assert_eq!(
            (member.client_id.as_str(), member.client_host.as_str()),
            ("it", "/127.0.0.1")
        );
        assert_eq!(
            (&member.member_metadata[..], &member.member_assignment[..]),
            (&b"?"[..], &b"everything"[..])
        );

        let leave_version = version.min(5);
        let unknown = client.call(leave_version, &leave_request(leave_version, &group, &text("nobody")));
        let code = ResponseError::UnknownMemberId.code();
        let of_member = unknown.members.first().map(|member| member.error_code);
        assert_eq!(
            (unknown.error_code, of_member),
            if leave_version < 3 {
                (code, None)
            } else {
                (0, Some(code))
            }
        );
        let left = client.call(leave_version, &leave_request(leave_version, &group, &joined.member_id));
        assert_eq!(
            (
                left.error_code,
                left.members.iter().all(|member| member.error_code == 0)
            ),
            (0, true)
        );
        assert_eq!(
            describe(&mut client, version.min(6), &group).group_state.as_str(),
            "Empty"
        );

        let delete =
            DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(&group)), GroupId(text(&group))]);
        let results = client.call(version.min(2), &delete).results;
        assert_eq!(results.iter().map(|result| result.error_code).collect::<Vec<_>>(), [0]);
        let results = client.call(version.min(2), &delete).results;
        assert_eq!(results[0].error_code, ResponseError::GroupIdNotFound.code());
    }
}

#[test]
fn a_join_waits_for_the_others_and_ends_with_its_connection() {
    let (broker, mut first) = broker();
    let joined = join(&mut first, 9, "g");
    assert_eq!(first.call(4, &sync_request("g", &joined)).error_code, 0);

    // A newcomer waits, and gives up.
    let mut second = Client::connect(broker.bootstrap_servers());
    second.send(3, &join_request(3, "g", &StrBytes::default()));
    let rebalances = |client: &mut Client| client.call(4, &heartbeat_request("g", &joined)).error_code != 0;
    while !rebalances(&mut first) {
        std::thread::yield_now();
    }
    drop(second);

    // Another one waits, the first one rejoins, and both are told.
    let mut third = Client::connect(broker.bootstrap_servers());
    third.send(3, &join_request(3, "g", &StrBytes::default()));
    while describe(&mut first, 6, "g").members.len() < 3 {
        std::thread::yield_now();
    }
    let again = first.call(9, &join_request(9, "g", &joined.member_id));
    assert_eq!((again.error_code, again.generation_id, again.members.len()), (0, 2, 3));
    let (_, other) = third.receive::<JoinGroupRequest>(3);
    assert_eq!((other.error_code, other.generation_id, other.members.len()), (0, 2, 0));
}

#[test]
fn a_stopping_broker_answers_who_waits() {
    let broker = Broker::builder()
        .listen("127.0.0.1:0")
        .property("group.initial.rebalance.delay.ms", "600000")
        .start_blocking()
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let mut other = Client::connect(broker.bootstrap_servers());
    client.send(3, &join_request(3, "g", &StrBytes::default()));
    while describe(&mut other, 5, "g").members.is_empty() {
        std::thread::yield_now();
    }
    drop(broker);
    let (_, response) = client.receive::<JoinGroupRequest>(3);
    assert_eq!(response.error_code, ResponseError::NotCoordinator.code());
}

#[test]
fn the_coordinator_is_this_broker() {
    let (broker, mut client) = broker();
    let (host, port) = broker.bootstrap_servers().rsplit_once(':').unwrap();
    for version in 0..4 {
        let mut request = FindCoordinatorRequest::default().with_key(text("g"));
        if version >= 1 {
            request.key_type = 1;
        }
        let response = client.call(version, &request);
        assert_eq!(
            (
                response.error_code,
                response.host.as_str(),
                response.port.to_string().as_str()
            ),
            (0, host, port)
        );
        if version >= 1 {
            assert_eq!(response.error_message.as_deref(), Some("NONE"));
        }
    }
    for version in 4..=6 {
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("a"), text("b")]);
        let response = client.call(version, &request);
        let found: Vec<_> = response
            .coordinators
            .iter()
            .map(|found| (found.key.as_str(), found.error_code))
            .collect();
        assert_eq!(found, [("a", 0), ("b", 0)]);
        let odd = FindCoordinatorRequest::default()
            .with_key_type(9)
            .with_coordinator_keys(vec![text("a")]);
        let response = client.call(version, &odd);
        assert_eq!(
            response.coordinators[0].error_code,
            ResponseError::InvalidRequest.code()
        );
    }
}

#[test]
fn lists_are_filtered_by_state_and_type() {
    let (_broker, mut client) = broker();
    let joined = join(&mut client, 9, "stable");
    client.call(4, &sync_request("stable", &joined));
    let other = join(&mut client, 9, "left");
    client.call(5, &leave_request(5, "left", &other.member_id));
    for version in 0..=5 {
        let mut groups = client.call(version, &ListGroupsRequest::default()).groups;
        groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        let listed: Vec<_> = groups
            .iter()
            .map(|group| (group.group_id.as_str(), group.protocol_type.as_str()))
            .collect();
        assert_eq!(listed, [("left", "consumer"), ("stable", "consumer")]);
        let states: Vec<_> = groups.iter().map(|group| group.group_state.as_str()).collect();
        assert_eq!(states, if version >= 4 { ["Empty", "Stable"] } else { ["", ""] });
    }
    let filtered = |client: &mut Client, state: &str, kind: &str| {
        let some = |value: &str| {
            if value.is_empty() {
                Vec::new()
            } else {
                vec![text(value)]
            }
        };
        let request = ListGroupsRequest::default()
            .with_states_filter(some(state))
            .with_types_filter(some(kind));
        client.call(5, &request).groups.len()
    };
    assert_eq!(filtered(&mut client, "stable", ""), 1);
    assert_eq!(filtered(&mut client, "Dead", ""), 0);
    assert_eq!(filtered(&mut client, "", "classic"), 2);
    assert_eq!(filtered(&mut client, "", "consumer"), 0);
}

#[test]
fn offsets_of_unknown_topics_are_refused_one_by_one() {
    let (_broker, mut client) = broker();
    let partition = |index: i32| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(1)
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text("nothing")))
        .with_partitions(vec![partition(0), partition(1)]);
    for version in 2..=9 {
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_topics(vec![topic.clone()]);
        let response = client.call(version, &request);
        let codes: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|partition| partition.error_code)
            .collect();
        assert_eq!(codes, [ResponseError::UnknownTopicOrPartition.code(); 2]);
    }
    // The group was not even looked at.
    assert!(client.call(5, &ListGroupsRequest::default()).groups.is_empty());
    let delete = OffsetDeleteRequest::default().with_group_id(GroupId(text("g")));
    assert_eq!(
        client.call(0, &delete).error_code,
        ResponseError::GroupIdNotFound.code()
    );
}

fn commit_request(version: i16, group: &str, topic: &str, offset: i64) -> OffsetCommitRequest {
    let mut partition = OffsetCommitRequestPartition::default()
        .with_partition_index(1)
        .with_committed_offset(offset)
        .with_committed_metadata((version % 2 == 0).then(|| text("a note")));
    if version >= 6 {
        partition.committed_leader_epoch = 4;
    }
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(vec![topic])
}

#[test]
fn offsets_are_committed_fetched_and_deleted_at_every_version() {
    let (_broker, mut client) = broker();
    let topic = CreatableTopic::default()
        .with_name(TopicName(text("t")))
        .with_num_partitions(2)
        .with_replication_factor(1);
    let created = client.call(
        7,
        &CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(1_000),
    );
    assert_eq!(created.topics[0].error_code, 0);
    for version in 2..=9 {
        let offset = i64::from(version) * 10;
        let response = client.call(version, &commit_request(version, "g", "t", offset));
        assert_eq!(response.topics[0].partitions[0].error_code, 0, "OffsetCommit {version}");
        for fetch_version in 2..8 {
            let request = OffsetFetchRequest::default()
                .with_group_id(GroupId(text("g")))
                .with_topics(None);
            let partition = client
                .call(fetch_version, &request)
                .topics
                .remove(0)
                .partitions
                .remove(0);
            assert_eq!(
                (partition.partition_index, partition.committed_offset),
                (1, offset),
                "OffsetFetch {fetch_version}"
            );
            let epoch = if version >= 6 && fetch_version >= 5 { 4 } else { -1 };
            assert_eq!(partition.committed_leader_epoch, epoch);
            assert_eq!(
                partition.metadata,
                Some(text(if version % 2 == 0 { "a note" } else { "" }))
            );
        }
        for fetch_version in 8..=9 {
            let group = OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(text("g")))
                .with_topics(None);
            let response = client.call(fetch_version, &OffsetFetchRequest::default().with_groups(vec![group]));
            assert_eq!(response.groups[0].topics[0].partitions[0].committed_offset, offset);
        }
    }
    let commit = commit_request(9, "g", "t", 1)
        .with_generation_id_or_member_epoch(3)
        .with_member_id(text("m"));
    let code = |client: &mut Client, version: i16, request: &OffsetCommitRequest| {
        client.call(version, request).topics[0].partitions[0].error_code
    };
    assert_eq!(code(&mut client, 9, &commit), ResponseError::UnknownMemberId.code());
    let elsewhere = commit.clone().with_group_id(GroupId(text("other")));
    assert_eq!(code(&mut client, 9, &elsewhere), ResponseError::GroupIdNotFound.code());
    assert_eq!(
        code(&mut client, 8, &elsewhere),
        ResponseError::IllegalGeneration.code()
    );

    let partition = OffsetDeleteRequestPartition::default().with_partition_index(1);
    let topics = ["t", "nothing"].map(|name| {
        OffsetDeleteRequestTopic::default()
            .with_name(TopicName(text(name)))
            .with_partitions(vec![partition.clone()])
    });
    let delete = OffsetDeleteRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_topics(topics.into());
    let response = client.call(0, &delete);
    let mut codes: Vec<_> = response
        .topics
        .iter()
        .map(|topic| (topic.name.as_str(), topic.partitions[0].error_code))
        .collect();
    codes.sort();
    assert_eq!(
        codes,
        [("nothing", ResponseError::UnknownTopicOrPartition.code()), ("t", 0)]
    );
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_topics(None);
    assert!(client.call(7, &request).topics.is_empty());
}

#[test]
fn nothing_committed_is_no_error() {
    let (_broker, mut client) = broker();
    for version in 1..8 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(TopicName(text("t")))
            .with_partition_indexes(vec![3]);
        let request = OffsetFetchRequest::default().with_group_id(GroupId(text("g")));
        let response = client.call(version, &request.clone().with_topics(Some(vec![topic])));
        let partition = &response.topics[0].partitions[0];
        assert_eq!(
            (response.error_code, partition.error_code, partition.committed_offset),
            (0, 0, -1)
        );
        assert_eq!(partition.metadata, Some(StrBytes::default()));
        if version >= 2 {
            assert!(client.call(version, &request.with_topics(None)).topics.is_empty());
        }
    }
    for version in 8..=9 {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(TopicName(text("t")))
            .with_partition_indexes(vec![3]);
        let group = |id: &str| OffsetFetchRequestGroup::default().with_group_id(GroupId(text(id)));
        let groups = vec![
            group("one").with_topics(Some(vec![topic])),
            group("two").with_topics(None),
        ];
        let response = client.call(
            version,
            &OffsetFetchRequest::default()
                .with_groups(groups)
                .with_require_stable(true),
        );
        assert_eq!(response.groups[0].topics[0].partitions[0].committed_offset, -1);
        assert!(response.groups[1].topics.is_empty());
    }
}

#[test]
fn a_hundred_members_join_at_once() {
    let broker = Broker::builder()
        .listen("127.0.0.1:0")
        .property("group.initial.rebalance.delay.ms", "500")
        .start_blocking()
        .unwrap();
    let started = std::time::Instant::now();
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(broker.bootstrap_servers())).collect();
    for client in &mut clients {
        client.send(3, &join_request(3, "crowd", &StrBytes::default()));
    }
    let joined: Vec<JoinGroupResponse> = clients
        .iter_mut()
        .map(|client| client.receive::<JoinGroupRequest>(3).1)
        .collect();
    assert!(
        joined
            .iter()
            .all(|joined| (joined.error_code, joined.generation_id) == (0, 1))
    );
    for (client, joined) in clients.iter_mut().zip(&joined) {
        client.send(3, &sync_request("crowd", joined));
    }
    for client in &mut clients {
        assert_eq!(&client.receive::<SyncGroupRequest>(3).1.assignment[..], b"everything");
    }
    println!(
        "100 members, of which the initial delay is 500 ms: {:?}",
        started.elapsed()
    );
    assert!(started.elapsed() < Duration::from_secs(60));
}

/// Joins and syncs again and again, as clients do, until the leader has seen all members.
fn join_until(client: &mut Client, group: &str, members: usize, complete: &AtomicBool) {
    let mut member_id = StrBytes::default();
    loop {
        let joined = client.call(3, &join_request(3, group, &member_id));
        assert_eq!(joined.error_code, 0);
        member_id = joined.member_id.clone();
        let synced = client.call(3, &sync_request(group, &joined));
        complete.fetch_or(
            synced.error_code == 0 && joined.members.len() == members,
            Ordering::SeqCst,
        );
        while !complete.load(Ordering::SeqCst) && client.call(3, &heartbeat_request(group, &joined)).error_code == 0 {
            // The heartbeat interval of these clients.
            std::thread::sleep(Duration::from_millis(20));
        }
        if complete.load(Ordering::SeqCst) {
            return;
        }
    }
}

#[test]
fn a_hundred_members_find_together_without_an_initial_delay() {
    let (broker, _) = broker();
    let complete = AtomicBool::new(false);
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                join_until(
                    &mut Client::connect(broker.bootstrap_servers()),
                    "crowd",
                    100,
                    &complete,
                )
            });
        }
    });
    println!("100 members without an initial delay: {:?}", started.elapsed());
}
