//! The log of one partition: its state, who may touch which part of it, and its public face.
//!
//! Two locks. `writer` is held by the one append that runs, also while it writes; `view` is what readers see, and is held
//! for a moment at a time: an append takes it when its bytes are in the file, to publish them. Whoever needs both takes
//! `writer` first. `maintenance` is held by what works on whole segments (checkpoint, retention, compaction, removal), one
//! at a time, and is taken before either.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    LogConfig,
    dir::LogDir,
    epochs::LeaderEpochs,
    error::{AppendError, LogError, ReadError},
    producers::{KnownProducer, Producers, Unconfirmed},
    recovery,
    segment::{Segment, file_name},
    types::{Appended, Isolation, Offsets, Origin, Read, TimedOffset},
    waiters::Waiters,
};
use crate::metadata::segments::{LogKey, LogPosition};

/// What appends change, one at a time.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) active: Arc<Segment>,
    pub(super) next_offset: i64,
    pub(super) producers: Producers,
    /// No more appends: the log was closed or removed.
    pub(super) closed: bool,
}

/// What readers see.
#[derive(Debug)]
pub(super) struct View {
    /// By base offset; never empty; the last is appended to.
    pub(super) segments: Vec<Arc<Segment>>,
    /// How many bytes of the last segment are published.
    pub(super) active_size_bytes: u64,
    pub(super) log_start_offset: i64,
    pub(super) log_end_offset: i64,
    pub(super) last_stable_offset: i64,
    pub(super) has_aborted: bool,
    pub(super) epochs: LeaderEpochs,
}

impl View {
    pub(super) fn offsets(&self) -> Offsets {
        Offsets {
            log_start_offset: self.log_start_offset,
            high_watermark: self.log_end_offset,
            // What was deleted is decided, also where its transaction is open.
            last_stable_offset: self.last_stable_offset.max(self.log_start_offset),
            log_end_offset: self.log_end_offset,
        }
    }

    pub(super) fn end(&self) -> LogPosition {
        let segment = self.segments.last().map_or(0, |segment| segment.base_offset);
        LogPosition {
            offset: self.log_end_offset,
            segment,
            position: self.active_size_bytes,
        }
    }

    /// Where the published bytes of segment number `index` end.
    pub(super) fn end_of(&self, index: usize) -> u64 {
        if index + 1 == self.segments.len() {
            self.active_size_bytes
        } else {
            self.segments[index].size_bytes()
        }
    }

    /// The segment in which `offset` lies.
    pub(super) fn index_of(&self, offset: i64) -> usize {
        self.segments
            .partition_point(|segment| segment.base_offset <= offset)
            .saturating_sub(1)
    }
}

/// What was last told to the store.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    pub(super) checkpoint: LogPosition,
    /// Up to where everything is durable.
    pub(super) synced: LogPosition,
    /// When, by the broker's clock.
    pub(super) checkpoint_ms: i64,
    /// Whether something other than the end has changed since.
    pub(super) stale: bool,
    /// Up to where compaction has cleaned.
    pub(super) cleaned: i64,
    /// Whether compaction failed on this log, so that it is not tried for ever.
    pub(super) uncleanable: bool,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) dir: Arc<LogDir>,
    pub(super) path: PathBuf,
    /// `<topic>-<partition>`, for messages.
    pub(super) name: String,
    pub(super) key: LogKey,
    pub(super) config: RwLock<Arc<LogConfig>>,
    pub(super) maintenance: Mutex<Maintenance>,
    /// Held while compaction runs; taken before all others.
    pub(super) cleaning: Mutex<()>,
    pub(super) writer: Mutex<Writer>,
    pub(super) view: RwLock<View>,
    pub(super) waiters: Arc<Waiters>,
    /// Set once, with the reason.
    pub(super) offline: OnceLock<String>,
    /// Everything below survives power loss.
    pub(super) synced_offset: AtomicI64,
    /// Held while a sync runs.
    pub(super) sync_turn: Mutex<LogPosition>,
    pub(super) sync_queued: AtomicBool,
    pub(super) sync_ended: Notify,
    /// When the last sync began, by the broker's clock: for `flush.ms`.
    pub(super) last_sync_ms: AtomicI64,
    /// When producers were last looked at for expiry, by the broker's clock.
    pub(super) last_expiry_ms: AtomicI64,
    /// Whether names in the log's directory have changed since it was synced.
    pub(super) names_dirty: AtomicBool,
}

