//! What Apache Kafka looks at in each record of a produced batch (its `LogValidator`), and with which error it refuses.
//!
//! Every record is walked, compressed or not: its lengths must fit, there must be as many as the header says and nothing
//! after them; its timestamp must be within what the topic allows; on a compacted topic it must have a key. The largest
//! timestamp is counted anew, as a header may say another. Compressed records are expanded in a window of
//! [`input::WINDOW_BYTES`] and never further than `decompressed_bytes_max` in all; nothing of them is kept.
//!
//! Where a record's own length does not fit its fields, it is refused in compressed batches too, which Apache Kafka
//! stores: no consumer could read them. Of refused records the first [`RECORD_ERRORS_MAX`] are named (KIP-467).

mod input;

use input::{Input, Slice, Stream};

use super::{
    config::{LogConfig, TimestampType},
    error::{AppendError, RecordError},
};
use crate::wire::{
    batch::{self, Batch, BatchHeader, NO_TIMESTAMP},
    compression::{Compression, expanding},
    varint,
};

/// How many refused records of one batch are named. Each takes some 150 bytes of the answer.
const RECORD_ERRORS_MAX: usize = 1_000;
/// How many of them the message names.
const RECORD_ERRORS_IN_MESSAGE: usize = 3;

/// By what records are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// `<topic>-<partition>`, for messages.
    pub(super) log: &'a str,
    pub(super) config: &'a LogConfig,
    pub(super) now_ms: i64,
}

/// What a batch turned out to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The largest timestamp of its records; -1 for none.
    pub(super) max_timestamp_ms: i64,
    /// Whether the records' offsets follow on one another from zero.
    pub(super) contiguous: bool,
}

/// Checks the records of a client's batch, whose header and CRC have been checked.
pub(super) fn validate(batch: &Batch<'_>, codec: Compression, rules: &Rules<'_>) -> Result<Held, AppendError> {
    let header = &batch.header;
    if codec == Compression::None {
        return judge(header, &mut Slice::new(batch.payload()), rules).map_err(|flaw| flaw.plain());
    }
    let limit_bytes = rules.config.decompressed_bytes_max;
    let reader = expanding(codec, batch.payload(), limit_bytes).map_err(|error| match error {
        crate::wire::compression::CompressionError::TooLarge { .. } => AppendError::InvalidRecord(error.to_string()),
        error => AppendError::Undecodable(error.to_string()),
    })?;
    let held = judge(header, &mut Stream::new(reader, limit_bytes), rules).map_err(|flaw| flaw.compressed())?;
    if !held.contiguous {
        // Apache Kafka would write such a batch anew, has skipped over what it needs for that by now, and fails.
        return Err(AppendError::Undecodable(
            "the offsets of compressed records do not follow on one another".to_owned(),
        ));
    }
    Ok(held)
}

/// [`validate`] for records that are expanded already.
pub(super) fn validate_expanded(header: &BatchHeader, plain: &[u8], rules: &Rules<'_>) -> Result<Held, AppendError> {
    judge(header, &mut Slice::new(plain), rules).map_err(|flaw| match header.compression() {
        Ok(Compression::None) => flaw.plain(),
        _ => flaw.compressed(),
    })
}

/// Why records cannot be taken.
#[derive(Debug)]
enum Flaw {
    /// They end within a record.
    Cut,
    /// A record's length takes more than five bytes.
    Length,
    Malformed(&'static str),
    /// The codec cannot make sense of them.
    Codec(String),
    TooLarge(usize),
    Rejected(AppendError),
}

impl Flaw {
    /// As Apache Kafka answers for records that were not compressed.
    fn plain(self) -> AppendError {
        match self {
            Self::Length => AppendError::Undecodable("the length of a record is too long".to_owned()),
            other => other.compressed(),
        }
    }

