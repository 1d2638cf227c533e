//! The crawler over a lake in the embedded server, into its catalog by Glue's protocol.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tickertape_client::exit_code;
use tickertape_client::s3::S3Options;
use tickertape_client::s3::S3Url;
use tickertape_lake::catalog::{
    Catalog, Column, GlueCatalog, PartitionFilter, TableFormat, ensure_table, register_partitions,
};
use tickertape_lake::crawl::{CrawlReport, CrawlSettings, TableReport, crawl};
use tickertape_lake::sql::{Engine, OutputFormat, S3Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::catalog::glue;
use crate::lake::{gzip, parquet, put};
use crate::s3::{BUCKET, Fixture};

struct Lake {
    fixture: Fixture,
    catalog: Arc<dyn Catalog>,
}

impl Lake {
    async fn start() -> Lake {
        let fixture = Fixture::start().await;
        let catalog = Arc::new(glue(&fixture).await);
        Lake { fixture, catalog }
    }

    async fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        put(&self.fixture.client, BUCKET, key, body.into()).await;
    }

    async fn delete(&self, key: &str) {
        let client = &self.fixture.client;
        client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }

    async fn crawl(&self, prefix: &str, dry_run: bool) -> CrawlReport {
        let lake: S3Url = format!("s3://{BUCKET}/{prefix}").parse().unwrap();
        let settings = CrawlSettings {
            dry_run,
            ..CrawlSettings::default()
        };
        let report = crawl(&self.fixture.client, self.catalog.as_ref(), &lake, &settings).await;
        report.unwrap()
    }

    async fn columns(&self, table: &str) -> Vec<String> {
        let table = self.catalog.table("default", table).await.unwrap().unwrap();
        let columns = table.columns().iter();
        columns.map(|c| format!("{} {}", c.name, c.hive_type)).collect()
    }

    async fn sql(&self, sql: &str) -> String {
        let handle = &self.fixture.handle;
        let connection = S3Connection::new(
            &handle.endpoint_url(),
            handle.access_key_id(),
            handle.secret_access_key(),
        );
        let engine = Engine::new(Arc::clone(&self.catalog), connection);
        let mut text = Vec::new();
        let output = engine.query(sql).await.unwrap();
        output.write(OutputFormat::Csv, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().skip(1).collect::<Vec<_>>().join("|")
    }
}

fn prices(values: &[f64]) -> Vec<u8> {
    let price: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    parquet(&RecordBatch::try_from_iter([("price", price)]).unwrap())
}

fn table<'a>(report: &'a CrawlReport, name: &str) -> &'a TableReport {
    report.tables.iter().find(|table| table.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_others_becomes_tables() {
    let lake = Lake::start().await;
    lake.put("raw/ticks/dt=2012-01-01/a.parquet", prices(&[1.0, 2.0])).await;
    lake.put("raw/ticks/dt=2012-01-02/b.parquet", prices(&[3.0])).await;
    lake.put("raw/ticks/dt=2012-01-02/_SUCCESS", "x").await;
    lake.put(
        "raw/Events/year=2012/month=01/e.jsonl.gz",
        gzip("{\"Id\":1,\"at\":\"2012-01-01T00:00:00Z\"}\n{\"Id\":2,\"tags\":[\"a\"]}\n"),
    )
    .await;
    lake.put("raw/index/p.csv", "Index,Date,Close USD\nNYA,2012-01-03,12.5\n")
        .await;
    lake.put("raw/_ledger/ticks/0/1", "{}").await;

    let dry = lake.crawl("raw", true).await;
    assert!(dry.changed() && dry.dry_run);
    assert_eq!(
        lake.catalog.tables("default").await.unwrap(),
        [],
        "a dry run writes nothing"
    );
    let report = lake.crawl("raw", false).await;
    assert_eq!(report.tables, dry.tables, "a dry run says what a crawl does");
    assert_eq!(report.ignored_objects, 2);
    let said: Vec<_> = report
        .tables
        .iter()
        .map(|t| {
            (
                t.name.as_str(),
                t.format,
                t.objects,
                t.created,
                t.partitions_added.len(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("events", Some("json"), 1, true, 1),
            ("index", Some("csv"), 1, true, 0),
            ("ticks", Some("parquet"), 2, true, 2),
        ]
    );
    assert_eq!(
        lake.columns("events").await,
        ["id bigint", "at timestamp", "tags array<string>"]
    );
    assert_eq!(
        lake.columns("index").await,
        ["index string", "date date", "close_usd double"]
    );
    assert_eq!(
        lake.sql("select dt, sum(price) from ticks group by dt order by dt")
            .await,
        "2012-01-01,3.0|2012-01-02,3.0"
    );
    assert_eq!(
        lake.sql("select id, year, month from events where id > 1").await,
        "2,2012,01",
        "a column that the objects spell otherwise is found"
    );
    assert_eq!(
        lake.sql("select index, date, close_usd from \"index\"").await,
        "NYA,2012-01-03,12.5"
    );
    let again = lake.crawl("raw", false).await;
    assert!(!again.changed(), "{again}");
    assert!(again.tables.iter().all(|table| table.objects_read == 0), "{again}");
    lake.put("raw/ticks/dt=2012-01-02/c.parquet", prices(&[4.0])).await;
    lake.put("raw/index/q.csv", "Index,Date,Close USD\nHSI,2012-01-04,x\n")
        .await;
    let third = lake.crawl("raw", false).await;
    let read: Vec<u64> = third.tables.iter().map(|table| table.objects_read).collect();
    assert_eq!(
        read,
        [0, 2, 2],
        "what has changed is read, partition by partition: {third}"
    );
    assert_eq!(
        table(&third, "index").changes,
        ["widened column close_usd from double to string"]
    );
    let sum = lake.sql("select sum(price), max(dt) from ticks").await;
    assert_eq!(sum, "10.0,2012-01-02");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_widen_partitions_come_and_go_and_conflicts_are_left_alone() {
    let lake = Lake::start().await;
    let of = |name: &str, column: ArrayRef| parquet(&RecordBatch::try_from_iter([(name, column)]).unwrap());
    lake.put("t/dt=1/a.parquet", of("n", Arc::new(Int32Array::from(vec![1]))))
        .await;
    lake.crawl("t", false).await;
    assert_eq!(lake.columns("t").await, ["n int"]);

    lake.put("t/dt=2/b.parquet", of("n", Arc::new(Int64Array::from(vec![1 << 40]))))
        .await;
    lake.put("t/dt=2/c.parquet", of("m", Arc::new(StringArray::from(vec!["x"]))))
        .await;
    let report = lake.crawl("t", false).await;
    assert_eq!(
        table(&report, "t").changes,
        ["widened column n from int to bigint", "added column m string"]
    );
    assert_eq!(table(&report, "t").partitions_added, [["2"]]);
    let all = PartitionFilter::all();
    for partition in lake.catalog.partitions("default", "t", &all).await.unwrap() {
        let columns = &partition.storage_descriptor.as_ref().unwrap().columns;
        assert_eq!(
            columns[..],
            [Column::new("n", "bigint"), Column::new("m", "string")],
            "a partition has the columns of its table: {:?}",
            partition.values
        );
    }
    lake.delete("t/dt=1/a.parquet").await;
    let report = lake.crawl("t", false).await;
    assert_eq!(table(&report, "t").partitions_removed, [["1"]]);
    assert_eq!(lake.columns("t").await, ["n bigint", "m string"], "nothing narrows");

    lake.put("t/dt=2/d.jsonl", "{\"n\":1}\n").await;
    lake.put("t/hour=9/e.parquet", of("n", Arc::new(Int32Array::from(vec![1]))))
        .await;
    lake.put("t/dt=2/f.parquet", "no parquet at all, but long enough").await;
    let report = lake.crawl("t", false).await;
    let t = table(&report, "t");
    assert_eq!(t.skipped.len(), 3, "{report}");
    for (name, why) in [
        ("d.jsonl", "is json, the table is parquet"),
        ("e.parquet", "partition keys [\"hour\"], the table has [\"dt\"]"),
        ("f.parquet", "Parquet"),
    ] {
        let named = t.skipped.iter().any(|said| said.contains(name) && said.contains(why));
        assert!(named, "{name}: {:?}", t.skipped);
    }
    assert!(!report.changed(), "{report}");
    assert!(report.to_string().contains("the catalog was up to date"));
}

/// SQL here reads them all; Athena would not, and the report says so.
#[tokio::test(flavor = "multi_thread")]
async fn parquet_that_is_too_narrow_for_athena_is_reported() {
    let lake = Lake::start().await;
    let of = |column: ArrayRef| parquet(&RecordBatch::try_from_iter([("n", column)]).unwrap());
    lake.put("t/dt=1/a.parquet", of(Arc::new(Int32Array::from(vec![1]))))
        .await;
    lake.crawl("t", false).await;
    lake.put("t/dt=2/b.parquet", of(Arc::new(Int64Array::from(vec![2]))))
        .await;
    let report = lake.crawl("t", false).await;
    assert_eq!(
        table(&report, "t").conflicts,
        [""; 0],
        "integers are read as wider ones"
    );
    lake.put("t/dt=2/c.parquet", of(Arc::new(Float64Array::from(vec![0.5]))))
        .await;
    let dry = lake.crawl("t", true).await;
    let report = lake.crawl("t", false).await;
    assert_eq!(table(&report, "t").changes, ["widened column n from bigint to double"]);
    let said = &table(&report, "t").conflicts;
    assert_eq!(&table(&dry, "t").conflicts, said);
    assert_eq!(
        *said,
        [
            "column n is bigint in t/dt=2/b.parquet and double in the table: Athena refuses them",
            "column n is bigint in objects that were crawled before and double in the table: Athena refuses them",
        ]
    );
    assert_eq!(lake.sql("select sum(n) from t").await, "3.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_a_sink_registered_is_left_as_it_is() {
    let lake = Lake::start().await;
    let columns = vec![
        Column::new("at", "timestamp"),
        Column::new("date", "date"),
        Column::new("size", "bigint"),
        Column::new("note", "string"),
    ];
    let keys = vec![Column::new("dt", "string")];
    let own = TableFormat::Json.table("default", "events", "s3://bucket/lake/events", columns, keys);
    ensure_table(lake.catalog.as_ref(), &own).await.unwrap();
    lake.put(
        "lake/events/dt=1/a.jsonl",
        "{\"at\":\"2012-01-01T00:00:00Z\",\"date\":\"2012-01-01\",\"size\":1,\"note\":\"2012-01-01\"}\n",
    )
    .await;
    let report = lake.crawl("lake", false).await;
    let events = table(&report, "events");
    assert_eq!((events.changes.len(), events.conflicts.len()), (0, 0), "{report}");
    assert_eq!(events.partitions_added, [["1"]]);
    let all = PartitionFilter::all();
    let partitions = lake.catalog.partitions("default", "events", &all).await.unwrap();
    assert_eq!(partitions[0].location(), Some("s3://bucket/lake/events/dt=1/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_a_sink_registers_during_the_crawl_stays() {
    let lake = Lake::start().await;
    lake.put("lake/ticks/dt=1/a.parquet", prices(&[1.0])).await;
    lake.put("lake/ticks/dt=2/a.parquet", prices(&[2.0])).await;
    lake.crawl("lake", false).await;
    lake.delete("lake/ticks/dt=2/a.parquet").await;

    // The crawl lists the folder, then asks the catalog for the first time: by then there is another partition.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = S3Options::at(format!("http://{}", listener.local_addr().unwrap()));
    let late = GlueCatalog::new(&options.sdk_config().await.unwrap());
    let sink = async {
        let mut registered = false;
        loop {
            let (mut crawler, _) = listener.accept().await.unwrap();
            if !registered {
                lake.put("lake/ticks/dt=3/a.parquet", prices(&[3.0])).await;
                let table = lake.catalog.table("default", "ticks").await.unwrap().unwrap();
                let place = (vec!["3".to_owned()], format!("s3://{BUCKET}/lake/ticks/dt=3"));
                register_partitions(lake.catalog.as_ref(), &table, &[place])
                    .await
                    .unwrap();
                registered = true;
            }
            let server = lake.fixture.handle.endpoint_url();
            let mut server = TcpStream::connect(server.trim_start_matches("http://")).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut crawler, &mut server).await });
        }
    };
    let prefix: S3Url = format!("s3://{BUCKET}/lake").parse().unwrap();
    let settings = CrawlSettings::default();
    let crawled = crawl(&lake.fixture.client, &late, &prefix, &settings);
    let report = tokio::select! {
        report = crawled => report.unwrap(),
        () = sink => unreachable!(),
    };
    let ticks = table(&report, "ticks");
    assert_eq!(
        (ticks.objects, &ticks.partitions_removed[..]),
        (1, &[vec!["2".to_owned()]][..])
    );
    assert_eq!(lake.sql("select sum(price) from ticks").await, "4.0");
}

/// A catalog that stands in the crawl's way: where it asks for an operation, something else is done first.
async fn crawl_with<F: Future<Output = ()>>(lake: &Lake, operation: &str, first: impl Fn() -> F) -> CrawlReport {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = S3Options::at(format!("http://{}", listener.local_addr().unwrap()));
    let late = GlueCatalog::new(&options.sdk_config().await.unwrap());
    let (asks, mut asked) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>(1);
    let server = lake.fixture.handle.endpoint_url();
    let server = server.trim_start_matches("http://").to_owned();
    let target = format!("awsglue.{}", operation.to_lowercase());
    let pass = async {
        loop {
            let (crawler, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&server).await.unwrap();
            let (mut from_crawler, mut to_crawler) = crawler.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let (asks, target) = (asks.clone(), target.clone());
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_crawler).await });
            tokio::spawn(async move {
                let mut piece = vec![0; 64 << 10];
                while let Ok(read @ 1..) = from_crawler.read(&mut piece).await {
                    // A request's head comes in one piece.
                    if String::from_utf8_lossy(&piece[..read]).to_lowercase().contains(&target) {
                        let (done, is_done) = tokio::sync::oneshot::channel();
                        asks.send(done).await.unwrap();
                        is_done.await.unwrap();
                    }
                    to_server.write_all(&piece[..read]).await.unwrap();
                }
            });
        }
    };
    let meanwhile = async {
        let mut times = 0;
        while let Some(done) = asked.recv().await {
            first().await;
            times += 1;
            done.send(()).unwrap();
        }
        times
    };
    let prefix: S3Url = format!("s3://{BUCKET}/lake").parse().unwrap();
    let settings = CrawlSettings::default();
    tokio::select! {
        report = crawl(&lake.fixture.client, &late, &prefix, &settings) => report.unwrap(),
        () = pass => unreachable!(),
        times = meanwhile => unreachable!("{times}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_a_sink_fills_while_it_is_taken_out_comes_back() {
    let lake = Lake::start().await;
    lake.put("lake/ticks/dt=1/a.parquet", prices(&[1.0])).await;
    lake.put("lake/ticks/dt=2/a.parquet", prices(&[2.0])).await;
    lake.put("lake/ticks/dt=3/a.parquet", prices(&[3.0])).await;
    lake.crawl("lake", false).await;
    lake.delete("lake/ticks/dt=2/a.parquet").await;
    lake.delete("lake/ticks/dt=3/a.parquet").await;
    // The crawl has looked twice when it asks for this. The sink finds its partition registered.
    let sink = || async {
        lake.put("lake/ticks/dt=2/late.parquet", prices(&[20.0])).await;
        let table = lake.catalog.table("default", "ticks").await.unwrap().unwrap();
        let place = (vec!["2".to_owned()], format!("s3://{BUCKET}/lake/ticks/dt=2"));
        let added = register_partitions(lake.catalog.as_ref(), &table, &[place]).await;
        assert_eq!(added.unwrap(), Vec::<Vec<String>>::new());
    };
    let report = crawl_with(&lake, "BatchDeletePartition", sink).await;
    assert_eq!(table(&report, "ticks").partitions_removed, [["3"]]);
    assert_eq!(lake.sql("select sum(price) from ticks").await, "21.0");
    let again = lake.crawl("lake", false).await;
    assert_eq!(table(&again, "ticks").partitions_removed, Vec::<Vec<String>>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_partition_that_is_null_are_found() {
    let lake = Lake::start().await;
    let of = |seq: &[i64]| {
        let seq: ArrayRef = Arc::new(Int64Array::from(seq.to_vec()));
        parquet(&RecordBatch::try_from_iter([("seq", seq)]).unwrap())
    };
    lake.put("lake/t/dt=__HIVE_DEFAULT_PARTITION__/a.parquet", of(&[1, 2, 3]))
        .await;
    lake.put("lake/t/dt=2012-01-01/a.parquet", of(&[10, 17])).await;
    lake.put("lake/t/dt=2012-01-02/a.parquet", of(&[20])).await;
    lake.crawl("lake", false).await;
    for (sql, expected) in [
        ("select sum(seq) from t where dt is null", "6"),
        ("select count(*) from t where dt is null", "3"),
        ("select sum(seq) from t where dt is null or seq = 17", "23"),
        ("select sum(seq) from t where dt is not null", "47"),
        ("select sum(seq) from t where dt = '2012-01-01' or dt is null", "33"),
        ("select count(*), count(dt) from t", "6,3"),
        ("select count(dt) from t where seq < 5", "0"),
        ("select min(dt), max(dt) from t", "2012-01-01,2012-01-02"),
        ("select sum(seq) from t where coalesce(dt, 'none') = 'none'", "6"),
        ("select sum(seq) from t where dt > '2012-01-01'", "20"),
        ("select sum(seq) from t where dt <> '2012-01-01' and seq > 0", "20"),
        (
            "select dt is null, count(*) from t group by 1 order by 1",
            "false,3|true,3",
        ),
    ] {
        assert_eq!(lake.sql(sql).await, expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_does_not_exist_is_the_users_to_mend() {
    let lake = Lake::start().await;
    let nowhere: S3Url = "s3://nowhere/x".parse().unwrap();
    let settings = CrawlSettings::default();
    let error = crawl(&lake.fixture.client, lake.catalog.as_ref(), &nowhere, &settings).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("no such bucket \"nowhere\""), "{error:#}");
    assert_eq!(exit_code(&error), 2);
    let empty = lake.crawl("nothing/here", false).await;
    assert_eq!(empty.tables, []);
}

/// Parquet in each codec that its writers use, JSON and CSV plain and packed, by name and without one.
#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_crawled_and_read() {
    let lake = Lake::start().await;
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let lz4 = |text: &str| {
        let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap()
    };
    let bzip2 = |text: &str| {
        let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap()
    };
    let deflate = |text: &str| {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap()
    };
    // One block of one chunk, as Hadoop writes what is short.
    let snappy = |text: &str| {
        let packed = snap::raw::Encoder::new().compress_vec(text.as_bytes()).unwrap();
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length(text.as_bytes())[..], &length(&packed), &packed].concat()
    };
    let (json, csv) = ("{\"n\":1}\n{\"n\":2}\n", "n,s\n1,a\n2,b\n");
    lake.put("c/json/a.jsonl", json).await;
    lake.put("c/json/b.json.gz", gzip(json)).await;
    lake.put("c/json/c.jsonl.zst", zstd(json)).await;
    lake.put("c/json/d", zstd(json)).await;
    lake.put("c/json/e.json.lz4", lz4(json)).await;
    lake.put("c/json/f.json.snappy", snappy(json)).await;
    lake.put("c/json/g.json.bz2", bzip2(json)).await;
    lake.put("c/json/h.json.deflate", deflate(json)).await;
    lake.put("c/csv/f.csv.bz2", bzip2(csv)).await;
    lake.put("c/csv/g.csv.deflate", deflate(csv)).await;
    lake.put("c/csv/d.csv.lz4", lz4(csv)).await;
    lake.put("c/csv/e.csv.snappy", snappy(csv)).await;
    lake.put("c/csv/a.csv", csv).await;
    lake.put("c/csv/b.csv.gz", gzip(csv)).await;
    lake.put("c/csv/c.csv.zst", zstd(csv)).await;
    let n: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("n", n)]).unwrap();
    for (name, codec) in [
        ("none", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("gzip", Compression::GZIP(GzipLevel::default())),
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
        ("brotli", Compression::BROTLI(BrotliLevel::default())),
        ("lz4", Compression::LZ4),
        ("lz4_raw", Compression::LZ4_RAW),
    ] {
        let properties = WriterProperties::builder().set_compression(codec).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        lake.put(&format!("c/parquet/{name}.parquet"), writer.into_inner().unwrap())
            .await;
    }
    let report = lake.crawl("c", false).await;
    assert!(report.tables.iter().all(|table| table.skipped.is_empty()), "{report}");
    for (table, objects) in [("csv", 7), ("json", 8), ("parquet", 7)] {
        let sums = lake.sql(&format!("select count(*), sum(n) from \"{table}\"")).await;
        assert_eq!(sums, format!("{},{}", objects * 2, objects * 3), "{table}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_nothing_lies_in_any_more_is_looked_at() {
    let lake = Lake::start().await;
    lake.put("g/days/dt=2012-01-01/a.parquet", prices(&[1.0])).await;
    lake.put("g/days/dt=2012-01-02/b.parquet", prices(&[2.0])).await;
    lake.put("g/plain/a.csv", "id,ID\n1,2\n").await;
    lake.crawl("g", false).await;
    assert_eq!(lake.sql("select id, id_2 from plain").await, "1,2");
    for key in [
        "g/days/dt=2012-01-01/a.parquet",
        "g/days/dt=2012-01-02/b.parquet",
        "g/plain/a.csv",
    ] {
        lake.delete(key).await;
    }
    let report = lake.crawl("g", false).await;
    let days = table(&report, "days");
    assert_eq!((days.objects, days.partitions_removed.len()), (0, 2), "{report}");
    assert_eq!(lake.sql("select count(*) from days").await, "0");
    assert_eq!(table(&report, "plain").objects, 0);
    assert!(!lake.crawl("g", false).await.changed());
    // What comes back is found again; what lies beside the tables is named.
    lake.put("g/days/dt=2012-01-02/b.parquet", prices(&[2.0])).await;
    lake.put("g/notes.csv", "a,b\n").await;
    let report = lake.crawl("g", false).await;
    assert_eq!(table(&report, "days").partitions_added.len(), 1, "{report}");
    assert_eq!(report.beside, ["g/notes.csv"]);
    assert!(report.to_string().contains("g/notes.csv"), "{report}");
    assert_eq!(lake.sql("select sum(price) from days").await, "2.0");
}
