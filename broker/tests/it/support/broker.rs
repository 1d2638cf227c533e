//! Brokers to test: in this process, and the real binary as a child that can be killed.

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use tickertape_broker::{Broker, BrokerBuilder, BrokerHandle};

/// How long to wait for what must come. A test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker on a free port with a directory of its own.
pub(crate) async fn start() -> BrokerHandle {
    start_with(Broker::builder()).await
}

/// A broker as described.
pub(crate) async fn start_with(builder: BrokerBuilder) -> BrokerHandle {
    builder.start().await.unwrap()
}

/// A client's configuration for a broker.
pub(crate) fn client(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers);
    config
}

/// A consumer's configuration that reads under `isolation_level` and is told where a partition ends.
pub(crate) fn reader(bootstrap_servers: &str, isolation_level: &str) -> ClientConfig {
    let mut config = client(bootstrap_servers);
    config
        .set("group.id", "unused")
        .set("isolation.level", isolation_level)
        .set("enable.partition.eof", "true");
    config
}

/// Reads partitions of a topic from their first record to where they end just then, as a [`reader`].
pub(crate) fn read_to_the_end(
    config: &ClientConfig,
    topic: &str,
    partitions: Range<i32>,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) {
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions.clone() {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut ends = 0;
    while ends < partitions.len() {
        match consumer.poll(PATIENCE).expect("a record, or the end") {
            Ok(message) => each(&message),
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// An admin client for a broker.
pub(crate) fn admin(bootstrap_servers: &str) -> AdminClient<DefaultClientContext> {
    client(bootstrap_servers).create().unwrap()
}

/// Makes a topic.
pub(crate) async fn create_topic(bootstrap_servers: &str, name: &str, partitions: i32) {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let results = admin(bootstrap_servers)
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(results, [Ok(name.to_owned())]);
}

/// The real binary, running. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// `host:port`.
    pub bootstrap_servers: String,
}

impl Process {
    /// Starts the binary on `listen` with `data_dir` and waits for the line that says that it is ready.
    pub(crate) fn start(data_dir: &Path, listen: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tickertape-broker"))
            .args(["--listen", listen, "--data-dir"])
            .arg(data_dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true);
        assert_eq!(ready["pid"], child.id());
        let bootstrap_servers = ready["bootstrap_servers"].as_str().unwrap().to_owned();
        Self {
            child,
            bootstrap_servers,
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: sends a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
