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
    /// Questions to Kafka whether offsets that didn't come were deleted.
    pub asked: AtomicU64,
    /// Now: messages in Kafka behind the sink's position. Known once a second.
    pub lag: AtomicU64,
    /// Now: bytes that batches occupy, in the budget's own measure.
    pub memory_bytes: AtomicU64,
    /// Now: partitions that this sink writes.
    pub partitions: AtomicU64,
    /// How many times consumption was paused because the memory was used up.
    pub pauses: AtomicU64,
    /// Batches that another sink had claimed first, so that they were dropped.
    pub fenced: AtomicU64,
    /// From the cut of a batch to the commit of its offsets, in milliseconds.
    pub commit_latency_ms: Histogram,
    /// The sizes of objects of rows.
    pub object_size_bytes: Histogram,
}

/// How often values occurred, in classes that are a quarter of a power of two wide.
#[derive(Debug)]
pub struct Histogram {
    classes: [AtomicU64; CLASSES],
    sum: AtomicU64,
}

const CLASSES: usize = 4 * 40;

impl Default for Histogram {
    fn default() -> Self {
        Self {
            classes: [const { AtomicU64::new(0) }; CLASSES],
            sum: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts a value.
    pub fn record(&self, value: u64) {
        if let Some(class) = self.classes.get(Self::class_of(value)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.classes.iter().map(|class| class.load(Ordering::Relaxed)).sum()
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }

    /// A value that this part of all values is at or below: the upper end of its class. 0 without any.
    pub fn quantile(&self, part: f64) -> u64 {
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among counted values"
        )]
        let rank = (count as f64 * part).ceil() as u64;
        let mut below = 0;
        for (at, class) in self.classes.iter().enumerate() {
            below += class.load(Ordering::Relaxed);
            if below >= rank.max(1) {
                return Self::end_of(at);
            }
        }
        0
    }

    fn class_of(value: u64) -> usize {
        if value < 4 {
            return usize::try_from(value).unwrap_or(0);
        }
        let power = value.ilog2();
        // The two bits behind the first.
        let quarter = (value >> (power - 2)) & 3;
        let class = (u64::from(power) - 1) * 4 + quarter;
        usize::try_from(class).unwrap_or(CLASSES).min(CLASSES - 1)
    }

    fn end_of(class: usize) -> u64 {
        if class < 4 {
            return class as u64;
        }
        let (power, quarter) = (class / 4 + 1, class as u64 % 4);
        ((4 + quarter + 1) << (power - 2)) - 1
    }
}

impl Stats {
    /// All of it in the text format of Prometheus.
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        let mut one = |name: &str, kind: &str, help: &str, value: u64| {
            let name = format!("tickertape_sink_{name}");
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"));
        };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        one(
            "consumed_total",
            "counter",
            "Messages taken from Kafka.",
            of(&self.consumed),
        );
        one(
            "consumed_bytes_total",
            "counter",
            "Bytes of their values.",
            of(&self.consumed_bytes),
        );
        one(
            "written_total",
            "counter",
            "Messages written and registered.",
            of(&self.written),
        );
        one(
            "rows_total",
            "counter",
            "Messages that are rows of a table.",
            of(&self.rows),
        );
        one(
            "rejected_total",
            "counter",
            "Messages that were rejected.",
            of(&self.rejected),
        );
        one("objects_total", "counter", "Objects written.", of(&self.objects));
        one(
            "object_bytes_total",
            "counter",
            "Bytes of all objects.",
            of(&self.object_bytes),
        );
        one(
            "lost_total",
            "counter",
            "Messages deleted before they were written.",
            of(&self.lost),
        );
        one(
            "asked_total",
            "counter",
            "Questions to Kafka whether offsets that did not come were deleted.",
            of(&self.asked),
        );
        one(
            "pauses_total",
            "counter",
            "Times the memory was used up.",
            of(&self.pauses),
        );
        one(
            "fenced_total",
            "counter",
            "Batches that another sink had claimed first.",
            of(&self.fenced),
        );
        one("lag", "gauge", "Messages in Kafka behind the position.", of(&self.lag));
        one(
            "memory_bytes",
            "gauge",
            "Bytes that batches occupy.",
            of(&self.memory_bytes),
        );
        one(
            "partitions",
            "gauge",
            "Partitions that are written.",
            of(&self.partitions),
        );
        let mut summary = |name: &str, help: &str, of: &Histogram| {
            let name = format!("tickertape_sink_{name}");
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} summary\n"));
            for part in [0.5, 0.9, 0.99] {
                text.push_str(&format!("{name}{{quantile=\"{part}\"}} {}\n", of.quantile(part)));
            }
            text.push_str(&format!("{name}_sum {}\n{name}_count {}\n", of.sum(), of.count()));
        };
        summary(
            "commit_latency_ms",
            "From the cut of a batch to the commit of its offsets.",
            &self.commit_latency_ms,
        );
        summary(
            "object_size_bytes",
            "Sizes of objects of rows.",
            &self.object_size_bytes,
        );
        text
    }

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
    /// Why messages were rejected, and how many for each reason; not all reasons if there are very many.
    pub reasons: BTreeMap<String, u64>,
}

