//! Committed offsets, and what administrators see and do.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{LeaveGroupRequest, ListGroupsRequest, OffsetDeleteRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::super::client::{SESSION_TIMEOUT_MS, TOPIC, commit_request, join_request};
use super::super::world::{Sent, group_id, text};
use super::{answer, classic, code, heartbeat, stable_pair, world};
use crate::coordinator::group::classic::State;
use crate::coordinator::group::{self, GroupConfig, offsets};

#[test]
fn commits_are_refused_in_kafkas_order() {
    let mut world = world();
    let nobody = StrBytes::default();
    assert_eq!(
        answer(world.commit(9, &commit_request(&nobody, 3, 0, 1))),
        code(ResponseError::GroupIdNotFound)
    );
    assert_eq!(
        answer(world.commit(8, &commit_request(&nobody, 3, 0, 1))),
        code(ResponseError::IllegalGeneration)
    );
    assert_eq!(answer(world.commit(9, &commit_request(&nobody, -1, 0, 1))), 0);
    assert_eq!(
        classic(&world).state,
        State::Empty,
        "a commit from outside makes a group"
    );

    let (leader, follower) = stable_pair(&mut world);
    assert_eq!(
        answer(world.commit(9, &commit_request(&nobody, -1, 0, 2))),
        code(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        answer(world.commit(9, &commit_request(&text("m"), 7, 0, 2))),
        code(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        answer(world.commit(9, &commit_request(&leader, 7, 0, 2))),
        code(ResponseError::IllegalGeneration)
    );
    let large = commit_request(&leader, 2, 0, 2);
    let with_metadata = |len: usize| {
        let mut request = large.clone();
        // Two bytes, one UTF-16 unit each.
        request.topics[0].partitions[0].committed_metadata = Some(text(&"é".repeat(len)));
        request
    };
    assert_eq!(
        answer(world.commit(9, &with_metadata(4_097))),
        code(ResponseError::OffsetMetadataTooLarge)
    );
    assert_eq!(answer(world.commit(9, &with_metadata(4_096))), 0);

    // Who prepares to rebalance may still commit, who waits for the assignment may not.
    assert!(matches!(
        world.join(9, join_request(&leader, None, &["range"])),
        Sent::Parked(_)
    ));
    assert_eq!(answer(world.commit(9, &commit_request(&follower, 2, 0, 3))), 0);
    assert!(matches!(
        world.join(9, join_request(&follower, None, &["range"])),
        Sent::Parked(_)
    ));
    assert_eq!(
        answer(world.commit(9, &commit_request(&follower, 3, 0, 4))),
        code(ResponseError::RebalanceInProgress)
    );
    world.crash();
    assert_eq!(world.group.offsets.get(&text(TOPIC), 0).unwrap().offset, 3);
}

#[test]
fn a_commit_keeps_the_session_alive() {
    let mut world = world();
    let (leader, follower) = stable_pair(&mut world);
    for _ in 0..4 {
        world.advance(i64::from(SESSION_TIMEOUT_MS) - 1);
        assert_eq!(answer(world.commit(9, &commit_request(&leader, 2, 0, 1))), 0);
        heartbeat(&mut world, &follower, 2);
    }
    assert_eq!(classic(&world).state, State::Stable);
}

#[test]
fn offsets_expire_by_the_rules_of_their_group() {
    let retention_ms = GroupConfig::default().offsets_retention_ms;
    // A group that only commits: counted from the commit.
    let mut world = world();
    answer(world.commit(9, &commit_request(&StrBytes::default(), -1, 0, 1)));
    world.advance(retention_ms - 1);
    answer(world.commit(9, &commit_request(&StrBytes::default(), -1, 1, 1)));
    world.advance(1);
    world.expire_offsets();
    assert_eq!(
        world
            .group
            .offsets
            .iter()
            .map(|(_, partition, _)| partition)
            .collect::<Vec<_>>(),
        [1]
    );
    world.advance(retention_ms);
    world.expire_offsets();
    assert!(!world.group.exists());

    // With members that read the topic: never. Without members: counted from when the last one left.
    let (leader, follower) = stable_pair(&mut world);
    answer(world.commit(9, &commit_request(&leader, 2, 0, 1)));
    for _ in 0..retention_ms / 9_000 {
        // Only the clock matters to expiry; sessions are not looked at.
        world.now_ms += 9_000;
    }
    world.now_ms += 9_000;
    world.expire_offsets();
    assert!(world.group.offsets.get(&text(TOPIC), 0).is_some());
    for id in [&leader, &follower] {
        let member = MemberIdentity::default().with_member_id(id.clone());
        answer(
            world.leave(
                &LeaveGroupRequest::default()
                    .with_group_id(group_id())
                    .with_members(vec![member]),
            ),
        );
    }
    world.advance(retention_ms - 1);
    world.expire_offsets();
    assert!(world.group.exists());
    world.advance(1);
    world.expire_offsets();
    assert!(!world.group.exists());
}

#[test]
fn offsets_are_fetched_and_deleted_as_asked() {
    let mut world = world();
    answer(world.commit(9, &commit_request(&StrBytes::default(), -1, 2, 7)));
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(text(TOPIC)))
        .with_partition_indexes(vec![2, 5]);
    let request = OffsetFetchRequestGroup::default().with_group_id(group_id());
    let some = offsets::fetch(&world.group, &request.clone().with_topics(Some(vec![topic])), true);
    let found = |partition: &kafka_protocol::messages::offset_fetch_response::OffsetFetchResponsePartitions| {
        (
            partition.partition_index,
            partition.committed_offset,
            partition.committed_leader_epoch,
            partition.metadata.clone(),
        )
    };
    let nothing = Some(StrBytes::default());
    assert_eq!(
        some.topics[0].partitions.iter().map(found).collect::<Vec<_>>(),
        [(2, 7, -1, nothing.clone()), (5, -1, -1, nothing.clone())]
    );
    let all = offsets::fetch(&world.group, &request.with_topics(None), true);
    assert_eq!(
        all.topics[0].partitions.iter().map(found).collect::<Vec<_>>(),
        [(2, 7, -1, nothing)]
    );

    let delete = |partition: i32| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(TopicName(text(TOPIC)))
            .with_partitions(vec![partition]);
        OffsetDeleteRequest::default()
            .with_group_id(group_id())
            .with_topics(vec![topic])
    };
    let outcome = offsets::delete(&world.group, &delete(2));
    assert_eq!(outcome.records.len(), 1);
    let outcome = offsets::delete(&world.group, &delete(5));
    assert_eq!(
        (outcome.records.len(), outcome.reply.topics[0].partitions[0].error_code),
        (0, 0)
    );
    stable_pair(&mut world);
    let outcome = offsets::delete(&world.group, &delete(2));
    assert_eq!(
        outcome.reply.topics[0].partitions[0].error_code,
        code(ResponseError::GroupSubscribedToTopic)
    );
    assert!(outcome.records.is_empty());
    let outcome = offsets::delete(&group::Group::default(), &delete(2));
    assert_eq!(outcome.reply.error_code, code(ResponseError::GroupIdNotFound));
}

