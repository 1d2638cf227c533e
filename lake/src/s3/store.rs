//! The objects of one data directory: the index that says what exists, and the files with the bytes.
//!
//! ```text
//! <data dir>/LOCK     held while in use; the process id of the holder
//! <data dir>/FORMAT   the version of this layout
//! <data dir>/index/   sled (index.rs)
//! <data dir>/blobs/   the bytes (blobs.rs)
//! <data dir>/tmp/     bytes that are still arriving
//! ```
//!
//! # Promises
//! - **A write is atomic**: the file is whole before the index names it, and the index changes in one batch.
//!   `kill -9` at any point leaves the object as it was before or as it is after.
//! - **A condition has one winner**: check and change happen under the lock of the key.
//! - **What a client was told stays true** after `kill -9` of the process: the index is settled before any
//!   answer that depends on it. With `fsync` it also stays true when the power is lost: see below.
//! - **Nothing is removed while it is named**: files go only after the index settled without them.
//!
//! # What survives what
//! | | what clients were told | and otherwise |
//! |---|---|---|
//! | `kill -9` | is so | a change that was not answered has happened as a whole or not at all; files without a name are removed by the next start |
//! | loss of power, with `fsync` | is so, from the first start on, where what was synced is still there | the same |
//! | loss of power, without | may be lost, any of it; also a record may be there and its bytes not | |
//! | a failed write or sync | is so | no change is accepted until the server is started anew |
//!
//! `fsync` speaks for what is written with it: objects that an earlier process wrote without are as durable as the
//! operating system has made them meanwhile. What sled itself leaves open is at the head of [`tickertape_durable`].

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{Read as _, Write as _};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use tickertape_durable as durable;
use tokio_util::sync::CancellationToken;

use super::blobs::{Blobs, Extent, Pin};
use super::condition::WriteCondition;
use super::error::StoreError;
use super::index::{Batch, Index, keys};
use super::ops::now_ms;
use super::records::{BlobId, BucketRecord, CompletedRecord, Content, ObjectRecord, PartRecord, Segment, Tags};

/// The version of the layout that this code writes, and the newest that it reads.
const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "FORMAT";
const STRIPES: usize = 256;
/// How long the answer to a completed upload is kept, for a client that did not get it.
const COMPLETED_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Locks by name: two names may share one.
struct Stripes(Vec<Mutex<()>>);

impl Stripes {
    fn new() -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(())).collect())
    }

    fn lock(&self, name: &[u8]) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
        self.0[hash as usize % STRIPES].lock()
    }
}

/// See the head of the module.
pub(crate) struct Store {
    pub(crate) index: Index,
    pub(crate) blobs: Arc<Blobs>,
    /// Written to create or delete a bucket, read to change what is in one.
    buckets: RwLock<()>,
    keys: Stripes,
    /// Taken before `keys`.
    uploads: Stripes,
    /// Whether there may be files of an earlier process that no record names.
    orphans: AtomicBool,
    _lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("blobs", &self.blobs)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or creates the store. Refuses a directory that another process uses or whose format is newer.
    pub(crate) fn open(data_dir: &Path, fsync: bool) -> Result<Self, StoreError> {
        let made = match fsync {
            true => durable::create_dir_all(data_dir),
            false => fs::create_dir_all(data_dir),
        };
        made.map_err(|error| StoreError::NoDirectory {
            data_dir: data_dir.to_path_buf(),
            error,
        })?;
        refuse_foreign(data_dir)?;
        let lock = lock_dir(data_dir)?;
        check_format(data_dir)?;
        if fsync {
            // An earlier process may have written it without.
            File::open(data_dir.join(FORMAT_FILE))?.sync_all()?;
            durable::sync_dir(data_dir)?;
        }
        let store = Self {
            index: Index::open(&data_dir.join("index"), fsync)?,
            blobs: Arc::new(Blobs::open(data_dir, fsync)?),
            buckets: RwLock::new(()),
            keys: Stripes::new(),
            uploads: Stripes::new(),
            orphans: AtomicBool::new(true),
            _lock: lock,
        };
        store.blobs.sweep_tmp()?;
        if store.index.begin()? {
            store.no_orphans();
        }
        store.forget_completed(now_ms())?;
        Ok(store)
    }