/// How many reasons are kept.
const REASONS_MAX: usize = 1_000;

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
        for (reason, messages) in &other.reasons {
            if self.reasons.len() < REASONS_MAX || self.reasons.contains_key(reason) {
                *self.reasons.entry(reason.clone()).or_default() += messages;
            }
        }
    }

    /// The reason for which most messages were rejected, and how many.
    pub fn most_rejected(&self) -> Option<String> {
        let (reason, messages) = self.reasons.iter().max_by_key(|(_, messages)| **messages)?;
        Some(format!("{messages} because: {reason}"))
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total = self.total();
        let TableSummary {
            records,
            rejected,
            objects,
            bytes,
            ..
        } = total;
        write!(
            f,
            "{records} messages in {objects} objects ({bytes} bytes), {rejected} rejected"
        )?;
        if let Some(most) = total.most_rejected() {
            write!(f, " ({most})")?;
        }
        if self.lost > 0 {
            write!(f, ", {} gone before they were written", self.lost)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_at_most_a_quarter_above(mut values in prop::collection::vec(0..1_u64 << 38, 1..50), part in 0.01_f64..1.0) {
            let histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            values.sort_unstable();
            let exact = values[((values.len() as f64 * part).ceil() as usize).max(1) - 1];
            let got = histogram.quantile(part);
            prop_assert!(got >= exact && got <= exact + exact / 4, "{} for {}", got, exact);
            prop_assert_eq!(histogram.count(), values.len() as u64);
        }
    }

    #[test]
    fn a_summary_says_why_most_were_rejected() {
        let of = |rejected, reasons: &[(&str, u64)]| TableSummary {
            records: 10,
            rejected,
            reasons: reasons.iter().map(|(reason, of)| ((*reason).to_owned(), *of)).collect(),
            ..TableSummary::default()
        };
        let mut summary = Summary::default();
        summary.tables.insert("a".into(), of(3, &[("x", 1), ("y", 2)]));
        summary.tables.insert("b".into(), of(4, &[("x", 4)]));
        let said = "20 messages in 0 objects (0 bytes), 7 rejected (5 because: x)";
        assert_eq!(summary.to_string(), said);
    }

    #[test]
    fn metrics_are_told_in_the_text_format() {
        let stats = Stats::default();
        Stats::add(&stats.written, 7);
        stats.commit_latency_ms.record(3);
        let text = stats.prometheus();
        for line in [
            "tickertape_sink_written_total 7",
            "tickertape_sink_commit_latency_ms{quantile=\"0.99\"} 3",
            "tickertape_sink_object_size_bytes_count 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
    }
}
