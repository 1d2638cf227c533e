use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn rules() -> Rules {
    Rules {
        on_new_type: OnNewType::Widen,
        time_fields: vec!["event_time".into()],
    }
}

fn decoded(messages: &[&str]) -> Decoded {
    decode(messages.iter().copied(), &TableSchema::default(), &rules()).unwrap()
}

/// The rows as JSON objects without nulls, as Arrow writes them.
fn rows(decoded: Decoded) -> Vec<Value> {
    let batch = decoded.batch().unwrap();
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let text = writer.into_inner();
    if text.is_empty() {
        Vec::new()
    } else {
        serde_json::from_slice(&text).unwrap()
    }
}

#[test]
fn an_event_becomes_typed_columns() {
    let decoded = decoded(&[
        r#"{"symbol":"AAPL","event_time":"2012-06-01T13:30:00Z","price":81.31,"size":100,"ok":true}"#,
        r#"{"symbol":"MS\"FT","event_time":"2012-06-01T13:30:00.25Z","size":-1,"price":29,"new":[1,2]}"#,
    ]);
    assert_eq!(decoded.rejected, []);
    let batch = decoded.batch().unwrap();
    let kinds: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|f| (f.name().clone(), f.data_type().clone()))
        .collect();
    assert_eq!(kinds[0], ("symbol".into(), DataType::Utf8));
    assert!(matches!(
        kinds[1].1,
        DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some(_))
    ));
    assert_eq!(kinds[2].1, DataType::Float64);
    assert_eq!(kinds[3].1, DataType::Int64);
    assert_eq!(kinds[4].1, DataType::Boolean);
    assert!(matches!(kinds[5].1, DataType::List(_)));
    assert_eq!(batch.column(0).as_string::<i32>().value(1), "MS\"FT");
    assert_eq!(batch.column(2).as_primitive::<Float64Type>().values(), &[81.31, 29.0]);
    assert_eq!(batch.column(3).as_primitive::<Int64Type>().values(), &[100, -1]);
    assert!(batch.column(4).is_null(1));
}

#[test]
fn types_widen_and_never_narrow() {
    let got = rows(decoded(&[r#"{"a":1}"#, r#"{"a":2.5}"#, r#"{"a":3}"#]));
    assert_eq!(got, [json!({"a":1.0}), json!({"a":2.5}), json!({"a":3.0})]);
    let got = rows(decoded(&[
        r#"{"a":1}"#,
        r#"{"a":2.5}"#,
        r#"{"a":"x"}"#,
        r#"{"a":{"b":[1,null,"é"]}}"#,
    ]));
    assert_eq!(
        got,
        [
            json!({"a":"1"}),
            json!({"a":"2.5"}),
            json!({"a":"x"}),
            json!({"a":"{\"b\":[1,null,\"é\"]}"})
        ]
    );
    let got = rows(decoded(&[
        r#"{"a":{"b":1}}"#,
        r#"{"a":{"b":true,"c":2}}"#,
        r#"{"a":null}"#,
    ]));
    assert_eq!(
        got,
        [json!({"a":{"b":"1"}}), json!({"a":{"b":"true","c":2}}), json!({})]
    );
}

#[test]
fn what_is_no_object_is_rejected_and_leaves_no_trace() {
    let decoded = decoded(&[
        r#"{"a":1}"#,
        r#"{"a":2,"b":3"#,
        r#"{"a":2 "b":3}"#,
        r#"{"a":2}}"#,
        r#"[1]"#,
        r#"{"c":tru}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"A":2}"#,
        r#"{"_offset":1}"#,
        r#"{"a":1e999}"#,
        r#"{"a":4}"#,
    ]);
    let positions: Vec<usize> = decoded.rejected.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5, 6, 7, 8, 9], "{:?}", decoded.rejected);
    assert_eq!(decoded.schema.columns.len(), 1, "{:?}", decoded.schema);
    assert_eq!(rows(decoded), [json!({"a":1}), json!({"a":4})]);
}

#[test]
fn a_value_that_does_not_fit_is_named() {
    let strict = Rules {
        on_new_type: OnNewType::Reject,
        ..rules()
    };
    let messages = [
        r#"{"a":{"b":1}}"#,
        r#"{"a":{"b":"x"}}"#,
        r#"{"event_time":"noon"}"#,
        r#"{"event_time":12}"#,
    ];
    let known = TableSchema {
        columns: vec![Column {
            name: "event_time".into(),
            kind: ColumnType::Timestamp,
            fixed: false,
        }],
    };
    let decoded = decode(messages.into_iter(), &known, &strict).unwrap();
    let reasons: Vec<&str> = decoded.rejected.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "field a.b: \"x\" does not fit the column's type",
            "field event_time: \"noon\" is not a time (RFC 3339)",
            "field event_time: 12 is not a time",
        ]
    );
}

