//! Runs the binary: servers that are stopped when dropped, and commands that end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// The binary, with nothing of the tester's own AWS account and proxy in its environment.
pub(crate) fn tickertape(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickertape"));
    command.args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// A server of the binary's, and its ready line.
pub(crate) struct Server {
    child: Child,
    pub(crate) ready: Value,
}

impl Server {
    /// Starts `tickertape ARGUMENTS` and waits until it says that it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        let mut child = tickertape(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("a line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a ready line: {line:?}"));
        assert_eq!(ready["ready"], true);
        Server { child, ready }
    }

    /// A broker in `dir`, on a free port.
    pub(crate) fn broker(dir: &TempDir) -> Server {
        let dir = dir.path().join("broker");
        Server::start(&[
            "broker",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            dir.to_str().expect("UTF-8"),
        ])
    }

    /// An S3 server in `dir`, on a free port, with the bucket `market`.
    pub(crate) fn s3(dir: &TempDir) -> Server {
        let dir = dir.path().join("s3");
        let dir = dir.to_str().expect("UTF-8");
        Server::start(&["s3", "--listen", "127.0.0.1:0", "--data-dir", dir, "--bucket", "market"])
    }

    /// Ends it as `kill -9` does, and gives what starts it anew at the same address.
    pub(crate) fn kill_for_restart(self) -> impl FnOnce() -> Server {
        let kind = if self.ready["endpoint"].is_null() {
            "broker"
        } else {
            "s3"
        };
        let address = self.ready["bootstrap_servers"]
            .as_str()
            .unwrap_or_else(|| self.get("endpoint"));
        let address = address.trim_start_matches("http://").to_owned();
        let data_dir = self.get("data_dir").to_owned();
        self.kill();
        move || Server::start(&[kind, "--listen", &address, "--data-dir", &data_dir])
    }

    /// A field of the ready line.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.ready[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.ready))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop by SIGTERM, and gives its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal(self.pid(), "TERM");
        self.child.wait().expect("it ends").code()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child
                .kill()
                .and_then(|()| self.child.wait())
                .expect("it can be killed");
        }
    }
}

/// Sends a signal by its name.
pub(crate) fn signal(pid: u32, name: &str) {
    let done = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(done.success());
}

/// What a command of the binary's is told.
#[derive(Clone)]
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    fn of(words: &[&str]) -> Arguments {
        Arguments(Vec::new()).with(words)
    }

    /// `tickertape produce`: a feed of this kind, as fast as it goes.
    pub(crate) fn feed(kind: &str) -> Arguments {
        Self::of(&["produce", "--feed", kind, "--rate", "max"])
    }

    /// `tickertape consume`: topics into a lake, whose objects are soon closed.
    pub(crate) fn sink(topics: &[&str], lake: &str) -> Arguments {
        let sink = Self::of(&["consume", "--to", lake, "--max-age", "200ms"]);
        topics.iter().fold(sink, |sink, topic| sink.with(&["--topic", topic]))
    }

    /// With these as well.
    pub(crate) fn with(mut self, words: &[&str]) -> Arguments {
        self.0.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Of market days, the first and the last included.
    pub(crate) fn days(self, from: &str, to: &str) -> Arguments {
        self.with(&["--from", from, "--to", to])
    }

    /// At this broker.
    pub(crate) fn at(self, bootstrap_servers: &str) -> Arguments {
        self.with(&["-b", bootstrap_servers])
    }

    /// Word for word.
    pub(crate) fn get(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// Runs a command to its end, which must be a good one, and gives what it printed.
pub(crate) fn ok(arguments: &[&str]) -> String {
    let output = tickertape(arguments).output().expect("the binary starts");
    assert!(
        output.status.success(),
        "tickertape {}: {}",
        arguments.join(" "),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs a command on this standard input to its good end.
pub(crate) fn ok_with_input(arguments: &[&str], input: &str) -> String {
    let mut child = tickertape(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "tickertape {}", arguments.join(" "));
    text(&output.stdout)
}

/// Runs a command that must fail, and gives its exit code and what it said on stderr.
pub(crate) fn fails(arguments: &[&str]) -> (i32, String) {
    let output: Output = tickertape(arguments).output().expect("the binary starts");
    let code = output.status.code().expect("it exits");
    assert_ne!(code, 0, "tickertape {} should fail", arguments.join(" "));
    (code, text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Asks until `condition` holds; far longer than it can take.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(value) = condition() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("it never happened: {what}");
}
