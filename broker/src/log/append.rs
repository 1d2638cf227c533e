//! Appending: from the bytes that a producer sent to the bytes in the segment.
//!
//! What can be judged from the batch and the topic's properties is judged before the lock; sequences and offsets under it.
//! The batch is written as it came but for its header, which gets its offset, the leader epoch and, under `LogAppendTime`,
//! the broker's time: one `pwritev` of header and records. Records are decompressed only where a property asks for it:
//! another `compression.type`, or compaction, which needs every record to have a key. Of compressed records the header is
//! otherwise believed as to count and timestamps; of uncompressed ones the count is checked.

use std::{borrow::Cow, io, sync::Arc, sync::atomic::Ordering};

use super::{
    config::{CompressionType, LogConfig, TimestampType},
    error::AppendError,
    partition::{Inner, Writer},
    producers::{Marker, Verdict},
    segment::SegmentError,
    types::{Appended, Origin},
};
use crate::wire::{
    batch::{self, Batch, BatchError, BatchHeader, Batches, HEADER_LEN},
    build,
    compression::{Compression, compress},
    record::Records,
    varint,
};

/// A batch that has passed everything which does not depend on the log's state.
struct Prepared<'a> {
    header: BatchHeader,
    records: Cow<'a, [u8]>,
    /// Whether the header's CRC has to be made anew.
    changed: bool,
    marker: Option<Marker>,
}

impl Inner {
    pub(super) fn append(
        &self,
        records: &[u8],
        origin: Origin,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let config = self.config();
        let mut prepared = prepare(records, origin, &config, now_ms)?;
        let header = &mut prepared.header;

        let writer = &mut *self.writer.lock();
        self.check_open(writer)?;
        if let Verdict::Duplicate(batch) = writer.producers.check(header, prepared.marker, origin)? {
            return Ok(Appended {
                base_offset: batch.last_offset - i64::from(batch.offset_delta),
                last_offset: batch.last_offset,
                log_append_time_ms: batch.timestamp_ms,
                log_start_offset: self.view.read().log_start_offset,
                duplicate: true,
                needs_sync: self.needs_sync(&config, batch.last_offset + 1),
            });
        }
        header.base_offset = writer.next_offset;
        header.partition_leader_epoch = leader_epoch;
        let size_bytes = header.size_in_bytes();
        if writer
            .active
            .is_full_for(&config, size_bytes, header.last_offset(), header.max_timestamp, now_ms)
        {
            self.roll(writer, now_ms)?;
        }
        if prepared.changed {
            let head = header.to_bytes();
            let crc = crc32c::crc32c(&head[batch::CRC_COVERED_FROM..]);
            header.crc = crc32c::crc32c_append(crc, &prepared.records);
        }
        self.write(writer, header, &prepared.records)?;

        writer.next_offset = header.next_offset();
        writer.producers.apply(header, prepared.marker);
        writer.active.push(header, config.index_interval_bytes);
        let mut view = self.view.write();
        view.epochs.assign(leader_epoch, header.base_offset);
        view.active_size_bytes += size_bytes as u64;
        view.log_end_offset = header.next_offset();
        view.last_stable_offset = writer.producers.first_open_offset().unwrap_or(view.log_end_offset);
        view.has_aborted |= prepared.marker.is_some();
        let log_start_offset = view.log_start_offset;
        drop(view);
        self.waiters.wake();

        let log_append_time_ms = if config.message_timestamp_type == TimestampType::LogAppendTime {
            now_ms
        } else {
            -1
        };
        Ok(Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time_ms,
            log_start_offset,
            duplicate: false,
            needs_sync: self.needs_sync(&config, header.next_offset()),
        })
    }

    fn needs_sync(&self, config: &LogConfig, end: i64) -> bool {
        end.saturating_sub(self.synced_offset.load(Ordering::Acquire)) >= config.flush_messages
    }

    fn check_open(&self, writer: &Writer) -> Result<(), AppendError> {
        if let Some(reason) = self.offline.get() {
            return Err(AppendError::Offline(reason.clone()));
        }
        if writer.closed {
            return Err(AppendError::Offline("it was closed".into()));
        }
        Ok(())
    }

    /// Writes a batch at the end of the last segment.
    fn write(&self, writer: &Writer, header: &BatchHeader, records: &[u8]) -> Result<(), AppendError> {
        let segment = &writer.active;
        let file = match segment.file(&self.dir) {
            Ok(file) => file,
            Err(SegmentError::Retired) => return Err(AppendError::Offline("it was removed".into())),
            // Nothing was written, so nothing is in doubt: too many open files, say.
            Err(SegmentError::Failed(error)) => {
                tracing::warn!(log = self.name, %error, "cannot append");
                return Err(AppendError::Unwritten(error.to_string()));
            }
        };
        let position = segment.size_bytes();
        segment.set_dirty();
        let Err(error) = file.write_at(&header.to_bytes(), records, position) else {
            return Ok(());
        };
        // A part of the batch may be in the file. Cut off, it leaves the log as it was.
        if is_full(&error) && file.set_size(position).is_ok() {
            tracing::warn!(log = self.name, "no space left on the disk");
            return Err(AppendError::DiskFull);
        }
        Err(AppendError::Offline(self.go_offline(format!(
            "cannot write {}: {error}",
            segment.path().display()
        ))))
    }

    /// Begins a new segment, unless the last one is empty.
    pub(super) fn roll(&self, writer: &mut Writer, now_ms: i64) -> Result<(), AppendError> {
        self.check_open(writer)?;
        if writer.active.base_offset == writer.next_offset {
            return Ok(());
        }
        let segment = Arc::new(self.new_segment(writer.next_offset, now_ms));
        if let Err(error) = segment.create_file(&self.dir) {
            if is_full(&error) {
                return Err(AppendError::DiskFull);
            }
            tracing::warn!(log = self.name, %error, "cannot begin a segment");
            return Err(AppendError::Unwritten(error.to_string()));
        }
        self.names_dirty.store(true, Ordering::Release);
        let mut view = self.view.write();
        view.segments.push(Arc::clone(&segment));
        view.active_size_bytes = 0;
        drop(view);
        writer.active = segment;
        Ok(())
    }
}

