//! From JSON's events to columns: what each kind of value does to each kind of column.
//!
//! The parser hands over one value at a time and nothing in between is built. A value that a column can't
//! hold either widens the column or makes the whole message one to reject; which of them, and why, is left in
//! the [`Context`], since an error of serde's carries only text.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};
use sonic_rs::LazyValue;

use super::{
    OnNewType,
    buffer::{Buffer, FieldSet, Values},
    decimal::exact_double,
    text::WriteText,
};
use crate::{
    date::{day_of_digits, micros_of_rfc3339},
    names::column_name,
    schema::{ColumnType, beside},
};

/// What goes on while one message is decoded.
pub(super) struct Context<'a> {
    /// The message is known to become a row, so it may teach the table new columns and types.
    pub(super) may_teach: bool,
    /// What is done about a value of a new type.
    pub(super) on_new_type: OnNewType,
    /// The field that holds the event's time.
    pub(super) time_fields: &'a [String],
    /// The list that is being read has a type that stays.
    pub(super) in_fixed_list: bool,
    /// How many more columns the table may get.
    pub(super) columns_left: &'a mut usize,
    /// Why the message was given up.
    pub(super) failure: Option<Failure>,
    /// The value just read doesn't fit its column, whose type stays: it goes beside it.
    pub(super) spilled: Option<Spilled>,
    /// Numbers are read by their own digits, as the parser's may have lost some.
    pub(super) exact: bool,
}

/// A value for the column beside its own.
#[derive(Debug)]
pub(super) enum Spilled {
    /// A number.
    Double(f64),
    /// A string, or JSON text.
    Text(String),
}

/// Why a message was given up.
#[derive(Debug)]
pub(super) enum Failure {
    /// It goes to the rejected ones.
    Reject(String),
    /// A column was marked to become text: start again.
    Widen,
    /// An item doesn't fit its list, whose type stays: the list goes beside it as a whole.
    Spill,
    /// It would teach the table something, and it is not known yet whether it becomes a row.
    Teach,
    /// It has a number of which the digits matter, and the parser has made a double of it: to be read once more by digits.
    Digits,
}

/// Doubles hold every integer up to this.
const DOUBLE_INT_MAX: u64 = 1 << 53;
/// From here on, what the parser gives as a double may have been an integer.
const INT_BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// Whether a JSON value's text is a number's.
pub(super) fn is_number(raw: &str) -> bool {
    raw.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

impl Context<'_> {
    /// Stops the message with a reason; the parser's own error is of no interest then.
    fn fail<E: Error>(&mut self, failure: Failure) -> E {
        self.failure.get_or_insert(failure);
        E::custom("")
    }

    pub(super) fn reject<E: Error>(&mut self, reason: impl Into<String>) -> E {
        self.fail(Failure::Reject(reason.into()))
    }

    /// Called before a message changes the table: one that turns out to be no row further on must not.
    pub(super) fn teach<E: Error>(&mut self) -> Result<(), E> {
        if self.may_teach {
            Ok(())
        } else {
            Err(self.fail(Failure::Teach))
        }
    }

    /// A value that a column can't hold, whose type stays: the column has a null, and the value goes beside it.
    #[cold]
    pub(super) fn spill<E: Error>(&mut self, column: &mut Buffer, value: Spilled) -> Result<(), E> {
        if column.is_item {
            return Err(self.fail(Failure::Spill));
        }
        column.pad(column.len() + 1);
        self.spilled = Some(value);
        Ok(())
    }

    /// Whether what doesn't fit this column goes beside it.
    pub(super) fn spills(&self, column: &Buffer) -> bool {
        self.on_new_type == OnNewType::Widen && (column.fixed || (column.is_item && self.in_fixed_list))
    }

    /// A value whose type is in conflict with its column's.
    pub(super) fn conflict<E: Error>(&mut self, column: &mut Buffer, got: &str) -> E {
        if self.on_new_type == OnNewType::Reject {
            return self.reject(format!("{got} does not fit the column's type"));
        }
        if let Err(error) = self.teach() {
            return error;
        }
        column.to_text = true;
        self.fail(Failure::Widen)
    }
}

