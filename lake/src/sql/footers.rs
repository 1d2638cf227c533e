//! Footers of Parquet files: read many at once while a query is planned, kept under their ETag.
//!
//! Their statistics answer `count(*)` and skip files and row groups. A file may be older than its
//! table, so its minima and maxima are cast to the table's types; only where the cast keeps the order
//! (a number to a wider number, not to a string) are they used at all.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use parquet::arrow::async_reader::MetadataFetch;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::reader::{Objects, SMALL_OBJECT_BYTES};

/// How many footers are asked for at a time.
const CONCURRENT_REQUESTS: usize = 32;
/// What is read from the end of a large file at first: nearly always all of the footer.
const FOOTER_GUESS_BYTES: usize = 64 << 10;
/// While a query is planned, no more than this of small files is read whole, lest they drive each
/// other out of the cache before they are decoded.
const PREFETCH_BYTES_MAX: u64 = 32 << 20;

/// A file's footer, with its statistics as the columns of the table that was last asked for.
#[derive(Debug)]
pub(super) struct Footer {
    metadata: Arc<ParquetMetaData>,
    statistics: Mutex<Option<(SchemaRef, Arc<Statistics>)>>,
}

impl Footer {
    pub(super) fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    /// The statistics as columns of `table`, computed once.
    pub(super) fn statistics(&self, table: &SchemaRef) -> Arc<Statistics> {
        let mut kept = self.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((schema, statistics)) if schema == table => Arc::clone(statistics),
            _ => {
                let computed = Arc::new(file_statistics(&self.metadata, table));
                *kept = Some((Arc::clone(table), Arc::clone(&computed)));
                computed
            }
        }
    }
}

/// The footer of one file, from the cache where it is there.
pub(super) async fn load(objects: &Objects, meta: &ObjectMeta) -> Result<Arc<Footer>, ParquetError> {
    let key = objects.key(meta);
    if let Some(footer) = objects.cache.footers.get(&key) {
        return Ok(footer);
    }
    let fetch = Fetch { objects, meta };
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .with_prefetch_hint(Some(FOOTER_GUESS_BYTES))
        .load_and_finish(fetch, meta.size)
        .await
        .map_err(|error| ParquetError::General(format!("s3://{}/{}: {error}", objects.bucket, meta.location)))?;
    let footer = Arc::new(Footer {
        metadata: Arc::new(metadata),
        statistics: Mutex::new(None),
    });
    let bytes = footer.metadata.memory_size();
    objects.cache.footers.put(key, Arc::clone(&footer), bytes);
    Ok(footer)
}

/// The footers of many files, in their order. Small files are read whole on this occasion.
pub(super) async fn load_all(objects: &Objects, files: &[ObjectMeta]) -> Result<Vec<Arc<Footer>>, ParquetError> {
    let small = |meta: &&ObjectMeta| meta.size <= SMALL_OBJECT_BYTES;
    let small_bytes: u64 = files.iter().filter(small).map(|meta| meta.size).sum();
    let whole = small_bytes <= PREFETCH_BYTES_MAX;
    stream::iter(files.to_vec())
        .map(|meta| async move {
            if whole && meta.size <= SMALL_OBJECT_BYTES {
                let body = objects.small_body(&meta).await;
                body.map_err(|error| ParquetError::External(Box::new(error)))?;
            }
            load(objects, &meta).await
        })
        .buffered(CONCURRENT_REQUESTS)
        .try_collect()
        .await
}

struct Fetch<'a> {
    objects: &'a Objects,
    meta: &'a ObjectMeta,
}

impl MetadataFetch for Fetch<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let cached = self.objects.cache.bodies.get(&self.objects.key(self.meta));
            let mut parts = match cached {
                Some(body) => vec![body.slice(range.start as usize..range.end as usize)],
                None => {
                    let store = &self.objects.store;
                    let fetched = store.get_ranges(&self.meta.location, &[range]).await;
                    let parts = fetched.map_err(|e| ParquetError::External(Box::new(e)))?;
                    let total: usize = parts.iter().map(Bytes::len).sum();
                    super::reader::ScanCounters::add(&self.objects.counters.fetched_bytes, total as u64);
                    parts
                }
            };
            parts
                .pop()
                .ok_or_else(|| ParquetError::EOF(self.meta.location.to_string()))
        }
        .boxed()
    }
}