/// Whether the disk has no room (or lets us have no more of it), which may pass.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn prepare<'a>(
    records: &'a [u8],
    origin: Origin,
    config: &LogConfig,
    now_ms: i64,
) -> Result<Prepared<'a>, AppendError> {
    // Before the CRC, which for something too large is not worth computing.
    if let Ok(header) = BatchHeader::parse(records)
        && header.base_offset == 0
    {
        check_size(header.size_in_bytes(), config)?;
    }
    let batch = match origin {
        Origin::Client => batch::produced_batch(records)?,
        Origin::Coordinator => own_batch(records)?,
    };
    let marker = if batch.header.is_control() {
        read_marker(&batch)
    } else {
        None
    };
    if origin == Origin::Client {
        check_timestamps(&batch.header, config, now_ms)?;
    }
    let codec = batch.header.compression()?;
    let target = target_codec(config, codec, &batch.header);
    let mut prepared = Prepared {
        header: batch.header.clone(),
        records: Cow::Borrowed(batch.payload()),
        changed: false,
        marker,
    };
    let needs_keys = config.cleanup_policy.compact && origin == Origin::Client;
    if target != codec || needs_keys {
        let plain = batch
            .decompressed(config.decompressed_bytes_max)
            .map_err(|error| AppendError::InvalidRecord(error.to_string()))?;
        check_records(&batch.header, &plain, needs_keys)?;
        if target != codec {
            recompress(&mut prepared, &plain, target)?;
            check_size(prepared.header.size_in_bytes(), config)?;
        }
    } else if codec == Compression::None {
        check_framing(batch.payload(), batch.header.records_count)?;
    }
    if config.message_timestamp_type == TimestampType::LogAppendTime {
        const LOG_APPEND_TIME: i16 = 0x08;
        prepared.header.attributes |= LOG_APPEND_TIME;
        prepared.header.max_timestamp = now_ms;
        prepared.changed = true;
    }
    Ok(prepared)
}

fn check_size(size_bytes: usize, config: &LogConfig) -> Result<(), AppendError> {
    let max_bytes = usize::try_from(config.max_message_bytes).unwrap_or(0);
    if size_bytes > max_bytes {
        return Err(AppendError::TooLarge { size_bytes, max_bytes });
    }
    let max_bytes = usize::try_from(config.segment_bytes).unwrap_or(0);
    if size_bytes > max_bytes {
        return Err(AppendError::LargerThanSegment { size_bytes, max_bytes });
    }
    Ok(())
}

