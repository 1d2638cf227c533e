//! What the sink has done so far, for whoever watches it, and what it did, for whoever called it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Live counts. All of them only grow, except those that say otherwise.
#[derive(Debug, Default)]
pub struct Stats {
    /// Messages taken from Kafka.
    pub consumed: AtomicU64,
    /// Bytes of their values.
    pub consumed_bytes: AtomicU64,
    /// Messages whose objects are written and whose catalog entry is made.
    pub written: AtomicU64,
    /// Those of them that are rows of a table.
    pub rows: AtomicU64,
    /// Those of them that were rejected.
    pub rejected: AtomicU64,
    /// Objects written, those of rejected messages included.
    pub objects: AtomicU64,
    /// Their bytes.
    pub object_bytes: AtomicU64,
    /// Messages gone from Kafka before they could be written.
    pub lost: AtomicU64,
    /// Now: messages in Kafka behind the sink's position. Known once a second.
    pub lag: AtomicU64,
    /// Now: bytes that batches occupy, in the budget's own measure.
    pub memory_bytes: AtomicU64,
    /// Now: partitions that this sink writes.
    pub partitions: AtomicU64,
    /// How many times consumption was paused because the memory was used up.
    pub pauses: AtomicU64,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn set(counter: &AtomicU64, to: u64) {
        counter.store(to, Ordering::Relaxed);
    }
}

/// What a run wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// By table.
    pub tables: BTreeMap<String, TableSummary>,
    /// Messages gone from Kafka before they could be written.
    pub lost: u64,
}

/// What a run wrote to one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSummary {
    /// Messages: rows and rejected ones.
    pub records: u64,
    /// Rejected messages.
    pub rejected: u64,
    /// Objects.
    pub objects: u64,
    /// Bytes of the objects.
    pub bytes: u64,
}

impl Summary {
    /// Over all tables.
    pub fn total(&self) -> TableSummary {
        self.tables.values().fold(TableSummary::default(), |mut sum, table| {
            sum.add(table);
            sum
        })
    }
}

impl TableSummary {
    pub(crate) fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.rejected += other.rejected;
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let TableSummary {
            records,
            rejected,
            objects,
            bytes,
        } = self.total();
        write!(
            f,
            "{records} messages in {objects} objects ({bytes} bytes), {rejected} rejected"
        )?;
        if self.lost > 0 {
            write!(f, ", {} gone before they were written", self.lost)
        } else {
            Ok(())
        }
    }
}
