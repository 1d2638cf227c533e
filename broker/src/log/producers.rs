//! What a log knows of idempotent producers and open transactions: the rules of sequences and epochs.
//!
//! Pure: [`Producers::check`] decides about a batch, [`Producers::apply`] takes in one that was written, and recovery
//! applies what it finds. The last five batches of a producer are remembered, so that a repeated one is answered with
//! the offsets it got. As in Apache Kafka 4, an unknown producer may start at any sequence (its records may have been
//! deleted), so `UNKNOWN_PRODUCER_ID` is never answered.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};

use super::{error::AppendError, types::Origin};
use crate::{
    metadata::segments::{AbortedRecord, BatchRecord, ProducerRecord},
    wire::{batch::BatchHeader, build::EndTxnMarker},
};

/// Batches remembered per producer, as many as a producer may have in flight.
const BATCHES_MAX: usize = 5;
const NO_EPOCH: i16 = -1;

/// The marker in a control batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) outcome: EndTxnMarker,
    pub(super) coordinator_epoch: i32,
}

/// The verdict on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may be appended.
    Append,
    /// It has been.
    Duplicate(BatchRecord),
}

#[derive(Clone, Copy, Debug)]
struct Producer {
    epoch: i16,
    coordinator_epoch: i32,
    last_timestamp_ms: i64,
    transaction_first_offset: Option<i64>,
    batches: [BatchRecord; BATCHES_MAX],
    batch_count: usize,
}

impl Producer {
    const NEW: Self = Self {
        epoch: NO_EPOCH,
        coordinator_epoch: -1,
        last_timestamp_ms: -1,
        transaction_first_offset: None,
        batches: [BatchRecord {
            last_sequence: -1,
            last_offset: -1,
            offset_delta: 0,
            timestamp_ms: -1,
        }; BATCHES_MAX],
        batch_count: 0,
    };

    fn batches(&self) -> &[BatchRecord] {
        &self.batches[..self.batch_count]
    }

    fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(-1, |batch| batch.last_sequence)
    }

    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batch_count = 0;
        }
    }

    fn push(&mut self, batch: BatchRecord) {
        if self.batch_count == BATCHES_MAX {
            self.batches.rotate_left(1);
            self.batch_count -= 1;
        }
        self.batches[self.batch_count] = batch;
        self.batch_count += 1;
    }
}

/// A producer as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProducer {
    /// Its id.
    pub id: i64,
    /// Its latest epoch.
    pub epoch: i16,
    /// The epoch of the coordinator that last ended a transaction of its; -1 where none has.
    pub coordinator_epoch: i32,
    /// The sequence of its last record; -1 where a marker came last.
    pub last_sequence: i32,
    /// The time of its last record.
    pub last_timestamp_ms: i64,
    /// Where its open transaction began.
    pub transaction_first_offset: Option<i64>,
}

/// A transactional batch, before the coordinator has confirmed its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Whose.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence of its first record.
    pub sequence: i32,
    /// Whether each end of a transaction raises the producer's epoch (`transaction.version` 2), so that sequences begin anew.
    pub raises_epoch: bool,
}

/// A producer whose transaction is being confirmed.
#[derive(Clone, Copy, Debug)]
struct Confirming {
    epoch: i16,
    lowest_sequence: i32,
    raises_epoch: bool,
    since_ms: i64,
}

/// All producers of a log.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Producers of open transactions, by the offset of the transaction's first record.
    open: BTreeMap<i64, i64>,
    /// By the offset of the marker.
    aborted: Vec<AbortedRecord>,
    /// Of `aborted`, how many the store has.
    aborted_stored: usize,
    /// Whose entries in the store are not up to date.
    changed: HashSet<i64>,
    /// Producers whose transactions are being confirmed, by id. It need not survive: the batch is sent again.
    confirming: HashMap<i64, Confirming>,
}

