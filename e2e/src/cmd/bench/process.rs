//! The broker's CPU time and memory, as the kernel accounts for them in `/proc` (see proc(5)).

use std::time::Instant;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use tickertape_client::UsageError;

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

    fn cpu_seconds(&self) -> anyhow::Result<f64> {
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
        let status = self.read("status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS in /proc status")?;
        let kib: f64 = line
            .trim()
            .trim_end_matches("kB")
            .trim()
            .parse()
            .context("VmRSS is not a number")?;
        Ok(kib / 1024.0)
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