/// The column of a file that a table's column is read from: by name, else by name in any case.
pub(super) fn file_column(file: &Schema, name: &str) -> Option<usize> {
    let fields = file.fields();
    fields
        .iter()
        .position(|field| field.name() == name)
        .or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name)))
}

fn file_statistics(metadata: &ParquetMetaData, table: &Schema) -> Statistics {
    let rows: usize = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows() as usize)
        .sum();
    let described = metadata.file_metadata();
    let own = parquet_to_arrow_schema(described.schema_descr(), described.key_value_metadata())
        .map(Arc::new)
        .ok();
    let read = own
        .as_ref()
        .and_then(|schema| DFParquetMetadata::statistics_from_parquet_metadata(metadata, schema).ok());
    let column = |field: &Arc<Field>| match (&own, &read) {
        (Some(own), Some(read)) => match file_column(own, field.name()) {
            Some(at) => as_table_column(
                read.column_statistics.get(at),
                own.field(at).data_type(),
                field.data_type(),
            ),
            None => ColumnStatistics {
                null_count: Precision::Exact(rows),
                ..ColumnStatistics::new_unknown()
            },
        },
        _ => ColumnStatistics::new_unknown(),
    };
    Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: Precision::Absent,
        column_statistics: table.fields().iter().map(column).collect(),
    }
}

/// A file's statistics of a column as the table's type; unknown where the type says nothing about the order.
pub(super) fn as_table_column(
    statistics: Option<&ColumnStatistics>,
    file_type: &DataType,
    table_type: &DataType,
) -> ColumnStatistics {
    let Some(statistics) = statistics else {
        return ColumnStatistics::new_unknown();
    };
    let bound = |value: &Precision<ScalarValue>| match value {
        Precision::Absent => Precision::Absent,
        _ if !keeps_order(file_type, table_type) => Precision::Absent,
        Precision::Exact(value) | Precision::Inexact(value) if value.is_null() => Precision::Absent,
        Precision::Exact(value) => match value.cast_to(table_type) {
            // Parquet leaves NaN out of a column's bounds, SQL does not.
            Ok(cast) if table_type.is_floating() => Precision::Inexact(cast),
            Ok(cast) => Precision::Exact(cast),
            Err(_) => Precision::Absent,
        },
        Precision::Inexact(value) => value.cast_to(table_type).map_or(Precision::Absent, Precision::Inexact),
    };
    ColumnStatistics {
        null_count: statistics.null_count,
        min_value: bound(&statistics.min_value),
        max_value: bound(&statistics.max_value),
        ..ColumnStatistics::new_unknown()
    }
}

/// Whether a ≤ b still holds after both are cast.
fn keeps_order(from: &DataType, to: &DataType) -> bool {
    let number = |of: &DataType| of.is_numeric();
    let text = |of: &DataType| matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let time = |of: &DataType| matches!(of, DataType::Timestamp(..) | DataType::Date32);
    from == to || (number(from) && number(to)) || (text(from) && text(to)) || (time(from) && time(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_used_only_where_a_cast_keeps_their_order() {
        let of = |low: i32, high: i32| ColumnStatistics {
            min_value: Precision::Exact(ScalarValue::Int32(Some(low))),
            max_value: Precision::Exact(ScalarValue::Int32(Some(high))),
            ..ColumnStatistics::new_unknown()
        };
        let wide = as_table_column(Some(&of(9, 10)), &DataType::Int32, &DataType::Int64);
        assert_eq!(wide.max_value, Precision::Exact(ScalarValue::Int64(Some(10))));
        let double = as_table_column(Some(&of(9, 10)), &DataType::Int32, &DataType::Float64);
        assert_eq!(double.min_value, Precision::Inexact(ScalarValue::Float64(Some(9.0))));
        let text = as_table_column(Some(&of(9, 10)), &DataType::Int32, &DataType::Utf8);
        assert_eq!((text.min_value, text.max_value), (Precision::Absent, Precision::Absent));
    }
}
