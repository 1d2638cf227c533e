//! What memory the sink takes when as much as possible is open: many partitions, with messages of many days in each.
//!
//! `cargo run --release -p tickertape-consumer --example memory -- [PARTITIONS] [DAYS] [MESSAGES] [MEMORY]` starts a broker
//! and a store, produces messages of about 150 bytes, lets a sink in a process of its own take them all with
//! `--memory` (256MiB), and prints the most that this process held (`VmHWM`) beside what its own measure says.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};
use tickertape_broker::Broker;
use tickertape_consumer::{ConsumeOptions, Stats, run};
use tickertape_lake::s3::{Server, ServerConfig};
use tokio_util::sync::CancellationToken;

/// Where the sink's process finds its options, one a line.
const OPTIONS: &str = "TICKERTAPE_MEMORY_SINK";

#[derive(Parser)]
struct Sink {
    #[command(flatten)]
    options: ConsumeOptions,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if let Ok(options) = std::env::var(OPTIONS) {
        return sink(Sink::parse_from(std::iter::once("sink").chain(options.lines())).options).await;
    }
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (partitions, days, messages) = (number(1_000)?, number(30)?, number(1_000_000)?);
    let memory = std::env::args().nth(4).unwrap_or_else(|| "256MiB".to_owned());

    let folder = tempfile::tempdir()?;
    let broker = Broker::builder().data_dir(folder.path().join("broker")).start().await?;
    let store = Server::start(ServerConfig::new(folder.path().join("s3"))).await?;
    store.ensure_bucket("lake").await?;
    produce(broker.bootstrap_servers(), partitions, days, messages).await?;
    let options = [
        "--topic=ticks".to_owned(),
        "--to=s3://lake/market".to_owned(),
        format!("--bootstrap-server={}", broker.bootstrap_servers()),
        format!("--s3-endpoint={}", store.endpoint_url()),
        format!("--memory={memory}"),
        "--max-age=10h".to_owned(),
    ];
    let mut child = Command::new(std::env::current_exe()?)
        .env(OPTIONS, options.join("\n"))
        .stdout(Stdio::piped())
        .spawn()?;
    let started = Instant::now();
    let mut most = 0;
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        let line = line?;
        let mut numbers = line.split(' ').filter_map(|number| number.parse::<u64>().ok());
        let mut number = || numbers.next().unwrap_or(0);
        let (consumed, bytes, pauses, objects) = (number(), number(), number(), number());
        most = most.max(bytes);
        if consumed >= messages as u64 {
            println!(
                "{partitions} partitions of {days} days, {messages} messages, --memory {memory}: {} MiB by its own measure, \
                 {} MiB held at most; {pauses} pauses, {objects} objects, {:.0} s",
                most >> 20,
                peak_mib(child.id()),
                started.elapsed().as_secs_f64(),
            );
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    broker.shutdown().await?;
    store.shutdown().await?;
    Ok(())
}

/// The process that is measured: says every 20 ms how far it is.
async fn sink(options: ConsumeOptions) -> anyhow::Result<()> {
    let stats = Arc::new(Stats::default());
    let tell = async {
        loop {
            let of = [&stats.consumed, &stats.memory_bytes, &stats.pauses, &stats.objects];
            let numbers = of.map(|count| count.load(Ordering::Relaxed).to_string());
            println!("{}", numbers.join(" "));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = run(options, None, CancellationToken::new(), stats.clone()) => ended.map(drop),
        () = tell => Ok(()),
    }
}

async fn produce(servers: &str, partitions: usize, days: usize, messages: usize) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let topic = NewTopic::new("ticks", i32::try_from(partitions)?, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await?;
    let producer: BaseProducer = config.set("linger.ms", "200").set("compression.type", "lz4").create()?;
    for at in 0..messages {
        // Each partition has its messages of all days in turn.
        let day = at / partitions % days;
        let value = format!(
            r#"{{"symbol":"AAPL","date":"2012-06-{:02}","event_time":"2012-06-{:02}T13:30:{:02}.{:06}Z","seq":{at},"price":{}.25,"size":100,"venue":"XNAS","note":"regular"}}"#,
            day + 1,
            day + 1,
            at % 60,
            at % 1_000_000,
            at % 700,
        );
        let mut record = BaseRecord::<(), String>::to("ticks")
            .partition(i32::try_from(at % partitions)?)
            .payload(&value);
        while let Err((error, again)) = producer.send(record) {
            anyhow::ensure!(
                error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull),
                error
            );
            producer.poll(Duration::from_millis(20));
            record = again;
        }
    }
    producer.flush(Duration::from_secs(600))?;
    Ok(())
}

fn peak_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
