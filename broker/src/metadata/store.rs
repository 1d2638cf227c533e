//! The embedded key-value store under all metadata; the only file that imports sled.
//!
//! **Promises.** One process at a time: a second one that opens the directory is refused by name
//! ([`StoreError::InUse`]). A directory written by a newer format is refused and left untouched
//! ([`StoreError::NewerFormat`]). A [`Batch`] is applied as a whole or not at all, also across a crash. What was
//! written before a call of [`Store::flush`] survives power loss once that call has returned; calls that wait at the
//! same time share one flush, which is sled's and the sync that sled leaves out ([`tickertape_durable`]). What a killed
//! process left to the operating system is durable before anything is read from it. What was not flushed survives `kill -9` only after up to [`FLUSH_INTERVAL_MS`], since
//! sled keeps it in its own memory until then.
//!
//! **Never** holds record bytes, and never blocks an event loop: `flush` waits elsewhere. Reads and writes touch
//! sled's cache and, on a miss, the disk.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tickertape_durable::SledFiles;

pub use super::data_directory::FORMAT_VERSION;
use super::{
    data_directory::{check_format, io_error, lock_directory},
    flushes::{Flushes, Turn},
    memory::{Change, Database},
};

/// How long sled may keep an unflushed write in its own memory, in milliseconds.
pub const FLUSH_INTERVAL_MS: u64 = 500;
/// Bound of sled's page cache, in bytes.
const CACHE_BYTES_MAX: u64 = 8 * 1024 * 1024;
const SLED_DIRECTORY: &str = "metadata.sled";
/// A database that was just dropped in this process releases its files from a thread of its own.
const REOPEN_ATTEMPTS: u32 = 200;

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data directory open.
    #[error("the data directory {} is in use by another process", directory.display())]
    InUse {
        /// The data directory.
        directory: PathBuf,
    },
    /// The directory was written by a later version of this program.
    #[error("the data directory {} has format {found}, and this build reads up to {FORMAT_VERSION}: it was written by a newer version", directory.display())]
    NewerFormat {
        /// The data directory.
        directory: PathBuf,
        /// The format that it declares.
        found: u32,
    },
    /// The format file is there and says nothing that can be understood.
    #[error("{} does not name a format; is {} a data directory of this program?", file.display(), directory.display())]
    UnknownFormat {
        /// The data directory.
        directory: PathBuf,
        /// The format file.
        file: PathBuf,
    },
    /// The disk failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The database failed.
    #[error("metadata store: {0}")]
    Database(String),
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::Database(error.to_string())
    }
}

enum Backend {
    Sled(sled::Db, Arc<SledFiles>),
    Memory(Database),
}

struct Inner {
    // Before the lock, so that the database is closed when the lock is released.
    backend: Backend,
    flushes: Flushes,
    _lock: Option<File>,
}

