//! Walking over the batches of a segment file: by their headers alone, to find one, or with every byte checked, to recover.

use std::{io, ops::ControlFlow};

use super::disk::LogFile;
use crate::wire::batch::{BatchHeader, CRC_COVERED_FROM, HEADER_LEN};

/// Enough for the headers of a few dozen small batches, on the stack.
const WINDOW_BYTES: usize = 4096;
/// How much a scan reads at a time.
const SCAN_BYTES: usize = 256 * 1024;

/// Calls `visit` with the header and position of each batch of `file` from `position` to `end`, both of which lie between
/// batches, until it breaks. Reads little more than the headers; checks lengths and magic alone.
///
/// # Errors
/// The disk's; `InvalidData` for what is not a batch.
pub(super) fn walk<T>(
    file: &LogFile,
    mut position: u64,
    end: u64,
    mut visit: impl FnMut(BatchHeader, u64) -> ControlFlow<T>,
) -> io::Result<Option<T>> {
    let mut window = [0; WINDOW_BYTES];
    let (mut window_at, mut window_len) = (0, 0);
    while position < end {
        let mut offset = usize::try_from(position - window_at).unwrap_or(usize::MAX);
        if offset.saturating_add(HEADER_LEN) > window_len {
            let wanted = usize::try_from(end - position).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            file.read_exact_at(&mut window[..wanted], position)?;
            (window_at, window_len, offset) = (position, wanted, 0);
        }
        let header = BatchHeader::parse(&window[offset..window_len]).map_err(invalid_data)?;
        let size = header.size_in_bytes() as u64;
        if let ControlFlow::Break(found) = visit(header, position) {
            return Ok(Some(found));
        }
        position += size;
    }
    Ok(None)
}

/// The bytes of the batch at `position`.
///
/// # Errors
/// The disk's; `InvalidData` for what is not a batch.
pub(super) fn read_batch(file: &LogFile, position: u64, size_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size_bytes];
    file.read_exact_at(&mut bytes, position)?;
    Ok(bytes)
}

pub(super) fn invalid_data(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What a scan found at a place.
#[derive(Debug)]
pub(super) enum Scanned {
    /// A whole batch.
    Batch {
        /// Its header.
        header: BatchHeader,
        /// Where it starts.
        position: u64,
    },
    /// The end of the file.
    End,
    /// Not a whole batch, and why.
    Torn(String),
}

/// Reads a file from one batch to the next and checks every byte. Memory does not grow with what a damaged length claims.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    file: &'a LogFile,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl<'a> Scanner<'a> {
    /// From `position` to the end of the file, `end`.
    pub(super) fn new(file: &'a LogFile, position: u64, end: u64) -> Self {
        Self {
            file,
            position,
            end,
            buffer: Vec::new(),
            buffer_at: position,
        }
    }

    /// Where the next batch would start.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch, with its length, magic and CRC checked.
    pub(super) fn next(&mut self) -> io::Result<Scanned> {
        let remaining = self.end - self.position;
        if remaining == 0 {
            return Ok(Scanned::End);
        }
        if remaining < HEADER_LEN as u64 {
            return Ok(Scanned::Torn(format!("{remaining} bytes are no batch")));
        }
        self.fill(self.position, HEADER_LEN)?;
        let header = match BatchHeader::parse(self.slice(self.position, HEADER_LEN)) {
            Ok(header) => header,
            Err(error) => return Ok(Scanned::Torn(error.to_string())),
        };
        let size = header.size_in_bytes() as u64;
        if size > remaining {
            return Ok(Scanned::Torn(format!("a batch of {size} bytes has {remaining}")));
        }
        let computed = self.crc(self.position + CRC_COVERED_FROM as u64, self.position + size)?;
        if computed != header.crc {
            return Ok(Scanned::Torn(format!(
                "the CRC is {computed:#010x} but the batch says {:#010x}",
                header.crc
            )));
        }
        let position = self.position;
        self.position += size;
        Ok(Scanned::Batch { header, position })
    }

    fn crc(&mut self, mut from: u64, to: u64) -> io::Result<u32> {
        let mut crc = 0;
        while from < to {
            let len = usize::try_from(to - from).unwrap_or(usize::MAX).min(SCAN_BYTES);
            self.fill(from, 1)?;
            let held = self.buffer_at + self.buffer.len() as u64 - from;
            let len = len.min(usize::try_from(held).unwrap_or(len));
            crc = crc32c::crc32c_append(crc, self.slice(from, len));
            from += len as u64;
        }
        Ok(crc)
    }

    /// Sees to it that the buffer holds `len` bytes from `position` on, which the file has.
    fn fill(&mut self, position: u64, len: usize) -> io::Result<()> {
        let held = self.buffer_at..self.buffer_at + self.buffer.len() as u64;
        if held.start <= position && position + len as u64 <= held.end {
            return Ok(());
        }
        let wanted = usize::try_from(self.end - position)
            .unwrap_or(usize::MAX)
            .min(SCAN_BYTES);
        self.buffer.resize(wanted, 0);
        self.buffer_at = position;
        self.file.read_exact_at(&mut self.buffer, position)
    }

    fn slice(&self, position: u64, len: usize) -> &[u8] {
        let start = usize::try_from(position - self.buffer_at).unwrap_or(usize::MAX);
        self.buffer.get(start..start.saturating_add(len)).unwrap_or_default()
    }
}
