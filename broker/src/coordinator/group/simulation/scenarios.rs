//! What Apache Kafka's group coordinator does, case by case: states, error codes and which of several errors comes first.

mod membership;
mod offsets;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{HeartbeatRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::client::join_request;
use super::world::{Delivery, Sent, World, group_id, text};
use crate::coordinator::group::classic::State;
use crate::coordinator::group::{ClassicGroup, GroupConfig};

pub(super) fn world() -> World {
    World::new(GroupConfig::default())
}

pub(super) fn classic(world: &World) -> &ClassicGroup {
    world.group.membership.as_ref().unwrap()
}

/// The answers to the JoinGroups that were answered last, by ticket.
pub(super) fn joins(world: &mut World) -> Vec<JoinGroupResponse> {
    let deliveries = std::mem::take(&mut world.deliveries).into_iter();
    deliveries
        .filter_map(|delivery| {
            if let Delivery::Join(_, response) = delivery {
                Some(response)
            } else {
                None
            }
        })
        .collect()
}

pub(super) fn syncs(world: &mut World) -> Vec<SyncGroupResponse> {
    let deliveries = std::mem::take(&mut world.deliveries).into_iter();
    deliveries
        .filter_map(|delivery| {
            if let Delivery::Sync(_, response) = delivery {
                Some(response)
            } else {
                None
            }
        })
        .collect()
}

pub(super) fn answer<R: std::fmt::Debug>(sent: Sent<R>) -> R {
    match sent {
        Sent::Answered(response) => response,
        other => panic!("answered at once, not {other:?}"),
    }
}

/// Gets a member id, and parks or answers the join with it.
pub(super) fn join_dynamic(world: &mut World) -> StrBytes {
    let response = answer(world.join(9, join_request(&StrBytes::default(), None, &["range"])));
    assert_eq!(response.error_code, ResponseError::MemberIdRequired.code());
    assert!(response.member_id.starts_with("client-"));
    assert!(matches!(
        world.join(9, join_request(&response.member_id, None, &["range"])),
        Sent::Parked(_)
    ));
    response.member_id
}

pub(super) fn join_static(world: &mut World, instance_id: &str) -> Sent<JoinGroupResponse> {
    world.join(
        9,
        join_request(&StrBytes::default(), Some(&text(instance_id)), &["range"]),
    )
}

pub(super) fn sync_request(member_id: &StrBytes, generation: i32) -> SyncGroupRequest {
    SyncGroupRequest::default()
        .with_group_id(group_id())
        .with_member_id(member_id.clone())
        .with_generation_id(generation)
}

/// The leader hands in its own id as each member's assignment.
pub(super) fn assign(world: &mut World, leader: &StrBytes) -> Sent<SyncGroupResponse> {
    let group = classic(world);
    let assignment = |id: &StrBytes| {
        SyncGroupRequestAssignment::default()
            .with_member_id(id.clone())
            .with_assignment(id.clone().into_bytes())
    };
    let assignments = group.members.keys().map(assignment).collect();
    let request = sync_request(leader, group.generation).with_assignments(assignments);
    world.sync(request)
}

pub(super) fn heartbeat(world: &mut World, member_id: &StrBytes, generation: i32) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group_id())
        .with_member_id(member_id.clone())
        .with_generation_id(generation);
    answer(world.heartbeat(&request))
}

pub(super) fn code(error: ResponseError) -> i16 {
    error.code()
}

/// A stable group of two dynamic members: the leader and the follower.
pub(super) fn stable_pair(world: &mut World) -> (StrBytes, StrBytes) {
    let leader = join_dynamic(world);
    let follower = join_dynamic(world);
    joins(world);
    assert!(matches!(
        world.join(9, join_request(&leader, None, &["range"])),
        Sent::Parked(_)
    ));
    let responses = joins(world);
    assert_eq!(responses.len(), 2);
    assert!(
        responses
            .iter()
            .all(|response| response.generation_id == 2 && response.leader == leader)
    );
    assert!(matches!(world.sync(sync_request(&follower, 2)), Sent::Parked(_)));
    assert!(matches!(assign(world, &leader), Sent::Parked(_)));
    let responses = syncs(world);
    assert_eq!(responses.len(), 2);
    assert_eq!(classic(world).state, State::Stable);
    (leader, follower)
}
