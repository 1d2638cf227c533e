//! A broker, a store and a producer, and the reader that every test compares with.

use std::{
    collections::BTreeMap,
    io::Read,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use flate2::read::GzDecoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    producer::{FutureProducer, FutureRecord, Producer as _},
};
use serde_json::Value;
use tempfile::TempDir;
use tickertape_broker::{Broker, BrokerHandle};
use tickertape_client::{KafkaOptions, s3::S3Options, s3::S3Url};
use tickertape_consumer::{Committed, ConsumeOptions, KnownTable, Registrar, Stats, Summary, run};
use tickertape_lake::s3::{Handle, Server, ServerConfig};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct World {
    pub(crate) broker: BrokerHandle,
    pub(crate) store: Handle,
    pub(crate) client: aws_sdk_s3::Client,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::builder()
            .data_dir(folder.path().join("broker"))
            .start()
            .await
            .unwrap();
        let store = Server::start(ServerConfig::new(folder.path().join("s3")))
            .await
            .unwrap();
        store.ensure_bucket("lake").await.unwrap();
        let client = S3Options::at(store.endpoint_url()).client().await.unwrap();
        Self {
            broker,
            store,
            client,
            _folder: folder,
        }
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        config(&self.broker).create().unwrap()
    }

    pub(crate) async fn topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let made = self
            .admin()
            .create_topics([&topic], &AdminOptions::new())
            .await
            .unwrap();
        made.into_iter().for_each(|made| drop(made.unwrap()));
    }

    pub(crate) async fn delete_topic(&self, name: &str) {
        let deleted = self.admin().delete_topics(&[name], &AdminOptions::new()).await.unwrap();
        deleted.into_iter().for_each(|deleted| drop(deleted.unwrap()));
    }

    pub(crate) async fn partitions(&self, name: &str, partitions: usize) {
        let more = NewPartitions::new(name, partitions);
        let made = self
            .admin()
            .create_partitions([&more], &AdminOptions::new())
            .await
            .unwrap();
        made.into_iter().for_each(|made| drop(made.unwrap()));
    }

    pub(crate) async fn delete_records(&self, name: &str, partition: i32, before: i64) {
        let mut offsets = rdkafka::TopicPartitionList::new();
        offsets
            .add_partition_offset(name, partition, rdkafka::Offset::Offset(before))
            .unwrap();
        self.admin()
            .delete_records(&offsets, &AdminOptions::new())
            .await
            .unwrap();
    }

    /// Produces and waits for the acknowledgements.
    pub(crate) async fn produce(&self, topic: &str, partition: i32, values: &[Option<Vec<u8>>]) {
        // A new one each time, which knows the partitions there are by now.
        let producer: FutureProducer = config(&self.broker).set("linger.ms", "1").create().unwrap();
        let mut sent = Vec::new();
        for value in values {
            let mut record: FutureRecord<'_, (), Vec<u8>> = FutureRecord::to(topic).partition(partition);
            record.payload = value.as_ref();
            sent.push(producer.send_result(record).map_err(|(error, _)| error).unwrap());
        }
        for acknowledged in sent {
            acknowledged.await.unwrap().unwrap();
        }
    }

    /// Transactions of one message each, of which every other one is aborted: gaps of two offsets and more between messages.
    pub(crate) async fn produce_in_transactions(&self, topic: &str, partition: i32, values: &[Option<Vec<u8>>]) {
        let mut config = config(&self.broker);
        config.set("transactional.id", "half-aborted").set("linger.ms", "0");
        let producer: FutureProducer = config.create().unwrap();
        tokio::task::block_in_place(|| producer.init_transactions(PATIENCE)).unwrap();
        for (value, commits) in values.iter().flat_map(|value| [(value, false), (value, true)]) {
            producer.begin_transaction().unwrap();
            let mut record: FutureRecord<'_, (), Vec<u8>> = FutureRecord::to(topic).partition(partition);
            record.payload = value.as_ref();
            producer.send(record, PATIENCE).await.unwrap();
            tokio::task::block_in_place(|| match commits {
                true => producer.commit_transaction(PATIENCE),
                false => producer.abort_transaction(PATIENCE),
            })
            .unwrap();
        }
    }

    pub(crate) fn options(&self, topics: &[&str]) -> ConsumeOptions {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let kafka = KafkaOptions {
            // So that a killed member is missed soon.
            properties: vec![("session.timeout.ms".into(), "6000".into())],
            ..KafkaOptions::at(self.broker.bootstrap_servers())
        };
        let mut options = ConsumeOptions::new(kafka, S3Options::at(self.store.endpoint_url()), topics, lake());
        options.max_age = Duration::from_millis(300);
        options
    }

    /// Starts a sink that registers with `catalog`.
    pub(crate) fn sink(&self, options: ConsumeOptions, catalog: &Catalog) -> Sink {
        let (stop, stats) = (CancellationToken::new(), Arc::new(Stats::default()));
        let catalog: Arc<dyn Registrar> = Arc::new(catalog.clone());
        let task = tokio::spawn(run(options, Some(catalog), stop.clone(), stats.clone()));
        Sink { stop, stats, task }
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket("lake")
            .prefix(prefix)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            keys.extend(
                page.unwrap()
                    .contents()
                    .iter()
                    .map(|object| object.key().unwrap().to_owned()),
            );
        }
        keys
    }

    pub(crate) async fn object(&self, key: &str) -> Vec<u8> {
        let object = self.client.get_object().bucket("lake").key(key).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    }

    /// Every row of a table, as JSON without nulls, by partition and offset. Fails on a row that is there
    /// twice or in the wrong folder.
    pub(crate) async fn rows(&self, table: &str) -> BTreeMap<(i64, i64), Value> {
        let mut rows = BTreeMap::new();
        for key in self.keys(&format!("market/{table}/")).await {
            let body = self.object(&key).await;
            let found = if key.ends_with(".parquet") {
                parquet_rows(body)
            } else {
                json_rows(&body)
            };
            for row in found {
                let day = key.split("dt=").nth(1).unwrap()[..10].to_owned();
                let event_day = row
                    .get("event_time")
                    .or(row.get("date"))
                    .and_then(Value::as_str)
                    .unwrap();
                assert!(event_day.starts_with(&day), "{key}: {row}");
                let place = (row["_partition"].as_i64().unwrap(), row["_offset"].as_i64().unwrap());
                assert!(rows.insert(place, row).is_none(), "{place:?} is there twice");
            }
        }
        rows
    }

    pub(crate) async fn rejected(&self, table: &str) -> BTreeMap<(i64, i64), Value> {
        let mut lines = BTreeMap::new();
        for key in self.keys(&format!("market/_rejected/{table}/")).await {
            for line in json_rows(&self.object(&key).await) {
                let place = (line["partition"].as_i64().unwrap(), line["offset"].as_i64().unwrap());
                assert!(lines.insert(place, line).is_none(), "{place:?} is there twice");
            }
        }
        lines
    }

    pub(crate) async fn shutdown(self) {
        self.broker.shutdown().await.unwrap();
        self.store.shutdown().await.unwrap();
    }
}

