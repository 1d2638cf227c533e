//! A random row each interval, without end.

use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::feed::{Event, Position, Stream, write_end};
use crate::table::Table;

/// The rows are drawn with a generator whose place follows from the event's number, so that a feed can begin
/// anywhere. The event's time is the wall clock's: the sample is of now.
pub struct Sample {
    table: Arc<Table>,
    random: ChaCha8Rng,
    interval: Duration,
    clock: Box<dyn Fn() -> i64 + Send>,
    index: u64,
    /// How much of the last event is its row; its time and number follow.
    row_bytes: usize,
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sample")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Sample {
    /// A feed over all rows of a table; `clock` gives milliseconds since the epoch.
    pub fn new(
        table: Arc<Table>,
        seed: u64,
        interval: Duration,
        clock: Box<dyn Fn() -> i64 + Send>,
        start: Position,
    ) -> Sample {
        Sample {
            table,
            random: ChaCha8Rng::seed_from_u64(seed),
            interval,
            clock,
            index: start.seq,
            row_bytes: 0,
        }
    }

    pub(super) fn next_into(&mut self, event: &mut Event) -> bool {
        if self.table.rows.is_empty() {
            return false;
        }
        // A draw takes less than one block of the generator, 16 words.
        self.random.set_word_pos(u128::from(self.index) * 16);
        let row = &self.table.rows[self.random.random_range(0..self.table.rows.len())];
        event.stream = Stream::Main;
        event.seq = self.index;
        event.symbol = row.symbol;
        let market_ns = self.interval.as_nanos().saturating_mul(u128::from(self.index));
        event.market_ms = u64::try_from(market_ns / 1_000_000).unwrap_or(u64::MAX);
        // There are no days here, so none to be played at full speed.
        event.day = u32::MAX;
        event.price = row.close;
        event.json.extend_from_slice(row.json.as_bytes());
        self.row_bytes = row.json.len();
        self.index += 1;
        self.stamp(event);
        true
    }

    /// Gives the event that was made last the time of now.
    pub(super) fn stamp(&self, event: &mut Event) {
        event.event_time_ms = (self.clock)();
        event.json.truncate(self.row_bytes);
        write_end(&mut event.json, event.event_time_ms, event.seq);
    }

    pub(super) fn position(&self) -> Position {
        Position {
            date: None,
            index: self.index,
            seq: self.index,
            bars_seq: 0,
        }
    }
}
