//! From the records of the group coordinator to those of `__consumer_offsets`.

use std::collections::BTreeSet;

use kafka_protocol::protocol::StrBytes;

use super::consumer::{self, Change};
use super::{keys, values};
use crate::coordinator::group::{Group, Record};
use crate::internal_topics::Entry;

/// What a change of a group comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Records that count at once.
    pub plain: Vec<Entry>,
    /// Records that count if the producer's transaction is committed.
    pub transactional: Vec<Entry>,
}

/// What the durable ones among `records` come to, of a group that is `before` without them.
pub(crate) fn changes(group_id: &str, before: &Group, records: &[Record], now_ms: i64) -> Changes {
    let mut to = Draft {
        group_id,
        before,
        out: Changes::default(),
        consumer: Change::of(before.consumer.as_ref()),
        is_consumer: before.consumer.is_some(),
        is_classic: before.membership.is_some(),
    };
    for record in records.iter().filter(|record| record.is_durable()) {
        to.record(record, records);
    }
    to.consumer.finish(group_id, now_ms, &mut to.out.plain);
    to.out
}

struct Draft<'a> {
    group_id: &'a str,
    before: &'a Group,
    out: Changes,
    consumer: Change<'a>,
    is_consumer: bool,
    is_classic: bool,
}

impl<'a> Draft<'a> {
    fn record(&mut self, record: &'a Record, all: &[Record]) {
        match record {
            Record::Membership { group, .. } => {
                self.end_consumer_group();
                let (key, value) = (keys::classic_group(self.group_id), values::classic_group(group));
                self.out.plain.push(Entry::put(key, value));
                self.is_classic = true;
            }
            Record::ConsumerHead { head, .. } => {
                self.end_classic_group();
                self.is_consumer = true;
                self.consumer.head(head);
            }
            Record::ConsumerMember { member_id, member } => {
                self.is_consumer = true;
                self.consumer.member(member_id, member.as_ref());
            }
            Record::Offset {
                topic,
                partition,
                value,
            } => {
                let key = keys::offset(self.group_id, topic, *partition);
                self.out.plain.push(Entry {
                    key,
                    value: value.as_ref().map(values::offset),
                });
            }
            Record::PendingOffset {
                topic,
                partition,
                value: Some(pending),
                ..
            } => {
                // What comes later in the log counts, so nothing has to be said of one that will not.
                if !pending.superseded {
                    let key = keys::offset(self.group_id, topic, *partition);
                    let value = values::offset(&pending.offset);
                    self.out.transactional.push(Entry::put(key, value));
                }
            }
            Record::PendingOffset {
                topic,
                partition,
                value: None,
                ..
            } => self.drop_pending(topic, *partition, all),
            Record::Removed => self.remove(),
        }
    }

    /// An offset will not be committed, whatever becomes of the transaction: what there is counts anew.
    fn drop_pending(&mut self, topic: &StrBytes, partition: i32, all: &[Record]) {
        let same_place = |record: &Record| matches!(record, Record::Offset { topic: of, partition: at, .. } if of == topic && *at == partition);
        if all.iter().any(same_place) {
            return;
        }
        let committed = self.before.offsets.get(topic, partition);
        self.out.plain.push(Entry {
            key: keys::offset(self.group_id, topic, partition),
            value: committed.map(values::offset),
        });
    }

    fn remove(&mut self) {
        let committed = self
            .before
            .offsets
            .iter()
            .map(|(topic, partition, _)| (topic, partition));
        let pending = self
            .before
            .pending
            .iter()
            .map(|(_, topic, partition, _)| (topic, partition));
        let places: BTreeSet<_> = committed.chain(pending).collect();
        let said: BTreeSet<Vec<u8>> = self.out.plain.iter().map(|entry| entry.key.clone()).collect();
        for (topic, partition) in places {
            let key = keys::offset(self.group_id, topic, partition);
            if !said.contains(&key) {
                self.out.plain.push(Entry::tombstone(key));
            }
        }
        self.end_classic_group();
        self.end_consumer_group();
    }

    fn end_classic_group(&mut self) {
        if std::mem::take(&mut self.is_classic) {
            self.out
                .plain
                .push(Entry::tombstone(keys::classic_group(self.group_id)));
        }
    }

    fn end_consumer_group(&mut self) {
        if std::mem::take(&mut self.is_consumer) {
            self.consumer = Change::default();
            if let Some(before) = &self.before.consumer {
                consumer::remove_all(self.group_id, before, &mut self.out.plain);
            }
        }
    }
}
