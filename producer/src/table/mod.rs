//! The rows of a CSV file, by date, ready to be played.
//!
//! Columns are found by their header ([`columns`]), so that any file with a symbol and a date will do. Every
//! number keeps the digits that the file gives it; an empty cell is null. A row that cannot be read is a
//! [`BadRow`] with its line, column and value, and either ends the reading or is skipped and counted.

pub mod columns;
mod lines;
mod read;
pub(crate) mod render;

use std::ops::Range;

use chrono::NaiveDate;

use crate::market::DayBar;
use crate::options::OnBadRow;

/// Everything that a feed plays.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The symbols, in order of their first row; rows name them by index.
    pub symbols: Vec<String>,
    /// The days that have rows, in order.
    pub days: Vec<Day>,
    /// The rows by date, and those of one date in the file's order.
    pub rows: Vec<Row>,
    /// How many bad rows were skipped.
    pub skipped: u64,
}

/// One date's rows.
#[derive(Clone, Debug)]
pub struct Day {
    /// The date.
    pub date: NaiveDate,
    /// Its rows, as a range of [`Table::rows`].
    pub rows: Range<usize>,
}

/// One row: a symbol's day.
#[derive(Clone, Debug)]
pub struct Row {
    /// An index of [`Table::symbols`].
    pub symbol: usize,
    /// The date.
    pub date: NaiveDate,
    /// The row as the beginning of a JSON object: its columns, without the closing brace.
    pub json: Box<str>,
    /// The close, as near as a float comes; for a view, never for an event. Not a number where there is none.
    pub close: f64,
    /// What a simulated session needs. `None` where prices or volume are null, or when the table was read
    /// without [`ReadOptions::for_ticks`].
    pub bar: Option<DayBar>,
}

/// What is read, and how.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Which header stands for which column, where the aliases do not tell: `symbol` -> `Index`.
    pub columns: Vec<(String, String)>,
    /// What to do with a bad row.
    pub on_bad_row: OnBadRow,
    /// Only these symbols; all when empty.
    pub symbols: Vec<String>,
    /// No day before this one.
    pub from: Option<NaiveDate>,
    /// No day after this one.
    pub to: Option<NaiveDate>,
    /// Whether each row must be a bar that trades can have made: prices and volume are required columns, and
    /// high below low, or a second row of the same symbol and date, is a bad row.
    pub for_ticks: bool,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column \"{column}\": \"{value}\" {reason}")]
pub struct BadRow {
    /// The line in the file, 1 for the header.
    pub line: u64,
    /// The column's header.
    pub column: String,
    /// What stands there.
    pub value: String,
    /// What is wrong with it: "is not a number".
    pub reason: String,
}