impl Producers {
    /// Decides whether a batch may be appended.
    pub(super) fn check(
        &self,
        header: &BatchHeader,
        marker: Option<Marker>,
        origin: Origin,
    ) -> Result<Verdict, AppendError> {
        if !header.has_producer_id() {
            return Ok(Verdict::Append);
        }
        let known = self.by_id.get(&header.producer_id);
        let in_transaction = known.is_some_and(|producer| {
            producer.transaction_first_offset.is_some() && producer.epoch == header.producer_epoch
        });
        let begins_unconfirmed = origin == Origin::Client
            && header.is_transactional()
            && !in_transaction
            && known.is_none_or(|producer| {
                header.producer_epoch >= producer.epoch && producer.duplicate_of(header).is_none()
            });
        if begins_unconfirmed {
            return Err(AppendError::NotInTransaction(header.producer_id));
        }
        let Some(producer) = known else {
            self.check_first(header, origin, true)?;
            return Ok(Verdict::Append);
        };
        if header.producer_epoch < producer.epoch {
            return Err(AppendError::InvalidProducerEpoch {
                producer_id: header.producer_id,
                epoch: header.producer_epoch,
                current_epoch: producer.epoch,
            });
        }
        if let Some(marker) = marker {
            if marker.coordinator_epoch < producer.coordinator_epoch {
                return Err(AppendError::CoordinatorFenced {
                    epoch: marker.coordinator_epoch,
                    current_epoch: producer.coordinator_epoch,
                });
            }
            return Ok(Verdict::Append);
        }
        if origin.is_client() {
            if let Some(duplicate) = producer.duplicate_of(header) {
                return Ok(Verdict::Duplicate(duplicate));
            }
            self.check_first(header, origin, producer.batch_count == 0)?;
            producer.check_sequence(header)?;
        }
        if producer.transaction_first_offset.is_some() && !header.is_transactional() {
            return Err(AppendError::InvalidTransactionState(header.producer_id));
        }
        Ok(Verdict::Append)
    }

    /// Refuses a batch that would come before the one that is being confirmed, and under `transaction.version` 2 one that is
    /// the producer's first here and does not begin at zero (KIP-890).
    fn check_first(&self, header: &BatchHeader, origin: Origin, is_first: bool) -> Result<(), AppendError> {
        let Some(confirming) = self.confirming.get(&header.producer_id) else {
            return Ok(());
        };
        let sequence = header.base_sequence;
        let skips = confirming.raises_epoch && is_first && sequence != 0;
        if origin.is_client() && !header.is_control() && (skips || sequence > confirming.lowest_sequence) {
            return Err(AppendError::OutOfOrderSequence {
                producer_id: header.producer_id,
                sequence,
                last_sequence: -1,
            });
        }
        Ok(())
    }

    /// See [`PartitionLog::must_confirm`](super::PartitionLog::must_confirm).
    pub(super) fn must_confirm(&mut self, batch: &Unconfirmed, now_ms: i64) -> Result<bool, AppendError> {
        if let Some(producer) = self.by_id.get(&batch.producer_id) {
            if batch.epoch < producer.epoch {
                return Err(AppendError::InvalidProducerEpoch {
                    producer_id: batch.producer_id,
                    epoch: batch.epoch,
                    current_epoch: producer.epoch,
                });
            }
            if producer.transaction_first_offset.is_some() && batch.epoch == producer.epoch {
                return Ok(false);
            }
        }
        let confirming = self.confirming.entry(batch.producer_id).or_insert(Confirming {
            epoch: batch.epoch,
            lowest_sequence: batch.sequence,
            raises_epoch: batch.raises_epoch,
            since_ms: now_ms,
        });
        if batch.epoch > confirming.epoch {
            confirming.epoch = batch.epoch;
            confirming.lowest_sequence = batch.sequence;
        } else if batch.epoch == confirming.epoch {
            confirming.lowest_sequence = confirming.lowest_sequence.min(batch.sequence);
        }
        Ok(true)
    }

