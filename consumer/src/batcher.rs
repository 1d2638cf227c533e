//! Where batches are cut. Pure: messages and the time come in, cut batches go out; nothing here waits, reads a
//! clock or knows of S3.
//!
//! Per partition the batches are contiguous: each starts where the one before ended, whatever offsets are
//! missing in between. One budget holds for all of them together with what is being encoded and uploaded
//! ([`InFlight`]): when the open ones reach their share the largest is cut, and when everything does,
//! [`Batcher::is_full`] asks for the consumption to pause.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    batch::{Batch, Record, Witness},
    names::Source,
};

/// What a byte of an open batch will cost at most once it is cut: itself, its columns and its encoded form.
pub(crate) const ENCODING_FACTOR: usize = 3;

/// When a batch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages in a batch.
    pub records_max: usize,
    /// Bytes of values in a batch.
    pub bytes_max: usize,
    /// Since its first message came.
    pub age_max: Duration,
    /// Bytes over all batches, open or on their way.
    pub memory_max: usize,
    /// Milliseconds between the boundaries of the clock at which everything is cut, if it is.
    pub rotate_ms: Option<i64>,
}

/// Why a batch was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It has as many messages as it may.
    Records,
    /// Its values are as large as they may be.
    Bytes,
    /// Its first message has waited long enough.
    Age,
    /// The clock passed a boundary.
    Rotated,
    /// It was the largest when memory ran short.
    Memory,
    /// Its partition goes to another consumer.
    Revoked,
    /// The sink stops.
    Stopped,
}

/// A batch that is complete.
#[derive(Debug)]
pub struct Cut {
    /// The batch; never empty.
    pub batch: Batch,
    /// Why now.
    pub cause: Cause,
    /// What it occupies until it is written.
    pub charge: Charge,
}

/// Bytes that cut batches occupy until they are written.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// All of them.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge {
            bytes,
            of: self.clone(),
        }
    }
}

/// One batch's share of [`InFlight`], given back when it is dropped.
#[derive(Debug)]
pub struct Charge {
    bytes: usize,
    of: InFlight,
}

impl Charge {
    /// The batch occupies only this much from now on.
    pub fn shrink(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.of.0.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Where a partition is taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The offset at which the next batch starts.
    pub next: i64,
    /// A message before it that must be what it was, when it is read again.
    pub witness: Option<Witness>,
    /// The offset of the message that is to come first, if it is known.
    pub due: Option<i64>,
}

/// What became of a message.
#[derive(Debug)]
pub enum Pushed {
    /// It is in its partition's open batch.
    Kept,
    /// It completed its partition's batch.
    Cut(Cut),
    /// It is of a partition that isn't taken up, or the witness, which is as it was.
    PassedOver,
    /// It is not kept yet, since offsets from `expected` on did not come; pushed again it is. Told only at
    /// places where they may have been deleted before they were read, not for single ones, which are mostly a
    /// transaction's markers.
    Gap {
        /// Topic and partition.
        source: Source,
        /// The offset that was due.
        expected: i64,
    },
    /// It is at an offset before `next` that had been passed: the partition has begun anew.
    Behind {
        /// Topic and partition.
        source: Source,
        /// The offset that is due.
        next: i64,
    },
    /// It is at the witness's offset and isn't the same message.
    Replaced {
        /// Topic and partition.
        source: Source,
        /// The offset that is due.
        next: i64,
    },
}

struct Partition {
    source: Source,
    next: i64,
    witness: Option<Witness>,
    open: Option<(Batch, Instant)>,
    /// The offset of the message that is to come next, if it is known.
    due: Option<i64>,
}

impl Partition {
    fn expected(&self) -> i64 {
        self.open.as_ref().map_or(self.next, |(batch, _)| batch.range().end)
    }

