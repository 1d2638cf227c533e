//! Feeds: what happens in the market, one event after the other, in market time order.
//!
//! | feed | event | `event_time` | market time between events |
//! |---|---|---|---|
//! | [`Sample`](sample::Sample) | a random row | the wall clock's | `--interval` |
//! | [`Bars`](bars::Bars) | a row, by date | 16:00 New York of its date | 86,400 s a day that the file has |
//! | [`Ticks`](ticks::Ticks) | a trade; the day's bar at its close | the trade's own | the session's, 23,400 s a day |
//!
//! An event is one JSON object in a buffer that the next event reuses: nothing is allocated per event. Each
//! stream numbers its events in `seq`, from 0, without gaps. A feed stands at a [`Position`] and can be made
//! to start at one: it then gives the same events as a feed that had played up to there.

pub mod bars;
pub mod sample;
pub mod ticks;

use std::sync::Arc;

use chrono::NaiveDate;

use crate::number;
use crate::options::{FeedKind, ProduceOptions};
use crate::table::{Row, Table};

/// Which stream an event belongs to, and with it which topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// What the feed is about: samples, bars, or ticks.
    #[default]
    Main,
    /// The bars that follow a day's ticks.
    Bars,
}

/// One event. Its buffer is reused by the next.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Its stream.
    pub stream: Stream,
    /// Its number in its stream; the same as in the JSON.
    pub seq: u64,
    /// Its symbol, an index of [`Table::symbols`].
    pub symbol: usize,
    /// When the simulated market emitted it, in milliseconds since the epoch; the same as in the JSON.
    pub event_time_ms: i64,
    /// Where it stands on the clock that runs only while the market is open.
    pub market_ms: u64,
    /// Which day of the file it belongs to.
    pub day: u32,
    /// Its price as near as a float comes, for showing.
    pub price: f64,
    /// The message.
    pub json: Vec<u8>,
}

/// The place of a feed's next event: a small value, to be kept and given to a later run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The day of the next event; `None` for the first day of the file. When the file has no such day, the
    /// first after it.
    pub date: Option<NaiveDate>,
    /// How many of that day's events are over (with `sample`: of all events).
    pub index: u64,
    /// The `seq` of the next event of the main stream.
    pub seq: u64,
    /// The `seq` of the next bar that follows a day's ticks.
    pub bars_seq: u64,
}

/// A feed of one of the three kinds.
#[derive(Debug)]
pub enum Feed {
    /// A random row each interval.
    Sample(Box<sample::Sample>),
    /// Every row, by date.
    Bars(bars::Bars),
    /// Simulated sessions.
    Ticks(ticks::Ticks),
}

impl Stream {
    /// Its topic's place in [`ProduceOptions::topics`].
    pub(crate) fn index(self) -> usize {
        match self {
            Stream::Main => 0,
            Stream::Bars => 1,
        }
    }
}

impl Position {
    /// The place of the first event of a day.
    pub(crate) fn of_day(table: &Table, options: &ProduceOptions, date: NaiveDate) -> Position {
        let day = table.days.partition_point(|day| day.date < date);
        let rows = table.days.get(day).map_or(table.rows.len(), |day| day.rows.start);
        let (seq, bars_seq) = match options.feed {
            FeedKind::Ticks => (trades_of(&table.rows[..rows], options.ticks_per_day), rows as u64),
            FeedKind::Bars | FeedKind::Sample => (rows as u64, 0),
        };
        Position {
            date: Some(date),
            index: 0,
            seq,
            bars_seq,
        }
    }
}

/// How many trades a simulated market makes of these rows.
fn trades_of(rows: &[Row], ticks_per_day: u32) -> u64 {
    let bars = rows.iter().filter_map(|row| row.bar.as_ref());
    bars.map(|bar| u64::from(bar.trade_count(ticks_per_day))).sum()
}

impl Feed {
    /// The feed that the options ask for, standing at [`ProduceOptions::start`].
    pub fn new(table: Arc<Table>, options: &ProduceOptions) -> Feed {
        let start = options.start.unwrap_or_default();
        let seed = options.seed;
        match options.feed {
            FeedKind::Sample => {
                let interval = options.interval;
                let clock = Box::new(crate::clock::wall_ms);
                let sample = sample::Sample::new(table, seed, interval, clock, start);
                Feed::Sample(Box::new(sample))
            }
            FeedKind::Bars => Feed::Bars(bars::Bars::new(table, start)),
            FeedKind::Ticks => Feed::Ticks(ticks::Ticks::new(table, seed, options.ticks_per_day, start)),
        }
    }

    /// Makes `event` the next event; `false`, and nothing in it, when there is none.
    pub fn next_into(&mut self, event: &mut Event) -> bool {
        event.json.clear();
        match self {
            Feed::Sample(feed) => feed.next_into(event),
            Feed::Bars(feed) => feed.next_into(event),
            Feed::Ticks(feed) => feed.next_into(event),
        }
    }

    /// To be called when an event that was waited for is due: gives a sample, which is of now, the time of
    /// now. Other events have a time of their own.
    pub fn stamp(&self, event: &mut Event) {
        if let Feed::Sample(feed) = self {
            feed.stamp(event);
        }
    }

    /// Where the feed stands: the place of the next event.
    pub fn position(&self) -> Position {
        match self {
            Feed::Sample(feed) => feed.position(),
            Feed::Bars(feed) => feed.position(),
            Feed::Ticks(feed) => feed.position(),
        }
    }

    /// How many events are left; `None`: there is no end.
    pub fn events_left(&self) -> Option<u64> {
        match self {
            Feed::Sample(_) => None,
            Feed::Bars(feed) => Some(feed.events_left()),
            Feed::Ticks(feed) => Some(feed.events_left()),
        }
    }
}

/// The first day of the table at or after the position's, and how many of its events are over.
fn start_day(table: &Table, start: Position) -> (usize, u64) {
    let Some(date) = start.date else {
        return (0, start.index);
    };
    let day = table.days.partition_point(|day| day.date < date);
    match table.days.get(day) {
        Some(found) if found.date == date => (day, start.index),
        _ => (day, 0),
    }
}

/// The date at which a feed stands whose next day is `day`: beyond the last day, the day after it.
fn date_of(table: &Table, day: usize) -> Option<NaiveDate> {
    match table.days.get(day) {
        Some(day) => Some(day.date),
        None => table.days.last().and_then(|last| last.date.succ_opt()),
    }
}

/// Writes what follows a row's own columns: `,"event_time":"2012-06-01T20:00:00.000Z","seq":7}`.
fn write_end(out: &mut Vec<u8>, event_time_ms: i64, seq: u64) {
    out.extend_from_slice(b",\"event_time\":\"");
    write_time(out, event_time_ms);
    out.extend_from_slice(b"\",\"seq\":");
    out.extend_from_slice(itoa::Buffer::new().format(seq).as_bytes());
    out.push(b'}');
}

const DAY_MS: i64 = 86_400_000;

/// Writes a moment by RFC 3339, in UTC, with milliseconds.
fn write_time(out: &mut Vec<u8>, epoch_ms: i64) {
    let date = chrono::DateTime::from_timestamp_millis(epoch_ms - epoch_ms.rem_euclid(DAY_MS));
    let date = date.unwrap_or_default().date_naive();
    // Writing to a Vec does not fail.
    let _ = std::io::Write::write_fmt(out, format_args!("{date}T"));
    number::write_time_of_day(out, epoch_ms.rem_euclid(DAY_MS) as u32);
    out.push(b'Z');
}
