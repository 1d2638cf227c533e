//! What a query's filters say about partitions: first as much as the catalog can be asked for, then
//! exactly.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::{expr_to_columns, split_conjunction};
use datafusion::logical_expr::{Expr, Operator};

use crate::catalog::{ComparisonOperator, Partition, PartitionFilter, PartitionTerm};

/// What Hive writes where a partition's value is null.
const NULL_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// Whether a filter looks at nothing but partition keys, and can so be decided without a row.
pub(super) fn is_decidable(filter: &Expr, keys: &[FieldRef]) -> bool {
    let mut columns = std::collections::HashSet::new();
    if filter.is_volatile() || expr_to_columns(filter, &mut columns).is_err() {
        return false;
    }
    columns
        .iter()
        .all(|column| keys.iter().any(|key| key.name() == column.name()))
}

/// What of the filters a catalog understands: comparisons of text and date keys with constants. It lets
/// through at least what the filters let through.
pub(super) fn catalog_filter(filters: &[Expr], keys: &[FieldRef]) -> PartitionFilter {
    let terms = filters
        .iter()
        .flat_map(|filter| split_conjunction(filter))
        .flat_map(|term| catalog_terms(term, keys))
        .collect();
    PartitionFilter { terms }
}

fn key_name<'a>(expr: &'a Expr, keys: &[FieldRef]) -> Option<&'a str> {
    let Expr::Column(column) = expr else {
        return None;
    };
    let key = keys.iter().find(|key| key.name() == column.name())?;
    matches!(key.data_type(), DataType::Utf8 | DataType::Date32).then_some(column.name())
}

fn constant(expr: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Some(text.clone())
        }
        ScalarValue::Date32(Some(_)) => Some(value.to_string()),
        _ => None,
    }
}

fn catalog_terms(term: &Expr, keys: &[FieldRef]) -> Vec<PartitionTerm> {
    let compare = |column: &str, operator, value| PartitionTerm::Compare {
        column: column.to_owned(),
        operator,
        value,
    };
    let found = match term {
        Expr::BinaryExpr(binary) => {
            let straight = key_name(&binary.left, keys).zip(constant(&binary.right));
            let turned = key_name(&binary.right, keys).zip(constant(&binary.left));
            match (straight, turned) {
                (Some((column, value)), _) => operator(binary.op).map(|op| vec![compare(column, op, value)]),
                (None, Some((column, value))) => binary
                    .op
                    .swap()
                    .and_then(operator)
                    .map(|op| vec![compare(column, op, value)]),
                _ => None,
            }
        }
        Expr::Between(between) if !between.negated => key_name(&between.expr, keys)
            .zip(constant(&between.low).zip(constant(&between.high)))
            .map(|(column, (low, high))| {
                vec![
                    compare(column, ComparisonOperator::GreaterOrEqual, low),
                    compare(column, ComparisonOperator::LessOrEqual, high),
                ]
            }),
        Expr::InList(list) if !list.negated => {
            let values: Option<Vec<String>> = list.list.iter().map(constant).collect();
            key_name(&list.expr, keys).zip(values).map(|(column, values)| {
                let column = column.to_owned();
                vec![PartitionTerm::In { column, values }]
            })
        }
        _ => None,
    };
    found.unwrap_or_default()
}

fn operator(operator: Operator) -> Option<ComparisonOperator> {
    match operator {
        Operator::Eq => Some(ComparisonOperator::Equal),
        Operator::NotEq => Some(ComparisonOperator::NotEqual),
        Operator::Lt => Some(ComparisonOperator::Less),
        Operator::LtEq => Some(ComparisonOperator::LessOrEqual),
        Operator::Gt => Some(ComparisonOperator::Greater),
        Operator::GtEq => Some(ComparisonOperator::GreaterOrEqual),
        _ => None,
    }
}

/// A partition's values as the types of its keys.
pub(super) fn typed_values(partition: &Partition, keys: &[FieldRef]) -> Result<Vec<ScalarValue>> {
    if partition.values.len() != keys.len() {
        return Err(DataFusionError::External(
            format!("a partition with values {:?} for {} keys", partition.values, keys.len()).into(),
        ));
    }
    let typed = |(value, key): (&String, &FieldRef)| match value.as_str() {
        NULL_VALUE => ScalarValue::try_from(key.data_type()),
        value => ScalarValue::try_from_string(value.to_owned(), key.data_type()),
    };
    partition.values.iter().zip(keys).map(typed).collect()
}

/// The partitions that pass all filters that can be decided by their values, exactly as SQL would.
pub(super) fn passing(
    state: &dyn Session,
    filters: &[Expr],
    keys: &[FieldRef],
    partitions: Vec<(Partition, Vec<ScalarValue>)>,
) -> Result<Vec<(Partition, Vec<ScalarValue>)>> {
    let decidable: Vec<&Expr> = filters.iter().filter(|filter| is_decidable(filter, keys)).collect();
    if decidable.is_empty() || partitions.is_empty() {
        return Ok(partitions);
    }
    let schema = Arc::new(Schema::new(keys.to_vec()));
    let column = |at: usize| {
        let values = partitions.iter().map(|(_, values)| values[at].clone());
        ScalarValue::iter_to_array(values)
    };
    let columns: Vec<ArrayRef> = (0..keys.len()).map(column).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(partitions.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?;
    let described = DFSchema::try_from(schema)?;
    let mut keep = vec![true; partitions.len()];
    for filter in decidable {
        let decide = state.create_physical_expr(filter.clone(), &described)?;
        let decided = decide.evaluate(&batch)?.into_array(partitions.len())?;
        let decided = decided.as_boolean();
        for (keep, decided) in keep.iter_mut().zip(decided.iter()) {
            *keep &= decided == Some(true);
        }
    }
    let mut keep = keep.into_iter();
    let mut partitions = partitions;
    partitions.retain(|_| keep.next().unwrap_or(false));
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;
    use datafusion::prelude::{col, lit};

    #[test]
    fn what_the_catalog_understands_is_handed_down() {
        let keys: Vec<FieldRef> = vec![
            Arc::new(Field::new("dt", DataType::Utf8, true)),
            Arc::new(Field::new("hour", DataType::Int32, true)),
        ];
        let filters = [
            col("dt").gt_eq(lit("2012-01-01")).and(lit("2012-02-01").gt(col("dt"))),
            col("dt").in_list(vec![lit("a"), lit("b")], false),
            col("hour").eq(lit(5)),
            col("price").gt(lit(1.0)),
            col("dt").eq(lit("x")).or(col("dt").eq(lit("y"))),
        ];
        assert_eq!(
            catalog_filter(&filters, &keys).to_string(),
            "dt >= '2012-01-01' AND dt < '2012-02-01' AND dt IN ('a', 'b')"
        );
        let decided: Vec<bool> = filters.iter().map(|f| is_decidable(f, &keys)).collect();
        assert_eq!(decided, [true, true, true, false, true]);
    }
}
