//! Appending: from the bytes that a producer sent to the bytes in the segment.
//!
//! What can be judged from the batch and the topic's properties is judged before the lock; sequences and offsets under it.
//! The batch is written as it came but for its header, which gets its offset, the leader epoch and, under `LogAppendTime`,
//! the broker's time: one `pwritev` of header and records. A client's records are walked as [`super::validate`] says; they
//! are made anew only where `compression.type` says so.

use std::{borrow::Cow, io, sync::Arc, sync::atomic::Ordering};

use super::{
    cleaning::put_record,
    config::{CompressionType, LogConfig, TimestampType},
    error::AppendError,
    partition::{Inner, Writer},
    producers::{Marker, Verdict},
    segment::SegmentError,
    space::Space,
    types::{Appended, Origin},
    validate::{Held, Rules, validate, validate_expanded},
};
use crate::wire::{
    batch::{self, Batch, BatchHeader, Batches, HEADER_LEN},
    build,
    compression::{Compression, CompressionError, compress},
    record::Records,
};

/// The attributes of a batch that mean something.
const ATTRIBUTES: i16 = 0x7f;

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
        let rules = Rules {
            log: &self.name,
            config: &config,
            now_ms,
        };
        let mut prepared = prepare(records, origin, &rules)?;
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
        if self.dir.space.is_short() {
            return Err(AppendError::DiskFull);
        }
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
            if Space::is_due(position, position + header.size_in_bytes() as u64) {
                self.dir.look_at_room();
            }
            return Ok(());
        };
        // A part of the batch may be in the file. Cut off, it leaves the log as it was.
        if is_full(&error) && file.set_size(position).is_ok() {
            tracing::warn!(log = self.name, "no space left on the disk");
            self.dir.look_at_room();
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
        self.dir.look_at_room();
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

fn prepare<'a>(records: &'a [u8], origin: Origin, rules: &Rules<'_>) -> Result<Prepared<'a>, AppendError> {
    let config = rules.config;
    // Before the CRC, which for something too large is not worth computing.
    if let Ok(header) = BatchHeader::parse(records)
        && header.base_offset == 0
    {
        check_size(header.size_in_bytes(), config)?;
    }
    let batch = match origin {
        Origin::Client | Origin::Confirmed => batch::produced_batch(records)?,
        Origin::Coordinator => own_batch(records)?,
    };
    let marker = if batch.header.is_control() {
        read_marker(&batch)
    } else {
        None
    };
    let codec = batch.header.compression()?;
    let target = target_codec(config, codec, &batch.header);
    let mut prepared = Prepared {
        header: batch.header.clone(),
        records: Cow::Borrowed(batch.payload()),
        changed: false,
        marker,
    };
    let mut held = None;
    if target != codec {
        let plain = batch.decompressed(config.decompressed_bytes_max).map_err(undecodable)?;
        if origin.is_client() {
            held = Some(validate_expanded(&batch.header, &plain, rules)?);
        }
        recompress(&mut prepared, &plain, target)?;
        check_size(prepared.header.size_in_bytes(), config)?;
    } else if origin.is_client() {
        held = Some(validate(&batch, codec, rules)?);
    }
    set_times(&mut prepared, held.as_ref(), rules);
    Ok(prepared)
}

/// Under `LogAppendTime` the broker's own time; otherwise what the records say, whatever the header said.
fn set_times(prepared: &mut Prepared<'_>, held: Option<&Held>, rules: &Rules<'_>) {
    const LOG_APPEND_TIME: i16 = 0x08;
    let header = &mut prepared.header;
    let (attributes, max_timestamp) = match (rules.config.message_timestamp_type, held) {
        (TimestampType::LogAppendTime, _) => (header.attributes | LOG_APPEND_TIME, rules.now_ms),
        (TimestampType::CreateTime, Some(held)) => (header.attributes & !LOG_APPEND_TIME, held.max_timestamp_ms),
        (TimestampType::CreateTime, None) => return,
    };
    if (attributes, max_timestamp) != (header.attributes, header.max_timestamp) {
        header.attributes = attributes & ATTRIBUTES;
        header.max_timestamp = max_timestamp;
        prepared.changed = true;
    }
}

fn undecodable(error: CompressionError) -> AppendError {
    match error {
        CompressionError::TooLarge { .. } => AppendError::InvalidRecord(error.to_string()),
        CompressionError::Corrupt { .. } => AppendError::Undecodable(error.to_string()),
    }
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

/// Packs `plain` with another codec. As Apache Kafka does, every record is written anew: offsets follow on one another, and
/// timestamps are relative to the first record's.
fn recompress(prepared: &mut Prepared<'_>, plain: &[u8], target: Compression) -> Result<(), AppendError> {
    const CODEC_MASK: i16 = 0x07;
    let header = &mut prepared.header;
    let mut records = Vec::with_capacity(plain.len());
    let mut base_timestamp = None;
    for (offset_delta, record) in (0..).zip(Records::new(&header.clone(), plain)) {
        let record = record?;
        if record.timestamp < 0 && record.timestamp != batch::NO_TIMESTAMP {
            let reason = format!("a record of time {} cannot be written anew", record.timestamp);
            return Err(AppendError::Undecodable(reason));
        }
        let base_timestamp = *base_timestamp.get_or_insert(record.timestamp);
        put_record(&record, offset_delta, base_timestamp, &mut records);
    }
    if target != Compression::None {
        records = compress(target, &records).map_err(undecodable)?;
    }
    header.base_timestamp = base_timestamp.unwrap_or(header.base_timestamp);
    header.attributes = header.attributes & ATTRIBUTES & !CODEC_MASK | i16::from(target.id());
    header.batch_length = i32::try_from(HEADER_LEN - batch::LOG_OVERHEAD + records.len())
        .map_err(|_| AppendError::InvalidRecord("the batch is over 2 GiB".into()))?;
    prepared.records = Cow::Owned(records);
    prepared.changed = true;
    Ok(())
}
