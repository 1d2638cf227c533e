//! Reading one of the broker's own logs: what its records come to, key by key.
//!
//! For each key the last record counts that is committed: one outside any transaction, or one whose transaction ended so. What
//! was written in a transaction that is still open is kept apart, in order, if nothing committed comes behind it.

use std::collections::{BTreeMap, HashMap};

use crate::log::{Isolation, PartitionLog, ReadError};
use crate::wire::batch::{BatchError, Batches};
use crate::wire::build::{EndTxnMarker, end_txn_marker};
use crate::wire::compression::CompressionError;
use crate::wire::record::Records;

/// How much is read at a time, and how large one batch may become when it is unpacked.
const READ_BYTES: usize = 1 << 20;
const EXPANDED_BYTES_MAX: usize = 256 << 20;

/// What a log comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fold {
    committed: HashMap<Vec<u8>, (i64, Option<Vec<u8>>)>,
    open: BTreeMap<i64, Vec<Waiting>>,
}

/// A record of an open transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    offset: i64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldError {
    /// The log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Its compression.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// What open transactions have written of one key, in order: producer and value.
pub(crate) type OfKey<'a> = Vec<(i64, Option<&'a [u8]>)>;

impl Fold {
    /// Reads a log from its beginning.
    ///
    /// # Errors
    /// See [`FoldError`].
    pub(crate) fn of(log: &PartitionLog) -> Result<Fold, FoldError> {
        let mut fold = Fold::default();
        let mut offset = log.offsets().log_start_offset;
        loop {
            let read = log.read(offset, READ_BYTES, true, Isolation::ReadUncommitted)?;
            let Some(chunk) = read.chunk else {
                return Ok(fold);
            };
            let bytes = chunk.read()?;
            let before = offset;
            for batch in Batches::new(&bytes) {
                let batch = batch?;
                offset = offset.max(batch.header.next_offset());
                let payload = batch.decompressed(EXPANDED_BYTES_MAX)?;
                for record in Records::new(&batch.header, &payload) {
                    let record = record?;
                    let Some(key) = record.key else { continue };
                    if batch.header.is_control() {
                        if let Some(end) = end_txn_marker(key) {
                            fold.end(batch.header.producer_id, end);
                        }
                        continue;
                    }
                    let waiting = Waiting {
                        offset: record.offset,
                        key: key.to_vec(),
                        value: record.value.map(<[u8]>::to_vec),
                    };
                    if batch.header.is_transactional() {
                        fold.open.entry(batch.header.producer_id).or_default().push(waiting);
                    } else {
                        fold.commit(waiting);
                    }
                }
            }
            if offset == before {
                return Ok(fold);
            }
        }
    }

    fn end(&mut self, producer_id: i64, end: EndTxnMarker) {
        let ended = self.open.remove(&producer_id).unwrap_or_default();
        if end == EndTxnMarker::Commit {
            ended.into_iter().for_each(|waiting| self.commit(waiting));
        }
    }

    fn commit(&mut self, record: Waiting) {
        let known = self.committed.get(&record.key);
        if known.is_none_or(|(offset, _)| *offset < record.offset) {
            self.committed.insert(record.key, (record.offset, record.value));
        }
    }

    /// The committed value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.committed.get(key)?.1.as_deref()
    }

    /// The keys that have a committed value.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.committed
            .iter()
            .filter(|(_, (_, value))| value.is_some())
            .map(|(key, _)| key.as_slice())
    }

    /// What open transactions have written that still can count, by key: producer and value, in order. Of several by one
    /// producer the last.
    pub(crate) fn open(&self) -> HashMap<&[u8], OfKey<'_>> {
        let mut found: Vec<(i64, &Waiting)> = self
            .open
            .iter()
            .flat_map(|(producer_id, all)| all.iter().map(|waiting| (*producer_id, waiting)))
            .filter(|(_, waiting)| {
                let committed = self.committed.get(&waiting.key);
                committed.is_none_or(|(offset, _)| *offset < waiting.offset)
            })
            .collect();
        found.sort_by_key(|(_, waiting)| waiting.offset);
        let mut by_key: HashMap<&[u8], OfKey<'_>> = HashMap::new();
        for (producer_id, waiting) in found {
            let of_key = by_key.entry(&waiting.key).or_default();
            of_key.retain(|(earlier, _)| *earlier != producer_id);
            of_key.push((producer_id, waiting.value.as_deref()));
        }
        by_key
    }
}
