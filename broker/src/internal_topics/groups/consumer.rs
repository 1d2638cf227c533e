//! Records of consumer groups (KIP-848): what a change of the group and its members comes to, in Apache Kafka's order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use super::{keys, values};
use crate::coordinator::group::{ConsumerGroup, ConsumerMember};
use crate::internal_topics::Entry;

/// Every record of a group as it is.
pub(super) fn put_all(group_id: &str, group: &ConsumerGroup, now_ms: i64, out: &mut Vec<Entry>) {
    let members = || group.members.values();
    out.extend(members().map(|member| Entry::put(keys::member(group_id, &member.id), values::member(member))));
    for (expression, matched) in expressions(members()) {
        out.push(put_expression(group_id, expression, matched, group, now_ms));
    }
    out.push(Entry::put(
        keys::consumer_group(group_id),
        values::consumer_group(group),
    ));
    out.extend(members().map(|member| Entry::put(keys::target(group_id, &member.id), values::target(member))));
    if group.assignment_epoch > 0 {
        out.push(Entry::put(keys::target_epoch(group_id), values::target_epoch(group)));
    }
    out.extend(members().map(|member| Entry::put(keys::current(group_id, &member.id), values::current(member))));
}

/// The tombstones of a group that is no longer one.
pub(super) fn remove_all(group_id: &str, group: &ConsumerGroup, out: &mut Vec<Entry>) {
    let members = || group.members.keys();
    out.extend(members().map(|id| Entry::tombstone(keys::current(group_id, id))));
    out.extend(members().map(|id| Entry::tombstone(keys::target(group_id, id))));
    out.push(Entry::tombstone(keys::target_epoch(group_id)));
    out.extend(members().map(|id| Entry::tombstone(keys::member(group_id, id))));
    for expression in expressions(group.members.values()).into_keys() {
        out.push(Entry::tombstone(keys::expression(group_id, expression)));
    }
    out.push(Entry::tombstone(keys::subscription_metadata(group_id)));
    out.push(Entry::tombstone(keys::consumer_group(group_id)));
}

fn put_expression(
    group_id: &str,
    expression: &str,
    matched: &BTreeSet<StrBytes>,
    group: &ConsumerGroup,
    now_ms: i64,
) -> Entry {
    Entry::put(
        keys::expression(group_id, expression),
        values::expression(matched, group.topics_version, now_ms),
    )
}

fn expressions<'a>(
    members: impl Iterator<Item = &'a Arc<ConsumerMember>>,
) -> BTreeMap<&'a StrBytes, &'a BTreeSet<StrBytes>> {
    members
        .filter_map(|member| Some((member.regex.as_ref()?, &member.matched)))
        .collect()
}

/// A group between what it was and what it will be.
#[derive(Default)]
pub(super) struct Change<'a> {
    before: Option<&'a ConsumerGroup>,
    head: Option<&'a ConsumerGroup>,
    members: BTreeMap<&'a StrBytes, Option<&'a Arc<ConsumerMember>>>,
    /// In which order members were first touched.
    touched: Vec<&'a StrBytes>,
}

impl<'a> Change<'a> {
    pub(super) fn of(before: Option<&'a ConsumerGroup>) -> Change<'a> {
        Change {
            before,
            ..Change::default()
        }
    }

    /// Its epochs and topics are now these.
    pub(super) fn head(&mut self, head: &'a ConsumerGroup) {
        self.head = Some(head);
    }

    /// A member is now this, or gone.
    pub(super) fn member(&mut self, id: &'a StrBytes, member: Option<&'a Arc<ConsumerMember>>) {
        if self.members.insert(id, member).is_none() {
            self.touched.push(id);
        }
    }

    /// What comes of it.
    pub(super) fn finish(self, group_id: &str, now_ms: i64, out: &mut Vec<Entry>) {
        let known = |id: &StrBytes| self.before.and_then(|before| before.members.get(id));
        for id in self.touched.iter().filter(|id| self.members[**id].is_none()) {
            out.push(Entry::tombstone(keys::current(group_id, id)));
            out.push(Entry::tombstone(keys::target(group_id, id)));
            out.push(Entry::tombstone(keys::member(group_id, id)));
        }
        let changed: Vec<_> = self
            .touched
            .iter()
            .filter_map(|id| Some((known(id), self.members[*id]?)))
            .collect();
        for (before, member) in &changed {
            let value = values::member(member);
            if before.is_none_or(|before| values::member(before) != value) {
                out.push(Entry::put(keys::member(group_id, &member.id), value));
            }
        }
        self.expressions(group_id, now_ms, out);
        if let Some(head) = self.head {
            let is_other = |before: &ConsumerGroup| before.epoch != head.epoch;
            if self.before.is_none_or(is_other) {
                let value = values::consumer_group(head);
                out.push(Entry::put(keys::consumer_group(group_id), value));
            }
        }
        for (before, member) in &changed {
            if before.is_none_or(|before| before.target != member.target) {
                out.push(Entry::put(keys::target(group_id, &member.id), values::target(member)));
            }
        }
        if let Some(head) = self.head {
            let epoch = self.before.map_or(0, |before| before.assignment_epoch);
            if head.assignment_epoch != epoch {
                out.push(Entry::put(keys::target_epoch(group_id), values::target_epoch(head)));
            }
        }
        for (before, member) in &changed {
            let value = values::current(member);
            if before.is_none_or(|before| values::current(before) != value) {
                out.push(Entry::put(keys::current(group_id, &member.id), value));
            }
        }
    }

    /// Expressions that are new, match something else, or have lost their last subscriber.
    fn expressions(&self, group_id: &str, now_ms: i64, out: &mut Vec<Entry>) {
        let of_before = |id: &&StrBytes| self.before.and_then(|before| before.members.get(*id));
        let before_touched = self.touched.iter().filter_map(of_before);
        let after_touched = self.touched.iter().filter_map(|id| self.members[*id]);
        if before_touched.chain(after_touched).all(|member| member.regex.is_none()) {
            return;
        }
        let all_before = self.before.iter().flat_map(|before| before.members.values());
        let untouched = all_before
            .clone()
            .filter(|member| !self.members.contains_key(&member.id));
        let before = expressions(all_before);
        let after = expressions(untouched.chain(self.members.values().copied().flatten()));
        for expression in before.keys().filter(|expression| !after.contains_key(*expression)) {
            out.push(Entry::tombstone(keys::expression(group_id, expression)));
        }
        let group = self.head.or(self.before);
        for (expression, matched) in &after {
            if let Some(group) = group.filter(|_| before.get(expression) != Some(matched)) {
                out.push(put_expression(group_id, expression, matched, group, now_ms));
            }
        }
    }
}
