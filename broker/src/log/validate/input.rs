//! The bytes of records as they are walked: those that are there, and those that are expanded in a window on the way.

use std::io::{self, Read};

use super::Flaw;
use crate::wire::varint;

/// How much of a compressed batch is expanded at a time.
pub(super) const WINDOW_BYTES: usize = 16 * 1024;

/// The records' bytes, one after the other.
pub(super) trait Input {
    /// As Apache Kafka calls the records that it reads from there.
    const RECORD: &'static str;
    /// The length of what is null, where it names one.
    const NULL_LEN: i32;
    fn varint(&mut self) -> Result<i32, Flaw>;
    fn varlong(&mut self) -> Result<i64, Flaw>;
    fn skip(&mut self, len: usize) -> Result<(), Flaw>;
    /// How many bytes have been taken.
    fn taken(&self) -> u64;
    fn is_at_end(&mut self) -> Result<bool, Flaw>;
    /// What follows, as far as it is there.
    fn held(&self) -> &[u8];

    /// Skips a length and as many bytes, and says whether it was null: any negative length.
    #[inline]
    fn skip_bytes(&mut self) -> Result<i32, Flaw> {
        let len = self.varint()?;
        if let Ok(len) = usize::try_from(len) {
            self.skip(len)?;
        }
        Ok(len)
    }
}

/// Records that are there as they are.
pub(super) struct Slice<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Slice<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            len: bytes.len(),
        }
    }
}

const TOO_LONG: &str = "a number takes too many bytes";

impl Input for Slice<'_> {
    const RECORD: &'static str = "DefaultRecord";
    const NULL_LEN: i32 = 0;

    #[inline]
    fn varint(&mut self) -> Result<i32, Flaw> {
        match varint::read_i32(self.rest) {
            Some((value, len)) => {
                self.rest = &self.rest[len..];
                Ok(value)
            }
            None if self.rest.len() < 5 => Err(Flaw::Cut),
            None => Err(Flaw::Malformed(TOO_LONG)),
        }
    }

    #[inline]
    fn varlong(&mut self) -> Result<i64, Flaw> {
        match varint::read_i64(self.rest) {
            Some((value, len)) => {
                self.rest = &self.rest[len..];
                Ok(value)
            }
            None if self.rest.len() < 10 => Err(Flaw::Cut),
            None => Err(Flaw::Malformed(TOO_LONG)),
        }
    }

    #[inline]
    fn skip(&mut self, len: usize) -> Result<(), Flaw> {
        self.rest = self.rest.get(len..).ok_or(Flaw::Cut)?;
        Ok(())
    }

    #[inline]
    fn taken(&self) -> u64 {
        (self.len - self.rest.len()) as u64
    }

    fn is_at_end(&mut self) -> Result<bool, Flaw> {
        Ok(self.rest.is_empty())
    }

    #[inline]
    fn held(&self) -> &[u8] {
        self.rest
    }
}

/// Records that are expanded as they are read.
pub(super) struct Stream<R> {
    reader: R,
    window: Box<[u8]>,
    at: usize,
    end: usize,
    /// Before the window.
    before: u64,
    limit_bytes: usize,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(reader: R, limit_bytes: usize) -> Self {
        Self {
            reader,
            window: vec![0; WINDOW_BYTES].into_boxed_slice(),
            at: 0,
            end: 0,
            before: 0,
            limit_bytes,
        }
    }

    /// Moves what is left to the front of the window and reads on. Says whether there was more.
    fn fill(&mut self) -> io::Result<bool> {
        self.window.copy_within(self.at..self.end, 0);
        self.before += self.at as u64;
        self.end -= self.at;
        self.at = 0;
        loop {
            match self.reader.read(&mut self.window[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn more(&mut self) -> Result<bool, Flaw> {
        let more = self.fill().map_err(|error| match error.kind() {
            // Not before there is anything: what does not even begin is not of that codec.
            io::ErrorKind::UnexpectedEof if self.before + self.end as u64 > 0 => Flaw::Cut,
            _ => Flaw::Codec(error.to_string()),
        })?;
        if self.before + self.end as u64 > self.limit_bytes as u64 {
            return Err(Flaw::TooLarge(self.limit_bytes));
        }
        Ok(more)
    }

    fn number<T>(&mut self, bytes_max: usize, read: impl Fn(&[u8]) -> Option<(T, usize)>) -> Result<T, Flaw> {
        loop {
            let held = &self.window[self.at..self.end];
            if let Some((value, len)) = read(held) {
                self.at += len;
                return Ok(value);
            }
            if held.len() >= bytes_max {
                return Err(Flaw::Malformed(TOO_LONG));
            }
            if !self.more()? {
                return Err(Flaw::Cut);
            }
        }
    }
}

impl<R: Read> Input for Stream<R> {
    const RECORD: &'static str = "PartialDefaultRecord";
    const NULL_LEN: i32 = i32::MIN;

    #[inline]
    fn varint(&mut self) -> Result<i32, Flaw> {
        self.number(5, varint::read_i32)
    }

    #[inline]
    fn varlong(&mut self) -> Result<i64, Flaw> {
        self.number(10, varint::read_i64)
    }

    #[inline]
    fn skip(&mut self, mut len: usize) -> Result<(), Flaw> {
        loop {
            let here = len.min(self.end - self.at);
            self.at += here;
            len -= here;
            if len == 0 {
                return Ok(());
            }
            if !self.more()? {
                return Err(Flaw::Cut);
            }
        }
    }

    fn taken(&self) -> u64 {
        self.before + self.at as u64
    }

    fn is_at_end(&mut self) -> Result<bool, Flaw> {
        if self.at < self.end {
            return Ok(false);
        }
        match self.more() {
            Ok(more) => Ok(!more),
            // Here it is the codec that misses something: a checksum at its end, say.
            Err(Flaw::Cut) => Err(Flaw::Codec("the compressed bytes end too early".to_owned())),
            Err(flaw) => Err(flaw),
        }
    }

    #[inline]
    fn held(&self) -> &[u8] {
        &self.window[self.at..self.end]
    }
}
