//! The decisions of compaction, as Apache Kafka makes them: which part of a log is worth cleaning, which records of a batch
//! stay, and what becomes of the batch. Pure: no files, no clock.

use std::collections::{HashMap, HashSet};

use super::{config::LogConfig, keys::KeyOffsets};
use crate::{
    metadata::segments::AbortedRecord,
    wire::{
        batch::{Batch, BatchHeader, NO_TIMESTAMP, TimestampType},
        build::{EndTxnMarker, seal},
        compression::{Compression, compress},
        record::{Record, Records},
        varint,
    },
};

const DELETE_HORIZON: i16 = 0x40;

/// A segment as the choice of what to clean sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cleanable {
    pub(super) base_offset: i64,
    pub(super) size_bytes: u64,
    pub(super) first_timestamp_ms: i64,
    pub(super) max_timestamp_ms: i64,
}

/// The dirty part of a log that may be cleaned now: from an offset up to another.
///
/// `segments` are all but the one that is appended to; `end_offset` is where that one begins.
pub(super) fn dirty_range(
    segments: &[Cleanable],
    end_offset: i64,
    cleaned: i64,
    last_stable_offset: i64,
    config: &LogConfig,
    now_ms: i64,
) -> Option<(i64, i64)> {
    let first_dirty = cleaned.max(segments.first()?.base_offset);
    let too_young = |s: &&Cleanable| {
        config.min_compaction_lag_ms > 0 && s.max_timestamp_ms > now_ms.saturating_sub(config.min_compaction_lag_ms)
    };
    // The segment in which the dirty part begins belongs to it, and counts as clean as well, as in Apache Kafka.
    let floor = segments
        .partition_point(|s| s.base_offset <= first_dirty)
        .saturating_sub(1);
    let dirty = &segments[floor..];
    let lag_bound = dirty.iter().find(too_young).map_or(end_offset, |s| s.base_offset);
    let bound = end_offset.min(last_stable_offset).min(lag_bound);
    // Whole segments only: the one in which the bound lies is left alone.
    let first_uncleanable = match dirty.iter().rfind(|s| s.base_offset <= bound) {
        Some(segment) if bound < end_offset => segment.base_offset,
        _ => bound,
    };
    if first_dirty >= first_uncleanable {
        return None;
    }
    let size = |segments: &[Cleanable], below: i64| -> u64 {
        let below = segments.iter().take_while(|s| s.base_offset < below);
        below.map(|s| s.size_bytes).sum()
    };
    let clean_bytes = size(segments, first_dirty);
    let cleanable_bytes = size(dirty, first_uncleanable);
    if cleanable_bytes == 0 {
        return None;
    }
    let overdue = dirty.iter().take_while(|s| s.base_offset < first_uncleanable).any(|s| {
        s.first_timestamp_ms >= 0 && now_ms.saturating_sub(s.first_timestamp_ms) > config.max_compaction_lag_ms
    });
    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes needs no more than 52 bits")]
    let ratio = cleanable_bytes as f64 / (clean_bytes + cleanable_bytes) as f64;
    (overdue || ratio > config.min_cleanable_dirty_ratio).then_some((first_dirty, first_uncleanable))
}

/// Follows transactions through a log that is being cleaned.
#[derive(Debug)]
pub(super) struct Transactions {
    /// Aborted transactions that have not begun yet, the next one last.
    aborted: Vec<AbortedRecord>,
    /// Producers in an aborted transaction: where its marker was, and whether records of it are still there.
    in_aborted: HashMap<i64, (i64, bool)>,
    /// Producers in a committed transaction of which records are there.
    in_committed: HashSet<i64>,
}

impl Transactions {
    pub(super) fn new(mut aborted: Vec<AbortedRecord>) -> Self {
        aborted.sort_unstable_by_key(|aborted| std::cmp::Reverse(aborted.first_offset));
        Self {
            aborted,
            in_aborted: HashMap::new(),
            in_committed: HashSet::new(),
        }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(next) = self.aborted.pop_if(|next| next.first_offset <= offset) {
            self.in_aborted.insert(next.producer_id, (next.last_offset, false));
        }
    }

