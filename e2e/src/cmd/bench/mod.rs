//! `tickertape bench`: what a Kafka costs and carries, measured by librdkafka over real sockets.
//!
//! It can be pointed at any Kafka. With `--pid` it also reads the broker's own CPU time and memory from `/proc`, so that the cost
//! per byte is the broker's and not the client's, which shares the machine. Figures of one run are comparable with each other;
//! between runs compare ratios.

mod connections;
mod latency;
mod process;
mod raw;
mod sink;
mod start;
mod throughput;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use serde::Serialize;
use tickertape_client::{KafkaOptions, Plain, connect};
use tokio_util::sync::CancellationToken;

use process::Process;

use crate::signals::INTERRUPTED;

const EXAMPLES: &str = "Examples:
  tickertape broker --listen 127.0.0.1:9092 &
  tickertape bench --pid $! --size 100 --size 1024
  tickertape bench -b kafka:9092 --codec lz4 --partitions 12 --acks 1 --json
  tickertape bench --only start --broker-binary tickertape-broker
  tickertape bench --only connections --connections 1000 --size 1024
  tickertape bench --only sink --partitions 4
  tickertape bench --only sink-memory --memory 256MiB";

/// Measure produce, consume and latency against any Kafka.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchOptions {
    /// Bytes per message; repeatable.
    #[arg(long = "size", value_name = "BYTES", default_values_t = [100, 1024], value_parser = parse_bytes)]
    sizes: Vec<usize>,
    /// Megabytes of payload for each size.
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    megabytes: u64,
    /// Partitions of the topic.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// `acks` of the producer.
    #[arg(long, value_name = "ACKS", default_value = "all", value_parser = ["0", "1", "all", "-1"])]
    acks: String,
    /// Compression of the producer.
    #[arg(long, value_name = "CODEC", default_value = "none", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    codec: String,
    /// Produce idempotently.
    #[arg(long)]
    idempotent: bool,
    /// Messages of the latency run, one in flight.
    #[arg(long, value_name = "N", default_value_t = 5000)]
    latency_messages: u32,
    /// What to measure; repeatable. Without it, produce, consume and latency.
    #[arg(long, value_enum)]
    only: Vec<Measure>,
    /// Connections beside those that are measured, for `--only connections`.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    connections: usize,
    /// The broker that `--only start` starts, instead of this program's own.
    #[arg(long, value_name = "PATH")]
    broker_binary: Option<PathBuf>,
    /// Events of `--only sink`, and a tenth of them of `--only sink-memory`.
    #[arg(long, value_name = "N", default_value_t = 4_000_000, value_parser = clap::value_parser!(u64).range(10..))]
    events: u64,
    /// `--memory` of the sink, for `--only sink-memory`.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_memory)]
    memory: String,
    /// The broker's process, whose CPU time and memory are read from /proc.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaOptions,
}

/// No message of a benchmark is larger than what Kafka takes unless told otherwise.
fn parse_bytes(text: &str) -> Result<usize, String> {
    let bytes = text.parse().ok().filter(|bytes| (1..=1_000_000).contains(bytes));
    bytes.ok_or_else(|| "a message has 1 to 1000000 bytes".to_owned())
}

/// What the sink takes for its memory, in the words that were given.
fn parse_memory(text: &str) -> Result<String, String> {
    tickertape_consumer::parse_memory(text).map(|_| text.to_owned())
}

/// How often somebody looks at what runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long something may take that takes a moment.
const TIMEOUT: Duration = Duration::from_secs(60);

/// # Errors
/// The user has asked to stop: what was started ends as the error goes up, and nothing was measured.
fn go_on(stop: &CancellationToken) -> anyhow::Result<()> {
    anyhow::ensure!(!stop.is_cancelled(), "interrupted");
    Ok(())
}

