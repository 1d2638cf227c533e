//! CSV in the shapes that people have, and what is said about rows that are wrong.

use proptest::prelude::*;
use tickertape_client::UsageError;
use tickertape_producer::OnBadRow;
use tickertape_producer::table::{BadRow, ReadOptions, Table};

fn for_ticks() -> ReadOptions {
    ReadOptions {
        for_ticks: true,
        ..ReadOptions::default()
    }
}

fn read(csv: &str, options: &ReadOptions) -> anyhow::Result<Table> {
    Table::read(csv.as_bytes(), "x.csv", options)
}

fn bad(csv: &str, options: &ReadOptions) -> BadRow {
    let error = read(csv, options).unwrap_err();
    error
        .downcast_ref::<BadRow>()
        .unwrap_or_else(|| panic!("{error:#}"))
        .clone()
}

fn json(table: &Table, row: usize) -> String {
    format!("{}}}", table.rows[row].json)
}

#[test]
fn indexes_with_a_float_volume_and_a_column_more_work_unchanged() {
    let csv = "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD\n\
        HSI,1986-12-31,2568.300049,2568.300049,2568.300049,2568.300049,2568.300049,0.0,333.87900637\n\
        HSI,1987-01-02,2540.100098,2640.100098,2540.100098,2580.500000,2540.100098,12.0,330.21301274\n";
    let table = read(csv, &for_ticks()).unwrap();
    assert_eq!(
        json(&table, 0),
        r#"{"symbol":"HSI","date":"1986-12-31","open":2568.300049,"high":2568.300049,"low":2568.300049,"close":2568.300049,"adj_close":2568.300049,"volume":0.0,"close_usd":333.87900637}"#
    );
    let bars: Vec<_> = table.rows.iter().map(|row| row.bar.unwrap()).collect();
    assert_eq!((bars[0].volume, bars[0].trade_count(100)), (0, 0));
    assert_eq!(
        (bars[1].volume, bars[1].size_scale, bars[1].trade_count(100)),
        (120, 1, 12)
    );
    assert_eq!((bars[1].close, bars[1].price_scale), (2_580_500_000, 6));
}

#[test]
fn the_files_own_digits_are_kept_and_missing_values_are_null() {
    let csv = "\u{feff} TICKER ,date,Open,CLOSE,\"Adj Close\",Note,Code,Sector\r\n\
        A,2012-06-01,118.50,118.5,,\"said \"\"hi\"\"\",007,12\r\n\
        B, 2012/06/01 ,.5,+1.250,NaN,,9,13.50\r\n";
    let table = read(csv, &ReadOptions::default()).unwrap();
    assert_eq!(
        json(&table, 0),
        r#"{"symbol":"A","date":"2012-06-01","open":118.50,"close":118.5,"adj_close":null,"note":"said \"hi\"","code":"007","sector":12}"#
    );
    // One code with a leading zero makes the column one of strings, in every row.
    assert_eq!(
        json(&table, 1),
        r#"{"symbol":"B","date":"2012-06-01","open":0.5,"close":1.250,"adj_close":null,"note":null,"code":"9","sector":13.50}"#
    );
}

#[test]
fn rows_are_played_by_date_whatever_the_files_order() {
    let csv = "symbol,date\nB,2012-06-04\nA,2012-06-01\nA,2012-06-04\nB,2012-06-01\n";
    let table = read(csv, &ReadOptions::default()).unwrap();
    let order: Vec<&str> = table
        .rows
        .iter()
        .map(|row| table.symbols[row.symbol].as_str())
        .collect();
    assert_eq!(order, ["A", "B", "B", "A"]);
    assert_eq!(
        table.days.iter().map(|day| day.rows.clone()).collect::<Vec<_>>(),
        [0..2, 2..4]
    );
}

#[test]
fn a_selection_is_taken_and_a_wrong_one_is_named() {
    let csv = "symbol,date,open\nAAPL,2012-06-01,1\nIBM,2012-06-02,2\nAAPL,2012-06-03,x\n";
    let mut options = ReadOptions {
        symbols: vec!["IBM".to_owned()],
        ..ReadOptions::default()
    };
    assert_eq!(read(csv, &options).unwrap().rows.len(), 1);
    options.symbols = vec!["APPL".to_owned()];
    let error = read(
        csv,
        &ReadOptions {
            to: "2012-06-02".parse().ok(),
            ..options
        },
    )
    .unwrap_err();
    assert!(error.is::<UsageError>());
    assert_eq!(
        error.to_string(),
        "no such symbol in x.csv \"APPL\"; did you mean \"AAPL\"?"
    );
    let later = ReadOptions {
        from: "2013-01-01".parse().ok(),
        ..ReadOptions::default()
    };
    let error = read(csv, &later).unwrap_err();
    assert!(error.to_string().contains("2012-06-01 to 2012-06-03"), "{error}");
}

