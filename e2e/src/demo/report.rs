//! The demo's verdict.

use serde::Serialize;

use super::gauges::Freshness;
use super::view::grouped;
use crate::verify::Verdict;

/// What the demo did and whether everything arrived.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Nothing is missing, doubled or different, and every day adds up.
    pub(super) ok: bool,
    /// Events that the broker acknowledged in this run.
    pub(super) events_produced: u64,
    /// Rows that SQL sees in all tables, those of earlier runs included.
    pub(super) rows_in_sql: u64,
    /// Records of the topics that were compared with their rows.
    pub(super) offsets_verified: u64,
    /// Records without a row.
    pub(super) missing: u64,
    /// Rows too many.
    pub(super) doubled: u64,
    /// Rows that do not say what their record says.
    pub(super) different: u64,
    /// Messages that were set aside.
    pub(super) rejected: u64,
    /// Days with a real bar.
    pub(super) days_checked: u64,
    /// Days whose trades add up to it.
    pub(super) days_equal: u64,
    /// Age of the newest row that SQL saw while the demo ran, in milliseconds.
    pub(super) freshness_p50_ms: Option<u64>,
    /// The same, for the slowest hundredth.
    pub(super) freshness_p99_ms: Option<u64>,
    /// Objects that the sink wrote in this run.
    pub(super) objects: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// From the start of the demo to its verdict.
    pub(super) seconds: f64,
    /// The first faults, in words.
    pub(super) faults: Vec<String>,
}

impl Report {
    /// Draws the conclusion from what was counted.
    pub(super) fn new(
        events_produced: u64,
        rows_in_sql: u64,
        verdict: Verdict,
        (days_checked, days_equal): (u64, u64),
        freshness: &Freshness,
        (objects, bytes): (u64, u64),
        seconds: f64,
    ) -> Report {
        let rows_expected = verdict.records - verdict.rejected;
        Report {
            ok: verdict.is_whole() && rows_in_sql >= rows_expected && days_checked == days_equal,
            events_produced,
            rows_in_sql,
            offsets_verified: verdict.records,
            missing: verdict.missing,
            doubled: verdict.doubled,
            different: verdict.different,
            rejected: verdict.rejected,
            days_checked,
            days_equal,
            freshness_p50_ms: freshness.percentile_ms(0.5),
            freshness_p99_ms: freshness.percentile_ms(0.99),
            objects,
            bytes,
            seconds,
            faults: verdict.faults,
        }
    }

    /// For a person.
    pub(super) fn in_words(&self) -> String {
        let ms = |ms: Option<u64>| ms.map_or("–".to_owned(), |ms| format!("{ms} ms"));
        let mut text = format!(
            "{} events produced, {} rows in SQL, {} objects of {:.1} MB in all, {:.0} s\n\
             {} offsets compared with their rows: {} missing, {} doubled, {} different\n\
             {} of {} days add up to the real bar\n\
             newest row in SQL: {} old (p50), {} (p99)",
            grouped(self.events_produced),
            grouped(self.rows_in_sql),
            grouped(self.objects),
            self.bytes as f64 / 1e6,
            self.seconds,
            grouped(self.offsets_verified),
            self.missing,
            self.doubled,
            self.different,
            self.days_equal,
            self.days_checked,
            ms(self.freshness_p50_ms),
            ms(self.freshness_p99_ms),
        );
        for fault in &self.faults {
            text.push_str("\n  ");
            text.push_str(fault);
        }
        text
    }
}
