//! What a Parquet file's footer says of its columns' values, for the catalog.

use std::collections::BTreeMap;

use bytes::Bytes;
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit},
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaDataReader},
        statistics::Statistics,
    },
};

/// Smallest and largest value of a column in an object, where there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnRange {
    /// What the values are.
    pub kind: RangeKind,
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
    /// How many rows have none.
    pub nulls: u64,
}

/// What the numbers of a [`ColumnRange`] mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeKind {
    /// An integer.
    Integer,
    /// Microseconds since 1970, UTC.
    Timestamp,
    /// Days since 1970.
    Date,
}

/// The ranges of a file's columns, by name in lower case. A column about which the footer says too little is left out, as is
/// everything if the footer can't be read: readers find out by themselves.
pub(crate) fn column_ranges(file: &Bytes) -> BTreeMap<String, ColumnRange> {
    let Ok(metadata) = ParquetMetaDataReader::new().parse_and_finish(file) else {
        return BTreeMap::new();
    };
    let columns = metadata.file_metadata().schema_descr().num_columns();
    let range = |at: usize| {
        let mut all: Option<ColumnRange> = None;
        let mut name = None;
        for group in metadata.row_groups() {
            let chunk = group.columns().get(at)?;
            let of_chunk = chunk_range(chunk)?;
            all = Some(all.map_or(of_chunk, |all| all.with(&of_chunk)));
            name = Some(chunk.column_path().string().to_lowercase());
        }
        Some((name?, all?))
    };
    (0..columns).filter_map(range).collect()
}

impl ColumnRange {
    fn with(&self, other: &Self) -> Self {
        Self {
            kind: self.kind,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            nulls: self.nulls + other.nulls,
        }
    }
}

/// The range of one row group's column. `None` also where it has no value at all.
fn chunk_range(chunk: &ColumnChunkMetaData) -> Option<ColumnRange> {
    let described = chunk.column_descr();
    if chunk.column_path().parts().len() != 1 || described.max_rep_level() > 0 {
        return None;
    }
    let (kind, factor) = match described.logical_type_ref() {
        Some(LogicalType::Timestamp(of)) => match of.unit {
            TimeUnit::MILLIS => (RangeKind::Timestamp, 1_000),
            TimeUnit::MICROS => (RangeKind::Timestamp, 1),
            TimeUnit::NANOS => return None,
        },
        Some(LogicalType::Date) => (RangeKind::Date, 1),
        Some(LogicalType::Integer(of)) if of.is_signed => (RangeKind::Integer, 1),
        None if described.converted_type() == ConvertedType::NONE => (RangeKind::Integer, 1),
        _ => return None,
    };
    let statistics = chunk.statistics()?;
    let (min, max) = match statistics {
        Statistics::Int32(of) => (i64::from(*of.min_opt()?), i64::from(*of.max_opt()?)),
        Statistics::Int64(of) => (*of.min_opt()?, *of.max_opt()?),
        _ => return None,
    };
    Some(ColumnRange {
        kind,
        min: min.checked_mul(factor)?,
        max: max.checked_mul(factor)?,
        nulls: statistics.null_count_opt()?,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt32Array,
    };
    use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

    use super::*;

    #[test]
    fn whole_numbers_and_times_have_ranges_over_all_row_groups() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "Size",
                Arc::new(Int64Array::from(vec![Some(5), None, Some(-7), Some(9)])),
            ),
            ("int", Arc::new(Int32Array::from(vec![4, 3, 2, 1]))),
            ("ms", Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3, -4]))),
            (
                "us",
                Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3, 4]).with_timezone("UTC")),
            ),
            ("day", Arc::new(Date32Array::from(vec![10, 11, 12, 13]))),
            ("ns", Arc::new(TimestampNanosecondArray::from(vec![1, 2, 3, 4]))),
            ("unsigned", Arc::new(UInt32Array::from(vec![1, 2, 3, 4]))),
            ("price", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]))),
            ("symbol", Arc::new(StringArray::from(vec!["a", "b", "c", "d"]))),
            ("empty", Arc::new(Int64Array::from(vec![None, None, Some(1), Some(2)]))),
        ];
        let rows =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, of)| (name, of, true))).unwrap();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        let file = Bytes::from(writer.into_inner().unwrap());

        let range = |kind, min, max, nulls| ColumnRange { kind, min, max, nulls };
        let expected = BTreeMap::from([
            ("size".to_owned(), range(RangeKind::Integer, -7, 9, 1)),
            ("int".to_owned(), range(RangeKind::Integer, 1, 4, 0)),
            ("ms".to_owned(), range(RangeKind::Timestamp, -4_000, 3_000, 0)),
            ("us".to_owned(), range(RangeKind::Timestamp, 1, 4, 0)),
            ("day".to_owned(), range(RangeKind::Date, 10, 13, 0)),
        ]);
        assert_eq!(column_ranges(&file), expected);
        assert_eq!(column_ranges(&file.slice(..file.len() - 1)), BTreeMap::new());
    }
}
