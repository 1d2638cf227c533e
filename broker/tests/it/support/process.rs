//! The broker as a process of its own: it can be killed, and its memory is its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::client::Client;

/// What runs a broker on an address; its standard output is piped.
pub(crate) fn command(listen: &str, data_dir: &Path, properties: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickertape-broker"));
    command.args(["--listen", listen, "--data-dir"]).arg(data_dir);
    for (name, value) in properties {
        command.args(["--set", &format!("{name}={value}")]);
    }
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "error");
    }
    command.stdout(Stdio::piped());
    command
}

/// A running `tickertape-broker`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    bootstrap_servers: String,
}

impl Process {
    /// Starts one on a free port and waits until it says that it is ready.
    pub(crate) fn start(data_dir: &Path, properties: &[(&str, &str)]) -> Self {
        Self::start_on("127.0.0.1:0", data_dir, properties, Stdio::inherit())
    }

    /// The same on an address, with its standard error elsewhere.
    pub(crate) fn start_on(listen: &str, data_dir: &Path, properties: &[(&str, &str)], stderr: Stdio) -> Self {
        let mut command = command(listen, data_dir, properties);
        command.stderr(stderr);
        Self::start_as(command)
    }

    /// Runs a [`command`] and waits until it says that it is ready.
    pub(crate) fn start_as(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap_or_else(|error| {
            let status = child.wait();
            panic!("not ready: {error}: {ready:?}, {status:?}")
        });
        assert_eq!(ready["ready"], true);
        Self {
            child,
            bootstrap_servers: ready["bootstrap_servers"].as_str().unwrap().to_owned(),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.bootstrap_servers
    }

    /// A new connection to it.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.bootstrap_servers)
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As `kill` does: it ends what it is doing, and well.
    pub(crate) fn stop(mut self) {
        // SAFETY: a signal to a child that has not been waited for.
        let sent = unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        assert_eq!(sent, 0);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Bytes of memory that it takes now, and took at most (Linux; elsewhere zero).
    pub(crate) fn memory(&self) -> (usize, usize) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix("kB"));
            number
                .and_then(|number| number.trim().parse::<usize>().ok())
                .unwrap_or(0)
        };
        (kilobytes("VmRSS:") * 1024, kilobytes("VmHWM:") * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
