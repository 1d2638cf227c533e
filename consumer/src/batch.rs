//! The messages of one partition between two cuts, as compactly as they can be kept.
//!
//! Values are copied once, one after the other, into blocks that grow with the batch, so that a thousand quiet
//! partitions cost little and a busy one isn't copied again by growing. What a batch costs in memory is known
//! at every moment ([`Batch::cost_bytes`]).

use crate::{
    date::Fault,
    names::{Range, Source},
};

/// The first block's size; each further one is twice as large, up to [`BLOCK_BYTES_MAX`].
const BLOCK_BYTES_MIN: usize = 4 << 10;
const BLOCK_BYTES_MAX: usize = 1 << 20;
/// The length that stands for "no value".
const NO_VALUE: u32 = u32::MAX;
/// The day that stands for "rejected"; the reason is found again when it is needed.
const REJECTED: i32 = i32::MIN;

/// A message as it came from Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, or -1 if it has none.
    pub timestamp_ms: i64,
    /// Its value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

impl Record<'_> {
    /// What tells this message from another one at the same offset.
    pub fn checksum(&self) -> u32 {
        let head = crc32c::crc32c(&self.timestamp_ms.to_le_bytes());
        // A tombstone is not an empty value.
        let head = crc32c::crc32c_append(head, &[u8::from(self.value.is_some())]);
        crc32c::crc32c_append(head, self.value.unwrap_or_default())
    }
}

/// One message that stands for all before it: its offset and [`Record::checksum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Witness {
    /// The message's offset.
    pub offset: i64,
    /// Its checksum.
    pub checksum: u32,
}

struct Entry {
    offset: i64,
    timestamp_ms: i64,
    day: i32,
    block: u32,
    at: u32,
    len: u32,
}

/// The messages of one partition in `[start, end)`. Offsets may have gaps: those of compacted messages and of
/// transactions' markers.
pub struct Batch {
    range: Range,
    entries: Vec<Entry>,
    blocks: Vec<Vec<u8>>,
    blocks_bytes: usize,
    values_bytes: usize,
    checksum: u32,
    last: Option<Witness>,
}

impl Batch {
    /// An empty batch that starts at `start`.
    pub fn new(source: Source, start: i64) -> Self {
        Self {
            range: Range {
                source,
                start,
                end: start,
            },
            entries: Vec::new(),
            blocks: Vec::new(),
            blocks_bytes: 0,
            values_bytes: 0,
            checksum: 0,
            last: None,
        }
    }

