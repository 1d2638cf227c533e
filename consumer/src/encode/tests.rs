use std::{collections::BTreeSet, io::Read};

use flate2::read::GzDecoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    batch::day_or_rejected,
    date::{PartitionBy, day_name},
    decode::OnNewType,
    names::{Compression, Source},
};

fn encoding(format: Format) -> Encoding {
    let fields = vec!["event_time".to_owned(), "date".to_owned()];
    Encoding {
        table: "t".into(),
        format,
        compression: Compression::default(),
        dates: DateRule {
            by: PartitionBy::Event,
            fields,
            lenient: true,
        },
        rules: Rules {
            on_new_type: OnNewType::Widen,
            time_fields: vec!["event_time".into()],
        },
    }
}

fn batch_of(values: &[Option<&[u8]>], encoding: &Encoding) -> Batch {
    let mut batch = Batch::new(
        Source {
            topic: "t".into(),
            partition: 3,
            epoch: 0,
        },
        10,
    );
    for (at, value) in values.iter().enumerate() {
        let record = Record {
            offset: 10 + at as i64 * 2,
            timestamp_ms: 1_000,
            value: *value,
        };
        batch.push(
            record,
            day_or_rejected(encoding.dates.day_of(record.value, record.timestamp_ms)),
        );
    }
    batch
}

fn lake() -> S3Url {
    "s3://lake/p".parse().unwrap()
}

