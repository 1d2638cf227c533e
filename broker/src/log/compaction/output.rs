//! The new segment's file while a pass of compaction writes it.

use std::sync::Arc;

use super::Job;
use crate::log::{
    dir::log_error,
    disk::{LogFile, Open},
    error::LogError,
    partition::Inner,
    segment::Segment,
};
use crate::wire::batch::BatchHeader;

/// How much of the new file is written at a time, at least.
const WRITE_BYTES: usize = 1024 * 1024;

impl Inner {
    /// An empty segment in the place of one that is to be replaced, as old as that one.
    pub(super) fn new_segment_made(&self, old: &Segment) -> Segment {
        self.new_segment(old.base_offset, old.created_ms)
    }
}

/// A new segment's file while it is written.
pub(super) struct Output {
    pub(super) file: Arc<LogFile>,
    pub(super) segment: Segment,
    buffer: Vec<u8>,
    pub(super) written: u64,
}

impl Output {
    pub(super) fn create(log: &Inner, draft: &std::path::Path, segment: Segment) -> Result<Self, LogError> {
        let file = log
            .dir
            .open_file(draft, Open::Create)
            .map_err(log_error("creating", draft))?;
        Ok(Self {
            file,
            segment,
            buffer: Vec::new(),
            written: 0,
        })
    }

    pub(super) fn push(&mut self, header: &BatchHeader, bytes: &[u8], job: &Job<'_>) -> Result<(), String> {
        self.segment.push(header, job.config.index_interval_bytes);
        // Whether it is to stop is asked before each batch that is read.
        job.pace.spend(bytes.len());
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.write().map_err(|error| error.to_string())
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> std::io::Result<()> {
        self.file.write_at(&self.buffer, &[], self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Syncs what was written. The segment opens its file by its own path when that is in place.
    pub(super) fn finish(mut self) -> Result<Segment, LogError> {
        let path = self.segment.path().to_path_buf();
        self.write()
            .and_then(|()| self.file.sync_data())
            .map_err(log_error("writing", &path))?;
        Ok(self.segment)
    }
}
