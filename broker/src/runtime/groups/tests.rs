use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::internal_topics::topic::InternalTopic;

/// Nothing here takes that long; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker without topics.
#[derive(Debug)]
struct NoTopics;

impl TopicsView for NoTopics {
    fn version(&self) -> u64 {
        1
    }
    fn find(&self, _: &str) -> Option<consumer::TopicMetadata> {
        None
    }
    fn name_of(&self, _: uuid::Uuid) -> Option<StrBytes> {
        None
    }
    fn names(&self) -> Vec<StrBytes> {
        Vec::new()
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group_id() -> GroupId {
    GroupId(text("group"))
}

/// Without a topic, as before the first client looks for a coordinator.
fn nowhere() -> Journal {
    Journal {
        topic: InternalTopic::nowhere("__consumer_offsets", 50),
    }
}

fn open(store: &Store, config: GroupConfig) -> Groups {
    Groups::open(
        store,
        nowhere(),
        Arc::new(NoTopics),
        Arc::new(config),
        Arc::new(SystemClock),
        Handle::current(),
    )
    .unwrap()
}

fn short_sessions() -> GroupConfig {
    GroupConfig {
        min_session_timeout_ms: 1,
        ..GroupConfig::default()
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("this happens soon")
}

fn join_request(member_id: &StrBytes, session_timeout_ms: i32) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"?"));
    JoinGroupRequest::default()
        .with_group_id(group_id())
        .with_member_id(member_id.clone())
        .with_session_timeout_ms(session_timeout_ms)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

async fn join(groups: &Groups, member_id: &StrBytes) -> JoinGroupResponse {
    let caller = Caller {
        client_id: text("c"),
        client_host: text("/127.0.0.1"),
        api_version: 3,
    };
    soon(groups.join(caller, join_request(member_id, 10_000)))
        .await
        .unwrap()
}

fn sync_request(joined: &JoinGroupResponse) -> SyncGroupRequest {
    let assignment = |member: &kafka_protocol::messages::join_group_response::JoinGroupResponseMember| {
        SyncGroupRequestAssignment::default()
            .with_member_id(member.member_id.clone())
            .with_assignment(member.member_id.clone().into_bytes())
    };
    SyncGroupRequest::default()
        .with_group_id(group_id())
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id)
        .with_assignments(joined.members.iter().map(assignment).collect())
}

fn commit_request(group_id: &GroupId, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text("prices")))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group_id.clone())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

async fn committed(groups: &Groups, group_id: &GroupId) -> Vec<(i32, i64)> {
    let request = OffsetFetchRequestGroup::default()
        .with_group_id(group_id.clone())
        .with_topics(None);
    let group = groups.fetch(&request, true).await;
    let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| (partition.partition_index, partition.committed_offset))
        .collect()
}

/// One member alone, in a stable group.
async fn stable(groups: &Groups) -> JoinGroupResponse {
    let joined = join(groups, &StrBytes::default()).await;
    let synced = soon(groups.sync(sync_request(&joined))).await.unwrap();
    assert_eq!(
        (synced.error_code, synced.assignment),
        (0, joined.member_id.clone().into_bytes())
    );
    joined
}

