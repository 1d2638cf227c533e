//! The latest offset of each key of a part of a log, in memory of a fixed size.
//!
//! A table of 24-byte slots with open addressing: 128 bits of the key's hash, by secrets that are drawn anew for each pass,
//! and the offset. Two keys of the same 128 bits would count as one; with secrets nobody can look for them, and by chance it
//! takes some 10^18 keys. When the table is full, the part of the log that is cleaned ends there, and the next pass goes on.

use std::hash::{BuildHasher, RandomState};

use crate::wire::record::Record;

/// Free slots keep look-ups short: as Apache Kafka's `log.cleaner.io.buffer.load.factor`, in tenths.
const LOAD_TENTHS: usize = 9;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: [u64; 2],
    /// The offset and one; 0 for a slot that is free.
    offset_after: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct KeyOffsets {
    slots: Vec<Slot>,
    keys: usize,
    keys_max: usize,
    secrets: [RandomState; 2],
    /// The offset after the last record that was taken in.
    pub(super) end_offset: i64,
}

impl KeyOffsets {
    /// For the records from `end_offset` on, of which there are `records` at most, in no more than `bytes_max`.
    pub(super) fn new(bytes_max: usize, end_offset: i64, records: usize) -> Self {
        let wanted = records.saturating_mul(10) / LOAD_TENTHS + 2;
        let slots = (bytes_max / size_of::<Slot>()).clamp(2, wanted.max(2));
        Self {
            slots: vec![Slot::default(); slots],
            keys: 0,
            keys_max: (slots * LOAD_TENTHS / 10).max(1),
            secrets: [RandomState::new(), RandomState::new()],
            end_offset,
        }
    }

    /// Where `key` is or would be, and its hash.
    fn find(&self, key: &[u8]) -> (usize, [u64; 2]) {
        let hash = [self.secrets[0].hash_one(key), self.secrets[1].hash_one(key)];
        let len = self.slots.len() as u64;
        // There is always a free slot, as there are more of them than keys.
        let mut at = usize::try_from(hash[0] % len).unwrap_or(0);
        while self.slots[at].offset_after != 0 && self.slots[at].hash != hash {
            at = (at + 1) % self.slots.len();
        }
        (at, hash)
    }

    /// Takes in a record's key; says whether there was room. Offsets must not fall.
    pub(super) fn insert(&mut self, key: &[u8], offset: i64) -> bool {
        let (at, hash) = self.find(key);
        let slot = &mut self.slots[at];
        if slot.offset_after == 0 {
            if self.keys == self.keys_max {
                return false;
            }
            self.keys += 1;
            slot.hash = hash;
        }
        slot.offset_after = offset.cast_unsigned() + 1;
        true
    }

    /// Whether `record` is the last one of its key, as far as is known, and is to be kept by its key alone.
    pub(super) fn is_latest(&self, record: &Record<'_>) -> bool {
        if record.offset >= self.end_offset {
            return true;
        }
        let Some(key) = record.key else { return false };
        let (at, _) = self.find(key);
        record.offset.cast_unsigned() + 1 >= self.slots[at].offset_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_takes_more_than_it_may() {
        for bytes_max in [0, 24, 100, 4_096, 1 << 20] {
            let mut keys = KeyOffsets::new(bytes_max, 0, usize::MAX);
            let room = (0..100_000i64)
                .take_while(|n| keys.insert(&n.to_be_bytes(), *n))
                .count();
            assert_eq!(room, keys.keys_max);
            assert!(keys.slots.capacity() * size_of::<Slot>() <= bytes_max.max(2 * size_of::<Slot>()));
            assert!(keys.insert(&0i64.to_be_bytes(), 200_000), "a known key needs no room");
        }
        assert!(
            KeyOffsets::new(1 << 30, 0, 9).slots.len() < 20,
            "no more than there can be keys"
        );
    }

    #[test]
    fn the_latest_offset_of_each_key_is_remembered() {
        let mut keys = KeyOffsets::new(1 << 20, 0, 2_000);
        for n in 0..2_000i64 {
            assert!(keys.insert(&(n % 700).to_be_bytes(), n));
        }
        keys.end_offset = 2_000;
        for n in 0..2_000i64 {
            let (at, _) = keys.find(&(n % 700).to_be_bytes());
            let latest = (n..2_000).filter(|other| other % 700 == n % 700).max().unwrap();
            assert_eq!(keys.slots[at].offset_after, latest as u64 + 1);
        }
    }
}
