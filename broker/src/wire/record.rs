//! The records inside one batch, once decompressed.
//!
//! ```text
//! varint length, then that many bytes:
//!   int8 attributes, varlong timestamp delta, varint offset delta,
//!   varint key length (-1: null), key, varint value length (-1: null), value,
//!   varint headers, each: varint key length, key (UTF-8), varint value length (-1: null), value
//! ```
//!
//! All slices borrow from the payload; nothing is allocated.

use std::borrow::Cow;

use super::batch::{Batch, BatchError, BatchHeader, TimestampType};
use super::compression::{Compression, CompressionError, decompress};
use super::varint;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Offset, which is the batch's base offset and the record's delta.
    pub offset: i64,
    /// The record's delta from the base offset.
    pub offset_delta: i32,
    /// Milliseconds since the epoch, or -1 for none; the batch's max timestamp under `LogAppendTime`.
    pub timestamp: i64,
    /// Key; `None` is null, which differs from empty.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null, a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Headers.
    pub headers: Headers<'a>,
    /// Bytes it took in the payload, its length field included.
    pub size_in_bytes: usize,
}

/// A record's headers, checked when the record was read and decoded when they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut cursor = Cursor { bytes: self.bytes };
        (0..self.count).map_while(move |_| {
            let key = cursor.bytes_or_null()??;
            Some((key, cursor.bytes_or_null()?))
        })
    }
}

/// Iterates over the records of one batch.
///
/// Checks each record's structure, that there are as many as the header says and that nothing follows them.
/// After an error it ends.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
    count: usize,
    index: usize,
    failed: bool,
}

impl<'a> Records<'a> {
    /// Iterates over `payload`, the decompressed records of the batch with that header.
    pub fn new(header: &BatchHeader, payload: &'a [u8]) -> Self {
        Self {
            rest: payload,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            log_append_time: (header.timestamp_type() == TimestampType::LogAppendTime).then_some(header.max_timestamp),
            count: usize::try_from(header.records_count).unwrap_or(0),
            index: 0,
            failed: false,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, &'static str> {
        let (length, prefix) = varint::read_i32(self.rest).ok_or("its length is cut off or too long")?;
        let length = usize::try_from(length).map_err(|_| "its length is negative")?;
        let body = self
            .rest
            .get(prefix..)
            .and_then(|rest| rest.get(..length))
            .ok_or("it is longer than its batch")?;
        let record = self
            .read_body(body, prefix + length)
            .ok_or("its fields do not fit its length")?;
        self.rest = &self.rest[prefix + length..];
        Ok(record)
    }

    fn read_body(&self, body: &'a [u8], size_in_bytes: usize) -> Option<Record<'a>> {
        let mut cursor = Cursor { bytes: body };
        let _attributes = cursor.take(1)?;
        let timestamp_delta = cursor.varlong()?;
        let offset_delta = cursor.varint()?;
        let key = cursor.bytes_or_null()?;
        let value = cursor.bytes_or_null()?;
        let count = usize::try_from(cursor.varint()?).ok()?;
        let headers = Headers {
            count,
            bytes: cursor.bytes,
        };
        // Each header takes two bytes at least, so the loop is bounded by what is there.
        for _ in 0..count {
            cursor.bytes_or_null()??;
            cursor.bytes_or_null()?;
        }
        cursor.bytes.is_empty().then_some(Record {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            offset_delta,
            timestamp: self
                .log_append_time
                .unwrap_or(self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers,
            size_in_bytes,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let index = self.index;
        if index == self.count {
            if self.rest.is_empty() {
                return None;
            }
            self.failed = true;
            return Some(Err(BatchError::Record {
                index,
                reason: "bytes follow the last record",
            }));
        }
        self.index += 1;
        let record = self.read();
        self.failed = record.is_err();
        Some(record.map_err(|reason| BatchError::Record { index, reason }))
    }
}

impl<'a> Batch<'a> {
    /// The records' bytes, decompressed to no more than `limit_bytes`; borrowed when they are not compressed.
    pub fn decompressed(&self, limit_bytes: usize) -> Result<Cow<'a, [u8]>, CompressionError> {
        match self.header.compression() {
            Ok(Compression::None) => Ok(Cow::Borrowed(self.payload())),
            Ok(codec) => decompress(codec, self.payload(), limit_bytes).map(Cow::Owned),
            Err(_) => Err(CompressionError::Corrupt {
                codec: "unknown",
                reason: "no such compression type".to_owned(),
            }),
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<i32> {
        let (value, len) = varint::read_i32(self.bytes)?;
        self.bytes = &self.bytes[len..];
        Some(value)
    }

    fn varlong(&mut self) -> Option<i64> {
        let (value, len) = varint::read_i64(self.bytes)?;
        self.bytes = &self.bytes[len..];
        Some(value)
    }

    /// A length and that many bytes, or null for any negative length. The outer `None` is an error.
    fn bytes_or_null(&mut self) -> Option<Option<&'a [u8]>> {
        match usize::try_from(self.varint()?) {
            Ok(len) => self.take(len).map(Some),
            Err(_) => Some(None),
        }
    }
}
