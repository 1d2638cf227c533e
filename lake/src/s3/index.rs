//! The index: which buckets, objects, uploads and parts exist. The one file here that knows sled.
//!
//! One tree, so that whatever belongs together changes in one atomic batch:
//!
//! | key | value |
//! |---|---|
//! | `b` bucket | [`BucketRecord`](super::records::BucketRecord) |
//! | `o` bucket `\0` key | [`ObjectRecord`](super::records::ObjectRecord) |
//! | `m` manifest id | the [`Segment`](super::records::Segment)s of an object of parts |
//! | `u` bucket `\0` key `\0` upload id | [`UploadRecord`](super::records::UploadRecord) |
//! | `p` upload id, part number (2 bytes, big endian) | [`PartRecord`](super::records::PartRecord) |
//! | `d` upload id | [`CompletedRecord`](super::records::CompletedRecord), for a while |
//! | `x` | present after a clean stop: no orphaned files are to be looked for |
//!
//! Bucket names hold no `\0` and ids have a fixed length, so keys may hold anything; and as sled orders
//! keys by their bytes, objects are listed in S3's order (UTF-8 binary) by walking the tree.
//!
//! # Promises
//! - sled keeps what was written last in the memory of the process. [`Index::settle`] returns when all that
//!   any reader can have seen until then is in the file; nobody answers a client before it returned. All who
//!   wait share one flush. With `fsync` it also survives the loss of power ([`SledFiles`]), and what a killed process left
//!   is made durable before anybody is answered from it.
//! - A flush that failed is never retried: from then on every change is refused.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tickertape_durable::SledFiles;

use super::records::BlobId;

/// sled's own default is 1 GiB; a million objects' records are listed well enough from this.
const CACHE_BYTES: u64 = 64 << 20;
const CLEAN: &[u8] = b"x";

