//! How compaction puts a cleaned segment in the place of those it was made from, so that a crash at any step leaves either
//! the old or the new.
//!
//! 1. The cleaned batches are written to `<base>.log.cleaned` and synced.
//! 2. It is renamed to `<base>-<end>.swap`, and the directory synced: from here on the new one counts. `base..end` are the
//!    offsets that it takes the place of, whichever of them it still has.
//! 3. The old files are renamed to `….deleted`, and `<base>-<end>.swap` to `<base>.log`.
//!
//! [`finish`] does on opening what a crash has left undone: without step 2 the draft is thrown away, with it step 3 is
//! done to its end.

use std::path::{Path, PathBuf};

use super::{
    dir::{DELETED_FILE, LogDir, log_error},
    disk::{DirEntry, Open},
    error::LogError,
    segment::{base_offset_of, file_name},
};

const DRAFT: &str = ".log.cleaned";
const SWAP: &str = ".swap";

/// Where the cleaned batches of the segment at `base_offset` are written at first.
pub(super) fn draft_path(dir: &Path, base_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}{DRAFT}"))
}

/// The name under which they count.
pub(super) fn swap_path(dir: &Path, base_offset: i64, end_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}-{end_offset:020}{SWAP}"))
}

fn swap_range(name: &str) -> Option<(i64, i64)> {
    let (base, end) = name.strip_suffix(SWAP)?.split_once('-')?;
    Some((base.parse().ok()?, end.parse().ok()?))
}

/// Finishes or undoes what a crash interrupted, forgets what was to be deleted, and lists what is there then.
pub(super) fn finish(dir: &LogDir, path: &Path) -> Result<Vec<DirEntry>, LogError> {
    let disk = dir.disk();
    let list = || disk.list(path).map_err(log_error("listing", path));
    let entries = list()?;
    let unfinished = |entry: &DirEntry| {
        entry.name.ends_with(DRAFT) || entry.name.ends_with(DELETED_FILE) || entry.name.ends_with(SWAP)
    };
    if !entries.iter().any(unfinished) {
        return Ok(entries);
    }
    for entry in &entries {
        let file = path.join(&entry.name);
        if entry.name.ends_with(DRAFT) || entry.name.ends_with(DELETED_FILE) {
            disk.remove_file(&file).map_err(log_error("deleting", &file))?;
        }
    }
    for (entry, (base, end)) in entries
        .iter()
        .filter_map(|entry| Some((entry, swap_range(&entry.name)?)))
    {
        for old in entries
            .iter()
            .filter(|old| base_offset_of(&old.name).is_some_and(|at| (base..end).contains(&at)))
        {
            let file = path.join(&old.name);
            disk.remove_file(&file).map_err(log_error("deleting", &file))?;
        }
        let swap = path.join(&entry.name);
        disk.rename(&swap, &path.join(file_name(base)))
            .map_err(log_error("renaming", &swap))?;
        disk.sync_dir(path).map_err(log_error("syncing", path))?;
    }
    list()
}

/// Replaces a segment's file by a copy that is durable.
pub(super) fn rewrite(dir: &LogDir, path: &Path, entry: &DirEntry) -> std::io::Result<()> {
    let Some(base_offset) = base_offset_of(&entry.name) else {
        return Ok(());
    };
    let disk = dir.disk();
    let (old, draft) = (path.join(&entry.name), draft_path(path, base_offset));
    let (from, to) = (
        dir.open_file(&old, Open::Existing)?,
        dir.open_file(&draft, Open::Create)?,
    );
    let mut buffer = vec![0; 256 * 1024];
    let mut position = 0;
    loop {
        let read = from.read_at(&mut buffer, position)?;
        if read == 0 {
            break;
        }
        to.write_at(&buffer[..read], &[], position)?;
        position += read as u64;
    }
    to.sync_data()?;
    // One file for one: a plain rename replaces it at once.
    disk.rename(&draft, &old)?;
    disk.sync_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_file_names_what_it_replaces() {
        let path = swap_path(Path::new("/d"), 5, 90);
        assert_eq!(swap_range(path.file_name().unwrap().to_str().unwrap()), Some((5, 90)));
        assert_eq!(swap_range("00000000000000000005.log"), None);
    }
}
