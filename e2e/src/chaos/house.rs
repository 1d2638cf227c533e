//! The processes of a run, each a subcommand of this very binary, and what can be done to them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::gate::{self, Gate};
use super::plan::{PARTS, Part, SESSION_MS, SINKS};
use super::store_proxy::StoreProxy;
use super::trouble::Trouble;

pub(crate) const TOPIC: &str = "ticks";
pub(crate) const GROUP: &str = "tickertape-sink";
pub(crate) const BUCKET: &str = "market";
pub(crate) const PREFIX: &str = "lake";
/// Partitions of the topic.
pub(crate) const PARTITIONS: i32 = 4;
/// How long a process may take to be ready, and to stop; far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// The processes, and the proxies between them.
pub(crate) struct House {
    binary: PathBuf,
    dir: PathBuf,
    settings: Settings,
    children: Mutex<BTreeMap<Part, Child>>,
    broker: SocketAddr,
    s3: SocketAddr,
    /// Starts of the feed so far: each plays other prices.
    feeds: AtomicU64,
    pub(crate) kafka: Arc<Gate>,
    pub(crate) stores: Vec<Arc<StoreProxy>>,
    /// What is done to the S3 server itself, which those who go through no proxy feel too.
    pub(crate) trouble: Arc<Trouble>,
}

/// What the processes are started with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Events per second of the feed.
    pub(crate) rate: u32,
    /// More arguments for the sinks.
    pub(crate) sink_arguments: Vec<String>,
}

impl House {
    /// Starts all of them in `dir`.
    pub(crate) async fn open(dir: &Path, settings: Settings) -> anyhow::Result<House> {
        std::fs::create_dir_all(dir.join("logs")).with_context(|| format!("--dir {}", dir.display()))?;
        let (broker, s3) = (free_address()?, free_address()?);
        let kafka = gate::pass_through().await?;
        kafka.lead_to(broker);
        let mut stores = Vec::with_capacity(SINKS);
        for sink in 0..SINKS as u64 {
            let store = StoreProxy::start(settings.seed ^ (sink + 1)).await?;
            store.gate.lead_to(s3);
            stores.push(store);
        }
        let house = House {
            binary: std::env::current_exe().context("cannot tell which program this is")?,
            dir: dir.to_owned(),
            settings,
            children: Mutex::default(),
            broker,
            s3,
            feeds: AtomicU64::new(0),
            kafka,
            stores,
            trouble: Arc::default(),
        };
        for part in PARTS {
            house.start(part).await?;
            if part == Part::Broker {
                // A sink refuses a topic that does not exist.
                let partitions = PARTITIONS.to_string();
                let create = [
                    "topic",
                    "create",
                    TOPIC,
                    "--partitions",
                    &partitions,
                    "-b",
                    &house.bootstrap(),
                ];
                let (created, said) = house.ask(&create).await?;
                ensure!(created, "cannot make the topic: {said}");
            }
        }
        Ok(house)
    }

    /// The broker, as everyone sees it.
    pub(crate) fn bootstrap(&self) -> String {
        self.kafka.address.to_string()
    }

