//! Batches made here: transaction markers, recompressed batches, and what tests produce.

use super::batch::{
    BatchHeader, CONTROL_MASK, HEADER_LEN, LOG_OVERHEAD, NO_PRODUCER_ID, NO_SEQUENCE, TIMESTAMP_TYPE_MASK,
    TRANSACTIONAL_MASK, TimestampType, reseal,
};
use super::compression::{Compression, CompressionError, compress};
use super::varint;

/// Collects records and gives one whole batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    records: Vec<u8>,
    /// The first record's timestamp, once there is one.
    base_timestamp: Option<i64>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// A batch as a producer without idempotence sends it: base offset 0, leader epoch -1, uncompressed.
    pub fn new() -> Self {
        Self {
            header: BatchHeader {
                base_offset: 0,
                batch_length: 0,
                partition_leader_epoch: -1,
                magic: 2,
                crc: 0,
                attributes: 0,
                last_offset_delta: -1,
                base_timestamp: -1,
                max_timestamp: -1,
                producer_id: NO_PRODUCER_ID,
                producer_epoch: -1,
                base_sequence: NO_SEQUENCE,
                records_count: 0,
            },
            compression: Compression::None,
            records: Vec::new(),
            base_timestamp: None,
        }
    }

    /// Sets offset of the first record and leader epoch, as they are in a log.
    pub fn stored_at(mut self, base_offset: i64, partition_leader_epoch: i32) -> Self {
        self.header.base_offset = base_offset;
        self.header.partition_leader_epoch = partition_leader_epoch;
        self
    }

    /// Sets the producer.
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes it part of a transaction.
    pub fn transactional(mut self) -> Self {
        self.header.attributes |= TRANSACTIONAL_MASK;
        self
    }

    /// Makes it a control batch.
    pub fn control(mut self) -> Self {
        self.header.attributes |= CONTROL_MASK;
        self
    }

    /// Sets the timestamp type.
    pub fn timestamp_type(mut self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => self.header.attributes &= !TIMESTAMP_TYPE_MASK,
            TimestampType::LogAppendTime => self.header.attributes |= TIMESTAMP_TYPE_MASK,
        }
        self
    }

    /// Sets the compression.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Adds a record at the next offset.
    pub fn record(self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.record_with_headers(timestamp_ms, key, value, &[])
    }

    /// Adds a record with headers at the next offset.
    pub fn record_with_headers(
        mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) -> Self {
        let offset_delta = self.header.last_offset_delta + 1;
        self.push(offset_delta, timestamp_ms, key, value, headers);
        self
    }

    /// Adds a record at an offset of its own, which must not be less than the last one's (compaction leaves gaps).
    pub fn push(
        &mut self,
        offset_delta: i32,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp_ms);
        let mut body = vec![0];
        varint::write_i64(timestamp_ms.wrapping_sub(base_timestamp), &mut body);
        varint::write_i32(offset_delta, &mut body);
        put_bytes(key, &mut body);
        put_bytes(value, &mut body);
        varint::write_i32(headers.len() as i32, &mut body);
        for (key, value) in headers {
            put_bytes(Some(key.as_bytes()), &mut body);
            put_bytes(*value, &mut body);
        }
        varint::write_i32(body.len() as i32, &mut self.records);
        self.records.extend_from_slice(&body);
        self.header.base_timestamp = base_timestamp;
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp_ms);
        self.header.last_offset_delta = offset_delta;
        self.header.records_count += 1;
    }

    /// The batch. Fails only if the codec does.
    pub fn build(mut self) -> Result<Vec<u8>, CompressionError> {
        let records = match self.compression {
            Compression::None => self.records,
            codec => compress(codec, &self.records)?,
        };
        self.header.attributes |= i16::from(self.compression.id());
        Ok(seal(self.header, &records))
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndTxnMarker {
    /// Its records are to be dropped.
    Abort,
    /// Its records count.
    Commit,
}

/// The control batch that ends a transaction in a partition: one record, one offset.
pub fn end_txn_batch(
    base_offset: i64,
    partition_leader_epoch: i32,
    timestamp_ms: i64,
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    marker: EndTxnMarker,
) -> Vec<u8> {
    let mut builder = BatchBuilder::new()
        .stored_at(base_offset, partition_leader_epoch)
        .producer(producer_id, producer_epoch, NO_SEQUENCE)
        .transactional()
        .control();
    // Key: version 0 and the marker's type. Value: version 0 and the coordinator's epoch.
    let key = [0, 0, 0, u8::from(marker == EndTxnMarker::Commit)];
    let mut value = vec![0, 0];
    value.extend_from_slice(&coordinator_epoch.to_be_bytes());
    builder.push(0, timestamp_ms, Some(&key), Some(&value), &[]);
    seal(builder.header, &builder.records)
}

/// Reads the key of a control record: how a transaction ended, or `None` for another kind of control record.
pub fn end_txn_marker(control_key: &[u8]) -> Option<EndTxnMarker> {
    match control_key.get(2..4)? {
        [0, 0] => Some(EndTxnMarker::Abort),
        [0, 1] => Some(EndTxnMarker::Commit),
        _ => None,
    }
}

/// Header and records as one batch, with length and CRC filled in.
pub fn seal(mut header: BatchHeader, records: &[u8]) -> Vec<u8> {
    header.batch_length = (HEADER_LEN - LOG_OVERHEAD + records.len()) as i32;
    let mut batch = Vec::with_capacity(HEADER_LEN + records.len());
    batch.extend_from_slice(&header.to_bytes());
    batch.extend_from_slice(records);
    reseal(&mut batch);
    batch
}

fn put_bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        None => varint::write_i32(-1, out),
        Some(bytes) => {
            varint::write_i32(bytes.len() as i32, out);
            out.extend_from_slice(bytes);
        }
    }
}
