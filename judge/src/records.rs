//! Record batches as trees, so that a difference between two has a name; and batches to send.

use serde_json::{Value, json};
use tickertape_broker::wire::batch::BatchHeader;
use tickertape_broker::wire::build::BatchBuilder;

use crate::value::hex;

/// Bytes of a batch's header.
const HEADER_LEN: usize = 61;
/// The bit of a batch's attributes that says that its time is the broker's.
const LOG_APPEND_TIME: i64 = 8;
/// The bit of a batch that is a marker.
const CONTROL: i64 = 0x20;

/// A batch with one record per value, at times from 1,000 ms on, in hexadecimal as requests have it.
///
/// # Panics
/// Never for what fits a batch.
#[must_use]
pub fn batch(values: &[&str]) -> String {
    let mut batch = BatchBuilder::new();
    for (at, value) in values.iter().enumerate() {
        batch = batch.record(1_000 + at as i64, None, Some(value.as_bytes()));
    }
    built(batch)
}

/// What a builder makes, as requests have it; empty where it cannot be built.
#[must_use]
pub fn built(batch: BatchBuilder) -> String {
    batch.build().map(|bytes| hex(&bytes)).unwrap_or_default()
}

/// Batches one after the other; what is cut off at the end stands as `Cut`.
pub(crate) fn tree(mut bytes: &[u8]) -> Value {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let header = BatchHeader::parse(bytes).ok();
        let Some((header, size)) = header
            .map(|header| {
                let size = header.size_in_bytes();
                (header, size)
            })
            .filter(|(_, size)| *size <= bytes.len())
        else {
            batches.push(json!({ "Cut": hex(bytes) }));
            break;
        };
        let (batch, rest) = bytes.split_at(size);
        bytes = rest;
        let attributes = i64::from(header.attributes);
        let mut tree = json!({
            "BaseOffset": header.base_offset,
            "BatchLength": header.batch_length,
            "PartitionLeaderEpoch": header.partition_leader_epoch,
            "Magic": header.magic,
            "Attributes": attributes,
            "LastOffsetDelta": header.last_offset_delta,
            "BaseTimestamp": header.base_timestamp,
            "ProducerId": header.producer_id,
            "ProducerEpoch": header.producer_epoch,
            "BaseSequence": header.base_sequence,
            "RecordCount": header.records_count,
            "Payload": hex(&batch[HEADER_LEN.min(batch.len())..]),
        });
        // The time of the broker is another on each, and so is the checksum over it. A marker is written by the broker.
        if attributes & CONTROL != 0 {
            tree["BaseTimestamp"] = Value::Null;
        } else if attributes & LOG_APPEND_TIME == 0 {
            tree["MaxTimestamp"] = header.max_timestamp.into();
            tree["Crc"] = header.crc.into();
        }
        batches.push(tree);
    }
    batches.into()
}
