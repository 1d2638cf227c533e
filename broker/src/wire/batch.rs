//! The record batch of message format 2: its header, its checks, and iteration over batches in a buffer.
//!
//! ```text
//! at  size  field                      at  size  field
//!  0   8    base offset                23   4    last offset delta
//!  8   4    batch length (from 12 on)  27   8    base timestamp
//! 12   4    partition leader epoch     35   8    max timestamp
//! 16   1    magic                      43   8    producer id
//! 17   4    CRC-32C (from 21 on)       51   2    producer epoch
//! 21   2    attributes                 53   4    base sequence
//!                                      57   4    number of records
//!                                      61   -    records, perhaps compressed
//! ```
//!
//! Base offset and leader epoch lie before what the CRC covers, so a broker stamps them without touching the CRC.
//! Magic 0 and 1 are recognised only to be refused: Apache Kafka 4 no longer takes them from clients.

use kafka_protocol::error::ResponseError;

use super::compression::Compression;

/// Size of the header, which is also the size of a batch without records.
pub const HEADER_LEN: usize = 61;
/// Size of base offset and batch length, which the batch length does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Where the bytes that the CRC covers begin.
pub const CRC_COVERED_FROM: usize = 21;
/// Producer id of a batch without one.
pub const NO_PRODUCER_ID: i64 = -1;
/// Sequence of a batch without one, and of control batches.
pub const NO_SEQUENCE: i32 = -1;
/// Timestamp of a record without one.
pub const NO_TIMESTAMP: i64 = -1;

const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;
/// The least length field of a message of format 0: anything shorter is garbage whatever its magic.
const LENGTH_MIN_ANY_MAGIC: i32 = 14;

const COMPRESSION_MASK: i16 = 0x07;
pub(super) const TIMESTAMP_TYPE_MASK: i16 = 0x08;
pub(super) const TRANSACTIONAL_MASK: i16 = 0x10;
pub(super) const CONTROL_MASK: i16 = 0x20;
const DELETE_HORIZON_MASK: i16 = 0x40;

/// What is wrong with a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The buffer ends before the batch does.
    #[error("the batch needs {needed} bytes and {got} are there")]
    Truncated {
        /// Bytes that the batch takes.
        needed: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// The length field is smaller than the header it counts.
    #[error("a batch length of {0} is less than its header takes")]
    LengthTooSmall(i32),
    /// A magic that no version of Kafka ever wrote.
    #[error("magic {0} is unknown")]
    UnknownMagic(i8),
    /// Message format 0 or 1.
    #[error("message format {0} is no longer supported")]
    OldMagic(i8),
    /// The checksum does not match.
    #[error("the CRC is {computed:#010x} but the batch says {stored:#010x}")]
    Crc {
        /// CRC in the header.
        stored: u32,
        /// CRC of the bytes.
        computed: u32,
    },
    /// Compression type 5, 6 or 7.
    #[error("compression type {0} is unknown")]
    UnknownCompression(u8),
    /// A relation between the header's fields does not hold, or a client sent what only brokers may write.
    #[error("{0}")]
    Invalid(String),
    /// A record inside the batch is malformed.
    #[error("record {index} of the batch: {reason}")]
    Record {
        /// Position of the record in the batch, from zero.
        index: usize,
        /// What was expected and did not hold.
        reason: &'static str,
    },
}

impl BatchError {
    /// The error code with which Apache Kafka answers such a batch in a Produce request.
    pub fn response_error(&self) -> ResponseError {
        match self {
            Self::Truncated { .. } | Self::LengthTooSmall(_) | Self::UnknownMagic(_) | Self::Crc { .. } => {
                ResponseError::CorruptMessage
            }
            Self::OldMagic(_) | Self::Invalid(_) | Self::Record { .. } => ResponseError::InvalidRecord,
            // The type is read outside of any handler for record errors there, so it ends as an unexpected one.
            Self::UnknownCompression(_) => ResponseError::UnknownServerError,
        }
    }
}

/// Whose clock a batch's timestamps come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at append; it is the batch's max timestamp and holds for all its records.
    LogAppendTime,
}

