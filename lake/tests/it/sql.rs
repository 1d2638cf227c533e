//! SQL over a lake in the embedded server, by its catalog.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use tickertape_client::{UsageError, exit_code};
use tickertape_lake::catalog::{Catalog, Column, CsvDialect, TableFormat, ensure_table, register_partitions};
use tickertape_lake::sql::{Engine, OutputFormat, QueryOutput, S3Connection};

use crate::lake::{Ticks, gzip, parquet, put};
use crate::s3::{BUCKET, Fixture};

/// A server with an engine over it.
struct Lake {
    fixture: Fixture,
    catalog: Arc<dyn Catalog>,
    engine: Engine,
}

impl Lake {
    async fn start() -> Lake {
        let fixture = Fixture::start().await;
        let catalog = fixture.handle.catalog();
        let engine = engine(&fixture);
        Lake {
            fixture,
            catalog,
            engine,
        }
    }

    async fn with_ticks(ticks: &Ticks) -> Lake {
        let lake = Lake::start().await;
        ticks
            .write(&lake.fixture.client, lake.catalog.as_ref(), BUCKET, "lake")
            .await;
        lake
    }

    async fn put(&self, key: &str, body: Vec<u8>) {
        put(&self.fixture.client, BUCKET, key, body).await;
    }

    /// Registers a table in `s3://bucket/<name>` with columns written as `name type, …`.
    async fn table(&self, format: TableFormat, name: &str, columns: &str, keys: &str) {
        let parse = |list: &str| -> Vec<Column> {
            let pairs = list.split(", ").filter(|pair| !pair.is_empty());
            pairs
                .map(|pair| {
                    let (name, hive) = pair.split_once(' ').unwrap();
                    Column::new(name, hive)
                })
                .collect()
        };
        let location = format!("s3://{BUCKET}/{name}");
        let table = format.table("default", name, &location, parse(columns), parse(keys));
        ensure_table(self.catalog.as_ref(), &table).await.unwrap();
    }

    async fn partition(&self, table: &str, folder: &str, values: &[&str]) {
        let table = self.catalog.table("default", table).await.unwrap().unwrap();
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let partition = (values, format!("s3://{BUCKET}/{folder}"));
        register_partitions(self.catalog.as_ref(), &table, &[partition])
            .await
            .unwrap();
    }

    async fn query(&self, sql: &str) -> QueryOutput {
        self.engine.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:#}"))
    }