    /// As it answers for records that were.
    fn compressed(self) -> AppendError {
        match self {
            Self::Cut => AppendError::InvalidRecord("the records end too early".to_owned()),
            Self::Length => AppendError::InvalidRecord("the length of a record is too long".to_owned()),
            Self::Malformed(reason) => AppendError::InvalidRecord(reason.to_owned()),
            Self::Codec(reason) => AppendError::Undecodable(reason),
            Self::TooLarge(limit) => {
                AppendError::InvalidRecord(format!("the records expand to more than {limit} bytes"))
            }
            Self::Rejected(error) => error,
        }
    }
}

/// What is looked at in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    timestamp_delta: i64,
    offset_delta: i32,
    key_len: i32,
    value_len: i32,
}

fn next(input: &mut impl Input) -> Result<Seen, Flaw> {
    if let Some((seen, len)) = sound(input.held()) {
        input.skip(len)?;
        return Ok(seen);
    }
    step(input)
}

/// The record at the start of `held`, and how many bytes it takes, if all of it is there and nothing is wrong with it. Most
/// records are such, and what can go wrong costs them nothing here.
#[inline]
fn sound(held: &[u8]) -> Option<(Seen, usize)> {
    #[inline]
    fn bytes(rest: &[u8]) -> Option<(i32, &[u8])> {
        let (len, prefix) = varint::read_i32(rest)?;
        Some((len, rest.get(prefix + usize::try_from(len).unwrap_or(0)..)?))
    }
    let (length, prefix) = varint::read_i32(held)?;
    let end = prefix + usize::try_from(length).ok()?;
    let rest = held.get(prefix..end)?.get(1..)?;
    let (timestamp_delta, len) = varint::read_i64(rest)?;
    let rest = &rest[len..];
    let (offset_delta, len) = varint::read_i32(rest)?;
    let (key_len, rest) = bytes(&rest[len..])?;
    let (value_len, rest) = bytes(rest)?;
    let (headers, len) = varint::read_i32(rest)?;
    let mut rest = &rest[len..];
    for _ in 0..u32::try_from(headers).ok()? {
        let (header_key_len, after) = bytes(rest)?;
        if header_key_len < 0 {
            return None;
        }
        rest = bytes(after)?.1;
    }
    let seen = Seen {
        timestamp_delta,
        offset_delta,
        key_len,
        value_len,
    };
    rest.is_empty().then_some((seen, end))
}

/// One record, field by field: for those that go over the window's edge, and to say what is wrong.
fn step(input: &mut impl Input) -> Result<Seen, Flaw> {
    let length = input.varint().map_err(|flaw| match flaw {
        Flaw::Malformed(_) => Flaw::Length,
        flaw => flaw,
    })?;
    let start = input.taken();
    // Attributes, of which none is used.
    input.skip(1)?;
    let timestamp_delta = input.varlong()?;
    let offset_delta = input.varint()?;
    let key_len = input.skip_bytes()?;
    let value_len = input.skip_bytes()?;
    let headers = input.varint()?;
    if headers < 0 {
        return Err(Flaw::Malformed("a record's number of headers is negative"));
    }
    // Each takes two bytes at least, so the loop is bounded by what is there.
    for _ in 0..headers {
        if input.skip_bytes()? < 0 {
            return Err(Flaw::Malformed("a header has no key"));
        }
        input.skip_bytes()?;
    }
    if u64::try_from(length) != Ok(input.taken() - start) {
        return Err(Flaw::Malformed("a record's fields do not fit its length"));
    }
    Ok(Seen {
        timestamp_delta,
        offset_delta,
        key_len,
        value_len,
    })
}

fn judge<I: Input>(header: &BatchHeader, input: &mut I, rules: &Rules<'_>) -> Result<Held, Flaw> {
    let config = rules.config;
    let wants_keys = config.cleanup_policy.compact;
    let keeps_time = config.message_timestamp_type == TimestampType::CreateTime;
    let says_append_time = header.timestamp_type() == batch::TimestampType::LogAppendTime;
    let mut held = Held {
        max_timestamp_ms: NO_TIMESTAMP,
        contiguous: true,
    };
    let mut refused = Refused::default();
    for index in 0..header.records_count {
        let record = next(input)?;
        let timestamp_ms = if says_append_time {
            header.max_timestamp
        } else {
            header.base_timestamp.wrapping_add(record.timestamp_delta)
        };
        held.max_timestamp_ms = held.max_timestamp_ms.max(timestamp_ms);
        held.contiguous &= record.offset_delta == index;
        if wants_keys && record.key_len < 0 {
            refused.push(index, false, || {
                format!(
                    "Compacted topic cannot accept message without key in topic partition {}",
                    rules.log
                )
            });
        } else if keeps_time && timestamp_ms != NO_TIMESTAMP {
            if is_out_of_range(timestamp_ms, rules) {
                refused.push(index, true, || out_of_range(timestamp_ms, &record, header, rules));
            }
        } else if says_append_time {
            refused.push(index, true, || wrong_type::<I>(timestamp_ms, &record, header));
        }
    }
    if !input.is_at_end()? {
        return Err(Flaw::Malformed("bytes follow the last record"));
    }
    refused.result().map_err(Flaw::Rejected)?;
    Ok(held)
}