/// The 61 bytes before a batch's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record (zero when a client sends it).
    pub base_offset: i64,
    /// Bytes of the batch after this field; see [`BatchHeader::size_in_bytes`].
    pub batch_length: i32,
    /// Epoch of the leader that appended it.
    pub partition_leader_epoch: i32,
    /// Message format, always 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type and flags; see the methods.
    pub attributes: i16,
    /// Offset of the last record, or of where it was before compaction, less the base offset.
    pub last_offset_delta: i32,
    /// Timestamp to which the records' are relative (or the delete horizon, when that flag is set).
    pub base_timestamp: i64,
    /// Largest timestamp in the batch.
    pub max_timestamp: i64,
    /// Producer id, or [`NO_PRODUCER_ID`].
    pub producer_id: i64,
    /// Epoch of the producer id.
    pub producer_epoch: i16,
    /// Sequence of the first record, or [`NO_SEQUENCE`].
    pub base_sequence: i32,
    /// How many records there are.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which need not hold the whole batch.
    ///
    /// Checks length and magic alone; a value that comes back has `size_in_bytes() >= HEADER_LEN`.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        check_start(bytes)?;
        let Some(head) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(BatchError::Truncated {
                needed: HEADER_LEN,
                got: bytes.len(),
            });
        };
        let header = Self {
            base_offset: i64::from_be_bytes(field(head, 0)),
            batch_length: i32::from_be_bytes(field(head, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(head, 12)),
            magic: head[MAGIC_AT] as i8,
            crc: u32::from_be_bytes(field(head, CRC_AT)),
            attributes: i16::from_be_bytes(field(head, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(field(head, 43)),
            producer_epoch: i16::from_be_bytes(field(head, 51)),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            records_count: i32::from_be_bytes(field(head, 57)),
        };
        if (header.batch_length as usize) < HEADER_LEN - LOG_OVERHEAD {
            return Err(BatchError::LengthTooSmall(header.batch_length));
        }
        Ok(header)
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        bytes[MAGIC_AT] = self.magic as u8;
        bytes[CRC_AT..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[ATTRIBUTES_AT..23].copy_from_slice(&self.attributes.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        bytes[MAX_TIMESTAMP_AT..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.records_count.to_be_bytes());
        bytes
    }

    /// Size of the whole batch, header included.
    pub fn size_in_bytes(&self) -> usize {
        LOG_OVERHEAD + self.batch_length as usize
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence of the last record, which wraps round to zero after `i32::MAX`; [`NO_SEQUENCE`] if there is none.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        increment_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// How the records are compressed.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        let id = (self.attributes & COMPRESSION_MASK) as u8;
        Compression::from_id(id).ok_or(BatchError::UnknownCompression(id))
    }

    /// Whose timestamps these are.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & TIMESTAMP_TYPE_MASK == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_MASK != 0
    }

    /// Whether its records are the broker's own (transaction markers).
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_MASK != 0
    }

    /// Whether the base timestamp is the time from which compaction may drop its tombstones.
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON_MASK != 0
    }

    /// Whether a producer id was given.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// The checks that Apache Kafka makes on the header of a batch that a client produced, in its order.
    ///
    /// The length, CRC and sequence against what was appended before are not among them.
    pub fn check_from_client(&self) -> Result<(), BatchError> {
        let invalid = |reason: String| Err(BatchError::Invalid(reason));
        if self.base_offset != 0 {
            return invalid(format!(
                "the base offset of a produced batch must be 0 and is {}",
                self.base_offset
            ));
        }
        if self.last_offset_delta < 0 {
            return invalid(format!("the last offset delta {} is negative", self.last_offset_delta));
        }
        if self.records_count <= 0 {
            return invalid(format!("a count of {} records is not positive", self.records_count));
        }
        if i64::from(self.last_offset_delta) + 1 != i64::from(self.records_count) {
            return invalid(format!(
                "a last offset delta of {} does not fit {} records",
                self.last_offset_delta, self.records_count
            ));
        }
        if self.is_control() {
            return invalid("clients may not write control records".to_owned());
        }
        if self.has_producer_id() && self.base_sequence < 0 {
            return invalid(format!(
                "sequence {} of producer id {} is negative",
                self.base_sequence, self.producer_id
            ));
        }
        self.compression().map(|_| ())
    }
}

/// Sequence numbers wrap round to zero after `i32::MAX`.
pub fn increment_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) & i64::from(i32::MAX)) as i32
}

/// Checks that the CRC in the header matches the bytes. `batch` is one whole batch and nothing after it.
pub fn validate_crc(batch: &[u8]) -> Result<(), BatchError> {
    let (Some(stored), Some(covered)) = (batch.get(CRC_AT..CRC_COVERED_FROM), batch.get(CRC_COVERED_FROM..)) else {
        return Err(BatchError::Truncated {
            needed: HEADER_LEN,
            got: batch.len(),
        });
    };
    let stored = stored.iter().fold(0u32, |crc, byte| crc << 8 | u32::from(*byte));
    let computed = crc32c::crc32c(covered);
    if stored == computed {
        Ok(())
    } else {
        Err(BatchError::Crc { stored, computed })
    }
}

