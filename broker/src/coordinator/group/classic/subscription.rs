//! Reads the topics from a consumer's subscription.
//!
//! The subscription (`ConsumerProtocolSubscription`) is opaque to the broker but for this: which topics a group reads
//! decides whether their offsets may expire or be deleted. Each version of it starts with the fields of version 0:
//! a version, and the topics. It comes from a peer, so no length in it is believed.

use kafka_protocol::protocol::StrBytes;

/// The subscribed topics, or `None` if these bytes are no subscription.
pub(super) fn topics(metadata: &[u8]) -> Option<Vec<StrBytes>> {
    let mut reader = Reader(metadata);
    let version = reader.i16()?;
    if version < 0 {
        return None;
    }
    let count = usize::try_from(reader.i32()?).ok()?;
    // Each topic takes two bytes at least.
    let mut topics = Vec::with_capacity(count.min(reader.0.len() / 2));
    for _ in 0..count {
        topics.push(reader.string()?);
    }
    Some(topics)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Option<&[u8]> {
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
        let len = usize::try_from(self.i16()?).ok()?;
        let text = std::str::from_utf8(self.take(len)?).ok()?;
        Some(StrBytes::from_string(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(topics: &[&str]) -> Vec<u8> {
        let mut bytes = 3_i16.to_be_bytes().to_vec();
        bytes.extend((topics.len() as i32).to_be_bytes());
        for topic in topics {
            bytes.extend((topic.len() as i16).to_be_bytes());
            bytes.extend(topic.as_bytes());
        }
        // What later versions add is not looked at.
        bytes.extend((-1_i32).to_be_bytes());
        bytes
    }

    #[test]
    fn reads_the_topics_of_any_version() {
        let topics = topics(&encoded(&["prices", "bars"])).unwrap();
        assert_eq!(
            topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>(),
            ["prices", "bars"]
        );
    }

    #[test]
    fn believes_no_length() {
        let whole = encoded(&["prices"]);
        for cut in 0..whole.len() - 4 {
            assert_eq!(topics(&whole[..cut]), None, "cut at {cut}");
        }
        let mut huge = 0_i16.to_be_bytes().to_vec();
        huge.extend(i32::MAX.to_be_bytes());
        assert_eq!(topics(&huge), None);
    }
}
