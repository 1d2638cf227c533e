//! From checked cells to the JSON of a bar, and to the whole units that a session is simulated in.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::market::DayBar;
use crate::number;
use crate::table::Row;
use crate::table::columns::Columns;
use crate::table::read::Checked;

/// What a file's columns look like over all of its rows, so that a column is of one type in every event.
pub(super) struct Shape<'a> {
    columns: &'a Columns,
    /// For each carried column, whether its cells stand in JSON as numbers.
    numbers: Vec<bool>,
    /// The fewest decimal places that a price, and a size, is written with: one as soon as the file has any.
    price_scale_min: u32,
    size_scale: u32,
}

impl<'a> Shape<'a> {
    pub(super) fn of(columns: &'a Columns, rows: &[Checked]) -> Shape<'a> {
        let is_number = |place: usize| {
            rows.iter()
                .all(|row| number::is_null(&row.cells[place]) || number::is_json_number(&row.cells[place]))
        };
        let carried = columns.carried.iter();
        let numbers = carried.map(|column| column.numeric || is_number(column.place));
        let with_point = |value: &Decimal| value.scale() > 0;
        let mut prices = rows.iter().flat_map(|row| row.prices.iter().flatten());
        let volumes = || rows.iter().filter_map(|row| row.volume.as_ref());
        let written = volumes().map(|volume| volume.normalize().scale()).max();
        Shape {
            columns,
            numbers: numbers.collect(),
            price_scale_min: u32::from(prices.any(with_point)),
            size_scale: written.unwrap_or(0).max(u32::from(volumes().any(with_point))),
        }
    }

    pub(super) fn render(&self, row: &Checked, symbol: &str, for_ticks: bool) -> Row {
        let bar = match for_ticks {
            true => day_bar(row, self.price_scale_min, self.size_scale).ok().flatten(),
            false => None,
        };
        Row {
            symbol: row.symbol,
            date: row.date,
            json: self.json(row, symbol).into_boxed_str(),
            close: row.prices[3].and_then(|close| close.to_f64()).unwrap_or(f64::NAN),
            bar,
        }
    }

    fn json(&self, row: &Checked, symbol: &str) -> String {
        let mut json = format!("{{\"symbol\":{},\"date\":\"{}\"", quoted(symbol), row.date);
        for (column, is_number) in self.columns.carried.iter().zip(&self.numbers) {
            let cell = &*row.cells[column.place];
            json.push(',');
            json.push_str(&quoted(&column.name));
            json.push(':');
            match number::json_number(cell) {
                Some(number) if *is_number => json.push_str(&number),
                _ if number::is_null(cell) => json.push_str("null"),
                _ => json.push_str(&quoted(cell)),
            }
        }
        json
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether trades can have made this row: the column that is wrong, and what is wrong with it.
pub(super) fn check_bar(row: &Checked) -> Result<(), (&'static str, String)> {
    let size_scale = row.volume.map_or(0, |volume| volume.normalize().scale());
    match day_bar(row, 0, size_scale)? {
        Some(bar) => bar.check().map_err(|wrong| (wrong.column, wrong.reason.to_owned())),
        None => Ok(()),
    }
}

/// The row in whole units; nothing where a price or the volume is null.
fn day_bar(row: &Checked, price_scale_min: u32, size_scale: u32) -> Result<Option<DayBar>, (&'static str, String)> {
    let ([Some(open), Some(high), Some(low), Some(close)], Some(volume)) = (row.prices, row.volume) else {
        return Ok(None);
    };
    let scales = [open, high, low, close].map(|price| price.scale());
    let price_scale = scales.into_iter().max().unwrap_or(0).max(price_scale_min);
    let price = |name: &'static str, value: Decimal| {
        let units = number::in_units(value, price_scale);
        let units = units.and_then(|units| i64::try_from(units).ok());
        units.ok_or_else(|| (name, "has more digits than a price can have (18)".to_owned()))
    };
    let digits = || {
        (
            "volume",
            "has more digits than a volume can have (18, 9 of them decimals)".to_owned(),
        )
    };
    if size_scale > u32::from(DayBar::SIZE_SCALE_MAX) {
        return Err(digits());
    }
    let units = number::in_units(volume, size_scale).and_then(|units| u64::try_from(units).ok());
    Ok(Some(DayBar {
        open: price("open", open)?,
        high: price("high", high)?,
        low: price("low", low)?,
        close: price("close", close)?,
        price_scale: price_scale as u8,
        volume: units.ok_or_else(digits)?,
        size_scale: size_scale as u8,
    }))
}