    /// Whether the records of a batch were aborted.
    pub(super) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some((last_offset, has_records)) = self.in_aborted.get_mut(&header.producer_id) {
            // Where the marker is not met, as it is not in this part of the log or was cleaned away, the transaction has
            // ended all the same.
            if header.base_offset < *last_offset {
                *has_records = true;
                return true;
            }
            self.in_aborted.remove(&header.producer_id);
        }
        self.in_committed.insert(header.producer_id);
        false
    }

    /// Whether nothing is left of the transaction that a marker ended. A batch without a marker in it counts as such.
    pub(super) fn is_empty_at(&mut self, header: &BatchHeader, marker: Option<EndTxnMarker>) -> bool {
        self.begin_up_to(header.last_offset());
        match marker {
            Some(EndTxnMarker::Abort) => !matches!(self.in_aborted.remove(&header.producer_id), Some((_, true))),
            Some(EndTxnMarker::Commit) => !self.in_committed.remove(&header.producer_id),
            None => header.records_count == 0,
        }
    }
}

/// What is known about a batch besides its own bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// Its records do not count: they were aborted.
    pub(super) aborted: bool,
    /// For a control batch: nothing is left of its transaction.
    pub(super) ends_nothing: bool,
    /// It says where its producer, or the segment, got to, and stays even when it has no records.
    pub(super) stays: bool,
    pub(super) now_ms: i64,
    pub(super) delete_retention_ms: i64,
    /// How far its records may expand.
    pub(super) decompressed_bytes_max: usize,
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is.
    Keep,
    /// It goes.
    Drop,
    /// It becomes another of the same offsets.
    Replace(Vec<u8>),
}

/// Decides about one batch. The error says what is wrong with its bytes.
pub(super) fn judge(batch: &Batch<'_>, keys: &KeyOffsets, given: &Circumstances) -> Result<Fate, String> {
    let header = &batch.header;
    let horizon_ms = header.has_delete_horizon().then_some(header.base_timestamp);
    let is_past_horizon = horizon_ms.is_some_and(|horizon_ms| horizon_ms <= given.now_ms);
    let discards_all = given.aborted || (header.is_control() && given.ends_nothing && is_past_horizon);
    if discards_all || header.records_count == 0 {
        return Ok(match (given.stays, header.records_count) {
            (false, _) => Fate::Drop,
            (true, 0) => Fate::Keep,
            (true, _) => Fate::Replace(emptied(header)),
        });
    }
    let plain = batch
        .decompressed(given.decompressed_bytes_max)
        .map_err(|error| error.to_string())?;
    let mut kept = Vec::new();
    let mut has_tombstones = false;
    let mut count = 0;
    for record in Records::new(header, &plain) {
        let record = record.map_err(|error| error.to_string())?;
        count += 1;
        let is_tombstone = record.value.is_none();
        if header.is_control()
            || (keys.is_latest(&record) && !(is_tombstone && is_past_horizon && record.offset < keys.end_offset))
        {
            has_tombstones |= is_tombstone && !header.is_control();
            kept.push(record);
        }
    }
    if kept.is_empty() {
        return Ok(if given.stays {
            Fate::Replace(emptied(header))
        } else {
            Fate::Drop
        });
    }
    let waits_for_horizon = has_tombstones || (header.is_control() && given.ends_nothing);
    let new_horizon_ms =
        (waits_for_horizon && horizon_ms.is_none()).then(|| given.now_ms.saturating_add(given.delete_retention_ms));
    if kept.len() == count && new_horizon_ms.is_none() {
        return Ok(Fate::Keep);
    }
    rebuilt(header, &kept, new_horizon_ms).map(Fate::Replace)
}

/// A batch without records, which still says what its offsets and sequences were.
fn emptied(header: &BatchHeader) -> Vec<u8> {
    const CODEC: i16 = 0x07;
    let mut header = header.clone();
    header.records_count = 0;
    header.attributes &= !(CODEC | DELETE_HORIZON);
    header.base_timestamp = header.max_timestamp;
    seal(header, &[])
}

