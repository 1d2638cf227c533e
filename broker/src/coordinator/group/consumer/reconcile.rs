//! A member's next step towards its target.

use std::collections::{BTreeSet, HashSet};

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use uuid::Uuid;

use super::{ConsumerMember, MemberState};
use crate::coordinator::group::assignor::Assignment;

/// What the member becomes, given what it says it owns (`None`: as before), what anybody holds, and the epoch of the target.
pub(super) fn reconcile(
    member: &ConsumerMember,
    owned: Option<&[TopicPartitions]>,
    held: impl FnOnce() -> HashSet<(Uuid, i32)>,
    assignment_epoch: i32,
) -> ConsumerMember {
    match member.state {
        MemberState::Stable if member.epoch == assignment_epoch => member.clone(),
        MemberState::UnrevokedPartitions if owns_any(owned, &member.revoking) => member.clone(),
        // All is given up: that ends one epoch.
        MemberState::UnrevokedPartitions => {
            next(member, member.epoch.saturating_add(1), owned, &held(), assignment_epoch)
        }
        MemberState::Stable | MemberState::UnreleasedPartitions => {
            next(member, member.epoch, owned, &held(), assignment_epoch)
        }
    }
}

fn next(
    member: &ConsumerMember,
    epoch: i32,
    owned: Option<&[TopicPartitions]>,
    held: &HashSet<(Uuid, i32)>,
    assignment_epoch: i32,
) -> ConsumerMember {
    let mut kept = Assignment::new();
    let mut revoking = Assignment::new();
    for (topic, partition) in pairs(&member.assigned) {
        let stays = member
            .target
            .get(&topic)
            .is_some_and(|target| target.contains(&partition));
        let side = if stays { &mut kept } else { &mut revoking };
        side.entry(topic).or_default().insert(partition);
    }
    if !revoking.is_empty() && owns_any(owned, &revoking) {
        let state = MemberState::UnrevokedPartitions;
        return ConsumerMember {
            state,
            epoch,
            previous_epoch: member.epoch,
            assigned: kept,
            revoking,
            ..member.clone()
        };
    }
    let mut waits = false;
    for (topic, partition) in pairs(&member.target) {
        if kept.get(&topic).is_some_and(|kept| kept.contains(&partition)) {
            continue;
        }
        if held.contains(&(topic, partition)) {
            waits = true;
        } else {
            kept.entry(topic).or_default().insert(partition);
        }
    }
    let state = if waits {
        MemberState::UnreleasedPartitions
    } else {
        MemberState::Stable
    };
    let revoking = Assignment::new();
    ConsumerMember {
        state,
        epoch: assignment_epoch,
        previous_epoch: member.epoch,
        assigned: kept,
        revoking,
        ..member.clone()
    }
}

fn pairs(assignment: &Assignment) -> impl Iterator<Item = (Uuid, i32)> + '_ {
    assignment
        .iter()
        .flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}

/// Whether the member says, or does not deny, that it owns some of these.
fn owns_any(owned: Option<&[TopicPartitions]>, partitions: &Assignment) -> bool {
    let Some(owned) = owned else { return true };
    let among = |topic: &TopicPartitions, given: &BTreeSet<i32>| {
        topic.partitions.iter().any(|partition| given.contains(partition))
    };
    owned
        .iter()
        .any(|topic| partitions.get(&topic.topic_id).is_some_and(|given| among(topic, given)))
}

/// Whether the member says that it owns these or fewer.
pub(super) fn owns_at_most(owned: Option<&[TopicPartitions]>, partitions: &Assignment) -> bool {
    let Some(owned) = owned else { return false };
    let all_among = |topic: &TopicPartitions, given: &BTreeSet<i32>| {
        topic.partitions.iter().all(|partition| given.contains(partition))
    };
    owned.iter().all(|topic| {
        partitions
            .get(&topic.topic_id)
            .is_some_and(|given| all_among(topic, given))
    })
}
