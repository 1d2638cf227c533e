//! From CSV to a [`Table`].

use std::collections::{HashMap, HashSet};
use std::io::Read;

use anyhow::Context;
use chrono::NaiveDate;
use csv::{ByteRecord, Trim};
use rust_decimal::Decimal;
use tickertape_client::UsageError;

use crate::number;
use crate::options::OnBadRow;
use crate::table::columns::Columns;
use crate::table::lines::Lines;
use crate::table::render::{self, Shape};
use crate::table::{BadRow, Day, ReadOptions, Row, Table};

/// How many skipped rows are told one by one; beyond that only their number is.
const TOLD_MAX: u64 = 10;

/// A row whose cells were checked.
pub(super) struct Checked {
    pub(super) symbol: usize,
    pub(super) date: NaiveDate,
    pub(super) cells: Vec<Box<str>>,
    /// Open, high, low, close, volume; `None` where the cell is null or the column absent.
    pub(super) prices: [Option<Decimal>; 4],
    pub(super) volume: Option<Decimal>,
}

impl Table {
    /// Reads all of `source`, which is called `name` in messages.
    ///
    /// # Errors
    /// A [`UsageError`] for a column, a symbol or a range of dates that the file does not have; a [`BadRow`],
    /// unless bad rows are skipped; whatever the source fails with.
    pub fn read(source: impl Read, name: &str, options: &ReadOptions) -> anyhow::Result<Table> {
        let lines = Lines::default();
        let mut csv = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(Trim::All)
            .from_reader(lines.counting(source));
        let headers = csv.byte_headers().with_context(|| format!("reading {name}"))?;
        let mut headers: Vec<String> = headers
            .iter()
            .map(|header| String::from_utf8_lossy(header).into_owned())
            .collect();
        if let Some(first) = headers.first_mut() {
            *first = first.trim_start_matches('\u{feff}').trim().to_owned();
        }
        if headers.iter().all(String::is_empty) {
            return Err(UsageError(format!("{name} is empty; a header line is needed")).into());
        }
        let columns = Columns::find(headers, &options.columns, options.for_ticks, name)?;
        let mut reading = Reading::new(name, columns, options);
        let mut record = ByteRecord::new();
        while csv
            .read_byte_record(&mut record)
            .with_context(|| format!("reading {name}"))?
        {
            let breaks = record.as_slice().iter().filter(|byte| **byte == b'\n');
            let line = lines.line(csv.position().byte(), breaks.count());
            reading.take(line, &record)?;
        }
        reading.finish()
    }
}

struct Reading<'a> {
    name: &'a str,
    columns: Columns,
    options: &'a ReadOptions,
    price_places: [Option<usize>; 4],
    volume_place: Option<usize>,
    symbols: Vec<String>,
    by_name: HashMap<String, usize>,
    checked: Vec<Checked>,
    taken: HashSet<(usize, NaiveDate)>,
    dates: Option<(NaiveDate, NaiveDate)>,
    skipped: u64,
}