/// A batch of some of another's records, at their offsets.
fn rebuilt(header: &BatchHeader, kept: &[Record<'_>], horizon_ms: Option<i64>) -> Result<Vec<u8>, String> {
    let mut header = header.clone();
    if let Some(horizon_ms) = horizon_ms {
        header.attributes |= DELETE_HORIZON;
        header.base_timestamp = horizon_ms;
    }
    if header.timestamp_type() == TimestampType::CreateTime {
        header.max_timestamp = kept.iter().map(|record| record.timestamp).max().unwrap_or(NO_TIMESTAMP);
    }
    header.records_count = i32::try_from(kept.len()).map_err(|error| error.to_string())?;
    let mut records = Vec::new();
    for record in kept {
        put_record(record, record.offset_delta, header.base_timestamp, &mut records);
    }
    let codec = header.compression().map_err(|error| error.to_string())?;
    if codec != Compression::None {
        records = compress(codec, &records).map_err(|error| error.to_string())?;
    }
    Ok(seal(header, &records))
}

/// Appends a record as it is in a batch of that base timestamp, so far from the batch's base offset.
pub(super) fn put_record(record: &Record<'_>, offset_delta: i32, base_timestamp_ms: i64, out: &mut Vec<u8>) {
    let mut body = vec![0];
    varint::write_i64(record.timestamp.wrapping_sub(base_timestamp_ms), &mut body);
    varint::write_i32(offset_delta, &mut body);
    put_bytes(record.key, &mut body);
    put_bytes(record.value, &mut body);
    varint::write_i32(i32::try_from(record.headers.len()).unwrap_or(i32::MAX), &mut body);
    for (key, value) in record.headers.iter() {
        // As Apache Kafka, which holds them as text.
        put_bytes(Some(String::from_utf8_lossy(key).as_bytes()), &mut body);
        put_bytes(value, &mut body);
    }
    varint::write_i32(i32::try_from(body.len()).unwrap_or(i32::MAX), out);
    out.extend_from_slice(&body);
}

fn put_bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    let length = bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    varint::write_i32(length, out);
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Vec<Cleanable> {
        let segment = |n: i64| Cleanable {
            base_offset: n * 10,
            size_bytes: 100,
            first_timestamp_ms: n * 1_000,
            max_timestamp_ms: n * 1_000 + 999,
        };
        (0..4).map(segment).collect()
    }

    #[test]
    fn a_log_is_worth_cleaning_when_enough_of_it_is_dirty() {
        let config = LogConfig::default();
        assert_eq!(dirty_range(&segments(), 40, 0, 99, &config, 9_000), Some((0, 40)));
        assert_eq!(
            dirty_range(&segments(), 40, 20, 99, &config, 9_000),
            None,
            "half is not more than half"
        );
        assert_eq!(dirty_range(&segments(), 40, 10, 99, &config, 9_000), Some((10, 40)));
        assert_eq!(dirty_range(&segments(), 40, 40, 99, &config, 9_000), None);
        assert_eq!(dirty_range(&[], 0, 0, 0, &config, 9_000), None);
        let eager = LogConfig {
            min_cleanable_dirty_ratio: 0.0,
            ..config
        };
        assert_eq!(
            dirty_range(&segments(), 40, 35, 99, &eager, 9_000),
            Some((35, 40)),
            "what a pass without enough memory left of a segment is dirty"
        );
    }

    #[test]
    fn young_records_and_open_transactions_are_left_alone() {
        let config = LogConfig {
            min_compaction_lag_ms: 2_500,
            ..LogConfig::default()
        };
        assert_eq!(dirty_range(&segments(), 40, 0, 99, &config, 5_000), Some((0, 20)));
        assert_eq!(
            dirty_range(&segments(), 40, 0, 15, &LogConfig::default(), 5_000),
            Some((0, 10)),
            "the segment in which the transaction began is left alone"
        );
    }

    #[test]
    fn what_waited_too_long_is_cleaned_however_little_it_is() {
        let config = LogConfig {
            max_compaction_lag_ms: 2_000,
            ..LogConfig::default()
        };
        assert_eq!(dirty_range(&segments(), 40, 30, 99, &config, 5_000), None);
        assert_eq!(dirty_range(&segments(), 40, 30, 99, &config, 5_001), Some((30, 40)));
    }
}
