//! The layout of stored consumer groups, by the same rules as [`super::codec`].

use std::collections::BTreeSet;

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::codec::{Reader, put_count, put_optional_string, put_protocols, put_string};
use crate::coordinator::group::assignor::Assignment;
use crate::coordinator::group::consumer::{ClassicMetadata, MemberState, TopicMetadata};
use crate::coordinator::group::{ConsumerGroup, ConsumerMember};

const HEAD_VERSION: u8 = 1;
/// Version 1 knew no members of the classic protocol.
const MEMBER_VERSION: u8 = 2;

pub(super) fn encode_head(head: &ConsumerGroup) -> Vec<u8> {
    let mut out = vec![HEAD_VERSION];
    out.extend(head.epoch.to_be_bytes());
    out.extend(head.assignment_epoch.to_be_bytes());
    put_count(&mut out, head.topics.len());
    for (name, topic) in &head.topics {
        put_string(&mut out, name);
        out.extend(topic.id.as_bytes());
        out.extend(topic.partitions.to_be_bytes());
    }
    out
}

pub(super) fn decode_head(value: &[u8]) -> Option<ConsumerGroup> {
    let mut reader = Reader(value);
    if reader.u8()? != HEAD_VERSION {
        return None;
    }
    let mut head = ConsumerGroup {
        epoch: reader.i32()?,
        assignment_epoch: reader.i32()?,
        ..ConsumerGroup::default()
    };
    for _ in 0..reader.count()? {
        let name = reader.string()?;
        head.topics.insert(
            name,
            TopicMetadata {
                id: read_id(&mut reader)?,
                partitions: reader.i32()?,
            },
        );
    }
    Some(head)
}

/// A member, but for its id, which is in the key.
pub(super) fn encode_member(member: &ConsumerMember) -> Vec<u8> {
    let mut out = vec![MEMBER_VERSION];
    for text in [&member.instance_id, &member.rack_id, &member.regex, &member.assignor] {
        put_optional_string(&mut out, text.as_ref());
    }
    put_string(&mut out, &member.client_id);
    put_string(&mut out, &member.client_host);
    for number in [member.rebalance_timeout_ms, member.epoch, member.previous_epoch] {
        out.extend(number.to_be_bytes());
    }
    out.push(match member.state {
        MemberState::Stable => 0,
        MemberState::UnrevokedPartitions => 1,
        MemberState::UnreleasedPartitions => 2,
    });
    for topics in [&member.topics, &member.matched] {
        put_count(&mut out, topics.len());
        topics.iter().for_each(|topic| put_string(&mut out, topic));
    }
    for assignment in [&member.assigned, &member.revoking, &member.target] {
        put_assignment(&mut out, assignment);
    }
    out.push(u8::from(member.classic.is_some()));
    if let Some(classic) = &member.classic {
        out.extend(classic.session_timeout_ms.to_be_bytes());
        put_protocols(&mut out, &classic.protocols);
    }
    out
}

pub(super) fn decode_member(id: StrBytes, value: &[u8]) -> Option<ConsumerMember> {
    let mut reader = Reader(value);
    let version = reader.u8()?;
    if !(1..=MEMBER_VERSION).contains(&version) {
        return None;
    }
    Some(ConsumerMember {
        id,
        instance_id: reader.optional_string()?,
        rack_id: reader.optional_string()?,
        regex: reader.optional_string()?,
        assignor: reader.optional_string()?,
        client_id: reader.string()?,
        client_host: reader.string()?,
        rebalance_timeout_ms: reader.i32()?,
        epoch: reader.i32()?,
        previous_epoch: reader.i32()?,
        state: match reader.u8()? {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => return None,
        },
        topics: read_topics(&mut reader)?,
        matched: read_topics(&mut reader)?,
        assigned: read_assignment(&mut reader)?,
        revoking: read_assignment(&mut reader)?,
        target: read_assignment(&mut reader)?,
        classic: match version {
            1 => None,
            _ => read_classic(&mut reader)?,
        },
    })
}

fn read_classic(reader: &mut Reader<'_>) -> Option<Option<ClassicMetadata>> {
    if reader.u8()? == 0 {
        return Some(None);
    }
    Some(Some(ClassicMetadata {
        session_timeout_ms: reader.i32()?,
        protocols: reader.protocols()?,
    }))
}

fn put_assignment(out: &mut Vec<u8>, assignment: &Assignment) {
    put_count(out, assignment.len());
    for (topic, partitions) in assignment {
        out.extend(topic.as_bytes());
        put_count(out, partitions.len());
        partitions
            .iter()
            .for_each(|partition| out.extend(partition.to_be_bytes()));
    }
}

fn read_assignment(reader: &mut Reader<'_>) -> Option<Assignment> {
    let mut assignment = Assignment::new();
    for _ in 0..reader.count()? {
        let topic = read_id(reader)?;
        let mut partitions = BTreeSet::new();
        for _ in 0..reader.count()? {
            partitions.insert(reader.i32()?);
        }
        assignment.insert(topic, partitions);
    }
    Some(assignment)
}

fn read_topics(reader: &mut Reader<'_>) -> Option<BTreeSet<StrBytes>> {
    let mut topics = BTreeSet::new();
    for _ in 0..reader.count()? {
        topics.insert(reader.string()?);
    }
    Some(topics)
}

fn read_id(reader: &mut Reader<'_>) -> Option<Uuid> {
    Uuid::from_slice(reader.take(16)?).ok()
}