impl Inner {
    pub(super) fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.read())
    }

    /// Takes the log out of service for good. Those who wait for a sync are told.
    pub(super) fn go_offline(&self, reason: String) -> String {
        if self.offline.set(reason.clone()).is_ok() {
            tracing::error!(log = self.name, reason, "the log is offline: it takes no more writes");
        }
        self.sync_ended.notify_waiters();
        self.waiters.wake();
        reason
    }

    pub(super) fn new_segment(&self, base_offset: i64, now_ms: i64) -> Segment {
        Segment::new(self.path.join(file_name(base_offset)), self.key, base_offset, now_ms)
    }

    pub(super) fn close_idle_files(&self) {
        if let Some(view) = self.view.try_read() {
            for segment in &view.segments {
                segment.close_idle();
            }
        }
    }

    /// Makes everything that is published durable.
    pub(super) fn sync_now(&self) -> Result<(), String> {
        let mut synced = self.sync_turn.lock();
        if let Some(reason) = self.offline.get() {
            return Err(reason.clone());
        }
        let (end, dirty) = {
            let view = self.view.read();
            let dirty: Vec<_> = view
                .segments
                .iter()
                .filter(|segment| segment.is_dirty())
                .cloned()
                .collect();
            (view.end(), dirty)
        };
        for segment in dirty {
            if let Err(error) = segment.sync(&self.dir) {
                return Err(self.sync_failed(segment.path(), &error));
            }
        }
        if self.names_dirty.swap(false, Ordering::AcqRel)
            && let Err(error) = self
                .dir
                .disk()
                .sync_dir(&self.path)
                .and_then(|()| self.dir.sync_names())
        {
            return Err(self.sync_failed(&self.path, &error));
        }
        *synced = end;
        self.synced_offset.fetch_max(end.offset, Ordering::AcqRel);
        drop(synced);
        self.sync_ended.notify_waiters();
        Ok(())
    }
}

impl Inner {
    /// Takes the log offline, and leaves a mark that what was not synced is in doubt: no later sync says anything about it.
    pub(super) fn sync_failed(&self, path: &std::path::Path, error: &std::io::Error) -> String {
        // Before anyone is told, so that it is there however soon the process ends.
        self.dir.set_in_doubt(&self.name, &self.key);
        self.go_offline(format!("cannot sync {}: {error}", path.display()))
    }

    /// Makes the names of the log's files durable, and its own.
    pub(super) fn sync_names(&self) -> Result<(), String> {
        if self.names_dirty.swap(false, Ordering::AcqRel)
            && let Err(error) = self
                .dir
                .disk()
                .sync_dir(&self.path)
                .and_then(|()| self.dir.sync_names())
        {
            return Err(self.sync_failed(&self.path, &error));
        }
        Ok(())
    }
}

/// The log of one partition. Used from every network thread: appends and reads are plain file I/O on the caller's thread,
/// and no two logs share a lock. Clones share the log.
#[derive(Clone, Debug)]
pub struct PartitionLog {
    pub(super) inner: Arc<Inner>,
}

impl PartitionLog {
    /// Opens the log of a partition, making it where it is not there, and recovering it where it was not closed.
    ///
    /// # Errors
    /// The disk's or the store's. A log whose bytes are damaged is cut to its whole batches, not refused.
    pub fn open(
        dir: &Arc<LogDir>,
        topic: &str,
        topic_id: Uuid,
        partition: i32,
        config: Arc<LogConfig>,
        now_ms: i64,
    ) -> Result<Self, LogError> {
        let inner = Arc::new(recovery::open(dir, topic, topic_id, partition, config, now_ms)?);
        dir.register(&inner);
        Ok(Self { inner })
    }

    /// Appends the one batch in `records`, whole or not at all.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing is appended then.
    pub fn append(
        &self,
        records: &[u8],
        origin: Origin,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.inner.append(records, origin, leader_epoch, now_ms)
    }

    /// Whether a transactional batch of this producer must be confirmed by the coordinator before it is appended
    /// ([`Origin::Confirmed`]), because no transaction of that epoch is open here. From then on until the batch is appended,
    /// no batch with a later sequence is let in before it.
    ///
    /// # Errors
    /// [`AppendError::InvalidProducerEpoch`].
    pub fn must_confirm(&self, batch: &Unconfirmed, now_ms: i64) -> Result<bool, AppendError> {
        self.inner.writer.lock().producers.must_confirm(batch, now_ms)
    }

