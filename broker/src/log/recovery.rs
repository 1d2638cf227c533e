//! Opening a log: from what the store says, what is in the directory, and what of it can be trusted.
//!
//! The files are the truth about records; the store says up to where they have been looked at. From its last checkpoint
//! on, every batch is read and its CRC checked; the first one that is not whole ends the log, and what follows is cut off.
//! When the machine has started anew since the checkpoint was written, only what had been synced by then is trusted.
//! Segments that the store does not know, or knows with another size, are scanned. With nothing in the store, everything
//! is made anew from the files.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64},
    },
};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    LogConfig,
    append::read_marker,
    dir::{DELETED_FILE, LogDir, log_error},
    disk::Open,
    epochs::LeaderEpochs,
    error::LogError,
    index::{IndexEntry, decode_chunk},
    partition::{Inner, Maintenance, View, Writer},
    producers::Producers,
    segment::{Segment, SegmentError, base_offset_of, file_name},
    swap,
    walk::{Scanned, Scanner, read_batch},
};
use crate::{
    metadata::{
        segments::{AbortedRecord, Checkpoint, LogKey, LogPosition, ProducerRecord, SegmentRecord, kind, trailing_i64},
        store::Batch,
    },
    wire::batch::{Batch as RecordBatch, BatchHeader},
};

/// Kafka's file that says whose directory this is.
const METADATA_FILE: &str = "partition.metadata";
/// Ends the names of directories that another topic of the same name left behind.
const STRAY_DIR: &str = "-stray";

/// Nothing was ever synced, not even the directory's own name.
const NEVER: LogPosition = LogPosition {
    offset: -1,
    segment: 0,
    position: 0,
};

/// What scanning brings to light.
#[derive(Debug, Default)]
struct Derived {
    producers: Producers,
    epochs: LeaderEpochs,
    /// Below, producers and epochs are known already.
    from_offset: i64,
}

struct Opening<'a> {
    dir: &'a Arc<LogDir>,
    path: PathBuf,
    name: String,
    key: LogKey,
    index_interval_bytes: i32,
    now_ms: i64,
}

/// A segment file in the directory.
#[derive(Clone, Copy, Debug)]
struct Found {
    base_offset: i64,
    size_bytes: u64,
}

pub(super) fn open(
    dir: &Arc<LogDir>,
    topic: &str,
    topic_id: Uuid,
    partition: i32,
    config: Arc<LogConfig>,
    now_ms: i64,
) -> Result<Inner, LogError> {
    let name = format!("{topic}-{partition}");
    let opening = Opening {
        dir,
        path: dir.path().join(&name),
        name,
        key: LogKey::new(topic_id, partition),
        index_interval_bytes: config.index_interval_bytes,
        now_ms,
    };
    let found = opening.directory(topic_id)?;
    opening.log(found, config)
}

