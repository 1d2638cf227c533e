//! Both brokers start, and the codec speaks every version of what both announce.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tickertape_judge::apache::ApacheKafka;
use tickertape_judge::both::{Both, Side};
use tickertape_judge::client::{Answer, Client};

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn both_serve_and_name_their_versions() {
    let mut both = Both::shared().unwrap();
    for side in [Side::Ours, Side::Theirs] {
        let client = both.client(side);
        for version in 0..=4 {
            let request = json!({ "ClientSoftwareName?": "judge", "ClientSoftwareVersion?": "1" });
            let answer = client
                .ask("ApiVersions", version, &request)
                .map_err(anyhow::Error::from)
                .unwrap();
            let Answer::Message(answer) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(answer["ErrorCode"], 0, "{side:?} {version}: {answer}");
            assert!(answer["ApiKeys"].as_array().unwrap().len() >= 30);
        }
    }
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn a_start_that_fails_says_why_and_a_stop_leaves_nothing() {
    let error = ApacheKafka::builder()
        .property("num.network.threads", "none")
        .start()
        .unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("num.network.threads"), "{said}");
    let kept = said.split("kept at ").nth(1).unwrap().lines().next().unwrap();
    std::fs::remove_dir_all(kept).unwrap();

    let kafka = ApacheKafka::builder().listener("OTHER", "PLAINTEXT").start().unwrap();
    let dir = kafka.dir().to_owned();
    Client::connect(kafka.listener("OTHER").unwrap()).unwrap();
    assert!(dir.join("kafka.log").is_file());
    drop(kafka);
    assert!(!dir.exists());
}

/// As Ctrl-C does, the signal goes to the whole group of processes.
#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn an_interrupt_from_the_terminal_leaves_nothing() {
    let mut judge = Command::new("env")
        .args([
            "--default-signal=INT",
            env!("CARGO_BIN_EXE_tickertape-judge"),
            "kafka",
            "--port",
            "0",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(judge.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    let address = ready.trim().strip_prefix("bootstrap.servers=").unwrap().to_owned();
    Client::connect(&address).unwrap();
    let group = format!("-{}", judge.id());
    assert!(
        Command::new("kill")
            .args(["-INT", "--", &group])
            .status()
            .unwrap()
            .success()
    );
    judge.wait().unwrap();
    let mut said = String::new();
    judge.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let dir = said
        .split("its files are at ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    // Its shell removes them when Java is gone; it is nobody's child by then.
    let until = Instant::now() + Duration::from_secs(120);
    while Path::new(dir).exists() {
        assert!(Instant::now() < until, "{dir} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Client::connect(&address).is_err());
}
