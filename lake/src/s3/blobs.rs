//! The files that hold the bytes: `blobs/<2 digits>/<32 digits>`, immutable, named at random.
//!
//! # Promises
//! - A file comes into `blobs/` whole: it is written under `tmp/` and renamed when it is complete.
//! - A file in `blobs/` that no record of the index names is an orphan of a process that was killed;
//!   [`Blobs::sweep`] removes such files while the next one serves. Everything under `tmp/` goes before it does.
//! - With `fsync` a file that was kept survives the loss of power: its bytes are synced before it gets its name, and its name
//!   before a record can name it. What is removed may come back as an orphan.
//! - A file that is being read is not removed before the last reader let go of it ([`Pin`]).

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin as StdPin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{FutureExt as _, Stream};
use parking_lot::Mutex;
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};
use tickertape_durable::sync_dir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::records::BlobId;

/// Bytes read from a file at a time, and gathered from a client before they are written.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// All files of one data directory.
#[derive(Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
    tmp: PathBuf,
    fsync: bool,
    readers: Mutex<HashMap<BlobId, Readers>>,
    /// The files begun since the start, while orphans of earlier processes are looked for: none of them is one.
    begun: Mutex<Option<HashSet<BlobId>>>,
}

#[derive(Debug, Default)]
struct Readers {
    count: usize,
    /// What to remove when the last one is gone.
    doomed: Vec<BlobId>,
}

impl Blobs {
    /// Opens or creates `blobs/` and `tmp/` in the data directory. With `fsync` also their names survive the loss of power.
    pub(crate) fn open(data_dir: &Path, fsync: bool) -> io::Result<Self> {
        let (dir, tmp) = (data_dir.join("blobs"), data_dir.join("tmp"));
        fs::create_dir_all(&tmp)?;
        for first in 0..=0xff_u8 {
            fs::create_dir_all(dir.join(format!("{first:02x}")))?;
        }
        if fsync {
            sync_dir(&dir)?;
            sync_dir(data_dir)?;
        }
        Ok(Self {
            dir,
            tmp,
            fsync,
            readers: Mutex::default(),
            begun: Mutex::new(Some(HashSet::new())),
        })
    }

    /// The name of a file that is about to be written.
    fn new_id(&self) -> BlobId {
        let id = BlobId::random();
        if let Some(begun) = self.begun.lock().as_mut() {
            begun.insert(id);
        }
        id
    }

    /// No orphans are looked for, or no longer.
    pub(crate) fn forget_begun(&self) {
        *self.begun.lock() = None;
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        self.dir.join(&name[..2]).join(name)
    }

    /// Starts a new file.
    pub(crate) fn create(self: &Arc<Self>) -> io::Result<NewBlob> {
        let id = self.new_id();
        let path = self.tmp.join(id.to_string());
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(NewBlob {
            id,
            file,
            path: Some(path),
            size_bytes: 0,
            blobs: Arc::clone(self),
        })
    }

    /// Gives a file's bytes a second name, without copying them where the file system can.
    pub(crate) fn duplicate(&self, id: BlobId) -> io::Result<BlobId> {
        let copy = self.new_id();
        let (from, to) = (self.path(id), self.path(copy));
        if fs::hard_link(&from, &to).is_err() {
            let staged = self.tmp.join(copy.to_string());
            fs::copy(&from, &staged)?;
            if self.fsync {
                File::open(&staged)?.sync_all()?;
            }
            fs::rename(&staged, &to)?;
        }
        self.sync_parent(&to)?;
        Ok(copy)
    }

