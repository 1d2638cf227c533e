//! Rows as people and programs read them.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_schema;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OutputFormat {
    /// A frame around aligned columns.
    #[default]
    Table,
    /// A line of names, then one line per row.
    Csv,
    /// One JSON object per row and line; nulls are written.
    Json,
}

/// Writes rows in a format.
pub(super) fn write(
    format: OutputFormat,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    to: &mut dyn Write,
) -> anyhow::Result<()> {
    match format {
        OutputFormat::Table => {
            let table = pretty_format_batches_with_schema(Arc::clone(schema), batches)?;
            writeln!(to, "{table}")?;
        }
        OutputFormat::Csv => {
            let flat = flat_schema(schema);
            let mut writer = arrow::csv::WriterBuilder::new().build(to);
            writer.write(&RecordBatch::new_empty(Arc::clone(&flat)))?;
            for batch in batches {
                writer.write(&flattened(batch, &flat)?)?;
            }
        }
        OutputFormat::Json => {
            let builder = WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = builder.build::<_, LineDelimited>(to);
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
    }
    Ok(())
}

/// CSV has no lists or structs: they are written as text.
fn flat_schema(schema: &SchemaRef) -> SchemaRef {
    let flat = |field: &Arc<Field>| match field.data_type().is_nested() {
        true => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8)),
        false => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(flat).collect::<Vec<_>>()))
}

fn flattened(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = FormatOptions::default();
    let flat = |column: &ArrayRef| -> Result<ArrayRef, ArrowError> {
        if !column.data_type().is_nested() {
            return Ok(Arc::clone(column));
        }
        let text = ArrayFormatter::try_new(column, &options)?;
        let rows = (0..column.len()).map(|row| column.is_valid(row).then(|| text.value(row).to_string()));
        Ok(Arc::new(StringArray::from_iter(rows)))
    };
    let columns = batch.columns().iter().map(flat).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}