    /// Adds a message, which must be behind all others, and its day unless it is to be rejected.
    pub fn push(&mut self, record: Record<'_>, day: Option<i32>) {
        let value = record.value.unwrap_or_default();
        let free = self.blocks.last().map_or(0, |block| block.capacity() - block.len());
        if free < value.len() || self.blocks.is_empty() {
            let doubled = self.blocks.last().map_or(BLOCK_BYTES_MIN, |block| block.capacity() * 2);
            let size = doubled.clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX).max(value.len());
            self.blocks.push(Vec::with_capacity(size));
            self.blocks_bytes += size;
        }
        let block = self.blocks.len().saturating_sub(1);
        let Some(bytes) = self.blocks.last_mut() else { return };
        let at = bytes.len();
        bytes.extend_from_slice(value);
        let checksum = record.checksum();
        let both = (record.offset.to_le_bytes(), checksum.to_le_bytes());
        self.checksum = crc32c::crc32c_append(crc32c::crc32c_append(self.checksum, &both.0), &both.1);
        self.last = Some(Witness {
            offset: record.offset,
            checksum,
        });
        self.values_bytes += value.len();
        self.range.end = record.offset + 1;
        self.entries.push(Entry {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            day: day.unwrap_or(REJECTED),
            // A block is at most a message (2 GiB by Kafka's protocol) or 1 MiB.
            block: u32::try_from(block).unwrap_or(u32::MAX),
            at: u32::try_from(at).unwrap_or(u32::MAX),
            len: record
                .value
                .map_or(NO_VALUE, |value| u32::try_from(value.len()).unwrap_or(NO_VALUE)),
        });
    }

    /// The offsets it covers.
    pub fn range(&self) -> &Range {
        &self.range
    }

    /// How many messages it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of the messages' values.
    pub fn values_bytes(&self) -> usize {
        self.values_bytes
    }

    /// What it occupies in memory.
    pub fn cost_bytes(&self) -> usize {
        self.blocks_bytes + self.entries.capacity() * size_of::<Entry>()
    }

    /// A checksum over offsets, timestamps and values of all messages.
    pub fn checksum(&self) -> u32 {
        self.checksum
    }

    /// The first message's offset.
    pub fn first_offset(&self) -> Option<i64> {
        self.entries.first().map(|entry| entry.offset)
    }

    /// The last message.
    pub fn last(&self) -> Option<Witness> {
        self.last
    }

    /// The message at a position.
    pub fn record(&self, position: usize) -> Option<Record<'_>> {
        let entry = self.entries.get(position)?;
        let value = (entry.len != NO_VALUE).then(|| {
            let block = self.blocks.get(entry.block as usize)?;
            block.get(entry.at as usize..entry.at as usize + entry.len as usize)
        });
        Some(Record {
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms,
            value: value.map(Option::unwrap_or_default),
        })
    }

    /// The positions of the messages of each day, in their order, days ascending; and those to reject.
    pub fn by_day(&self) -> (Vec<(i32, Vec<usize>)>, Vec<usize>) {
        let mut days = std::collections::BTreeMap::<i32, Vec<usize>>::new();
        // Messages of one day mostly come together.
        let mut run: (i32, Vec<usize>) = (REJECTED, Vec::new());
        for (position, entry) in self.entries.iter().enumerate() {
            if entry.day != run.0 {
                let (day, mut positions) = std::mem::take(&mut run);
                days.entry(day).or_default().append(&mut positions);
                run.0 = entry.day;
            }
            run.1.push(position);
        }
        let (day, mut positions) = run;
        days.entry(day).or_default().append(&mut positions);
        let rejected = days.remove(&REJECTED).unwrap_or_default();
        days.retain(|_, positions| !positions.is_empty());
        (days.into_iter().collect(), rejected)
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}[{}, {}): {} messages",
            self.range.source,
            self.range.start,
            self.range.end,
            self.len()
        )
    }
}

/// The day of a message as [`Batch::push`] takes it.
pub(crate) fn day_or_rejected(day: Result<i32, Fault>) -> Option<i32> {
    day.ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_batch_gives_back_what_it_was_given(
            values in prop::collection::vec((prop::option::of(prop::collection::vec(any::<u8>(), 0..9_000)), 0..4_i32, 1..3_i64), 0..60)
        ) {
            let source = Source { topic: "t".into(), partition: 0, epoch: 0 };
            let mut batch = Batch::new(source, 5);
            let mut offset = 6;
            let mut pushed = Vec::new();
            for (value, day, step) in &values {
                offset += step;
                let record = Record { offset, timestamp_ms: offset * 2, value: value.as_deref() };
                batch.push(record, (*day > 0).then_some(*day));
                pushed.push((record, *day));
            }
            prop_assert_eq!(batch.len(), values.len());
            prop_assert_eq!(batch.range().end, if values.is_empty() { 5 } else { offset + 1 });
            for (position, (record, _)) in pushed.iter().enumerate() {
                prop_assert_eq!(batch.record(position), Some(*record));
            }
            let (days, rejected) = batch.by_day();
            let positions: usize = days.iter().map(|(_, positions)| positions.len()).sum();
            prop_assert_eq!(positions + rejected.len(), values.len());
            for (day, positions) in &days {
                prop_assert!(positions.is_sorted() && positions.iter().all(|at| pushed[*at].1 == *day));
            }
            prop_assert!(rejected.iter().all(|at| pushed[*at].1 == 0));
            prop_assert!(days.is_sorted_by_key(|(day, _)| *day));
        }
    }

    #[test]
    fn the_checksum_sees_every_change() {
        let of = |records: &[Record<'_>]| {
            let mut batch = Batch::new(
                Source {
                    topic: "t".into(),
                    partition: 0,
                    epoch: 0,
                },
                0,
            );
            records.iter().for_each(|record| batch.push(*record, None));
            batch.checksum()
        };
        let record = Record {
            offset: 1,
            timestamp_ms: 2,
            value: Some(b"v"),
        };
        let all = [
            of(&[record]),
            of(&[Record { offset: 2, ..record }]),
            of(&[Record {
                timestamp_ms: 3,
                ..record
            }]),
            of(&[Record {
                value: Some(b""),
                ..record
            }]),
            of(&[Record { value: None, ..record }]),
            of(&[]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{all:?}");
        }
    }
}