/// An object's fields into their columns, as row `row`.
pub(super) struct ObjectSeed<'s, 'c, 'a> {
    pub(super) fields: &'s mut FieldSet,
    pub(super) row: usize,
    /// The message itself, whose fields are the table's columns.
    pub(super) is_table: bool,
    pub(super) context: &'c mut Context<'a>,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self {
            fields,
            row,
            is_table,
            context,
        } = self;
        let mut expected = 0;
        loop {
            let key = KeySeed {
                fields,
                expected,
                is_table,
                context,
            };
            let Some(at) = map.next_key_seed(key)? else {
                return Ok(());
            };
            expected = at + 1;
            let Some(column) = fields.buffers.get_mut(at) else {
                continue;
            };
            if column.len() > row {
                return Err(context.reject(format!("field {}: twice in one object", fields.name(at))));
            }
            column.pad(row);
            if let Err(error) = map.next_value_seed(ValueSeed { column, context }) {
                if let Some(Failure::Reject(reason)) = &mut context.failure
                    && !reason.starts_with(super::NOT_JSON)
                {
                    let name = fields.name(at);
                    *reason = match reason.strip_prefix("field ") {
                        Some(inner) => format!("field {name}.{inner}"),
                        None => format!("field {name}: {reason}"),
                    };
                }
                return Err(error);
            }
            if let Some(spilled) = context.spilled.take() {
                push_beside(fields, at, row, spilled, context)?;
            }
        }
    }
}

/// A value into the column beside its own, which may be new.
#[cold]
fn push_beside<E: Error>(
    fields: &mut FieldSet,
    at: usize,
    row: usize,
    value: Spilled,
    context: &mut Context<'_>,
) -> Result<(), E> {
    let kind = match value {
        Spilled::Double(_) => ColumnType::Double,
        Spilled::Text(_) => ColumnType::Text,
    };
    let name = beside(fields.name(at), &kind);
    let at = match fields.beside(&name) {
        Some(at) => at,
        None => {
            context.teach()?;
            if *context.columns_left == 0 {
                return Err(context.reject(format!("field {name}: the table has too many columns already")));
            }
            *context.columns_left -= 1;
            let at = fields.add(&name, name.clone(), false);
            if let Some(column) = fields.buffers.get_mut(at) {
                column.learn(&kind);
            }
            at
        }
    };
    let Some(column) = fields.buffers.get_mut(at) else {
        return Ok(());
    };
    if column.len() > row {
        return Err(context.reject(format!("field {name}: twice in one object")));
    }
    column.pad(row);
    let seed = ValueSeed { column, context };
    match value {
        Spilled::Double(value) => seed.visit_f64(value),
        Spilled::Text(value) => seed.visit_str(&value),
    }
}

/// A field's name into its column's position.
struct KeySeed<'s, 'c, 'a> {
    fields: &'s mut FieldSet,
    expected: usize,
    is_table: bool,
    context: &'c mut Context<'a>,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    #[inline]
    fn visit_str<E: Error>(self, spelling: &str) -> Result<usize, E> {
        match self.fields.position(spelling, self.expected) {
            Some(at) => Ok(at),
            None => self.new_field(spelling),
        }
    }
}

impl KeySeed<'_, '_, '_> {
    #[cold]
    fn new_field<E: Error>(self, spelling: &str) -> Result<usize, E> {
        let Self {
            fields,
            is_table,
            context,
            ..
        } = self;
        let Ok(name) = FieldSet::column_name(spelling, is_table) else {
            return Err(context.reject(format!("field {spelling}: a name that the sink keeps for itself")));
        };
        if let Some(at) = fields.alias(spelling, &name) {
            return Ok(at);
        }
        context.teach()?;
        if *context.columns_left == 0 {
            return Err(context.reject(format!("field {spelling}: the table has too many columns already")));
        }
        *context.columns_left -= 1;
        let holds_time = is_table && context.time_fields.iter().any(|field| column_name(field) == name);
        Ok(fields.add(spelling, name, holds_time))
    }
}

