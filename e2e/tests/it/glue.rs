//! The sink, the crawler and SQL with AWS Glue as their catalog, which is moto's here.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::moto::Moto;
use crate::support::{Arguments, Server, eventually, ok_with_input, signal};

const EVENTS: &str = concat!(
    r#"{"symbol":"AAPL","event_time":"2012-06-01T13:30:00.123Z","price":1.5,"size":100,"firm":true}"#,
    "\n",
    r#"{"symbol":"IBM","event_time":"2012-06-02T13:30:00Z","price":2,"size":200,"legs":[{"id":1}]}"#,
    "\n",
);

/// A sink that ends with the test.
struct Sink(Child);

impl Drop for Sink {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.0.kill().and_then(|()| self.0.wait()).expect("it can be killed");
        }
    }
}

/// Runs a sink into Glue's catalog until `days` partitions are there, and ends it.
fn consume(moto: &Moto, arguments: &Arguments, table: &str, days: usize) {
    let sink = moto.tickertape(&arguments.get()).stdout(Stdio::null()).spawn();
    let mut sink = Sink(sink.unwrap());
    eventually("the partitions in Glue", || {
        let of_table = json!({ "DatabaseName": "market", "TableName": table });
        let found = moto.try_glue("GetPartitions", &of_table)?;
        (found["Partitions"].as_array()?.len() == days).then_some(())
    });
    signal(sink.0.id(), "TERM");
    assert_eq!(sink.0.wait().unwrap().code(), Some(0));
}

fn partitions(moto: &Moto, table: &str) -> Vec<Value> {
    let found = moto.glue(
        "GetPartitions",
        &json!({ "DatabaseName": "market", "TableName": table }),
    );
    found["Partitions"].as_array().cloned().unwrap_or_default()
}

/// What Athena's own `CREATE EXTERNAL TABLE ... STORED AS PARQUET` leaves in Glue, with the properties that AWS Glue's guide
/// asks for (`classification`) and that its examples show (`typeOfData`, `parquet.compression`). `Compressed` and
/// `StoredAsSubDirectories` are false by being left out: moto repeats what it was sent.
fn documented_parquet(location: &str, columns: &Value) -> Value {
    json!({
        "Columns": columns,
        "Location": location,
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "NumberOfBuckets": -1,
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "Parameters": { "serialization.format": "1" },
        },
    })
}

/// The same of `ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'`.
fn documented_json(location: &str, columns: &Value) -> Value {
    json!({
        "Columns": columns,
        "Location": location,
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "Compressed": true,
        "NumberOfBuckets": -1,
        "SerdeInfo": {
            "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
            "Parameters": { "case.insensitive": "TRUE", "serialization.format": "1" },
        },
    })
}

#[test]
#[cfg_attr(
    not(moto),
    ignore = "moto is not here: TICKERTAPE_PYTHON names a Python with moto[server]"
)]
fn a_sink_and_a_crawler_describe_tables_as_athena_wants_them() {
    let moto = Moto::start();
    let dir = tempfile::tempdir().unwrap();
    let (broker, s3) = (Server::broker(&dir), Server::s3(&dir));
    let (bootstrap, endpoint) = (broker.get("bootstrap_servers"), s3.get("endpoint"));
    ok_with_input(&["cat", "-P", "-b", bootstrap, "-t", "trades"], EVENTS);
    let sink = |lake, format, table| {
        let sink = Arguments::sink(&["trades"], lake).at(bootstrap);
        let sink = sink.with(&["--s3-endpoint", endpoint, "--catalog", "glue", "--database", "market"]);
        sink.with(&["--format", format, "--group", format, "--table", table])
    };
    consume(&moto, &sink("s3://market/lake", "parquet", "trades"), "trades", 2);

    let columns = json!([
        { "Name": "symbol", "Type": "string" },
        { "Name": "event_time", "Type": "timestamp" },
        { "Name": "price", "Type": "double" },
        { "Name": "size", "Type": "bigint" },
        { "Name": "firm", "Type": "boolean" },
        { "Name": "legs", "Type": "array<struct<id:bigint>>" },
        { "Name": "_topic", "Type": "string" },
        { "Name": "_partition", "Type": "int" },
        { "Name": "_offset", "Type": "bigint" },
        { "Name": "_timestamp", "Type": "timestamp" },
    ]);
    let table = moto.glue("GetTable", &json!({ "DatabaseName": "market", "Name": "trades" }));
    let table = &table["Table"];
    assert_eq!(table["TableType"], "EXTERNAL_TABLE");
    assert_eq!(table["PartitionKeys"], json!([{ "Name": "dt", "Type": "string" }]));
    assert_eq!(
        table["Parameters"],
        json!({ "EXTERNAL": "TRUE", "classification": "parquet", "parquet.compression": "ZSTD", "typeOfData": "file" })
    );
    assert_eq!(
        table["StorageDescriptor"],
        documented_parquet("s3://market/lake/trades/", &columns)
    );
    for partition in partitions(&moto, "trades") {
        let day = partition["Values"][0].as_str().unwrap();
        let place = format!("s3://market/lake/trades/dt={day}/");
        assert_eq!(partition["StorageDescriptor"], documented_parquet(&place, &columns));
    }

    // The sink's second format: another prefix, since a table has one format.
    consume(
        &moto,
        &sink("s3://market/text", "json", "trades_json"),
        "trades_json",
        2,
    );
    let table = moto.glue("GetTable", &json!({ "DatabaseName": "market", "Name": "trades_json" }));
    let table = &table["Table"];
    assert_eq!(
        table["Parameters"],
        json!({ "EXTERNAL": "TRUE", "classification": "json", "compressionType": "gzip", "typeOfData": "file" })
    );
    let mut storage = table["StorageDescriptor"].clone();
    let found = storage["Columns"].take();
    let text_columns = &found;
    assert_eq!(table["PartitionKeys"], json!([{ "Name": "dt", "Type": "string" }]));
    assert_eq!(
        table["StorageDescriptor"],
        documented_json("s3://market/text/trades_json/", text_columns)
    );

    // Our crawler finds the same tables, in a database of its own.
    let crawl = [
        "crawl",
        "--lake",
        "s3://market/lake",
        "--s3-endpoint",
        endpoint,
        "--catalog",
        "glue",
        "--database",
        "crawled",
    ];
    let report = moto.ok(&crawl);
    assert!(
        report.contains("trades (parquet, 2 objects, 2 read): created"),
        "{report}"
    );
    let crawled = moto.glue("GetTable", &json!({ "DatabaseName": "crawled", "Name": "trades" }));
    let found = crawled["Table"]["StorageDescriptor"]["Columns"]
        .as_array()
        .unwrap()
        .clone();
    let sorted = |columns: &[Value]| {
        let mut columns: Vec<String> = columns.iter().map(Value::to_string).collect();
        columns.sort();
        columns
    };
    assert_eq!(sorted(&found), sorted(columns.as_array().unwrap()));
    assert!(moto.ok(&crawl).contains("the catalog was up to date"));

    // And our own SQL plans from Glue.
    let query = "SELECT symbol, price, dt FROM trades ORDER BY symbol";
    let sql = [
        "sql",
        "--catalog",
        "glue",
        "--database",
        "market",
        "--s3-endpoint",
        endpoint,
        "--format",
        "csv",
        query,
    ];
    assert_eq!(
        moto.ok(&sql),
        "symbol,price,dt\nAAPL,1.5,2012-06-01\nIBM,2.0,2012-06-02\n"
    );
}