/// The metadata store of one data directory. Clones share it; the last one dropped closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of the data directory `dir`, making both where they do not exist.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NewerFormat`], [`StoreError::UnknownFormat`]; otherwise the disk's error.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        tickertape_durable::create_dir_all(dir).map_err(io_error("creating", dir))?;
        let lock = lock_directory(dir)?;
        check_format(dir)?;
        let path = dir.join(SLED_DIRECTORY);
        let files = SledFiles::prepare(&path).map_err(io_error("syncing", &path))?;
        let db = open_sled(&path)?;
        files.opened().map_err(io_error("syncing", &path))?;
        Ok(Self::new(Backend::Sled(db, Arc::new(files)), Some(lock)))
    }

    /// A store that lives in memory only, for tests and benchmarks.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Backend::Memory(Database::default()), None)
    }

    fn new(backend: Backend, lock: Option<File>) -> Self {
        let inner = Inner {
            backend,
            flushes: Flushes::default(),
            _lock: lock,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The tree called `name`, made if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn tree(&self, name: &str) -> Result<Tree, StoreError> {
        let handle = match &self.inner.backend {
            Backend::Sled(db, _) => Handle::Sled(db.open_tree(name)?),
            Backend::Memory(_) => Handle::Memory(name.to_owned()),
        };
        Ok(Tree {
            handle,
            store: self.clone(),
        })
    }

    /// Returns when everything written before the call survives power loss. Those who wait at the same time share a flush.
    ///
    /// # Errors
    /// [`StoreError::Database`]: nothing is known about what was written since the last flush that succeeded.
    pub async fn flush(&self) -> Result<(), StoreError> {
        if self.inner.flushes.unflushed().is_none() {
            return Ok(());
        }
        let wanted = self.inner.flushes.next();
        loop {
            // Made before looking, so that an end between the look and the wait is not missed.
            let ended = self.inner.flushes.ended.notified();
            match self.inner.flushes.lead(wanted) {
                Turn::Done => return Ok(()),
                Turn::Wait => ended.await,
                Turn::Lead(turn) => {
                    let written = self.inner.flushes.unflushed();
                    let result = match &self.inner.backend {
                        Backend::Sled(db, files) => flush_aside(db.clone(), Arc::clone(files)).await,
                        Backend::Memory(database) => {
                            database.flush();
                            Ok(())
                        }
                    };
                    if let (Ok(()), Some(written)) = (&result, written) {
                        self.inner.flushes.note_flushed(written);
                    }
                    turn.end(result.is_ok());
                    return result;
                }
            }
        }
    }

    /// [`Self::flush`] for a thread that may block.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn flush_blocking(&self) -> Result<(), StoreError> {
        let Some(written) = self.inner.flushes.unflushed() else {
            return Ok(());
        };
        match &self.inner.backend {
            Backend::Sled(db, files) => flush_now(db, files)?,
            Backend::Memory(database) => database.flush(),
        }
        self.inner.flushes.note_flushed(written);
        Ok(())
    }

    /// How many batches of an [in-memory](Self::in_memory) store a crash could lose; 0 for any other.
    #[must_use]
    pub fn unflushed_batches(&self) -> usize {
        match &self.inner.backend {
            Backend::Sled(..) => 0,
            Backend::Memory(database) => database.unflushed(),
        }
    }

    /// Loses what an [in-memory](Self::in_memory) store has not flushed, but for the first `kept` batches.
    pub fn crash(&self, kept: usize) {
        if let Backend::Memory(database) = &self.inner.backend {
            database.crash(kept);
        }
    }
}

/// A flush on a thread that may block. sled's own `flush_async` blocks one of seven threads that all databases of the process
/// share and that also write what is waited for: with many brokers in one process they would wait for each other for ever.
async fn flush_aside(db: sled::Db, files: Arc<SledFiles>) -> Result<(), StoreError> {
    let flushed = tokio::task::spawn_blocking(move || flush_now(&db, &files)).await;
    flushed.unwrap_or_else(|stopped| Err(StoreError::Database(stopped.to_string())))
}

/// sled gives what it has to the operating system, and that to the disk.
fn flush_now(db: &sled::Db, files: &SledFiles) -> Result<(), StoreError> {
    let unsynced = |error| StoreError::Database(format!("cannot be synced: {error}"));
    let before = files.before().map_err(unsynced)?;
    db.flush()?;
    files.sync(&before).map_err(unsynced)
}

#[derive(Clone)]
enum Handle {
    Sled(sled::Tree),
    Memory(String),
}

