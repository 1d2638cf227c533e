//! The registrar over a catalog in sled; and with a sink, a broker and a store, what becomes of a catalog that has missed a batch
//! or has too many.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tempfile::TempDir;
use tickertape_broker::{Broker, BrokerHandle};
use tickertape_client::KafkaOptions;
use tickertape_client::s3::S3Options;
use tickertape_consumer::schema::TableSchema;
use tickertape_consumer::{CommittedPartition, ConsumeOptions, Stats, run};
use tickertape_lake::catalog::LocalCatalog;
use tickertape_lake::s3::{Handle, Server, ServerConfig};
use tickertape_lake::sql::OutputFormat;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::lake_access::engine_of;

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(120);
const TABLE: &str = "ticks";

/// A registrar over a catalog in a directory.
struct Local {
    catalog: Arc<LocalCatalog>,
    registrar: CatalogRegistrar,
    _dir: TempDir,
}

impl Local {
    fn new() -> Local {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Arc::new(LocalCatalog::open(dir.path()).unwrap());
        Local {
            registrar: CatalogRegistrar::new(catalog.clone()).in_database("market".to_owned()),
            catalog,
            _dir: dir,
        }
    }

    async fn register(&self, batch: &Committed) {
        self.registrar.register(batch).await.unwrap();
    }

    async fn table(&self) -> Option<Table> {
        self.catalog.table("market", TABLE).await.unwrap()
    }

    /// How many objects the catalog keeps of the table; `None` where it doesn't keep them.
    async fn kept(&self) -> Option<usize> {
        let catalog: &dyn Catalog = self.catalog.as_ref();
        let snapshot = catalog.snapshot("market", TABLE, None).await.unwrap()?;
        let objects = catalog.objects("market", TABLE, &snapshot, None).await.unwrap();
        objects.map(|objects| objects.len())
    }

    async fn end(&self, source: &str) -> Option<i64> {
        self.registrar.registered_end(TABLE, source).await.unwrap()
    }
}

