//! Batches as scenarios plan them, with their flaws, and fetched batches as they are compared.

use serde_json::Value;
use tickertape_broker::wire::batch::Batches;
use tickertape_broker::wire::build::{BatchBuilder, seal};
use tickertape_broker::wire::compression::{Compression, decompress};

use super::action::{BatchPlan, Flaw, Sequence, Time};
use crate::lists::{Exception, Lists};
use crate::value::{hex, unhex};

const MINUTE_MS: i64 = 60_000;

/// More than any batch of a scenario holds.
const EXPANDED_BYTES_MAX: usize = 4 << 20;

/// Who produced a batch: one of the scenario's producers, its epoch and the first record's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) producer: u8,
    pub(super) epoch: i16,
    pub(super) sequence: i32,
}

/// A batch whose producer and times are settled: only the producer's id may still differ from broker to broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) plan: BatchPlan,
    pub(super) produced: Option<Produced>,
    pub(super) began_ms: i64,
}

/// The time that is meant in a scenario that began then.
pub(super) fn time_ms(time: Time, began_ms: i64) -> i64 {
    match time {
        Time::Near(delta) => began_ms + i64::from(delta),
        Time::Old(minutes) => began_ms - i64::from(minutes) * MINUTE_MS,
        Time::VeryOld(days) => began_ms - i64::from(days) * 24 * 60 * MINUTE_MS,
        Time::Future(hours) => began_ms + i64::from(hours) * 60 * MINUTE_MS,
        Time::Missing => -1,
    }
}

/// Whether the plan's sequence is one of an idempotent producer, and whose.
pub(super) fn producer_of(sequence: Sequence) -> Option<u8> {
    match sequence {
        Sequence::None => None,
        Sequence::Right(pick)
        | Sequence::Repeated(pick)
        | Sequence::RepeatedOld(pick)
        | Sequence::Gap(pick)
        | Sequence::Overlapping(pick)
        | Sequence::OldEpoch(pick)
        | Sequence::NextEpoch(pick)
        | Sequence::NextEpochGoingOn(pick)
        | Sequence::NoEpoch(pick)
        | Sequence::AtTheEnd(pick) => Some(pick % 3),
    }
}

impl Made {
    /// The records as a request holds them.
    pub(super) fn bytes(&self, producer_id: i64) -> anyhow::Result<Vec<u8>> {
        let flaw = self.plan.flaw;
        let mut bytes = match flaw {
            Flaw::Empty => return Ok(Vec::new()),
            _ => self.rightly(producer_id)?,
        };
        let batch = Batches::new(&bytes)
            .next()
            .transpose()?
            .ok_or_else(|| anyhow::anyhow!("a batch that was just made"))?;
        let mut header = batch.header.clone();
        let mut payload = batch.payload().to_vec();
        match flaw {
            Flaw::CountMore => header.records_count += 1,
            Flaw::CountLess => header.records_count -= 1,
            Flaw::CountZero => header.records_count = 0,
            Flaw::LastOffsetDelta => header.last_offset_delta += 1,
            Flaw::Magic(magic) => header.magic = magic.cast_signed(),
            Flaw::Control => header.attributes |= 0x20,
            Flaw::Transactional => header.attributes |= 0x10,
            Flaw::AppendTime => header.attributes |= 0x08,
            Flaw::UnknownCodec => header.attributes = header.attributes & !7 | 5,
            Flaw::BadCompression => {
                header.attributes = header.attributes & !7 | 1;
                payload = vec![7; 30];
            }
            Flaw::RecordLength => {
                payload[0] = payload[0].wrapping_add(2);
            }
            Flaw::MaxTimestamp => header.max_timestamp += 1000,
            Flaw::BaseOffset => {
                header.base_offset = 77;
                header.partition_leader_epoch = 5;
            }
            _ => {}
        }
        bytes = seal(header, &payload);
        match flaw {
            Flaw::Crc => {
                if let Some(last) = bytes.last_mut() {
                    *last ^= 0x55;
                }
            }
            Flaw::Truncated => bytes.truncate(bytes.len() - 3),
            Flaw::Two => bytes.extend_from_within(..),
            Flaw::Trailing => bytes.extend([0x55; 20]),
            _ => {}
        }
        Ok(bytes)
    }

    fn rightly(&self, producer_id: i64) -> anyhow::Result<Vec<u8>> {
        let plain = matches!(self.plan.flaw, Flaw::RecordLength | Flaw::TooLarge);
        let codec = if plain {
            Compression::None
        } else {
            Compression::from_id(self.plan.codec).unwrap_or_default()
        };
        let mut builder = BatchBuilder::new().compression(codec);
        if let Some(produced) = self.produced {
            builder = builder.producer(producer_id, produced.epoch, produced.sequence);
        }
        for (at, record) in self.plan.records.iter().enumerate() {
            let headers = [("h0", Some(&b"zero"[..])), ("h1", None)];
            let key = record.key.map(|key| format!("key-{}", key % 5));
            let mut length = usize::from(record.value.unwrap_or_default());
            if self.plan.flaw == Flaw::TooLarge {
                length = 1_048_600;
            }
            let value = record.value.map(|_| vec![b'v'; length]);
            let delta = match self.plan.flaw {
                Flaw::OffsetGap => at * 2 + 1,
                _ => at,
            };
            builder.push(
                i32::try_from(delta)?,
                time_ms(record.time, self.began_ms),
                key.as_ref().map(String::as_bytes),
                value.as_deref(),
                &headers[..usize::from(record.headers.min(2))],
            );
        }
        Ok(builder.build()?)
    }
}

/// Takes out of a fetched batch, as [`crate::records`] shows it, what one broker cannot know of the other: a producer id
/// that it gave out (and the checksum over it), and, where a topic made the broker compress anew (then there are
/// `recompressed` lists), the codec's output.
pub(super) fn read(mut batch: Value, named: Option<String>, recompressed: Option<&Lists>) -> Value {
    let crc = |batch: &mut Value| {
        if let Some(fields) = batch.as_object_mut() {
            fields.remove("Crc");
        }
    };
    if let Some(name) = named {
        batch["ProducerId"] = name.into();
        crc(&mut batch);
    }
    let codec = batch["Attributes"].as_i64().unwrap_or_default() & 7;
    let codec = u8::try_from(codec).ok().and_then(Compression::from_id);
    if let (Some(lists), Some(codec @ (Compression::Gzip | Compression::Snappy | Compression::Lz4 | Compression::Zstd))) =
        (recompressed, codec)
        && lists.except(Exception::Recompressed)
    {
        let payload = batch["Payload"].as_str().and_then(unhex).unwrap_or_default();
        let plain = decompress(codec, &payload, EXPANDED_BYTES_MAX).map(|plain| hex(&plain));
        batch["Payload"] = plain.unwrap_or_else(|error| error.to_string()).into();
        batch["BatchLength"] = Value::Null;
        crc(&mut batch);
    }
    batch
}