impl<'a> Reading<'a> {
    fn new(name: &'a str, columns: Columns, options: &'a ReadOptions) -> Reading<'a> {
        Reading {
            name,
            price_places: ["open", "high", "low", "close"].map(|price| columns.place(price)),
            volume_place: columns.place("volume"),
            columns,
            options,
            symbols: Vec::new(),
            by_name: HashMap::new(),
            checked: Vec::new(),
            taken: HashSet::new(),
            dates: None,
            skipped: 0,
        }
    }

    fn take(&mut self, line: u64, record: &ByteRecord) -> anyhow::Result<()> {
        match self.check(line, record) {
            Ok(Some(checked)) => {
                self.checked.push(checked);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(bad) => self.bad_row(bad),
        }
    }

    fn bad_row(&mut self, bad: BadRow) -> anyhow::Result<()> {
        match self.options.on_bad_row {
            OnBadRow::Fail => Err(bad)
                .with_context(|| format!("{} has a bad row (--on-bad-row skip leaves such rows out)", self.name)),
            OnBadRow::Skip => {
                if self.skipped < TOLD_MAX {
                    tracing::warn!("{}: {bad}; row skipped", self.name);
                }
                self.skipped += 1;
                Ok(())
            }
        }
    }

    /// The row when it is wanted, nothing when it is not.
    fn check(&mut self, line: u64, record: &ByteRecord) -> Result<Option<Checked>, BadRow> {
        let bad = |place: usize, reason: &str| BadRow {
            line,
            column: self.columns.headers.get(place).cloned().unwrap_or_default(),
            value: String::from_utf8_lossy(record.get(place).unwrap_or_default()).into_owned(),
            reason: reason.to_owned(),
        };
        let width = self.columns.headers.len();
        if record.len() < width {
            let reason = format!("is missing: the row has {} of {width} columns", record.len());
            return Err(bad(record.len(), &reason));
        }
        if record.len() > width {
            let reason = format!("is one too many: the header has {width} columns");
            return Err(bad(width, &reason));
        }
        let mut cells: Vec<Box<str>> = Vec::with_capacity(width);
        for (place, cell) in record.iter().enumerate() {
            let text = std::str::from_utf8(cell).map_err(|_| bad(place, "is not UTF-8"))?;
            cells.push(text.into());
        }
        let symbol = &*cells[self.columns.symbol];
        if symbol.is_empty() {
            return Err(bad(self.columns.symbol, "is no symbol"));
        }
        let date = parse_date(&cells[self.columns.date])
            .ok_or_else(|| bad(self.columns.date, "is not a date; dates are written 2012-06-01"))?;
        let symbol = self.symbol(symbol);
        if !self.wants(symbol, date) {
            return Ok(None);
        }
        let bad = |place: usize, reason: &str| BadRow {
            line,
            column: self.columns.headers[place].clone(),
            value: cells[place].to_string(),
            reason: reason.to_owned(),
        };
        let number = |place: Option<usize>| match place {
            Some(place) if !number::is_null(&cells[place]) => {
                let decimal = number::decimal(&cells[place]);
                decimal.map(Some).ok_or_else(|| bad(place, "is not a number"))
            }
            _ => Ok(None),
        };
        for column in self.columns.carried.iter().filter(|column| column.numeric) {
            let cell = &cells[column.place];
            if !number::is_null(cell) && number::json_number(cell).is_none() {
                return Err(bad(column.place, "is not a number"));
            }
        }
        let [open, high, low, close] = self.price_places;
        let prices = [number(open)?, number(high)?, number(low)?, number(close)?];
        let volume = number(self.volume_place)?;
        if self.options.for_ticks {
            if let Some(place) = self.volume_place
                && volume.is_some_and(|volume| volume.is_sign_negative() && !volume.is_zero())
            {
                return Err(bad(place, "is less than nothing"));
            }
            if self.taken.contains(&(symbol, date)) {
                return Err(bad(self.columns.date, "has a row of this symbol already"));
            }
        }
        let checked = Checked {
            symbol,
            date,
            cells,
            prices,
            volume,
        };
        if self.options.for_ticks {
            render::check_bar(&checked).map_err(|(column, reason)| {
                let place = self.columns.place(column).unwrap_or_default();
                BadRow {
                    line,
                    column: self.columns.headers[place].clone(),
                    value: checked.cells[place].to_string(),
                    reason,
                }
            })?;
            self.taken.insert((symbol, date));
        }
        Ok(Some(checked))
    }

    fn symbol(&mut self, name: &str) -> usize {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        self.symbols.push(name.to_owned());
        self.by_name.insert(name.to_owned(), self.symbols.len() - 1);
        self.symbols.len() - 1
    }

    fn wants(&mut self, symbol: usize, date: NaiveDate) -> bool {
        self.dates = match self.dates {
            None => Some((date, date)),
            Some((first, last)) => Some((first.min(date), last.max(date))),
        };
        let options = self.options;
        (options.symbols.is_empty() || options.symbols.contains(&self.symbols[symbol]))
            && options.from.is_none_or(|from| date >= from)
            && options.to.is_none_or(|to| date <= to)
    }

    fn finish(mut self) -> anyhow::Result<Table> {
        for wanted in &self.options.symbols {
            if !self.by_name.contains_key(wanted) {
                let symbols = self.symbols.iter().map(String::as_str);
                let kind = format!("symbol in {}", self.name);
                return Err(UsageError::unknown(&kind, wanted, symbols).into());
            }
        }
        if self.checked.is_empty() {
            let text = match self.dates {
                Some((first, last)) => format!(
                    "{} has no row between --from and --to; its dates are {first} to {last}",
                    self.name
                ),
                None => format!("{} has no rows that can be read", self.name),
            };
            return Err(UsageError(text).into());
        }
        if self.skipped > TOLD_MAX {
            tracing::warn!("{}: {} rows skipped in all", self.name, self.skipped);
        }
        self.checked.sort_by_key(|row| row.date);
        let shape = Shape::of(&self.columns, &self.checked);
        let rows: Vec<Row> = self
            .checked
            .iter()
            .map(|row| shape.render(row, &self.symbols[row.symbol], self.options.for_ticks))
            .collect();
        let traded = rows.iter().filter(|row| row.bar.is_some_and(|bar| bar.volume > 0));
        let untraded = rows.len() - traded.count();
        if self.options.for_ticks && untraded > 0 {
            let (name, all) = (self.name, rows.len());
            tracing::warn!("{name}: {untraded} of {all} rows have no volume or no prices, so no ticks");
        }
        Ok(Table {
            days: days(&rows),
            symbols: self.symbols,
            rows,
            skipped: self.skipped,
        })
    }
}

fn days(rows: &[Row]) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        match days.last_mut() {
            Some(day) if day.date == row.date => day.rows.end = place + 1,
            _ => days.push(Day {
                date: row.date,
                rows: place..place + 1,
            }),
        }
    }
    days
}

/// `2012-06-01`, also with a time of day behind it, `2012/06/01`, `20120601` or `06/01/2012`.
fn parse_date(cell: &str) -> Option<NaiveDate> {
    let day = cell.split([' ', 'T']).next().unwrap_or(cell);
    let formats: &[&str] = match day.len() {
        8 if day.bytes().all(|byte| byte.is_ascii_digit()) => &["%Y%m%d"],
        _ => &["%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y"],
    };
    let mut dates = formats
        .iter()
        .filter_map(|format| NaiveDate::parse_from_str(day, format).ok());
    // A market of the year 12 is a year written with two digits.
    dates.find(|date| (1000..10_000).contains(&chrono::Datelike::year(date)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_people_write_them() {
        let date = NaiveDate::from_ymd_opt(2012, 6, 1);
        for text in [
            "2012-06-01",
            "2012-6-1",
            "2012/06/01",
            "20120601",
            "06/01/2012",
            "2012-06-01 00:00:00-04:00",
            "2012-06-01T00:00:00Z",
        ] {
            assert_eq!(parse_date(text), date, "{text}");
        }
        for text in ["", "2012-13-01", "12-06-01", "June", "2012", "1338508800"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