    /// The stored batches from the one that contains `offset`, at most `max_bytes` of them, all from one segment. The last of
    /// several may be cut off; the first is whole, and where `at_least_one_batch`, there however large it is.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one_batch: bool,
        isolation: Isolation,
    ) -> Result<Read, ReadError> {
        self.inner.read(offset, max_bytes, at_least_one_batch, isolation)
    }

    /// Where the log begins and ends.
    #[must_use]
    pub fn offsets(&self) -> Offsets {
        self.inner.view.read().offsets()
    }

    /// The first record whose timestamp is `timestamp_ms` or later.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn offset_for_time(&self, timestamp_ms: i64) -> Result<Option<TimedOffset>, ReadError> {
        self.inner.offset_for_time(timestamp_ms)
    }

    /// The first record that has the greatest timestamp.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn max_timestamp(&self) -> Result<Option<TimedOffset>, ReadError> {
        self.inner.max_timestamp()
    }

    /// The largest epoch that is not above `epoch`, and the offset after its last record; `(-1, -1)` where there is none.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: i32) -> (i32, i64) {
        let view = self.inner.view.read();
        view.epochs.end_offset(epoch, view.log_end_offset)
    }

    /// The latest leader epoch under which something was appended; -1 where there is none.
    #[must_use]
    pub fn latest_epoch(&self) -> i32 {
        self.inner.view.read().epochs.latest()
    }

    /// The idempotent and transactional producers that the log still knows, by id.
    #[must_use]
    pub fn producers(&self) -> Vec<KnownProducer> {
        self.inner.writer.lock().producers.known()
    }

    /// The largest id of an idempotent producer that the log still knows.
    #[must_use]
    pub fn producer_id_max(&self) -> Option<i64> {
        self.inner.writer.lock().producers.largest_id()
    }

    /// Moves the log start offset up to `before` (-1: the high watermark) and returns it. What is below is no longer read.
    /// Durable after [`Store::flush`](crate::metadata::store::Store::flush).
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn delete_records(&self, before: i64) -> Result<i64, ReadError> {
        self.inner.delete_records(before)
    }

    /// Obeys `config` from now on.
    pub fn set_config(&self, config: Arc<LogConfig>) {
        *self.inner.config.write() = config;
    }

    /// Who waits for the log to grow.
    #[must_use]
    pub fn waiters(&self) -> &Arc<Waiters> {
        &self.inner.waiters
    }

    /// Returns when everything below `offset` survives power loss. One fdatasync, off the caller's thread, serves all
    /// who wait.
    ///
    /// # Errors
    /// [`AppendError::Offline`]: the fdatasync failed.
    pub async fn synced(&self, offset: i64) -> Result<(), AppendError> {
        let inner = &self.inner;
        loop {
            let mut ended = std::pin::pin!(inner.sync_ended.notified());
            // Listens from here on, so that an end between the look and the wait is not missed.
            ended.as_mut().enable();
            if inner.synced_offset.load(Ordering::Acquire) >= offset {
                return Ok(());
            }
            if let Some(reason) = inner.offline.get() {
                return Err(AppendError::Offline(reason.clone()));
            }
            if !inner.sync_queued.swap(true, Ordering::AcqRel) {
                let log = Arc::clone(inner);
                inner.dir.threads().run(move || {
                    // Before the sync looks at what there is, so that whoever comes later asks for another.
                    log.sync_queued.store(false, Ordering::Release);
                    // A failure has taken the log offline, which is what the waiters look at.
                    drop(log.sync_now());
                });
            }
            ended.await;
        }
    }

    /// Everything below survives power loss.
    #[must_use]
    pub fn synced_offset(&self) -> i64 {
        self.inner.synced_offset.load(Ordering::Acquire)
    }

    /// Why the log takes no more writes, if it does not.
    #[must_use]
    pub fn offline_reason(&self) -> Option<&str> {
        self.inner.offline.get().map(String::as_str)
    }

    /// The bytes of all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.inner
            .view
            .read()
            .segments
            .iter()
            .map(|segment| segment.size_bytes())
            .sum()
    }

    /// The base offsets of the segments.
    #[must_use]
    pub fn segments(&self) -> Vec<i64> {
        self.inner
            .view
            .read()
            .segments
            .iter()
            .map(|segment| segment.base_offset)
            .collect()
    }

    /// Writes down in the store what has been appended, so that recovery need not look at it again.
    ///
    /// # Errors
    /// The store's.
    pub fn checkpoint(&self, now_ms: i64) -> Result<(), LogError> {
        self.inner.checkpoint(&mut self.inner.maintenance.lock(), now_ms)
    }

    /// Closes the last segment and begins a new one, unless it is empty.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn roll(&self, now_ms: i64) -> Result<(), AppendError> {
        self.inner.roll(&mut self.inner.writer.lock(), now_ms)
    }

    /// Deletes the segments that `retention.ms`, `retention.bytes` or the log start offset let go, and returns how many.
    ///
    /// # Errors
    /// The disk's or the store's.
    pub fn retain(&self, now_ms: i64) -> Result<usize, LogError> {
        self.inner.retain(now_ms)
    }

    /// Syncs and writes a checkpoint, so that the next [`Self::open`] has nothing to recover. Appends are refused from now on.
    ///
    /// # Errors
    /// The disk's or the store's.
    pub fn close(&self) -> Result<(), LogError> {
        self.inner.close()
    }

    /// Takes the log away: its directory is renamed at once and deleted after `file.delete.delay.ms`. Readers keep what
    /// they have.
    ///
    /// # Errors
    /// The disk's or the store's.
    pub fn remove(&self, now_ms: i64) -> Result<(), LogError> {
        self.inner.remove(now_ms)
    }
}
