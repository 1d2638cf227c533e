//! Kafka Streams on our broker: a word count, exactly once (v2), killed on its way, and started again without its state.
//!
//! What the killed one left open is aborted, the other restores its counts from the changelog, and in the end each word was
//! counted as often as it was written: under `read_committed` its counts are 1, 2, 3, … without a gap or a repetition.
//! The program is `streams/WordCount.java`. `TICKERTAPE_STREAMS_ON=apache` runs the same on Apache Kafka.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::json;
use tickertape_broker::Broker;
use tickertape_judge::apache::{self, ApacheKafka};
use tickertape_judge::client::{Answer, Client};

const LINES: usize = 1_500;
const WORDS_PER_LINE: usize = 3;

/// Java with the word count compiled.
fn word_count(classes: &Path, arguments: &[&str]) -> Command {
    let mut java = apache::java_with(Some(classes)).unwrap();
    java.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
        .arg("WordCount")
        .args(arguments);
    java
}

/// What a program prints that ends by itself.
fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A word count that runs, until it is killed or dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
    restored: usize,
}

impl Running {
    fn start(classes: &Path, bootstrap_servers: &str, state: &Path) -> Self {
        let state = state.to_str().unwrap();
        let mut command = word_count(classes, &["run", bootstrap_servers, state]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (read, lines) = channel();
        // Read to the end also when nobody waits for a line any more: it would stop at a full pipe.
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .for_each(|line| drop(read.send(line)))
        });
        Self {
            child,
            lines,
            restored: 0,
        }
    }

    /// Waits until it says that.
    fn says(&mut self, wanted: &str) {
        for line in &self.lines {
            if let Some(records) = line.strip_prefix("restored ") {
                self.restored += records.parse::<usize>().unwrap();
            }
            if line == wanted {
                return;
            }
        }
        panic!("it ended before it said {wanted:?}");
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create_topics(bootstrap_servers: &str) {
    let topic = |name: &str| json!({ "Name": name, "NumPartitions": 2, "ReplicationFactor": 1 });
    let request = json!({ "Topics": [topic("words"), topic("counts")], "timeoutMs": 30_000 });
    let mut client = Client::connect(bootstrap_servers).unwrap();
    match client.ask("CreateTopics", 7, &request).unwrap() {
        Answer::Message(answer) => {
            let topics = answer["Topics"].as_array().unwrap();
            assert!(topics.iter().all(|topic| topic["ErrorCode"] == 0), "{answer}");
        }
        other => panic!("{}", other.into_value()),
    }
}

/// How often each word was written, as its lines say.
fn expected() -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in 0..LINES {
        for word in [line % 7, line % 11, line % 13] {
            *counts.entry(format!("w{word}")).or_default() += 1;
        }
    }
    counts
}

fn killed_and_started_again(bootstrap_servers: &str) {
    let directory = tempfile::tempdir().unwrap();
    let classes = directory.path().join("classes");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/streams/WordCount.java");
    output(apache::javac().unwrap().arg("-d").arg(&classes).arg(source));
    create_topics(bootstrap_servers);

    let mut first = Running::start(&classes, bootstrap_servers, &directory.path().join("first"));
    first.says("running");
    let (quarter, half, all) = ((LINES / 4).to_string(), (LINES / 2).to_string(), LINES.to_string());
    output(&mut word_count(&classes, &["feed", bootstrap_servers, "0", &quarter]));
    output(&mut word_count(&classes, &["committed", bootstrap_servers]));
    output(&mut word_count(&classes, &["feed", bootstrap_servers, &quarter, &half]));
    // Somewhere within a transaction, with some committed before it and much to come.
    first.says(&format!("processed {}", LINES / 2));
    first.kill();
    output(&mut word_count(&classes, &["feed", bootstrap_servers, &half, &all]));

    let mut second = Running::start(&classes, bootstrap_servers, &directory.path().join("second"));
    second.says("running");
    let total = (LINES * WORDS_PER_LINE).to_string();
    let counts = output(&mut word_count(&classes, &["check", bootstrap_servers, &total]));
    let counts: BTreeMap<String, usize> = counts
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(word, count)| (word.to_owned(), count.parse().unwrap()))
        .collect();
    assert_eq!(counts, expected());
    assert!(second.restored > 0, "it restored nothing");
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Kafka Streams is not here: cargo xtask kafka-libs, and Java 17"
)]
fn a_word_count_is_exact_though_it_was_killed() {
    let properties = [("group.initial.rebalance.delay.ms", "0")];
    if std::env::var("TICKERTAPE_STREAMS_ON").is_ok_and(|on| on == "apache") {
        let builder = properties
            .iter()
            .fold(ApacheKafka::builder(), |builder, (name, value)| {
                builder.property(name, value)
            });
        let kafka = builder.start().unwrap();
        return killed_and_started_again(kafka.bootstrap_servers());
    }
    let builder = properties.iter().fold(Broker::builder(), |builder, (name, value)| {
        builder.property(*name, *value)
    });
    let broker = builder.start_blocking().unwrap();
    killed_and_started_again(broker.bootstrap_servers());
}
