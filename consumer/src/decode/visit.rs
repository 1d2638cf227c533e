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
    decimal::decimal_of,
    text::WriteText,
};
use crate::{
    date::{day_of_digits, micros_of_rfc3339},
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
}

impl Context<'_> {
    /// Stops the message with a reason; the parser's own error is of no interest then.
    fn fail<E: Error>(&mut self, failure: Failure) -> E {
        self.failure.get_or_insert(failure);
        E::custom("")
    }

    fn reject<E: Error>(&mut self, reason: impl Into<String>) -> E {
        self.fail(Failure::Reject(reason.into()))
    }

    /// Called before a message changes the table: one that turns out to be no row further on must not.
    fn teach<E: Error>(&mut self) -> Result<(), E> {
        if self.may_teach {
            Ok(())
        } else {
            Err(self.fail(Failure::Teach))
        }
    }

    /// A value that a column can't hold, whose type stays: the column has a null, and the value goes beside it.
    #[cold]
    fn spill<E: Error>(&mut self, column: &mut Buffer, value: Spilled) -> Result<(), E> {
        if column.is_item {
            return Err(self.fail(Failure::Spill));
        }
        column.pad(column.len() + 1);
        self.spilled = Some(value);
        Ok(())
    }

    /// Whether what doesn't fit this column goes beside it.
    fn spills(&self, column: &Buffer) -> bool {
        self.on_new_type == OnNewType::Widen && (column.fixed || (column.is_item && self.in_fixed_list))
    }

    /// A value whose type is in conflict with its column's.
    fn conflict<E: Error>(&mut self, column: &mut Buffer, got: &str) -> E {
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
        let holds_time = is_table
            && context
                .time_fields
                .iter()
                .any(|field| field.eq_ignore_ascii_case(&name));
        Ok(fields.add(spelling, name, holds_time))
    }
}

/// A value into its column, as the row after the column's last.
struct ValueSeed<'s, 'c, 'a> {
    column: &'s mut Buffer,
    context: &'c mut Context<'a>,
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
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl ValueSeed<'_, '_, '_> {
    /// A number by its own digits, which a double may not have.
    fn decimal<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let value = LazyValue::deserialize(deserializer)?;
        let raw = value.as_raw_str().trim_ascii();
        let Self { column, context } = self;
        if raw == "null" {
            column.pad(column.len() + 1);
            return Ok(());
        }
        let digits = raw
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(raw);
        if let Values::Decimal(decimals) = &mut column.values
            && let Some(value) = decimal_of(digits, decimals.precision, decimals.scale)
        {
            decimals.values.push(value);
            column.not_null();
            return Ok(());
        }
        if context.spills(column) {
            return context.spill(column, Spilled::Text(digits.to_owned()));
        }
        let short: String = raw.chars().take(64).collect();
        Err(context.reject(format!("{short} is not a number of the column's digits")))
    }

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
                let mut text = Vec::new();
                let mut parser = sonic_rs::Deserializer::from_str(raw);
                WriteText(&mut text)
                    .deserialize(&mut parser)
                    .map_err(D::Error::custom)?;
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
    fn learn<E: Error>(&mut self, kind: &ColumnType) -> Result<(), E> {
        self.context.teach()?;
        self.column.learn(kind);
        Ok(())
    }

    /// A scalar into a text column.
    fn push_text<E: Error>(self, text: &str) -> Result<(), E> {
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
            #[expect(clippy::cast_precision_loss, reason = "what a double column makes of an integer")]
            Values::Double(values) => values.push(value as f64),
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
            Err(_) if matches!(self.column.values, Values::Text(_)) => self.push_text(&value.to_string()),
            #[expect(clippy::cast_precision_loss, reason = "beyond 64 bits signed there are only doubles")]
            Err(_) => self.visit_f64(value as f64),
        }
    }

    #[inline]
    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
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
            self.column.ints_to_doubles();
        }
        match &mut self.column.values {
            Values::Double(values) => values.push(value),
            Values::Timestamp(_) | Values::Date(_) => {
                return Err(self.context.reject(format!("{value:?} is not a time")));
            }
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
                WriteText(&mut column.bytes).visit_map(map)?;
                column.end();
            }
            _ if spills => {
                let mut text = Vec::new();
                WriteText(&mut text).visit_map(map)?;
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
                WriteText(&mut column.bytes).visit_seq(seq)?;
                column.end();
            }
            _ if spills => {
                let mut text = Vec::new();
                WriteText(&mut text).visit_seq(seq)?;
                let text = String::from_utf8(text).map_err(A::Error::custom)?;
                return self.context.spill(self.column, Spilled::Text(text));
            }
            _ => return Err(self.context.conflict(self.column, "a list")),
        }
        self.column.not_null();
        Ok(())
    }
}