/// The first 16 bytes of a batch as a broker stores it: what a producer's first 16 bytes are to be replaced with.
pub fn stored_head(base_offset: i64, batch_length: i32, partition_leader_epoch: i32) -> [u8; 16] {
    let mut head = [0; 16];
    head[0..8].copy_from_slice(&base_offset.to_be_bytes());
    head[8..12].copy_from_slice(&batch_length.to_be_bytes());
    head[12..16].copy_from_slice(&partition_leader_epoch.to_be_bytes());
    head
}

/// Marks a whole batch as stamped by the broker at `now_ms`, and makes its CRC anew.
pub fn stamp_log_append_time(batch: &mut [u8], now_ms: i64) {
    let Some(head) = batch.first_chunk_mut::<HEADER_LEN>() else {
        return;
    };
    let attributes = i16::from_be_bytes(field(head, ATTRIBUTES_AT)) | TIMESTAMP_TYPE_MASK;
    head[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    head[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&now_ms.to_be_bytes());
    reseal(batch);
}

/// Computes the CRC of a whole batch anew and puts it in the header.
pub fn reseal(batch: &mut [u8]) {
    if let Some((head, covered)) = batch.split_at_mut_checked(CRC_COVERED_FROM) {
        head[CRC_AT..].copy_from_slice(&crc32c::crc32c(covered).to_be_bytes());
    }
}

/// One batch in a buffer.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// Where in the buffer it begins.
    pub position: usize,
    /// Its header.
    pub header: BatchHeader,
    /// All of its bytes, header included.
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The records, as compressed as they are stored.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }

    /// Checks the CRC.
    pub fn validate_crc(&self) -> Result<(), BatchError> {
        validate_crc(self.bytes)
    }
}

/// Iterates over the whole batches in a buffer, checking lengths and magic but neither CRC nor contents.
///
/// A batch that the buffer cuts off ends the iteration without an error, as a fetch may well end within one:
/// [`Batches::position`] then says how many bytes whole batches took. After an error it ends.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    buffer: &'a [u8],
    position: usize,
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Iterates over `buffer`.
    pub fn new(buffer: &'a [u8]) -> Self {
        Self {
            buffer,
            position: 0,
            failed: false,
        }
    }

    /// Bytes that the batches given so far took.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let rest = self.buffer.get(self.position..)?;
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            Err(BatchError::Truncated { .. }) => return None,
            Err(error) => {
                self.failed = true;
                return Some(Err(error));
            }
        };
        let bytes = rest.get(..header.size_in_bytes())?;
        let position = self.position;
        self.position += bytes.len();
        Some(Ok(Batch {
            position,
            header,
            bytes,
        }))
    }
}

/// The one batch that a partition's part of a Produce request (version 3 and on) must be, whole, with its header and
/// CRC checked as Apache Kafka does for a client. Bytes after it that do not make up another batch are dropped.
pub fn produced_batch(records: &[u8]) -> Result<Batch<'_>, BatchError> {
    let mut batches = Batches::new(records);
    let Some(batch) = batches.next().transpose()? else {
        return Err(BatchError::Invalid(
            "a produce request must hold a record batch per partition".to_owned(),
        ));
    };
    if batches.next().transpose()?.is_some() {
        return Err(BatchError::Invalid(
            "a produce request must hold exactly one record batch per partition".to_owned(),
        ));
    }
    batch.validate_crc()?;
    batch.header.check_from_client()?;
    Ok(batch)
}

/// Length and magic, as far as the bytes go: what can be said of the start of any message format.
fn check_start(bytes: &[u8]) -> Result<(), BatchError> {
    let truncated = BatchError::Truncated {
        needed: HEADER_LEN,
        got: bytes.len(),
    };
    let Some(length) = bytes.get(8..12) else {
        return Err(truncated);
    };
    let length = length.iter().fold(0, |length, byte| length << 8 | i32::from(*byte));
    if length < LENGTH_MIN_ANY_MAGIC {
        return Err(BatchError::LengthTooSmall(length));
    }
    match bytes.get(MAGIC_AT).map(|magic| *magic as i8) {
        None => Err(truncated),
        Some(2) => Ok(()),
        Some(magic @ (0 | 1)) => Err(BatchError::OldMagic(magic)),
        Some(magic) => Err(BatchError::UnknownMagic(magic)),
    }
}

/// `N` bytes of the header. All calls give constants within it.
fn field<const N: usize>(head: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
