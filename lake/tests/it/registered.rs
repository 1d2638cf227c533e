//! Tables whose objects the catalog keeps: registered batch by batch, planned without a listing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::join_all;
use tickertape_client::s3::S3Options;
use tickertape_lake::catalog::{
    Catalog, Column, ColumnRange, LocalCatalog, Partition, RangeKind, Registered, RegisteredObject, Registration,
    Table, TableFormat, columns_of_schema, ensure_table, list_from_now_on, register_partitions,
};
use tickertape_lake::crawl::{CrawlSettings, crawl};
use tickertape_lake::sql::{Engine, OutputFormat, S3Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::catalog::glue;
use crate::lake::{Ticks, parquet, put};
use crate::s3::{BUCKET, Fixture};

pub(crate) fn marked(name: &str) -> Table {
    let keys = vec![Column::new("dt", "string")];
    let location = format!("s3://{BUCKET}/lake/{name}");
    let table = TableFormat::Parquet.table("default", name, &location, vec![Column::new("seq", "bigint")], keys);
    table.with_registered_objects()
}

/// A batch with an object of one row in each of `days`.
pub(crate) fn batch(source: &str, start: i64, end: i64, days: &[&str]) -> Registration {
    let object = |day: &&str| RegisteredObject {
        partition: vec![(*day).to_owned()],
        key: format!("lake/t/dt={day}/{source}-{start}-{end}.parquet"),
        bytes: 100,
        rows: Some(1),
        ..RegisteredObject::default()
    };
    Registration {
        source: source.to_owned(),
        start,
        end,
        objects: days.iter().map(object).collect(),
    }
}

pub(crate) async fn keys(catalog: &dyn Catalog, name: &str, days: Option<&[&str]>) -> Vec<String> {
    let snapshot = catalog.snapshot("default", name, None).await.unwrap().unwrap();
    let days: Option<Vec<Vec<String>>> = days.map(|days| days.iter().map(|day| vec![(*day).to_owned()]).collect());
    let objects = catalog
        .objects("default", name, &snapshot, days.as_deref())
        .await
        .unwrap();
    let mut keys: Vec<String> = objects.unwrap().into_iter().map(|object| object.key).collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn sled_keeps_objects() {
    let dir = tempfile::tempdir().unwrap();
    keeps_objects(Arc::new(LocalCatalog::open(dir.path()).unwrap())).await;
    // They are there after a restart.
    let catalog = LocalCatalog::open(dir.path()).unwrap();
    assert_eq!(keys(&catalog, "kept", None).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_keeps_objects() {
    let fixture = Fixture::start().await;
    keeps_objects(Arc::new(glue(&fixture).await)).await;
}

async fn keeps_objects(catalog: Arc<dyn Catalog>) {
    assert!(catalog.keeps_objects().await.unwrap());
    let register = |name: &'static str, of: Registration| {
        let catalog = Arc::clone(&catalog);
        async move { catalog.register_objects("default", name, &of).await.unwrap() }
    };
    catalog.create_table(&marked("t")).await.unwrap();
    let first = batch("a/0", 0, 10, &["2012-01-01", "2012-01-02"]);
    assert_eq!(register("t", first.clone()).await, Registered::Done);
    assert_eq!(register("t", first).await, Registered::Done, "once more");
    let gap = batch("a/0", 11, 20, &["2012-01-03"]);
    assert_eq!(register("t", gap).await, Registered::Behind { end: 10 });
    assert_eq!(
        register("t", batch("a/0", 10, 20, &[])).await,
        Registered::Done,
        "without rows"
    );
    assert_eq!(
        register("t", batch("a/0", 20, 30, &["2012-01-01"])).await,
        Registered::Done
    );
    assert_eq!(
        register("t", batch("a/1", 0, 5, &["2012-01-03"])).await,
        Registered::Done
    );
    assert_eq!(keys(catalog.as_ref(), "t", None).await.len(), 4);
    let day = keys(catalog.as_ref(), "t", Some(&["2012-01-01"])).await;
    assert_eq!(
        day,
        [
            "lake/t/dt=2012-01-01/a/0-0-10.parquet",
            "lake/t/dt=2012-01-01/a/0-20-30.parquet"
        ]
    );
    let snapshot = catalog.snapshot("default", "t", Some("a/0")).await.unwrap().unwrap();
    assert_eq!(snapshot.source_end, 30);
    register("t", batch("a/1", 5, 6, &["2012-01-01"])).await;
    let then = catalog.objects("default", "t", &snapshot, None).await.unwrap().unwrap();
    assert_eq!(then.len(), 4, "what came after the snapshot is not in it");

    // Put once more by who took the batch up: it has another size, and is where it was.
    let mut again = batch("a/1", 0, 5, &["2012-01-03"]);
    again.objects[0].bytes = 90;
    assert_eq!(register("t", again).await, Registered::Done);
    let then = catalog.objects("default", "t", &snapshot, None).await.unwrap().unwrap();
    let sizes: Vec<u64> = then.iter().map(|object| object.bytes).collect();
    assert_eq!((sizes.len(), sizes.iter().sum::<u64>()), (4, 390));

    // An update keeps the mark and the objects; one that takes the mark takes them along, and nothing brings it back.
    let table = catalog.table("default", "t").await.unwrap().unwrap();
    catalog.update_table(&table, None).await.unwrap();
    assert_eq!(keys(catalog.as_ref(), "t", None).await.len(), 5);
    list_from_now_on(catalog.as_ref(), "default", "t").await.unwrap();
    assert_eq!(catalog.snapshot("default", "t", None).await.unwrap(), None);
    assert_eq!(catalog.objects("default", "t", &snapshot, None).await.unwrap(), None);
    assert_eq!(
        register("t", batch("a/1", 6, 7, &["2012-01-01"])).await,
        Registered::NotKept
    );
    catalog.update_table(&marked("t"), None).await.unwrap();
    let again = catalog.table("default", "t").await.unwrap().unwrap();
    assert!(!again.has_registered_objects());

    catalog.create_table(&marked("kept")).await.unwrap();
    register("kept", batch("a/0", 0, 10, &["2012-01-01"])).await;
    catalog.delete_table("default", "kept").await.unwrap();
    catalog.create_table(&marked("kept")).await.unwrap();
    assert_eq!(keys(catalog.as_ref(), "kept", None).await, Vec::<String>::new());
    register("kept", batch("a/0", 0, 10, &["2012-01-01", "2012-01-02"])).await;
    let odd = Registration::default();
    assert!(catalog.register_objects("default", "kept", &odd).await.is_err());
    assert!(
        catalog
            .register_objects("default", "absent", &batch("a", 0, 1, &[]))
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_notices_registered_objects_that_are_gone() {
    let fixture = Fixture::start().await;
    let ticks = Ticks {
        rows: 40,
        files: 4,
        days: 2,
        symbols: 5,
    };
    write_registered(&fixture, &ticks, 0..4).await;
    let (catalog, handle) = (fixture.handle.catalog(), &fixture.handle);
    let connection = S3Connection::new(
        &handle.endpoint_url(),
        handle.access_key_id(),
        handle.secret_access_key(),
    );
    let engine = Engine::new(Arc::clone(&catalog), connection);
    let client = S3Options::at(handle.endpoint_url()).client().await.unwrap();
    let lake = format!("s3://{BUCKET}/lake").parse().unwrap();
    let crawled = async |dry_run| {
        let settings = CrawlSettings {
            dry_run,
            ..CrawlSettings::default()
        };
        crawl(&client, catalog.as_ref(), &lake, &settings).await.unwrap()
    };
    let is_marked = async || {
        let table = catalog.table("default", "ticks").await.unwrap().unwrap();
        table.has_registered_objects()
    };
    assert!(!crawled(true).await.changed());
    let gone = "lake/ticks/dt=2012-01-02/ticks-0-000003.parquet";
    client.delete_object().bucket(BUCKET).key(gone).send().await.unwrap();
    assert_eq!(
        one(&engine, "select count(*) from ticks").await.0,
        "40",
        "of the catalog"
    );
    let dry = crawled(true).await;
    assert!(dry.changed() && dry.tables[0].changes[0].contains(gone), "{dry}");
    assert!(is_marked().await);
    assert_eq!(crawled(false).await.tables[0].changes, dry.tables[0].changes);
    assert!(!is_marked().await);
    assert_eq!(one(&engine, "select count(*), count(seq) from ticks").await.0, "30,30");
    assert!(!crawled(false).await.changed());
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_lose_nothing_and_nobody_sees_half_a_batch() {
    const WRITERS: usize = 6;
    const BATCHES: i64 = 60;
    let dir = tempfile::tempdir().unwrap();
    let catalog = Arc::new(LocalCatalog::open(dir.path()).unwrap());
    catalog.create_table(&marked("t")).await.unwrap();
    let (done, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = tokio::spawn({
        let (catalog, done, looks) = (Arc::clone(&catalog), Arc::clone(&done), Arc::clone(&looks));
        async move {
            while !done.load(Ordering::Acquire) {
                let found = keys(catalog.as_ref(), "t", None).await;
                let mut of_batch = std::collections::BTreeMap::<String, usize>::new();
                for key in &found {
                    *of_batch.entry(key.rsplit('/').next().unwrap().to_owned()).or_default() += 1;
                }
                assert!(
                    of_batch.values().all(|objects| *objects == 3),
                    "half a batch: {of_batch:?}"
                );
                looks.fetch_add(1, Ordering::AcqRel);
                tokio::task::yield_now().await;
            }
        }
    });
    // Each batch is registered twice at once, as by a sink and one that has taken its partition up.
    join_all((0..WRITERS).map(|writer| {
        let catalog = Arc::clone(&catalog);
        async move {
            for number in 0..BATCHES {
                let days = ["2012-01-01", "2012-01-02", "2012-01-03"];
                let one = batch(&format!("w{writer}"), number, number + 1, &days);
                let (a, b) = tokio::join!(
                    catalog.register_objects("default", "t", &one),
                    catalog.register_objects("default", "t", &one)
                );
                assert_eq!((a.unwrap(), b.unwrap()), (Registered::Done, Registered::Done));
            }
        }
    }))
    .await;
    done.store(true, Ordering::Release);
    reader.await.unwrap();
    assert!(looks.load(Ordering::Acquire) > 0);
    assert_eq!(
        keys(catalog.as_ref(), "t", None).await.len(),
        WRITERS * BATCHES as usize * 3
    );
}

/// Passes everything on to a server, and counts the requests to its store: listings, and all others.
struct Counted {
    endpoint: String,
    listings: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
}

impl Counted {
    async fn start(server: String) -> Counted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let counted = Counted {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            listings: Arc::default(),
            reads: Arc::default(),
        };
        let (listings, reads) = (Arc::clone(&counted.listings), Arc::clone(&counted.reads));
        let server = server.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, upstream, Arc::clone(&listings), Arc::clone(&reads)));
            }
        });
        counted
    }

    fn so_far(&self) -> (usize, usize) {
        (
            self.listings.load(Ordering::Acquire),
            self.reads.load(Ordering::Acquire),
        )
    }
}

async fn pass(client: TcpStream, server: TcpStream, listings: Arc<AtomicUsize>, reads: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut piece = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from_client.read(&mut piece).await {
        // A request's head comes in one piece, and the next only after its answer.
        let methods = [&b"GET "[..], b"HEAD ", b"POST ", b"PUT ", b"DELETE "];
        if methods.iter().any(|method| piece[..read].starts_with(method)) {
            let line = String::from_utf8_lossy(&piece[..read])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            let counter = if line.contains("list-type=2") {
                &listings
            } else {
                &reads
            };
            counter.fetch_add(1, Ordering::AcqRel);
        }
        if to_server.write_all(&piece[..read]).await.is_err() {
            break;
        }
    }
    back.abort();
}

const DAY_MS: i64 = 86_400_000;

/// Writes ticks as a sink does: objects first, then columns and partitions, then the batch.
async fn write_registered(fixture: &Fixture, ticks: &Ticks, files: std::ops::Range<u64>) {
    let catalog = fixture.handle.catalog();
    let location = format!("s3://{BUCKET}/lake/ticks");
    let per_day = ticks.files.div_ceil(ticks.days);
    for file in files {
        let rows = ticks.batch(file);
        let dt = Ticks::date(file / per_day);
        let key = format!("lake/ticks/dt={dt}/ticks-0-{file:06}.parquet");
        let body = parquet(&rows);
        let bytes = body.len() as u64;
        put(&fixture.client, BUCKET, &key, body).await;
        let keys = vec![Column::new("dt", "string")];
        let table = TableFormat::Parquet.table("default", "ticks", &location, columns_of_schema(&rows.schema()), keys);
        let table = match file {
            0 => table.with_registered_objects(),
            _ => table,
        };
        let table = ensure_table(catalog.as_ref(), &table).await.unwrap().table;
        let place = (vec![dt.clone()], format!("{location}/dt={dt}"));
        register_partitions(catalog.as_ref(), &table, &[place]).await.unwrap();
        let per_file = (ticks.rows / ticks.files) as i64;
        let first = file as i64 * per_file;
        let day_us = (15_340 + (file / per_day) as i64) * DAY_MS * 1_000;
        let of_day = |n: i64| day_us + (n % per_file) * 10_000;
        let range = |kind, min, max| ColumnRange {
            kind,
            min,
            max,
            nulls: 0,
        };
        let object = RegisteredObject {
            partition: vec![dt],
            key,
            bytes,
            rows: Some(per_file as u64),
            columns: [
                ("seq".to_owned(), range(RangeKind::Integer, first, first + per_file - 1)),
                (
                    "event_time".to_owned(),
                    range(RangeKind::Timestamp, of_day(0), of_day(per_file - 1)),
                ),
            ]
            .into(),
            sequence: 0,
        };
        let registration = Registration {
            source: "ticks/0".to_owned(),
            start: first,
            end: first + per_file,
            objects: vec![object],
        };
        let registered = catalog
            .register_objects("default", "ticks", &registration)
            .await
            .unwrap();
        assert_eq!(registered, Registered::Done);
    }
}

async fn one(engine: &Engine, sql: &str) -> (String, u64) {
    let output = engine
        .query(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:#}"));
    let mut text = Vec::new();
    output.write(OutputFormat::Csv, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    (rows.join("|"), output.files)
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_planned_from_the_catalog_without_a_listing() {
    let fixture = Fixture::start().await;
    let ticks = Ticks {
        rows: 600,
        files: 60,
        days: 20,
        symbols: 5,
    };
    write_registered(&fixture, &ticks, 0..59).await;
    // Put and not registered: half of a batch that is on its way. A listing would see it.
    put(
        &fixture.client,
        BUCKET,
        "lake/ticks/dt=2012-01-01/half.parquet",
        parquet(&ticks.batch(0)),
    )
    .await;
    let counted = Counted::start(fixture.handle.endpoint_url()).await;
    let (key, secret) = (fixture.handle.access_key_id(), fixture.handle.secret_access_key());
    for catalog in [
        fixture.handle.catalog(),
        Arc::new(glue(&fixture).await) as Arc<dyn Catalog>,
    ] {
        let engine = Engine::new(catalog, S3Connection::new(&counted.endpoint, key, secret));
        let before = counted.so_far();
        assert_eq!(one(&engine, "select count(*) from ticks").await, ("590".to_owned(), 59));
        assert_eq!(
            one(&engine, "select min(seq), max(seq), count(seq) from ticks").await.0,
            "0,589,590"
        );
        let of_day = "select count(*) from ticks where dt = '2012-01-03'";
        assert_eq!(one(&engine, of_day).await, ("30".to_owned(), 3));
        assert_eq!(
            counted.so_far(),
            before,
            "no request at all: counts and ranges are in the catalog"
        );
        let of_time = "select count(*) from ticks where event_time >= timestamp '2012-01-05 00:00:00'
                       and event_time < timestamp '2012-01-06 00:00:00'";
        assert_eq!(
            one(&engine, of_time).await,
            ("30".to_owned(), 3),
            "by time, not by partition"
        );
        assert_eq!(
            one(&engine, "select symbol from ticks where seq = 17").await,
            ("S2".to_owned(), 1)
        );
        assert_eq!(
            one(&engine, "select count(*) from ticks where seq > 10000").await,
            ("0".to_owned(), 0)
        );
        let twice = "select count(*) from ticks a join ticks b on a.seq = b.seq";
        assert_eq!(one(&engine, twice).await.0, "590");
        let (listings, reads) = counted.so_far();
        assert_eq!(listings, 0, "nothing was listed");
        assert!(reads > before.1, "objects were read");
    }
    // A query that starts after the registration sees the rows.
    write_registered(&fixture, &ticks, 59..60).await;
    let engine = Engine::new(
        fixture.handle.catalog(),
        S3Connection::new(&counted.endpoint, key, secret),
    );
    assert_eq!(
        one(&engine, "select count(*), sum(size) from ticks").await.0,
        "600,2395"
    );

    // A crawl of the sink's table doubles nothing, and takes no partition from it.
    let client = S3Options::at(fixture.handle.endpoint_url()).client().await.unwrap();
    let lake = format!("s3://{BUCKET}/lake").parse().unwrap();
    let catalog = fixture.handle.catalog();
    let report = crawl(&client, catalog.as_ref(), &lake, &CrawlSettings::default())
        .await
        .unwrap();
    assert_eq!(report.tables[0].partitions_removed, Vec::<Vec<String>>::new());
    assert_eq!(one(&engine, "select count(*) from ticks").await, ("600".to_owned(), 60));
    assert_eq!(counted.so_far().0, 0);

    // Without the mark the table is listed, with whatever lies there.
    list_from_now_on(catalog.as_ref(), "default", "ticks").await.unwrap();
    assert_eq!(one(&engine, "select count(*) from ticks").await, ("610".to_owned(), 61));
    assert!(counted.so_far().0 > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_not_counted_are_found_in_the_footer() {
    let fixture = Fixture::start().await;
    let catalog = fixture.handle.catalog();
    let ticks = Ticks {
        rows: 10,
        files: 1,
        days: 1,
        symbols: 5,
    };
    let key = "lake/t/dt=2012-01-01/a.parquet";
    let body = parquet(&ticks.batch(0));
    let bytes = body.len() as u64;
    put(&fixture.client, BUCKET, key, body).await;
    let table = ensure_table(catalog.as_ref(), &marked("t")).await.unwrap().table;
    let day = Partition::of_table(
        &table,
        vec!["2012-01-01".to_owned()],
        format!("s3://{BUCKET}/lake/t/dt=2012-01-01/"),
    );
    catalog.create_partitions("default", "t", &[day]).await.unwrap();
    let mut uncounted = batch("a", 0, 1, &["2012-01-01"]);
    uncounted.objects[0] = RegisteredObject {
        key: key.to_owned(),
        // Whoever was taken for dead has put it once more since.
        bytes: bytes - 100,
        rows: None,
        ..uncounted.objects[0].clone()
    };
    catalog.register_objects("default", "t", &uncounted).await.unwrap();
    let handle = &fixture.handle;
    let connection = S3Connection::new(
        &handle.endpoint_url(),
        handle.access_key_id(),
        handle.secret_access_key(),
    );
    let engine = Engine::new(catalog, connection);
    assert_eq!(one(&engine, "select count(*), max(seq) from t").await.0, "10,9");
}
