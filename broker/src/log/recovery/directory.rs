//! A log's directory: whose it is, what a crash left half done in it, and which segments are there.

use std::io;

use uuid::Uuid;

use super::{Found, Opening};
use crate::{
    log::{
        dir::{DELETED_FILE, log_error},
        disk::Open,
        error::LogError,
        segment::{Segment, base_offset_of, file_name},
        swap,
        topic_id::{METADATA_FILE, kafka_id, read_topic_id},
    },
    metadata::segments::{Checkpoint, kind},
};

/// Ends the names of directories that another topic of the same name left behind.
const STRAY_DIR: &str = "-stray";

impl Opening<'_> {
    /// Sees to it that the directory is there and this topic's, and lists its segments.
    pub(super) fn directory(&self, topic_id: Uuid) -> Result<Vec<Found>, LogError> {
        let disk = self.dir.disk();
        match disk.list(&self.path) {
            Ok(_) if self.is_of_another(topic_id) => {
                let stray = self
                    .dir
                    .path()
                    .join(format!("{}.{}{STRAY_DIR}", self.name, topic_id.simple()));
                tracing::warn!(log = self.name, kept_as = %stray.display(), "the directory is another topic's");
                disk.rename(&self.path, &stray)
                    .map_err(log_error("renaming", &self.path))?;
                self.create(topic_id)
            }
            Ok(_) => {
                self.rewrite_doubtful()?;
                let entries = swap::finish(self.dir, &self.path)?;
                let mut found: Vec<Found> = entries
                    .iter()
                    .filter_map(|entry| {
                        let base_offset = base_offset_of(&entry.name)?;
                        Some(Found {
                            base_offset,
                            size_bytes: entry.size_bytes,
                        })
                    })
                    .collect();
                found.sort_unstable_by_key(|found| found.base_offset);
                Ok(found)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(topic_id),
            Err(error) => Err(log_error("listing", &self.path)(error)),
        }
    }

    /// Where a sync failed and the machine has run on since, the bytes may be in its memory alone and a sync of the same
    /// file would not tell: copies them from the last synced segment on into files that can be synced.
    fn rewrite_doubtful(&self) -> Result<(), LogError> {
        let tree = self.dir.tree();
        let mark = self.key.of(kind::IN_DOUBT);
        let Some(boot_id) = tree.get(&mark)? else { return Ok(()) };
        if self.dir.boot_id().is_none_or(|now| now[..] == boot_id[..]) {
            let checkpoint = tree
                .get(&self.key.of(kind::CHECKPOINT))?
                .and_then(|value| Checkpoint::decode(&value));
            let from = checkpoint.map_or(0, |checkpoint| checkpoint.synced.segment);
            let mut found = swap::finish(self.dir, &self.path)?;
            found.retain(|entry| base_offset_of(&entry.name).is_some_and(|base_offset| base_offset >= from));
            for entry in found {
                swap::rewrite(self.dir, &self.path, &entry).map_err(log_error("rewriting", &self.path))?;
            }
            tracing::warn!(log = self.name, "a sync had failed: wrote anew what was in doubt");
        }
        Ok(tree.remove(&mark)?)
    }

    fn create(&self, topic_id: Uuid) -> Result<Vec<Found>, LogError> {
        let disk = self.dir.disk();
        disk.create_dir_all(&self.path)
            .map_err(log_error("creating", &self.path))?;
        let path = self.path.join(METADATA_FILE);
        let text = format!("version: 0\ntopic_id: {}\n", kafka_id(topic_id));
        let written = disk
            .open(&path, Open::Create)
            .and_then(|file| file.write_at(text.as_bytes(), &[], 0));
        written.map_err(log_error("writing", &path))?;
        self.dir.set_names_dirty();
        Ok(Vec::new())
    }

    /// Whether the directory says that it belongs to another topic id.
    fn is_of_another(&self, topic_id: Uuid) -> bool {
        read_topic_id(self.dir.disk(), &self.path).is_some_and(|id| id != topic_id)
    }

    pub(super) fn cut_off(&self, segment: &Segment) -> Result<(), LogError> {
        let place = Found {
            base_offset: segment.base_offset,
            size_bytes: 0,
        };
        segment.retire();
        self.cut_off_found(&[place])
    }

    /// Takes away segments that lie beyond the end.
    pub(super) fn cut_off_found(&self, found: &[Found]) -> Result<(), LogError> {
        for place in found {
            self.forget(place.base_offset)?;
            let path = self.path.join(file_name(place.base_offset));
            let doomed = self
                .path
                .join(format!("{}{DELETED_FILE}", file_name(place.base_offset)));
            tracing::warn!(
                log = self.name,
                segment = place.base_offset,
                "took away a segment beyond the end"
            );
            match self.dir.disk().rename(&path, &doomed) {
                Ok(()) => self.dir.doom(doomed, false, self.now_ms),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(log_error("renaming", &path)(error)),
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        self.dir
            .disk()
            .sync_dir(&self.path)
            .map_err(log_error("syncing", &self.path))
    }
}
