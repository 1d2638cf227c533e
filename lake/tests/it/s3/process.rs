//! The server in a process of its own, so that it can be killed and measured.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use tickertape_lake::s3::cli::{S3ServerOptions, run};
use tokio_util::sync::CancellationToken;

use super::{BUCKET, config};

const CHILD_DIR: &str = "TICKERTAPE_TEST_S3_DIR";
const CHILD_FSYNC: &str = "TICKERTAPE_TEST_S3_FSYNC";

/// Not a test: what the child process runs.
#[tokio::test]
#[ignore = "run as a process of its own by the tests that kill or measure it"]
async fn child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        terminate.recv().await;
        stop.cancel();
    });
    let options = S3ServerOptions {
        listen: "127.0.0.1:0".into(),
        data_dir: dir.into(),
        buckets: vec![BUCKET.into()],
        access_key_id: "id".into(),
        secret_access_key: "secret".into(),
        fsync: std::env::var_os(CHILD_FSYNC).is_some(),
    };
    run(options, shutdown).await.unwrap();
}

/// A server in a process of its own.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) client: Client,
    /// The line that it printed when it was ready.
    pub(crate) ready: serde_json::Value,
}

impl Process {
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::start_as(command(dir, false)).await
    }

    /// Runs a [`command`].
    pub(crate) async fn start_as(command: Command) -> Self {
        let (child, ready) = tokio::task::spawn_blocking(move || spawn(command)).await.unwrap();
        let config = config(ready["endpoint"].as_str().unwrap(), "id", "secret");
        let client = Client::from_conf(config.retry_config(RetryConfig::disabled()).build());
        Self { child, client, ready }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        match self.client.get_object().bucket(BUCKET).key(key).send().await {
            Ok(got) => Some(got.body.collect().await.unwrap().to_vec()),
            Err(error) => {
                assert!(error.into_service_error().is_no_such_key());
                None
            }
        }
    }
}

impl Process {
    /// The most memory that it had so far.
    pub(crate) fn peak_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim()
            .strip_suffix(" kB")
            .unwrap()
            .trim()
            .parse::<usize>()
            .unwrap()
            * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// What runs a server over a directory.
pub(crate) fn command(dir: &Path, fsync: bool) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "s3::process::child", "--ignored", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped());
    if fsync {
        command.env(CHILD_FSYNC, "1");
    }
    command
}

/// Starts the child and waits for its ready line.
fn spawn(mut command: Command) -> (Child, serde_json::Value) {
    let mut child = command.spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = loop {
        let line = lines.next().expect("the child ended before it was ready").unwrap();
        // The test harness of the child prints before the line, without ending its own.
        if let Some(at) = line.find("{\"") {
            break serde_json::from_str(&line[at..]).unwrap();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    (child, ready)
}