fn config(broker: &BrokerHandle) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    config
}

pub(crate) fn lake() -> S3Url {
    "s3://lake/market".parse().unwrap()
}

fn parquet_rows(body: Vec<u8>) -> Vec<Value> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(body))
        .unwrap()
        .build()
        .unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    serde_json::from_slice(&writer.into_inner()).unwrap()
}

fn json_rows(body: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) struct Sink {
    stop: CancellationToken,
    pub(crate) stats: Arc<Stats>,
    task: JoinHandle<anyhow::Result<Summary>>,
}

impl Sink {
    /// Waits until so many messages are written.
    pub(crate) async fn written(&self, messages: u64) {
        until(|| self.stats.written.load(Ordering::Relaxed) >= messages || self.task.is_finished()).await;
        assert!(!self.task.is_finished(), "the sink has ended");
        assert_eq!(self.stats.written.load(Ordering::Relaxed), messages);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Asks it to stop and waits for what it says.
    pub(crate) async fn stop(self) -> anyhow::Result<Summary> {
        self.stop.cancel();
        self.ended().await
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> anyhow::Result<Summary> {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it hangs")
            .unwrap()
    }
}

/// Waits for something that has no event of its own.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("waited in vain");
}

/// A catalog in memory.
#[derive(Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) tables: Arc<Mutex<BTreeMap<String, SchemaRef>>>,
    pub(crate) registered: Arc<Mutex<Vec<Committed>>>,
    /// How far it says that it has come with every source, if it keeps objects.
    pub(crate) end: Arc<Mutex<Option<i64>>>,
    /// Tables that are to be listed.
    pub(crate) listed: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Registrar for Catalog {
    async fn table(&self, table: &str) -> anyhow::Result<Option<KnownTable>> {
        let registered = self.registered.lock().unwrap();
        let last = registered.iter().rev().find(|committed| committed.table == table);
        let schema = self.tables.lock().unwrap().get(table).cloned();
        Ok(last.zip(schema).map(|(last, schema)| KnownTable {
            name: format!("default.{table}"),
            schema,
            location: Some(last.location.to_string()),
            format: Some(last.format.name().to_owned()),
            partition_keys: vec!["dt".to_owned()],
        }))
    }

    async fn register(&self, committed: &Committed) -> anyhow::Result<()> {
        self.tables
            .lock()
            .unwrap()
            .insert(committed.table.clone(), committed.schema.clone());
        self.registered.lock().unwrap().push(committed.clone());
        Ok(())
    }

    async fn registered_end(&self, _table: &str, _source: &str) -> anyhow::Result<Option<i64>> {
        Ok(*self.end.lock().unwrap())
    }

    async fn list_from_now_on(&self, table: &str) -> anyhow::Result<()> {
        self.listed.lock().unwrap().push(table.to_owned());
        Ok(())
    }
}

/// The event at an offset: two days, growing numbers.
pub(crate) fn event(at: u32) -> Value {
    serde_json::json!({
        "symbol": if at.is_multiple_of(3) { "AAPL" } else { "MSFT" },
        "date": format!("2012-06-{:02}", 1 + at % 2),
        "event_time": format!("2012-06-{:02}T13:30:{:02}Z", 1 + at % 2, at / 2 % 60),
        "seq": at,
        "price": f64::from(at) / 8.0 + 0.0625,
        "size": at * 100,
    })
}

pub(crate) fn events(range: std::ops::Range<u32>) -> Vec<Option<Vec<u8>>> {
    range.map(|at| Some(event(at).to_string().into_bytes())).collect()
}

/// Compares a row with the event it was made of.
pub(crate) fn assert_is(row: &Value, topic: &str, event: &Value) {
    for (name, value) in event.as_object().unwrap() {
        let same = match (&row[name], value) {
            (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
            (a, b) => a == b,
        };
        assert!(same, "{name}: {row} is not {event}");
    }
    assert_eq!(row["_topic"], topic);
    assert!(row["_timestamp"].is_string(), "{row}");
}
