//! Processes that are measured: their CPU time and memory, as the kernel accounts for them in `/proc` (see proc(5)), and
//! how those of our own are started and ended.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use tickertape_client::UsageError;
use tokio_util::sync::CancellationToken;

use super::{LOOK_EVERY, TIMEOUT, go_on};

/// `utime` and `stime` count in units of 1/100 s on Linux, on every architecture that Rust's std supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
}

/// What a process used while something ran.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    pub(super) cpu_seconds: f64,
    /// Resident memory at the end.
    pub(super) rss_mib: f64,
}

impl Process {
    /// # Errors
    /// The process does not exist, or its figures cannot be read.
    pub(super) fn open(pid: u32) -> anyhow::Result<Process> {
        let process = Process { pid };
        process
            .cpu_seconds()
            .map_err(|error| UsageError::new(format!("--pid {pid}: {error:#}")))?;
        Ok(process)
    }

    fn read(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.pid);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }

    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = self.read("stat")?;
        // The command's name may hold spaces and parentheses; what follows its last `)` does not.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = after_name.split_whitespace().skip(11).map(str::parse::<f64>);
        match (fields.next(), fields.next()) {
            (Some(Ok(user)), Some(Ok(system))) => Ok((user + system) / TICKS_PER_SECOND),
            _ => Err(anyhow!("/proc/{}/stat has no CPU times", self.pid)),
        }
    }

    fn rss_mib(&self) -> anyhow::Result<f64> {
        self.status_mib("VmRSS:")
    }

    /// The most memory that was resident at any time.
    pub(super) fn peak_rss_mib(&self) -> anyhow::Result<f64> {
        self.status_mib("VmHWM:")
    }

    fn status_mib(&self, name: &str) -> anyhow::Result<f64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        Ok(kib.with_context(|| format!("no {name} in /proc/{}/status", self.pid))? / 1024.0)
    }
}

/// A process of ours, which ends with this.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    /// Starts one that says on its standard output that it is ready ([`Running::ready`]).
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Running> {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        child
            .map(Running)
            .with_context(|| format!("cannot start {}", command.get_program().display()))
    }

    /// One that was started.
    pub(super) fn of(child: Child) -> Running {
        Running(child)
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for the line in which it says that it is ready.
    ///
    /// # Errors
    /// It says something else, or nothing for [`TIMEOUT`]; or `stop`.
    pub(super) fn ready(&mut self, stop: &CancellationToken) -> anyhow::Result<serde_json::Value> {
        let out = self.0.stdout.take().context("no standard output, or read already")?;
        let (sender, said) = channel();
        let read = move || {
            let mut line = String::new();
            let read = BufReader::new(out).read_line(&mut line).map(|_| line);
            // Nobody waits for it any more after `stop`.
            let _ = sender.send(read);
        };
        std::thread::Builder::new().name("ready".to_owned()).spawn(read)?;
        let started = Instant::now();
        let line = loop {
            go_on(stop)?;
            match said.recv_timeout(LOOK_EVERY) {
                Ok(line) => break line?,
                Err(_) if started.elapsed() > TIMEOUT => anyhow::bail!("the process has said nothing for {TIMEOUT:?}"),
                Err(_) => {}
            }
        };
        serde_json::from_str(&line).with_context(|| format!("the process did not start, but said {line:?}"))
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is told by what it did not answer.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `work` and returns its wall seconds, with what `process` used meanwhile.
pub(super) fn around(
    process: Option<&Process>,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(f64, Option<Cost>)> {
    let before = process.map(Process::cpu_seconds).transpose()?;
    let start = Instant::now();
    work()?;
    let seconds = start.elapsed().as_secs_f64();
    let cost = match (process, before) {
        (Some(process), Some(before)) => Some(Cost {
            cpu_seconds: process.cpu_seconds()? - before,
            rss_mib: process.rss_mib()?,
        }),
        _ => None,
    };
    Ok((seconds, cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_figures() {
        let process = Process::open(std::process::id()).unwrap();
        let (_, cost) = around(Some(&process), || Ok(())).unwrap();
        assert!(cost.unwrap().rss_mib > 0.0);
    }

    #[test]
    fn a_process_that_does_not_exist_is_named() {
        let error = Process::open(u32::MAX).unwrap_err().to_string();
        assert!(error.contains("4294967295"), "{error}");
    }
}
