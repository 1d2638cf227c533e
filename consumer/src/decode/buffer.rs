//! Columns while they are being filled: values, nulls, and a type that may still widen.
//!
//! A buffer is as long as the last row that gave it a value; rows that said nothing are made up for when the
//! next value comes, or at the end. So a message costs what it contains, however many columns the table has.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray, StringArray,
        StructArray, TimestampMicrosecondArray, builder::NullBufferBuilder,
    },
    buffer::{Buffer as Bytes, OffsetBuffer, ScalarBuffer},
    datatypes::Field,
    error::ArrowError,
};

use super::decimal::exact_double;
use crate::{
    names::{column_name, field_name},
    schema::{Column, ColumnType, METADATA_COLUMNS},
};

/// The values of one column, by type.
pub(super) enum Values {
    Unknown,
    Boolean(Vec<bool>),
    Int(Vec<i64>),
    Double(Vec<f64>),
    Text(Text),
    Timestamp(Vec<i64>),
    Date(Vec<i32>),
    Decimal(Decimals),
    Struct(FieldSet),
    List(List),
}

/// Numbers of so many digits, so many of them behind the point.
pub(super) struct Decimals {
    pub(super) values: Vec<i128>,
    pub(super) precision: u8,
    pub(super) scale: u8,
}

/// Strings one after the other.
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    /// Where each string ends, with a zero in front.
    ends: Vec<i32>,
}

/// Lists one after the other.
pub(super) struct List {
    ends: Vec<i32>,
    pub(super) item: Box<Buffer>,
}

/// One column.
pub(super) struct Buffer {
    pub(super) values: Values,
    nulls: NullBufferBuilder,
    /// Strings seen here are times: the column is the one that holds the event's time.
    pub(super) holds_time: bool,
    /// A value didn't fit: the column is text from the next attempt on.
    pub(super) to_text: bool,
    /// Files have it with this type: what doesn't fit goes into a column beside it.
    pub(super) fixed: bool,
    /// It holds a list's items, so that there is nothing beside it.
    pub(super) is_item: bool,
}

impl Text {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
        }
    }

    /// Ends the string that was written to `bytes`. Batches are limited to well below 2 GiB.
    pub(super) fn end(&mut self) {
        self.ends.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
    }
}

impl Buffer {
    pub(super) fn new(kind: &ColumnType) -> Self {
        let values = match kind {
            ColumnType::Unknown => Values::Unknown,
            ColumnType::Boolean => Values::Boolean(Vec::new()),
            ColumnType::Int => Values::Int(Vec::new()),
            ColumnType::Double => Values::Double(Vec::new()),
            ColumnType::Text => Values::Text(Text::new()),
            ColumnType::Timestamp => Values::Timestamp(Vec::new()),
            ColumnType::Date => Values::Date(Vec::new()),
            ColumnType::Decimal { precision, scale } => Values::Decimal(Decimals {
                values: Vec::new(),
                precision: *precision,
                scale: *scale,
            }),
            ColumnType::Struct(columns) => Values::Struct(FieldSet::new(columns)),
            ColumnType::List(item) => Values::List(List {
                ends: vec![0],
                item: Box::new(Self {
                    is_item: true,
                    ..Self::new(item)
                }),
            }),
        };
        Self {
            values,
            nulls: NullBufferBuilder::new(1024),
            holds_time: false,
            to_text: false,
            fixed: false,
            is_item: false,
        }
    }