#[test]
fn a_bad_row_is_named_by_line_column_and_value() {
    let row = bad(
        "symbol,date,open\nA,2012-06-01,1\n\nA,2012-06-02,abc\n",
        &ReadOptions::default(),
    );
    assert_eq!(row.to_string(), "line 4, column \"open\": \"abc\" is not a number");
    for (line, csv) in [
        (3, "symbol,date\r\nA,2012-06-01\r\nA,x\r\n"),
        (4, "symbol,date\r\nA,2012-06-01\r\n\r\nA,x"),
        (3, "symbol,date\nA,2012-06-01\nA,x"),
        (
            5,
            "\nsymbol,date,note\nA,2012-06-01,\"two\nlines\"\nA,x,\"two\nlines\"\n",
        ),
    ] {
        assert_eq!(bad(csv, &ReadOptions::default()).line, line, "{csv:?}");
    }
    let row = bad("Ticker,Date\nA,June\n", &ReadOptions::default());
    assert_eq!((row.line, row.column.as_str(), row.value.as_str()), (2, "Date", "June"));
    let row = bad("symbol,date,open\nA,2012-06-01\n", &ReadOptions::default());
    assert_eq!((row.line, row.column.as_str()), (2, "open"));
    let row = bad("symbol,date\n,2012-06-01\n", &ReadOptions::default());
    assert_eq!(row.column, "symbol");
    assert!(read("symbol,date\nA,2012-06-01,7\n", &ReadOptions::default()).is_err());
}

#[test]
fn a_bar_that_no_trades_can_have_made_is_a_bad_row_of_ticks_only() {
    let head = "symbol,date,open,high,low,close,volume\n";
    for (row, column) in [
        ("A,2012-06-01,5,4,6,5,100", "high"),
        ("A,2012-06-01,9,7,4,5,100", "open"),
        ("A,2012-06-01,5,7,4,3,100", "close"),
        ("A,2012-06-01,5,7,4,5,-1", "volume"),
        ("A,2012-06-01,12345678901234567890.5,7,4,5,1", "open"),
        ("A,2012-06-01,5,7,4,5,0.12345678901", "volume"),
    ] {
        let csv = format!("{head}{row}\n");
        assert_eq!(bad(&csv, &for_ticks()).column, column, "{row}");
        assert_eq!(read(&csv, &ReadOptions::default()).unwrap().rows.len(), 1, "{row}");
    }
    let twice = format!("{head}A,2012-06-01,5,7,4,5,1\nA,2012-06-01,5,7,4,5,1\n");
    assert_eq!(bad(&twice, &for_ticks()).line, 3);
    assert!(read("symbol,date,open\nA,2012-06-01,1\n", &for_ticks()).is_err());
}

#[test]
fn bad_rows_are_skipped_and_counted() {
    let csv = "symbol,date,open\nA,2012-06-01,x\nA,2012-06-02,1\nA,never,2\n";
    let options = ReadOptions {
        on_bad_row: OnBadRow::Skip,
        ..ReadOptions::default()
    };
    let table = read(csv, &options).unwrap();
    assert_eq!((table.rows.len(), table.skipped), (1, 2));
    assert!(
        read("symbol,date,open\nA,2012-06-01,x\n", &options).is_err(),
        "nothing is left"
    );
}

#[test]
fn an_empty_input_is_told() {
    for csv in ["", "\n", "symbol,date\n"] {
        assert!(
            read(csv, &ReadOptions::default()).unwrap_err().is::<UsageError>(),
            "{csv:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, rows in "[A-C,0-9.\"\\r\\n-]{0,200}") {
        let head = b"symbol,date,open,high,low,close,volume\n";
        let csv = [head, rows.as_bytes(), &bytes].concat();
        for options in [for_ticks(), ReadOptions::default()] {
            let _ = Table::read(&csv[..], "x", &options);
            let _ = Table::read(&bytes[..], "x", &options);
        }
    }
}