/// The one batch that the broker itself writes.
fn own_batch(records: &[u8]) -> Result<Batch<'_>, AppendError> {
    let mut batches = Batches::new(records);
    let batch = batches
        .next()
        .transpose()?
        .filter(|batch| batch.bytes.len() == records.len());
    let batch = batch.ok_or_else(|| AppendError::InvalidRecord("one whole batch was expected".into()))?;
    batch.validate_crc()?;
    if batch.header.last_offset_delta < 0 {
        return Err(AppendError::InvalidRecord(
            "the batch has an invalid offset range".into(),
        ));
    }
    Ok(batch)
}

/// The marker in a control batch; `None` for other control records.
pub(super) fn read_marker(batch: &Batch<'_>) -> Option<Marker> {
    let record = Records::new(&batch.header, batch.payload()).next()?.ok()?;
    let outcome = build::end_txn_marker(record.key?)?;
    let epoch = record.value?.get(2..)?.first_chunk::<4>()?;
    Some(Marker {
        outcome,
        coordinator_epoch: i32::from_be_bytes(*epoch),
    })
}

fn check_timestamps(header: &BatchHeader, config: &LogConfig, now_ms: i64) -> Result<(), AppendError> {
    if header.timestamp_type() == batch::TimestampType::LogAppendTime {
        return Err(AppendError::InvalidTimestamp {
            timestamp_ms: header.max_timestamp,
            now_ms,
        });
    }
    if config.message_timestamp_type == TimestampType::LogAppendTime {
        return Ok(());
    }
    for timestamp_ms in [header.base_timestamp, header.max_timestamp] {
        let too_old = now_ms.saturating_sub(timestamp_ms) > config.message_timestamp_before_max_ms;
        let too_new = timestamp_ms.saturating_sub(now_ms) > config.message_timestamp_after_max_ms;
        if timestamp_ms != batch::NO_TIMESTAMP && (too_old || too_new) {
            return Err(AppendError::InvalidTimestamp { timestamp_ms, now_ms });
        }
    }
    Ok(())
}

fn target_codec(config: &LogConfig, source: Compression, header: &BatchHeader) -> Compression {
    match config.compression_type {
        // Markers stay as they are.
        _ if header.is_control() => source,
        CompressionType::Producer => source,
        CompressionType::Uncompressed => Compression::None,
        CompressionType::Gzip => Compression::Gzip,
        CompressionType::Snappy => Compression::Snappy,
        CompressionType::Lz4 => Compression::Lz4,
        CompressionType::Zstd => Compression::Zstd,
    }
}

fn recompress(prepared: &mut Prepared<'_>, plain: &[u8], target: Compression) -> Result<(), AppendError> {
    const CODEC_MASK: i16 = 0x07;
    let records = match target {
        Compression::None => plain.to_vec(),
        codec => compress(codec, plain).map_err(|error| AppendError::InvalidRecord(error.to_string()))?,
    };
    let header = &mut prepared.header;
    header.attributes = header.attributes & !CODEC_MASK | i16::from(target.id());
    header.batch_length = i32::try_from(HEADER_LEN - batch::LOG_OVERHEAD + records.len())
        .map_err(|_| AppendError::InvalidRecord("the batch is over 2 GiB".into()))?;
    prepared.records = Cow::Owned(records);
    prepared.changed = true;
    Ok(())
}

/// Checks each record, and that it has a key where `needs_keys`.
fn check_records(header: &BatchHeader, plain: &[u8], needs_keys: bool) -> Result<(), AppendError> {
    for record in Records::new(header, plain) {
        if record?.key.is_none() && needs_keys {
            return Err(AppendError::InvalidRecord(
                "a compacted topic takes no record without a key".into(),
            ));
        }
    }
    Ok(())
}

/// Checks that there are `count` records by their lengths alone.
fn check_framing(mut records: &[u8], count: i32) -> Result<(), AppendError> {
    let mut index = 0;
    while !records.is_empty() {
        let rest = varint::read_i32(records).and_then(|(length, prefix)| {
            let end = prefix.checked_add(usize::try_from(length).ok()?)?;
            records.get(end..)
        });
        let Some(rest) = rest else {
            return Err(BatchError::Record {
                index,
                reason: "it is longer than its batch",
            }
            .into());
        };
        records = rest;
        index += 1;
    }
    if usize::try_from(count) != Ok(index) {
        return Err(AppendError::InvalidRecord(format!(
            "the batch says {count} records and has {index}"
        )));
    }
    Ok(())
}
