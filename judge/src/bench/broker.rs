//! Either broker as a process of its own on an empty directory.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::apache::ApacheKafka;

/// Java as Apache Kafka's own start scripts run it (`bin/kafka-server-start.sh`, `bin/kafka-run-class.sh`).
const JVM: [&str; 8] = [
    "-Xms1G",
    "-Xmx1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    Apache,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Ours => "tickertape-broker",
            Kind::Apache => "Apache Kafka",
        })
    }
}

impl Kind {
    /// Starts it; returns when it says that it is ready.
    pub(super) fn start(self, binaries: &Path) -> anyhow::Result<Running> {
        match self {
            Kind::Ours => Ours::start(&binaries.join("tickertape-broker")).map(Running::Ours),
            Kind::Apache => {
                let of_both = crate::PROPERTIES.iter();
                let builder = of_both.fold(ApacheKafka::builder().jvm(JVM), |builder, (name, value)| {
                    builder.property(name, value)
                });
                builder.start().map(Running::Apache)
            }
        }
    }
}

/// A broker that runs until this is dropped.
pub(super) enum Running {
    Ours(Ours),
    Apache(ApacheKafka),
}

impl Running {
    pub(super) fn bootstrap_servers(&self) -> &str {
        match self {
            Running::Ours(ours) => &ours.bootstrap_servers,
            Running::Apache(kafka) => kafka.bootstrap_servers(),
        }
    }

    /// When the process was started; formatting Apache Kafka's directory was over by then.
    pub(super) fn started(&self) -> Instant {
        match self {
            Running::Ours(ours) => ours.started,
            Running::Apache(kafka) => kafka.started(),
        }
    }

    fn pid(&self) -> anyhow::Result<u32> {
        match self {
            Running::Ours(ours) => Ok(ours.child.id()),
            Running::Apache(kafka) => kafka.java_pid().context("the process of Java is not found"),
        }
    }

    /// Resident memory, in MiB (proc(5)).
    pub(super) fn rss_mib(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.pid()?);
        let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let kib = status.lines().find_map(|line| {
            let kib = line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?;
            kib.trim().parse::<f64>().ok()
        });
        Ok(kib.with_context(|| format!("{path} has no VmRSS"))? / 1024.0)
    }

    /// What `tickertape bench --json` prints about it, a value for each line.
    pub(super) fn bench(&self, binaries: &Path, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
        let program = binaries.join("tickertape");
        let output = Command::new(&program)
            .args(["bench", "--json", "-b", self.bootstrap_servers()])
            .args(["--pid", &self.pid()?.to_string()])
            .args(["--size", "100", "--size", "1024"])
            .args(["--only", "produce", "--only", "consume", "--only", "latency"])
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| program.display().to_string())?;
        ensure!(output.status.success(), "tickertape bench: {}", output.status);
        let text = String::from_utf8(output.stdout)?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect()
    }
}

/// Our small binary.
pub(super) struct Ours {
    child: Child,
    bootstrap_servers: String,
    started: Instant,
    // Removed after the process has gone.
    _dir: TempDir,
}

impl Ours {
    fn start(program: &Path) -> anyhow::Result<Ours> {
        let dir = tempfile::Builder::new().prefix("tickertape-bench-").tempdir()?;
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
        for (name, value) in crate::PROPERTIES {
            command.args(["--set", &format!("{name}={value}")]);
        }
        let started = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("no standard output")?;
        let mut ours = Ours {
            child,
            bootstrap_servers: String::new(),
            started,
            _dir: dir,
        };
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("not ready: {line:?}"))?;
        let address = ready["bootstrap_servers"].as_str().context("no bootstrap_servers")?;
        address.clone_into(&mut ours.bootstrap_servers);
        Ok(ours)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
