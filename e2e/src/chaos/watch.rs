//! The reader that lists and reads the lake all the time, as somebody else's engine would, and holds it against the offsets
//! that are committed.
//!
//! One pass: the committed offsets first; then listings of the ledger and of all data; then every object that is new. So
//! what is committed must be in what was listed. Then SQL is asked for rows below those offsets, over the catalog.
//!
//! A pass may fail while something is done to the broker or to the store, and is repeated. If listing, reading or SQL fails
//! although nothing was done to the store meanwhile, that is as wrong as a missing row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arrow::array::AsArray as _;
use arrow::datatypes::{Int32Type, Int64Type};
use aws_sdk_s3::Client;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tickertape_client::s3::S3Options;
use tickertape_client::{KafkaOptions, connect};
use tickertape_consumer::ledger::Claim;
use tickertape_lake::sql::{CatalogOptions, Engine, S3Connection};
use tokio_util::sync::CancellationToken;

use super::house::{BUCKET, GROUP, PARTITIONS, PREFIX, TOPIC};
use super::seen::{Listed, Offsets, Seen};
use super::trouble::Trouble;

/// How many objects are read at a time.
const CONCURRENT_READS: usize = 8;
/// How long one question to Kafka may take.
const ASK: Duration = Duration::from_secs(2);
/// How many of a partition's newest committed rows SQL is asked for.
const SQL_ROWS: i64 = 3_000;
/// How many times as long as a query the pause after it is.
const QUERY_PAUSES: u32 = 3;
/// Between two passes, so that the reader is not most of the load.
const PAUSE: Duration = Duration::from_millis(50);

/// The broker is away now and then, and that is as it should be.
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Silent {}

/// What the reader knows, for those who wait for it.
#[derive(Default)]
struct State {
    seen: Seen,
    committed: Offsets,
    passes: u64,
    queries: u64,
    /// When SQL is asked again.
    query_due: Option<Instant>,
}

/// Whether a pass asks SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sql {
    /// Unless it was asked a moment ago.
    WhenDue,
    /// In any case.
    Now,
}