    /// A batch of the producer is in the log: what was to be confirmed is, or has come to its end. A marker does not end what
    /// the producer has begun meanwhile under the marker's own epoch.
    fn confirmed(&mut self, header: &BatchHeader) {
        if !header.is_transactional() {
            return;
        }
        if let Entry::Occupied(confirming) = self.confirming.entry(header.producer_id) {
            let Confirming {
                epoch, raises_epoch, ..
            } = *confirming.get();
            if !(raises_epoch && header.is_control() && epoch == header.producer_epoch) {
                confirming.remove();
            }
        }
    }

    /// Takes in a batch that is in the log at the offsets of its header.
    pub(super) fn apply(&mut self, header: &BatchHeader, marker: Option<Marker>) {
        if !header.has_producer_id() || (header.is_control() && marker.is_none()) {
            return;
        }
        let id = header.producer_id;
        self.changed.insert(id);
        self.confirmed(header);
        let producer = self.by_id.entry(id).or_insert(Producer::NEW);
        producer.set_epoch(header.producer_epoch);
        producer.last_timestamp_ms = header.max_timestamp;
        if let Some(marker) = marker {
            producer.coordinator_epoch = marker.coordinator_epoch;
            if let Some(first_offset) = producer.transaction_first_offset.take() {
                self.open.remove(&first_offset);
                if marker.outcome == EndTxnMarker::Abort {
                    let last_offset = header.base_offset;
                    self.aborted.push(AbortedRecord {
                        producer_id: id,
                        first_offset,
                        last_offset,
                    });
                }
            }
            return;
        }
        // A batch that compaction emptied still says which sequence was last.
        producer.push(BatchRecord {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp_ms: header.max_timestamp,
        });
        if header.is_transactional() && producer.transaction_first_offset.is_none() {
            producer.transaction_first_offset = Some(header.base_offset);
            self.open.insert(header.base_offset, id);
        }
    }

    /// The first offset of the oldest open transaction.
    pub(super) fn first_open_offset(&self) -> Option<i64> {
        self.open.first_key_value().map(|(offset, _)| *offset)
    }

    /// Aborted transactions that have records in `from..to`.
    pub(super) fn aborted_between(&self, from: i64, to: i64) -> impl Iterator<Item = &AbortedRecord> {
        self.aborted
            .iter()
            .filter(move |aborted| aborted.last_offset >= from && aborted.first_offset < to)
    }

    /// The largest id of a producer that is still known.
    pub(super) fn largest_id(&self) -> Option<i64> {
        self.by_id.keys().max().copied()
    }

    /// The producers that are still known, by id.
    pub(super) fn known(&self) -> Vec<KnownProducer> {
        let known = self.by_id.iter().map(|(id, producer)| KnownProducer {
            id: *id,
            epoch: producer.epoch,
            coordinator_epoch: producer.coordinator_epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp_ms: producer.last_timestamp_ms,
            transaction_first_offset: producer.transaction_first_offset,
        });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable_by_key(|producer| producer.id);
        known
    }

    /// For each producer that is still known: the last offset it wrote, or -1 where a marker came last, and its epoch.
    pub(super) fn last_records(&self) -> HashMap<i64, (i64, i16)> {
        let last = |producer: &Producer| (producer.batches().last().map_or(-1, |b| b.last_offset), producer.epoch);
        self.by_id.iter().map(|(id, producer)| (*id, last(producer))).collect()
    }

