//! Joining, syncing, heartbeats, leaving, static members.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{HeartbeatRequest, LeaveGroupRequest};
use kafka_protocol::protocol::StrBytes;

use super::super::client::{REBALANCE_TIMEOUT_MS, SESSION_TIMEOUT_MS, join_request};
use super::super::world::{Sent, World, group_id, text};
use super::{
    answer, assign, classic, code, heartbeat, join_dynamic, join_static, joins, stable_pair, sync_request, syncs, world,
};
use crate::coordinator::group::GroupConfig;
use crate::coordinator::group::classic::State;

#[test]
fn the_first_member_leads_generation_one() {
    let mut world = world();
    let id = join_dynamic(&mut world);
    let response = joins(&mut world).remove(0);
    assert_eq!((response.error_code, response.generation_id), (0, 1));
    assert_eq!((&response.leader, &response.member_id), (&id, &id));
    assert_eq!(
        (response.protocol_type, response.protocol_name),
        (Some(text("consumer")), Some(text("range")))
    );
    assert_eq!(response.members.len(), 1);
    assert_eq!(classic(&world).state, State::CompletingRebalance);
}

#[test]
fn an_initial_delay_gathers_members_and_is_prolonged_by_them() {
    let mut world = World::new(GroupConfig {
        initial_rebalance_delay_ms: 3_000,
        ..GroupConfig::default()
    });
    join_dynamic(&mut world);
    world.advance(2_000);
    join_dynamic(&mut world);
    world.advance(2_000);
    assert!(joins(&mut world).is_empty(), "prolonged by the second member");
    world.advance(2_000);
    assert_eq!(joins(&mut world).len(), 2);
    assert_eq!(classic(&world).generation, 1);
}

#[test]
fn joins_are_refused_in_kafkas_order() {
    let mut world = world();
    let known = text("nobody");
    let mut nameless = join_request(&known, None, &["range"]).with_session_timeout_ms(1);
    nameless.group_id = Default::default();
    assert_eq!(
        answer(world.join(9, nameless)).error_code,
        code(ResponseError::InvalidGroupId)
    );
    for session_timeout_ms in [5_999, 1_800_001] {
        let request = join_request(&known, None, &["range"]).with_session_timeout_ms(session_timeout_ms);
        let response = answer(world.join(9, request));
        assert_eq!(
            (response.error_code, response.member_id),
            (code(ResponseError::InvalidSessionTimeout), known.clone())
        );
    }
    assert_eq!(
        answer(world.join(9, join_request(&known, None, &[]))).error_code,
        code(ResponseError::UnknownMemberId)
    );
    assert!(!world.group.exists());
    let response = answer(world.join(9, join_request(&StrBytes::default(), None, &[])));
    assert_eq!(response.error_code, code(ResponseError::InconsistentGroupProtocol));
    // As in Apache Kafka, asking was enough to make the group.
    assert_eq!(classic(&world).state, State::Empty);

    let (leader, _) = stable_pair(&mut world);
    let response = answer(world.join(9, join_request(&StrBytes::default(), None, &["sticky"])));
    assert_eq!(
        (response.error_code, response.member_id),
        (code(ResponseError::InconsistentGroupProtocol), StrBytes::default())
    );
    let response = answer(world.join(9, join_request(&leader, Some(&text("i")), &["range"])));
    assert_eq!(
        (response.error_code, response.protocol_name),
        (code(ResponseError::UnknownMemberId), None)
    );
}

#[test]
fn before_version_four_a_member_joins_without_an_id() {
    let mut world = world();
    assert!(matches!(
        world.join(3, join_request(&StrBytes::default(), None, &["range"])),
        Sent::Parked(_)
    ));
    assert_eq!(joins(&mut world)[0].generation_id, 1);
}

#[test]
fn a_full_group_refuses_the_next() {
    let mut world = World::new(GroupConfig {
        max_size: 2,
        ..GroupConfig::default()
    });
    stable_pair(&mut world);
    let response = answer(world.join(9, join_request(&StrBytes::default(), None, &["range"])));
    assert_eq!(response.error_code, code(ResponseError::GroupMaxSizeReached));
}

