//! The data directory as a whole: whose it is while it is open, and in which format it was written.
//!
//! One process at a time has it, by a lock on a file in it. A directory of a newer format is refused before anything else in
//! it is looked at.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use super::store::StoreError;

/// The layout of a data directory that this build writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;
const FORMAT_FILE: &str = "tickertape.format";
const LOCK_FILE: &str = ".lock";

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// Takes the directory for this process until the returned file is closed.
pub(super) fn lock_directory(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io_error("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            directory: dir.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(io_error("locking", &path)(error)),
    }
}

/// Reads the format, or writes it where there is none yet.
pub(super) fn check_format(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(FORMAT_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(found) if found > FORMAT_VERSION => Err(StoreError::NewerFormat {
                directory: dir.to_owned(),
                found,
            }),
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::UnknownFormat {
                directory: dir.to_owned(),
                file: path,
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A crash leaves either no format or a whole one.
            let text = format!("{FORMAT_VERSION}\n");
            tickertape_durable::write_whole(&path, text.as_bytes()).map_err(io_error("writing", &path))
        }
        Err(error) => Err(io_error("reading", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::store::Store;

    #[test]
    fn a_second_opening_is_refused_and_names_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        let refusal = Store::open(dir.path()).unwrap_err();
        assert!(matches!(refusal, StoreError::InUse { .. }), "{refusal}");
        assert!(refusal.to_string().contains(&dir.path().display().to_string()));
        drop(first);
        Store::open(dir.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FORMAT_FILE), "2\n").unwrap();
        let refusal = Store::open(dir.path()).unwrap_err();
        assert!(matches!(refusal, StoreError::NewerFormat { found: 2, .. }), "{refusal}");
        assert!(!dir.path().join("metadata.sled").exists());
    }
}