    fn of_column(column: &Column) -> Self {
        Self {
            fixed: column.fixed,
            ..Self::new(&column.kind)
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// The type so far, as the next attempt should start with it.
    pub(super) fn kind(&self) -> ColumnType {
        if self.to_text {
            return ColumnType::Text;
        }
        match &self.values {
            Values::Unknown => ColumnType::Unknown,
            Values::Boolean(_) => ColumnType::Boolean,
            Values::Int(_) => ColumnType::Int,
            Values::Double(_) => ColumnType::Double,
            Values::Text(_) => ColumnType::Text,
            Values::Timestamp(_) => ColumnType::Timestamp,
            Values::Date(_) => ColumnType::Date,
            Values::Decimal(decimals) => ColumnType::Decimal {
                precision: decimals.precision,
                scale: decimals.scale,
            },
            Values::Struct(fields) => ColumnType::Struct(fields.columns()),
            Values::List(list) => ColumnType::List(Box::new(list.item.kind())),
        }
    }

    /// Gives a column without a type its first one; the rows so far are nulls.
    pub(super) fn learn(&mut self, kind: &ColumnType) {
        let rows = self.len();
        self.values = Self::new(kind).values;
        self.fill(rows);
    }

    /// Ints become doubles, as they would have been had the type been known; unless one of them would be another number then.
    pub(super) fn ints_to_doubles(&mut self) -> bool {
        if let Values::Int(ints) = &self.values {
            let doubles = ints.iter().map(|int| exact_double(i128::from(*int)));
            let Some(doubles) = doubles.collect() else { return false };
            self.values = Values::Double(doubles);
        }
        true
    }

    /// Ints become numbers of so many digits, none of them behind the point.
    pub(super) fn ints_to_decimals(&mut self, precision: u8) {
        if let Values::Int(ints) = &self.values {
            self.values = Values::Decimal(Decimals {
                values: ints.iter().map(|int| i128::from(*int)).collect(),
                precision,
                scale: 0,
            });
        }
    }

    /// Makes the column `rows` long with nulls.
    pub(super) fn pad(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.len());
        if missing > 0 {
            self.nulls.append_n_nulls(missing);
            self.fill(rows);
        }
    }

    /// Marks the value just pushed as one.
    #[inline]
    pub(super) fn not_null(&mut self) {
        self.nulls.append_non_null();
    }

    /// Values of no meaning below nulls. Objects need none: their fields are padded when they get a value.
    fn fill(&mut self, rows: usize) {
        match &mut self.values {
            Values::Unknown | Values::Struct(_) => {}
            Values::Boolean(values) => values.resize(rows, false),
            Values::Int(values) | Values::Timestamp(values) => values.resize(rows, 0),
            Values::Double(values) => values.resize(rows, 0.0),
            Values::Date(values) => values.resize(rows, 0),
            Values::Decimal(decimals) => decimals.values.resize(rows, 0),
            Values::Text(text) => repeat_last(&mut text.ends, rows),
            Values::List(list) => repeat_last(&mut list.ends, rows),
        }
    }

    /// Takes back what rows from `rows` on have written, also where a value was begun and not ended.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.nulls.truncate(rows);
        match &mut self.values {
            Values::Unknown => {}
            Values::Boolean(values) => values.truncate(rows),
            Values::Int(values) | Values::Timestamp(values) => values.truncate(rows),
            Values::Double(values) => values.truncate(rows),
            Values::Date(values) => values.truncate(rows),
            Values::Decimal(decimals) => decimals.values.truncate(rows),
            Values::Text(text) => {
                text.ends.truncate(rows + 1);
                text.bytes.truncate(last(&text.ends));
            }
            Values::List(list) => {
                list.ends.truncate(rows + 1);
                list.item.truncate(last(&list.ends));
            }
            Values::Struct(fields) => fields.truncate(rows),
        }
    }

    /// The column as Arrow has it, or `None` while there is nothing to store.
    pub(super) fn finish(mut self, rows: usize) -> Result<Option<ArrayRef>, ArrowError> {
        self.pad(rows);
        let nulls = self.nulls.build();
        Ok(Some(match self.values {
            Values::Unknown => return Ok(None),
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.into(), nulls)),
            Values::Int(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Values::Double(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Values::Decimal(decimals) => {
                let scale = i8::try_from(decimals.scale).unwrap_or(i8::MAX);
                let array = Decimal128Array::new(decimals.values.into(), nulls);
                Arc::new(array.with_precision_and_scale(decimals.precision, scale)?)
            }
            Values::Timestamp(values) => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
            }
            Values::Text(text) => Arc::new(StringArray::try_new(
                offsets(text.ends),
                Bytes::from_vec(text.bytes),
                nulls,
            )?),
            Values::Struct(fields) => {
                let (fields, arrays) = fields.finish(rows)?;
                if fields.is_empty() {
                    return Ok(None);
                }
                Arc::new(StructArray::try_new(fields.into(), arrays, nulls)?)
            }
            Values::List(list) => {
                let items = list.item.len();
                let Some(item) = list.item.finish(items)? else {
                    return Ok(None);
                };
                let field = Arc::new(Field::new("element", item.data_type().clone(), true));
                Arc::new(ListArray::try_new(field, offsets(list.ends), item, nulls)?)
            }
        }))
    }
}

