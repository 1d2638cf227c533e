//! Messages to columns, in one pass over their bytes.
//!
//! What comes out is a function of the messages, the schema they start from and the [`Rules`]: decoding with
//! the schema that came out gives the same rows and columns again, which is what lets a batch be written
//! twice. No value is changed in silence: what its column can't hold exactly goes beside it, as it stands in the message, or to
//! the rejections ([`OnNewType`]); fractions alone are the nearest double, as JSON's readers have them. Each message ends either as one row or as one rejection with its reason; none can stop the others.
//!
//! The decoder is our own because the one of arrow-json must know the types beforehand, makes 1 of 1.5 in an
//! integer column without a word, and takes objects with commas missing for JSON. The lexing is sonic-rs's.

mod buffer;
mod decimal;
mod digits;
mod text;
mod visit;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use serde::de::{DeserializeSeed, IgnoredAny};

use self::{
    buffer::FieldSet,
    visit::{Context, Failure, ObjectSeed},
};
use crate::{
    names::column_name,
    schema::{Column, ColumnType, TableSchema},
};

/// What the reasons for text that isn't JSON begin with.
const NOT_JSON: &str = "not valid JSON";
/// How many columns, counting those inside of objects, a table may get before new ones are refused.
pub const COLUMNS_MAX: usize = 2_000;

/// How deep objects and lists may be nested. sonic-rs follows them by recursion without a bound of its own, so
/// a message of brackets would end the process by a stack overflow.
pub const DEPTH_MAX: usize = 32;

/// Whether the text nests deeper than `depth_max`, told before any parser sees it. Costs one vectorised pass
/// unless there are many brackets.
pub(crate) fn nesting_exceeds(text: &str, depth_max: usize) -> bool {
    // `[` and `{` differ in one bit.
    if text.bytes().filter(|byte| byte | 0x20 == b'{').count() <= depth_max {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

/// What is done about a value whose type is not its column's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNewType {
    /// The table widens: while no Parquet file has the column its type does (int to double, anything else to text);
    /// then a column comes beside it, NAME__double or NAME__string.
    #[default]
    Widen,
    /// The message is rejected.
    Reject,
}

/// What decoding depends on besides messages and schema.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rules {
    /// What is done about a value of a new type.
    pub on_new_type: OnNewType,
    /// The fields whose strings are times.
    pub time_fields: Vec<String>,
}

/// What messages became.
#[derive(Debug)]
pub struct Decoded {
    /// The event's own columns, one row per message that isn't rejected, in their order. Columns of which
    /// nothing but nulls is known are left out.
    pub columns: Vec<(arrow::datatypes::Field, arrow::array::ArrayRef)>,
    /// How many rows there are, which no column would tell if there is none.
    pub rows: usize,
    /// The messages that are not rows, by their position, with the reason.
    pub rejected: Vec<(usize, String)>,
    /// The schema with what these messages taught.
    pub schema: TableSchema,
}

impl Decoded {
    /// As a batch of Arrow's.
    ///
    /// # Errors
    /// None that messages can cause.
    pub fn batch(self) -> Result<RecordBatch, ArrowError> {
        let (fields, arrays): (Vec<_>, Vec<_>) = self.columns.into_iter().unzip();
        let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields));
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(schema, arrays, &options)
    }
}

/// Decodes messages, starting from what is known of their table.
///
/// # Errors
/// None that messages can cause: what Arrow says if columns contradict each other.
pub fn decode<'a, I>(messages: I, schema: &TableSchema, rules: &Rules) -> Result<Decoded, ArrowError>
where
    I: Iterator<Item = &'a str> + Clone,
{
    let mut schema = schema.clone();
    loop {
        match attempt(messages.clone(), &schema, rules)? {
            Ok(decoded) => return Ok(decoded),
            // Each attempt turns at least one more column into text, so there are few.
            Err(widened) => schema = widened,
        }
    }
}

