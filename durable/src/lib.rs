//! What sled leaves to the operating system, made to survive the loss of power.
//!
//! sled 0.34 keeps a database in a directory: `db`, the log with the records; `blobs/`, records too large for it; `conf`;
//! and `snap.…`, what the log comes to. On Linux its flush ends with `sync_file_range`, which POSIX does not know and
//! Linux documents to leave a file's length, the names in a directory and the cache of the disk alone; blobs and names it
//! never syncs. That is enough for `kill -9` and not for the loss of power. [`SledFiles`] does what is missing.
//!
//! # Promises
//! - What sled has flushed survives the loss of power when the [`SledFiles::sync`] after it returns, from the first on: [`SledFiles::prepare`] and [`SledFiles::opened`] have made the names durable, with those of the directories above.
//! - What a killed process left to the operating system is made durable before sled opens it: nothing is answered from it
//!   that the power could take, and no snapshot is written that is ahead of its log.
//! - A blob that the durable log names is there. sled removes a blob when it has written what takes its place, which need
//!   not be durable then; so each has a second name under `kept/`, until it is.
//!
//! It never opens a database: it knows files and their names.
//!
//! # Not promised
//! What was not synced when the power went is there or not, change by change; sled's log makes it a prefix but for the
//! records that it keeps in `blobs/` (of 128 KiB, its neighbours in the tree included): such a one may be missing while
//! what was written with it, or after it, is there.
//!
//! sled reuses a part of its log when what was in it has been written elsewhere, and orders the two by `sync_file_range`
//! alone. A disk that then keeps the second of these writes and not the first loses what was there. It can do so only
//! between two syncs, of which there is one with every acknowledged change.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const LOG: &str = "db";
const BLOBS: &str = "blobs";
const KEPT: &str = "kept";

/// The files of one sled database.
#[derive(Debug)]
pub struct SledFiles {
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    log: File,
    /// The blobs that have a second name.
    kept: BTreeMap<OsString, Kept>,
}

/// A blob that is durable under a second name.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// sled gives a name again to another blob, where a log was cut since.
    inode: u64,
    /// Nothing was written to it any more when it was synced.
    is_whole: bool,
}

/// What there was before a flush of sled's: what that flush has written, as a whole.
#[derive(Debug)]
pub struct Before(BTreeMap<OsString, u64>);

impl SledFiles {
    /// Makes what is in `dir` durable, and `dir` where it is not there. To be called before sled opens it.
    ///
    /// # Errors
    /// The disk's.
    pub fn prepare(dir: &Path) -> io::Result<Self> {
        let (blobs, kept_dir) = (dir.join(BLOBS), dir.join(KEPT));
        create_dir_all(&blobs)?;
        create_dir_all(&kept_dir)?;
        let log = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(LOG))?;
        let kept = names(&kept_dir)?;
        for name in kept.keys() {
            match fs::hard_link(kept_dir.join(name), blobs.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let whole = |(name, inode)| (name, Kept { inode, is_whole: true });
        let kept = kept.into_iter().map(whole).collect();
        let this = Self {
            dir: dir.to_path_buf(),
            state: Mutex::new(State { log, kept }),
        };
        // The blobs before the log that names them. Nobody writes now.
        this.sync(&this.before()?)?;
        this.opened()?;
        Ok(this)
    }

    /// Makes durable what sled has made when it opened the database.
    ///
    /// # Errors
    /// The disk's.
    pub fn opened(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                match File::open(entry.path()) {
                    Ok(file) => file.sync_all()?,
                    // A snapshot that was replaced.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        sync_dir(&self.dir.join(BLOBS))?;
        sync_dir(&self.dir)
    }

    /// What there is now. To be asked before sled's flush.
    ///
    /// # Errors
    /// The disk's.
    pub fn before(&self) -> io::Result<Before> {
        names(&self.dir.join(BLOBS)).map(Before)
    }

    /// Makes durable what sled had written when a flush of its own began, before which [`Self::before`] was asked.
    ///
    /// # Errors
    /// The disk's: then nothing is known about what is durable, and a later success says nothing about it.
    pub fn sync(&self, before: &Before) -> io::Result<()> {
        let (blobs, kept_dir) = (self.dir.join(BLOBS), self.dir.join(KEPT));
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the log is synced: what takes the place of a blob that is gone here is in the log already.
        let there = names(&blobs)?;
        let mut is_new = false;
        for (name, &inode) in &there {
            let known = state.kept.get(name).filter(|known| known.inode == inode);
            if known.is_some_and(|known| known.is_whole) || !keep(&blobs.join(name), &kept_dir.join(name), known)? {
                continue;
            }
            is_new |= known.is_none();
            // Another thread may still be writing one that came after.
            let is_whole = before.0.get(name) == Some(&inode);
            state.kept.insert(name.clone(), Kept { inode, is_whole });
        }
        if is_new {
            sync_dir(&kept_dir)?;
        }
        state.log.sync_data()?;
        // Nothing in the log names them any more. Should the power go now, they may come back, and are in nobody's way.
        let gone: Vec<OsString> = state
            .kept
            .keys()
            .filter(|name| !there.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            fs::remove_file(kept_dir.join(&name))?;
            state.kept.remove(&name);
        }
        Ok(())
    }
}

/// Makes a blob durable, under a second name unless it is `known` to have that; `false` where it is gone.
fn keep(blob: &Path, second: &Path, known: Option<&Kept>) -> io::Result<bool> {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let kept = File::open(blob).and_then(|file| file.sync_all());
    let kept = match (kept, known) {
        (Ok(()), None) => match fs::remove_file(second) {
            // Of an earlier blob of that name.
            Err(error) if !is_gone(&error) => return Err(error),
            _ => fs::hard_link(blob, second),
        },
        (kept, _) => kept,
    };
    match kept {
        Err(error) if is_gone(&error) => Ok(false),
        kept => kept.map(|()| true),
    }
}

/// The names in a directory, and the files that they stand for.
fn names(dir: &Path) -> io::Result<BTreeMap<OsString, u64>> {
    let entries = fs::read_dir(dir)?.map(|entry| entry.map(|entry| (entry.file_name(), entry.ino())));
    entries.collect()
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The disk's.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a directory and those above it where they are missing, and the names of all of them durable: also of those that
/// are there, as an earlier process may have made them and ended before.
///
/// # Errors
/// The disk's. Directories that this process may not read are left out.
pub fn create_dir_all(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let dir = fs::canonicalize(dir)?;
    let device = fs::metadata(&dir)?.dev();
    for above in dir.ancestors().skip(1) {
        // Of what another file system has is nothing to be said.
        if fs::metadata(above)?.dev() != device {
            break;
        }
        match sync_dir(above) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Writes a file that is there as a whole or not at all, and durable when this returns.
///
/// # Errors
/// The disk's.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}
