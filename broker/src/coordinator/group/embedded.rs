//! The embedded protocol of consumers: what they tell each other through JoinGroup and SyncGroup.
//!
//! A subscription (`ConsumerProtocolSubscription`, v0–3) goes from each member to the leader, an assignment
//! (`ConsumerProtocolAssignment`, v0–3) from the leader to each member. A classic group needs only the topics of the former:
//! they decide whether offsets may expire or be deleted. A group whose members follow both protocols speaks it itself. Both
//! come from a peer, so no length in them is believed.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

/// The newest version whose fields are known; a newer one starts with them.
const VERSION_MAX: i16 = 3;

/// Topics and partitions of each.
pub(super) type Partitions = Vec<(StrBytes, Vec<i32>)>;

/// What a consumer wants, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    /// Topics that it names.
    pub(super) topics: Vec<StrBytes>,
    /// What it owns while it joins, from version 1 on.
    pub(super) owned: Partitions,
    /// `client.rack`, from version 3 on.
    pub(super) rack_id: Option<StrBytes>,
}

/// What a consumer was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    /// Its partitions.
    pub(super) partitions: Partitions,
    /// Whether the leader's assignor told it more than that.
    pub(super) has_user_data: bool,
}

/// The version of a subscription or an assignment.
pub(super) fn version(bytes: &[u8]) -> Option<i16> {
    Reader(bytes).i16().filter(|version| *version >= 0)
}

/// The subscribed topics, or `None` if these bytes are no subscription. Nothing after the topics is looked at.
pub(super) fn topics(metadata: &[u8]) -> Option<Vec<StrBytes>> {
    version(metadata)?;
    let mut reader = Reader(metadata.get(2..)?);
    reader.strings()
}

/// The whole subscription, or `None` if these bytes are none.
pub(super) fn subscription(metadata: &[u8]) -> Option<Subscription> {
    let version = version(metadata)?.min(VERSION_MAX);
    let mut reader = Reader(metadata.get(2..)?);
    let topics = reader.strings()?;
    reader.nullable_bytes()?;
    let owned = if version >= 1 { reader.partitions()? } else { Vec::new() };
    if version >= 2 {
        reader.i32()?;
    }
    let rack_id = if version >= 3 { reader.nullable_string()? } else { None };
    Some(Subscription { topics, owned, rack_id })
}

/// An assignment, or `None` if these bytes are none. Empty bytes are what a member without one has.
pub(super) fn assignment(bytes: &[u8]) -> Option<Assigned> {
    if bytes.is_empty() {
        return Some(Assigned {
            partitions: Vec::new(),
            has_user_data: false,
        });
    }
    version(bytes)?;
    let mut reader = Reader(bytes.get(2..)?);
    Some(Assigned {
        partitions: reader.partitions()?,
        has_user_data: reader.nullable_bytes()?.is_some_and(|data| !data.is_empty()),
    })
}

/// An assignment in the bytes of a version, or of the newest that is known.
pub(super) fn encode_assignment(version: i16, partitions: &[(StrBytes, Vec<i32>)]) -> Bytes {
    let count = |out: &mut Vec<u8>, len: usize| out.extend(i32::try_from(len).unwrap_or(i32::MAX).to_be_bytes());
    let mut out = version.min(VERSION_MAX).to_be_bytes().to_vec();
    count(&mut out, partitions.len());
    for (topic, partitions) in partitions {
        out.extend(i16::try_from(topic.len()).unwrap_or(i16::MAX).to_be_bytes());
        out.extend(topic.as_bytes());
        count(&mut out, partitions.len());
        partitions
            .iter()
            .for_each(|partition| out.extend(partition.to_be_bytes()));
    }
    // No user data.
    out.extend((-1_i32).to_be_bytes());
    out.into()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<StrBytes> {
        self.nullable_string()?
    }

    fn nullable_string(&mut self) -> Option<Option<StrBytes>> {
        let len = self.i16()?;
        if len == -1 {
            return Some(None);
        }
        let text = std::str::from_utf8(self.take(usize::try_from(len).ok()?)?).ok()?;
        Some(Some(StrBytes::from_string(text.to_owned())))
    }

    fn nullable_bytes(&mut self) -> Option<Option<&'a [u8]>> {
        match self.i32()? {
            -1 => Some(None),
            len => Some(Some(self.take(usize::try_from(len).ok()?)?)),
        }
    }

    /// An array, each of whose items takes `size_min` bytes at least.
    fn array<T>(&mut self, size_min: usize, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.i32()?).ok()?;
        let mut items = Vec::with_capacity(count.min(self.0.len() / size_min));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn strings(&mut self) -> Option<Vec<StrBytes>> {
        self.array(2, Reader::string)
    }

    fn partitions(&mut self) -> Option<Partitions> {
        self.array(6, |reader| Some((reader.string()?, reader.array(4, Reader::i32)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> StrBytes {
        StrBytes::from_string(text.to_owned())
    }

    fn put_string(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend((text.len() as i16).to_be_bytes());
        bytes.extend(text.as_bytes());
    }

    /// A subscription that owns partition 7 of its first topic, in a rack.
    fn encoded(version: i16, topics: &[&str]) -> Vec<u8> {
        let mut bytes = version.to_be_bytes().to_vec();
        bytes.extend((topics.len() as i32).to_be_bytes());
        topics.iter().for_each(|topic| put_string(&mut bytes, topic));
        bytes.extend((-1_i32).to_be_bytes());
        if version >= 1 {
            bytes.extend(1_i32.to_be_bytes());
            put_string(&mut bytes, topics[0]);
            bytes.extend(1_i32.to_be_bytes());
            bytes.extend(7_i32.to_be_bytes());
        }
        if version >= 2 {
            bytes.extend(5_i32.to_be_bytes());
        }
        if version >= 3 {
            put_string(&mut bytes, "here");
        }
        bytes
    }

    #[test]
    fn reads_a_subscription_of_any_version() {
        for version in 0..6 {
            let bytes = encoded(version, &["prices", "bars"]);
            let read = subscription(&bytes).unwrap();
            assert_eq!(read.topics, [text("prices"), text("bars")]);
            assert_eq!(topics(&bytes).unwrap(), read.topics);
            assert_eq!(read.owned.len(), usize::from(version >= 1));
            assert_eq!(read.rack_id.is_some(), version >= 3, "version {version}");
        }
    }

    #[test]
    fn believes_no_length() {
        let whole = encoded(3, &["prices"]);
        for cut in 0..whole.len() {
            assert_eq!(subscription(&whole[..cut]), None, "cut at {cut}");
            assert_eq!(topics(&whole[..cut]).is_some(), cut >= 14, "cut at {cut}");
        }
        let mut huge = 0_i16.to_be_bytes().to_vec();
        huge.extend(i32::MAX.to_be_bytes());
        assert_eq!(topics(&huge), None);
        assert_eq!(assignment(&huge), None);
        assert_eq!(subscription(&encoded(-1, &["prices"])), None);
    }

    #[test]
    fn an_assignment_is_read_as_it_was_written() {
        let partitions = vec![(text("prices"), vec![0, 2]), (text("bars"), vec![])];
        for version in 0..5 {
            let bytes = encode_assignment(version, &partitions);
            let read = assignment(&bytes).unwrap();
            assert_eq!((read.partitions, read.has_user_data), (partitions.clone(), false));
        }
        assert_eq!(assignment(b"").unwrap().partitions, []);
        assert!(assignment(b"\0\0\0\0\0\0\0\0\0\x01x").unwrap().has_user_data);
    }
}