#[tokio::test]
async fn two_members_rebalance_and_find_each_other() {
    let groups = open(&Store::in_memory(), GroupConfig::default());
    let first = stable(&groups).await;
    let newcomer = tokio::spawn({
        let groups = groups.clone();
        async move { join(&groups, &StrBytes::default()).await }
    });
    let heartbeat = HeartbeatRequest::default()
        .with_group_id(group_id())
        .with_member_id(first.member_id.clone())
        .with_generation_id(first.generation_id);
    soon(async {
        while groups.heartbeat(&heartbeat).await.error_code != ResponseError::RebalanceInProgress.code() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let first = join(&groups, &first.member_id).await;
    let second = soon(newcomer).await.unwrap();
    assert_eq!((first.generation_id, second.generation_id), (2, 2));
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    let (leader, follower) = tokio::join!(groups.sync(sync_request(&first)), groups.sync(sync_request(&second)));
    assert_eq!(leader.unwrap().assignment, first.member_id.into_bytes());
    assert_eq!(follower.unwrap().assignment, second.member_id.into_bytes());
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let groups = open(&Store::in_memory(), short_sessions());
    let caller = Caller {
        client_id: text("c"),
        client_host: text("/"),
        api_version: 3,
    };
    let joined = soon(groups.join(caller, join_request(&StrBytes::default(), 20)))
        .await
        .unwrap();
    soon(groups.sync(sync_request(&joined))).await.unwrap();
    soon(async {
        while groups.describe(&group_id(), 5).group_state.as_str() != "Empty" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_hangs_up_does_not_keep_the_assignment_from_the_others() {
    let groups = open(
        &Store::in_memory(),
        GroupConfig {
            initial_rebalance_delay_ms: 50,
            ..GroupConfig::default()
        },
    );
    let nobody = StrBytes::default();
    let (one, two) = tokio::join!(join(&groups, &nobody), join(&groups, &nobody));
    let (leader, follower) = if one.members.is_empty() { (two, one) } else { (one, two) };
    let waiting = tokio::spawn({
        let (groups, request) = (groups.clone(), sync_request(&follower));
        async move { groups.sync(request).await }
    });
    // The leader's request is carried out up to its first wait, and then nobody is there to wait.
    let request = sync_request(&leader);
    let mut sync = Box::pin(groups.sync(request));
    while groups.describe(&group_id(), 5).group_state.as_str() != "Stable" {
        let _ = futures::poll!(&mut sync);
    }
    drop(sync);
    assert_eq!(
        soon(waiting).await.unwrap().unwrap().assignment,
        follower.member_id.into_bytes()
    );
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let store = Store::in_memory();
    let groups = open(&store, GroupConfig::default());
    assert_eq!(
        groups.commit(9, &commit_request(&group_id(), 0, 7)).await.topics[0].partitions[0].error_code,
        0
    );
    let other = GroupId(text("other"));
    groups.commit(9, &commit_request(&other, 1, 8)).await;
    groups.delete(&other).await.unwrap();
    let joined = stable(&groups).await;
    store.crash(0);

    let groups = open(&store, GroupConfig::default());
    assert_eq!(committed(&groups, &group_id()).await, [(0, 7)]);
    assert_eq!(committed(&groups, &other).await, []);
    let described = groups.describe(&group_id(), 5);
    assert_eq!((described.group_state.as_str(), described.members.len()), ("Stable", 1));
    let again = groups
        .sync(sync_request(&joined).with_assignments(Vec::new()))
        .await
        .unwrap();
    assert_eq!(again.assignment, joined.member_id.into_bytes());
}

#[tokio::test]
async fn everything_survives_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        let groups = open(&store, GroupConfig::default());
        let commits = (0..200).map(|number| {
            let groups = groups.clone();
            async move {
                let request = commit_request(&GroupId(text(&format!("g-{}", number % 20))), number, i64::from(number));
                groups.commit(9, &request).await
            }
        });
        for response in futures::future::join_all(commits).await {
            assert_eq!(response.topics[0].partitions[0].error_code, 0);
        }
        groups.shutdown();
    }
    // Timer tasks let go of the store when they see the shutdown.
    let store = soon(async {
        loop {
            match Store::open(directory.path()) {
                Ok(store) => break store,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let groups = open(&store, GroupConfig::default());
    for number in 0..20 {
        let expected: Vec<_> = (number..200)
            .step_by(20)
            .map(|partition| (partition, i64::from(partition)))
            .collect();
        assert_eq!(
            committed(&groups, &GroupId(text(&format!("g-{number}")))).await,
            expected
        );
    }
}

#[tokio::test]
async fn asking_for_a_group_leaves_nothing_behind() {
    let groups = open(&Store::in_memory(), GroupConfig::default());
    assert_eq!(committed(&groups, &group_id()).await, []);
    assert_eq!(groups.delete(&group_id()).await, Err(GroupError::GroupIdNotFound));
    assert!(groups.inner.all().is_empty());
    groups.commit(9, &commit_request(&group_id(), 0, 1)).await;
    assert_eq!(groups.inner.all().len(), 1);
    groups.delete(&group_id()).await.unwrap();
    assert!(groups.inner.all().is_empty());
}

#[tokio::test]
async fn offsets_of_deleted_topics_and_of_long_ago_are_removed() {
    let clock = Arc::new(ManualClock::new(1_000));
    let store = Store::in_memory();
    let config = Arc::new(GroupConfig::default());
    let groups = Groups::open(
        &store,
        nowhere(),
        Arc::new(NoTopics),
        Arc::clone(&config),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Handle::current(),
    )
    .unwrap();
    let other = GroupId(text("other"));
    groups.commit(9, &commit_request(&group_id(), 0, 1)).await;
    groups.forget_topics(|topic| topic.as_str() == "prices").await;
    assert_eq!(committed(&groups, &group_id()).await, []);
    groups.commit(9, &commit_request(&other, 0, 1)).await;
    clock.advance(config.offsets_retention_ms);
    groups.expire_offsets();
    assert!(groups.list(&ListGroupsRequest::default()).is_empty());
}

#[tokio::test]
async fn a_shutdown_answers_who_waits() {
    let groups = open(
        &Store::in_memory(),
        GroupConfig {
            initial_rebalance_delay_ms: 1_000_000,
            ..GroupConfig::default()
        },
    );
    let waiting = tokio::spawn({
        let groups = groups.clone();
        async move { join(&groups, &StrBytes::default()).await }
    });
    while groups.describe(&group_id(), 5).members.is_empty() {
        tokio::task::yield_now().await;
    }
    groups.shutdown();
    assert_eq!(
        soon(waiting).await.unwrap().error_code,
        ResponseError::NotCoordinator.code()
    );
    let refused = join(&groups, &StrBytes::default()).await;
    assert_eq!(refused.error_code, ResponseError::CoordinatorNotAvailable.code());
}

#[tokio::test]
async fn leaving_frees_those_who_wait() {
    let groups = open(&Store::in_memory(), GroupConfig::default());
    let first = stable(&groups).await;
    let newcomer = tokio::spawn({
        let groups = groups.clone();
        async move { join(&groups, &StrBytes::default()).await }
    });
    while groups.describe(&group_id(), 5).members.len() < 2 {
        tokio::task::yield_now().await;
    }
    let member = MemberIdentity::default().with_member_id(first.member_id);
    let left = groups
        .leave(
            &LeaveGroupRequest::default()
                .with_group_id(group_id())
                .with_members(vec![member]),
        )
        .await;
    assert_eq!(left.members[0].error_code, 0);
    assert_eq!(soon(newcomer).await.unwrap().members.len(), 1);
}