/// Why the index could not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// sled could not read or write.
    #[error("the index cannot be read or written: {0}")]
    Sled(#[from] sled::Error),
    /// A record is not what it should be.
    #[error("a record of the index cannot be read: {0}")]
    Record(#[from] serde_json::Error),
    /// The file under the index could not be synchronised.
    #[error("the index cannot be synchronised to disk: {0}")]
    Sync(#[from] std::io::Error),
    /// An earlier flush failed.
    #[error("an earlier write to the disk failed; no change is accepted until the server is restarted")]
    Failed,
}

/// The keys of the tree.
pub(crate) mod keys {
    use super::BlobId;

    pub(crate) const BUCKETS: &[u8] = b"b";
    pub(crate) const OBJECTS: &[u8] = b"o";
    pub(crate) const MANIFESTS: &[u8] = b"m";
    pub(crate) const PARTS: &[u8] = b"p";
    pub(crate) const COMPLETED: &[u8] = b"d";

    fn concat(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    pub(crate) fn bucket(name: &str) -> Vec<u8> {
        concat(&[BUCKETS, name.as_bytes()])
    }

    /// What the keys of all objects of a bucket start with.
    pub(crate) fn objects(bucket: &str) -> Vec<u8> {
        concat(&[OBJECTS, bucket.as_bytes(), b"\0"])
    }

    pub(crate) fn object(bucket: &str, key: &str) -> Vec<u8> {
        concat(&[OBJECTS, bucket.as_bytes(), b"\0", key.as_bytes()])
    }

    pub(crate) fn manifest(id: BlobId) -> Vec<u8> {
        concat(&[MANIFESTS, id.to_string().as_bytes()])
    }

    /// What the keys of all uploads of a bucket start with.
    pub(crate) fn uploads(bucket: &str) -> Vec<u8> {
        concat(&[b"u", bucket.as_bytes(), b"\0"])
    }

    pub(crate) fn upload(bucket: &str, key: &str, id: &str) -> Vec<u8> {
        concat(&[b"u", bucket.as_bytes(), b"\0", key.as_bytes(), b"\0", id.as_bytes()])
    }

    pub(crate) fn completed(upload: &str) -> Vec<u8> {
        concat(&[COMPLETED, upload.as_bytes()])
    }

    /// What the keys of all parts of an upload start with.
    pub(crate) fn parts(upload: &str) -> Vec<u8> {
        concat(&[PARTS, upload.as_bytes()])
    }

    pub(crate) fn part(upload: &str, number: u16) -> Vec<u8> {
        concat(&[PARTS, upload.as_bytes(), &number.to_be_bytes()])
    }
}

/// Changes that happen together or not at all.
#[derive(Default)]
pub(crate) struct Batch(sled::Batch);

impl Batch {
    /// Sets a record.
    pub(crate) fn put<T: Serialize>(&mut self, key: Vec<u8>, record: &T) -> Result<(), IndexError> {
        self.0.insert(key, serde_json::to_vec(record)?);
        Ok(())
    }

    /// Removes a record, if there is one.
    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.0.remove(key);
    }
}

/// A record that was not decoded yet.
pub(crate) struct Raw(sled::IVec);

impl Raw {
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, IndexError> {
        Ok(serde_json::from_slice(&self.0)?)
    }
}

/// The index of one data directory. Clones share it.
#[derive(Clone)]
pub(crate) struct Index {
    shared: Arc<Shared>,
}

struct Shared {
    db: sled::Db,
    /// sled's files, synchronised after each flush if the loss of power is to be survived.
    files: Option<SledFiles>,
    /// Changes being made now; a reader may see them before they are counted in `applied`.
    writing: AtomicU64,
    /// Changes made since the start.
    applied: AtomicU64,
    /// How many of them are in the file.
    flushed: AtomicU64,
    failed: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

impl Index {
    /// Opens or creates the index in `dir`. With `fsync`, [`Index::settle`] also waits for the device.
    pub(crate) fn open(dir: &Path, fsync: bool) -> Result<Self, IndexError> {
        let files = fsync.then(|| SledFiles::prepare(dir)).transpose()?;
        let db = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).open()?;
        if let Some(files) = &files {
            files.opened()?;
        }
        Ok(Self {
            shared: Arc::new(Shared {
                db,
                files,
                writing: AtomicU64::new(0),
                applied: AtomicU64::new(0),
                flushed: AtomicU64::new(0),
                failed: AtomicBool::new(false),
                turn: tokio::sync::Mutex::new(()),
            }),
        })
    }

    /// The record under `key`.
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, IndexError> {
        match self.shared.db.get(key)? {
            Some(value) => Ok(Some(serde_json::from_slice(&value)?)),
            None => Ok(None),
        }
    }

    /// Whether there is a record under `key`.
    pub(crate) fn contains(&self, key: &[u8]) -> Result<bool, IndexError> {
        Ok(self.shared.db.contains_key(key)?)
    }

    /// Makes all changes of the batch, visible at once; durable after the next [`Index::settle`].
    pub(crate) fn apply(&self, batch: Batch) -> Result<(), IndexError> {
        if self.shared.failed.load(Ordering::Acquire) {
            return Err(IndexError::Failed);
        }
        self.shared.writing.fetch_add(1, Ordering::SeqCst);
        let result = self.shared.db.apply_batch(batch.0);
        self.shared.applied.fetch_add(1, Ordering::SeqCst);
        self.shared.writing.fetch_sub(1, Ordering::SeqCst);
        Ok(result?)
    }

    /// Records whose key starts with `prefix`, from `start` on, in the order of their keys.
    /// A key is given without the prefix.
    pub(crate) fn scan(
        &self,
        prefix: Vec<u8>,
        start: Bound<Vec<u8>>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Raw), IndexError>> + use<> {
        let end = successor(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        let start = match start {
            Bound::Unbounded => Bound::Included(prefix.clone()),
            Bound::Included(key) => Bound::Included([prefix.as_slice(), &key].concat()),
            Bound::Excluded(key) => Bound::Excluded([prefix.as_slice(), &key].concat()),
        };
        let skip = prefix.len();
        self.shared.db.range((start, end)).map(move |item| {
            let (key, value) = item?;
            Ok((key[skip..].to_vec(), Raw(value)))
        })
    }

    /// Returns when everything that was visible before the call survives the end of the process
    /// (and of the power, if the index was opened so).
    pub(crate) async fn settle(&self) -> Result<(), IndexError> {
        let shared = &self.shared;
        let in_doubt = shared.writing.load(Ordering::SeqCst) > 0;
        let wanted = shared.applied.load(Ordering::SeqCst);
        if !in_doubt && shared.flushed.load(Ordering::SeqCst) >= wanted {
            return Ok(());
        }
        let _turn = shared.turn.lock().await;
        if !in_doubt && shared.flushed.load(Ordering::SeqCst) >= wanted {
            return Ok(());
        }
        let index = self.clone();
        match tokio::task::spawn_blocking(move || index.flush()).await {
            Ok(result) => result,
            Err(_) => Err(IndexError::Failed),
        }
    }

    /// Writes everything to the file.
    pub(crate) fn flush(&self) -> Result<(), IndexError> {
        let shared = &self.shared;
        if shared.failed.load(Ordering::Acquire) {
            return Err(IndexError::Failed);
        }
        let upto = shared.applied.load(Ordering::SeqCst);
        let synced = || -> Result<(), IndexError> {
            let before = shared.files.as_ref().map(SledFiles::before).transpose()?;
            shared.db.flush()?;
            if let (Some(files), Some(before)) = (&shared.files, before) {
                files.sync(&before)?;
            }
            Ok(())
        };
        let result = synced();
        match &result {
            Ok(()) => {
                shared.flushed.fetch_max(upto, Ordering::SeqCst);
            }
            Err(_) => shared.failed.store(true, Ordering::Release),
        }
        result
    }

    /// Whether the last run stopped cleanly. From now on this run counts as not yet stopped.
    pub(crate) fn begin(&self) -> Result<bool, IndexError> {
        let clean = self.shared.db.remove(CLEAN)?.is_some();
        self.flush()?;
        Ok(clean)
    }

    /// Notes a clean stop.
    pub(crate) fn end(&self) -> Result<(), IndexError> {
        self.shared.db.insert(CLEAN, b"")?;
        self.flush()
    }
}

/// The first key after all those that start with `prefix`.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successor_comes_after_every_key_with_the_prefix() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff"), None);
        assert_eq!(successor(b""), None);
    }

    #[tokio::test]
    async fn what_settled_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        {
            let index = Index::open(dir.path(), true).unwrap();
            assert!(!index.begin().unwrap());
            let mut batch = Batch::default();
            batch.put(b"oa\0k".to_vec(), &7_u32).unwrap();
            index.apply(batch).unwrap();
            index.settle().await.unwrap();
            index.end().unwrap();
        }
        let index = Index::open(dir.path(), false).unwrap();
        assert!(index.begin().unwrap());
        assert_eq!(index.get::<u32>(b"oa\0k").unwrap(), Some(7));
        let found: Vec<_> = index.scan(keys::objects("a"), Bound::Unbounded).collect();
        assert_eq!(found.len(), 1);
    }
}
