//! Every row, by date.

use std::sync::Arc;

use crate::feed::{DAY_MS, Event, Position, Stream, date_of, start_day, write_end};
use crate::market;
use crate::table::Table;

/// The rows of a day come all at once, in the file's order, with the close of their date as `event_time`;
/// from one day to the next, 86,400 s of market time pass, however many weeks the file leaves out.
#[derive(Debug)]
pub struct Bars {
    table: Arc<Table>,
    day: usize,
    /// How many rows of the day are over.
    index: usize,
    seq: u64,
    close_ms: i64,
}

impl Bars {
    /// A feed over all rows of a table.
    pub fn new(table: Arc<Table>, start: Position) -> Bars {
        let (day, index) = start_day(&table, start);
        let mut bars = Bars {
            table,
            day,
            index: usize::try_from(index).unwrap_or(usize::MAX),
            seq: start.seq,
            close_ms: 0,
        };
        bars.open_day();
        bars
    }

    fn open_day(&mut self) {
        if let Some(day) = self.table.days.get(self.day) {
            self.close_ms = market::close_ms(day.date);
        }
    }

    pub(super) fn next_into(&mut self, event: &mut Event) -> bool {
        loop {
            let Some(day) = self.table.days.get(self.day) else {
                return false;
            };
            if self.index < day.rows.len() {
                break;
            }
            self.day += 1;
            self.index = 0;
            self.open_day();
        }
        let row = &self.table.rows[self.table.days[self.day].rows.start + self.index];
        event.stream = Stream::Main;
        event.seq = self.seq;
        event.symbol = row.symbol;
        event.event_time_ms = self.close_ms;
        event.market_ms = self.day as u64 * DAY_MS as u64;
        event.day = self.day as u32;
        event.price = row.close;
        event.json.extend_from_slice(row.json.as_bytes());
        write_end(&mut event.json, self.close_ms, self.seq);
        self.index += 1;
        self.seq += 1;
        true
    }

    pub(super) fn position(&self) -> Position {
        Position {
            date: date_of(&self.table, self.day),
            index: self.index as u64,
            seq: self.seq,
            bars_seq: 0,
        }
    }

    pub(super) fn events_left(&self) -> u64 {
        match self.table.days.get(self.day) {
            Some(day) => {
                let over = day.rows.start + self.index.min(day.rows.len());
                (self.table.rows.len() - over) as u64
            }
            None => 0,
        }
    }
}
