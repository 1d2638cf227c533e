//! What the demo measures while it runs, in one value that the views draw and the report closes with.

use std::collections::VecDeque;
use std::time::Duration;

/// How many prices a sparkline remembers, one a second.
const HISTORY: usize = 60;

/// A consistent picture of the running demo, made anew every second.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauges {
    /// Since the demo started.
    pub(super) elapsed: Duration,
    /// Where the simulated market is, RFC 3339 in UTC; empty before its first event.
    pub(super) market_time: String,
    /// Events that the broker has acknowledged in this run.
    pub(super) events: u64,
    /// Records that the sink has read in this run.
    pub(super) sunk: u64,
    /// Events acknowledged over the last second.
    pub(super) events_per_s: f64,
    /// Records read by the sink over the last second.
    pub(super) sunk_per_s: f64,
    /// Records in the topics whose offsets the sink has not committed.
    pub(super) lag: i64,
    /// Age of the newest row that SQL sees.
    pub(super) freshness: Freshness,
    /// Objects that the sink has written in this run.
    pub(super) objects: u64,
    /// Their size.
    pub(super) bytes: u64,
    /// One per symbol, by name.
    pub(super) symbols: Vec<SymbolGauge>,
    /// The queries that are run again and again, with their last answers.
    pub(super) queries: Vec<QueryGauge>,
}

impl Gauges {
    /// The last answer of the query that compares days, if it has run: (days checked, days equal).
    pub(super) fn days(&self) -> Option<(u64, u64)> {
        self.queries.iter().find_map(|query| query.days)
    }
}

/// The ages, in milliseconds, of the newest row that SQL saw each time it was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Freshness {
    samples_ms: Vec<u64>,
}

impl Freshness {
    /// Adds one reading.
    pub(super) fn record(&mut self, age_ms: u64) {
        self.samples_ms.push(age_ms);
    }

    /// The newest reading.
    pub(super) fn last_ms(&self) -> Option<u64> {
        self.samples_ms.last().copied()
    }

    /// The age that `share` (0 to 1) of the readings did not exceed.
    pub(super) fn percentile_ms(&self, share: f64) -> Option<u64> {
        let mut sorted = self.samples_ms.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        Some(sorted[((last as f64) * share).round() as usize])
    }
}

/// The price of one symbol as the live view shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct SymbolGauge {
    pub(super) symbol: String,
    /// The last trade's price.
    pub(super) last: f64,
    /// The last price of the day before.
    pub(super) previous_close: f64,
    /// The last price of each of the past seconds, oldest first.
    pub(super) history: VecDeque<f64>,
}

impl SymbolGauge {
    /// Since the close of the day before, in percent.
    pub(super) fn change_percent(&self) -> f64 {
        if self.previous_close == 0.0 {
            0.0
        } else {
            (self.last / self.previous_close - 1.0) * 100.0
        }
    }

    /// Remembers the last price for the sparkline.
    pub(super) fn remember(&mut self) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(self.last);
    }

    /// The remembered prices as one character each.
    pub(super) fn sparkline(&self) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let low = self.history.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.history.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let span = high - low;
        let bar = |price: &f64| {
            let height = if span > 0.0 { (price - low) / span * 7.0 } else { 3.0 };
            BARS[(height.round() as usize).min(7)]
        };
        self.history.iter().map(bar).collect()
    }
}

/// One of the queries that the demo runs again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct QueryGauge {
    pub(super) title: &'static str,
    /// Its last run took this long; `None` before the first.
    pub(super) latency: Option<Duration>,
    /// The last answer as a text table, or why there is none.
    pub(super) answer: String,
    /// (checked, equal), for the query that compares days.
    pub(super) days: Option<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_readings_that_were_made() {
        let mut freshness = Freshness::default();
        assert_eq!(freshness.percentile_ms(0.5), None);
        for age_ms in [5, 1, 9, 3, 7] {
            freshness.record(age_ms);
        }
        assert_eq!(freshness.percentile_ms(0.0), Some(1));
        assert_eq!(freshness.percentile_ms(0.5), Some(5));
        assert_eq!(freshness.percentile_ms(0.99), Some(9));
        assert_eq!(freshness.last_ms(), Some(7));
    }

    #[test]
    fn a_sparkline_spans_what_it_remembers() {
        let mut gauge = SymbolGauge {
            previous_close: 10.0,
            ..SymbolGauge::default()
        };
        for price in [10.0, 11.0, 12.0] {
            gauge.last = price;
            gauge.remember();
        }
        assert_eq!(gauge.sparkline(), "▁▅█");
        assert!((gauge.change_percent() - 20.0).abs() < 1e-9);
    }
}
