//! Line numbers as an editor shows them.
//!
//! The csv crate's own count is taken before the line break of a `\r\n` and before blank lines, so it is off
//! by one or more wherever a file has them. Here the bytes are counted on their way in, and a record's line
//! follows from where it ends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read;
use std::rc::Rc;

/// The line breaks of what was read and not asked about yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    shared: Rc<RefCell<Breaks>>,
}

#[derive(Debug, Default)]
struct Breaks {
    /// Offsets of line breaks, in order.
    ahead: VecDeque<u64>,
    /// How many came before them.
    passed: u64,
    offset: u64,
}

impl Lines {
    /// The source, counted on its way.
    pub(super) fn counting<R: Read>(&self, source: R) -> impl Read + use<R> {
        Counting {
            source,
            lines: self.clone(),
        }
    }

    /// The line of a record that ends before byte `end` and has `inner` line breaks in its cells. To be asked
    /// in the order of the file.
    pub(super) fn line(&self, end: u64, inner: usize) -> u64 {
        let mut breaks = self.shared.borrow_mut();
        // The byte before the end is the record's terminator, or its last byte at the end of the file.
        let last = end.saturating_sub(1);
        while breaks.ahead.front().is_some_and(|at| *at < last) {
            breaks.ahead.pop_front();
            breaks.passed += 1;
        }
        (breaks.passed + 1).saturating_sub(inner as u64).max(1)
    }
}

struct Counting<R> {
    source: R,
    lines: Lines,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.source.read(buffer)?;
        let mut breaks = self.lines.shared.borrow_mut();
        let offset = breaks.offset;
        for (place, byte) in buffer[..length].iter().enumerate() {
            if *byte == b'\n' {
                breaks.ahead.push_back(offset + place as u64);
            }
        }
        breaks.offset += length as u64;
        Ok(length)
    }
}
