//! From options to a sink that runs: what can be wrong is found before the first message is taken.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer},
};
use tickertape_client::{UsageError, connect, wait_for_broker};
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    batcher::Limits,
    ledger::{Agreed, Claimant, Ledger, LedgerError},
    metrics,
    names::{Format, Source},
    options::ConsumeOptions,
    preflight::{check_claims, check_epoch, check_table},
    recover::Recovery,
    registrar::{Registrar, failed},
    schema::TableSchema,
    sink::Sink,
    stats::{Stats, Summary},
    store::{Store, StoreError},
    writer::{Table, Writer},
};

/// Consumes until `shutdown`, then writes what is open and commits it. `stats` counts while it runs.
///
/// # Errors
/// A `UsageError` for what the user has to mend: an unknown topic or bucket, with the nearest; a property that
/// cannot be; a lake that another group writes. Anything else that waiting for `--timeout` didn't mend. What
/// was written by then is whole, and a later run goes on behind it.
pub async fn run(
    options: ConsumeOptions,
    catalog: Option<Arc<dyn Registrar>>,
    shutdown: CancellationToken,
    stats: Arc<Stats>,
) -> anyhow::Result<Summary> {
    options.check()?;
    let config = consumer_config(&options)?;
    let client = options.s3.client().await?;
    // Waiting before the first message is given up by the user's stop; afterwards a stop means to finish.
    let finding = Store::new(
        client.clone(),
        options.to.clone(),
        options.kafka.timeout,
        shutdown.clone(),
    );
    let reading = reader_config(&config);
    let prepared = prepare(&options, &reading, catalog.as_ref(), &finding, &shutdown).await;
    let Some(tables) = unless_stopped(prepared)? else {
        return Ok(Summary::default());
    };
    let store = Store::new(
        client,
        options.to.clone(),
        options.kafka.timeout,
        CancellationToken::new(),
    );
    let claimant = Claimant {
        group: options.group().to_owned(),
        owner: owner(),
    };
    let ended = CancellationToken::new();
    let _ends_metrics = ended.clone().drop_guard();
    if let Some(listen) = options.metrics {
        metrics::serve(listen, stats.clone(), ended).await?;
    }
    let writer = Arc::new(Writer::new(
        store,
        catalog,
        claimant,
        tables,
        stats.clone(),
        options.broken,
    ));
    let recovery = Recovery {
        writer: writer.clone(),
        stats,
        runtime: Handle::current(),
        config: reading,
        timeout: options.kafka.timeout,
        on_lost: options.on_lost,
        redoing: Mutex::new(()),
    };
    let sink = Sink::new(limits(&options), recovery, options.epoch, revoke_max(&options));
    let (done, outcome) = oneshot::channel();
    let consume = move || {
        // Nobody listens any more if the caller has gone.
        let _ = done.send(consume(&config, sink, &options.topics, &shutdown));
    };
    std::thread::Builder::new().name("sink".to_owned()).spawn(consume)?;
    outcome.await??;
    Ok(writer.summary())
}

fn consume(config: &ClientConfig, sink: Sink, topics: &[String], stop: &CancellationToken) -> anyhow::Result<()> {
    let consumer: BaseConsumer<Sink> = connect(config, sink)?;
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics)?;
    Sink::run(&consumer, stop)
}

