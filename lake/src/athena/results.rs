//! The pages of a result.
//!
//! Athena gives every value as text, and the names of the columns as the first row of the first page, except for DDL.
//! `DESCRIBE` gives one text per row, in which tabs stand between what the metadata calls columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use aws_sdk_athena::Client;
use aws_sdk_athena::config::http::HttpResponse;
use aws_sdk_athena::error::SdkError;
use aws_sdk_athena::operation::get_query_results::GetQueryResultsError;
use aws_sdk_athena::types::{ColumnInfo, Row};

use super::values;

/// Athena's own limit.
const PAGE_ROWS: i32 = 1000;

/// All of a result, column by column, as Athena's text.
#[derive(Debug, Default)]
pub(super) struct Results {
    columns: Vec<ColumnInfo>,
    cells: Vec<Vec<Option<String>>>,
    pub(super) rows_written: i64,
}

/// Reads every page.
pub(super) async fn fetch(
    client: &Client,
    query_id: &str,
    is_ddl: bool,
) -> Result<Results, SdkError<GetQueryResultsError, HttpResponse>> {
    let mut pages = client
        .get_query_results()
        .query_execution_id(query_id)
        .max_results(PAGE_ROWS)
        .into_paginator()
        .send();
    let mut results = Results::default();
    let mut is_first = true;
    while let Some(page) = pages.next().await {
        let page = page?;
        results.rows_written = results.rows_written.max(page.update_count().unwrap_or(0));
        let Some(set) = page.result_set else { continue };
        if is_first && let Some(metadata) = set.result_set_metadata {
            results.columns = metadata.column_info.unwrap_or_default();
            results.cells = vec![Vec::new(); results.columns.len()];
        }
        let rows = set.rows.unwrap_or_default();
        let names = usize::from(is_first && !is_ddl && results.are_names(rows.first()));
        is_first = false;
        for row in rows.into_iter().skip(names) {
            results.push(row);
        }
    }
    Ok(results)
}

impl Results {
    /// Whether a row is that of the columns' names.
    fn are_names(&self, row: Option<&Row>) -> bool {
        let cells = row.map(Row::data).unwrap_or_default();
        let mut pairs = self.columns.iter().zip(cells);
        !cells.is_empty()
            && cells.len() == self.columns.len()
            && pairs.all(|(column, cell)| cell.var_char_value() == Some(column.name()))
    }

    fn push(&mut self, row: Row) {
        let mut cells: Vec<Option<String>> = row
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|datum| datum.var_char_value)
            .collect();
        if let [Some(line)] = cells.as_slice()
            && self.columns.len() > 1
        {
            cells = line.split('\t').map(|cell| Some(cell.trim().to_owned())).collect();
        }
        let mut cells = cells.into_iter();
        for column in &mut self.cells {
            column.push(cells.next().flatten());
        }
    }

    /// The rows as Arrow has them, typed by the metadata.
    ///
    /// # Errors
    /// None that a result could cause: the arrays are as long as each other.
    pub(super) fn typed(&self) -> Result<(SchemaRef, Vec<RecordBatch>), ArrowError> {
        let arrays: Vec<_> = self
            .columns
            .iter()
            .zip(&self.cells)
            .map(|(column, cells)| values::array(column, cells))
            .collect();
        let fields: Vec<Field> = self
            .columns
            .iter()
            .zip(&arrays)
            .map(|(column, array)| {
                let label = column.label().filter(|label| !label.is_empty());
                Field::new(label.unwrap_or(column.name()), array.data_type().clone(), true)
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let batches = match arrays.is_empty() {
            true => Vec::new(),
            false => vec![RecordBatch::try_new(Arc::clone(&schema), arrays)?],
        };
        Ok((schema, batches))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::Datum;

    use super::*;

    fn results(names: &[&str]) -> Results {
        let column = |name: &&str| ColumnInfo::builder().name(*name).r#type("varchar").build().unwrap();
        Results {
            columns: names.iter().map(column).collect(),
            cells: vec![Vec::new(); names.len()],
            rows_written: 0,
        }
    }

    fn row(cells: &[Option<&str>]) -> Row {
        let datum = |cell: &Option<&str>| Datum::builder().set_var_char_value(cell.map(str::to_owned)).build();
        Row::builder().set_data(Some(cells.iter().map(datum).collect())).build()
    }

    #[test]
    fn names_are_recognized_and_nothing_else_is() {
        let of = results(&["a", "b"]);
        assert!(of.are_names(Some(&row(&[Some("a"), Some("b")]))));
        assert!(!of.are_names(Some(&row(&[Some("a"), None]))));
        assert!(!of.are_names(Some(&row(&[Some("a")]))));
        assert!(!of.are_names(None));
        assert!(!results(&[]).are_names(Some(&row(&[]))));
    }

    #[test]
    fn one_line_for_several_columns_is_cut_at_its_tabs() {
        let mut of = results(&["col_name", "data_type", "comment"]);
        of.push(row(&[Some(
            "price               \tdouble              \t                    ",
        )]));
        of.push(row(&[Some("# Partition Information\t \t ")]));
        of.push(row(&[Some("x"), None, Some("c")]));
        let cells: Vec<Vec<&str>> = of
            .cells
            .iter()
            .map(|column| column.iter().map(|cell| cell.as_deref().unwrap_or("NULL")).collect())
            .collect();
        assert_eq!(
            cells,
            [
                ["price", "# Partition Information", "x"],
                ["double", "", "NULL"],
                ["", "", "c"]
            ]
        );
    }
}