    pub(crate) fn open_file(&self, id: BlobId) -> io::Result<File> {
        File::open(self.path(id))
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if self.fsync => sync_dir(parent),
            _ => Ok(()),
        }
    }

    /// Keeps what `owner` (a file or a manifest) stands for from being removed while the pin lives.
    pub(crate) fn pin(self: &Arc<Self>, owner: BlobId) -> Pin {
        self.readers.lock().entry(owner).or_default().count += 1;
        Pin {
            owner,
            blobs: Arc::clone(self),
        }
    }

    /// Removes the files that belonged to `owner`, now or when its last reader is done.
    /// No record may name them any more, durably.
    pub(crate) fn release(&self, owner: BlobId, files: Vec<BlobId>) {
        if let Some(readers) = self.readers.lock().get_mut(&owner) {
            readers.doomed.extend(files);
            return;
        }
        self.remove(&files);
    }

    /// A file that stays behind is an orphan for the next start: no error.
    fn remove(&self, files: &[BlobId]) {
        for id in files {
            match fs::remove_file(self.path(*id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, blob = %id, "a file of deleted bytes stays until the next start");
                }
                _ => {}
            }
        }
    }

    /// Removes what no record names, and gives how many files that were; `None` when it was stopped before it was done.
    /// `referenced` are all files that records named at some moment since the start.
    pub(crate) fn sweep(&self, referenced: &HashSet<BlobId>, stop: &CancellationToken) -> io::Result<Option<usize>> {
        let mut removed = 0;
        for folder in fs::read_dir(&self.dir)? {
            for file in fs::read_dir(folder?.path())? {
                if stop.is_cancelled() {
                    return Ok(None);
                }
                let file = file?;
                let id = file.file_name().to_str().and_then(BlobId::parse);
                if id.is_some_and(|id| !referenced.contains(&id) && !self.is_in_hand(id)) {
                    fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(Some(removed))
    }

    /// Whether this process has begun the file, or removes it by itself when its last reader is done.
    fn is_in_hand(&self, id: BlobId) -> bool {
        let begun = self.begun.lock().as_ref().is_none_or(|begun| begun.contains(&id));
        begun || self.readers.lock().values().any(|readers| readers.doomed.contains(&id))
    }

    /// Removes files that were never completed. Only before the first request.
    pub(crate) fn sweep_tmp(&self) -> io::Result<usize> {
        let mut removed = 0;
        for file in fs::read_dir(&self.tmp)? {
            fs::remove_file(file?.path())?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// A file being written. Dropped before [`NewBlob::keep`], it is gone.
#[derive(Debug)]
pub(crate) struct NewBlob {
    id: BlobId,
    file: File,
    path: Option<PathBuf>,
    size_bytes: u64,
    blobs: Arc<Blobs>,
}

impl NewBlob {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Completes the file and moves it to its place. An empty one is dropped: `None`.
    pub(crate) fn keep(mut self) -> io::Result<Option<BlobId>> {
        if self.size_bytes == 0 {
            return Ok(None);
        }
        if self.blobs.fsync {
            self.file.sync_all()?;
        }
        let place = self.blobs.path(self.id);
        if let Some(path) = &self.path {
            fs::rename(path, &place)?;
        }
        self.path = None;
        self.blobs.sync_parent(&place)?;
        Ok(Some(self.id))
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// See [`Blobs::pin`].
#[derive(Debug)]
pub(crate) struct Pin {
    owner: BlobId,
    blobs: Arc<Blobs>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let doomed = {
            let mut readers = self.blobs.readers.lock();
            match readers.get_mut(&self.owner) {
                Some(entry) if entry.count > 1 => {
                    entry.count -= 1;
                    Vec::new()
                }
                _ => readers
                    .remove(&self.owner)
                    .map(|entry| entry.doomed)
                    .unwrap_or_default(),
            }
        };
        self.blobs.remove(&doomed);
    }
}

/// A run of bytes in a file.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    pub(crate) blob: BlobId,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// Reads extents one after the other, a chunk at a time: the memory used does not depend on their length.
pub(crate) struct BlobReader {
    blobs: Arc<Blobs>,
    /// In reverse order: the next one is the last.
    extents: Vec<Extent>,
    open: Option<(BlobId, Arc<File>)>,
    _pin: Option<Pin>,
    remaining: u64,
}

impl BlobReader {
    pub(crate) fn new(blobs: Arc<Blobs>, mut extents: Vec<Extent>, pin: Option<Pin>) -> Self {
        extents.retain(|extent| extent.len > 0);
        extents.reverse();
        let remaining = extents.iter().map(|extent| extent.len).sum();
        Self {
            blobs,
            extents,
            open: None,
            _pin: pin,
            remaining,
        }
    }

    pub(crate) fn remaining_bytes(&self) -> u64 {
        self.remaining
    }

    /// The next chunk, or nothing at the end. Blocks.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Some(extent) = self.extents.last_mut() else {
            return Ok(None);
        };
        let file = match &self.open {
            Some((blob, file)) if *blob == extent.blob => Arc::clone(file),
            _ => {
                let file = Arc::new(self.blobs.open_file(extent.blob)?);
                self.open = Some((extent.blob, Arc::clone(&file)));
                file
            }
        };
        let len = extent.len.min(CHUNK_BYTES as u64);
        let mut chunk = vec![0; usize::try_from(len).unwrap_or(CHUNK_BYTES)];
        file.read_exact_at(&mut chunk, extent.offset)?;
        extent.offset += len;
        extent.len -= len;
        self.remaining -= len;
        if extent.len == 0 {
            self.extents.pop();
        }
        Ok(Some(chunk.into()))
    }
}

type ReadTurn = (BlobReader, io::Result<Option<Bytes>>);

/// The body of an answer: one chunk is read ahead while the one before is sent.
pub(crate) struct BlobStream {
    turn: Option<JoinHandle<ReadTurn>>,
    first: Option<Bytes>,
    remaining: u64,
}

impl BlobStream {
    /// Reads the first chunk, so that a file that cannot be read is an error and not a cut answer.
    pub(crate) async fn open(reader: BlobReader) -> io::Result<Self> {
        let remaining = reader.remaining_bytes();
        let (reader, first) = read_ahead(reader).await.map_err(io::Error::other)?;
        let turn = (reader.remaining_bytes() > 0).then(|| read_ahead(reader));
        Ok(Self {
            turn,
            first: first?,
            remaining,
        })
    }
}

fn read_ahead(mut reader: BlobReader) -> JoinHandle<ReadTurn> {
    tokio::task::spawn_blocking(move || {
        let chunk = reader.next_chunk();
        (reader, chunk)
    })
}

impl Stream for BlobStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: StdPin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            self.remaining -= first.len() as u64;
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(turn) = &mut self.turn else {
            return Poll::Ready(None);
        };
        let result = ready!(turn.poll_unpin(cx));
        self.turn = None;
        match result {
            Ok((reader, Ok(Some(chunk)))) => {
                if reader.remaining_bytes() > 0 {
                    self.turn = Some(read_ahead(reader));
                }
                self.remaining -= chunk.len() as u64;
                Poll::Ready(Some(Ok(chunk)))
            }
            Ok((_, Ok(None))) => Poll::Ready(None),
            Ok((_, Err(error))) => Poll::Ready(Some(Err(Box::new(error)))),
            Err(error) => Poll::Ready(Some(Err(Box::new(error)))),
        }
    }
}

impl ByteStream for BlobStream {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(usize::try_from(self.remaining).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(blobs: &Arc<Blobs>, bytes: &[u8]) -> BlobId {
        let mut new = blobs.create().unwrap();
        new.write(bytes).unwrap();
        new.keep().unwrap().unwrap()
    }

    #[test]
    fn a_file_that_was_not_kept_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path(), false).unwrap());
        let mut new = blobs.create().unwrap();
        new.write(b"half").unwrap();
        drop(new);
        assert_eq!(blobs.sweep_tmp().unwrap(), 0);
    }

    #[test]
    fn sweep_removes_what_nobody_names_and_no_process_has_in_hand() {
        let dir = tempfile::tempdir().unwrap();
        let before = Arc::new(Blobs::open(dir.path(), false).unwrap());
        let (kept, orphan, read) = (blob(&before, b"kept"), blob(&before, b"orphan"), blob(&before, b"read"));
        fs::write(dir.path().join("tmp/unfinished"), b"x").unwrap();
        drop(before);
        let blobs = Arc::new(Blobs::open(dir.path(), false).unwrap());
        assert_eq!(blobs.sweep_tmp().unwrap(), 1);
        // Written and not yet named; and deleted, but still being read.
        let new = blob(&blobs, b"new");
        let pin = blobs.pin(read);
        blobs.release(read, vec![read]);
        let go_on = CancellationToken::new();
        assert_eq!(blobs.sweep(&HashSet::from([kept]), &go_on).unwrap(), Some(1));
        for (id, there) in [(kept, true), (orphan, false), (new, true), (read, true)] {
            assert_eq!(blobs.open_file(id).is_ok(), there);
        }
        drop(pin);
        assert!(blobs.open_file(read).is_err());
        go_on.cancel();
        assert_eq!(blobs.sweep(&HashSet::new(), &go_on).unwrap(), None);
        assert!(blobs.open_file(kept).is_ok());
    }

    #[test]
    fn a_file_outlives_its_release_until_the_last_reader_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path(), true).unwrap());
        let id = blob(&blobs, b"bytes");
        let (one, two) = (blobs.pin(id), blobs.pin(id));
        blobs.release(id, vec![id]);
        drop(one);
        assert!(blobs.open_file(id).is_ok());
        drop(two);
        assert!(blobs.open_file(id).is_err());
    }

    #[test]
    fn a_duplicate_outlives_its_original() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path(), false).unwrap());
        let id = blob(&blobs, b"bytes");
        let copy = blobs.duplicate(id).unwrap();
        blobs.release(id, vec![id]);
        let extent = Extent {
            blob: copy,
            offset: 1,
            len: 3,
        };
        let mut reader = BlobReader::new(blobs, vec![extent], None);
        assert_eq!(reader.next_chunk().unwrap().unwrap().as_ref(), b"yte");
        assert!(reader.next_chunk().unwrap().is_none());
    }
}