/// A thing that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Measure {
    /// As fast as the broker takes it.
    Produce,
    /// What was produced, read back from the beginning.
    Consume,
    /// One message in flight.
    Latency,
    /// Throughput beside many connections, ten of which read slowly, against throughput alone.
    Connections,
    /// From nothing to the first acknowledged message. Starts brokers of its own.
    Start,
    /// Ticks of the feed that a sink on one core turns into Parquet. Starts broker, store, feed and sink of its own.
    Sink,
    /// Memory of a sink with 1,000 partitions of 30 days open. Starts broker, store and sink of its own.
    SinkMemory,
}

impl Measure {
    /// Whether it starts what it measures, and so needs no Kafka.
    fn is_by_itself(self) -> bool {
        matches!(self, Measure::Start | Measure::Sink | Measure::SinkMemory)
    }
}

impl BenchOptions {
    fn wants(&self, measure: Measure) -> bool {
        match self.only.as_slice() {
            [] => matches!(measure, Measure::Produce | Measure::Consume | Measure::Latency),
            only => only.contains(&measure),
        }
    }

    /// Prints one measurement.
    fn print(&self, figures: &(impl fmt::Display + Serialize)) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(figures)?);
        } else {
            println!("{figures}");
        }
        Ok(())
    }
}

/// One measurement; absent figures were not asked for.
#[derive(Debug, Serialize)]
struct Figures {
    measure: Measure,
    size_bytes: usize,
    messages: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<latency::Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<process::Cost>,
}

impl Figures {
    fn megabytes(&self) -> f64 {
        self.messages as f64 * self.size_bytes as f64 / 1e6
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{:?}", self.measure).to_lowercase();
        write!(f, "{name:<8} {:>6} B", self.size_bytes)?;
        match &self.latency_ms {
            Some(latency) => write!(
                f,
                "  p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms",
                latency.p50, latency.p99, latency.p999
            )?,
            None => {
                let per_second = self.messages as f64 / self.seconds;
                write!(
                    f,
                    "  {per_second:>10.0} msg/s  {:>7.1} MB/s",
                    self.megabytes() / self.seconds
                )?;
            }
        }
        if let Some(broker) = &self.broker {
            write!(f, "  broker {:.2} CPU s", broker.cpu_seconds)?;
            if self.latency_ms.is_none() {
                write!(f, " ({:.2} s/GB)", broker.cpu_seconds / (self.megabytes() / 1e3))?;
            }
            write!(f, ", RSS {:.1} MiB", broker.rss_mib)?;
        }
        Ok(())
    }
}

