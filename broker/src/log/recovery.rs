//! Opening a log: from what the store says, what is in the directory, and what of it can be trusted.
//!
//! The files are the truth about records; the store says up to where they have been looked at. From its last checkpoint
//! on, every batch is read and its CRC checked; the first one that is not whole ends its segment, and also the log, unless
//! the next segment begins right there, or what is missing lies below the log start offset. What follows is cut off.
//! When the machine has started anew since the checkpoint was written, only what had been synced by then is trusted.
//! Segments that the store does not know, or knows with another size, are scanned. With nothing in the store, everything
//! is made anew from the files.

mod directory;
mod stored;

use std::{
    io,
    path::PathBuf,
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
    dir::{LogDir, log_error},
    epochs::LeaderEpochs,
    error::LogError,
    partition::{Inner, Maintenance, View, Writer},
    producers::Producers,
    segment::{Segment, SegmentError, file_name},
    walk::{Scanned, Scanner, read_batch},
};
use crate::{
    metadata::segments::{Checkpoint, LogKey, LogPosition, kind, trailing_i64},
    wire::batch::{Batch as RecordBatch, BatchHeader},
};

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
    /// As the store has it: what is below was given up.
    start_offset: i64,
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
    let key = LogKey::new(topic_id, partition);
    let start = dir.tree().get(&key.of(kind::LOG_START_OFFSET))?;
    let opening = Opening {
        dir,
        path: dir.path().join(&name),
        name,
        key,
        index_interval_bytes: config.index_interval_bytes,
        now_ms,
        start_offset: start.and_then(|value| trailing_i64(&value)).unwrap_or(0),
    };
    let found = opening.directory(topic_id)?;
    opening.log(found, config)
}

impl Opening<'_> {
    fn log(&self, found: Vec<Found>, config: Arc<LogConfig>) -> Result<Inner, LogError> {
        let tree = self.dir.tree();
        let checkpoint = tree
            .get(&self.key.of(kind::CHECKPOINT))?
            .and_then(|value| Checkpoint::decode(&value));
        let is_new = checkpoint.is_none() && found.is_empty();
        let first = found.first().map_or(0, |found| found.base_offset);
        let log_start_offset = self.start_offset.max(first);

        let mut restored = match &checkpoint {
            Some(checkpoint) => self.recover_from_checkpoint(&found, checkpoint)?,
            None => None,
        };
        if restored.is_none() {
            restored = Some(self.recover_from_files(&found)?);
        }
        let (mut segments, mut derived) = restored.unwrap_or_default();
        let gap = segments
            .windows(2)
            .rposition(|pair| pair[0].next_offset() < pair[1].base_offset && pair[1].base_offset <= log_start_offset);
        // Retention was about to take them, and nobody synced them any more.
        for segment in segments.drain(..gap.map_or(0, |index| index + 1)) {
            self.cut_off(&segment)?;
        }
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
            let (segment, ends_early) = match resumed {
                Some(segment) if segment.size_bytes() == place.size_bytes => {
                    let ends_early = self.ends_early(&segment, next);
                    (segment, ends_early)
                }
                resumed => self.scan(place, resumed, &mut derived, next)?,
            };
            segments.push(segment);
            if ends_early {
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

    /// Scans everything. Bytes that were never synced end where a record is first missing; who salvages keeps what comes
    /// after.
    fn recover_from_files(&self, found: &[Found]) -> Result<(Vec<Segment>, Derived), LogError> {
        self.forget_all()?;
        let mut derived = Derived::default();
        let mut segments = Vec::with_capacity(found.len());
        for (index, place) in found.iter().enumerate() {
            let Some(place) = self.sized(*place)? else { continue };
            let next = found.get(index + 1).map(|next| next.base_offset);
            let (segment, ends_early) = self.scan(&place, None, &mut derived, next)?;
            segments.push(segment);
            if ends_early && !self.dir.salvages() {
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

    fn segment_error(&self, error: SegmentError, segment: &Segment) -> LogError {
        let source = match error {
            SegmentError::Retired => io::ErrorKind::NotFound.into(),
            SegmentError::Failed(error) => io::Error::other(error),
        };
        log_error("opening", segment.path())(source)
    }

    /// Whether a segment does not reach up to `next`, the base offset of the one after it, so that records are missing.
    fn ends_early(&self, segment: &Segment, next: Option<i64>) -> bool {
        next.is_some_and(|next| segment.next_offset() < next && next > self.start_offset)
    }

    /// Reads a segment from where `resumed` ends, and cuts it after its last whole batch. Also says whether something is
    /// missing before `next`, the base offset of the segment after it. One that was cut need not miss anything: what a full
    /// disk left of a refused append can come back with a power loss, and is nobody's record.
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
        // What comes before it was looked at in an earlier life, and is not looked at again.
        let scanned_from = segment.next_offset();
        let mut markers = Vec::new();
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
                    if header.is_control() && header.records_count > 0 {
                        markers.push(header.base_offset);
                    }
                    segment.push(&header, self.index_interval_bytes);
                }
                Scanned::End => break None,
                Scanned::Torn(reason) => break Some((scanner.position(), reason)),
            }
        };
        segment.set_dirty();
        self.forget_ended(scanned_from..segment.next_offset(), &markers, derived)?;
        let ends_early = self.ends_early(&segment, next);
        let Some((end, reason)) = reason else {
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
        file.set_size(end).map_err(log_error("cutting", segment.path()))?;
        if let Err(error) = file.sync_data() {
            // The next look finds the right size, and would trust it.
            self.dir.set_in_doubt(&self.name, &self.key);
            return Err(log_error("cutting", segment.path())(error));
        }
        Ok((segment, ends_early))
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
