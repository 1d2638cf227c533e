//! The disk as the log needs it: the one seam between the log and the operating system.
//!
//! Two implementations: [`os::OsDisk`] and, for tests, [`memory::MemoryDisk`], which keeps durable and live bytes apart
//! and fails where it is told to. Nothing else in the log touches a file.
//!
//! **The fault model.** A write may be cut at any byte. What is written becomes durable when `sync_data` of its file
//! returns, and a file's name when `sync_dir` of its directory returns; until then a power loss may keep any of it, in
//! any order. A failed `sync_data` says nothing about what is durable and is never repeated on the same file. A killed
//! process loses nothing that was written.

use std::{
    fmt, io,
    os::fd::BorrowedFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

pub mod memory;
pub mod os;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Without the path.
    pub name: String,
    /// Of a file; 0 for a directory.
    pub size_bytes: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// How [`Disk::open`] treats what is or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An error where there is no file.
    Existing,
    /// A new file, or an emptied one.
    Create,
}

/// How much fits on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For this process, in bytes.
    pub free_bytes: u64,
    /// In all, in bytes.
    pub total_bytes: u64,
}

/// Directories and files by path.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// The disk's.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;
    /// Makes a directory and those above it.
    ///
    /// # Errors
    /// The disk's.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// What is in a directory, in no order.
    ///
    /// # Errors
    /// The disk's; `NotFound` where there is no such directory.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// The size of a file in bytes.
    ///
    /// # Errors
    /// The disk's; `NotFound` where there is no such file.
    fn size_of(&self, path: &Path) -> io::Result<u64>;
    /// Moves a file or directory, replacing a file that is there.
    ///
    /// # Errors
    /// The disk's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name; those who have it open still read it.
    ///
    /// # Errors
    /// The disk's.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    ///
    /// # Errors
    /// The disk's.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// The disk's.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// How much fits where `path` is; `None` where that is not known.
    ///
    /// # Errors
    /// The disk's.
    fn room(&self, path: &Path) -> io::Result<Option<Room>>;
    /// Something that is the same for as long as what was written and not synced is still there: it changes when the
    /// machine starts anew. `None` where that cannot be known.
    fn boot_id(&self) -> Option<[u8; 16]>;
}

/// An open file.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Writes `head` and then `body` at `position`, in one call to the operating system where it takes them whole.
    ///
    /// # Errors
    /// The disk's; any part of the bytes may have been written then.
    fn write_at(&self, head: &[u8], body: &[u8], position: u64) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes at `position`; 0 at the end of the file.
    ///
    /// # Errors
    /// The disk's.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Makes the bytes written so far, and the file's size, durable.
    ///
    /// # Errors
    /// The disk's: then nothing is known about what is durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    /// The disk's.
    fn set_size(&self, size_bytes: u64) -> io::Result<()>;
    /// The file as the operating system knows it, for `sendfile`.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

/// An open segment file, counted among the open files of its [`LogDir`](super::LogDir) until it is dropped.
#[derive(Debug)]
pub struct LogFile {
    file: Box<dyn DiskFile>,
    open_files: Arc<AtomicUsize>,
}

impl LogFile {
    pub(super) fn new(file: Box<dyn DiskFile>, open_files: &Arc<AtomicUsize>) -> Self {
        open_files.fetch_add(1, Ordering::Relaxed);
        Self {
            file,
            open_files: Arc::clone(open_files),
        }
    }

    /// For `sendfile`; `None` where the bytes are not in a file of the operating system.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.fd()
    }

    /// Reads up to `buffer.len()` bytes at `position`; 0 at the end of the file.
    ///
    /// # Errors
    /// The disk's.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    /// Fills `buffer` from `position`.
    ///
    /// # Errors
    /// The disk's; `UnexpectedEof` where the file ends before.
    pub fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let read = self.file.read_at(&mut buffer[filled..], position + filled as u64)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
        }
        Ok(())
    }

    pub(super) fn write_at(&self, head: &[u8], body: &[u8], position: u64) -> io::Result<()> {
        self.file.write_at(head, body, position)
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        self.file.set_size(size_bytes)
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        self.open_files.fetch_sub(1, Ordering::Relaxed);
    }
}
