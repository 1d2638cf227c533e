//! Where groups and committed offsets are kept.
//!
//! One tree, so that a change of a group is one batch. Its keys start with the group id (two bytes of length, and the
//! id), so that the entries of one group lie together:
//!
//! | after the group id | value |
//! |---|---|
//! | `0` | the membership as of the last completed rebalance, or as of the change over from the other protocol |
//! | `1`, topic (length, name), partition (4, big endian) | a committed offset |
//! | `2` | a consumer group's epochs and topics; instead of `0` |
//! | `3`, member id (length, text) | a member of a consumer group, with what it owns and is meant to own |
//! | `4`, producer id (8), topic (length, name), partition (4) | an offset that waits for the end of a transaction |
//!
//! Values start with a version byte and follow, field by field, what Apache Kafka writes to `__consumer_offsets`
//! (`GroupMetadataValue`, `OffsetCommitValue`), but for all protocols of a member being kept instead of the selected
//! one only. An entry that cannot be read is logged and left out: a damaged group must not keep the others away.

mod codec;
mod consumer_codec;

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use super::store::{Batch, Store, StoreError, Tree};
use crate::coordinator::group::{self, Group, Record};

const TREE: &str = "groups";

/// What one key holds.
enum Kind {
    Membership,
    Offset {
        topic: StrBytes,
        partition: i32,
    },
    ConsumerHead,
    ConsumerMember {
        member_id: StrBytes,
    },
    PendingOffset {
        producer_id: i64,
        topic: StrBytes,
        partition: i32,
    },
}

/// The stored groups. Clones share them.
#[derive(Clone, Debug)]
pub struct GroupStore {
    tree: Tree,
}

impl GroupStore {
    /// Opens the tree of groups in `store`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn open(store: &Store) -> Result<GroupStore, StoreError> {
        Ok(GroupStore {
            tree: store.tree(TREE)?,
        })
    }

    /// Every group, as a restart finds it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn load(&self) -> Result<BTreeMap<StrBytes, Group>, StoreError> {
        let mut groups: BTreeMap<StrBytes, Group> = BTreeMap::new();
        for entry in self.tree.scan_prefix(&[]) {
            let (key, value) = entry?;
            match decode(&key, &value) {
                Some((group_id, record)) => group::apply(groups.entry(group_id).or_default(), &record),
                None => tracing::warn!(key = %key.escape_ascii(), "left out a damaged entry of a group"),
            }
        }
        Ok(groups)
    }

    /// Writes the durable ones among the records of a group that is `before` without them, all or none. Whether there
    /// was anything to write; it is safe from power loss only after [`Self::flush`].
    ///
    /// # Errors
    /// [`StoreError::Database`]: nothing was written.
    pub fn write(&self, group_id: &StrBytes, before: &Group, records: &[Record]) -> Result<bool, StoreError> {
        let mut batch = Batch::default();
        for record in records.iter().filter(|record| record.is_durable()) {
            match record {
                Record::Membership { group, .. } => {
                    batch.put(key(group_id, &Kind::Membership), codec::encode_membership(group));
                    batch.remove(key(group_id, &Kind::ConsumerHead));
                    // A consumer group that becomes a classic one may have members.
                    let members = before.consumer.iter().flat_map(|consumer| consumer.members.keys());
                    for member_id in members.cloned() {
                        batch.remove(key(group_id, &Kind::ConsumerMember { member_id }));
                    }
                }
                Record::ConsumerHead { head, .. } => {
                    batch.put(key(group_id, &Kind::ConsumerHead), consumer_codec::encode_head(head));
                    batch.remove(key(group_id, &Kind::Membership));
                }
                Record::ConsumerMember { member_id, member } => {
                    let key = key(
                        group_id,
                        &Kind::ConsumerMember {
                            member_id: member_id.clone(),
                        },
                    );
                    match member {
                        Some(member) => batch.put(key, consumer_codec::encode_member(member)),
                        None => batch.remove(key),
                    }
                }
                Record::Offset {
                    topic,
                    partition,
                    value,
                } => {
                    let key = key(
                        group_id,
                        &Kind::Offset {
                            topic: topic.clone(),
                            partition: *partition,
                        },
                    );
                    match value {
                        Some(value) => batch.put(key, codec::encode_offset(value)),
                        None => batch.remove(key),
                    }
                }
                Record::PendingOffset {
                    producer_id,
                    topic,
                    partition,
                    value,
                } => {
                    let key = pending_key(group_id, *producer_id, topic, *partition);
                    match value {
                        Some(value) => batch.put(key, codec::encode_pending_offset(value)),
                        None => batch.remove(key),
                    }
                }
                Record::Removed => {
                    batch.remove(key(group_id, &Kind::Membership));
                    batch.remove(key(group_id, &Kind::ConsumerHead));
                    for (producer_id, topic, partition, _) in before.pending.iter() {
                        batch.remove(pending_key(group_id, producer_id, topic, partition));
                    }
                    for (topic, partition, _) in before.offsets.iter() {
                        batch.remove(key(
                            group_id,
                            &Kind::Offset {
                                topic: topic.clone(),
                                partition,
                            },
                        ));
                    }
                }
            }
        }
        let anything = !batch.is_empty();
        if anything {
            self.tree.apply(batch)?;
        }
        Ok(anything)
    }

    /// Returns when everything written before survives power loss.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.tree.store().flush().await
    }
}

