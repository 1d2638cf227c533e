//! The layout of stored groups: big endian, lengths before contents, -1 for what is absent. A reader believes no length.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use crate::coordinator::group::classic::{Member, Protocol, State};
use crate::coordinator::group::{ClassicGroup, CommittedOffset, PendingOffset};

/// Since version 2 with whether a rebalance is owed.
const MEMBERSHIP_VERSION: u8 = 2;
const OFFSET_VERSION: u8 = 1;

/// Text of up to 65,535 bytes; a Kafka string has at most 32,767.
pub(super) fn put_string(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(len.to_be_bytes());
    out.extend(&text.as_bytes()[..usize::from(len)]);
}

pub(super) fn put_optional_string(out: &mut Vec<u8>, text: Option<&StrBytes>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_string(out, text);
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend(bytes);
}

pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    // Whatever is counted came in one frame, whose length is an i32.
    out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

pub(super) fn put_protocols(out: &mut Vec<u8>, protocols: &[Protocol]) {
    put_count(out, protocols.len());
    for protocol in protocols {
        put_string(out, &protocol.name);
        put_bytes(out, &protocol.metadata);
    }
}

/// The membership, without who was waiting for what: that does not survive, other than that a rebalance is owed.
pub(super) fn encode_membership(group: &ClassicGroup) -> Vec<u8> {
    let mut out = vec![MEMBERSHIP_VERSION];
    put_optional_string(&mut out, group.protocol_type.as_ref());
    out.extend(group.generation.to_be_bytes());
    put_optional_string(&mut out, group.protocol_name.as_ref());
    put_optional_string(&mut out, group.leader.as_ref());
    out.extend(group.state_since_ms.unwrap_or(-1).to_be_bytes());
    out.push(u8::from(group.state == State::PreparingRebalance));
    put_count(&mut out, group.members.len());
    for member in group.members.values() {
        put_string(&mut out, &member.id);
        put_optional_string(&mut out, member.instance_id.as_ref());
        put_string(&mut out, &member.client_id);
        put_string(&mut out, &member.client_host);
        out.extend(member.rebalance_timeout_ms.to_be_bytes());
        out.extend(member.session_timeout_ms.to_be_bytes());
        put_protocols(&mut out, &member.protocols);
        put_bytes(&mut out, &member.assignment);
    }
    out
}

pub(super) fn decode_membership(value: &[u8]) -> Option<ClassicGroup> {
    let mut reader = Reader(value);
    let version = reader.u8()?;
    if !(1..=MEMBERSHIP_VERSION).contains(&version) {
        return None;
    }
    let mut group = ClassicGroup {
        protocol_type: reader.optional_string()?,
        generation: reader.i32()?,
        protocol_name: reader.optional_string()?,
        leader: reader.optional_string()?,
        state_since_ms: Some(reader.i64()?).filter(|since_ms| *since_ms != -1),
        ..ClassicGroup::default()
    };
    group.state = match version {
        1 => State::Stable,
        _ => decode_state(&mut reader)?,
    };
    for _ in 0..reader.count()? {
        let member = decode_member(&mut reader)?;
        group.members.insert(member.id.clone(), Arc::new(member));
    }
    group = group.settled();
    group.rebuild();
    Some(group)
}

fn decode_state(reader: &mut Reader<'_>) -> Option<State> {
    match reader.u8()? {
        0 => Some(State::Stable),
        1 => Some(State::PreparingRebalance),
        _ => None,
    }
}

fn decode_member(reader: &mut Reader<'_>) -> Option<Member> {
    Some(Member {
        id: reader.string()?,
        instance_id: reader.optional_string()?,
        client_id: reader.string()?,
        client_host: reader.string()?,
        rebalance_timeout_ms: reader.i32()?,
        session_timeout_ms: reader.i32()?,
        protocols: reader.protocols()?,
        assignment: reader.bytes()?,
        awaiting_join: false,
        awaiting_sync: false,
        is_new: false,
    })
}

pub(super) fn encode_offset(offset: &CommittedOffset) -> Vec<u8> {
    let mut out = vec![OFFSET_VERSION];
    out.extend(offset.offset.to_be_bytes());
    out.extend(offset.leader_epoch.to_be_bytes());
    put_string(&mut out, &offset.metadata);
    out.extend(offset.commit_timestamp_ms.to_be_bytes());
    out.extend(offset.expire_timestamp_ms.unwrap_or(-1).to_be_bytes());
    out
}

pub(super) fn decode_offset(value: &[u8]) -> Option<CommittedOffset> {
    let mut reader = Reader(value);
    if reader.u8()? != OFFSET_VERSION {
        return None;
    }
    Some(CommittedOffset {
        offset: reader.i64()?,
        leader_epoch: reader.i32()?,
        metadata: reader.string()?,
        commit_timestamp_ms: reader.i64()?,
        expire_timestamp_ms: Some(reader.i64()?).filter(|expire_ms| *expire_ms != -1),
    })
}

/// A pending offset: its place, whether something later was committed, and the offset as it will be.
pub(super) fn encode_pending_offset(pending: &PendingOffset) -> Vec<u8> {
    let mut out = pending.sequence.to_be_bytes().to_vec();
    out.push(u8::from(pending.superseded));
    out.extend(encode_offset(&pending.offset));
    out
}

pub(super) fn decode_pending_offset(value: &[u8]) -> Option<PendingOffset> {
    let (sequence, rest) = value.split_first_chunk::<8>()?;
    let (superseded, rest) = rest.split_first()?;
    Some(PendingOffset {
        offset: decode_offset(rest)?,
        sequence: u64::from_be_bytes(*sequence),
        superseded: *superseded != 0,
    })
}

pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take(&mut self, len: usize) -> Option<&[u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.take(4)?.try_into().ok()?)).ok()
    }

    pub(super) fn string(&mut self) -> Option<StrBytes> {
        let len = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        let text = std::str::from_utf8(self.take(usize::from(len))?).ok()?;
        Some(StrBytes::from_string(text.to_owned()))
    }

    pub(super) fn optional_string(&mut self) -> Option<Option<StrBytes>> {
        match self.u8()? {
            0 => Some(None),
            1 => self.string().map(Some),
            _ => None,
        }
    }

    pub(super) fn protocols(&mut self) -> Option<Vec<Protocol>> {
        let mut protocols = Vec::new();
        for _ in 0..self.count()? {
            protocols.push(Protocol {
                name: self.string()?,
                metadata: self.bytes()?,
            });
        }
        Some(protocols)
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let len = self.count()?;
        self.take(len).map(Bytes::copy_from_slice)
    }
}
