//! Athena's texts as Arrow's values.
//!
//! | Athena says | Arrow has |
//! |---|---|
//! | `boolean`, `tinyint`, `smallint`, `integer`, `bigint`, `float` (`real`), `double` | the same |
//! | `decimal` with precision and scale | `Decimal128` |
//! | `date` | `Date32` |
//! | `timestamp` | microseconds without a zone; nanoseconds where there are more digits |
//! | `varbinary` (pairs of hex digits) | `Binary` |
//! | `varchar`, `char`, `string`, `json`, and all else | text |
//!
//! Text stay: `timestamp with time zone` (each value has a zone of its own), `time`, intervals, and `array`, `map` and
//! `row`, whose members' types the metadata does not tell. A column with a value that can't be read as its type, or
//! would lose digits by it, stays text as well.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use aws_sdk_athena::types::ColumnInfo;

/// The values of a column.
pub(super) fn array(column: &ColumnInfo, cells: &[Option<String>]) -> ArrayRef {
    let text: StringArray = cells.iter().map(Option::as_deref).collect();
    let typed = match data_type(column, cells) {
        Some(DataType::Binary) => binary(cells),
        Some(wanted) => {
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(&text, &wanted, &strict).ok()
        }
        None => None,
    };
    typed.unwrap_or_else(|| Arc::new(text))
}

/// The type that holds all values of a column, or `None` for text.
fn data_type(column: &ColumnInfo, cells: &[Option<String>]) -> Option<DataType> {
    let fraction_digits = || {
        let values = cells.iter().flatten();
        let digits = values.filter_map(|value| Some(value.rsplit_once('.')?.1.len()));
        digits.max().unwrap_or(0)
    };
    Some(match column.r#type().to_lowercase().as_str() {
        "boolean" => DataType::Boolean,
        "tinyint" => DataType::Int8,
        "smallint" => DataType::Int16,
        "integer" | "int" => DataType::Int32,
        "bigint" => DataType::Int64,
        "float" | "real" => DataType::Float32,
        "double" => DataType::Float64,
        "decimal" => {
            let precision = u8::try_from(column.precision()).ok().filter(|p| (1..=38).contains(p))?;
            let scale = i8::try_from(column.scale())
                .ok()
                .filter(|s| (0..=precision as i8).contains(s))?;
            if fraction_digits() > scale as usize {
                return None;
            }
            DataType::Decimal128(precision, scale)
        }
        "date" => DataType::Date32,
        "timestamp" => match fraction_digits() {
            0..=6 => DataType::Timestamp(TimeUnit::Microsecond, None),
            7..=9 => DataType::Timestamp(TimeUnit::Nanosecond, None),
            _ => return None,
        },
        "varbinary" => DataType::Binary,
        _ => return None,
    })
}

/// `00 1f ff`, as Athena writes bytes.
fn binary(cells: &[Option<String>]) -> Option<ArrayRef> {
    let bytes = |text: &str| -> Option<Vec<u8>> {
        let pair = |pair: &str| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten();
        text.split_ascii_whitespace().map(pair).collect()
    };
    let mut decoded = Vec::with_capacity(cells.len());
    for cell in cells {
        decoded.push(match cell {
            Some(text) => Some(bytes(text)?),
            None => None,
        });
    }
    Some(Arc::new(decoded.iter().map(Option::as_deref).collect::<BinaryArray>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;

    fn column(kind: &str, precision: i32, scale: i32) -> ColumnInfo {
        ColumnInfo::builder()
            .name("c")
            .r#type(kind)
            .precision(precision)
            .scale(scale)
            .build()
            .unwrap()
    }

    fn read(column: &ColumnInfo, cells: &[Option<&str>]) -> (DataType, Vec<String>) {
        let cells: Vec<Option<String>> = cells.iter().map(|cell| cell.map(str::to_owned)).collect();
        let array = array(column, &cells);
        let options = FormatOptions::default().with_null("NULL");
        let shown = ArrayFormatter::try_new(&array, &options).unwrap();
        let shown = (0..array.len()).map(|row| shown.value(row).to_string()).collect();
        (array.data_type().clone(), shown)
    }

    #[test]
    fn every_type_of_athena_is_read() {
        use DataType as D;
        let micros = D::Timestamp(TimeUnit::Microsecond, None);
        for (kind, text, wanted, shown) in [
            ("boolean", "true", D::Boolean, "true"),
            ("tinyint", "-128", D::Int8, "-128"),
            ("smallint", "32767", D::Int16, "32767"),
            ("integer", "-2147483648", D::Int32, "-2147483648"),
            ("bigint", "9223372036854775807", D::Int64, "9223372036854775807"),
            ("float", "1.5", D::Float32, "1.5"),
            ("double", "1.0E10", D::Float64, "10000000000.0"),
            ("double", "NaN", D::Float64, "NaN"),
            ("double", "-Infinity", D::Float64, "-inf"),
            ("date", "2012-06-01", D::Date32, "2012-06-01"),
            (
                "timestamp",
                "2012-06-01 13:30:00.123",
                micros.clone(),
                "2012-06-01T13:30:00.123",
            ),
            (
                "timestamp",
                "1969-12-31 23:59:59.999",
                micros,
                "1969-12-31T23:59:59.999",
            ),
            (
                "timestamp",
                "2012-06-01 13:30:00.123456789",
                D::Timestamp(TimeUnit::Nanosecond, None),
                "2012-06-01T13:30:00.123456789",
            ),
            ("varbinary", "00 1f ff", D::Binary, "001fff"),
            ("varchar", " x ", D::Utf8, " x "),
            (
                "timestamp with time zone",
                "2012-06-01 13:30:00.000 UTC",
                D::Utf8,
                "2012-06-01 13:30:00.000 UTC",
            ),
            ("array", "[1, 2]", D::Utf8, "[1, 2]"),
            ("row", "{a=1, b=x}", D::Utf8, "{a=1, b=x}"),
        ] {
            assert_eq!(
                read(&column(kind, 0, 0), &[Some(text), None]),
                (wanted, vec![shown.to_owned(), "NULL".to_owned()]),
                "{kind} {text}"
            );
        }
    }

    #[test]
    fn decimals_keep_all_their_digits() {
        let digits = "12345678901234567890123456789012345.678";
        let (kind, shown) = read(&column("decimal", 38, 3), &[Some(digits), Some("-0.500")]);
        assert_eq!(kind, DataType::Decimal128(38, 3));
        assert_eq!(shown, [digits, "-0.500"]);
        let (kind, shown) = read(&column("decimal", 4, 1), &[Some("1.25")]);
        assert_eq!((kind, shown[0].as_str()), (DataType::Utf8, "1.25"), "not rounded");
        assert_eq!(read(&column("decimal", 0, 0), &[Some("1")]).0, DataType::Utf8);
    }

    #[test]
    fn what_is_not_of_its_type_stays_text() {
        for (kind, text) in [
            ("bigint", "9223372036854775808"),
            ("date", "soon"),
            ("timestamp", "2012-06-01 13:30:00.123456789012"),
            ("varbinary", "0g"),
            ("boolean", ""),
        ] {
            let (found, shown) = read(&column(kind, 0, 0), &[Some(text), Some("1")]);
            assert_eq!((found, shown[0].as_str()), (DataType::Utf8, text), "{kind}");
        }
    }
}