#[test]
fn administrators_see_and_delete_groups() {
    let mut world = world();
    let dead = group::describe(&world.group, &group_id(), 5);
    assert_eq!((dead.error_code, dead.group_state.as_str()), (0, "Dead"));
    let unknown = group::describe(&world.group, &group_id(), 6);
    assert_eq!(unknown.error_code, code(ResponseError::GroupIdNotFound));
    assert_eq!(unknown.error_message, Some(text("Group group not found.")));
    assert!(!answer(world.delete()));

    let (leader, _) = stable_pair(&mut world);
    let described = group::describe(&world.group, &group_id(), 5);
    assert_eq!(
        (
            described.group_state.as_str(),
            described.protocol_data.as_str(),
            described.members.len()
        ),
        ("Stable", "range", 2)
    );
    let member = described
        .members
        .iter()
        .find(|member| member.member_id == leader)
        .unwrap();
    assert_eq!(
        (member.client_host.as_str(), &member.member_assignment),
        ("/127.0.0.1", &leader.clone().into_bytes())
    );
    assert!(!answer(world.delete()));

    let listed = group::list(&world.group, &group_id()).unwrap();
    let states = |states: &[&str]| {
        ListGroupsRequest::default().with_states_filter(states.iter().map(|state| text(state)).collect())
    };
    assert!(group::matches_filters(&listed, &states(&[])));
    assert!(group::matches_filters(&listed, &states(&["empty", " stable "])));
    assert!(!group::matches_filters(&listed, &states(&["Empty"])));
    let types = |kind: &str| ListGroupsRequest::default().with_types_filter(vec![text(kind)]);
    assert!(group::matches_filters(&listed, &types("Classic")));
    assert!(!group::matches_filters(&listed, &types("consumer")));
}

#[test]
fn after_a_restart_members_go_on_or_expire() {
    let mut world = world();
    let (leader, follower) = stable_pair(&mut world);
    world.crash();
    assert_eq!(classic(&world).state, State::Stable);
    assert_eq!(heartbeat(&mut world, &leader, 2), 0);
    world.advance(i64::from(SESSION_TIMEOUT_MS) - 1);
    assert_eq!(heartbeat(&mut world, &leader, 2), 0);
    world.advance(1);
    assert_eq!(
        heartbeat(&mut world, &follower, 2),
        code(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        heartbeat(&mut world, &leader, 2),
        code(ResponseError::RebalanceInProgress)
    );
}
