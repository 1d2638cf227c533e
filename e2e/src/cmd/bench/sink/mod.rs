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
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;
use tickertape_client::{KafkaOptions, Plain, connect};
use tokio_util::sync::CancellationToken;

use super::process::{Process, Running};
use super::{LOOK_EVERY, TIMEOUT, go_on};

const TOPIC: &str = "ticks";
/// How long a sink may take to say something of itself before it is asked again.
const ANSWER_MAX: Duration = Duration::from_secs(1);
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
    fn open(stop: &CancellationToken) -> anyhow::Result<House> {
        let dir = tempfile::Builder::new().prefix("tickertape-bench-").tempdir()?;
        let start = |what: &str, more: &[&str]| -> anyhow::Result<(Running, serde_json::Value)> {
            let mut command = Command::new(std::env::current_exe()?);
            command.args([what, "--listen", "127.0.0.1:0", "--data-dir"]);
            let mut running = Running::start(command.arg(dir.path().join(what)).args(more))?;
            let ready = running.ready(stop)?;
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
    fn messages(&self, stop: &CancellationToken) -> anyhow::Result<u64> {
        let consumer: BaseConsumer<Plain> = connect(&self.kafka().client_config(&[])?, Plain)?;
        let metadata = consumer.fetch_metadata(Some(TOPIC), TIMEOUT)?;
        let topic = metadata.topics().first().context("the topic is not there")?;
        let mut messages = 0;
        for partition in topic.partitions() {
            go_on(stop)?;
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
    /// Looks at what it says of itself until it has consumed `messages`, and gives the last that it said.
    ///
    /// # Errors
    /// It has ended, or makes no progress; or `stop`.
    fn watch(
        &mut self,
        messages: u64,
        stop: &CancellationToken,
        mut look: impl FnMut(&Process, &Metrics) -> anyhow::Result<()>,
    ) -> anyhow::Result<Metrics> {
        let mut progress = Progress::new(Instant::now());
        loop {
            go_on(stop)?;
            if let Some(status) = self.running.ended()? {
                bail!("the sink ended ({status}): {}", self.last_line());
            }
            let metrics = self.metrics();
            if let Some(metrics) = metrics.as_ref() {
                look(&self.process, metrics)?;
            }
            let consumed = metrics.as_ref().map_or(0, |metrics| metrics.of("consumed_total"));
            match metrics {
                Some(metrics) if consumed >= messages => return Ok(metrics),
                metrics => {
                    // Nothing is consumed while there is too much to be written.
                    let done = metrics.map_or(0, |metrics| consumed + metrics.of("objects_total"));
                    if !progress.is_made(done, Instant::now()) {
                        let last = self.last_line();
                        bail!("the sink has consumed {consumed} of {messages} messages and makes no progress: {last}");
                    }
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The last that it has logged.
    fn last_line(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }

    /// What it says of itself; nothing while it doesn't listen yet, or doesn't answer.
    fn metrics(&self) -> Option<Metrics> {
        let mut connection = TcpStream::connect_timeout(&self.metrics, ANSWER_MAX).ok()?;
        connection.set_read_timeout(Some(ANSWER_MAX)).ok()?;
        connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        let metric = |line: &str| {
            let (name, value) = line.strip_prefix("tickertape_sink_")?.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Some(Metrics(answer.lines().filter_map(metric).collect()))
    }
}

/// Numbers by name.
struct Metrics(HashMap<String, u64>);

impl Metrics {
    fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// Whether something still moves.
struct Progress {
    most: u64,
    since: Instant,
}

impl Progress {
    fn new(now: Instant) -> Progress {
        Progress { most: 0, since: now }
    }

    /// Whether more than ever was done less than [`TIMEOUT`] ago.
    fn is_made(&mut self, done: u64, now: Instant) -> bool {
        if done > self.most {
            (self.most, self.since) = (done, now);
        }
        now.saturating_duration_since(self.since) < TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_is_waited_for_and_what_does_not_is_given_up() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(progress.is_made(0, after(59)));
        assert!(progress.is_made(1, after(60)), "it has moved");
        assert!(progress.is_made(1, after(119)));
        assert!(!progress.is_made(1, after(120)));
        let mut never = Progress::new(start);
        assert!(!never.is_made(0, after(60)));
    }
}