    /// The store itself, without trouble.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.s3)
    }

    fn children(&self) -> MutexGuard<'_, BTreeMap<Part, Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process, and where it is a server waits until it is ready.
    pub(crate) async fn start(&self, part: Part) -> anyhow::Result<()> {
        let mut command = Command::new(&self.binary);
        command
            .args(self.arguments(part))
            .stdin(Stdio::null())
            .stderr(self.log(part)?);
        for (name, _) in std::env::vars_os() {
            // Nothing of the user's own AWS account goes into this.
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(&name);
            }
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.stdout(match part {
            Part::Broker | Part::S3 => Stdio::piped(),
            Part::Feed | Part::Sink(_) => Stdio::from(self.log(part)?),
        });
        let mut child = command.spawn().with_context(|| format!("cannot start {part}"))?;
        let output = child.stdout.take();
        self.children().insert(part, child);
        let Some(output) = output else { return Ok(()) };
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        });
        let line = tokio::time::timeout(PATIENCE, reading).await;
        let line = line.with_context(|| format!("{part} is not ready after {} s", PATIENCE.as_secs()))???;
        let ready: Option<Value> = serde_json::from_str(&line).ok();
        ensure!(ready.is_some(), "{part} did not start: see its log");
        Ok(())
    }

    /// This program, with nothing of the user's own AWS account.
    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(&name);
            }
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    fn log(&self, part: Part) -> anyhow::Result<File> {
        let path = self.dir.join("logs").join(format!("{part}.log"));
        let file = File::options().create(true).append(true).open(&path);
        file.with_context(|| format!("cannot write {}", path.display()))
    }

    fn arguments(&self, part: Part) -> Vec<String> {
        let words = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let data_dir = || self.dir.join(part.to_string()).to_string_lossy().into_owned();
        let (bootstrap, broker, s3) = (self.bootstrap(), self.broker, self.s3);
        match part {
            Part::Broker => {
                let mut arguments = words(format!(
                    "broker --listen {broker} --advertise {bootstrap} --set group.min.session.timeout.ms=500 \
                     --set group.initial.rebalance.delay.ms=0 --data-dir"
                ));
                arguments.push(data_dir());
                arguments
            }
            Part::S3 => {
                let mut arguments = words(format!("s3 --listen {s3} --bucket {BUCKET} --data-dir"));
                arguments.push(data_dir());
                arguments
            }
            Part::Feed => {
                let seed = self
                    .settings
                    .seed
                    .wrapping_add(self.feeds.fetch_add(1, Ordering::Relaxed));
                let rate = self.settings.rate;
                words(format!(
                    "produce -b {bootstrap} -t {TOPIC} --feed ticks --rate {rate} --ticks-per-day 3000 --seed {seed}"
                ))
            }
            Part::Sink(at) => {
                let store = self.stores[at].gate.address;
                let mut arguments = words(format!(
                    "consume -b {bootstrap} -t {TOPIC} --to s3://{BUCKET}/{PREFIX} --s3-endpoint http://{store} \
                     --group {GROUP} --max-age 300ms --max-records 1000 -X session.timeout.ms={SESSION_MS} \
                     -X heartbeat.interval.ms=500"
                ));
                arguments.extend(self.settings.sink_arguments.iter().cloned());
                arguments
            }
        }
    }

    /// Sends a signal to a process.
    pub(crate) fn signal(&self, part: Part, signal: i32) -> anyhow::Result<()> {
        let children = self.children();
        let child = children.get(&part).with_context(|| format!("{part} does not run"))?;
        let pid = libc::pid_t::try_from(child.id())?;
        // SAFETY: kill() takes no pointers; the process is a child of ours that was not waited for, so the id is its own.
        let sent = unsafe { libc::kill(pid, signal) };
        ensure!(sent == 0, "{part} takes no signal: {}", std::io::Error::last_os_error());
        Ok(())
    }

    /// Ends a process as `kill -9` does.
    pub(crate) async fn kill(&self, part: Part) -> anyhow::Result<()> {
        self.signal(part, libc::SIGKILL)?;
        self.wait(part).await.map(drop)
    }

    /// Asks a process to stop; it has to obey with exit code 0.
    pub(crate) async fn stop(&self, part: Part) -> anyhow::Result<()> {
        self.signal(part, libc::SIGTERM)?;
        let status = self.wait(part).await?;
        ensure!(status.success(), "{part} did not stop cleanly: {status}");
        Ok(())
    }

    async fn wait(&self, part: Part) -> anyhow::Result<ExitStatus> {
        let child = self.children().remove(&part);
        let mut child = child.with_context(|| format!("{part} does not run"))?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                bail!("{part} did not end in {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The processes that ended without being asked to.
    pub(crate) fn fallen(&self) -> anyhow::Result<Vec<String>> {
        let mut fallen = Vec::new();
        for (part, child) in self.children().iter_mut() {
            if let Some(status) = child.try_wait()? {
                fallen.push(format!("{part} ended by itself: {status}"));
            }
        }
        Ok(fallen)
    }

    /// `tickertape verify`: whether it found every record once, and what it said.
    pub(crate) async fn verify(&self) -> anyhow::Result<(bool, String)> {
        let (lake, kafka, s3) = (format!("s3://{BUCKET}/{PREFIX}"), self.bootstrap(), self.endpoint());
        let arguments = [
            "verify",
            "--topic",
            TOPIC,
            "--lake",
            &lake,
            "-b",
            &kafka,
            "--s3-endpoint",
            &s3,
        ];
        self.ask(&arguments).await
    }

    /// Runs a command to its end: whether it was a good one, and what it said.
    async fn ask(&self, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        // Progress and warnings matter only where there is nothing else.
        let said = if output.stdout.is_empty() {
            output.stderr
        } else {
            output.stdout
        };
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&said).trim().to_owned(),
        ))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in self.children().values_mut() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address on this machine that nobody listens on. A server that is killed comes back to the same one.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on this machine")?;
    Ok(listener.local_addr()?)
}