/// One pass. The schema comes back when a column must be text from the first row on: the text of a value
/// that was taken for a double is not the text that the message had.
fn attempt<'a>(
    messages: impl Iterator<Item = &'a str>,
    schema: &TableSchema,
    rules: &Rules,
) -> Result<Result<Decoded, TableSchema>, ArrowError> {
    let mut fields = field_set(&schema.columns, rules);
    let mut rejected = Vec::new();
    let mut row = 0;
    for (position, text) in messages.enumerate() {
        let reason = match message_to_row(&mut fields, row, text, rules, false) {
            Ok(()) => None,
            Err(Failure::Reject(reason)) => Some(reason),
            // An item that doesn't fit is caught at its list, and digits where the message is read.
            Err(Failure::Spill | Failure::Digits) => Some(unexpected()),
            Err(Failure::Teach | Failure::Widen) => {
                fields.truncate(row);
                let known = fields.columns();
                match trial(&known, text, rules) {
                    Err(reason) => Some(reason),
                    Ok(Some(widened)) => return Ok(Err(TableSchema { columns: widened })),
                    Ok(None) => match message_to_row(&mut fields, row, text, rules, true) {
                        Ok(()) => None,
                        // Not for this message: for what the column holds already, which is not on trial.
                        Err(Failure::Widen) => {
                            let columns = fields.columns();
                            return Ok(Err(TableSchema { columns }));
                        }
                        Err(_) => Some(unexpected()),
                    },
                }
            }
        };
        match reason {
            None => row += 1,
            Some(reason) => {
                fields.truncate(row);
                rejected.push((position, reason));
            }
        }
    }
    let schema = TableSchema {
        columns: fields.columns(),
    };
    let (fields, arrays) = fields.finish(row)?;
    Ok(Ok(Decoded {
        columns: fields.into_iter().zip(arrays).collect(),
        rows: row,
        rejected,
        schema,
    }))
}

/// Decodes one message as row `row`. What a failed one has written has to be truncated by the caller.
///
/// Few messages have numbers that need all of their digits, and to look at them takes longer: they are read twice.
fn message_to_row(
    fields: &mut FieldSet,
    row: usize,
    text: &str,
    rules: &Rules,
    may_teach: bool,
) -> Result<(), Failure> {
    match message_once(fields, row, text, rules, may_teach, false) {
        Err(Failure::Digits) => {
            fields.truncate(row);
            message_once(fields, row, text, rules, may_teach, true)
        }
        done => done,
    }
}

fn message_once(
    fields: &mut FieldSet,
    row: usize,
    text: &str,
    rules: &Rules,
    may_teach: bool,
    exact: bool,
) -> Result<(), Failure> {
    if nesting_exceeds(text, DEPTH_MAX) {
        return Err(Failure::Reject(format!("nested deeper than {DEPTH_MAX}")));
    }
    let mut columns_left = if may_teach {
        COLUMNS_MAX.saturating_sub(count(&fields.columns()))
    } else {
        0
    };
    let mut context = Context {
        may_teach,
        on_new_type: rules.on_new_type,
        time_fields: &rules.time_fields,
        columns_left: &mut columns_left,
        failure: None,
        in_fixed_list: false,
        spilled: None,
        exact,
    };
    let mut parser = sonic_rs::Deserializer::from_str(text);
    let object = ObjectSeed {
        fields,
        row,
        is_table: true,
        context: &mut context,
    };
    let parsed = object.deserialize(&mut parser).and_then(|()| parser.end());
    parsed.map_err(|error| context.failure.unwrap_or_else(|| Failure::Reject(invalid_json(&error))))
}

/// Whether a message that has something new to say becomes a row, found out on a table of its own, so that
/// one that doesn't leaves no trace. `Some` when columns have to become text for it.
fn trial(known: &[Column], text: &str, rules: &Rules) -> Result<Option<Vec<Column>>, String> {
    sonic_rs::from_str::<IgnoredAny>(text).map_err(|error| invalid_json(&error))?;
    let mut widened = None;
    loop {
        let mut fields = field_set(widened.as_deref().unwrap_or(known), rules);
        match message_to_row(&mut fields, 0, text, rules, true) {
            Ok(()) => return Ok(widened),
            Err(Failure::Reject(reason)) => return Err(reason),
            Err(Failure::Widen) => widened = Some(fields.columns()),
            Err(Failure::Teach | Failure::Spill | Failure::Digits) => return Err(unexpected()),
        }
    }
}

fn field_set(columns: &[Column], rules: &Rules) -> FieldSet {
    let mut fields = FieldSet::new(columns);
    for (buffer, column) in fields.buffers.iter_mut().zip(columns) {
        buffer.holds_time = rules.time_fields.iter().any(|field| column_name(field) == column.name);
    }
    fields
}

/// A message that went well on trial went badly afterwards. Not known to be possible.
fn unexpected() -> String {
    "the message could not be decoded".to_owned()
}

fn count(columns: &[Column]) -> usize {
    columns.iter().map(|column| 1 + count_inside(&column.kind)).sum()
}

fn count_inside(kind: &ColumnType) -> usize {
    match kind {
        ColumnType::Struct(columns) => count(columns),
        ColumnType::List(item) => count_inside(item),
        _ => 0,
    }
}

/// The first line of what the parser says: the rest is an excerpt of the message, which is kept anyway.
fn invalid_json(error: &sonic_rs::Error) -> String {
    let text = error.to_string();
    format!("{NOT_JSON}: {}", text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