/// A value into its column, as the row after the column's last.
pub(super) struct ValueSeed<'s, 'c, 'a> {
    pub(super) column: &'s mut Buffer,
    pub(super) context: &'c mut Context<'a>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match &self.column.values {
            Values::Decimal(_) => self.decimal(deserializer),
            Values::List(_) if self.context.spills(self.column) && !self.column.is_item => {
                self.fixed_list(deserializer)
            }
            _ if self.context.exact => self.by_digits(deserializer),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl ValueSeed<'_, '_, '_> {
    /// A list whose type stays, and which goes beside its column as a whole if one of its items doesn't fit.
    fn fixed_list<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let value = LazyValue::deserialize(deserializer)?;
        let raw = value.as_raw_str();
        let Self { column, context } = self;
        let row = column.len();
        let outer = std::mem::replace(&mut context.in_fixed_list, true);
        let mut parser = sonic_rs::Deserializer::from_str(raw);
        let seed = ValueSeed {
            column: &mut *column,
            context: &mut *context,
        };
        let parsed = parser.deserialize_any(seed);
        context.in_fixed_list = outer;
        match (parsed, &context.failure) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(Failure::Spill)) => {
                context.failure = None;
                column.truncate(row);
                let (mut text, mut inexact) = (Vec::new(), false);
                let mut parser = sonic_rs::Deserializer::from_str(raw);
                let write = WriteText {
                    text: &mut text,
                    exact: true,
                    inexact: &mut inexact,
                };
                write.deserialize(&mut parser).map_err(D::Error::custom)?;
                context.spill(
                    column,
                    Spilled::Text(String::from_utf8(text).map_err(D::Error::custom)?),
                )
            }
            (Err(error), _) => Err(D::Error::custom(error)),
        }
    }

    /// Gives the column its first type.
    #[cold]
    pub(super) fn learn<E: Error>(&mut self, kind: &ColumnType) -> Result<(), E> {
        self.context.teach()?;
        self.column.learn(kind);
        Ok(())
    }

    /// A scalar into a text column.
    pub(super) fn push_text<E: Error>(self, text: &str) -> Result<(), E> {
        if let Values::Text(column) = &mut self.column.values {
            column.bytes.extend_from_slice(text.as_bytes());
            column.end();
            self.column.not_null();
            return Ok(());
        }
        if self.context.spills(self.column) {
            return self.context.spill(self.column, Spilled::Text(text.to_owned()));
        }
        Err(self.context.conflict(self.column, text))
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.column.pad(self.column.len() + 1);
        Ok(())
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        if matches!(self.column.values, Values::Unknown) {
            self.learn(&ColumnType::Boolean)?;
        }
        let Values::Boolean(values) = &mut self.column.values else {
            return self.push_text(if value { "true" } else { "false" });
        };
        values.push(value);
        self.column.not_null();
        Ok(())
    }

    #[inline]
    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        if matches!(self.column.values, Values::Unknown) {
            self.learn(&ColumnType::Int)?;
        }
        match &mut self.column.values {
            Values::Int(values) => values.push(value),
            #[expect(clippy::cast_precision_loss, reason = "it has the same value as a double")]
            Values::Double(values) if value.unsigned_abs() <= DOUBLE_INT_MAX => values.push(value as f64),
            Values::Double(values) => match exact_double(i128::from(value)) {
                Some(value) => values.push(value),
                None => return self.push_text(&value.to_string()),
            },
            Values::Timestamp(_) | Values::Date(_) => {
                return Err(self.context.reject(format!("{value} is not a time")));
            }
            _ => return self.push_text(&value.to_string()),
        }
        self.column.not_null();
        Ok(())
    }

    #[inline]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.big_integer(&value.to_string()),
        }
    }

    #[inline]
    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        if !self.context.exact && value.abs() >= INT_BEYOND {
            return Err(self.context.fail(Failure::Digits));
        }
        if matches!(self.column.values, Values::Unknown) {
            self.learn(&ColumnType::Double)?;
        }
        if matches!(self.column.values, Values::Int(_)) {
            if self.context.spills(self.column) {
                return self.context.spill(self.column, Spilled::Double(value));
            }
            if self.context.on_new_type == OnNewType::Reject {
                return Err(self
                    .context
                    .reject(format!("{value:?} does not fit the column's type, int")));
            }
            self.context.teach()?;
            if !self.column.ints_to_doubles() {
                return Err(self.context.conflict(self.column, &format!("{value:?}")));
            }
        }
        match &mut self.column.values {
            Values::Double(values) => values.push(value),
            Values::Timestamp(_) | Values::Date(_) => {
                return Err(self.context.reject(format!("{value:?} is not a time")));
            }
            _ if !self.context.exact => return Err(self.context.fail(Failure::Digits)),
            _ => return self.push_text(&format!("{value:?}")),
        }
        self.column.not_null();
        Ok(())
    }

    #[inline]
    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        if matches!(self.column.values, Values::Unknown) {
            let time = self.column.holds_time && micros_of_rfc3339(value).is_some();
            self.learn(if time {
                &ColumnType::Timestamp
            } else {
                &ColumnType::Text
            })?;
        }
        let spills = self.context.spills(self.column);
        let short = || value.chars().take(64).collect::<String>();
        match &mut self.column.values {
            Values::Text(column) => {
                column.bytes.extend_from_slice(value.as_bytes());
                column.end();
            }
            Values::Timestamp(values) => match micros_of_rfc3339(value) {
                Some(micros) => values.push(micros),
                None => return Err(self.context.reject(format!("{:?} is not a time (RFC 3339)", short()))),
            },
            Values::Date(values) => match day_of_digits(value.as_bytes()) {
                Some(day) => values.push(day),
                None => return Err(self.context.reject(format!("{:?} is not a date (YYYY-MM-DD)", short()))),
            },
            _ if spills => {
                return self.context.spill(self.column, Spilled::Text(value.to_owned()));
            }
            _ => {
                let got = format!("{:?}", short());
                return Err(self.context.conflict(self.column, &got));
            }
        }
        self.column.not_null();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        if matches!(self.column.values, Values::Unknown) {
            self.learn(&ColumnType::Struct(Vec::new()))?;
        }
        let spills = self.context.spills(self.column);
        let row = self.column.len();
        match &mut self.column.values {
            Values::Struct(fields) => {
                let object = ObjectSeed {
                    fields,
                    row,
                    is_table: false,
                    context: &mut *self.context,
                };
                object.visit_map(map)?;
            }
            Values::Text(column) => {
                let mut inexact = false;
                let write = WriteText {
                    text: &mut column.bytes,
                    exact: self.context.exact,
                    inexact: &mut inexact,
                };
                write.visit_map(map)?;
                if inexact {
                    return Err(self.context.fail(Failure::Digits));
                }
                column.end();
            }
            _ if spills => {
                let (mut text, mut inexact) = (Vec::new(), false);
                let write = WriteText {
                    text: &mut text,
                    exact: self.context.exact,
                    inexact: &mut inexact,
                };
                write.visit_map(map)?;
                if inexact {
                    return Err(self.context.fail(Failure::Digits));
                }
                let text = String::from_utf8(text).map_err(A::Error::custom)?;
                return self.context.spill(self.column, Spilled::Text(text));
            }
            _ => return Err(self.context.conflict(self.column, "an object")),
        }
        self.column.not_null();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        if matches!(self.column.values, Values::Unknown) {
            self.learn(&ColumnType::List(Box::new(ColumnType::Unknown)))?;
        }
        let spills = self.context.spills(self.column);
        match &mut self.column.values {
            Values::List(list) => {
                loop {
                    let item = ValueSeed {
                        column: &mut list.item,
                        context: &mut *self.context,
                    };
                    if seq.next_element_seed(item)?.is_none() {
                        break;
                    }
                }
                list.end();
            }
            Values::Text(column) => {
                let mut inexact = false;
                let write = WriteText {
                    text: &mut column.bytes,
                    exact: self.context.exact,
                    inexact: &mut inexact,
                };
                write.visit_seq(seq)?;
                if inexact {
                    return Err(self.context.fail(Failure::Digits));
                }
                column.end();
            }
            _ if spills => {
                let (mut text, mut inexact) = (Vec::new(), false);
                let write = WriteText {
                    text: &mut text,
                    exact: self.context.exact,
                    inexact: &mut inexact,
                };
                write.visit_seq(seq)?;
                if inexact {
                    return Err(self.context.fail(Failure::Digits));
                }
                let text = String::from_utf8(text).map_err(A::Error::custom)?;
                return self.context.spill(self.column, Spilled::Text(text));
            }
            _ => return Err(self.context.conflict(self.column, "a list")),
        }
        self.column.not_null();
        Ok(())
    }
}