    /// Forgets producers that wrote nothing for `expiration_ms` and have no open transaction.
    pub(super) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.confirming
            .retain(|_, confirming| now_ms.saturating_sub(confirming.since_ms) < expiration_ms);
        let Self { by_id, changed, .. } = self;
        by_id.retain(|id, producer| {
            let idle_ms = now_ms.saturating_sub(producer.last_timestamp_ms);
            let keep = producer.transaction_first_offset.is_some() || idle_ms < expiration_ms;
            if !keep {
                changed.insert(*id);
            }
            keep
        });
    }

    /// Forgets aborted transactions that ended below the log start offset.
    pub(super) fn truncate_start(&mut self, log_start_offset: i64) -> Vec<i64> {
        let gone = self
            .aborted
            .partition_point(|aborted| aborted.last_offset < log_start_offset);
        self.aborted_stored = self.aborted_stored.saturating_sub(gone);
        self.aborted.drain(..gone).map(|aborted| aborted.last_offset).collect()
    }

    /// Forgets aborted transactions whose markers, at these offsets, are no longer in the log: who reads committed records
    /// would wait for them for ever.
    pub(super) fn forget_aborted(&mut self, last_offsets: &[i64]) {
        let (mut index, stored) = (0, self.aborted_stored);
        self.aborted.retain(|aborted| {
            let keep = !last_offsets.contains(&aborted.last_offset);
            if !keep && index < stored {
                self.aborted_stored -= 1;
            }
            index += 1;
            keep
        });
    }

    /// What the store has to be told: producers (`None`: gone) and aborted transactions. They count as told from now on.
    pub(super) fn take_changes(&mut self) -> (Vec<(i64, Option<ProducerRecord>)>, Vec<AbortedRecord>) {
        let changed = std::mem::take(&mut self.changed);
        let producers = changed
            .into_iter()
            .map(|id| (id, self.by_id.get(&id).map(Producer::record)))
            .collect();
        let aborted = self.aborted[self.aborted_stored..].to_vec();
        self.aborted_stored = self.aborted.len();
        (producers, aborted)
    }

    /// Everything counts as untold, as after a telling that failed.
    pub(super) fn forget_told(&mut self) {
        self.changed = self.by_id.keys().copied().collect();
        self.aborted_stored = 0;
    }

    /// Takes in what the store has.
    pub(super) fn restore(&mut self, id: i64, record: &ProducerRecord) {
        let mut producer = Producer {
            epoch: record.epoch,
            coordinator_epoch: record.coordinator_epoch,
            last_timestamp_ms: record.last_timestamp_ms,
            transaction_first_offset: record.transaction_first_offset,
            ..Producer::NEW
        };
        for batch in &record.batches {
            producer.push(*batch);
        }
        if let Some(first_offset) = record.transaction_first_offset {
            self.open.insert(first_offset, id);
        }
        self.by_id.insert(id, producer);
    }

    /// Takes in what the store has, oldest first.
    pub(super) fn restore_aborted(&mut self, aborted: AbortedRecord) {
        self.aborted.push(aborted);
        self.aborted_stored = self.aborted.len();
    }
}

impl Producer {
    fn duplicate_of(&self, header: &BatchHeader) -> Option<BatchRecord> {
        if header.producer_epoch != self.epoch {
            return None;
        }
        let last_sequence = header.last_sequence();
        self.batches()
            .iter()
            .find(|batch| batch.last_sequence == last_sequence && batch.offset_delta == header.last_offset_delta)
            .copied()
    }

    fn check_sequence(&self, header: &BatchHeader) -> Result<(), AppendError> {
        let sequence = header.base_sequence;
        let follows = if header.producer_epoch != self.epoch {
            sequence == 0 || self.epoch == NO_EPOCH
        } else {
            let last = self.last_sequence();
            i64::from(sequence) == i64::from(last) + 1 || (sequence == 0 && last == i32::MAX)
        };
        if follows {
            return Ok(());
        }
        Err(AppendError::OutOfOrderSequence {
            producer_id: header.producer_id,
            sequence,
            last_sequence: self.last_sequence(),
        })
    }

    fn record(&self) -> ProducerRecord {
        ProducerRecord {
            epoch: self.epoch,
            coordinator_epoch: self.coordinator_epoch,
            last_timestamp_ms: self.last_timestamp_ms,
            transaction_first_offset: self.transaction_first_offset,
            batches: self.batches().to_vec(),
        }
    }
}