    /// The rows as CSV, without the header.
    async fn rows(&self, sql: &str) -> Vec<String> {
        let text = written(&self.query(sql).await, OutputFormat::Csv);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    async fn one(&self, sql: &str) -> String {
        self.rows(sql).await.join("|")
    }

    async fn error(&self, sql: &str) -> anyhow::Error {
        self.engine.query(sql).await.expect_err(sql)
    }
}

fn engine(fixture: &Fixture) -> Engine {
    let handle = &fixture.handle;
    let connection = S3Connection::new(
        &handle.endpoint_url(),
        handle.access_key_id(),
        handle.secret_access_key(),
    );
    Engine::new(handle.catalog(), connection)
}

fn written(output: &QueryOutput, format: OutputFormat) -> String {
    let mut text = Vec::new();
    output.write(format, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn doubles(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn bigints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn strings(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_over_many_files_agree_with_what_was_written() {
    let ticks = Ticks {
        rows: 30_000,
        files: 60,
        days: 20,
        symbols: 5,
    };
    let lake = Lake::with_ticks(&ticks).await;
    let expected: i64 = (0..30_000).map(|n| 1 + n % 7).sum();
    assert_eq!(
        lake.one("select count(*), sum(size), min(seq), max(seq), count(distinct symbol) from ticks")
            .await,
        format!("30000,{expected},0,29999,5")
    );
    let by_day = lake
        .rows("select dt, count(*) from ticks group by dt order by dt")
        .await;
    assert_eq!(by_day.len(), 20);
    assert!(by_day.iter().all(|row| row.ends_with(",1500")), "{by_day:?}");
    assert_eq!(by_day[0], "2012-01-01,1500");
    let ohlcv = lake
        .one(
            "select symbol, min_by(price, event_time) o, max(price) h, min(price) l, max_by(price, event_time) c,
                    sum(size) v
             from ticks where dt = '2012-01-01' and symbol = 'S3' and seq < 500 group by symbol",
        )
        .await;
    let volume: i64 = (0..100).map(|n| 1 + (5 * n + 3) % 7).sum();
    assert_eq!(ohlcv, format!("S3,0.04,4.99,0.04,4.99,{volume}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_pruned_before_anything_is_listed() {
    let ticks = Ticks {
        rows: 600,
        files: 60,
        days: 20,
        symbols: 5,
    };
    let lake = Lake::with_ticks(&ticks).await;
    for (filter, days) in [
        ("dt = '2012-01-03'", 1),
        ("'2012-01-03' = dt", 1),
        ("dt >= '2012-01-03' and dt < '2012-01-08'", 5),
        ("dt between '2012-01-03' and '2012-01-07'", 5),
        ("dt in ('2012-01-03', '2012-01-04', '1999-01-01')", 2),
        ("dt = date '2012-01-03'", 1),
        ("cast(dt as date) >= date '2012-01-19'", 2),
        ("substr(dt, 9, 2) = '05' and price > 0", 1),
        ("dt = '2012-01-03' or dt = '2012-01-04'", 2),
        ("dt like '2012-01-1%'", 10),
        ("dt > '2013'", 0),
        ("dt <> '2012-01-01'", 19),
        ("price > 0", 20),
    ] {
        let output = lake
            .query(&format!("select count(*) n from ticks where {filter}"))
            .await;
        assert_eq!(output.files, days * 3, "{filter}");
        assert_eq!(
            written(&output, OutputFormat::Csv),
            format!("n\n{}\n", days * 30),
            "{filter}"
        );
    }
    // A partition whose place can't be listed is no matter to a query that doesn't want it.
    lake.partition("ticks", "lake/ticks/dt=x", &["x"]).await;
    lake.put("lake/ticks/dt=x/broken.parquet", b"no parquet".to_vec()).await;
    assert_eq!(
        lake.one("select count(*) from ticks where dt = '2012-01-03'").await,
        "30"
    );
    let error = lake.error("select count(*) from ticks where dt = 'x'").await;
    assert!(
        format!("{error:#}").contains("lake/ticks/dt=x/broken.parquet"),
        "{error:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_bounds_come_from_footers_and_files_from_the_cache() {
    let ticks = Ticks {
        rows: 4_000,
        files: 20,
        days: 10,
        symbols: 5,
    };
    let lake = Lake::with_ticks(&ticks).await;
    let counted = lake.query("select count(*), max(seq) from ticks").await;
    assert_eq!(counted.bytes, 0, "no row was decoded");
    assert!(counted.fetched_bytes > 0);
    let read = lake.query("select sum(price) from ticks").await;
    assert!(read.bytes > 0);
    assert_eq!(read.fetched_bytes, 0, "small files were read whole the first time");
    // One row group of one file holds this row; the others are skipped by their bounds.
    let one = lake.query("select price from ticks where seq = 1234").await;
    assert!(one.bytes * 10 < read.bytes, "{} of {}", one.bytes, read.bytes);
    assert_eq!(one.rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_what_was_put_before_it_and_nothing_hidden() {
    let lake = Lake::start().await;
    lake.table(TableFormat::Parquet, "t", "a bigint", "").await;
    assert_eq!(lake.one("select count(*) from t").await, "0");
    for (at, key) in [
        "t/1.parquet",
        "t/sub/2.parquet",
        "t/_temporary/3.parquet",
        "t/sub/.4.parquet",
    ]
    .into_iter()
    .enumerate()
    {
        lake.put(key, parquet(&batch([("a", bigints(&[at as i64]))]))).await;
    }
    assert_eq!(lake.one("select count(*), max(a) from t").await, "2,1");
    lake.put("t/1.parquet", parquet(&batch([("a", bigints(&[7, 8, 9]))])))
        .await;
    assert_eq!(lake.one("select count(*), max(a) from t").await, "4,9", "replaced");
    let client = &lake.fixture.client;
    client
        .delete_object()
        .bucket(BUCKET)
        .key("t/1.parquet")
        .send()
        .await
        .unwrap();
    assert_eq!(lake.one("select count(*), max(a) from t").await, "1,1", "deleted");
    // A folder's marker and a table whose name another's starts with are not the table.
    lake.put("t/", Vec::new()).await;
    lake.put("t2/x.parquet", parquet(&batch([("a", bigints(&[100]))])))
        .await;
    assert_eq!(lake.one("select max(a) from t").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_is_read_as_the_table() {
    let lake = Lake::start().await;
    let columns = "id bigint, price double, note string, late boolean, s struct<x:double,y:string>";
    lake.table(TableFormat::Parquet, "grown", columns, "dt string").await;
    let old = batch([
        ("id", ints(&[1, 2])),
        ("Price", ints(&[10, 20])),
        ("note", bigints(&[7, 8])),
    ]);
    let new = batch([
        ("note", strings(&["x", "y"])),
        ("price", doubles(&[1.5, 2.5])),
        ("id", bigints(&[3, 1 << 40])),
        ("late", Arc::new(BooleanArray::from(vec![true, false])) as ArrayRef),
        ("unknown_to_the_table", bigints(&[0, 0])),
    ]);
    let text = batch([
        ("id", ints(&[5])),
        ("price", doubles(&[30.0])),
        ("note", strings(&["10"])),
    ]);
    for (dt, rows) in [("1", &old), ("2", &new), ("3", &text)] {
        lake.put(&format!("grown/dt={dt}/f.parquet"), parquet(rows)).await;
        lake.partition("grown", &format!("grown/dt={dt}"), &[dt]).await;
    }
    assert_eq!(
        lake.rows("select id, price, note, late, dt from grown order by id")
            .await,
        [
            "1,10.0,7,,1",
            "2,20.0,8,,1",
            "3,1.5,x,true,2",
            "5,30.0,10,,3",
            "1099511627776,2.5,y,false,2",
        ]
    );
    // Bounds of narrower files must not be mistaken for bounds of the table's type.
    assert_eq!(
        lake.one("select min(price), max(price), min(note), max(note), min(id), max(id) from grown")
            .await,
        "1.5,30.0,10,y,1,1099511627776"
    );
    assert_eq!(lake.one("select count(*) from grown where price >= 20").await, "2");
    assert_eq!(lake.one("select count(late), count(s) from grown").await, "2,0");
    assert_eq!(lake.one("select id from grown where note = '8'").await, "2");
    assert_eq!(lake.one("select count(*) from grown where late is null").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_are_read_as_the_table() {
    let lake = Lake::start().await;
    let columns = "symbol string, price double, n bigint, at timestamp, date date, tags array<string>, close double";
    lake.table(TableFormat::Json, "j", columns, "dt string").await;
    let mut table = lake.catalog.table("default", "j").await.unwrap().unwrap();
    let serde = table.storage_descriptor.as_mut().unwrap().serde_info.as_mut().unwrap();
    serde.parameters.insert("mapping.close".into(), "Close".into());
    lake.catalog.update_table(&table, None).await.unwrap();
    let first = concat!(
        r#"{"symbol":"A","price":1,"n":1,"at":"2012-01-03T14:30:00.123456Z","date":"2012-01-03","extra":{"a":1}}"#,
        "\n",
        r#"{"symbol":7,"price":2.5,"tags":["x","y"],"Close":9}"#,
        "\n",
    );
    lake.put("j/dt=1/a.jsonl.gz", gzip(first)).await;
    lake.put("j/dt=2/b.json", br#"{"n":3,"at":"2012-01-03T15:30:00+01:00"}"#.to_vec())
        .await;
    lake.partition("j", "j/dt=1", &["1"]).await;
    lake.partition("j", "j/dt=2", &["2"]).await;
    assert_eq!(
        lake.rows("select symbol, price, n, at, date, tags, close, dt from j order by dt, price")
            .await,
        [
            "A,1.0,1,2012-01-03T14:30:00.123456,2012-01-03,,,1",
            "7,2.5,,,,\"[x, y]\",9.0,1",
            ",,3,2012-01-03T14:30:00,,,,2",
        ]
    );
    assert_eq!(lake.one("select count(*) from j").await, "3");
    assert_eq!(lake.one("select dt from j where n = 3").await, "2");
    assert_eq!(lake.query("select n from j where dt = '2'").await.files, 1);
    lake.put("j/dt=2/c.json", b"{\"n\":\n".to_vec()).await;
    let error = lake.error("select sum(n) from j").await;
    assert!(format!("{error:#}").contains("j/dt=2/c.json"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_is_read_by_position() {
    let lake = Lake::start().await;
    let dialect = CsvDialect::default();
    lake.table(
        TableFormat::Csv(dialect),
        "c",
        "index string, date date, close double",
        "",
    )
    .await;
    lake.put(
        "c/a.csv",
        b"Index,Date,CloseUSD\nNYA,2012-01-03,12.5\n\"N,Y\",,\n".to_vec(),
    )
    .await;
    lake.put("c/b.csv.gz", gzip("Index,Date,CloseUSD\nHSI,2012-01-04,1\n"))
        .await;
    assert_eq!(
        lake.rows("select index, date, close from c order by index").await,
        ["HSI,2012-01-04,1.0", "\"N,Y\",,", "NYA,2012-01-03,12.5"]
    );
    assert_eq!(lake.one("select count(*) from c").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fingers_know_from_athena_works() {
    let lake = Lake::start().await;
    lake.table(TableFormat::Parquet, "t", "g string, x double, y bigint, d date", "")
        .await;
    let rows = batch([
        ("g", strings(&["a", "a", "a", "b", "b"])),
        ("x", doubles(&[1.0, 2.0, 3.0, 4.0, 5.0])),
        (
            "y",
            Arc::new(Int64Array::from(vec![Some(3), Some(1), None, Some(9), Some(2)])) as ArrayRef,
        ),
    ]);
    lake.put("t/a.parquet", parquet(&rows)).await;
    assert_eq!(
        lake.rows("select g, min_by(x, y), max_by(x, y), count_if(x > 2) from t group by g order by g")
            .await,
        ["a,2.0,1.0,1", "b,5.0,4.0,2"]
    );
    assert_eq!(
        lake.one("select max_by(x, y) filter (where g = 'a') from t").await,
        "1.0"
    );
    assert_eq!(lake.one("select min_by(g, x), max_by(g, x) from t").await, "a,b");
    assert_eq!(lake.one("select 0, min_by(x, y) from t where x > 100").await, "0,");
    assert_eq!(lake.one("select approx_percentile(x, 0.5) from t").await, "3.0");
    assert_eq!(
        lake.one("select first_value(x order by y desc nulls last), arbitrary(g) is not null from t")
            .await,
        "4.0,true"
    );
    assert_eq!(
        lake.one("select date '2012-01-01' + interval '1' day, cast(1 as varchar), 7 / 2")
            .await,
        "2012-01-02,1,3"
    );
    assert_eq!(
        lake.one("select date_trunc('month', timestamp '2012-01-17 10:00:00'), approx_distinct(g) from t")
            .await,
        "2012-01-01T00:00:00,2"
    );
    assert_eq!(lake.one("select count(*) from default.t").await, "5");
    assert_eq!(
        lake.one("select count(*) from awsdatacatalog.\"default\".t;").await,
        "5"
    );
    assert_eq!(
        lake.one("with best as (select g, max(x) m from t group by g) select sum(m) from best")
            .await,
        "8.0"
    );
    assert_eq!(
        lake.rows("select g, x, sum(x) over (partition by g order by x) s from t order by x limit 2")
            .await,
        ["a,1.0,1.0", "a,2.0,3.0"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_can_be_asked() {
    let lake = Lake::start().await;
    lake.table(
        TableFormat::Parquet,
        "ticks",
        "symbol string, price double",
        "dt string",
    )
    .await;
    lake.table(TableFormat::Json, "bars", "symbol string", "").await;
    lake.partition("ticks", "ticks/dt=2", &["2"]).await;
    lake.partition("ticks", "ticks/dt=1", &["1"]).await;
    assert_eq!(lake.rows("SHOW TABLES").await, ["default,bars", "default,ticks"]);
    assert_eq!(lake.rows("show databases").await, ["default"]);
    assert_eq!(lake.rows("show partitions ticks").await, ["1", "2"]);
    assert_eq!(
        lake.rows("DESCRIBE ticks;").await,
        ["symbol,string,", "price,double,", "dt,string,partition key"]
    );
    assert_eq!(
        lake.rows(
            "select table_name, column_name from information_schema.columns
             where table_schema = 'default' order by 1, ordinal_position"
        )
        .await,
        ["bars,symbol", "ticks,symbol", "ticks,price", "ticks,dt"]
    );
    assert_eq!(
        lake.rows("select table_name from information_schema.tables where table_schema = 'default' order by 1")
            .await,
        ["bars", "ticks"]
    );
    assert!(
        lake.one("explain select * from ticks where dt = '1'")
            .await
            .contains("physical_plan")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_named_with_the_nearest() {
    let lake = Lake::start().await;
    lake.table(
        TableFormat::Parquet,
        "ticks",
        "symbol string, price double",
        "dt string",
    )
    .await;
    for (sql, wanted) in [
        (
            "select * from tikcs",
            "no such table \"tikcs\"; did you mean \"ticks\"?",
        ),
        (
            "select prise from ticks",
            "no such column \"prise\"; did you mean \"price\"?",
        ),
        ("select t.symbo from ticks t", "did you mean \"symbol\"?"),
        (
            "select * from defualt.ticks",
            "no such database \"defualt\"; did you mean \"default\"?",
        ),
        ("describe tikcs", "did you mean \"ticks\"?"),
        ("show tables in defualt", "did you mean \"default\"?"),
        ("select * form ticks", "SQL: "),
        ("", "SQL"),
        ("select pric_e(1)", "pric_e"),
        ("create table x (a int)", "DDL not supported"),
        ("insert into ticks values ('A', 1, 'x')", "DML"),
        ("drop table ticks", "DDL"),
        ("copy ticks to 'x.csv'", "COPY"),
        ("select 1; select 2", "statement"),
    ] {
        let error = lake.error(sql).await;
        let text = format!("{error:#}");
        assert!(text.contains(wanted), "{sql}: {text}");
        assert_eq!(exit_code(&error), 2, "{sql}: {text}");
        assert!(error.chain().any(|cause| cause.is::<UsageError>()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_written_for_people_and_programs() {
    let lake = Lake::start().await;
    let sql = "select 1 as a, null as b, 'x,y' as c union all select 2, 'z', 'q' order by a";
    let output = lake.query(sql).await;
    assert_eq!(output.rows, 2);
    assert_eq!(written(&output, OutputFormat::Csv), "a,b,c\n1,,\"x,y\"\n2,z,q\n");
    assert_eq!(
        written(&output, OutputFormat::Json),
        "{\"a\":1,\"b\":null,\"c\":\"x,y\"}\n{\"a\":2,\"b\":\"z\",\"c\":\"q\"}\n"
    );
    assert_eq!(
        written(&output, OutputFormat::Table),
        "+---+---+-----+\n| a | b | c   |\n+---+---+-----+\n| 1 |   | x,y |\n| 2 | z | q   |\n+---+---+-----+\n"
    );
    let none = lake.query("select 1 as a where false").await;
    assert_eq!(written(&none, OutputFormat::Csv), "a\n");
    assert_eq!(written(&none, OutputFormat::Json), "");
}
