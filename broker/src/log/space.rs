//! Room on the disk: records may not take the last of it, as the metadata store cannot do without.
//!
//! After one write that found no room, sled takes no more until the process starts anew. So appends are refused while less
//! than [`RESERVED_BYTES`] are free (a tenth of a small disk), and taken again when twice as much is. How much is free is
//! looked at by housekeeping, whenever a segment is begun or has grown by another [`STEP_BYTES`], and when a write finds no
//! room.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::disk::{Disk, Room};

/// Kept free for metadata, in bytes.
const RESERVED_BYTES: u64 = 64 * 1024 * 1024;
/// How much a log grows between two looks.
const STEP_BYTES: u64 = 1024 * 1024;

/// What was last seen of the disk's room.
#[derive(Debug, Default)]
pub(super) struct Space {
    short: AtomicBool,
}

impl Space {
    /// Whether records are to be refused.
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// Whether a file that grows from one size to another is a reason to look.
    pub(super) fn is_due(from: u64, to: u64) -> bool {
        from / STEP_BYTES != to / STEP_BYTES
    }

    /// Looks how much is free.
    pub(super) fn look(&self, disk: &dyn Disk, path: &Path) {
        let was_short = self.is_short();
        let short = match disk.room(path) {
            Ok(Some(room)) => is_short(&room, was_short),
            // Then the writes themselves have to find out.
            Ok(None) | Err(_) => false,
        };
        if short != was_short {
            self.short.store(short, Ordering::Relaxed);
            if short {
                tracing::error!(path = %path.display(), "the disk is all but full: records are refused");
            } else {
                tracing::info!(path = %path.display(), "there is room on the disk again");
            }
        }
    }
}

fn is_short(room: &Room, was_short: bool) -> bool {
    let reserved = RESERVED_BYTES.min(room.total_bytes / 10);
    room.free_bytes < if was_short { reserved * 2 } else { reserved }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stop_early_and_go_on_late() {
        let room = |free_mib: u64, total_mib: u64| Room {
            free_bytes: free_mib << 20,
            total_bytes: total_mib << 20,
        };
        assert!(is_short(&room(63, 100_000), false));
        assert!(!is_short(&room(64, 100_000), false));
        assert!(is_short(&room(127, 100_000), true));
        assert!(!is_short(&room(128, 100_000), true));
        assert!(is_short(&room(4, 50), false), "a tenth of a small disk");
        assert!(!is_short(&room(5, 50), false));
    }
}
