//! The simulated sessions of all symbols, merged in time order, each followed by its bars.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::feed::{DAY_MS, Event, Position, Stream, date_of, start_day, trades_of, write_end};
use crate::market::{self, SESSION_MS, Session, Trade, day_seed};
use crate::number;
use crate::table::render::quoted;
use crate::table::{Row, Table};

/// A day is its trades in time order (of two at the same millisecond, first that of the symbol whose row
/// stands first), then the bars of all its rows, in the file's order, at the close. A row without prices or
/// volume has no trades, but its bar.
#[derive(Debug)]
pub struct Ticks {
    table: Arc<Table>,
    seed: u64,
    ticks_per_day: u32,
    day: usize,
    /// How many events of the day are over, and how many of them are trades.
    index: u64,
    trades: u64,
    open_ms: i64,
    close_ms: i64,
    seq: u64,
    bars_seq: u64,
    live: Vec<Live>,
    /// When the next trade of each live session is, and which session it is.
    next: BinaryHeap<Reverse<(u32, usize)>>,
}

/// A session that is going on.
#[derive(Debug)]
struct Live {
    session: Session,
    trade: Trade,
    symbol: usize,
    price_scale: u8,
    size_scale: u8,
    unit: f64,
    /// The event up to the time of day.
    head: Box<[u8]>,
}

impl Live {
    fn begin(row: &Row, symbol: &str, ticks_per_day: u32, seed: u64, open_ms: i64) -> Option<Live> {
        let bar = row.bar?;
        let mut session = Session::new(bar, ticks_per_day, day_seed(seed, symbol, row.date));
        let trade = session.next()?;
        // A session is over before midnight UTC, so its date in UTC is one.
        let utc = chrono::DateTime::from_timestamp_millis(open_ms).unwrap_or_default();
        let head = format!(
            "{{\"symbol\":{},\"date\":\"{}\",\"event_time\":\"{}T",
            quoted(symbol),
            row.date,
            utc.date_naive(),
        );
        Some(Live {
            trade,
            symbol: row.symbol,
            price_scale: bar.price_scale,
            size_scale: session.size_scale(),
            session,
            unit: 10_f64.powi(-i32::from(bar.price_scale)),
            head: head.into_bytes().into_boxed_slice(),
        })
    }
}

impl Ticks {
    /// A feed of `ticks_per_day` trades per symbol and day. The table must have been read for ticks.
    pub fn new(table: Arc<Table>, seed: u64, ticks_per_day: u32, start: Position) -> Ticks {
        let (day, over) = start_day(&table, start);
        let mut ticks = Ticks {
            table,
            seed,
            ticks_per_day,
            day,
            index: 0,
            trades: 0,
            open_ms: 0,
            close_ms: 0,
            seq: start.seq,
            bars_seq: start.bars_seq,
            live: Vec::new(),
            next: BinaryHeap::new(),
        };
        ticks.open_day();
        ticks.skip(over);
        ticks
    }

    fn open_day(&mut self) {
        (self.index, self.trades) = (0, 0);
        self.live.clear();
        self.next.clear();
        let Some(day) = self.table.days.get(self.day) else {
            return;
        };
        self.open_ms = market::open_ms(day.date);
        self.close_ms = market::close_ms(day.date);
        for row in &self.table.rows[day.rows.clone()] {
            let symbol = &self.table.symbols[row.symbol];
            let live = Live::begin(row, symbol, self.ticks_per_day, self.seed, self.open_ms);
            if let Some(live) = live {
                self.next.push(Reverse((live.trade.offset_ms, self.live.len())));
                self.live.push(live);
            }
        }
    }

    /// Plays so many events of the day without telling: their numbers are counted already.
    fn skip(&mut self, over: u64) {
        let rows = self.table.days.get(self.day).map_or(0, |day| day.rows.len());
        while self.index < over {
            if self.next_trade().is_some() {
                self.trades += 1;
            } else if self.index - self.trades >= rows as u64 {
                return;
            }
            self.index += 1;
        }
    }

    /// The next trade of the day, with its session's place; its successor is drawn.
    fn next_trade(&mut self) -> Option<(usize, Trade)> {
        let mut first = self.next.peek_mut()?;
        let place = first.0.1;
        let live = &mut self.live[place];
        let trade = live.trade;
        match live.session.next() {
            Some(next) => {
                live.trade = next;
                *first = Reverse((next.offset_ms, place));
            }
            None => {
                std::collections::binary_heap::PeekMut::pop(first);
            }
        }
        Some((place, trade))
    }

    pub(super) fn next_into(&mut self, event: &mut Event) -> bool {
        loop {
            let Some(day) = self.table.days.get(self.day) else {
                return false;
            };
            let rows = day.rows.clone();
            if let Some((place, trade)) = self.next_trade() {
                self.write_trade(event, place, trade);
                self.trades += 1;
                self.index += 1;
                self.seq += 1;
                return true;
            }
            let bar = (self.index - self.trades) as usize;
            if bar < rows.len() {
                self.write_bar(event, rows.start + bar);
                self.index += 1;
                self.bars_seq += 1;
                return true;
            }
            self.day += 1;
            self.open_day();
        }
    }

    fn write_trade(&self, event: &mut Event, place: usize, trade: Trade) {
        let live = &self.live[place];
        let event_time_ms = self.open_ms + i64::from(trade.offset_ms);
        event.stream = Stream::Main;
        event.seq = self.seq;
        event.symbol = live.symbol;
        event.event_time_ms = event_time_ms;
        event.market_ms = self.day as u64 * u64::from(SESSION_MS) + u64::from(trade.offset_ms);
        event.day = self.day as u32;
        event.price = trade.price as f64 * live.unit;
        let out = &mut event.json;
        out.extend_from_slice(&live.head);
        number::write_time_of_day(out, event_time_ms.rem_euclid(DAY_MS) as u32);
        out.extend_from_slice(b"Z\",\"seq\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.seq).as_bytes());
        out.extend_from_slice(b",\"price\":");
        number::write_fixed(out, trade.price, live.price_scale);
        out.extend_from_slice(b",\"size\":");
        number::write_fixed_u64(out, trade.size, live.size_scale);
        out.push(b'}');
    }

    fn write_bar(&self, event: &mut Event, row: usize) {
        let row = &self.table.rows[row];
        event.stream = Stream::Bars;
        event.seq = self.bars_seq;
        event.symbol = row.symbol;
        event.event_time_ms = self.close_ms;
        event.market_ms = (self.day as u64 + 1) * u64::from(SESSION_MS);
        event.day = self.day as u32;
        event.price = row.close;
        event.json.extend_from_slice(row.json.as_bytes());
        write_end(&mut event.json, self.close_ms, self.bars_seq);
    }

    pub(super) fn position(&self) -> Position {
        Position {
            date: date_of(&self.table, self.day),
            index: self.index,
            seq: self.seq,
            bars_seq: self.bars_seq,
        }
    }

    pub(super) fn events_left(&self) -> u64 {
        let Some(day) = self.table.days.get(self.day) else {
            return 0;
        };
        let rows = &self.table.rows[day.rows.start..];
        let trades = trades_of(rows, self.ticks_per_day);
        (trades + rows.len() as u64).saturating_sub(self.index)
    }
}
