//! How soon a broker with an empty directory answers: in this process, and as a process of its own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde::Serialize;
use tickertape_broker::Broker;
use tokio_util::sync::CancellationToken;

use super::process::Running;
use super::raw::Raw;
use super::{Measure, go_on};

/// How often each way is started.
const ROUNDS: usize = 20;
const TOPIC: &str = "tickertape-bench-start";

/// Milliseconds from the call, or from the start of the process.
#[derive(Debug, Serialize)]
pub(super) struct Start {
    measure: Measure,
    way: Way,
    rounds: usize,
    /// Until the broker says that it answers.
    ready_ms: Spread,
    /// Until the first message, to a topic made for it, is acknowledged.
    acknowledged_ms: Spread,
}

/// How the broker is started.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    InProcess,
    Process,
}

#[derive(Debug, Serialize)]
struct Spread {
    least: f64,
    p50: f64,
    most: f64,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Spread {
        times.sort_unstable();
        let at = |index: usize| times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
        Spread {
            least: at(0),
            p50: at(times.len() / 2),
            most: at(times.len().saturating_sub(1)),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1} ms ({:.1} to {:.1})", self.p50, self.least, self.most)
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::InProcess => "in process",
            Way::Process => "process",
        };
        write!(
            f,
            "start    {way:<10}  ready {}, first message acknowledged {}",
            self.ready_ms, self.acknowledged_ms
        )
    }
}

/// Starts brokers within this process.
pub(super) fn in_process(stop: &CancellationToken) -> anyhow::Result<Start> {
    rounds(Way::InProcess, stop, || {
        let start = Instant::now();
        let broker = Broker::builder().start_blocking()?;
        let ready = start.elapsed();
        acknowledge(broker.bootstrap_servers())?;
        Ok((ready, start.elapsed()))
    })
}

/// Starts `binary`, or this program's own broker.
pub(super) fn process(binary: Option<&Path>, stop: &CancellationToken) -> anyhow::Result<Start> {
    rounds(Way::Process, stop, || {
        let dir = TemporaryDir::new()?;
        let mut command = match binary {
            Some(binary) => Command::new(binary),
            None => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("broker");
                command
            }
        };
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(&dir.0);
        let start = Instant::now();
        let mut running = Running::start(&mut command)?;
        let told = running.ready(stop)?;
        let address = told["bootstrap_servers"].as_str();
        let address = address.context("the broker does not say where it listens")?.to_owned();
        let ready = start.elapsed();
        acknowledge(&address)?;
        Ok((ready, start.elapsed()))
    })
}

fn rounds(
    way: Way,
    stop: &CancellationToken,
    mut round: impl FnMut() -> anyhow::Result<(Duration, Duration)>,
) -> anyhow::Result<Start> {
    // The first one finds neither the program nor the directory in memory.
    round()?;
    let (mut ready, mut acknowledged) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        go_on(stop)?;
        let times = round()?;
        ready.push(times.0);
        acknowledged.push(times.1);
    }
    Ok(Start {
        measure: Measure::Start,
        way,
        rounds: ROUNDS,
        ready_ms: Spread::of(ready),
        acknowledged_ms: Spread::of(acknowledged),
    })
}

fn acknowledge(address: &str) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut client = Raw::connect(address)?;
    client.greet()?;
    client.create_topic(TOPIC)?;
    client.produce(TOPIC, i64::try_from(now.as_millis())?, b"first")
}

struct TemporaryDir(PathBuf);

impl TemporaryDir {
    fn new() -> anyhow::Result<TemporaryDir> {
        let path = std::env::temp_dir().join(format!("tickertape-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(TemporaryDir(path))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a temporary directory is left behind");
        }
    }
}
