//! `__consumer_offsets`: what the group coordinator stores, as Apache Kafka 4.1 writes it.
//!
//! [`changes()`] says which records a change of a group comes to; [`image`] says which there are of a group as it is. For
//! every key, the last of the former is in the latter.
//!
//! | type | about | value |
//! |---|---|---|
//! | 1 | group, topic, partition | a committed offset |
//! | 2 | group | a classic group, whole, as of its last completed rebalance |
//! | 3 | group | a consumer group's epoch |
//! | 4 | group | tombstones only |
//! | 5 | group, member | what a member of a consumer group wants |
//! | 6 | group | the epoch of the target |
//! | 7 | group, member | what a member is meant to have |
//! | 8 | group, member | what a member has |
//! | 16 | group, expression | the topics that an expression matches |

mod changes;
mod consumer;
mod keys;
#[cfg(test)]
mod tests;
mod values;

use super::Entry;
use crate::coordinator::group::{ClassicGroup, Group};

pub(crate) use changes::changes;

/// The records of a group as it is now, but for the offsets of open transactions.
pub(crate) fn image(group_id: &str, group: &Group, now_ms: i64) -> Vec<Entry> {
    let mut entries = Vec::new();
    if let Some(classic) = group.membership.as_ref().filter(|classic| is_recorded(classic)) {
        entries.push(Entry::put(
            keys::classic_group(group_id),
            values::classic_group(classic),
        ));
    }
    if let Some(consumer) = &group.consumer {
        consumer::put_all(group_id, consumer, now_ms, &mut entries);
    }
    let offsets = group.offsets.iter();
    entries.extend(offsets.map(|(topic, partition, offset)| {
        Entry::put(keys::offset(group_id, topic, partition), values::offset(offset))
    }));
    entries
}

/// An offset that waits for the end of a transaction, as its record says it.
pub(crate) struct Pending {
    /// Whose transaction.
    pub producer_id: i64,
    /// The record.
    pub entry: Entry,
}

/// The offsets of open transactions that will count if those are committed, in the order in which they came.
pub(crate) fn pending(group_id: &str, group: &Group) -> Vec<Pending> {
    let mut pending: Vec<_> = group
        .pending
        .iter()
        .filter(|(.., pending)| !pending.superseded)
        .collect();
    pending.sort_by_key(|(.., pending)| pending.sequence);
    let entries = pending
        .into_iter()
        .map(|(producer_id, topic, partition, pending)| Pending {
            producer_id,
            entry: Entry::put(
                keys::offset(group_id, topic, partition),
                values::offset(&pending.offset),
            ),
        });
    entries.collect()
}

/// Whether two values of a key say the same. When an expression was looked at is not part of a group's state.
pub(crate) fn same(key: &[u8], one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) if keys::is_expression(key) => {
            let topics = |value: &[u8]| value.len().checked_sub(values::EXPRESSION_TIMES_LEN);
            topics(one).is_some() && topics(one) == topics(other) && {
                let len = topics(one).unwrap_or(0);
                one[..len] == other[..len]
            }
        }
        (one, other) => one == other,
    }
}

/// Whether there is a record of a classic group. Of one that only ever committed there is none: its offsets tell of it.
fn is_recorded(classic: &ClassicGroup) -> bool {
    classic.protocol_type.is_some() || classic.state_since_ms.is_some() || classic.generation != 0
}