#[test]
#[cfg_attr(
    not(moto),
    ignore = "moto is not here: TICKERTAPE_PYTHON names a Python with moto[server]"
)]
fn a_column_that_comes_later_is_in_every_partition() {
    let moto = Moto::start();
    let dir = tempfile::tempdir().unwrap();
    let (broker, s3) = (Server::broker(&dir), Server::s3(&dir));
    let (bootstrap, endpoint) = (broker.get("bootstrap_servers"), s3.get("endpoint"));
    let produce = |event: &str| ok_with_input(&["cat", "-P", "-b", bootstrap, "-t", "grown"], event);
    let sink = Arguments::sink(&["grown"], "s3://market/lake").at(bootstrap);
    let sink = sink.with(&["--s3-endpoint", endpoint, "--catalog", "glue", "--database", "market"]);
    produce("{\"event_time\":\"2012-06-01T13:30:00Z\",\"n\":1}\n");
    consume(&moto, &sink, "grown", 1);
    produce("{\"event_time\":\"2012-06-02T13:30:00Z\",\"n\":2,\"late\":true}\n");
    consume(&moto, &sink, "grown", 2);
    let table = moto.glue("GetTable", &json!({ "DatabaseName": "market", "Name": "grown" }));
    let columns = &table["Table"]["StorageDescriptor"]["Columns"];
    assert!(
        columns
            .as_array()
            .unwrap()
            .contains(&json!({ "Name": "late", "Type": "boolean" }))
    );
    for partition in partitions(&moto, "grown") {
        assert_eq!(
            &partition["StorageDescriptor"]["Columns"], columns,
            "{}",
            partition["Values"]
        );
    }
}

#[test]
#[cfg_attr(
    not(moto),
    ignore = "moto is not here: TICKERTAPE_PYTHON names a Python with moto[server]"
)]
fn a_crawler_of_glues_is_started_and_waited_for() {
    let moto = Moto::start();
    moto.glue("CreateDatabase", &json!({ "DatabaseInput": { "Name": "market" } }));
    moto.glue(
        "CreateCrawler",
        &json!({ "Name": "prices", "Role": "crawler", "DatabaseName": "market",
                 "Targets": { "S3Targets": [{ "Path": "s3://market/lake" }] } }),
    );
    moto.progress("glue::crawl", &json!({ "progression": "time", "seconds": 1 }));
    let report: Value = serde_json::from_str(&moto.ok(&["crawl", "--glue-crawler", "prices", "--json"])).unwrap();
    assert_eq!(
        (&report["crawler"], &report["database"]),
        (&json!("prices"), &json!("market"))
    );
    assert_eq!(report["tables_created"], json!([]), "moto crawls nothing");
    let crawler = moto.glue("GetCrawler", &json!({ "Name": "prices" }));
    assert_eq!(crawler["Crawler"]["State"], "READY", "it was waited for");
    let crawls = moto.glue("ListCrawls", &json!({ "CrawlerName": "prices" }));
    assert_eq!(
        crawls["Crawls"].as_array().unwrap().len(),
        1,
        "it was started, and once"
    );

    let (code, _, said) = moto.run(&["crawl", "--glue-crawler", "price"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("no such crawler \"price\"; did you mean \"prices\"?"),
        "{said}"
    );
}
