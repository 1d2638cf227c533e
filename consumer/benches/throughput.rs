//! How many events a second the sink turns into Parquet, and where the time goes.
//!
//! `cargo bench -p tickertape-consumer --bench throughput [EVENTS]` prints, for ticks of about 150 bytes: the
//! rate of batching (date look-up, checksum, copy), of encoding, of both on one core; then that of a whole sink
//! against a broker and a store in the same process, all on the machine's cores together.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    producer::{BaseProducer, BaseRecord, Producer},
};
use tickertape_broker::Broker;
use tickertape_client::{KafkaOptions, s3::S3Options};
use tickertape_consumer::{
    ConsumeOptions, OnNewType, PartitionBy, Stats,
    batch::Record,
    batcher::{Batcher, Limits, Pushed, Start},
    date::DateRule,
    decode::Rules,
    encode::{Encoding, encode},
    names::{Compression, Format, Source},
    run,
    schema::TableSchema,
};
use tickertape_lake::s3::{Server, ServerConfig};
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<()> {
    let events = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000);
    let messages: Vec<Vec<u8>> = (0..events).map(tick).collect();
    let bytes: usize = messages.iter().map(Vec::len).sum();
    println!("{events} events of {} bytes", bytes / messages.len().max(1));
    parts(&messages)?;
    tokio::runtime::Runtime::new()?.block_on(whole(&messages))
}

/// A trade, as the simulated market emits it.
fn tick(at: usize) -> Vec<u8> {
    let symbols = ["AAPL", "MSFT", "GOOG", "AMZN", "ORCL", "IBM"];
    let (second, symbol) = (at / 60, symbols[at % symbols.len()]);
    // A price that wanders by cents.
    let cents = 8_000 + (at * 7_919 % 1_009);
    format!(
        r#"{{"symbol":"{symbol}","date":"2012-06-01","event_time":"2012-06-01T{:02}:{:02}:{:02}.{:06}Z","seq":{at},"price":{}.{:02},"size":{},"venue":"XNAS","conditions":"regular"}}"#,
        13 + second / 3_600 % 7,
        second / 60 % 60,
        second % 60,
        at % 1_000_000,
        cents / 100,
        cents % 100,
        100 * (1 + at * 31 % 17),
    )
    .into_bytes()
}

fn parts(messages: &[Vec<u8>]) -> anyhow::Result<()> {
    let fields = vec!["event_time".to_owned(), "date".to_owned()];
    let encoding = Encoding {
        table: "ticks".to_owned(),
        format: Format::Parquet,
        compression: Compression::default(),
        dates: DateRule {
            by: PartitionBy::Event,
            lenient: true,
            fields: fields.clone(),
        },
        rules: Rules {
            on_new_type: OnNewType::Widen,
            time_fields: fields[..1].to_vec(),
        },
    };
    let limits = Limits {
        records_max: 200_000,
        bytes_max: 64 << 20,
        age_max: Duration::from_secs(30),
        memory_max: 1 << 40,
        rotate_ms: None,
    };
    let mut batcher = Batcher::new(limits);
    let source = Source {
        topic: "ticks".into(),
        partition: 0,
        epoch: 0,
    };
    batcher.assign(
        source,
        Start {
            next: 0,
            witness: None,
            due: None,
        },
    );
    let started = Instant::now();
    let mut cuts = Vec::new();
    for (offset, value) in (0..).zip(messages) {
        let record = Record {
            offset,
            timestamp_ms: 0,
            value: Some(value),
        };
        let day = |record: &Record<'_>| encoding.dates.day_of(record.value, record.timestamp_ms).ok();
        if let Pushed::Cut(cut) = batcher.push("ticks", 0, record, day, started) {
            cuts.push(cut);
        }
    }
    cuts.extend(batcher.stop());
    let batched = started.elapsed();
    let lake = "s3://lake/market".parse()?;
    let mut schema = TableSchema::default();
    let (mut rows, mut bytes) = (0, 0);
    for cut in &cuts {
        let encoded = encode(&cut.batch, &lake, &schema, &encoding)?;
        schema = encoded.schema;
        for object in encoded.objects {
            rows += object.rows;
            bytes += object.body.len();
        }
    }
    let both = started.elapsed();
    let rate = |time: Duration| messages.len() as f64 / time.as_secs_f64();
    println!("batching      {:>10.0} events/s", rate(batched));
    println!(
        "encoding      {:>10.0} events/s, {:.2} bytes a row",
        rate(both - batched),
        bytes as f64 / rows as f64
    );
    println!("both, 1 core  {:>10.0} events/s", rate(both));
    Ok(())
}

async fn whole(messages: &[Vec<u8>]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Broker::builder().data_dir(folder.path().join("broker")).start().await?;
    let store = Server::start(ServerConfig::new(folder.path().join("s3"))).await?;
    store.ensure_bucket("lake").await?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let topic = NewTopic::new("ticks", 2, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await?;
    config
        .set("linger.ms", "20")
        .set("compression.type", "lz4")
        .set("queue.buffering.max.kbytes", "1000000");
    let producer: BaseProducer = config.set("queue.buffering.max.messages", "10000000").create()?;
    for (at, message) in messages.iter().enumerate() {
        let record = BaseRecord::<(), Vec<u8>>::to("ticks")
            .partition(i32::from(at % 2 == 1))
            .payload(message);
        producer.send(record).map_err(|(error, _)| error)?;
        if at % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(600))?;

    let kafka = KafkaOptions::at(broker.bootstrap_servers());
    let s3 = S3Options::at(store.endpoint_url());
    let options = ConsumeOptions::new(kafka, s3, vec!["ticks".to_owned()], "s3://lake/market".parse()?);
    let (stop, stats) = (CancellationToken::new(), Arc::new(Stats::default()));
    let sink = tokio::spawn(run(options, None, stop.clone(), stats.clone()));
    let mut started = None;
    let cpu_before = cpu();
    while stats.consumed.load(Ordering::Relaxed) < messages.len() as u64 && !sink.is_finished() {
        if started.is_none() && stats.consumed.load(Ordering::Relaxed) > 0 {
            started = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.cancel();
    let summary = sink.await??;
    let took = started.unwrap_or_else(Instant::now).elapsed();
    let cpu = cpu() - cpu_before;
    println!(
        "whole sink    {:>10.0} events/s, {summary}",
        messages.len() as f64 / took.as_secs_f64()
    );
    println!(
        "              {:>10.0} events per second of CPU, broker and store included",
        messages.len() as f64 / cpu
    );
    println!(
        "              {} pauses; the process held {} MiB at most",
        stats.pauses.load(Ordering::Relaxed),
        peak_mib()
    );
    broker.shutdown().await?;
    store.shutdown().await?;
    Ok(())
}

/// Seconds of CPU that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
