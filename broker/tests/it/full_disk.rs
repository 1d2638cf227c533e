//! A real broker on a disk that fills up, sled and all: nothing partial is acknowledged, reads and metadata go on, a kill
//! loses nothing, and writes resume when there is space.
//!
//! The disk is a `tmpfs` of its own in a mount namespace of its own (Linux, `unshare`). Where that is not allowed, the test
//! says so and passes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use kafka_protocol::error::ResponseError::KafkaStorageError;
use kafka_protocol::messages::{ApiKey, DeleteTopicsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::wire::batch::Batches;
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::wire::record::Records;

use crate::support::broker::PATIENCE;
use crate::support::calls::{Topic, latest};
use crate::support::client::Client;
use crate::support::transactional::Me;

const DISK: &str = "size=40m";
const VALUE_BYTES: usize = 90_000;
/// Mounts the disk and runs a broker on it for every line it is given.
const SCRIPT: &str = r#"
mount -t tmpfs -o "$3" tmpfs "$1" || exit 77
echo mounted
while read -r again; do
    "$2" --listen 127.0.0.1:0 --data-dir "$1/data" --set log.segment.bytes=1048576 \
        --set log.retention.check.interval.ms=20
done
"#;

/// A shell in its own namespace that holds the disk while brokers come and go.
struct SmallDisk {
    shell: Child,
    output: BufReader<ChildStdout>,
    _directory: tempfile::TempDir,
}

impl SmallDisk {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut shell = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"])
            .arg(directory.path())
            .arg(env!("CARGO_BIN_EXE_tickertape-broker"))
            .arg(DISK)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        if line != "mounted\n" {
            let _ = shell.wait();
            return None;
        }
        Some(Self {
            shell,
            output,
            _directory: directory,
        })
    }

    /// Starts a broker: its process id, and a client.
    fn start(&mut self) -> (String, Client) {
        self.shell.stdin.as_mut().unwrap().write_all(b"again\n").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let client = Client::connect(ready["bootstrap_servers"].as_str().unwrap());
        (ready["pid"].to_string(), client)
    }
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

fn numbered(number: i64) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(VALUE_BYTES, number as u8);
    BatchBuilder::new().record(1_000, None, Some(&value)).build().unwrap()
}

fn produce(client: &mut Client, topic: &Topic, number: i64) -> Result<i64, i16> {
    let answer = client.produce(latest(ApiKey::Produce), topic, 0, numbered(number));
    match answer.error_code {
        0 => Ok(answer.base_offset),
        code => Err(code),
    }
}

/// Reads a topic from its start to its end: each record is whole, and the one that was acknowledged at its offset.
fn check_all(client: &mut Client, topic: &Topic, acknowledged: i64) {
    let mut offset = 0;
    while offset < acknowledged {
        let fetched = client.fetch(latest(ApiKey::Fetch), topic, 0, offset, 1 << 20);
        assert_eq!((fetched.error_code, fetched.high_watermark), (0, acknowledged));
        let bytes = fetched.records.unwrap();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.validate_crc().unwrap();
            for record in Records::new(&batch.header, batch.payload()) {
                let record = record.unwrap();
                let value = record.value.unwrap();
                assert_eq!((record.offset, value.len()), (offset, VALUE_BYTES));
                assert_eq!(value[..8], offset.to_be_bytes());
                offset += 1;
            }
        }
    }
    assert_eq!(
        client.list_offset(latest(ApiKey::ListOffsets), topic, 0, -1),
        (-1, acknowledged)
    );
}

/// Produces to a topic until the disk is full: how many records it has.
fn fill(client: &mut Client, topic: &Topic) -> i64 {
    let mut acknowledged = 0;
    let refused = loop {
        match produce(client, topic, acknowledged) {
            Ok(offset) => assert_eq!(offset, acknowledged),
            Err(code) => break code,
        }
        acknowledged += 1;
    };
    assert_eq!(refused, KafkaStorageError.code());
    acknowledged
}

/// Waits until a transaction is what it should be.
fn await_state(client: &mut Client, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let described = client.describe().transaction_state;
        if described.as_str() == state {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the transaction is still {}",
            described.as_str()
        );
    }
}

