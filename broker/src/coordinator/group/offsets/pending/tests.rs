//! What of pending offsets counts in the end: live, and as stored.

use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, TopicName, offset_commit_request as plain,
    offset_delete_request as deleted,
};

use super::*;
use crate::coordinator::group::apply;
use crate::coordinator::group::offsets::{commit, delete, expire, forget_topics};
use crate::coordinator::partition_for;
use crate::metadata::groups::GroupStore;
use crate::metadata::store::Store;

#[test]
fn a_groups_partition_is_apache_kafkas() {
    // "g".hashCode() is 103, "polygenelubricants".hashCode() is Integer.MIN_VALUE, whose absolute value Kafka takes for 0.
    assert_eq!(partition_for("g", 50), 3);
    assert_eq!(partition_for("polygenelubricants", 50), 0);
    // "zzzzzz".hashCode() is -685785664.
    assert_eq!(partition_for("zzzzzz", 50), 14);
    assert_eq!(partition_for("", 50), 0);
}

fn in_partition(partition: i32) -> impl Fn(&StrBytes) -> bool {
    move |group_id| partition_for(group_id, 50) == partition
}

const TOPIC: StrBytes = StrBytes::from_static_str("t");
const GROUP: StrBytes = StrBytes::from_static_str("g");

/// A group, live and as stored.
struct World {
    group: Group,
    store: GroupStore,
}

impl World {
    fn new() -> World {
        World {
            group: Group::default(),
            store: GroupStore::open(&Store::in_memory()).unwrap(),
        }
    }

    fn take<R>(&mut self, outcome: Outcome<R>) -> R {
        self.store.write(&GROUP, &self.group, &outcome.records).unwrap();
        outcome.records.iter().for_each(|record| apply(&mut self.group, record));
        let stored = self.store.load().unwrap().remove(&GROUP).unwrap_or_default();
        assert_eq!(
            (&stored.offsets, &stored.pending),
            (&self.group.offsets, &self.group.pending)
        );
        outcome.reply
    }

    fn pend(&mut self, producer_id: i64, offset: i64) {
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(TOPIC))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_producer_id(producer_id.into())
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let outcome = commit_pending(&self.group, &GroupConfig::default(), 1, &request);
        assert_eq!(self.take(outcome).topics[0].partitions[0].error_code, 0);
    }

    fn commit(&mut self, offset: i64) {
        let partition = plain::OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = plain::OffsetCommitRequestTopic::default()
            .with_name(TopicName(TOPIC))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let outcome = commit(&self.group, &GroupConfig::default(), 1, 8, &request);
        self.take(outcome);
    }

    fn end(&mut self, producer_id: i64, commit: bool) {
        let outcome = end_transaction(&self.group, producer_id, commit);
        self.take(outcome);
    }

    fn committed(&self) -> Option<i64> {
        self.group.offsets.get(&TOPIC, 0).map(|committed| committed.offset)
    }
}

#[test]
fn of_several_commits_the_last_one_counts() {
    let mut world = World::new();
    world.pend(1, 5);
    assert!(world.group.exists() && world.group.pending.has(&TOPIC, 0));
    assert_eq!(world.committed(), None);
    world.end(1, true);
    assert_eq!(world.committed(), Some(5));
    // A plain commit after the pending one.
    world.pend(1, 6);
    world.commit(9);
    world.end(1, true);
    assert_eq!(world.committed(), Some(9));
    // Two transactions, ended in their order and against it.
    for first in [1, 2] {
        world.pend(1, 20);
        world.pend(2, 30);
        world.end(first, true);
        assert!(world.group.pending.has(&TOPIC, 0));
        world.end(3 - first, true);
        assert_eq!(world.committed(), Some(30));
        world.commit(0);
    }
    // The same transaction commits again.
    world.pend(1, 7);
    world.pend(1, 8);
    world.end(1, true);
    assert_eq!(world.committed(), Some(8));
    world.pend(1, 99);
    world.end(1, false);
    world.end(1, true);
    assert_eq!(world.committed(), Some(8));
    assert!(world.group.pending.is_empty());
}

#[test]
fn what_is_deleted_does_not_come_back_and_what_is_pending_does_not_expire() {
    let mut world = World::new();
    let config = GroupConfig::default();
    world.commit(1);
    world.pend(1, 5);
    let outcome = expire(&world.group, &config, i64::MAX);
    world.take(outcome);
    assert_eq!(world.committed(), Some(1));
    let partition = deleted::OffsetDeleteRequestPartition::default();
    let topic = deleted::OffsetDeleteRequestTopic::default()
        .with_name(TopicName(TOPIC))
        .with_partitions(vec![partition]);
    let request = OffsetDeleteRequest::default()
        .with_group_id(kafka_protocol::messages::GroupId(GROUP))
        .with_topics(vec![topic]);
    let outcome = delete(&world.group, &request);
    assert_eq!(world.take(outcome).error_code, 0);
    assert!(world.group.pending.is_empty());
    world.end(1, true);
    assert_eq!(world.committed(), None);
    world.pend(1, 5);
    let outcome = expire(&world.group, &config, i64::MAX);
    world.take(outcome);
    assert!(world.group.exists(), "a pending offset keeps the group");
    let outcome = forget_topics(&world.group, |topic| *topic == TOPIC);
    world.take(outcome);
    assert!(world.group.pending.is_empty());
    let outcome = expire(&world.group, &config, i64::MAX);
    world.take(outcome);
    assert!(!world.group.exists());
}

#[test]
fn the_index_finds_groups_by_producer_and_partition() {
    let mut index = PendingIndex::default();
    let other = StrBytes::from_static_str("h");
    index.add(1, &GROUP);
    index.add(1, &other);
    index.add(2, &GROUP);
    assert_eq!(index.groups(1, in_partition(3)), [GROUP]);
    assert_eq!(index.groups(1, in_partition(4)), [other]);
    index.remove(1, &GROUP);
    assert!(index.groups(1, in_partition(3)).is_empty());
    assert_eq!(index.groups(2, in_partition(3)), [GROUP]);
}
