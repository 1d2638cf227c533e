//! When committed offsets go by themselves.

use kafka_protocol::protocol::StrBytes;

use super::CommittedOffset;
use crate::coordinator::group::classic::State;
use crate::coordinator::group::{Group, GroupConfig, Outcome, Record};

/// Decides which offsets have outlived `offsets.retention.minutes`, and whether the group goes with the last of them.
pub fn expire(group: &Group, config: &GroupConfig, now_ms: i64) -> Outcome<()> {
    if !group.exists() {
        return Outcome::reply(());
    }
    let mut records = Vec::new();
    let mut all_expired = true;
    for (topic, partition, offset) in group.offsets.iter() {
        let is_pending = group.pending.has(topic, partition);
        if !group.is_subscribed_to(topic) && !is_pending && is_expired(group, config, now_ms, offset) {
            records.push(Record::Offset {
                topic: topic.clone(),
                partition,
                value: None,
            });
        } else {
            all_expired = false;
        }
    }
    if all_expired && !group.has_members() && group.pending.is_empty() {
        records.push(Record::Removed);
    }
    Outcome {
        reply: (),
        records,
        effects: Vec::new(),
    }
}

fn is_expired(group: &Group, config: &GroupConfig, now_ms: i64, offset: &CommittedOffset) -> bool {
    let Some(since_ms) = retained_since_ms(group, offset) else {
        return false;
    };
    match offset.expire_timestamp_ms {
        Some(expire_timestamp_ms) => now_ms >= expire_timestamp_ms,
        None => now_ms.saturating_sub(since_ms) >= config.offsets_retention_ms,
    }
}

/// Since when the offset's retention is counted; `None` while it is kept anyway.
fn retained_since_ms(group: &Group, offset: &CommittedOffset) -> Option<i64> {
    let Some(classic) = &group.membership else {
        return Some(offset.commit_timestamp_ms);
    };
    match (&classic.protocol_type, classic.state) {
        // A group without members keeps its offsets for that long after the last one left.
        (Some(_), State::Empty) => Some(classic.state_since_ms.unwrap_or(offset.commit_timestamp_ms)),
        // A stable group of consumers keeps those of topics that it no longer reads, counted from the commit.
        (Some(_), State::Stable) if classic.uses_consumer_protocol() && classic.subscribed_topics.is_some() => {
            Some(offset.commit_timestamp_ms)
        }
        (Some(_), _) => None,
        // Consumers that assign themselves: counted from the commit.
        (None, _) => Some(offset.commit_timestamp_ms),
    }
}

/// Decides what remains when topics are deleted: their offsets go, in every group.
pub fn forget_topics(group: &Group, is_deleted: impl Fn(&StrBytes) -> bool) -> Outcome<()> {
    let gone = group.offsets.iter().filter(|(topic, ..)| is_deleted(topic));
    let offsets = gone.map(|(topic, partition, _)| Record::Offset {
        topic: topic.clone(),
        partition,
        value: None,
    });
    let pending = group.pending.iter().filter(|(_, topic, ..)| is_deleted(topic));
    let pending = pending.map(|(producer_id, topic, partition, _)| Record::PendingOffset {
        producer_id,
        topic: topic.clone(),
        partition,
        value: None,
    });
    Outcome {
        reply: (),
        records: offsets.chain(pending).collect(),
        effects: Vec::new(),
    }
}