    #[cold]
    fn behind(&mut self, record: &Record<'_>, expected: i64) -> Pushed {
        let source = self.source.clone();
        match self.witness.take_if(|witness| witness.offset == record.offset) {
            Some(witness) if witness.checksum == record.checksum() => {
                self.due = Some(record.offset + 1);
                Pushed::PassedOver
            }
            Some(_) => Pushed::Replaced { source, next: expected },
            None => Pushed::Behind { source, next: expected },
        }
    }
}

/// All open batches.
pub struct Batcher {
    limits: Limits,
    partitions: Vec<Option<Partition>>,
    by_name: HashMap<Arc<str>, HashMap<i32, usize>>,
    /// Where the last message went: mostly the next one goes there too.
    latest: usize,
    open_bytes: usize,
    in_flight: InFlight,
    /// The boundary of the clock passed last, counted.
    boundary: Option<i64>,
}

impl Batcher {
    /// No partition yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            partitions: Vec::new(),
            by_name: HashMap::new(),
            latest: 0,
            open_bytes: 0,
            in_flight: InFlight::default(),
            boundary: None,
        }
    }

    /// Takes up a partition. One that is open already is begun anew.
    pub fn assign(&mut self, source: Source, start: Start) {
        self.drop_partition(&source);
        let slot = self
            .partitions
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.partitions.len());
        self.by_name
            .entry(source.topic.clone())
            .or_default()
            .insert(source.partition, slot);
        let partition = Some(Partition {
            source,
            next: start.next,
            witness: start.witness,
            open: None,
            due: start.due,
        });
        match self.partitions.get_mut(slot) {
            Some(free) => *free = partition,
            None => self.partitions.push(partition),
        }
    }

    /// The partitions taken up.
    pub fn assigned(&self) -> impl Iterator<Item = &Source> {
        self.partitions.iter().flatten().map(|partition| &partition.source)
    }

    /// Adds a message, whose day `day` finds if it is kept.
    pub fn push(
        &mut self,
        topic: &str,
        partition: i32,
        record: Record<'_>,
        day: impl FnOnce(&Record<'_>) -> Option<i32>,
        now: Instant,
    ) -> Pushed {
        let Some(slot) = self.slot(topic, partition) else {
            return Pushed::PassedOver;
        };
        let Some(Some(partition)) = self.partitions.get_mut(slot) else {
            return Pushed::PassedOver;
        };
        let expected = partition.expected();
        if record.offset < expected {
            return partition.behind(&record, expected);
        }
        let Partition {
            source,
            next,
            open,
            due,
            ..
        } = partition;
        if let Some(expected) = due.take().map(|due| due.max(expected))
            && record.offset > expected + 1
        {
            let source = source.clone();
            return Pushed::Gap { source, expected };
        }
        *due = Some(record.offset + 1);
        let (batch, _) = open.get_or_insert_with(|| (Batch::new(source.clone(), *next), now));
        let before = batch.cost_bytes();
        batch.push(record, day(&record));
        self.open_bytes += batch.cost_bytes() - before;
        let cause = if batch.len() >= self.limits.records_max {
            Cause::Records
        } else if batch.values_bytes() >= self.limits.bytes_max {
            Cause::Bytes
        } else {
            return Pushed::Kept;
        };
        self.cut(slot, cause).map_or(Pushed::Kept, Pushed::Cut)
    }

    /// The largest batch, if the open ones together have reached their share of the memory. To be asked until
    /// there is none.
    pub fn relieve(&mut self) -> Option<Cut> {
        if self.open_bytes * ENCODING_FACTOR * 2 < self.limits.memory_max {
            return None;
        }
        let cost = |partition: &Partition| partition.open.as_ref().map_or(0, |(batch, _)| batch.cost_bytes());
        let slots = self.partitions.iter().enumerate();
        let costs = slots.filter_map(|(slot, partition)| Some((slot, cost(partition.as_ref()?))));
        let (slot, _) = costs.max_by_key(|(_, cost)| *cost)?;
        self.cut(slot, Cause::Memory)
    }

    /// Whether the memory is used up, so that nothing more should be consumed for now.
    pub fn is_full(&self) -> bool {
        self.used_bytes() >= self.limits.memory_max
    }

    /// Whether there is room again for consumption to go on: less than at [`Self::is_full`], so that it
    /// doesn't stutter.
    pub fn has_room(&self) -> bool {
        self.used_bytes() < self.limits.memory_max / 4 * 3
    }

    /// What all batches occupy, and will once they are cut.
    pub fn used_bytes(&self) -> usize {
        self.open_bytes * ENCODING_FACTOR + self.in_flight.bytes()
    }

    /// Every batch, if the clock, in milliseconds since 1970, has passed a boundary since this was last asked. Where the
    /// cut is has no meaning beyond that: the claims keep it, whatever the clock says later. A clock that is set back
    /// cuts nothing.
    pub fn rotate(&mut self, clock_ms: i64) -> Vec<Cut> {
        let Some(every_ms) = self.limits.rotate_ms else {
            return Vec::new();
        };
        let boundary = clock_ms.div_euclid(every_ms.max(1));
        match self.boundary {
            Some(last) if boundary <= last => Vec::new(),
            last => {
                self.boundary = Some(boundary);
                if last.is_some() {
                    self.cut_those(|_| true, Cause::Rotated)
                } else {
                    Vec::new()
                }
            }
        }
    }

    /// The batches whose first message has waited long enough.
    pub fn due(&mut self, now: Instant) -> Vec<Cut> {
        let age_max = self.limits.age_max;
        let due = |partition: &Partition| {
            partition
                .open
                .as_ref()
                .is_some_and(|(_, since)| now.saturating_duration_since(*since) >= age_max)
        };
        self.cut_those(due, Cause::Age)
    }

    /// Gives up these partitions and cuts what they have open.
    pub fn revoke(&mut self, sources: &[Source]) -> Vec<Cut> {
        let cuts = self.cut_those(|partition| sources.contains(&partition.source), Cause::Revoked);
        self.forget(sources);
        cuts
    }

    /// Gives up these partitions and what they have open.
    pub fn forget(&mut self, sources: &[Source]) {
        for source in sources {
            self.drop_partition(source);
        }
    }

    /// Cuts everything.
    pub fn stop(&mut self) -> Vec<Cut> {
        self.cut_those(|_| true, Cause::Stopped)
    }

    fn slot(&mut self, topic: &str, partition: i32) -> Option<usize> {
        if let Some(Some(latest)) = self.partitions.get(self.latest)
            && latest.source.partition == partition
            && *latest.source.topic == *topic
        {
            return Some(self.latest);
        }
        self.latest = *self.by_name.get(topic)?.get(&partition)?;
        Some(self.latest)
    }

    fn cut_those(&mut self, those: impl Fn(&Partition) -> bool, cause: Cause) -> Vec<Cut> {
        let slots = self.partitions.iter().enumerate();
        let slots = slots.filter(|(_, partition)| partition.as_ref().is_some_and(&those));
        let slots: Vec<usize> = slots.map(|(slot, _)| slot).collect();
        slots.into_iter().filter_map(|slot| self.cut(slot, cause)).collect()
    }

    fn cut(&mut self, slot: usize, cause: Cause) -> Option<Cut> {
        let partition = self.partitions.get_mut(slot)?.as_mut()?;
        let (batch, _) = partition.open.take()?;
        partition.next = batch.range().end;
        self.open_bytes -= batch.cost_bytes();
        let charge = self.in_flight.charge(batch.cost_bytes() * ENCODING_FACTOR);
        Some(Cut { batch, cause, charge })
    }

    fn drop_partition(&mut self, source: &Source) {
        let slots = self.by_name.get_mut(&source.topic);
        let Some(slot) = slots.and_then(|slots| slots.remove(&source.partition)) else {
            return;
        };
        if let Some(partition) = self.partitions.get_mut(slot).and_then(Option::take) {
            self.open_bytes -= partition.open.map_or(0, |(batch, _)| batch.cost_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