impl Opening<'_> {
    /// Sees to it that the directory is there and this topic's, and lists its segments.
    fn directory(&self, topic_id: Uuid) -> Result<Vec<Found>, LogError> {
        let disk = self.dir.disk();
        match disk.list(&self.path) {
            Ok(_) if self.is_of_another(topic_id) => {
                let stray = self
                    .dir
                    .path()
                    .join(format!("{}.{}{STRAY_DIR}", self.name, topic_id.simple()));
                tracing::warn!(log = self.name, kept_as = %stray.display(), "the directory is another topic's");
                disk.rename(&self.path, &stray)
                    .map_err(log_error("renaming", &self.path))?;
                self.create(topic_id)
            }
            Ok(_) => {
                self.rewrite_doubtful()?;
                let entries = swap::finish(self.dir, &self.path)?;
                let mut found: Vec<Found> = entries
                    .iter()
                    .filter_map(|entry| {
                        let base_offset = base_offset_of(&entry.name)?;
                        Some(Found {
                            base_offset,
                            size_bytes: entry.size_bytes,
                        })
                    })
                    .collect();
                found.sort_unstable_by_key(|found| found.base_offset);
                Ok(found)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(topic_id),
            Err(error) => Err(log_error("listing", &self.path)(error)),
        }
    }

    /// Where a sync failed and the machine has run on since, the bytes may be in its memory alone and a sync of the same
    /// file would not tell: copies them from the last synced segment on into files that can be synced.
    fn rewrite_doubtful(&self) -> Result<(), LogError> {
        let tree = self.dir.tree();
        let mark = self.key.of(kind::IN_DOUBT);
        let Some(boot_id) = tree.get(&mark)? else { return Ok(()) };
        if self.dir.boot_id().is_none_or(|now| now[..] == boot_id[..]) {
            let checkpoint = tree
                .get(&self.key.of(kind::CHECKPOINT))?
                .and_then(|value| Checkpoint::decode(&value));
            let from = checkpoint.map_or(0, |checkpoint| checkpoint.synced.segment);
            let mut found = swap::finish(self.dir, &self.path)?;
            found.retain(|entry| base_offset_of(&entry.name).is_some_and(|base_offset| base_offset >= from));
            for entry in found {
                swap::rewrite(self.dir, &self.path, &entry).map_err(log_error("rewriting", &self.path))?;
            }
            tracing::warn!(log = self.name, "a sync had failed: wrote anew what was in doubt");
        }
        Ok(tree.remove(&mark)?)
    }

    fn create(&self, topic_id: Uuid) -> Result<Vec<Found>, LogError> {
        let disk = self.dir.disk();
        disk.create_dir_all(&self.path)
            .map_err(log_error("creating", &self.path))?;
        let path = self.path.join(METADATA_FILE);
        let text = format!("version: 0\ntopic_id: {}\n", kafka_id(topic_id));
        let written = disk
            .open(&path, Open::Create)
            .and_then(|file| file.write_at(text.as_bytes(), &[], 0));
        written.map_err(log_error("writing", &path))?;
        self.dir.set_names_dirty();
        Ok(Vec::new())
    }

    /// Whether the directory says that it belongs to another topic id.
    fn is_of_another(&self, topic_id: Uuid) -> bool {
        read_topic_id(self.dir.disk(), &self.path).is_some_and(|id| id != topic_id)
    }

    fn log(&self, found: Vec<Found>, config: Arc<LogConfig>) -> Result<Inner, LogError> {
        let tree = self.dir.tree();
        let checkpoint = tree
            .get(&self.key.of(kind::CHECKPOINT))?
            .and_then(|value| Checkpoint::decode(&value));
        let start = tree
            .get(&self.key.of(kind::LOG_START_OFFSET))?
            .and_then(|value| trailing_i64(&value));
        let is_new = checkpoint.is_none() && found.is_empty();
        let first = found.first().map_or(0, |found| found.base_offset);
        let log_start_offset = start.unwrap_or(0).max(first);

        let mut restored = match &checkpoint {
            Some(checkpoint) => self.recover_from_checkpoint(&found, checkpoint)?,
            None => None,
        };
        if restored.is_none() {
            restored = Some(self.recover_from_files(&found)?);
        }
        let (mut segments, mut derived) = restored.unwrap_or_default();
        if segments.last().is_none_or(|last| last.next_offset() < log_start_offset) {
            // Everything that could be read has been deleted, or lost.
            for segment in segments.drain(..) {
                self.cut_off(&segment)?;
            }
            self.forget_all()?;
            derived = Derived::default();
            let segment = self.segment(log_start_offset);
            segment
                .create_file(self.dir)
                .map_err(log_error("creating", segment.path()))?;
            // Closed until it is needed: a topic may have many partitions that nobody ever writes to.
            segment.close_idle();
            segment.close_idle();
            segments.push(segment);
        }
        derived.epochs.truncate_start(log_start_offset);
        let inner = self.inner(segments, derived, log_start_offset, checkpoint.as_ref(), config);
        if is_new {
            inner.checkpoint(&mut inner.maintenance.lock(), self.now_ms)?;
        }
        Ok(inner)
    }

    fn inner(
        &self,
        segments: Vec<Segment>,
        derived: Derived,
        log_start_offset: i64,
        checkpoint: Option<&Checkpoint>,
        config: Arc<LogConfig>,
    ) -> Inner {
        let segments: Vec<_> = segments.into_iter().map(Arc::new).collect();
        // There is at least one: `log` sees to it.
        let active = segments
            .last()
            .map_or_else(|| Arc::new(self.segment(log_start_offset)), Arc::clone);
        let log_end_offset = active.next_offset();
        let view = View {
            active_size_bytes: active.size_bytes(),
            log_start_offset,
            log_end_offset,
            last_stable_offset: derived.producers.first_open_offset().unwrap_or(log_end_offset),
            has_aborted: derived.producers.aborted_between(0, i64::MAX).next().is_some(),
            epochs: derived.epochs,
            segments,
        };
        let checkpoint = checkpoint.cloned().unwrap_or_else(|| Checkpoint {
            synced: NEVER,
            ..Checkpoint::default()
        });
        let synced = if checkpoint.synced.offset <= log_end_offset {
            checkpoint.synced
        } else {
            NEVER
        };
        let names_dirty = synced != view.end();
        let maintenance = Maintenance {
            checkpoint: checkpoint.at,
            synced: checkpoint.synced,
            checkpoint_ms: self.now_ms,
            stale: checkpoint.at != view.end(),
            cleaned: checkpoint.cleaned.min(log_end_offset),
            uncleanable: false,
        };
        Inner {
            dir: Arc::clone(self.dir),
            path: self.path.clone(),
            name: self.name.clone(),
            key: self.key,
            config: RwLock::new(config),
            maintenance: Mutex::new(maintenance),
            cleaning: Mutex::default(),
            writer: Mutex::new(Writer {
                active,
                next_offset: log_end_offset,
                producers: derived.producers,
                closed: false,
            }),
            view: RwLock::new(view),
            waiters: Arc::default(),
            offline: OnceLock::new(),
            synced_offset: AtomicI64::new(synced.offset.max(0)),
            sync_turn: Mutex::new(synced),
            sync_queued: AtomicBool::new(false),
            sync_ended: Notify::new(),
            last_sync_ms: AtomicI64::new(self.now_ms),
            last_expiry_ms: AtomicI64::new(self.now_ms),
            names_dirty: AtomicBool::new(names_dirty),
        }
    }

    fn segment(&self, base_offset: i64) -> Segment {
        Segment::new(
            self.path.join(file_name(base_offset)),
            self.key,
            base_offset,
            self.now_ms,
        )
    }

    /// Trusts the store as far as it can be, and scans the rest; `None` where the files do not go as far as the store says.
    fn recover_from_checkpoint(
        &self,
        found: &[Found],
        checkpoint: &Checkpoint,
    ) -> Result<Option<(Vec<Segment>, Derived)>, LogError> {
        let same_boot = checkpoint.boot_id.is_some() && checkpoint.boot_id == self.dir.boot_id();
        let trusted = if same_boot { checkpoint.at } else { checkpoint.synced };
        let mut segments = Vec::with_capacity(found.len());
        let mut derived = self.stored_state(checkpoint)?;
        let is_at = |found: &Found| found.base_offset == checkpoint.at.segment;
        for (index, place) in found.iter().enumerate() {
            let record = self.record(place.base_offset)?;
            let whole = record.filter(|record| record.size_bytes == place.size_bytes);
            let next = found.get(index + 1).map(|next| next.base_offset);
            if place.base_offset < trusted.segment {
                let segment = match whole {
                    Some(record) => self.restored(place, &record, false)?,
                    // Compaction was about to replace it, or had.
                    None => self.scan(place, None, &mut derived, next)?.0,
                };
                segments.push(segment);
                continue;
            }
            let resumed = match record {
                Some(record) if is_at(place) && trusted == checkpoint.at && place.size_bytes >= trusted.position => {
                    Some(self.restored(place, &record, true)?)
                }
                _ => None,
            };
            let (segment, torn) = match resumed {
                Some(segment) if segment.size_bytes() == place.size_bytes => {
                    let ends_early = ends_before(&segment, next);
                    (segment, ends_early)
                }
                resumed => self.scan(place, resumed, &mut derived, next)?,
            };
            segments.push(segment);
            if torn {
                self.cut_off_found(&found[index + 1..])?;
                break;
            }
        }
        let reached = segments.last().map_or(0, Segment::next_offset) >= checkpoint.at.offset;
        if !reached {
            tracing::warn!(
                log = self.name,
                "bytes that were checked before are missing: scanning all that is there"
            );
        }
        Ok(reached.then_some((segments, derived)))
    }

    /// Scans everything. Bytes that were never synced end where they are first torn; who salvages keeps what comes after.
    fn recover_from_files(&self, found: &[Found]) -> Result<(Vec<Segment>, Derived), LogError> {
        self.forget_all()?;
        let mut derived = Derived::default();
        let mut segments = Vec::with_capacity(found.len());
        for (index, place) in found.iter().enumerate() {
            let Some(place) = self.sized(*place)? else { continue };
            let next = found.get(index + 1).map(|next| next.base_offset);
            let (segment, torn) = self.scan(&place, None, &mut derived, next)?;
            segments.push(segment);
            if torn && !self.dir.salvages() {
                self.cut_off_found(&found[index + 1..])?;
                break;
            }
        }
        Ok((segments, derived))
    }

    /// With the size as it is now, as an earlier look may have cut it, or taken it away.
    fn sized(&self, place: Found) -> Result<Option<Found>, LogError> {
        let path = self.path.join(file_name(place.base_offset));
        match self.dir.disk().size_of(&path) {
            Ok(size_bytes) => Ok(Some(Found { size_bytes, ..place })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(log_error("reading", &path)(error)),
        }
    }

    fn record(&self, base_offset: i64) -> Result<Option<SegmentRecord>, LogError> {
        let value = self.dir.tree().get(&self.key.with_i64(kind::SEGMENT, base_offset))?;
        Ok(value.and_then(|value| SegmentRecord::decode(&value)))
    }

    /// A segment as the store has it; with its index in memory if it may grow.
    fn restored(&self, place: &Found, record: &SegmentRecord, grows: bool) -> Result<Segment, LogError> {
        let entries = if grows {
            Some(self.stored_entries(place.base_offset, record)?)
        } else {
            None
        };
        let path = self.path.join(file_name(place.base_offset));
        Ok(Segment::restored(path, self.key, place.base_offset, record, entries))
    }

    fn stored_entries(&self, base_offset: i64, record: &SegmentRecord) -> Result<Vec<IndexEntry>, LogError> {
        let mut entries: Vec<IndexEntry> = Vec::new();
        for chunk in self
            .dir
            .tree()
            .scan_prefix(&self.key.with_i64(kind::INDEX, base_offset))
        {
            for entry in decode_chunk(&chunk?.1) {
                // The last of one chunk is the first of the next.
                let follows = entries
                    .last()
                    .is_none_or(|last| last.relative_offset < entry.relative_offset);
                if follows && u64::from(entry.position) < record.size_bytes {
                    entries.push(entry);
                }
            }
        }
        Ok(entries)
    }

    fn stored_state(&self, checkpoint: &Checkpoint) -> Result<Derived, LogError> {
        let mut producers = Producers::default();
        let tree = self.dir.tree();
        for entry in tree.scan_prefix(&self.key.of(kind::PRODUCER)) {
            let (key, value) = entry?;
            if let (Some(id), Some(record)) = (trailing_i64(&key), ProducerRecord::decode(&value)) {
                producers.restore(id, &record);
            }
        }
        for entry in tree.scan_prefix(&self.key.of(kind::ABORTED)) {
            if let Some(aborted) = AbortedRecord::decode(&entry?.1) {
                producers.restore_aborted(aborted);
            }
        }
        let epochs = LeaderEpochs::from_entries(checkpoint.epochs.clone());
        Ok(Derived {
            producers,
            epochs,
            from_offset: checkpoint.at.offset,
        })
    }

    /// Reads a segment from where `resumed` ends, and cuts it after its last whole batch. Also says whether something is
    /// missing: then it was cut, or it does not reach up to `next`, the base offset of the segment after it.
    fn scan(
        &self,
        place: &Found,
        resumed: Option<Segment>,
        derived: &mut Derived,
        next: Option<i64>,
    ) -> Result<(Segment, bool), LogError> {
        let segment = match resumed {
            Some(segment) => segment,
            None => {
                self.forget(place.base_offset)?;
                self.segment(place.base_offset)
            }
        };
        let file = segment
            .file(self.dir)
            .map_err(|error| self.segment_error(error, &segment))?;
        let mut scanner = Scanner::new(&file, segment.size_bytes(), place.size_bytes);
        let reason = loop {
            match scanner.next().map_err(log_error("reading", segment.path()))? {
                Scanned::Batch { header, position } => {
                    if let Some(reason) = misplaced(&segment, &header, next) {
                        break Some((position, reason));
                    }
                    if header.base_offset >= derived.from_offset {
                        let read = |size| read_batch(&file, position, size);
                        derived
                            .take_in(&header, read)
                            .map_err(log_error("reading", segment.path()))?;
                    }
                    segment.push(&header, self.index_interval_bytes);
                }
                Scanned::End => break None,
                Scanned::Torn(reason) => break Some((scanner.position(), reason)),
            }
        };
        segment.set_dirty();
        let Some((end, reason)) = reason else {
            let ends_early = ends_before(&segment, next);
            return Ok((segment, ends_early));
        };
        let cut_bytes = place.size_bytes - end;
        tracing::warn!(
            log = self.name,
            segment = place.base_offset,
            position = end,
            cut_bytes,
            reason,
            "cut the tail"
        );
        // Durably, or what was cut off might come back behind what is appended next.
        file.set_size(end)
            .and_then(|()| file.sync_data())
            .map_err(log_error("cutting", segment.path()))?;
        Ok((segment, true))
    }

    /// Removes from the store what it has of a segment that is scanned: its index may be another's by now.
    fn forget(&self, base_offset: i64) -> Result<(), LogError> {
        let tree = self.dir.tree();
        let mut batch = Batch::default();
        for kind in [kind::SEGMENT, kind::INDEX, kind::TIME] {
            for entry in tree.scan_prefix(&self.key.with_i64(kind, base_offset)) {
                batch.remove(entry?.0);
            }
        }
        if batch.is_empty() {
            Ok(())
        } else {
            Ok(tree.apply(batch)?)
        }
    }

    /// Removes from the store all that it has of the log but where it starts.
    fn forget_all(&self) -> Result<(), LogError> {
        let tree = self.dir.tree();
        let mut batch = Batch::default();
        for entry in tree.scan_prefix(self.key.all()) {
            let (key, _) = entry?;
            if key != self.key.of(kind::LOG_START_OFFSET) && key != self.key.of(kind::IN_DOUBT) {
                batch.remove(key);
            }
        }
        if !batch.is_empty() {
            tree.apply(batch)?;
            // Now: after a kill it must not come back and speak of other records at the same offsets.
            self.dir.store().flush_blocking()?;
        }
        Ok(())
    }

    fn segment_error(&self, error: SegmentError, segment: &Segment) -> LogError {
        let source = match error {
            SegmentError::Retired => io::ErrorKind::NotFound.into(),
            SegmentError::Failed(error) => io::Error::other(error),
        };
        log_error("opening", segment.path())(source)
    }

    fn cut_off(&self, segment: &Segment) -> Result<(), LogError> {
        let place = Found {
            base_offset: segment.base_offset,
            size_bytes: 0,
        };
        segment.retire();
        self.cut_off_found(&[place])
    }

    /// Takes away segments that lie beyond the end.
    fn cut_off_found(&self, found: &[Found]) -> Result<(), LogError> {
        for place in found {
            self.forget(place.base_offset)?;
            let path = self.path.join(file_name(place.base_offset));
            let doomed = self
                .path
                .join(format!("{}{DELETED_FILE}", file_name(place.base_offset)));
            tracing::warn!(
                log = self.name,
                segment = place.base_offset,
                "took away a segment beyond the end"
            );
            match self.dir.disk().rename(&path, &doomed) {
                Ok(()) => self.dir.doom(doomed, false, self.now_ms),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(log_error("renaming", &path)(error)),
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        self.dir
            .disk()
            .sync_dir(&self.path)
            .map_err(log_error("syncing", &self.path))
    }
}

impl Derived {
    fn take_in(&mut self, header: &BatchHeader, read: impl FnOnce(usize) -> io::Result<Vec<u8>>) -> io::Result<()> {
        let mut marker = None;
        if header.is_control() {
            let bytes = read(header.size_in_bytes())?;
            marker = read_marker(&RecordBatch {
                position: 0,
                header: header.clone(),
                bytes: &bytes,
            });
        }
        self.producers.apply(header, marker);
        self.epochs.assign(header.partition_leader_epoch, header.base_offset);
        Ok(())
    }
}

/// Whether a segment does not reach up to `next`, the base offset of the one after it.
fn ends_before(segment: &Segment, next: Option<i64>) -> bool {
    next.is_some_and(|next| segment.next_offset() < next)
}

/// Why a whole batch does not belong where it is.
fn misplaced(segment: &Segment, header: &BatchHeader, next: Option<i64>) -> Option<String> {
    let expected = segment.next_offset();
    if header.base_offset < expected || header.last_offset_delta < 0 {
        return Some(format!(
            "a batch at offset {} where {expected} is due",
            header.base_offset
        ));
    }
    let last_offset = header.last_offset();
    if last_offset - segment.base_offset > i64::from(i32::MAX) || next.is_some_and(|next| last_offset >= next) {
        return Some(format!(
            "a batch up to offset {last_offset} does not belong into this segment"
        ));
    }
    None
}

/// A topic id as Kafka writes it: base64 for URLs, without padding.
pub(super) fn kafka_id(id: Uuid) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = id.as_u128();
    // 21 digits of 6 bits, and a last one of 2 bits and 4 zeros.
    let digit = |at: u32| if at < 21 { number >> (122 - 6 * at) } else { number << 4 };
    (0..22)
        .map(|at| char::from(DIGITS[(digit(at) & 63) as usize]))
        .collect()
}

/// The inverse of [`kafka_id`].
pub(super) fn parse_kafka_id(text: &str) -> Option<Uuid> {
    let digit = |byte: u8| {
        Some(u128::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        }))
    };
    let (last, digits) = text.as_bytes().split_last()?;
    if digits.len() != 21 {
        return None;
    }
    let number = digits
        .iter()
        .try_fold(0u128, |number, byte| Some(number << 6 | digit(*byte)?))?;
    Some(Uuid::from_u128(number << 2 | digit(*last)? >> 4))
}

/// The topic id that a partition's directory says it belongs to.
pub(super) fn read_topic_id(disk: &dyn super::disk::Disk, dir: &Path) -> Option<Uuid> {
    let file = disk.open(&dir.join(METADATA_FILE), Open::Existing).ok()?;
    let mut buffer = [0; 256];
    let read = file.read_at(&mut buffer, 0).ok()?;
    let text = std::str::from_utf8(&buffer[..read]).ok()?;
    text.lines()
        .find_map(|line| parse_kafka_id(line.strip_prefix("topic_id:")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_ids_are_written_as_kafka_does() {
        // Kafka's own id of `__cluster_metadata`.
        let id = Uuid::from_u128(1);
        assert_eq!(kafka_id(id), "AAAAAAAAAAAAAAAAAAAAAQ");
        for id in [
            id,
            Uuid::max(),
            Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        ] {
            assert_eq!(parse_kafka_id(&kafka_id(id)), Some(id));
        }
        assert_eq!(parse_kafka_id("short"), None);
    }
}
