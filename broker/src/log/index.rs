//! The sparse index of one segment: where some of its batches are, by offset and by time.
//!
//! An entry stands for a batch, about one in every `index.interval.bytes`, and for the largest timestamp *before* that
//! batch, so that entries ascend in offset, position and time alike. In memory it is a vector; in the store it is chunks
//! of [`CHUNK_ENTRIES`], each followed by the first entry of the next, so that one chunk answers a look-up however long
//! the segment is.

/// Entries in a stored chunk.
pub(super) const CHUNK_ENTRIES: usize = 256;
const ENTRY_BYTES: usize = 16;

/// A batch that can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Base offset of the batch, less the segment's.
    pub(super) relative_offset: u32,
    /// Bytes into the segment.
    pub(super) position: u32,
    /// The largest timestamp of the batches before; -1 for none.
    pub(super) max_timestamp_before_ms: i64,
}

impl IndexEntry {
    /// The start of any segment.
    pub(super) const START: Self = Self {
        relative_offset: 0,
        position: 0,
        max_timestamp_before_ms: -1,
    };
}

/// The last entry that is not above `relative_offset`; the segment's start where there is none.
pub(super) fn by_offset(entries: &[IndexEntry], relative_offset: u32) -> IndexEntry {
    last_where(entries, |entry| entry.relative_offset <= relative_offset)
}

/// The last entry that is not beyond `position`.
pub(super) fn by_position(entries: &[IndexEntry], position: u64) -> IndexEntry {
    last_where(entries, |entry| u64::from(entry.position) <= position)
}

/// The last entry before which everything is older than `timestamp_ms`.
pub(super) fn by_time(entries: &[IndexEntry], timestamp_ms: i64) -> IndexEntry {
    last_where(entries, |entry| entry.max_timestamp_before_ms < timestamp_ms)
}

fn last_where(entries: &[IndexEntry], holds: impl Fn(&IndexEntry) -> bool) -> IndexEntry {
    let count = entries.partition_point(holds);
    count.checked_sub(1).map_or(IndexEntry::START, |last| entries[last])
}

/// The chunks of `entries` from the chunk of entry `from` on: the first entry of each, and its bytes.
pub(super) fn encode_chunks(entries: &[IndexEntry], from: usize) -> impl Iterator<Item = (IndexEntry, Vec<u8>)> {
    (from / CHUNK_ENTRIES..entries.len().div_ceil(CHUNK_ENTRIES)).map(|chunk| {
        let start = chunk * CHUNK_ENTRIES;
        // One more than the chunk has: the first of the next.
        let end = entries.len().min(start + CHUNK_ENTRIES + 1);
        let mut bytes = Vec::with_capacity((end - start) * ENTRY_BYTES);
        for entry in &entries[start..end] {
            bytes.extend_from_slice(&entry.relative_offset.to_be_bytes());
            bytes.extend_from_slice(&entry.position.to_be_bytes());
            bytes.extend_from_slice(&entry.max_timestamp_before_ms.to_be_bytes());
        }
        (entries[start], bytes)
    })
}

/// The entries of a chunk and the one that follows it.
pub(super) fn decode_chunk(bytes: &[u8]) -> Vec<IndexEntry> {
    let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
    entries.iter().map(decode_entry).collect()
}

fn decode_entry(bytes: &[u8; ENTRY_BYTES]) -> IndexEntry {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    IndexEntry {
        relative_offset: u32::from_be_bytes([a, b, c, d]),
        position: u32::from_be_bytes([e, f, g, h]),
        max_timestamp_before_ms: i64::from_be_bytes(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: u32) -> Vec<IndexEntry> {
        (0..count)
            .map(|n| IndexEntry {
                relative_offset: n * 10,
                position: n * 4096,
                max_timestamp_before_ms: i64::from(n) - 1,
            })
            .collect()
    }

    #[test]
    fn finds_the_last_entry_that_is_not_too_far() {
        let entries = entries(5);
        assert_eq!(by_offset(&entries, 0).position, 0);
        assert_eq!(by_offset(&entries, 19).position, 4096);
        assert_eq!(by_offset(&entries, 999).position, 4 * 4096);
        assert_eq!(by_position(&entries, 8191).relative_offset, 10);
        assert_eq!(by_time(&entries, 2).relative_offset, 20);
        assert_eq!(by_time(&entries, -7), IndexEntry::START);
        assert_eq!(by_offset(&[], 7), IndexEntry::START);
    }

    #[test]
    fn chunks_hold_their_entries_and_the_next() {
        let entries = entries(CHUNK_ENTRIES as u32 + 3);
        let chunks: Vec<_> = encode_chunks(&entries, 0).collect();
        assert_eq!(chunks.len(), 2);
        assert_eq!(decode_chunk(&chunks[0].1), entries[..=CHUNK_ENTRIES]);
        assert_eq!(decode_chunk(&chunks[1].1), entries[CHUNK_ENTRIES..]);
        assert_eq!(encode_chunks(&entries, CHUNK_ENTRIES + 1).count(), 1);
        assert_eq!(encode_chunks(&[], 0).count(), 0);
    }
}
