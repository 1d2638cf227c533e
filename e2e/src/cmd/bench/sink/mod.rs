//! What the sink costs: how many events a second one core turns into Parquet, and how much memory it takes with as much
//! open as may be.
//!
//! Broker, store, feed and sink are processes of their own, of this program, in a directory that goes with them; so what is
//! measured is what a user runs, and the sink's CPU time and memory are nobody else's.

pub(super) mod memory;
pub(super) mod speed;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;
use tickertape_client::{KafkaOptions, Plain, connect};

use super::process::{Process, Running};

const TOPIC: &str = "ticks";
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a running sink is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The core that the sink gets for itself.
const SINKS_CORE: &str = "0";

/// A broker and a store.
struct House {
    broker: Running,
    store: Running,
    servers: String,
    endpoint: String,
    dir: TempDir,
}

impl House {
    fn open() -> anyhow::Result<House> {
        let dir = tempfile::Builder::new().prefix("tickertape-bench-").tempdir()?;
        let start = |what: &str, more: &[&str]| -> anyhow::Result<(Running, serde_json::Value)> {
            let mut command = Command::new(std::env::current_exe()?);
            command.args([what, "--listen", "127.0.0.1:0", "--data-dir"]);
            let mut running = Running::start(command.arg(dir.path().join(what)).args(more))?;
            let ready = running.ready()?;
            Ok((running, ready))
        };
        let (broker, told) = start("broker", &[])?;
        let servers = told["bootstrap_servers"].as_str().context("no address")?.to_owned();
        let (store, told) = start("s3", &["--bucket", "lake"])?;
        let endpoint = told["endpoint"].as_str().context("no address")?.to_owned();
        Ok(House {
            broker,
            store,
            servers,
            endpoint,
            dir,
        })
    }

    fn kafka(&self) -> KafkaOptions {
        KafkaOptions::at(&self.servers)
    }

    /// The messages of the topic.
    fn messages(&self) -> anyhow::Result<u64> {
        let consumer: BaseConsumer<Plain> = connect(&self.kafka().client_config(&[])?, Plain)?;
        let metadata = consumer.fetch_metadata(Some(TOPIC), TIMEOUT)?;
        let topic = metadata.topics().first().context("the topic is not there")?;
        let mut messages = 0;
        for partition in topic.partitions() {
            let (low, high) = consumer.fetch_watermarks(TOPIC, partition.id(), TIMEOUT)?;
            messages += (high - low).unsigned_abs();
        }
        Ok(messages)
    }

    /// Keeps broker and store away from the core that the sink gets.
    fn make_way(&self) -> anyhow::Result<()> {
        let cores = std::thread::available_parallelism()?.get();
        if cores == 1 {
            return Ok(());
        }
        let others = format!("1-{}", cores - 1);
        for process in [&self.broker, &self.store] {
            let mut taskset = Command::new("taskset");
            taskset.args(["--all-tasks", "--cpu-list", "--pid", &others, &process.id().to_string()]);
            let done = taskset.stdout(Stdio::null()).status().context(NEEDS_TASKSET)?;
            anyhow::ensure!(done.success(), "taskset: {done}");
        }
        Ok(())
    }

    /// A sink of the topic, on a core of its own if it is `pinned`.
    fn sink(&self, more: &[&str], pinned: bool) -> anyhow::Result<Sink> {
        // Free now, and nobody else's a moment later.
        let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let program = std::env::current_exe()?;
        let mut command = if pinned {
            let mut taskset = Command::new("taskset");
            taskset.args(["--cpu-list", SINKS_CORE]).arg(program);
            taskset
        } else {
            Command::new(program)
        };
        command
            .args(["consume", "--topic", TOPIC, "--to", "s3://lake/market"])
            .args(["--bootstrap-server", &self.servers, "--s3-endpoint", &self.endpoint])
            .args(["--metrics", &metrics.to_string()])
            .args(more);
        let log = self.dir.path().join("sink.log");
        let child = command.stdout(Stdio::null()).stderr(File::create(&log)?).spawn();
        let running = Running::of(child.context(if pinned { NEEDS_TASKSET } else { "cannot start the sink" })?);
        let process = Process::open(running.id())?;
        Ok(Sink {
            running,
            process,
            metrics,
            log,
        })
    }
}

const NEEDS_TASKSET: &str = "taskset (util-linux) is needed to give the sink a core of its own";

/// A sink that is measured.
struct Sink {
    running: Running,
    process: Process,
    metrics: SocketAddr,
    log: std::path::PathBuf,
}

impl Sink {
    /// What it says of itself, once it listens.
    ///
    /// # Errors
    /// It has ended.
    fn metrics(&mut self) -> anyhow::Result<Option<Metrics>> {
        if let Some(status) = self.running.ended()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            bail!("the sink ended ({status}): {}", log.lines().last().unwrap_or_default());
        }
        let Ok(mut connection) = TcpStream::connect(self.metrics) else {
            return Ok(None);
        };
        connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let metric = |line: &str| {
            let (name, value) = line.strip_prefix("tickertape_sink_")?.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(Some(Metrics(answer.lines().filter_map(metric).collect())))
    }
}

/// Numbers by name.
struct Metrics(HashMap<String, u64>);

impl Metrics {
    fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}
