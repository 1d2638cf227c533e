//! What the logs of one data directory share: the disk, the number of open files, threads that may block, and what is
//! waiting to be deleted. Nothing here is locked by an append or a read that finds its file open.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::{
    disk::{Disk, LogFile, Open, os::OsDisk},
    error::LogError,
    partition::Inner,
    space::Space,
    sync::Threads,
};
use crate::metadata::{
    segments::{LogKey, kind},
    store::{Store, Tree},
};

/// Ends the names of directories whose topics were deleted.
pub(super) const DELETED_DIR: &str = "-delete";
/// Ends the names of segment files that are no longer part of their log.
pub(super) const DELETED_FILE: &str = ".deleted";

#[derive(Debug)]
struct Doomed {
    due_ms: i64,
    path: PathBuf,
    is_dir: bool,
}

/// A data directory, shared by its partition logs.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    store: Store,
    tree: Tree,
    boot_id: Option<[u8; 16]>,
    open_files: Arc<AtomicUsize>,
    open_files_max: usize,
    logs: Mutex<Vec<Weak<Inner>>>,
    doomed: Mutex<Vec<Doomed>>,
    /// Whether names in the data directory itself have changed since it was synced.
    names_dirty: AtomicBool,
    threads: Threads,
    pub(super) space: Space,
    /// Whether what follows on damage is kept.
    salvages: AtomicBool,
}

impl LogDir {
    /// Opens the data directory `dir`, whose metadata `store` has. Not more than about `open_files_max` segment files
    /// are open at a time, besides those that are being read.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(dir: &Path, store: &Store, open_files_max: usize) -> Result<Arc<Self>, LogError> {
        Self::on_disk(dir, store, Arc::new(OsDisk), open_files_max)
    }

    /// [`Self::open`] on a disk of the caller's.
    ///
    /// # Errors
    /// The disk's or the store's.
    pub fn on_disk(
        dir: &Path,
        store: &Store,
        disk: Arc<dyn Disk>,
        open_files_max: usize,
    ) -> Result<Arc<Self>, LogError> {
        disk.create_dir_all(dir).map_err(log_error("creating", dir))?;
        let boot_id = disk.boot_id();
        let log_dir = Self {
            path: dir.to_owned(),
            store: store.clone(),
            tree: store.tree("log")?,
            boot_id,
            open_files: Arc::default(),
            open_files_max: open_files_max.max(1),
            logs: Mutex::default(),
            doomed: Mutex::default(),
            names_dirty: AtomicBool::new(false),
            threads: Threads::default(),
            space: Space::default(),
            salvages: AtomicBool::new(false),
            disk,
        };
        log_dir.look_at_room();
        // Topics that were deleted, and not yet from the disk when the process ended.
        for entry in log_dir.disk.list(dir).map_err(log_error("listing", dir))? {
            if entry.is_dir && entry.name.ends_with(DELETED_DIR) {
                log_dir.doom(dir.join(entry.name), true, i64::MIN);
            }
        }
        Ok(Arc::new(log_dir))
    }

    /// Ends a clean shutdown, after every log was [closed](super::PartitionLog::close).
    ///
    /// # Errors
    /// The store's.
    pub fn close(&self) -> Result<(), LogError> {
        Ok(self.store.flush_blocking()?)
    }

    /// The data directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many segment files are open, those included that readers still hold.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.open_files.load(Ordering::Relaxed)
    }

    /// Deletes what has been due for it since `now_ms` or earlier. What cannot be deleted stays until the next start.
    pub fn delete_due(&self, now_ms: i64) {
        let mut due = Vec::new();
        self.doomed.lock().retain_mut(|doomed| {
            let is_due = doomed.due_ms <= now_ms;
            if is_due {
                due.push((std::mem::take(&mut doomed.path), doomed.is_dir));
            }
            !is_due
        });
        for (path, is_dir) in due {
            let result = if is_dir {
                self.disk.remove_dir_all(&path)
            } else {
                self.disk.remove_file(&path)
            };
            match result {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "cannot delete");
                }
                _ => {}
            }
        }
    }

    /// How many files and directories wait to be deleted.
    #[must_use]
    pub fn doomed(&self) -> usize {
        self.doomed.lock().len()
    }

    pub(super) fn doom(&self, path: PathBuf, is_dir: bool, due_ms: i64) {
        self.doomed.lock().push(Doomed { due_ms, path, is_dir });
    }

    /// Below `prefix` nothing waits to be deleted any more, as it is deleted with all else there.
    pub(super) fn forget_doomed_below(&self, prefix: &Path) {
        self.doomed.lock().retain(|doomed| !doomed.path.starts_with(prefix));
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn boot_id(&self) -> Option<[u8; 16]> {
        self.boot_id
    }

    /// From now on, a log that is opened without anything in the store keeps all segments, also those after damage, where
    /// records are missing then. Otherwise it ends at the first damage, as what was never synced must.
    pub fn salvage(&self) {
        self.salvages.store(true, Ordering::Relaxed);
    }

    pub(super) fn salvages(&self) -> bool {
        self.salvages.load(Ordering::Relaxed)
    }

    /// Looks how much room there is, and refuses records where it is little.
    pub(super) fn look_at_room(&self) {
        self.space.look(&*self.disk, &self.path);
    }

    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Leaves a mark that a sync of the log failed: a later one of the same files says nothing about what was written before.
    pub(super) fn set_in_doubt(&self, log: &str, key: &LogKey) {
        let boot_id = self.boot_id().unwrap_or_default();
        let marked = self.tree.put(&key.of(kind::IN_DOUBT), &boot_id);
        if let Err(error) = marked.and_then(|()| self.store.flush_blocking()) {
            tracing::error!(log, %error, "cannot note that the log is in doubt");
        }
    }

    pub(super) fn set_names_dirty(&self) {
        self.names_dirty.store(true, Ordering::Release);
    }

    /// Makes the names of the logs' directories durable.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        if self.names_dirty.swap(false, Ordering::AcqRel) {
            let result = self.disk.sync_dir(&self.path);
            if result.is_err() {
                self.set_names_dirty();
            }
            return result;
        }
        Ok(())
    }

    /// Opens a file, after closing others where too many are open.
    pub(super) fn open_file(&self, path: &Path, how: Open) -> io::Result<Arc<LogFile>> {
        if self.open_files() >= self.open_files_max {
            self.close_idle_files();
        }
        Ok(Arc::new(LogFile::new(self.disk.open(path, how)?, &self.open_files)))
    }

    /// Closes files that were not used since the last time, until a quarter of the room is free.
    fn close_idle_files(&self) {
        // Whoever has the lock is doing the same.
        let Some(logs) = self.logs.try_lock() else { return };
        let enough = self.open_files_max - self.open_files_max / 4;
        // Twice: the first time may only find out what is used.
        for log in logs.iter().chain(logs.iter()) {
            if self.open_files() < enough {
                return;
            }
            if let Some(log) = log.upgrade() {
                log.close_idle_files();
            }
        }
    }

    pub(super) fn register(&self, log: &Arc<Inner>) {
        let mut logs = self.logs.lock();
        // So that it does not grow for ever; not each time, as that would be quadratic in the number of logs.
        if logs.len() == logs.capacity() {
            logs.retain(|log| log.strong_count() > 0);
        }
        logs.push(Arc::downgrade(log));
    }

    /// All logs that are open.
    pub(super) fn logs(&self) -> Vec<Arc<Inner>> {
        self.logs.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

pub(super) fn log_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::Io { action, path, source }
}