/// What EndTxn acknowledged is decided, though a log refuses its marker: it is written when there is room, also by the next
/// process, and a partition that is gone by then needs none.
#[test]
fn a_marker_that_is_refused_is_tried_until_it_is_written_or_its_partition_is_gone() {
    const ADDS: i16 = 12;
    let Some(mut disk) = SmallDisk::new() else {
        eprintln!("skipped: no disk of its own can be mounted here");
        return;
    };
    let (pid, mut client) = disk.start();
    let configs = [("file.delete.delay.ms", "0"), ("retention.ms", "-1")];
    let filled = client.create_topic("filled", 1, &configs);
    let held = client.create_topic("held", 2, &configs);
    let gone = client.create_topic("gone", 1, &configs);
    let me = client.init(5, None).unwrap();
    for (topic, partition) in [(&held, 0), (&held, 1), (&gone, 0)] {
        assert_eq!(client.write(ADDS, topic, partition, me, 0), Ok(0));
    }
    let acknowledged = fill(&mut client, &filled);
    assert_eq!(client.end(5, me, true), Ok(Me(me.0, me.1 + 1)));
    assert_eq!(client.describe().transaction_state.as_str(), "PrepareCommit");
    assert_eq!(
        client.aborted(&held, 0),
        (0, vec![]),
        "nobody reads what is not committed"
    );
    kill("-9", &pid);

    let (pid, mut client) = disk.start();
    assert_eq!(client.describe().transaction_state.as_str(), "PrepareCommit");
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![TopicName(StrBytes::from_static_str("gone"))])
        .with_timeout_ms(60_000);
    assert_eq!(client.call(5, &request).responses[0].error_code, 0);
    assert_eq!(client.describe().transaction_state.as_str(), "PrepareCommit");
    assert_eq!(client.aborted(&held, 1), (0, vec![]));
    let version = latest(ApiKey::DeleteRecords);
    let before = acknowledged - 10;
    assert_eq!(client.delete_records(version, &filled, 0, before), (0, before));
    await_state(&mut client, "CompleteCommit");
    for partition in 0..2 {
        assert_eq!(
            client.aborted(&held, partition),
            (2, vec![]),
            "the record and its marker"
        );
    }
    kill("-9", &pid);
    drop(disk.shell.stdin.take());
    disk.shell.wait().unwrap();
}

#[test]
fn a_full_disk_costs_writes_and_nothing_else() {
    let Some(mut disk) = SmallDisk::new() else {
        eprintln!("skipped: no disk of its own can be mounted here");
        return;
    };
    let (pid, mut client) = disk.start();
    let configs = [("file.delete.delay.ms", "0"), ("retention.ms", "-1")];
    let topic = client.create_topic("filled", 1, &configs);
    let other = client.create_topic("other", 1, &configs);
    let acknowledged = fill(&mut client, &topic);
    assert!(acknowledged > 200, "{acknowledged}");
    assert_eq!(produce(&mut client, &other, 0), Err(KafkaStorageError.code()));
    check_all(&mut client, &topic, acknowledged);
    // sled has room still: what is answered here is flushed.
    let names = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    let made = names.map(|name| client.create_topic(name, 10, &configs));
    kill("-9", &pid);

    let (pid, mut client) = disk.start();
    check_all(&mut client, &topic, acknowledged);
    for new in &made {
        check_all(&mut client, new, 0);
    }
    assert_eq!(
        produce(&mut client, &topic, acknowledged),
        Err(KafkaStorageError.code())
    );
    let version = latest(ApiKey::DeleteRecords);
    assert_eq!(
        client.delete_records(version, &topic, 0, acknowledged - 10),
        (0, acknowledged - 10)
    );
    let deadline = Instant::now() + PATIENCE;
    while let Err(code) = produce(&mut client, &topic, acknowledged) {
        assert_eq!(code, KafkaStorageError.code());
        assert!(Instant::now() < deadline, "writes have not resumed");
    }
    assert_eq!(produce(&mut client, &other, 0), Ok(0));
    check_all(&mut client, &other, 1);
    kill("-TERM", &pid);

    let (pid, mut client) = disk.start();
    let end = client.list_offset(latest(ApiKey::ListOffsets), &topic, 0, -1);
    assert_eq!(end, (-1, acknowledged + 1));
    assert_eq!(produce(&mut client, &made[7], 0), Ok(0));
    kill("-9", &pid);
    drop(disk.shell.stdin.take());
    disk.shell.wait().unwrap();
}