#[test]
fn the_protocol_that_most_prefer_among_those_all_speak_is_chosen() {
    let mut world = World::new(GroupConfig {
        initial_rebalance_delay_ms: 1_000,
        ..GroupConfig::default()
    });
    for protocols in [&["a", "b", "c"], &["c", "b", "x"], &["b", "c", "y"], &["b", "c", "z"]] {
        assert!(matches!(
            world.join(3, join_request(&StrBytes::default(), None, protocols)),
            Sent::Parked(_)
        ));
    }
    world.advance(2_000);
    assert!(
        joins(&mut world)
            .iter()
            .all(|response| response.protocol_name == Some(text("b")))
    );
}

#[test]
fn a_follower_that_joins_again_unchanged_disturbs_nobody_and_a_leader_does() {
    let mut world = world();
    let (leader, follower) = stable_pair(&mut world);
    let response = answer(world.join(9, join_request(&follower, None, &["range"])));
    assert_eq!(
        (response.generation_id, &response.leader, response.members.len()),
        (2, &leader, 0)
    );
    assert_eq!(
        answer(world.sync(sync_request(&follower, 2))).assignment,
        follower.clone().into_bytes()
    );
    assert_eq!(classic(&world).state, State::Stable);
    assert!(matches!(
        world.join(9, join_request(&leader, None, &["range"])),
        Sent::Parked(_)
    ));
    assert_eq!(classic(&world).state, State::PreparingRebalance);
    assert_eq!(
        heartbeat(&mut world, &follower, 2),
        code(ResponseError::RebalanceInProgress)
    );
}

#[test]
fn a_join_lost_on_its_way_back_can_be_repeated() {
    let mut world = world();
    let id = join_dynamic(&mut world);
    joins(&mut world);
    let response = answer(world.join(9, join_request(&id, None, &["range"])));
    assert_eq!((response.generation_id, response.members.len()), (1, 1));
}

#[test]
fn members_that_do_not_rejoin_in_time_are_out() {
    let mut world = world();
    let (leader, follower) = stable_pair(&mut world);
    assert!(matches!(
        world.join(9, join_request(&leader, None, &["range"])),
        Sent::Parked(_)
    ));
    for _ in 0..REBALANCE_TIMEOUT_MS / 5_000 {
        world.advance(5_000);
        heartbeat(&mut world, &follower, 2);
    }
    assert_eq!(joins(&mut world).len(), 1);
    assert_eq!(classic(&world).members.keys().collect::<Vec<_>>(), [&leader]);
    assert_eq!(
        heartbeat(&mut world, &follower, 2),
        code(ResponseError::UnknownMemberId)
    );
}

#[test]
fn members_that_do_not_sync_in_time_are_out() {
    let mut world = world();
    let leader = join_dynamic(&mut world);
    for _ in 0..REBALANCE_TIMEOUT_MS / 5_000 {
        assert_eq!(classic(&world).state, State::CompletingRebalance);
        assert_eq!(heartbeat(&mut world, &leader, 1), 0);
        world.advance(5_000);
    }
    assert_eq!(classic(&world).state, State::Empty);
    assert_eq!(classic(&world).generation, 2);
}