    /// Removes the files that an earlier process left without a name; nothing to do after a clean stop. Costs a look at every
    /// record and every file, so it goes on beside requests, until it is done or stopped.
    pub(crate) fn sweep(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        if !self.orphans.load(Ordering::Acquire) {
            return Ok(());
        }
        let Some(referenced) = self.referenced(stop)? else {
            return Ok(());
        };
        if let Some(removed) = self.blobs.sweep(&referenced, stop)? {
            self.no_orphans();
            if removed > 0 {
                tracing::info!(removed, "removed files that an earlier process left unfinished");
            }
        }
        Ok(())
    }

    fn no_orphans(&self) {
        self.orphans.store(false, Ordering::Release);
        self.blobs.forget_begun();
    }

    /// Forgets uploads that were completed long ago.
    fn forget_completed(&self, now_ms: i64) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for item in self.index.scan(keys::COMPLETED.to_vec(), Bound::Unbounded) {
            let (id, record) = item?;
            if now_ms - record.decode::<CompletedRecord>()?.object.modified_ms > COMPLETED_KEPT_MS {
                batch.remove([keys::COMPLETED, &id].concat());
            }
        }
        Ok(self.index.apply(batch)?)
    }

    /// Notes a clean stop, so that the next start need not look for orphans; unless this one did not come to its end with it.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        match self.orphans.load(Ordering::Acquire) {
            true => Ok(self.index.flush()?),
            false => Ok(self.index.end()?),
        }
    }

    /// Every file that a record has named since before the call; `None` when stopped. Files go from parts of uploads to
    /// objects and never back, so parts are looked at first: whatever moves meanwhile is seen in one place or in the other.
    fn referenced(&self, stop: &CancellationToken) -> Result<Option<HashSet<BlobId>>, StoreError> {
        let mut found = HashSet::new();
        for item in self.index.scan(keys::PARTS.to_vec(), Bound::Unbounded) {
            found.extend(item?.1.decode::<PartRecord>()?.blob);
        }
        for item in self.index.scan(keys::OBJECTS.to_vec(), Bound::Unbounded) {
            if stop.is_cancelled() {
                return Ok(None);
            }
            if let Content::Blob(id) = item?.1.decode::<ObjectRecord>()?.content {
                found.insert(id);
            }
        }
        for item in self.index.scan(keys::MANIFESTS.to_vec(), Bound::Unbounded) {
            let segments: Vec<Segment> = item?.1.decode()?;
            found.extend(segments.iter().filter_map(|segment| segment.blob));
        }
        Ok(Some(found))
    }

    /// Creates a bucket. An error if there is one.
    pub(crate) fn create_bucket(&self, name: &str, now_ms: i64) -> Result<(), StoreError> {
        let _buckets = self.buckets.write();
        if self.index.contains(&keys::bucket(name))? {
            return Err(StoreError::BucketExists);
        }
        let mut batch = Batch::default();
        batch.put(keys::bucket(name), &BucketRecord { created_ms: now_ms })?;
        Ok(self.index.apply(batch)?)
    }

    /// Deletes an empty bucket, with the uploads that were never completed. Gives the files to release.
    pub(crate) fn delete_bucket(&self, name: &str) -> Result<Vec<BlobId>, StoreError> {
        let _buckets = self.buckets.write();
        self.require_bucket(name)?;
        if let Some(object) = self.index.scan(keys::objects(name), Bound::Unbounded).next() {
            object?;
            return Err(StoreError::BucketNotEmpty);
        }
        let mut batch = Batch::default();
        let mut files = Vec::new();
        for upload in self.index.scan(keys::uploads(name), Bound::Unbounded) {
            let (rest, _) = upload?;
            let Some(id) = upload_id_at_end(&rest) else { continue };
            files.extend(self.drop_parts(id, &mut batch)?);
            batch.remove([keys::uploads(name), rest.clone()].concat());
        }
        batch.remove(keys::bucket(name));
        self.index.apply(batch)?;
        Ok(files)
    }

    /// An error if there is no such bucket.
    pub(crate) fn require_bucket(&self, name: &str) -> Result<(), StoreError> {
        match self.index.contains(&keys::bucket(name))? {
            true => Ok(()),
            false => Err(StoreError::NoSuchBucket),
        }
    }

    /// Keeps the bucket from being deleted while something in it is changed.
    pub(crate) fn hold_bucket(&self, name: &str) -> Result<RwLockReadGuard<'_, ()>, StoreError> {
        let guard = self.buckets.read();
        self.require_bucket(name)?;
        Ok(guard)
    }

    /// Serialises what is done to one upload.
    pub(crate) fn hold_upload(&self, id: &str) -> MutexGuard<'_, ()> {
        self.uploads.lock(id.as_bytes())
    }

    /// The object under a key.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Result<ObjectRecord, StoreError> {
        match self.index.get(&keys::object(bucket, key))? {
            Some(record) => Ok(record),
            None => {
                self.require_bucket(bucket)?;
                Err(StoreError::NoSuchKey)
            }
        }
    }

    /// The object under a key, and its files kept from being removed while the pin lives.
    pub(crate) fn pinned_object(&self, bucket: &str, key: &str) -> Result<(ObjectRecord, Option<Pin>), StoreError> {
        let mut record = self.object(bucket, key)?;
        loop {
            let pin = match record.content {
                Content::Empty => return Ok((record, None)),
                Content::Blob(owner) | Content::Parts(owner) => self.blobs.pin(owner),
            };
            // It may have been replaced, and its files removed, before the pin was there.
            let again = self.object(bucket, key)?;
            if again.content == record.content {
                return Ok((again, Some(pin)));
            }
            record = again;
        }
    }

    /// Where the bytes of an object are, part by part.
    pub(crate) fn segments(&self, record: &ObjectRecord) -> Result<Vec<Segment>, StoreError> {
        match record.content {
            Content::Empty => Ok(Vec::new()),
            Content::Blob(blob) => Ok(vec![Segment {
                number: 1,
                blob: Some(blob),
                size_bytes: record.size_bytes,
            }]),
            Content::Parts(manifest) => self
                .index
                .get(&keys::manifest(manifest))?
                .ok_or(StoreError::ManifestMissing(manifest.to_string())),
        }
    }

    /// Puts a record under a key if the condition holds, together with the other changes of `batch`.
    /// The caller holds the bucket. Gives what the object before it left to release.
    pub(crate) fn commit_object(
        &self,
        bucket: &str,
        key: &str,
        condition: &WriteCondition,
        record: &ObjectRecord,
        mut batch: Batch,
    ) -> Result<Released, StoreError> {
        let name = keys::object(bucket, key);
        let _key = self.keys.lock(&name);
        let current: Option<ObjectRecord> = self.index.get(&name)?;
        condition.check(current.as_ref())?;
        let released = self.forget(current, &mut batch)?;
        batch.put(name, record)?;
        self.index.apply(batch)?;
        Ok(released)
    }

    /// Gives an object other tags; nothing else of it changes.
    pub(crate) fn set_tags(&self, bucket: &str, key: &str, tags: Tags) -> Result<(), StoreError> {
        let _bucket = self.hold_bucket(bucket)?;
        let name = keys::object(bucket, key);
        let _key = self.keys.lock(&name);
        let mut record = self.object(bucket, key)?;
        record.tags = tags;
        let mut batch = Batch::default();
        batch.put(name, &record)?;
        Ok(self.index.apply(batch)?)
    }

    /// Removes the object under a key, if there is one and the condition holds.
    pub(crate) fn delete_object(
        &self,
        bucket: &str,
        key: &str,
        condition: &WriteCondition,
    ) -> Result<Released, StoreError> {
        let _bucket = self.hold_bucket(bucket)?;
        let name = keys::object(bucket, key);
        let _key = self.keys.lock(&name);
        let current: Option<ObjectRecord> = self.index.get(&name)?;
        condition.check(current.as_ref())?;
        let mut batch = Batch::default();
        let released = self.forget(current, &mut batch)?;
        batch.remove(name);
        self.index.apply(batch)?;
        Ok(released)
    }

    /// Adds to `batch` what goes with an object that is replaced or deleted.
    fn forget(&self, record: Option<ObjectRecord>, batch: &mut Batch) -> Result<Released, StoreError> {
        let Some(record) = record else {
            return Ok(Released(None));
        };
        let files = self
            .segments(&record)?
            .iter()
            .filter_map(|segment| segment.blob)
            .collect();
        Ok(Released(match record.content {
            Content::Empty => None,
            Content::Blob(blob) => Some((blob, files)),
            Content::Parts(manifest) => {
                batch.remove(keys::manifest(manifest));
                Some((manifest, files))
            }
        }))
    }

    /// Adds the removal of all parts of an upload to `batch`; gives their files.
    pub(crate) fn drop_parts(&self, upload: &str, batch: &mut Batch) -> Result<Vec<BlobId>, StoreError> {
        let mut files = Vec::new();
        for part in self.index.scan(keys::parts(upload), Bound::Unbounded) {
            let (number, record) = part?;
            files.extend(record.decode::<PartRecord>()?.blob);
            batch.remove([keys::parts(upload), number].concat());
        }
        Ok(files)
    }

    /// Removes files that the settled index no longer names.
    pub(crate) fn release(&self, released: Vec<Released>) {
        for (owner, files) in released.into_iter().filter_map(|released| released.0) {
            self.blobs.release(owner, files);
        }
    }
}