fn lines(body: &Bytes) -> Vec<Value> {
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of an object as JSON without nulls.
fn rows(object: &Object, format: Format) -> Vec<Value> {
    if format == Format::Json {
        return lines(&object.body);
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(object.body.clone())
        .unwrap()
        .build()
        .unwrap();
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    for batch in reader {
        writer.write(&batch.unwrap()).unwrap();
    }
    writer.finish().unwrap();
    serde_json::from_slice(&writer.into_inner()).unwrap()
}

#[test]
fn days_and_rejections_are_objects_of_their_own() {
    for format in [Format::Parquet, Format::Json] {
        let encoding = encoding(format);
        let batch = batch_of(
            &[
                Some(br#"{"event_time":"2012-06-01T13:30:01Z","price":1.5}"#),
                Some(br#"{"event_time":"2012-06-02T13:30:00Z","price":2,"new":"x"}"#),
                None,
                Some(b"\xff\xfe"),
                Some(b"{\"event_time\":\"2012-06-01T13:30:00Z\",\n\"price\":3}\n"),
                Some(br#"{"event_time":"2012-06-01T13:30:00Z","price":4"#),
            ],
            &encoding,
        );
        let encoded = encode(&batch, &lake(), &TableSchema::default(), &encoding).unwrap();
        let keys: Vec<&str> = encoded.objects.iter().map(|object| object.key.as_str()).collect();
        let extension = format.extension();
        let stem = "t-3-00000000000000000010-00000000000000000021";
        assert_eq!(
            keys,
            [
                format!("p/t/dt=2012-06-01/{stem}.{extension}"),
                format!("p/t/dt=2012-06-02/{stem}.{extension}"),
                format!("p/_rejected/t/{stem}.jsonl.gz"),
            ]
        );
        let first = rows(&encoded.objects[0], format);
        let offsets: Vec<i64> = first.iter().map(|row| row["_offset"].as_i64().unwrap()).collect();
        // Parquet's rows are in the order of their time.
        assert_eq!(offsets, if format == Format::Parquet { [18, 10] } else { [10, 18] });
        assert!(first.iter().all(|row| row["_topic"] == "t" && row["_partition"] == 3));
        assert!(
            first
                .iter()
                .all(|row| row["_timestamp"].as_str().unwrap().starts_with("1970-01-01T00:00:01"))
        );
        let second = rows(&encoded.objects[1], format);
        assert_eq!(
            (second[0]["price"].as_f64(), &second[0]["new"]),
            (Some(2.0), &json!("x"))
        );
        let rejected = lines(&encoded.objects[2].body);
        assert_eq!(rejected.len(), 3);
        assert_eq!(
            (&rejected[0]["offset"], &rejected[0]["payload"]),
            (&json!(14), &Value::Null)
        );
        assert_eq!(
            (&rejected[1]["offset"], &rejected[1]["payload_base64"]),
            (&json!(16), &json!("//4="))
        );
        assert_eq!(
            (&rejected[2]["offset"], rejected[2]["payload"].is_string()),
            (&json!(20), true)
        );
        assert!(
            rejected
                .iter()
                .all(|line| line["reason"].is_string() && line["partition"] == 3)
        );
    }
}

/// A stream in which columns come, go, widen and clash.
fn any_message() -> impl Strategy<Value = Option<Vec<u8>>> {
    let value = prop_oneof![
        any::<i32>().prop_map(Value::from),
        (-80_000_i32..80_000).prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "[a-z]{0,3}".prop_map(Value::from),
        Just(json!(null)),
        Just(json!({"x": 1})),
        Just(json!([1, "a"])),
    ];
    let date = prop_oneof![
        5 => (1..4_u32, 0..60_u32).prop_map(|(day, second)| json!(format!("2012-06-{day:02}T13:30:{second:02}Z"))),
        1 => Just(json!("yesterday")),
    ];
    let object = (
        prop::collection::btree_map("[a-c]", value, 0..3),
        prop::option::weighted(0.9, date),
    );
    prop_oneof![
        12 => object.prop_map(|(mut fields, date)| {
            fields.extend(date.map(|date| ("event_time".to_owned(), date)));
            Some(serde_json::to_vec(&fields).unwrap())
        }),
        1 => prop::collection::vec(any::<u8>(), 0..8).prop_map(Some),
        1 => Just(None),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Every message is in exactly one object, of its own day; and a batch written again, with the schema that
    /// came out, is the same objects to the byte.
    #[test]
    fn every_message_is_in_one_object(
        messages in prop::collection::vec(any_message(), 1..40),
        json_format in any::<bool>(),
    ) {
        let format = if json_format { Format::Json } else { Format::Parquet };
        let encoding = encoding(format);
        let values: Vec<Option<&[u8]>> = messages.iter().map(Option::as_deref).collect();
        let batch = batch_of(&values, &encoding);
        let first = encode(&batch, &lake(), &TableSchema::default(), &encoding).unwrap();
        let again = encode(&batch, &lake(), &first.schema, &encoding).unwrap();
        prop_assert_eq!(&again, &first);

        let mut seen = BTreeSet::new();
        for object in &first.objects {
            let (rows, offset) = match object.day {
                Some(_) => (rows(object, format), "_offset"),
                None => (lines(&object.body), "offset"),
            };
            prop_assert_eq!(rows.len() as u64, object.rows);
            for row in rows {
                prop_assert!(seen.insert(row[offset].as_i64().unwrap()), "twice: {}", row);
                if let Some(day) = object.day {
                    prop_assert!(row["event_time"].as_str().unwrap().starts_with(&day_name(day)));
                }
            }
        }
        let expected: BTreeSet<i64> = (0..messages.len()).map(|at| 10 + at as i64 * 2).collect();
        prop_assert_eq!(seen, expected);
    }
}

/// Physical and logical types that Athena reads under the Hive types that the catalog is told: signed integers, times as
/// INT64 (never INT96, never nanoseconds, which older engines refuse), lists in three levels.
#[test]
fn every_column_is_one_that_athena_reads() {
    use parquet::basic::{ConvertedType, LogicalType, Type};
    use parquet::file::reader::{FileReader, SerializedFileReader};

    let encoding = encoding(Format::Parquet);
    let message =
        br#"{"event_time":"2012-06-01T13:30:01.123456Z","day":"2012-06-01","yes":true,"n":1,"big":9223372036854775807,
        "d":1.5,"text":"x","Upper":1,"list":[1,2],"object":{"a":1,"b":[{"c":"x"}]}}"#;
    let batch = batch_of(&[Some(message)], &encoding);
    let encoded = encode(&batch, &lake(), &TableSchema::default(), &encoding).unwrap();
    let file = SerializedFileReader::new(encoded.objects[0].body.clone()).unwrap();
    let schema = file.metadata().file_metadata().schema_descr();
    let mut seen = BTreeSet::new();
    for column in schema.columns() {
        let path = column.path().string();
        assert_eq!(path, path.to_lowercase(), "the catalog knows lower case only");
        let readable = match (column.physical_type(), column.logical_type_ref()) {
            (Type::BOOLEAN | Type::DOUBLE, None) => true,
            (Type::INT32 | Type::INT64, None) => column.converted_type() == ConvertedType::NONE,
            (Type::INT32 | Type::INT64, Some(LogicalType::Integer(integer))) => integer.is_signed,
            (Type::INT32, Some(LogicalType::Date)) | (Type::BYTE_ARRAY, Some(LogicalType::String)) => true,
            (Type::INT64, Some(LogicalType::Timestamp(_))) => matches!(
                column.converted_type(),
                ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS
            ),
            _ => false,
        };
        assert!(readable, "{path}: {column:?}");
        seen.insert(path);
    }
    for path in [
        "event_time",
        "list.list.element",
        "object.b.list.element.c",
        "_timestamp",
        "_partition",
    ] {
        assert!(seen.contains(path), "{path} in {seen:?}");
    }
    let codecs = file
        .metadata()
        .row_group(0)
        .columns()
        .iter()
        .map(|column| column.compression());
    assert!(
        codecs
            .into_iter()
            .all(|codec| matches!(codec, ParquetCompression::ZSTD(_)))
    );
}