/// The columns' types and the rows with all values as text.
fn typed(messages: &[&str], known: &TableSchema, rules: &Rules) -> (Vec<(String, ColumnType)>, Vec<Value>) {
    let decoded = decode(messages.iter().copied(), known, rules).unwrap();
    let columns = decoded.schema.columns.iter();
    let kinds = columns
        .map(|column| (column.name.clone(), column.kind.clone()))
        .collect();
    let mut lines = vec![json!({}); decoded.rows];
    for (field, array) in &decoded.columns {
        for (row, line) in lines.iter_mut().enumerate().filter(|(row, _)| array.is_valid(*row)) {
            line[field.name()] = json!(arrow::util::display::array_value_to_string(array, row).unwrap());
        }
    }
    lines.extend(decoded.rejected.into_iter().map(|(_, reason)| json!(reason)));
    (kinds, lines)
}

const WIDE: ColumnType = ColumnType::Decimal {
    precision: 20,
    scale: 0,
};

#[test]
fn integers_are_what_they_were_whatever_comes_together() {
    let of = |kind: &ColumnType| vec![("a".to_owned(), kind.clone())];
    for (messages, kind, stored) in [
        (["18446744073709551615", "-1"], WIDE, ["18446744073709551615", "-1"]),
        (
            ["-9223372036854775808", "9223372036854775808"],
            WIDE,
            ["-9223372036854775808", "9223372036854775808"],
        ),
        (
            ["9007199254740993", "1.5"],
            ColumnType::Text,
            ["9007199254740993", "1.5"],
        ),
        (
            ["1.5", "9007199254740993"],
            ColumnType::Text,
            ["1.5", "9007199254740993"],
        ),
        (
            ["9007199254740992", "1.5"],
            ColumnType::Double,
            ["9007199254740992.0", "1.5"],
        ),
        (
            ["1.5", "-9223372036854775808"],
            ColumnType::Double,
            ["1.5", "-9.223372036854776e18"],
        ),
        (
            ["1.5", "18446744073709551615"],
            ColumnType::Text,
            ["1.5", "18446744073709551615"],
        ),
        (
            ["18446744073709551615", "1.50"],
            ColumnType::Text,
            ["18446744073709551615", "1.50"],
        ),
        (
            ["18446744073709551615", "\"x\""],
            ColumnType::Text,
            ["18446744073709551615", "x"],
        ),
        (
            ["18446744073709551615", "\"7\""],
            ColumnType::Text,
            ["18446744073709551615", "7"],
        ),
        (
            ["1", "123456789012345678901234567890"],
            ColumnType::Text,
            ["1", "123456789012345678901234567890"],
        ),
        (["1e300", "-2"], ColumnType::Double, ["1e300", "-2.0"]),
        (
            ["true", "0.12345678901234567890"],
            ColumnType::Text,
            ["true", "0.12345678901234567890"],
        ),
    ] {
        let texts = messages.map(|value| format!("{{\"a\":{value}}}"));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let stored = stored.map(|value| json!({ "a": value }));
        let (kinds, rows) = typed(&texts, &TableSchema::default(), &rules());
        assert_eq!((&kinds, &rows[..]), (&of(&kind), &stored[..]), "{messages:?}");
        // Once files have the column, the same messages are the same rows: a claim is redone so.
        let mut fixed = decode(texts.iter().copied(), &TableSchema::default(), &rules())
            .unwrap()
            .schema;
        fixed.fix();
        assert_eq!(typed(&texts, &fixed, &rules()).1, stored, "{messages:?}");
    }
    let (_, rows) = typed(
        &[r#"{"a":[1,{"b":1.10}]}"#, r#"{"a":{"b":[1e2,18446744073709551616]}}"#],
        &TableSchema::default(),
        &rules(),
    );
    assert_eq!(
        rows,
        [
            json!({"a":r#"[1,{"b":1.10}]"#}),
            json!({"a":r#"{"b":[1e2,18446744073709551616]}"#})
        ]
    );
}

#[test]
fn an_integer_that_a_column_of_files_cannot_hold_goes_beside_it_or_is_rejected() {
    let mut known = decoded(&[r#"{"i":1,"d":1.5,"l":[1.5],"w":18446744073709551615}"#]).schema;
    known.fix();
    let messages = [
        r#"{"d":9007199254740993}"#,
        r#"{"d":18446744073709551615,"i":18446744073709551615}"#,
        r#"{"l":[1.5,9007199254740993]}"#,
        r#"{"w":1.5,"i":123456789012345678901234567890}"#,
        r#"{"w":-5,"d":9007199254740994}"#,
    ];
    let (_, rows) = typed(&messages, &known, &rules());
    assert_eq!(
        rows,
        [
            json!({"d__string":"9007199254740993"}),
            json!({"d__string":"18446744073709551615","i__string":"18446744073709551615"}),
            json!({"l__string":"[1.5,9007199254740993]"}),
            json!({"w__string":"1.5","i__string":"123456789012345678901234567890"}),
            json!({"w":"-5","d":"9007199254740994.0"}),
        ]
    );
    let strict = Rules {
        on_new_type: OnNewType::Reject,
        ..rules()
    };
    let refused = decode(messages.into_iter(), &known, &strict).unwrap();
    assert_eq!(
        refused.rejected.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [0, 1, 2, 3],
        "{:?}",
        refused.rejected
    );
}

/// What Hive's names of types can't hold doesn't get into them, and no name can say a type.
#[test]
fn names_inside_of_objects_are_names() {
    let messages = [
        r#"{"o":{"First Name":1,"a:int,b":2,"":3,"l":[{"x<y>":1}]},"\u00c9":1}"#,
        r#"{"o":{"first_name":5,"A_INT_B":6},"\u00e9":2}"#,
        r#"{"o":{"first name":7,"first_name":8}}"#,
    ];
    let first = decoded(&messages);
    assert_eq!(first.rejected.len(), 1, "{:?}", first.rejected);
    assert!(first.rejected[0].1.contains("twice in one object"));
    let names: Vec<_> = first.schema.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["o", "\u{e9}"]);
    assert_eq!(
        rows(first),
        [
            json!({"o":{"first_name":1,"a_int_b":2,"_":3,"l":[{"x_y_":1}]},"\u{e9}":1}),
            json!({"o":{"first_name":5,"a_int_b":6},"\u{e9}":2})
        ]
    );
}

#[test]
fn nesting_and_columns_have_a_bound() {
    let nested = |depth| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let (deep, deepest) = (nested(DEPTH_MAX), nested(100_000));
    let text = format!("{{\"b\":\"{}\\\"[\"}}", "[".repeat(100));
    let wide: String = (0..COLUMNS_MAX + 1).map(|n| format!("\"c{n}\":1,")).collect();
    let wide = format!("{{{}\"z\":1}}", wide);
    let decoded = decoded(&[
        &deep,
        r#"{"x":1}"#,
        r#"{"y":1,"x":"a","_topic":1}"#,
        &wide,
        &deepest,
        &nested(DEPTH_MAX - 1),
        &text,
    ]);
    assert_eq!(decoded.rejected.len(), 4);
    let names: Vec<&str> = decoded
        .schema
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["x", "a", "b"]);
    assert_eq!(decoded.schema.columns[0].kind, ColumnType::Int);
    assert!(
        decoded.rejected[0].1.contains("nested deeper"),
        "{:?}",
        decoded.rejected[0]
    );
    assert!(
        decoded.rejected[2].1.contains("too many columns"),
        "{:?}",
        decoded.rejected[2]
    );
    assert_eq!(decoded.rows, 3);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 50)..1 << 50).prop_map(Value::from),
        (-8_000_000_i32..8_000_000).prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "[a-zé\"\\\\\n ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_message() -> impl Strategy<Value = String> {
    let object = prop::collection::btree_map("[a-d]", any_value(), 0..4);
    prop_oneof![
        8 => object.prop_map(|fields| Value::Object(fields.into_iter().collect()).to_string()),
        1 => any_value().prop_map(|value| value.to_string()),
        1 => "[{}\":,a0\\[\\]]{0,12}",
    ]
}

/// What a value must read as in a column of the given type.
fn as_stored(value: &Value, kind: &ColumnType) -> Value {
    match (kind, value) {
        (_, Value::Null) | (ColumnType::Unknown, _) => Value::Null,
        (ColumnType::Double, number) => json!(number.as_f64()),
        (ColumnType::Text, Value::String(text)) => json!(text),
        (ColumnType::Text, other) => json!(other.to_string()),
        (ColumnType::Struct(columns), Value::Object(fields)) => columns
            .iter()
            .filter_map(|column| {
                let stored = as_stored(fields.get(&column.name)?, &column.kind);
                (!stored.is_null()).then(|| (column.name.clone(), stored))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        (ColumnType::List(item), Value::Array(values)) => values.iter().map(|value| as_stored(value, item)).collect(),
        (_, value) => value.clone(),
    }
}

/// What the catalog could store of it: a list or object of which nothing is known is left out.
fn without_unknown(value: &Value, kind: &ColumnType) -> Value {
    let schema = TableSchema {
        columns: vec![Column {
            name: "x".into(),
            kind: kind.clone(),
            fixed: false,
        }],
    };
    if schema.to_arrow().field_with_name("x").is_err() {
        return Value::Null;
    }
    match (kind, value) {
        (ColumnType::Struct(columns), Value::Object(fields)) => columns
            .iter()
            .filter_map(|column| {
                let stored = without_unknown(fields.get(&column.name)?, &column.kind);
                (!stored.is_null()).then(|| (column.name.clone(), stored))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        (ColumnType::List(item), Value::Array(values)) => {
            values.iter().map(|value| without_unknown(value, item)).collect()
        }
        _ => value.clone(),
    }
}

proptest! {
    /// Each message is one row with its values, or one rejection; and decoding again with the schema that
    /// came out gives the same.
    #[test]
    fn rows_hold_what_the_messages_said(messages in prop::collection::vec(any_message(), 0..12)) {
        let texts: Vec<&str> = messages.iter().map(String::as_str).collect();
        let first = decoded(&texts);
        let schema = first.schema.clone();
        let again = decode(texts.iter().copied(), &schema, &rules()).unwrap();
        prop_assert_eq!(&again.schema, &schema);
        prop_assert_eq!(&again.rejected, &first.rejected);
        prop_assert_eq!(&again.columns, &first.columns);

        let objects: Vec<(usize, Value)> = texts
            .iter()
            .enumerate()
            .filter_map(|(at, text)| Some((at, serde_json::from_str::<Value>(text).ok().filter(Value::is_object)?)))
            .collect();
        let accepted = |at: &usize| !first.rejected.iter().any(|(position, _)| position == at);
        for (at, text) in texts.iter().enumerate() {
            let object = objects.iter().any(|(position, _)| *position == at);
            prop_assert!(object || !accepted(&at), "not an object, but accepted: {}", text);
        }
        prop_assert_eq!(first.rows + first.rejected.len(), texts.len());
        let kind = ColumnType::Struct(schema.columns.clone());
        let expected: Vec<Value> = objects
            .iter()
            .filter(|(at, _)| accepted(at))
            .map(|(_, value)| without_unknown(&as_stored(value, &kind), &kind))
            .map(|value| if value.is_null() { json!({}) } else { value })
            .collect();
        let got: Vec<Value> = if first.columns.is_empty() { vec![json!({}); first.rows] } else { rows(first) };
        prop_assert_eq!(got, expected);
    }
}

/// What files have stays as it is, in objects too; what doesn't fit comes beside it, lists as a whole.
#[test]
fn what_does_not_fit_a_column_of_files_comes_beside_it() {
    let mut known = decoded(&[r#"{"n":1,"o":{"x":1},"l":[1],"s":"a","ll":[[1]],"lo":[{"x":1}]}"#]).schema;
    known.fix();
    let messages = [
        r#"{"n":2.5,"o":{"x":"y"},"l":[1,2],"s":7}"#,
        r#"{"n":"x","o":[1],"l":[1,"b"],"lo":[{"x":true}]}"#,
        r#"{"n":3,"n__double":4.5,"ll":[[1,{}]],"l":5}"#,
        r#"{"n":1.5,"n__double":4.5}"#,
        r#"{"n":[null],"l":[null,3]}"#,
    ];
    let first = decode(messages.into_iter(), &known, &rules()).unwrap();
    assert_eq!(first.rejected, [(3, "field n__double: twice in one object".to_owned())]);
    assert!(known.is_readable_as(&first.schema) && first.schema.is_readable_as(&first.schema));
    let mut schema = first.schema.clone();
    schema.fix();
    let again = decode(messages.into_iter(), &schema, &rules()).unwrap();
    assert_eq!(again.columns, first.columns);
    assert_eq!(
        rows(first),
        [
            json!({"n__double":2.5,"o":{"x__string":"y"},"l":[1,2],"s":"7"}),
            json!({"n__string":"x","o__string":"[1]","l__string":"[1,\"b\"]","lo":[{"x__string":"true"}]}),
            json!({"n":3,"n__double":4.5,"ll__string":"[[1,{}]]","l__string":"5"}),
            json!({"n__string":"[null]","l":[null,3]}),
        ]
    );
}

#[test]
fn decimals_keep_their_digits() {
    let known = TableSchema {
        columns: vec![Column {
            name: "p".into(),
            kind: ColumnType::Decimal {
                precision: 20,
                scale: 2,
            },
            fixed: true,
        }],
    };
    let messages = [
        r#"{"p":123456789012345678.91}"#,
        r#"{"p":"0.10"}"#,
        r#"{"p":null}"#,
        r#"{"p":0.001}"#,
        r#"{"p":{"a":1}}"#,
    ];
    let widened = decode(messages.into_iter(), &known, &rules()).unwrap();
    assert_eq!(widened.rejected, []);
    let batch = widened.batch().unwrap();
    let decimals = batch.column(0).as_primitive::<arrow::datatypes::Decimal128Type>();
    assert_eq!((decimals.value(0), decimals.value(1)), (12_345_678_901_234_567_891, 10));
    assert_eq!((2..5).filter(|row| decimals.is_null(*row)).count(), 3);
    assert_eq!(batch.column(1).as_string::<i32>().value(3), "0.001");
    assert_eq!(batch.column(1).as_string::<i32>().value(4), r#"{"a":1}"#);
    let strict = Rules {
        on_new_type: OnNewType::Reject,
        ..rules()
    };
    let refused = decode(messages.into_iter(), &known, &strict).unwrap();
    assert_eq!(refused.rejected.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 4]);
}
