//! What is going on, in atomics that a live view may read at any time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::feed::Event;

const DAY_MS: i64 = 86_400_000;

/// Counts and last prices of a run. Cheap to write (a few relaxed stores an event), safe to read meanwhile;
/// what is read together need not be of one moment.
#[derive(Debug, Default)]
pub struct Stats {
    produced: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    event_time_ms: AtomicI64,
    quotes: OnceLock<Vec<QuoteCell>>,
}

#[derive(Debug)]
struct QuoteCell {
    symbol: String,
    events: AtomicU64,
    last: AtomicU64,
    day_open: AtomicU64,
    previous_close: AtomicU64,
    event_time_ms: AtomicI64,
}

/// What is known of one symbol. Prices are floats for showing; the events have the exact ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// The symbol.
    pub symbol: String,
    /// How many events it had.
    pub events: u64,
    /// Its last price.
    pub last: f64,
    /// Its first price of the day.
    pub day_open: f64,
    /// Its last price of the day before; the day's first on the first day.
    pub previous_close: f64,
    /// When the last price was, in milliseconds since the epoch, by the market's time.
    pub event_time_ms: i64,
}

impl Quote {
    /// The change since the day before, as a share of it.
    pub fn change(&self) -> f64 {
        self.last / self.previous_close - 1.0
    }
}

impl Stats {
    /// Events that were handed to Kafka.
    pub fn produced(&self) -> u64 {
        self.produced.load(Relaxed)
    }

    /// Events that Kafka acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Relaxed)
    }

    /// Events that Kafka refused, or did not acknowledge in time.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Bytes of JSON that were handed to Kafka.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The market's time: that of the last event, in milliseconds since the epoch; 0 before the first.
    pub fn event_time_ms(&self) -> i64 {
        self.event_time_ms.load(Relaxed)
    }

    /// The symbols that had an event, in the order of the file.
    pub fn quotes(&self) -> Vec<Quote> {
        let cells = self.quotes.get().map_or(&[][..], Vec::as_slice);
        let price = |cell: &AtomicU64| f64::from_bits(cell.load(Relaxed));
        cells
            .iter()
            .filter(|cell| cell.events.load(Relaxed) > 0)
            .map(|cell| Quote {
                symbol: cell.symbol.clone(),
                events: cell.events.load(Relaxed),
                last: price(&cell.last),
                day_open: price(&cell.day_open),
                previous_close: price(&cell.previous_close),
                event_time_ms: cell.event_time_ms.load(Relaxed),
            })
            .collect()
    }

    pub(crate) fn set_symbols(&self, symbols: &[String]) {
        // A second run with the same stats keeps the first one's symbols; the demo makes new stats for each.
        self.quotes.get_or_init(|| {
            let cell = |symbol: &String| QuoteCell {
                symbol: symbol.clone(),
                events: AtomicU64::new(0),
                last: AtomicU64::new(0),
                day_open: AtomicU64::new(0),
                previous_close: AtomicU64::new(0),
                event_time_ms: AtomicI64::new(i64::MIN),
            };
            symbols.iter().map(cell).collect()
        });
    }

    /// Only one thread calls this: the feed's.
    pub(crate) fn event(&self, event: &Event) {
        self.produced.fetch_add(1, Relaxed);
        self.bytes.fetch_add(event.json.len() as u64, Relaxed);
        self.event_time_ms.store(event.event_time_ms, Relaxed);
        let Some(cell) = self.quotes.get().and_then(|cells| cells.get(event.symbol)) else {
            return;
        };
        let price = event.price.to_bits();
        let before = cell.event_time_ms.load(Relaxed);
        if before.div_euclid(DAY_MS) != event.event_time_ms.div_euclid(DAY_MS) {
            let first = cell.events.load(Relaxed) == 0;
            let previous = if first { price } else { cell.last.load(Relaxed) };
            cell.previous_close.store(previous, Relaxed);
            cell.day_open.store(price, Relaxed);
        }
        cell.last.store(price, Relaxed);
        cell.event_time_ms.store(event.event_time_ms, Relaxed);
        cell.events.fetch_add(1, Relaxed);
    }

    pub(crate) fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Relaxed);
    }

    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_knows_the_day_before() {
        let stats = Stats::default();
        stats.set_symbols(&["A".to_owned(), "B".to_owned()]);
        let mut event = Event::default();
        for (event_time_ms, price) in [(5, 10.0), (6, 20.0), (DAY_MS, 30.0), (DAY_MS + 1, 40.0)] {
            (event.event_time_ms, event.price) = (event_time_ms, price);
            stats.event(&event);
        }
        let quotes = stats.quotes();
        assert_eq!(quotes.len(), 1, "B had no event");
        assert_eq!(
            (quotes[0].last, quotes[0].day_open, quotes[0].previous_close),
            (40.0, 30.0, 20.0)
        );
        assert_eq!(quotes[0].change(), 1.0);
        assert_eq!((quotes[0].events, stats.produced()), (4, 4));
    }
}