/// As Java subtracts.
fn is_out_of_range(timestamp_ms: i64, rules: &Rules<'_>) -> bool {
    let age_ms = rules.now_ms.wrapping_sub(timestamp_ms);
    age_ms > rules.config.message_timestamp_before_max_ms
        || age_ms.wrapping_neg() > rules.config.message_timestamp_after_max_ms
}

fn out_of_range(timestamp_ms: i64, record: &Seen, header: &BatchHeader, rules: &Rules<'_>) -> String {
    let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
    let from = rules.now_ms.wrapping_sub(rules.config.message_timestamp_before_max_ms);
    let to = rules.now_ms.wrapping_add(rules.config.message_timestamp_after_max_ms);
    format!(
        "Timestamp {timestamp_ms} of message with offset {offset} is out of range. The timestamp should be within \
         [{from}, {to}]"
    )
}

fn wrong_type<I: Input>(timestamp_ms: i64, record: &Seen, header: &BatchHeader) -> String {
    let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
    format!(
        "Invalid timestamp type in message {}(offset={offset}, timestamp={timestamp_ms}, key={} bytes, value={} bytes). \
         Producer should not set timestamp type to LogAppendTime.",
        I::RECORD,
        record.key_len.max(I::NULL_LEN),
        record.value_len.max(I::NULL_LEN),
    )
}

/// The records that a topic does not take.
#[derive(Default)]
struct Refused {
    named: Vec<RecordError>,
    count: usize,
    by_time: bool,
}

impl Refused {
    #[cold]
    fn push(&mut self, index: i32, by_time: bool, message: impl FnOnce() -> String) {
        self.count += 1;
        self.by_time |= by_time;
        if self.named.len() < RECORD_ERRORS_MAX {
            self.named.push(RecordError {
                batch_index: index,
                message: message(),
            });
        }
    }

    fn result(self) -> Result<(), AppendError> {
        if self.count == 0 {
            return Ok(());
        }
        let message = if self.by_time {
            "One or more records have been rejected due to invalid timestamp".to_owned()
        } else {
            let first: Vec<_> = self
                .named
                .iter()
                .take(RECORD_ERRORS_IN_MESSAGE)
                .map(|error| {
                    format!(
                        "RecordError(batchIndex={}, message='{}')",
                        error.batch_index, error.message
                    )
                })
                .collect();
            format!(
                "One or more records have been rejected due to {} record errors in total, and only showing the first \
                 three errors at most: [{}]",
                self.count,
                first.join(", ")
            )
        };
        Err(AppendError::Rejected {
            by_time: self.by_time,
            message,
            records: self.named,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{batch::HEADER_LEN, build::BatchBuilder};
    use proptest::prelude::*;

    proptest! {
        /// The short way through a record and the long one are the same, also where a byte of it is another.
        #[test]
        fn what_is_sound_is_what_every_step_finds(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let batch = BatchBuilder::new().record(1, key.as_deref(), value.as_deref()).build().unwrap();
            let mut record = batch[HEADER_LEN..].to_vec();
            let whole = record.len();
            prop_assert_eq!(sound(&record).map(|(_, len)| len), Some(whole));
            let at = at.index(whole.min(12));
            record[at] = byte;
            let mut input = Slice::new(&record);
            let stepped = step(&mut input).ok().map(|seen| (seen, input.taken() as usize));
            prop_assert_eq!(sound(&record), stepped);
        }
    }
}
