//! From JSON's events to columns: what each kind of value does to each kind of column.
//!
//! The parser hands over one value at a time and nothing in between is built. A value that a column can't
//! hold either widens the column or makes the whole message one to reject; which of them, and why, is left in
//! the [`Context`], since an error of serde's carries only text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{
    OnNewType,
    buffer::{Buffer, FieldSet, Values},
    text::WriteText,
};
use crate::{
    date::{day_of_digits, micros_of_rfc3339},
    schema::ColumnType,
};

/// What goes on while one message is decoded.
pub(super) struct Context<'a> {
    /// The message is known to become a row, so it may teach the table new columns and types.
    pub(super) may_teach: bool,
    /// What is done about a value of a new type.
    pub(super) on_new_type: OnNewType,
    /// The field that holds the event's time.
    pub(super) time_fields: &'a [String],
    /// How many more columns the table may get.
    pub(super) columns_left: &'a mut usize,
    /// Why the message was given up.
    pub(super) failure: Option<Failure>,
}

/// Why a message was given up.
#[derive(Debug)]
pub(super) enum Failure {
    /// It goes to the rejected ones.
    Reject(String),
    /// A column was marked to become text: start again.
    Widen,
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
        }
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
        deserializer.deserialize_any(self)
    }
}

impl ValueSeed<'_, '_, '_> {
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
            _ => return Err(self.context.conflict(self.column, "an object")),
        }
        self.column.not_null();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        if matches!(self.column.values, Values::Unknown) {
            self.learn(&ColumnType::List(Box::new(ColumnType::Unknown)))?;
        }
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
            _ => return Err(self.context.conflict(self.column, "a list")),
        }
        self.column.not_null();
        Ok(())
    }
}