/// Waits for store and broker, and looks whether what is asked for is there. `None` if asked to stop
/// meanwhile.
async fn prepare(
    options: &ConsumeOptions,
    reading: &ClientConfig,
    catalog: Option<&Arc<dyn Registrar>>,
    store: &Store,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<HashMap<String, Arc<Table>>>> {
    store.check_bucket().await?;
    let Some(cluster) = wait_for_broker(&options.kafka, shutdown).await? else {
        return Ok(None);
    };
    let ledger = Ledger::new(store.clone());
    for topic in &options.topics {
        cluster.require_topic(topic)?;
    }
    let mut tables = HashMap::new();
    for topic in &options.topics {
        let source = Source {
            topic: topic.as_str().into(),
            partition: 0,
            epoch: options.epoch,
        };
        let table = table_of(options, &source, catalog, store, &ledger).await?;
        let checked = check_epoch(&ledger, &source, options.group(), reading, options.kafka.timeout);
        tokio::select! {
            checked = checked => checked?,
            () = shutdown.cancelled() => return Ok(None),
        }
        tables.insert(topic.clone(), Arc::new(table));
    }
    // Nothing is written before all of it may be.
    for topic in &options.topics {
        let source = Source {
            topic: topic.as_str().into(),
            partition: 0,
            epoch: options.epoch,
        };
        ledger.reserve(&source, options.group()).await?;
    }
    Ok(Some(tables))
}

/// A topic's table: what it becomes and what is known of it, after a look whether it may be written.
async fn table_of(
    options: &ConsumeOptions,
    source: &Source,
    catalog: Option<&Arc<dyn Registrar>>,
    store: &Store,
    ledger: &Ledger,
) -> anyhow::Result<Table> {
    let encoding = options.encoding(&source.topic);
    let known = match catalog {
        Some(catalog) => {
            let name = &encoding.table;
            let ask = || async { catalog.table(name).await.map_err(failed) };
            store.ask_other(&format!("look up the table {name}"), ask).await?
        }
        None => None,
    };
    if let Some(known) = &known {
        check_table(known, &encoding, store.lake())?;
    }
    let agreed = ledger.agreed(&encoding.table).await?;
    let mut agreed = agreed.unwrap_or(Agreed {
        version: 0,
        columns: TableSchema::default(),
    });
    let has_format = check_claims(ledger, source, &encoding, &agreed).await? || known.is_some();
    if let (0, Some(known)) = (agreed.version, known) {
        agreed.columns = TableSchema::from_arrow(&known.schema);
    }
    if encoding.format == Format::Parquet {
        // There may be files with what is known.
        agreed.columns.fix();
    }
    declare(&mut agreed.columns, options, &encoding.table)?;
    Ok(Table::new(encoding, agreed, has_format))
}

/// Who is asked to stop while waiting for the store, by the ledger or else, has been obeyed: nothing was in hand.
fn unless_stopped<T>(prepared: anyhow::Result<Option<T>>) -> anyhow::Result<Option<T>> {
    match prepared {
        Err(error) if matches!(of_store(&error), Some(StoreError::Stopped { .. })) => Ok(None),
        prepared => prepared,
    }
}

/// The store's error that this is, by itself or as the ledger's, which stands for it and so is not among its causes.
fn of_store(error: &anyhow::Error) -> Option<&StoreError> {
    match error.downcast_ref::<LedgerError>() {
        Some(LedgerError::Store(error)) => Some(error),
        Some(LedgerError::Unreadable { .. }) => None,
        None => error.downcast_ref(),
    }
}

/// Columns as the user has declared them, which is as they are already or new.
fn declare(columns: &mut TableSchema, options: &ConsumeOptions, table: &str) -> Result<(), UsageError> {
    for declared in &options.columns {
        match columns.columns.iter().find(|known| known.name == declared.name) {
            Some(known) if known.fixed && known.kind != declared.kind => {
                return Err(UsageError::new(format!(
                    "--column {}: the table {table} has files in which it is of another type",
                    declared.name
                )));
            }
            Some(_) => columns.columns.retain(|known| known.name != declared.name),
            None => {}
        }
        columns.columns.push(declared.clone());
    }
    Ok(())
}

fn consumer_config(options: &ConsumeOptions) -> anyhow::Result<ClientConfig> {
    // What librdkafka fetches ahead is memory too.
    let ahead_kib = (ahead_bytes(options) / 1024).to_string();
    let fetch = fetch_bytes(options).to_string();
    let mut config = options.kafka.client_config(&[
        ("group.id", options.group()),
        ("auto.offset.reset", "earliest"),
        ("isolation.level", "read_committed"),
        ("queued.max.messages.kbytes", &ahead_kib),
        // So little is fetched ahead that it is soon used up: its default, a second, would be most of the time.
        ("fetch.queue.backoff.ms", "10"),
        ("fetch.max.bytes", &fetch),
        ("statistics.interval.ms", "1000"),
        ("topic.metadata.refresh.interval.ms", "10000"),
        ("reconnect.backoff.max.ms", "1000"),
    ])?;
    // Not for the user to change: they are what "written" means.
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    // Where librdkafka says that a topic has another id than before.
    let debug = options
        .kafka
        .property("debug")
        .map_or_else(String::new, |user| format!("{user},"));
    config
        .set("enable.partition.eof", "false")
        .set("debug", format!("{debug}metadata"))
        .set_log_level(RDKafkaLogLevel::Debug);
    Ok(config)
}

/// How many bytes of values may be fetched ahead. librdkafka takes two or three times as much again for a small message.
fn ahead_bytes(options: &ConsumeOptions) -> usize {
    (options.memory / 48).clamp(64 << 10, 32 << 20)
}

/// How many bytes one answer may have. They are compressed, and all of them are unpacked at once. librdkafka takes no
/// less than `message.max.bytes`.
fn fetch_bytes(options: &ConsumeOptions) -> usize {
    let message_max = options.kafka.property("message.max.bytes");
    let message_max = message_max.and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    (options.memory / 128).min(8 << 20).max(message_max)
}

/// For reading a range again: without the group's part, and told of the end.
fn reader_config(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config
        .set("enable.partition.eof", "true")
        .remove("debug")
        .set_log_level(RDKafkaLogLevel::Info)
        .set("statistics.interval.ms", "0");
    config
}

fn limits(options: &ConsumeOptions) -> Limits {
    Limits {
        records_max: usize::try_from(options.max_records).unwrap_or(usize::MAX),
        // A column's text has offsets of 32 bits.
        bytes_max: options.max_bytes.min(512 << 20),
        age_max: options.max_age,
        // What librdkafka holds ahead is memory too.
        memory_max: options.memory / 8 * 7,
        rotate_ms: options.rotate_at.map(|at| at.0),
    }
}

/// Half of the time after which the group goes on without a member that doesn't answer.
fn revoke_max(options: &ConsumeOptions) -> Duration {
    let interval = options
        .kafka
        .property("max.poll.interval.ms")
        .and_then(|text| text.parse().ok());
    Duration::from_millis(interval.unwrap_or(300_000) / 2)
}

fn owner() -> String {
    let host = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    format!(
        "process {} on {}",
        std::process::id(),
        host.as_deref().unwrap_or("a host without a name").trim()
    )
}
