//! Numbers by their own digits: those of decimals, those that a double would round, and those that become text.

use serde::{
    Deserialize,
    de::{Deserializer, Error, Visitor},
};
use sonic_rs::LazyValue;

use super::{
    OnNewType,
    buffer::Values,
    decimal::{decimal_of, exact_double},
    visit::{Spilled, ValueSeed, is_number},
};
use crate::schema::ColumnType;

/// What holds every integer of 64 bits, with a sign and without. A column of integers beyond the signed ones has it.
const WIDE_PRECISION: u8 = 20;

impl ValueSeed<'_, '_, '_> {
    /// A number by its own digits, which a double may not have.
    pub(super) fn decimal<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let value = LazyValue::deserialize(deserializer)?;
        let raw = value.as_raw_str().trim_ascii();
        let Self { column, context } = self;
        if raw == "null" {
            column.pad(column.len() + 1);
            return Ok(());
        }
        let quoted = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let digits = quoted.unwrap_or(raw);
        // Strings are numbers where the user says so, or where there is no other place for them.
        let may_be = quoted.is_none() || column.fixed || column.is_item;
        if may_be
            && let Values::Decimal(decimals) = &mut column.values
            && let Some(value) = decimal_of(digits, decimals.precision, decimals.scale)
        {
            decimals.values.push(value);
            column.not_null();
            return Ok(());
        }
        if context.spills(column) {
            return context.spill(column, Spilled::Text(digits.to_owned()));
        }
        if !column.fixed && context.on_new_type == OnNewType::Widen {
            return Err(context.conflict(column, digits));
        }
        let short: String = raw.chars().take(64).collect();
        Err(context.reject(format!("{short} is not a number of the column's digits")))
    }

    /// A value of which the numbers are taken by their digits.
    pub(super) fn by_digits<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let value = LazyValue::deserialize(deserializer)?;
        let raw = value.as_raw_str().trim_ascii();
        if !is_number(raw) {
            let mut parser = sonic_rs::Deserializer::from_str(raw);
            return parser.deserialize_any(self).map_err(D::Error::custom);
        }
        if let Ok(value) = raw.parse::<i64>() {
            return self.visit_i64(value);
        }
        if !raw.contains(['.', 'e', 'E']) {
            return self.big_integer(raw);
        }
        match self.column.values {
            Values::Unknown | Values::Int(_) | Values::Double(_) | Values::Timestamp(_) | Values::Date(_) => {
                self.visit_f64(raw.parse().map_err(D::Error::custom)?)
            }
            _ => self.push_text(raw),
        }
    }

    /// An integer beyond the signed ones of 64 bits.
    #[cold]
    pub(super) fn big_integer<E: Error>(mut self, digits: &str) -> Result<(), E> {
        let is_wide = digits.parse::<u64>().is_ok();
        match &self.column.values {
            Values::Unknown if is_wide => {
                let (precision, scale) = (WIDE_PRECISION, 0);
                self.learn(&ColumnType::Decimal { precision, scale })?;
            }
            Values::Unknown => self.learn(&ColumnType::Text)?,
            Values::Int(_) if is_wide && self.may_widen() => {
                self.context.teach()?;
                self.column.ints_to_decimals(WIDE_PRECISION);
            }
            _ => {}
        }
        match &mut self.column.values {
            Values::Double(values) => match digits.parse().ok().and_then(exact_double) {
                Some(value) => values.push(value),
                None => return self.push_text(digits),
            },
            Values::Decimal(decimals) => match decimal_of(digits, decimals.precision, decimals.scale) {
                Some(value) => decimals.values.push(value),
                None => return self.push_text(digits),
            },
            Values::Timestamp(_) | Values::Date(_) => {
                return Err(self.context.reject(format!("{digits} is not a time")));
            }
            _ => return self.push_text(digits),
        }
        self.column.not_null();
        Ok(())
    }

    /// Whether the column may still get another type.
    fn may_widen(&self) -> bool {
        self.context.on_new_type == OnNewType::Widen && !self.context.spills(self.column)
    }
}
