//! What the store says about partition logs: the keys and values of the tree `log`.
//!
//! A key is topic id (16 bytes) · partition (4) · kind (1) · rest; numbers are big endian, so that keys sort as they count.
//!
//! | kind | rest | value |
//! |---|---|---|
//! | `c` | | [`Checkpoint`]: up to where the bytes have been checked, and the leader epochs up to there |
//! | `o` | | the log start offset |
//! | `s` | base offset (8) | [`SegmentRecord`]: a segment as of the checkpoint |
//! | `x` | base offset (8) · relative offset of the first entry (4) | a chunk of index entries, and the one after it |
//! | `t` | base offset (8) · time before the chunk (8) · relative offset (4) | nothing; finds a chunk by time |
//! | `p` | producer id (8) | [`ProducerRecord`] as of the checkpoint |
//! | `a` | last offset (8) | [`AbortedRecord`] |
//! | `d` | | the run of the machine in which a sync failed: what was not synced then is in doubt |
//!
//! All but `o` and `d` can be made anew from the segment files. What belongs to one checkpoint is written in one batch.

use uuid::Uuid;

/// Layout of the values; the first byte of each.
const VALUE_VERSION: u8 = 1;

/// Kinds of entries.
pub(crate) mod kind {
    pub(crate) const CHECKPOINT: u8 = b'c';
    pub(crate) const LOG_START_OFFSET: u8 = b'o';
    pub(crate) const SEGMENT: u8 = b's';
    pub(crate) const INDEX: u8 = b'x';
    pub(crate) const TIME: u8 = b't';
    pub(crate) const PRODUCER: u8 = b'p';
    pub(crate) const ABORTED: u8 = b'a';
    pub(crate) const IN_DOUBT: u8 = b'd';
}

/// The prefix of all keys of one partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogKey([u8; 20]);

impl LogKey {
    pub(crate) fn new(topic_id: Uuid, partition: i32) -> Self {
        let mut key = [0; 20];
        key[..16].copy_from_slice(topic_id.as_bytes());
        key[16..].copy_from_slice(&partition.to_be_bytes());
        Self(key)
    }

    /// The prefix itself.
    pub(crate) fn all(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn of(&self, kind: u8) -> Vec<u8> {
        let mut key = Vec::with_capacity(41);
        key.extend_from_slice(&self.0);
        key.push(kind);
        key
    }

    pub(crate) fn with_i64(&self, kind: u8, number: i64) -> Vec<u8> {
        let mut key = self.of(kind);
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    pub(crate) fn index_chunk(&self, base_offset: i64, relative_offset: u32) -> Vec<u8> {
        let mut key = self.with_i64(kind::INDEX, base_offset);
        key.extend_from_slice(&relative_offset.to_be_bytes());
        key
    }

    pub(crate) fn time_chunk(&self, base_offset: i64, timestamp_ms: i64, relative_offset: u32) -> Vec<u8> {
        let mut key = self.with_i64(kind::TIME, base_offset);
        key.extend_from_slice(&sortable(timestamp_ms).to_be_bytes());
        key.extend_from_slice(&relative_offset.to_be_bytes());
        key
    }
}

/// A signed number so that its bytes sort as it counts.
fn sortable(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

/// A number from the end of a key.
pub(crate) fn trailing_i64(key: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(*key.last_chunk::<8>()?))
}

/// The relative offset at the end of a key of kind `x` or `t`.
pub(crate) fn trailing_u32(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.last_chunk::<4>()?))
}

/// A place in a log between two batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogPosition {
    /// Of the next record.
    pub(crate) offset: i64,
    /// Base offset of the segment.
    pub(crate) segment: i64,
    /// Bytes into the segment.
    pub(crate) position: u64,
}

/// Up to where a log is known to be whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// All that the store says of this log is as of here.
    pub(crate) at: LogPosition,
    /// Everything before is durable.
    pub(crate) synced: LogPosition,
    /// In which run of the machine `at` was written: in a later one only `synced` can be trusted.
    pub(crate) boot_id: Option<[u8; 16]>,
    /// Up to which offset compaction has cleaned; 0 for never.
    pub(crate) cleaned: i64,
    /// Leader epochs and the offsets at which they began.
    pub(crate) epochs: Vec<(i32, i64)>,
}

/// A segment as of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRecord {
    pub(crate) size_bytes: u64,
    pub(crate) next_offset: i64,
    pub(crate) created_ms: i64,
    /// Of the first batch (its largest timestamp), as `segment.ms` counts from there; -1 for none.
    pub(crate) first_timestamp_ms: i64,
    pub(crate) max_timestamp_ms: i64,
    /// Base offset of the batch that has the largest timestamp.
    pub(crate) max_timestamp_offset: i64,
    /// Whether the whole file is durable.
    pub(crate) synced: bool,
}

/// One of the last batches of a producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchRecord {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp_ms: i64,
}

/// What a log knows of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProducerRecord {
    pub(crate) epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) last_timestamp_ms: i64,
    pub(crate) transaction_first_offset: Option<i64>,
    /// Oldest first.
    pub(crate) batches: Vec<BatchRecord>,
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedRecord {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// Of the marker.
    pub(crate) last_offset: i64,
}

/// Reads a value; every step is `None` where it does not fit.
struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    fn new(value: &'a [u8]) -> Option<Self> {
        let (version, rest) = value.split_first()?;
        (*version == VALUE_VERSION).then_some(Self(rest))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        self.take::<1>().map(|[byte]| byte != 0)
    }

    fn position(&mut self) -> Option<LogPosition> {
        Some(LogPosition {
            offset: self.i64()?,
            segment: self.i64()?,
            position: self.u64()?,
        })
    }
}

