//! A fetch response with its records left in their files.
//!
//! The codec's own `FetchResponse` wants the records in memory. So the fields are written here, in their order and by
//! version, and between them the ranges of the files; a test holds the result against the codec's.

use bytes::{BufMut, BytesMut};

use super::super::{Disconnect, Part, Reply, RequestContext, finish_frame, start_frame};
use super::read::{Found, Target};

/// What is answered.
pub(super) struct Answer {
    pub error: i16,
    pub session_id: i32,
    pub partitions: Vec<(Target, Found)>,
}

/// From this version on the encoding is flexible: compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;

/// Encodes the answer to the request in `ctx`.
pub(super) fn encode(ctx: &RequestContext, version: i16, answer: &Answer) -> Result<Reply, Disconnect> {
    let mut frame = Writer {
        parts: Vec::new(),
        bytes: start_frame(ctx, version, 256),
        in_files: 0,
        flexible: version >= FLEXIBLE,
    };
    frame.bytes.put_i32(0);
    if version >= 7 {
        frame.bytes.put_i16(answer.error);
        frame.bytes.put_i32(answer.session_id);
    }
    let topics: Vec<&[(Target, Found)]> = answer.partitions.chunk_by(|(a, _), (b, _)| same_topic(a, b)).collect();
    frame.array(topics.len());
    for partitions in topics {
        let key = &partitions[0].0.key;
        if version >= 13 {
            frame.bytes.put_slice(key.topic_id.as_bytes());
        } else {
            frame.string(&key.topic);
        }
        frame.array(partitions.len());
        for (target, found) in partitions {
            frame.partition(version, target.key.partition, found);
        }
        frame.no_tagged_fields();
    }
    frame.no_tagged_fields();
    frame.finish()
}

fn same_topic(a: &Target, b: &Target) -> bool {
    a.key.topic_id == b.key.topic_id && a.key.topic == b.key.topic
}

struct Writer {
    /// What is before `bytes`; the first is the frame's head.
    parts: Vec<Part>,
    bytes: BytesMut,
    in_files: usize,
    flexible: bool,
}

impl Writer {
    fn partition(&mut self, version: i16, index: i32, found: &Found) {
        self.bytes.put_i32(index);
        self.bytes.put_i16(found.error);
        self.bytes.put_i64(found.high_watermark);
        self.bytes.put_i64(found.last_stable_offset);
        if version >= 5 {
            self.bytes.put_i64(found.log_start_offset);
        }
        match &found.aborted {
            None if self.flexible => self.bytes.put_u8(0),
            None => self.bytes.put_i32(-1),
            Some(aborted) => {
                self.array(aborted.len());
                for transaction in aborted {
                    self.bytes.put_i64(transaction.producer_id);
                    self.bytes.put_i64(transaction.first_offset);
                    self.no_tagged_fields();
                }
            }
        }
        if version >= 11 {
            // No replica is nearer than the leader.
            self.bytes.put_i32(-1);
        }
        let size = found.size_in_bytes();
        if self.flexible {
            self.unsigned_varint(size + 1);
        } else {
            self.bytes.put_i32(i32::try_from(size).unwrap_or(i32::MAX));
        }
        if let Some(chunk) = &found.chunk {
            let before = std::mem::take(&mut self.bytes);
            self.parts.push(Part::Bytes(before.freeze()));
            self.parts.push(Part::File(chunk.clone()));
            self.in_files += size;
        }
        match found.diverging {
            Some((epoch, end_offset)) if self.flexible => {
                // One tagged field, number 0, of 13 bytes: epoch, offset, no further tags.
                self.bytes.put_slice(&[1, 0, 13]);
                self.bytes.put_i32(epoch);
                self.bytes.put_i64(end_offset);
                self.bytes.put_u8(0);
            }
            _ => self.no_tagged_fields(),
        }
    }

    fn array(&mut self, length: usize) {
        if self.flexible {
            self.unsigned_varint(length + 1);
        } else {
            self.bytes.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
        }
    }

    fn string(&mut self, text: &str) {
        if self.flexible {
            self.unsigned_varint(text.len() + 1);
        } else {
            self.bytes.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        }
        self.bytes.put_slice(text.as_bytes());
    }

    fn unsigned_varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.bytes.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.put_u8(value as u8);
    }

    fn no_tagged_fields(&mut self) {
        if self.flexible {
            self.bytes.put_u8(0);
        }
    }

    /// Writes the frame's length into its head, now that it is known.
    fn finish(mut self) -> Result<Reply, Disconnect> {
        if self.parts.is_empty() {
            finish_frame(&mut self.bytes, 0)?;
            return Ok(Reply::Frame(self.bytes));
        }
        let in_memory = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len(),
            Part::File(_) => 0,
        };
        let beyond = self.parts[1..].iter().map(in_memory).sum::<usize>() + self.in_files + self.bytes.len();
        if let Part::Bytes(head) = &mut self.parts[0] {
            // The head has one owner, so this does not copy.
            let mut bytes = BytesMut::from(std::mem::take(head));
            finish_frame(&mut bytes, beyond)?;
            *head = bytes.freeze();
        }
        if !self.bytes.is_empty() {
            self.parts.push(Part::Bytes(self.bytes.freeze()));
        }
        Ok(Reply::Parts(self.parts))
    }
}