/// A batch with an object in each of `days`; without one, all of its messages were rejected.
fn batch(source: &str, start: i64, end: i64, days: &[&str]) -> Committed {
    let partition = |day: &&str| CommittedPartition {
        values: vec![("dt".to_owned(), (*day).to_owned())],
        objects: vec![ObjectInfo {
            key: format!("market/ticks/dt={day}/{source}-{start}-{end}.parquet"),
            rows: Some(end.abs_diff(start)),
            bytes: 100,
            columns: BTreeMap::new(),
        }],
    };
    Committed {
        table: TABLE.to_owned(),
        location: "s3://lake/market/ticks".parse().unwrap(),
        source: source.to_owned(),
        start,
        end,
        schema: TableSchema::default().to_arrow(),
        partitions: days.iter().map(partition).collect(),
        format: Format::Parquet,
        compression: Compression::Zstd,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_known_from_its_first_message_on_has_its_objects_kept() {
    let local = Local::new();
    assert_eq!(local.end("a").await, Some(0), "nothing was missed yet");
    local.register(&batch("a", 0, 10, &["2012-01-01", "2012-01-02"])).await;
    assert_eq!((local.kept().await, local.end("a").await), (Some(2), Some(10)));
    // Each later batch, of this source and of others, leaves it so; and a batch once more.
    local.register(&batch("b", 0, 5, &["2012-01-02"])).await;
    local.register(&batch("a", 10, 12, &[])).await;
    local.register(&batch("a", 12, 20, &["2012-01-03"])).await;
    local.register(&batch("a", 12, 20, &["2012-01-03"])).await;
    assert_eq!((local.kept().await, local.end("a").await), (Some(4), Some(20)));
    let all = PartitionFilter::all();
    let partitions = local.catalog.partitions("market", TABLE, &all).await.unwrap();
    assert_eq!(partitions.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_all_rejected_are_the_first_link_of_the_chain() {
    let local = Local::new();
    local.register(&batch("a", 0, 1, &[])).await;
    assert_eq!((local.kept().await, local.end("a").await), (Some(0), Some(1)));
    let made = local.table().await.unwrap();
    assert_eq!(made.partition_keys, [Column::new("dt", "string")]);
    local.register(&batch("b", 0, 10, &["2012-01-01"])).await;
    local.register(&batch("a", 1, 20, &["2012-01-01"])).await;
    assert_eq!((local.kept().await, local.end("a").await), (Some(2), Some(20)));
    // In the middle of a chain they make no table, and neither does a batch with rows make one that is kept.
    let late = Local::new();
    late.register(&batch("a", 7, 8, &[])).await;
    assert_eq!(late.table().await, None);
    late.register(&batch("a", 8, 9, &["2012-01-01"])).await;
    assert_eq!((late.kept().await, late.end("a").await), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_has_missed_something_lists_from_now_on() {
    for (missed, what) in [
        (batch("a", 11, 20, &["2012-01-01"]), "a batch before it"),
        (batch("b", 5, 6, &["2012-01-01"]), "the beginning of a chain"),
        (batch("a", 0, 7, &["2012-01-01"]), "another batch of a topic made anew"),
        (
            batch("a", 0, 10, &["2012-01-01", "2012-01-02"]),
            "an object that wasn't there",
        ),
    ] {
        let local = Local::new();
        local.register(&batch("a", 0, 10, &["2012-01-01"])).await;
        local.register(&missed).await;
        assert_eq!(local.kept().await, None, "{what}");
        assert_eq!(local.end("a").await, None, "{what}");
        local.register(&batch("a", 20, 30, &["2012-01-01"])).await;
        assert_eq!(local.kept().await, None, "{what}: for good");
    }
    let local = Local::new();
    local.register(&batch("a", 0, 10, &["2012-01-01"])).await;
    local.registrar.list_from_now_on(TABLE).await.unwrap();
    assert_eq!(local.kept().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asking_again_does_not_mend_is_a_refusal() {
    let local = Local::new();
    local.register(&batch("a", 0, 10, &["2012-01-01"])).await;
    let mut json = batch("a", 10, 20, &["2012-01-01"]);
    json.format = Format::Json;
    let error = local.registrar.register(&json).await.unwrap_err();
    assert!(
        error.is::<Refusal>() && error.to_string().contains("holds parquet"),
        "{error:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_partition_of_another_place_gets_into_a_table() {
    let local = Local::new();
    local.register(&batch("a", 0, 10, &["2012-01-01"])).await;
    let mut elsewhere = batch("b", 0, 20, &["2012-01-01", "2012-01-02"]);
    elsewhere.location = "s3://lake/other/ticks".parse().unwrap();
    let error = local.registrar.register(&elsewhere).await.unwrap_err();
    assert!(
        error.is::<Refusal>() && error.to_string().contains("lies at s3://lake/market/ticks/"),
        "{error:#}"
    );
    let all = PartitionFilter::all();
    let partitions = local.catalog.partitions("market", TABLE, &all);
    let places: Vec<_> = partitions
        .await
        .unwrap()
        .iter()
        .map(|of| of.location().map(str::to_owned))
        .collect();
    assert_eq!(places, [Some("s3://lake/market/ticks/dt=2012-01-01/".to_owned())]);
    assert_eq!(local.kept().await, Some(1), "it is as it was");
    let known = local.registrar.table(TABLE).await.unwrap().unwrap();
    assert_eq!(known.location.as_deref(), Some("s3://lake/market/ticks/"));
    assert_eq!(
        (known.format.as_deref(), known.name.as_str()),
        (Some("parquet"), "market.ticks")
    );
    assert_eq!(known.partition_keys, ["dt"]);
}

/// A registrar that passes batches over while it is told to, as if what it had registered were lost.
struct Losing {
    registrar: CatalogRegistrar,
    loses: AtomicBool,
}

#[async_trait]
impl Registrar for Losing {
    async fn table(&self, table: &str) -> anyhow::Result<Option<KnownTable>> {
        self.registrar.table(table).await
    }

    async fn register(&self, committed: &Committed) -> anyhow::Result<()> {
        match self.loses.load(Ordering::Acquire) {
            true => Ok(()),
            false => self.registrar.register(committed).await,
        }
    }

    async fn registered_end(&self, table: &str, source: &str) -> anyhow::Result<Option<i64>> {
        self.registrar.registered_end(table, source).await
    }

    async fn list_from_now_on(&self, table: &str) -> anyhow::Result<()> {
        self.registrar.list_from_now_on(table).await
    }
}

/// A broker and a store with its catalog.
struct World {
    broker: BrokerHandle,
    store: Handle,
    registrar: Arc<Losing>,
    _dir: TempDir,
}

impl World {
    async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::builder().data_dir(dir.path().join("broker")).start();
        let broker = broker.await.unwrap();
        let store = Server::start(ServerConfig::new(dir.path().join("s3"))).await.unwrap();
        store.ensure_bucket("lake").await.unwrap();
        let registrar = Arc::new(Losing {
            registrar: CatalogRegistrar::new(store.catalog()),
            loses: AtomicBool::new(false),
        });
        World {
            broker,
            store,
            registrar,
            _dir: dir,
        }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.bootstrap_servers());
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    async fn topic(&self) {
        let topic = NewTopic::new(TABLE, 1, TopicReplication::Fixed(1));
        let made = self.admin().create_topics([&topic], &AdminOptions::new()).await;
        made.unwrap().into_iter().for_each(|made| drop(made.unwrap()));
    }

    async fn produce(&self, seqs: std::ops::Range<i64>) {
        let producer: FutureProducer = self.config().create().unwrap();
        for seq in seqs {
            let event = serde_json::json!({ "event_time": "2012-06-01T13:30:00Z", "seq": seq }).to_string();
            let record: FutureRecord<'_, (), String> = FutureRecord::to(TABLE).partition(0).payload(&event);
            producer.send(record, PATIENCE).await.unwrap();
        }
    }

    /// Runs a sink until it has written so many messages, and stops it.
    async fn consume(&self, messages: u64) {
        self.run(|_| (), messages).await.unwrap();
    }

    /// The same with other options, and what it says if it ends before.
    async fn run(&self, change: impl FnOnce(&mut ConsumeOptions), messages: u64) -> anyhow::Result<()> {
        let kafka = KafkaOptions::at(self.broker.bootstrap_servers());
        let (s3, lake) = (S3Options::at(self.store.endpoint_url()), "s3://lake/market");
        let mut options = ConsumeOptions::new(kafka, s3, vec![TABLE.to_owned()], lake.parse().unwrap());
        options.max_age = Duration::from_millis(200);
        change(&mut options);
        let (stop, stats) = (CancellationToken::new(), Arc::new(Stats::default()));
        let registrar: Arc<dyn Registrar> = self.registrar.clone();
        let sink = tokio::spawn(run(options, Some(registrar), stop.clone(), stats.clone()));
        let written = async {
            // It has no event of its own.
            while stats.written.load(Ordering::Relaxed) < messages && !sink.is_finished() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, written).await.expect("waited in vain");
        stop.cancel();
        let summary = tokio::time::timeout(PATIENCE, sink).await.expect("it hangs");
        summary.unwrap()?;
        assert_eq!(stats.written.load(Ordering::Relaxed), messages);
        Ok(())
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        let client = S3Options::at(self.store.endpoint_url()).client().await.unwrap();
        let listed = client
            .list_objects_v2()
            .bucket("lake")
            .prefix(prefix)
            .send()
            .await
            .unwrap();
        let keys = listed.contents().iter().filter_map(|object| object.key());
        keys.map(str::to_owned).collect()
    }

    async fn delete(&self, prefix: &str) {
        let client = S3Options::at(self.store.endpoint_url()).client().await.unwrap();
        for key in self.keys(prefix).await {
            client.delete_object().bucket("lake").key(key).send().await.unwrap();
        }
    }

    async fn sql(&self, sql: &str) -> String {
        let output = engine_of(&self.store).query(sql).await.unwrap();
        let mut text = Vec::new();
        output.write(OutputFormat::Csv, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().skip(1).collect::<Vec<_>>().join("|")
    }

    async fn is_marked(&self) -> bool {
        let table = self.store.catalog().table(DEFAULT_DATABASE, TABLE).await.unwrap();
        table.unwrap().has_registered_objects()
    }

    async fn shutdown(self) {
        self.broker.shutdown().await.unwrap();
        self.store.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_was_lost_is_caught_up_with() {
    let world = World::new().await;
    world.topic().await;
    world.produce(0..3).await;
    world.consume(3).await;
    world.registrar.loses.store(true, Ordering::Release);
    // One message makes one batch.
    world.produce(3..4).await;
    world.consume(1).await;
    assert_eq!(world.sql("select count(*) from ticks").await, "3", "it was lost");
    world.registrar.loses.store(false, Ordering::Release);
    // The sink finds it when it takes the partition up: the next batch alone would show a gap.
    world.produce(4..8).await;
    world.consume(4).await;
    assert!(world.is_marked().await);
    assert_eq!(world.sql("select count(*), sum(seq) from ticks").await, "8,28");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_was_deleted_and_begun_again_is_not_taken_for_the_old_one() {
    let world = World::new().await;
    world.topic().await;
    world.produce(0..10).await;
    world.consume(10).await;
    assert!(world.is_marked().await);
    let deleted = world.admin().delete_topics(&[TABLE], &AdminOptions::new()).await;
    deleted.unwrap().into_iter().for_each(|deleted| drop(deleted.unwrap()));
    world.delete("").await;
    world.topic().await;
    world.produce(100..104).await;
    // It is noticed when the partition is taken up, before anything is registered.
    world.registrar.loses.store(true, Ordering::Release);
    world.consume(4).await;
    assert_eq!(world.sql("select count(*) from ticks").await, "4");
    assert_eq!(world.sql("select sum(seq), min(seq) from ticks").await, "406,100");
    assert!(!world.is_marked().await);
    world.shutdown().await;
}

/// What the user is told, and that nothing was claimed.
async fn refused(world: &World, change: impl FnOnce(&mut ConsumeOptions), ledger: &str) -> String {
    let before = world.keys(ledger).await;
    let error = world.run(change, u64::MAX).await.unwrap_err();
    assert_eq!(tickertape_client::exit_code(&error), 2, "{error:#}");
    assert_eq!(world.keys(ledger).await, before, "{error:#}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_another_one_is_refused_before_anything_is_claimed() {
    let world = World::new().await;
    world.topic().await;
    world.produce(0..10).await;
    world.consume(10).await;
    world.produce(10..20).await;
    let elsewhere = |options: &mut ConsumeOptions| {
        options.to = "s3://lake/second".parse().unwrap();
        options.group = "second".to_owned();
    };
    let told = refused(&world, elsewhere, "second").await;
    assert!(
        told.contains("lies at s3://lake/market/ticks/") && told.contains("--to s3://lake/market"),
        "{told}"
    );
    let told = refused(&world, |options| options.format = Format::Json, "market/_ledger").await;
    assert!(
        told.contains("holds parquet, not json") && told.contains("--format parquet"),
        "{told}"
    );
    // A table of its own may be anything.
    let of_its_own = |options: &mut ConsumeOptions| {
        elsewhere(options);
        options.table = Some("others".to_owned());
        options.format = Format::Json;
    };
    world.run(of_its_own, 20).await.unwrap();
    world.consume(10).await;
    assert_eq!(world.sql("select count(*), sum(seq) from ticks").await, "20,190");
    assert_eq!(world.sql("select count(*), sum(seq) from others").await, "20,190");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_deleted_alone_stops_the_sink() {
    let world = World::new().await;
    world.topic().await;
    world.produce(0..10).await;
    world.consume(10).await;
    world.delete("market/_ledger/").await;
    world.produce(10..14).await;
    let told = refused(
        &world,
        |options| options.group = "fresh".to_owned(),
        "market/_ledger/ticks/0/",
    )
    .await;
    assert!(told.contains("up to offset 10") && told.contains("Restore"), "{told}");
    assert_eq!(world.sql("select count(*) from ticks").await, "10");
    assert!(world.is_marked().await);
    // The group that knows how far it was goes on there.
    world.delete("market/_ledger/").await;
    world.consume(4).await;
    assert_eq!(world.sql("select count(*), sum(seq) from ticks").await, "14,91");
    world.shutdown().await;
}