fn put_position(position: &LogPosition, out: &mut Vec<u8>) {
    out.extend_from_slice(&position.offset.to_be_bytes());
    out.extend_from_slice(&position.segment.to_be_bytes());
    out.extend_from_slice(&position.position.to_be_bytes());
}

impl Checkpoint {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VALUE_VERSION];
        put_position(&self.at, &mut out);
        put_position(&self.synced, &mut out);
        out.push(u8::from(self.boot_id.is_some()));
        out.extend_from_slice(&self.boot_id.unwrap_or_default());
        out.extend_from_slice(&self.cleaned.to_be_bytes());
        for (epoch, start) in &self.epochs {
            out.extend_from_slice(&epoch.to_be_bytes());
            out.extend_from_slice(&start.to_be_bytes());
        }
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut values = Values::new(value)?;
        let at = values.position()?;
        let synced = values.position()?;
        let known = values.flag()?;
        let boot_id = values.take::<16>()?;
        let cleaned = values.i64()?;
        let mut epochs = Vec::new();
        while !values.0.is_empty() {
            epochs.push((values.i32()?, values.i64()?));
        }
        Some(Self {
            at,
            synced,
            boot_id: known.then_some(boot_id),
            cleaned,
            epochs,
        })
    }
}

impl SegmentRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VALUE_VERSION];
        out.extend_from_slice(&self.size_bytes.to_be_bytes());
        for number in [
            self.next_offset,
            self.created_ms,
            self.first_timestamp_ms,
            self.max_timestamp_ms,
            self.max_timestamp_offset,
        ] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.push(u8::from(self.synced));
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut values = Values::new(value)?;
        Some(Self {
            size_bytes: values.u64()?,
            next_offset: values.i64()?,
            created_ms: values.i64()?,
            first_timestamp_ms: values.i64()?,
            max_timestamp_ms: values.i64()?,
            max_timestamp_offset: values.i64()?,
            synced: values.flag()?,
        })
    }
}

impl ProducerRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VALUE_VERSION];
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.coordinator_epoch.to_be_bytes());
        out.extend_from_slice(&self.last_timestamp_ms.to_be_bytes());
        out.extend_from_slice(&self.transaction_first_offset.unwrap_or(-1).to_be_bytes());
        for batch in &self.batches {
            out.extend_from_slice(&batch.last_sequence.to_be_bytes());
            out.extend_from_slice(&batch.last_offset.to_be_bytes());
            out.extend_from_slice(&batch.offset_delta.to_be_bytes());
            out.extend_from_slice(&batch.timestamp_ms.to_be_bytes());
        }
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut values = Values::new(value)?;
        let epoch = i16::from_be_bytes(values.take()?);
        let coordinator_epoch = values.i32()?;
        let last_timestamp_ms = values.i64()?;
        let transaction_first_offset = Some(values.i64()?).filter(|offset| *offset >= 0);
        let mut batches = Vec::new();
        while !values.0.is_empty() {
            batches.push(BatchRecord {
                last_sequence: values.i32()?,
                last_offset: values.i64()?,
                offset_delta: values.i32()?,
                timestamp_ms: values.i64()?,
            });
        }
        Some(Self {
            epoch,
            coordinator_epoch,
            last_timestamp_ms,
            transaction_first_offset,
            batches,
        })
    }
}

impl AbortedRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VALUE_VERSION];
        for number in [self.producer_id, self.first_offset, self.last_offset] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut values = Values::new(value)?;
        Some(Self {
            producer_id: values.i64()?,
            first_offset: values.i64()?,
            last_offset: values.i64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went_in() {
        let at = LogPosition {
            offset: 9,
            segment: 5,
            position: 77,
        };
        let checkpoint = Checkpoint {
            at,
            synced: LogPosition {
                offset: 5,
                segment: 5,
                position: 0,
            },
            boot_id: Some([7; 16]),
            cleaned: 3,
            epochs: vec![(0, 0), (4, 8)],
        };
        assert_eq!(Checkpoint::decode(&checkpoint.encode()), Some(checkpoint));
        let segment = SegmentRecord {
            size_bytes: 1,
            next_offset: 2,
            created_ms: 3,
            first_timestamp_ms: -1,
            max_timestamp_ms: 5,
            max_timestamp_offset: 6,
            synced: true,
        };
        assert_eq!(SegmentRecord::decode(&segment.encode()), Some(segment));
        let producer = ProducerRecord {
            epoch: 1,
            coordinator_epoch: -1,
            last_timestamp_ms: 9,
            transaction_first_offset: Some(0),
            batches: vec![
                BatchRecord {
                    last_sequence: 1,
                    last_offset: 2,
                    offset_delta: 3,
                    timestamp_ms: 4
                };
                2
            ],
        };
        assert_eq!(ProducerRecord::decode(&producer.encode()), Some(producer));
        let aborted = AbortedRecord {
            producer_id: 1,
            first_offset: 2,
            last_offset: 3,
        };
        assert_eq!(AbortedRecord::decode(&aborted.encode()), Some(aborted));
    }

    #[test]
    fn a_value_of_another_layout_or_cut_short_is_no_value() {
        let value = Checkpoint::default().encode();
        assert_eq!(Checkpoint::decode(&value[..value.len() - 1]), None);
        assert_eq!(Checkpoint::decode(&[2]), None);
        assert_eq!(Checkpoint::decode(&[]), None);
    }

    #[test]
    fn times_sort_as_they_count() {
        let key = LogKey::new(Uuid::nil(), 0);
        let mut keys = [i64::MIN, -5, -1, 0, 3, i64::MAX].map(|time| key.time_chunk(0, time, 0));
        keys.reverse();
        assert!(keys.is_sorted_by(|a, b| a > b));
    }
}