fn pending_key(group_id: &StrBytes, producer_id: i64, topic: &StrBytes, partition: i32) -> Vec<u8> {
    let kind = Kind::PendingOffset {
        producer_id,
        topic: topic.clone(),
        partition,
    };
    key(group_id, &kind)
}

fn key(group_id: &StrBytes, kind: &Kind) -> Vec<u8> {
    let mut key = Vec::with_capacity(group_id.len() + 32);
    codec::put_string(&mut key, group_id);
    match kind {
        Kind::Membership => key.push(0),
        Kind::Offset { topic, partition } => {
            key.push(1);
            codec::put_string(&mut key, topic);
            key.extend(partition.to_be_bytes());
        }
        Kind::ConsumerHead => key.push(2),
        Kind::ConsumerMember { member_id } => {
            key.push(3);
            codec::put_string(&mut key, member_id);
        }
        Kind::PendingOffset {
            producer_id,
            topic,
            partition,
        } => {
            key.push(4);
            key.extend(producer_id.to_be_bytes());
            codec::put_string(&mut key, topic);
            key.extend(partition.to_be_bytes());
        }
    }
    key
}

fn decode(key: &[u8], value: &[u8]) -> Option<(StrBytes, Record)> {
    let mut key = codec::Reader(key);
    let group_id = key.string()?;
    let record = match key.u8()? {
        0 => Record::Membership {
            group: Box::new(codec::decode_membership(value)?),
            durable: true,
        },
        1 => {
            let (topic, partition) = (key.string()?, key.i32()?);
            Record::Offset {
                topic,
                partition,
                value: Some(codec::decode_offset(value)?),
            }
        }
        2 => Record::ConsumerHead {
            head: Box::new(consumer_codec::decode_head(value)?),
            durable: true,
        },
        3 => {
            let member = consumer_codec::decode_member(key.string()?, value)?;
            Record::ConsumerMember {
                member_id: member.id.clone(),
                member: Some(Arc::new(member)),
            }
        }
        4 => Record::PendingOffset {
            producer_id: key.i64()?,
            topic: key.string()?,
            partition: key.i32()?,
            value: Some(codec::decode_pending_offset(value)?),
        },
        _ => return None,
    };
    Some((group_id, record))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::coordinator::group::classic::{Member, Protocol, State};
    use crate::coordinator::group::{ClassicGroup, CommittedOffset};

    fn text(text: &str) -> StrBytes {
        StrBytes::from_string(text.to_owned())
    }

    fn membership() -> ClassicGroup {
        let member = Member {
            id: text("m-1"),
            instance_id: Some(text("i-1")),
            client_id: text("client"),
            client_host: text("/127.0.0.1"),
            rebalance_timeout_ms: 300_000,
            session_timeout_ms: 45_000,
            protocols: vec![
                Protocol {
                    name: text("range"),
                    metadata: Bytes::from_static(b"\0\x01\0\0\0\x01\0\x01a"),
                },
                Protocol {
                    name: text("sticky"),
                    metadata: Bytes::new(),
                },
            ],
            assignment: Bytes::from_static(b"mine"),
            awaiting_join: false,
            awaiting_sync: false,
            is_new: false,
        };
        let mut group = ClassicGroup {
            state: State::Stable,
            state_since_ms: Some(1_700_000_000_000),
            generation: 7,
            protocol_type: Some(text("consumer")),
            protocol_name: Some(text("range")),
            leader: Some(text("m-1")),
            members: [(text("m-1"), Arc::new(member))].into(),
            ..ClassicGroup::default()
        };
        group.rebuild();
        group
    }

    fn offset(offset: i64) -> Record {
        let value = CommittedOffset {
            offset,
            leader_epoch: 3,
            metadata: text("note"),
            commit_timestamp_ms: 5,
            expire_timestamp_ms: (offset % 2 == 0).then_some(9),
        };
        Record::Offset {
            topic: text("prices"),
            partition: 4,
            value: Some(value),
        }
    }

    #[test]
    fn what_is_written_is_found_again() {
        let store = GroupStore::open(&Store::in_memory()).unwrap();
        // Ids and topics of which one starts with the other must not run into each other.
        let (one, other) = (text("g"), text("gg"));
        let records = [
            Record::Membership {
                group: Box::new(membership()),
                durable: true,
            },
            offset(1),
            offset(2),
        ];
        assert!(store.write(&one, &Group::default(), &records).unwrap());
        assert!(store.write(&other, &Group::default(), &[offset(3)]).unwrap());

        let mut expected = Group::default();
        records.iter().for_each(|record| group::apply(&mut expected, record));
        let groups = store.load().unwrap();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[&one], expected);
        assert_eq!(
            groups[&one]
                .membership
                .as_ref()
                .unwrap()
                .subscribed_topics
                .as_ref()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(groups[&other].offsets.get(&text("prices"), 4).unwrap().offset, 3);
        assert!(groups[&other].exists());

        assert!(store.write(&one, &expected, &[Record::Removed]).unwrap());
        assert_eq!(store.load().unwrap().into_keys().collect::<Vec<_>>(), [other]);
    }

    #[test]
    fn an_owed_rebalance_is_found_again() {
        let owing = ClassicGroup {
            state: State::PreparingRebalance,
            ..membership()
        };
        let written = codec::encode_membership(&owing);
        assert_eq!(codec::decode_membership(&written), Some(owing));
    }

    #[test]
    fn a_membership_of_version_1_is_read() {
        let mut written = codec::encode_membership(&membership());
        written[0] = 1;
        // The version, two present strings, the generation, the leader and the time come before what is new in version 2.
        written.remove(1 + (3 + 8) + 4 + (3 + 5) + (3 + 3) + 8);
        assert_eq!(codec::decode_membership(&written), Some(membership()));
    }

    #[test]
    fn what_is_not_durable_is_not_written() {
        let store = GroupStore::open(&Store::in_memory()).unwrap();
        let record = Record::Membership {
            group: Box::new(membership()),
            durable: false,
        };
        assert!(!store.write(&text("g"), &Group::default(), &[record]).unwrap());
        assert!(store.load().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_entry_is_left_out_at_any_cut() {
        let whole = codec::encode_membership(&membership());
        for cut in 0..whole.len() {
            assert!(codec::decode_membership(&whole[..cut]).is_none(), "cut at {cut}");
        }
        let store = Store::in_memory();
        let groups = GroupStore::open(&store).unwrap();
        groups.write(&text("g"), &Group::default(), &[offset(1)]).unwrap();
        store
            .tree(TREE)
            .unwrap()
            .put(&key(&text("bad"), &Kind::Membership), &whole[..9])
            .unwrap();
        assert_eq!(groups.load().unwrap().into_keys().collect::<Vec<_>>(), [text("g")]);
    }
}