/// Runs the measurements and prints a line for each.
pub(crate) async fn run(options: BenchOptions, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    match tokio::task::block_in_place(|| by_themselves(&options, &shutdown)) {
        // Also where what was started has been asked to stop as well, by a Ctrl-C for all of the terminal.
        Err(error) if shutdown.is_cancelled() => {
            tracing::debug!("{error:#}");
            eprintln!("interrupted");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        measured => measured?,
    }
    if !options.only.is_empty() && options.only.iter().all(|measure| measure.is_by_itself()) {
        return Ok(ExitCode::SUCCESS);
    }
    let Some(cluster) = tickertape_client::wait_for_broker(&options.kafka, &shutdown).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let address = cluster.brokers.first().context("the cluster names no broker")?;
    let process = options.pid.map(Process::open).transpose()?;
    let admin: AdminClient<Plain> = connect(&options.kafka.client_config(&[])?, Plain)?;
    let admin_options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    for &size_bytes in &options.sizes {
        if shutdown.is_cancelled() {
            break;
        }
        let topic = format!("tickertape-bench-{}-{size_bytes}", std::process::id());
        let new = NewTopic::new(&topic, options.partitions, TopicReplication::Fixed(-1));
        for created in admin.create_topics([&new], &admin_options).await? {
            created.map_err(|(name, code)| anyhow::anyhow!("cannot create topic `{name}`: {code}"))?;
        }
        let bench = Bench {
            options: &options,
            address,
            topic: &topic,
            size_bytes,
            process: process.as_ref(),
        };
        // A measurement that is cut short has no figures, and what is measured does not look at a clock: the process ends.
        let interrupted = tokio::spawn({
            let (shutdown, topic) = (shutdown.clone(), topic.clone());
            async move {
                shutdown.cancelled().await;
                eprintln!("interrupted; the topic {topic} stays (tickertape topic delete {topic})");
                std::process::exit(INTERRUPTED.into());
            }
        });
        let measured = tokio::task::block_in_place(|| bench.run());
        interrupted.abort();
        admin
            .delete_topics(&[&topic], &admin_options)
            .await
            .context("cannot delete the benchmark's topic")?;
        measured?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What starts all that it measures, and takes it along when it is asked to stop.
fn by_themselves(options: &BenchOptions, stop: &CancellationToken) -> anyhow::Result<()> {
    if options.wants(Measure::Start) {
        options.print(&start::in_process(stop)?)?;
        options.print(&start::process(options.broker_binary.as_deref(), stop)?)?;
    }
    if options.wants(Measure::Sink) {
        options.print(&sink::speed::measure(options.events, options.partitions, stop)?)?;
    }
    if options.wants(Measure::SinkMemory) {
        let messages = usize::try_from(options.events / 10)?;
        options.print(&sink::memory::measure(messages, &options.memory, stop)?)?;
    }
    Ok(())
}

/// The measurements of one message size.
struct Bench<'a> {
    options: &'a BenchOptions,
    address: &'a str,
    topic: &'a str,
    size_bytes: usize,
    process: Option<&'a Process>,
}

impl Bench<'_> {
    fn run(&self) -> anyhow::Result<()> {
        let Self {
            options,
            address,
            topic,
            size_bytes,
            process,
        } = *self;
        let messages = (options.megabytes * 1_000_000 / size_bytes.max(1) as u64).max(1);
        if options.wants(Measure::Produce) || options.wants(Measure::Consume) {
            // The first connection, the first segment and the first pages are not what is measured.
            let warm_up = messages / 20 + 1;
            throughput::produce(options, topic, size_bytes, warm_up)?;
            self.produce(messages)?;
            if options.wants(Measure::Consume) {
                self.consume(messages + warm_up)?;
            }
        }
        if options.wants(Measure::Latency) {
            self.latency()?;
        }
        if options.wants(Measure::Connections) {
            options.print(&connections::measure(
                options, address, topic, size_bytes, messages, process,
            )?)?;
        }
        Ok(())
    }

    fn produce(&self, messages: u64) -> anyhow::Result<()> {
        let work = || throughput::produce(self.options, self.topic, self.size_bytes, messages);
        let (seconds, broker) = process::around(self.process, work)?;
        if !self.options.wants(Measure::Produce) {
            return Ok(());
        }
        self.options.print(&Figures {
            measure: Measure::Produce,
            size_bytes: self.size_bytes,
            messages,
            seconds,
            latency_ms: None,
            broker,
        })
    }

    fn consume(&self, messages: u64) -> anyhow::Result<()> {
        let work = || throughput::consume(self.options, self.topic, messages);
        let (seconds, broker) = process::around(self.process, work)?;
        self.options.print(&Figures {
            measure: Measure::Consume,
            size_bytes: self.size_bytes,
            messages,
            seconds,
            latency_ms: None,
            broker,
        })
    }

    fn latency(&self) -> anyhow::Result<()> {
        let mut latencies = Vec::new();
        let (seconds, broker) = process::around(self.process, || {
            latencies = latency::one_in_flight(self.options, self.topic, self.size_bytes)?;
            Ok(())
        })?;
        self.options.print(&Figures {
            measure: Measure::Latency,
            size_bytes: self.size_bytes,
            messages: latencies.len() as u64,
            seconds,
            latency_ms: latency::Percentiles::of(latencies),
            broker,
        })
    }
}