/// Files that a change left without a name: the owner that readers pin, and the files.
#[derive(Debug)]
pub(crate) struct Released(Option<(BlobId, Vec<BlobId>)>);

impl Released {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Files that nobody reads through an object: parts of an upload.
    pub(crate) fn files(files: Vec<BlobId>) -> Vec<Self> {
        files.into_iter().map(|file| Self(Some((file, vec![file])))).collect()
    }
}

/// The runs of bytes that make up `range` of an object.
pub(crate) fn extents(segments: &[Segment], range: std::ops::Range<u64>) -> Vec<Extent> {
    let mut start = 0;
    let mut extents = Vec::new();
    for segment in segments {
        let end = start + segment.size_bytes;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if let (Some(blob), true) = (segment.blob, from < to) {
            extents.push(Extent {
                blob,
                offset: from - start,
                len: to - from,
            });
        }
        start = end;
    }
    extents
}

/// The upload id at the end of a key of the index.
pub(crate) fn upload_id_at_end(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(key.len().checked_sub(32)?..)?).ok()
}

fn lock_dir(data_dir: &Path) -> Result<File, StoreError> {
    let path = data_dir.join("LOCK");
    let mut lock = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0)?;
            write!(lock, "{}", std::process::id())?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            lock.read_to_string(&mut pid)?;
            Err(StoreError::InUse {
                data_dir: data_dir.to_path_buf(),
                pid,
            })
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A directory that holds a broker's data, or a person's, is no place for a store.
fn refuse_foreign(data_dir: &Path) -> Result<(), StoreError> {
    // What a store that was killed at its first start may have left, and what a file system brings.
    const NOT_FOREIGN: [&str; 4] = ["LOCK", FORMAT_FILE, "FORMAT.new", "lost+found"];
    // The index alone, where the power was lost before the format was on the disk.
    if data_dir.join(FORMAT_FILE).exists() || data_dir.join("index").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(data_dir)? {
        let name = entry?.file_name();
        if !NOT_FOREIGN.iter().any(|known| name == *known) {
            return Err(StoreError::Foreign {
                data_dir: data_dir.to_path_buf(),
                found: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

fn check_format(data_dir: &Path) -> Result<(), StoreError> {
    let path = data_dir.join(FORMAT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Before anything else is here, also without `fsync`: what has no format may be somebody else's.
            return Ok(durable::write_whole(&path, format!("{FORMAT}\n").as_bytes())?);
        }
        Err(error) => return Err(error.into()),
    };
    match text.trim().parse::<u32>() {
        Ok(found) if found <= FORMAT => Ok(()),
        _ => Err(StoreError::Format {
            data_dir: data_dir.to_path_buf(),
            found: text.trim().to_owned(),
            known: FORMAT,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_over_parts_is_cut_at_their_borders() {
        let id = BlobId::random();
        let segment = |number, size_bytes| Segment {
            number,
            blob: (size_bytes > 0).then_some(id),
            size_bytes,
        };
        let segments = [segment(1, 5), segment(2, 0), segment(3, 5)];
        let cut: Vec<_> = extents(&segments, 3..8)
            .iter()
            .map(|extent| (extent.offset, extent.len))
            .collect();
        assert_eq!(cut, [(3, 2), (0, 3)]);
        assert!(extents(&segments, 5..5).is_empty());
    }

    #[test]
    fn a_directory_in_use_or_newer_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), false).unwrap();
        let refused = Store::open(dir.path(), false).map(drop).unwrap_err().to_string();
        assert!(refused.contains(&dir.path().display().to_string()), "{refused}");
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(store);
        fs::write(dir.path().join("FORMAT"), "9\n").unwrap();
        let refused = Store::open(dir.path(), false).map(drop).unwrap_err().to_string();
        assert!(
            refused.contains('9') && refused.contains(&dir.path().display().to_string()),
            "{refused}"
        );
    }
}
