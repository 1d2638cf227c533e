//! The range assignor: each topic is cut into consecutive ranges, one per subscriber, the first ones longer by one where
//! it does not divide. Static members come first, by instance id, so that they keep their ranges when dynamic ones come
//! and go.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Assignment, Subscriber};

pub(super) fn assign(members: &[Subscriber], topics: &BTreeMap<Uuid, i32>) -> BTreeMap<StrBytes, Assignment> {
    let mut ordered: Vec<&Subscriber> = members.iter().collect();
    ordered.sort_by_key(|member| (member.instance_id.is_none(), &member.instance_id, &member.member_id));
    let mut assigned: BTreeMap<StrBytes, Assignment> = members
        .iter()
        .map(|member| (member.member_id.clone(), Assignment::new()))
        .collect();
    for (topic, partitions) in topics {
        let subscribers: Vec<_> = ordered.iter().filter(|member| member.topics.contains(topic)).collect();
        let Ok(count) = i32::try_from(subscribers.len()) else {
            continue;
        };
        let mut next = 0;
        for (index, member) in (0..count).zip(subscribers) {
            let length = partitions / count + i32::from(index < partitions % count);
            let range: BTreeSet<i32> = (next..next + length).collect();
            next += length;
            if let Some(assignment) = assigned.get_mut(&member.member_id).filter(|_| !range.is_empty()) {
                assignment.insert(*topic, range);
            }
        }
    }
    assigned
}