/// The reader.
pub(crate) struct Watch {
    store: Client,
    engine: Engine,
    kafka: Arc<BaseConsumer<Silent>>,
    trouble: Arc<Trouble>,
    /// Held during a pass: of two at once, both would take an object for new.
    passing: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What the reader has done.
pub(crate) struct Tally {
    pub(crate) passes: u64,
    pub(crate) queries: u64,
    pub(crate) objects: usize,
    pub(crate) claims: usize,
    pub(crate) rows: u64,
}

impl Watch {
    /// A reader of the lake at `endpoint`, without any proxy in between, and of the broker at `bootstrap`. `trouble` is what is
    /// done to that endpoint.
    pub(crate) async fn new(endpoint: &str, bootstrap: &str, trouble: Arc<Trouble>) -> anyhow::Result<Arc<Watch>> {
        let s3 = S3Options::at(endpoint);
        let catalog = CatalogOptions::default().open(&s3).await?;
        let kafka = KafkaOptions::at(bootstrap);
        let config = kafka.client_config(&[
            ("group.id", GROUP),
            ("enable.auto.commit", "false"),
            ("reconnect.backoff.max.ms", "500"),
        ])?;
        Ok(Arc::new(Watch {
            store: s3.client().await?,
            engine: Engine::new(catalog, S3Connection::from_options(&s3).await?),
            kafka: Arc::new(connect(&config, Silent)?),
            trouble,
            passing: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What must never be and was seen.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().seen.violations().to_vec()
    }

    pub(crate) fn tally(&self) -> Tally {
        let state = self.state();
        Tally {
            passes: state.passes,
            queries: state.queries,
            objects: state.seen.object_count(),
            claims: state.seen.claim_count(),
            rows: state.seen.row_count(),
        }
    }

    /// Reads until stopped. A store or a broker that is away is asked again.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let passes = async {
            loop {
                if let Err(error) = self.pass(Sql::WhenDue).await {
                    tracing::debug!("the reader could not read: {error:#}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        stop.run_until_cancelled(passes).await;
    }

    /// Looks at everything once.
    ///
    /// # Errors
    /// The store or the broker is away, or something is wrong, which is among [`Self::violations`] then.
    pub(crate) async fn pass(&self, sql: Sql) -> anyhow::Result<()> {
        let _one = self.passing.lock().await;
        let committed = self.ask_committed().await?;
        let span = self.trouble.span();
        let done = match self.read_lake(&committed).await {
            Ok(()) => self.ask_sql(&committed, sql).await,
            failed => failed,
        };
        if let Err(error) = &done
            && !span.any()
        {
            let said = format!("the reader fails while nothing is done to the store: {error:#}");
            self.state().seen.never(said);
        }
        done
    }

    /// Lists ledger and data, and reads what is new.
    async fn read_lake(&self, committed: &Offsets) -> anyhow::Result<()> {
        let ledger = self.list(&format!("{PREFIX}/_ledger/")).await?;
        let fresh = self.state().seen.ledger(&ledger);
        let claims = fresh
            .into_iter()
            .filter_map(|listed| Some((partition_of(&listed.key)?, listed)));
        let claims: Vec<_> = stream::iter(claims)
            .map(|(partition, listed)| async move {
                let claim: Claim = serde_json::from_slice(&self.read(&listed.key).await?)?;
                Ok::<_, anyhow::Error>((partition, listed, claim))
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let data = self.list(&format!("{PREFIX}/{TOPIC}/")).await?;
        let fresh = self.state().seen.listing(&data);
        let objects: Vec<_> = stream::iter(fresh)
            .map(|listed| async move {
                let rows = rows(self.read(&listed.key).await?).with_context(|| listed.key.clone())?;
                Ok::<_, anyhow::Error>((listed, rows))
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        {
            let mut state = self.state();
            for (partition, listed, claim) in claims {
                state.seen.claim(listed, partition, &claim);
            }
            for (listed, rows) in objects {
                state.seen.object(listed, &rows);
            }
            state.seen.committed(committed);
            state.committed.clone_from(committed);
            state.passes += 1;
        }
        Ok(())
    }

    async fn ask_sql(&self, committed: &Offsets, sql: Sql) -> anyhow::Result<()> {
        if sql == Sql::WhenDue && self.state().query_due.is_some_and(|due| Instant::now() < due) {
            return Ok(());
        }
        let asked = Instant::now();
        let answered = self.query(committed).await.context("SQL");
        // A query costs more than the listings of a pass, and those find more: most of the time is theirs.
        self.state().query_due = Some(Instant::now() + asked.elapsed() * QUERY_PAUSES);
        answered
    }

    /// Compares the claims of a lake in which nobody writes.
    pub(crate) fn compare_chains(&self) {
        self.state().seen.chains();
    }

    /// Rows below offsets that were committed before the query began must be in its answer, once.
    async fn query(&self, committed: &Offsets) -> anyhow::Result<()> {
        let asked: Vec<_> = committed.iter().filter(|(_, offset)| **offset > 0).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let from = |offset: i64| (offset - SQL_ROWS).max(0);
        let ranges: Vec<_> = asked
            .iter()
            .map(|(partition, offset)| {
                format!(
                    "(_partition = {partition} AND _offset >= {} AND _offset < {offset})",
                    from(**offset)
                )
            })
            .collect();
        let sql = format!(
            "SELECT _partition, count(*), count(DISTINCT _offset) FROM {TOPIC} WHERE {} GROUP BY 1",
            ranges.join(" OR ")
        );
        let answer = self.engine.query(&sql).await?;
        let mut found = BTreeMap::new();
        for batch in &answer.batches {
            let column = |at: usize| batch.column(at).as_primitive::<Int64Type>();
            let partitions = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Int64)?;
            let partitions = partitions.as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let of = (column(1).value(row), column(2).value(row));
                found.insert(partitions.value(row) as i32, of);
            }
        }
        let mut state = self.state();
        state.queries += 1;
        for (partition, &offset) in asked {
            let expected = offset - from(offset);
            let (rows, distinct) = found.get(partition).copied().unwrap_or_default();
            if (rows, distinct) != (expected, expected) {
                let at = from(offset);
                state.seen.never(format!(
                    "{partition}: SQL finds {rows} rows of {distinct} offsets in [{at}, {offset}), which is committed"
                ));
            }
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> anyhow::Result<Vec<Listed>> {
        let pages = self
            .store
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix(prefix)
            .into_paginator();
        let mut pages = pages.send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let objects = page?.contents.unwrap_or_default().into_iter();
            listed.extend(objects.filter_map(|object| {
                Some(Listed {
                    key: object.key?,
                    etag: object.e_tag?,
                })
            }));
        }
        Ok(listed)
    }

    async fn read(&self, key: &str) -> anyhow::Result<Bytes> {
        let object = self.store.get_object().bucket(BUCKET).key(key).send().await?;
        Ok(object.body.collect().await?.into_bytes())
    }

    async fn ask_committed(&self) -> anyhow::Result<Offsets> {
        let kafka = Arc::clone(&self.kafka);
        let asking = tokio::task::spawn_blocking(move || {
            let mut wanted = TopicPartitionList::new();
            for partition in 0..PARTITIONS {
                wanted.add_partition(TOPIC, partition);
            }
            kafka.committed_offsets(wanted, ASK)
        });
        let committed = asking.await??;
        let offset = |offset: Offset| offset.to_raw().filter(|offset| *offset >= 0).unwrap_or(0);
        let elements = committed.elements();
        Ok(elements
            .iter()
            .map(|of| (of.partition(), offset(of.offset())))
            .collect())
    }

    /// Where each partition of the topic ends.
    pub(crate) async fn ends(&self) -> anyhow::Result<Offsets> {
        let kafka = Arc::clone(&self.kafka);
        let asking = tokio::task::spawn_blocking(move || {
            let end = |partition| Ok((partition, kafka.fetch_watermarks(TOPIC, partition, ASK)?.1));
            (0..PARTITIONS).map(end).collect::<anyhow::Result<Offsets>>()
        });
        asking.await?
    }

    /// Whether the last pass saw all of these committed.
    pub(crate) fn has(&self, ends: &Offsets) -> bool {
        let state = self.state();
        ends.iter()
            .all(|(partition, end)| state.committed.get(partition).is_some_and(|committed| committed >= end))
    }
}

/// The partition of a claim's key; `None` for what is no claim.
fn partition_of(key: &str) -> Option<i32> {
    let mut parts = key.rsplit('/');
    let start = parts.next()?;
    (start.len() == 20).then_some(())?;
    parts.next()?.parse().ok()
}

/// Partition and offset of each row of an object.
fn rows(body: Bytes) -> anyhow::Result<Vec<(i32, i64)>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(body)?;
    let columns = ProjectionMask::columns(reader.parquet_schema(), ["_partition", "_offset"]);
    let mut rows = Vec::new();
    for batch in reader.with_projection(columns).build()? {
        let batch = batch?;
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .with_context(|| format!("there is no {name}"))
        };
        let (partitions, offsets) = (column("_partition")?, column("_offset")?);
        let partitions = partitions
            .as_primitive_opt::<Int32Type>()
            .context("_partition is no int")?;
        let offsets = offsets
            .as_primitive_opt::<Int64Type>()
            .context("_offset is no bigint")?;
        let pairs = partitions
            .values()
            .iter()
            .copied()
            .zip(offsets.values().iter().copied());
        rows.extend(pairs);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    use tickertape_broker::{Broker, BrokerHandle};
    use tickertape_client::Plain;
    use tickertape_consumer::{ConsumeOptions, Registrar, Stats};
    use tickertape_lake::s3::{Handle, Server, ServerConfig};

    use super::*;
    use crate::registrar::CatalogRegistrar;

    /// A broker, and a store in which a sink has written what is in it.
    async fn written(dir: &tempfile::TempDir, messages: u64) -> (BrokerHandle, Handle) {
        let broker = Broker::builder()
            .data_dir(dir.path().join("broker"))
            .property("num.partitions", PARTITIONS.to_string())
            .start()
            .await
            .unwrap();
        let store = Server::start(ServerConfig::new(dir.path().join("s3"))).await.unwrap();
        store.ensure_bucket(BUCKET).await.unwrap();
        let kafka = KafkaOptions::at(broker.bootstrap_servers());
        let producer: BaseProducer<Plain> = connect(&kafka.client_config(&[]).unwrap(), Plain).unwrap();
        for seq in 0..messages {
            let partition = (seq % PARTITIONS as u64) as i32;
            let value = format!(r#"{{"date":"2012-06-01","seq":{seq}}}"#);
            let record = BaseRecord::<(), String>::to(TOPIC).partition(partition).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        tokio::task::spawn_blocking(move || producer.flush(Duration::from_secs(60)))
            .await
            .unwrap()
            .unwrap();
        let lake = format!("s3://{BUCKET}/{PREFIX}").parse().unwrap();
        let s3 = S3Options::at(store.endpoint_url());
        let mut options = ConsumeOptions::new(kafka, s3, vec![TOPIC.to_owned()], lake);
        options.max_age = Duration::from_millis(100);
        let registrar: Arc<dyn Registrar> = Arc::new(CatalogRegistrar::new(store.catalog()));
        let (stop, stats) = (CancellationToken::new(), Arc::new(Stats::default()));
        let sink = tickertape_consumer::run(options, Some(registrar), stop.clone(), Arc::clone(&stats));
        let sink = tokio::spawn(sink);
        while stats.written.load(Ordering::Relaxed) < messages && !sink.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
        assert_eq!(sink.await.unwrap().unwrap().total().records, messages);
        (broker, store)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sql_is_asked_and_what_it_fails_with_is_wrong_unless_the_store_is_in_trouble() {
        let dir = tempfile::tempdir().unwrap();
        let (broker, store) = written(&dir, 400).await;
        let trouble = Arc::new(Trouble::default());
        let endpoint = store.endpoint_url();
        let watch = Watch::new(&endpoint, broker.bootstrap_servers(), Arc::clone(&trouble));
        let watch = watch.await.unwrap();
        watch.pass(Sql::WhenDue).await.unwrap();
        assert_eq!((watch.tally().queries, watch.tally().rows), (1, 400));
        // Not again so soon, but at the end in any case.
        watch.state().query_due = Some(Instant::now() + Duration::from_secs(3_600));
        watch.pass(Sql::WhenDue).await.unwrap();
        assert_eq!(watch.tally().queries, 1);
        watch.pass(Sql::Now).await.unwrap();
        assert_eq!((watch.tally().queries, watch.violations()), (2, Vec::new()));

        // Every listing is as it was, and SQL finds no table.
        store.catalog().delete_table("default", TOPIC).await.unwrap();
        let ongoing = trouble.begin();
        watch.pass(Sql::Now).await.unwrap_err();
        assert_eq!(watch.violations(), Vec::<String>::new());
        drop(ongoing);
        watch.pass(Sql::Now).await.unwrap_err();
        let wrong = watch.violations();
        assert!(wrong.len() == 1 && wrong[0].contains("SQL"), "{wrong:?}");
        broker.shutdown().await.unwrap();
        store.shutdown().await.unwrap();
    }
}
