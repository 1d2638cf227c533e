//! Objects as the catalog has them registered: found without a listing, counted and left out without a request to the store.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::footers::as_table_column;
use super::reader::Objects;
use super::table::Found;
use crate::catalog::{ColumnRange, RangeKind, RegisteredObject};

/// How many objects the store is asked for at a time.
const CONCURRENT_ASKS: usize = 16;

/// The object as a listing would give it. What is registered changes only if it is put once more by who takes a batch up,
/// then with another size, and has another sequence if it is registered anew: the two are its ETag here.
pub(super) fn meta_of(object: &RegisteredObject) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(&object.key).map_err(|error| DataFusionError::External(Box::new(error)))?,
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: object.bytes,
        e_tag: Some(format!("registered-{}-{}", object.sequence, object.bytes)),
        version: None,
    })
}

/// Asks the store for the objects whose rows were not counted: those were found after a crash, and the sink that was
/// taken for dead may have put them once more.
pub(super) async fn ask_uncounted(objects: &Objects, found: Vec<Found>) -> Result<Vec<Found>> {
    let ask = |mut found: Found| async move {
        if found.registered.as_ref().is_some_and(|object| object.rows.is_none()) {
            found.meta = objects.store.head(&found.meta.location).await?;
        }
        Ok(found)
    };
    stream::iter(found)
        .map(ask)
        .buffered(CONCURRENT_ASKS)
        .try_collect()
        .await
}

/// What was registered of an object, as columns of its table; `None` where its rows were not counted.
pub(super) fn statistics_of(object: &RegisteredObject, table: &Schema) -> Option<Arc<Statistics>> {
    let rows = usize::try_from(object.rows?).ok()?;
    let column = |field: &FieldRef| match object.columns.get(field.name()) {
        Some(range) => column_statistics(range, field.data_type()),
        None => ColumnStatistics::new_unknown(),
    };
    Some(Arc::new(Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: Precision::Absent,
        column_statistics: table.fields().iter().map(column).collect(),
    }))
}

fn column_statistics(range: &ColumnRange, table_type: &DataType) -> ColumnStatistics {
    let value = |value: i64| {
        Some(match range.kind {
            RangeKind::Integer => ScalarValue::Int64(Some(value)),
            RangeKind::Timestamp => ScalarValue::TimestampMicrosecond(Some(value), None),
            RangeKind::Date => ScalarValue::Date32(Some(i32::try_from(value).ok()?)),
        })
    };
    let exact = |of: i64| value(of).map_or(Precision::Absent, Precision::Exact);
    let own = ColumnStatistics {
        null_count: usize::try_from(range.nulls).map_or(Precision::Absent, Precision::Exact),
        min_value: exact(range.min),
        max_value: exact(range.max),
        ..ColumnStatistics::new_unknown()
    };
    let file_type = match range.kind {
        RangeKind::Integer => DataType::Int64,
        RangeKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        RangeKind::Date => DataType::Date32,
    };
    as_table_column(Some(&own), &file_type, table_type)
}

/// A file with what is known of it. DataFusion adds what the values of its partition say about its columns, as if none of them
/// were ever null: in a null partition every row's is.
pub(super) fn with_statistics(file: PartitionedFile, known: Arc<Statistics>) -> PartitionedFile {
    let mut file = file.with_statistics(known);
    if !file.partition_values.iter().any(ScalarValue::is_null) {
        return file;
    }
    if let Some(statistics) = file.statistics.take() {
        let mut statistics = Arc::unwrap_or_clone(statistics);
        let rows = statistics.num_rows;
        let of_partition = statistics.column_statistics.iter_mut().rev();
        for (column, value) in of_partition.zip(file.partition_values.iter().rev()) {
            if value.is_null() {
                *column = ColumnStatistics {
                    null_count: rows,
                    ..ColumnStatistics::new_unknown()
                };
            }
        }
        file.statistics = Some(Arc::new(statistics));
    }
    file
}

/// Leaves out files of which no row can pass the filters, by their statistics.
pub(super) fn prune(
    state: &dyn Session,
    filters: &[Expr],
    schema: &TableSchema,
    mut files: Vec<PartitionedFile>,
) -> Result<Vec<PartitionedFile>> {
    let Some(filter) = conjunction(filters.to_vec()) else {
        return Ok(files);
    };
    let table = schema.table_schema();
    let filter = state.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(table))?)?;
    // A filter of a kind that statistics say nothing about is no error.
    let Ok(predicate) = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(table))
        .try_build(filter)
    else {
        return Ok(files);
    };
    if predicate.always_true() {
        return Ok(files);
    }
    let unknown = Arc::new(Statistics::new_unknown(table));
    let known = files
        .iter()
        .map(|file| file.statistics.clone().unwrap_or_else(|| Arc::clone(&unknown)));
    let statistics = PrunableStatistics::new(known.collect(), Arc::clone(table));
    let Ok(keep) = predicate.prune(&statistics) else {
        return Ok(files);
    };
    let mut keep = keep.into_iter();
    files.retain(|_| keep.next().unwrap_or(true));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn ranges_become_statistics_only_as_types_that_keep_their_order() {
        let range = |kind, min, max| ColumnRange {
            kind,
            min,
            max,
            nulls: 2,
        };
        let object = RegisteredObject {
            rows: Some(10),
            columns: [
                ("seq".to_owned(), range(RangeKind::Integer, 9, 10)),
                ("at".to_owned(), range(RangeKind::Timestamp, 1_000_000, 2_000_000)),
                ("day".to_owned(), range(RangeKind::Date, 1, 2)),
                ("grown".to_owned(), range(RangeKind::Integer, 9, 10)),
            ]
            .into(),
            ..RegisteredObject::default()
        };
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let table = Schema::new(vec![
            Field::new("seq", DataType::Int32, true),
            Field::new("at", time, true),
            Field::new("day", DataType::Date32, true),
            Field::new("grown", DataType::Utf8, true),
            Field::new("other", DataType::Int64, true),
        ]);
        let statistics = statistics_of(&object, &table).unwrap();
        let of = |at: usize| &statistics.column_statistics[at];
        assert_eq!(statistics.num_rows, Precision::Exact(10));
        assert_eq!(of(0).max_value, Precision::Exact(ScalarValue::Int32(Some(10))));
        assert_eq!(of(0).null_count, Precision::Exact(2));
        let at = ScalarValue::TimestampMicrosecond(Some(1_000_000), None);
        assert_eq!(of(1).min_value, Precision::Exact(at));
        assert_eq!(of(2).max_value, Precision::Exact(ScalarValue::Date32(Some(2))));
        assert_eq!(
            (&of(3).min_value, &of(3).max_value),
            (&Precision::Absent, &Precision::Absent)
        );
        assert_eq!(of(4), &ColumnStatistics::new_unknown());
        let uncounted = RegisteredObject { rows: None, ..object };
        assert_eq!(statistics_of(&uncounted, &table), None);
    }
}