#[test]
fn syncs_and_heartbeats_are_refused_in_kafkas_order() {
    let mut world = world();
    assert_eq!(
        heartbeat(&mut world, &text("m"), 1),
        code(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        answer(world.sync(sync_request(&text("m"), 1))).error_code,
        code(ResponseError::UnknownMemberId)
    );
    let (leader, _) = stable_pair(&mut world);
    assert_eq!(
        heartbeat(&mut world, &text("m"), 7),
        code(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        heartbeat(&mut world, &leader, 7),
        code(ResponseError::IllegalGeneration)
    );
    assert_eq!(heartbeat(&mut world, &leader, 2), 0);
    let odd = sync_request(&leader, 7).with_protocol_name(Some(text("other")));
    assert_eq!(
        answer(world.sync(odd.clone())).error_code,
        code(ResponseError::IllegalGeneration)
    );
    assert_eq!(
        answer(world.sync(odd.with_generation_id(2))).error_code,
        code(ResponseError::InconsistentGroupProtocol)
    );
    let mut nameless = sync_request(&leader, 2);
    nameless.group_id = Default::default();
    assert_eq!(
        answer(world.sync(nameless)).error_code,
        code(ResponseError::InvalidGroupId)
    );
}

#[test]
fn a_member_that_falls_silent_is_removed_and_the_others_rebalance() {
    let mut world = world();
    let (leader, follower) = stable_pair(&mut world);
    world.advance(i64::from(SESSION_TIMEOUT_MS) - 1);
    assert_eq!(heartbeat(&mut world, &leader, 2), 0);
    world.advance(1);
    assert_eq!(classic(&world).state, State::PreparingRebalance);
    assert_eq!(
        heartbeat(&mut world, &follower, 2),
        code(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        heartbeat(&mut world, &leader, 2),
        code(ResponseError::RebalanceInProgress)
    );
}

#[test]
fn leaving_answers_per_member_and_empties_the_group() {
    let mut world = world();
    let (leader, follower) = stable_pair(&mut world);
    let identity = |id: &StrBytes| MemberIdentity::default().with_member_id(id.clone());
    let by_instance = MemberIdentity::default().with_group_instance_id(Some(text("i")));
    let members = vec![identity(&leader), identity(&text("m")), by_instance, identity(&leader)];
    let unknown = code(ResponseError::UnknownMemberId);
    let request = LeaveGroupRequest::default()
        .with_group_id(group_id())
        .with_members(members);
    assert_eq!(answer(world.leave(&request)), [0, unknown, unknown, unknown]);
    assert_eq!(classic(&world).state, State::PreparingRebalance);
    let request = LeaveGroupRequest::default()
        .with_group_id(group_id())
        .with_members(vec![identity(&follower)]);
    assert_eq!(answer(world.leave(&request)), [0]);
    assert_eq!((classic(&world).state, classic(&world).generation), (State::Empty, 3));
    let elsewhere = LeaveGroupRequest::default().with_group_id(group_id());
    assert_eq!(answer(world.leave(&elsewhere)), Vec::<i16>::new());
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_its_former_self_is_fenced() {
    let mut world = world();
    assert!(matches!(join_static(&mut world, "i-1"), Sent::Parked(_)));
    let old_id = joins(&mut world).remove(0).member_id;
    assert!(old_id.starts_with("i-1-"));
    assert!(matches!(assign(&mut world, &old_id), Sent::Parked(_)));
    syncs(&mut world);

    let response = answer(join_static(&mut world, "i-1"));
    assert_eq!(
        (response.error_code, response.generation_id, response.skip_assignment),
        (0, 1, true)
    );
    assert_ne!(response.member_id, old_id);
    assert_eq!(
        (response.leader == response.member_id, response.members.len()),
        (true, 1)
    );
    let new_id = response.member_id;
    assert_eq!(classic(&world).state, State::Stable);
    let mut request = HeartbeatRequest::default()
        .with_group_id(group_id())
        .with_member_id(old_id.clone())
        .with_generation_id(1);
    assert_eq!(answer(world.heartbeat(&request)), code(ResponseError::UnknownMemberId));
    request.group_instance_id = Some(text("i-1"));
    assert_eq!(answer(world.heartbeat(&request)), code(ResponseError::FencedInstanceId));
    // It finds the assignment of its former self, also after a restart.
    world.crash();
    let assignment = answer(world.sync(sync_request(&new_id, 1).with_group_instance_id(Some(text("i-1"))))).assignment;
    assert_eq!(assignment, old_id.into_bytes());
}

#[test]
fn before_version_nine_a_static_leader_that_comes_back_believes_it_follows() {
    let mut world = world();
    assert!(matches!(join_static(&mut world, "i-1"), Sent::Parked(_)));
    let old_id = joins(&mut world).remove(0).member_id;
    assert!(matches!(assign(&mut world, &old_id), Sent::Parked(_)));
    let response = answer(world.join(8, join_request(&StrBytes::default(), Some(&text("i-1")), &["range"])));
    assert_eq!(
        (response.leader, response.members.len(), response.skip_assignment),
        (old_id, 0, false)
    );
}

#[test]
fn a_static_member_that_comes_back_while_the_leader_assigns_starts_over() {
    let mut world = world();
    assert!(matches!(join_static(&mut world, "i-1"), Sent::Parked(_)));
    joins(&mut world);
    assert!(matches!(join_static(&mut world, "i-1"), Sent::Parked(_)));
    let response = joins(&mut world).remove(0);
    assert_eq!(response.generation_id, 2);
    // And one that waits to join is told that it is fenced.
    let mut world = World::new(GroupConfig {
        initial_rebalance_delay_ms: 1_000,
        ..GroupConfig::default()
    });
    assert!(matches!(join_static(&mut world, "i-1"), Sent::Parked(_)));
    assert!(matches!(join_static(&mut world, "i-1"), Sent::Parked(_)));
    assert_eq!(
        joins(&mut world).remove(0).error_code,
        code(ResponseError::FencedInstanceId)
    );
}