/// An ordered map from bytes to bytes within a [`Store`]. Clones share it.
#[derive(Clone)]
pub struct Tree {
    handle: Handle,
    store: Store,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").finish_non_exhaustive()
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

impl Tree {
    /// The value under `key`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match (&self.handle, &self.store.inner.backend) {
            (Handle::Sled(tree), _) => Ok(tree.get(key)?.map(|value| value.to_vec())),
            (Handle::Memory(name), Backend::Memory(database)) => Ok(database.get(name, key)),
            (Handle::Memory(_), Backend::Sled(..)) => Ok(None),
        }
    }

    /// Puts `value` under `key`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(key, value);
        self.apply(batch)
    }

    /// Removes `key`, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn remove(&self, key: &[u8]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.remove(key);
        self.apply(batch)
    }

    /// Applies all of `batch` or nothing of it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        match (&self.handle, &self.store.inner.backend) {
            (Handle::Sled(tree), _) => {
                let mut changes = sled::Batch::default();
                for (key, value) in batch.changes {
                    match value {
                        Some(value) => changes.insert(key, value),
                        None => changes.remove(key),
                    }
                }
                tree.apply_batch(changes)?;
            }
            (Handle::Memory(name), Backend::Memory(database)) => database.apply(name, batch.changes),
            (Handle::Memory(_), Backend::Sled(..)) => {}
        }
        self.store.inner.flushes.note_write();
        Ok(())
    }

    /// The entries whose keys start with `prefix`, in key order.
    pub fn scan_prefix(&self, prefix: &[u8]) -> Box<dyn Iterator<Item = Result<Entry, StoreError>> + Send> {
        match (&self.handle, &self.store.inner.backend) {
            (Handle::Sled(tree), _) => Box::new(tree.scan_prefix(prefix).map(|entry| {
                let (key, value) = entry?;
                Ok((key.to_vec(), value.to_vec()))
            })),
            (Handle::Memory(name), Backend::Memory(database)) => {
                Box::new(database.scan_prefix(name, prefix).into_iter().map(Ok))
            }
            (Handle::Memory(_), Backend::Sled(..)) => Box::new(std::iter::empty()),
        }
    }

    /// The entry with the greatest key that is not above `key`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn last_at_most(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        match (&self.handle, &self.store.inner.backend) {
            (Handle::Sled(tree), _) => {
                let last = tree.range::<&[u8], _>(..=key).next_back().transpose()?;
                Ok(last.map(|(key, value)| (key.to_vec(), value.to_vec())))
            }
            (Handle::Memory(name), Backend::Memory(database)) => Ok(database.last_at_most(name, key)),
            (Handle::Memory(_), Backend::Sled(..)) => Ok(None),
        }
    }

    /// The number of entries. Walks the tree.
    #[must_use]
    pub fn len(&self) -> usize {
        match (&self.handle, &self.store.inner.backend) {
            (Handle::Sled(tree), _) => tree.len(),
            (Handle::Memory(name), Backend::Memory(database)) => database.len(name),
            (Handle::Memory(_), Backend::Sled(..)) => 0,
        }
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.handle {
            Handle::Sled(tree) => tree.is_empty(),
            Handle::Memory(_) => self.len() == 0,
        }
    }

    /// The store that this tree belongs to, as for flushing it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// Changes to one [`Tree`] that are applied together. A later change of a key replaces an earlier one.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// Puts `value` under `key`.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes.push((key.into(), Some(value.into())));
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: impl Into<Vec<u8>>) {
        self.changes.push((key.into(), None));
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

fn open_sled(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES_MAX)
        .flush_every_ms(Some(FLUSH_INTERVAL_MS));
    let mut attempt = 0;
    loop {
        match config.open() {
            Ok(db) => return Ok(db),
            // We hold the directory's lock, so whoever still has sled's is a database of this process that is closing.
            Err(sled::Error::Io(error)) if attempt < REOPEN_ATTEMPTS && error.to_string().contains("lock") => {
                attempt += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_backends_agree() {
        let dir = tempfile::tempdir().unwrap();
        for store in [Store::open(dir.path()).unwrap(), Store::in_memory()] {
            let tree = store.tree("t").unwrap();
            tree.put(b"a1", b"1").unwrap();
            let mut batch = Batch::default();
            batch.put(*b"a2", *b"2");
            batch.put(*b"b1", *b"3");
            batch.remove(*b"a1");
            tree.apply(batch).unwrap();
            store.flush().await.unwrap();
            assert_eq!(tree.get(b"a1").unwrap(), None);
            let found: Result<Vec<_>, _> = tree.scan_prefix(b"a").collect();
            assert_eq!(found.unwrap(), vec![(b"a2".to_vec(), b"2".to_vec())]);
            assert_eq!(tree.last_at_most(b"b0").unwrap().unwrap().0, b"a2".to_vec());
            assert_eq!(tree.len(), 2);
        }
    }

    #[tokio::test]
    async fn what_is_flushed_is_not_flushed_again() {
        let dir = tempfile::tempdir().unwrap();
        for store in [Store::open(dir.path()).unwrap(), Store::in_memory()] {
            store.flush().await.unwrap();
            let flushes = &store.inner.flushes;
            assert_eq!(flushes.next(), 1, "nothing was written");
            let tree = store.tree("t").unwrap();
            tree.put(b"a", b"1").unwrap();
            for _ in 0..3 {
                store.flush().await.unwrap();
            }
            assert_eq!(flushes.next(), 2, "one flush was enough");
            tree.put(b"a", b"2").unwrap();
            assert!(flushes.unflushed().is_some());
            store.flush_blocking().unwrap();
            assert_eq!(flushes.unflushed(), None);
        }
    }

    #[tokio::test]
    async fn a_crash_in_memory_keeps_what_was_flushed() {
        let store = Store::in_memory();
        let tree = store.tree("t").unwrap();
        tree.put(b"a", b"1").unwrap();
        store.flush().await.unwrap();
        tree.put(b"b", b"2").unwrap();
        tree.put(b"c", b"3").unwrap();
        store.crash(1);
        assert_eq!(tree.len(), 2);
        assert_eq!(tree.get(b"c").unwrap(), None);
    }
}