impl List {
    /// Ends the list whose items were pushed.
    pub(super) fn end(&mut self) {
        self.ends.push(i32::try_from(self.item.len()).unwrap_or(i32::MAX));
    }
}

fn last(ends: &[i32]) -> usize {
    ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or(0)
}

fn repeat_last(ends: &mut Vec<i32>, rows: usize) {
    let end = ends.last().copied().unwrap_or(0);
    ends.resize(rows + 1, end);
}

fn offsets(ends: Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(ends))
}

/// The fields of an object, or the columns of a table.
pub(super) struct FieldSet {
    names: Vec<String>,
    pub(super) buffers: Vec<Buffer>,
    /// By each spelling seen. `Price` and `price` are one column, since catalogs know no case, and so are other names that
    /// are one as columns' or fields' names.
    by_spelling: HashMap<Box<str>, usize>,
}

/// Why a name can't be a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadName {
    /// It is one of the sink's own.
    Reserved,
}

impl FieldSet {
    pub(super) fn new(columns: &[Column]) -> Self {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let by_spelling = names
            .iter()
            .enumerate()
            .map(|(at, name)| (name.as_str().into(), at))
            .collect();
        Self {
            names,
            buffers: columns.iter().map(Buffer::of_column).collect(),
            by_spelling,
        }
    }

    /// Where a field's values go, if it is known. `expected` is where they go if the fields come in the same
    /// order as in the message before, which costs one comparison.
    #[inline]
    pub(super) fn position(&self, spelling: &str, expected: usize) -> Option<usize> {
        if self.names.get(expected).is_some_and(|name| name == spelling) {
            return Some(expected);
        }
        self.by_spelling.get(spelling).copied()
    }

    /// The name under which a field is stored.
    pub(super) fn column_name(spelling: &str, is_table: bool) -> Result<String, BadName> {
        if !is_table {
            return Ok(field_name(spelling));
        }
        let name = column_name(spelling);
        match METADATA_COLUMNS.contains(&name.as_str()) {
            true => Err(BadName::Reserved),
            false => Ok(name),
        }
    }

    /// The column of that name, if another spelling of it is known; from now on found by this one too.
    pub(super) fn alias(&mut self, spelling: &str, name: &str) -> Option<usize> {
        let at = self.names.iter().position(|known| known == name)?;
        // A bound, since a name of n letters has 2^n spellings.
        if self.by_spelling.len() < 2 * self.names.len() + 16 {
            self.by_spelling.insert(spelling.into(), at);
        }
        Some(at)
    }

    /// A column that is new.
    pub(super) fn add(&mut self, spelling: &str, name: String, holds_time: bool) -> usize {
        let at = self.names.len();
        self.by_spelling.insert(spelling.into(), at);
        self.names.push(name);
        self.buffers.push(Buffer {
            holds_time,
            ..Buffer::new(&ColumnType::Unknown)
        });
        at
    }

    /// The column beside `at` that takes what doesn't fit it, if there is one.
    pub(super) fn beside(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub(super) fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        let columns = self.names.iter().zip(&self.buffers);
        columns
            .map(|(name, buffer)| Column {
                name: name.clone(),
                kind: buffer.kind(),
                fixed: buffer.fixed,
            })
            .collect()
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        for buffer in &mut self.buffers {
            buffer.truncate(rows);
        }
    }

    pub(super) fn finish(self, rows: usize) -> Result<(Vec<Field>, Vec<ArrayRef>), ArrowError> {
        let mut fields = Vec::with_capacity(self.names.len());
        let mut arrays = Vec::with_capacity(self.names.len());
        for (name, buffer) in self.names.into_iter().zip(self.buffers) {
            if let Some(array) = buffer.finish(rows)? {
                fields.push(Field::new(name, array.data_type().clone(), true));
                arrays.push(array);
            }
        }
        Ok((fields, arrays))
    }
}
