//! Apache Kafka's own tool reads the files that our broker writes.
//!
//! Needs Java and Kafka's jars: `TICKERTAPE_KAFKA_LIBS` names their directory, and `.ci/run` fetches them. Without them the
//! test says so and passes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Server, ok_with_input, tickertape};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const RECORDS: usize = 3_000;

/// The directory of the jars, or what is missing.
fn kafka_libs() -> Result<PathBuf, &'static str> {
    let libs = std::env::var_os("TICKERTAPE_KAFKA_LIBS").ok_or("TICKERTAPE_KAFKA_LIBS is not set")?;
    match Command::new("java").arg("-version").output() {
        Ok(_) => Ok(libs.into()),
        Err(_) => Err("there is no java"),
    }
}

/// What a batch is, in the words of both tools.
#[derive(Debug, PartialEq, Eq)]
struct Batch(Vec<(String, String)>);

impl Batch {
    /// The fields of a line that both tools print, but for those that Kafka's newer versions add.
    fn parse(line: &str) -> Option<Batch> {
        const FIELDS: [&str; 14] = [
            "baseOffset:",
            "lastOffset:",
            "count:",
            "baseSequence:",
            "lastSequence:",
            "producerId:",
            "producerEpoch:",
            "partitionLeaderEpoch:",
            "position:",
            "size:",
            "magic:",
            "compresscodec:",
            "crc:",
            "isvalid:",
        ];
        let words: Vec<&str> = line
            .strip_prefix("baseOffset:")
            .map(|_| line.split_whitespace().collect())?;
        let value = |field: &str| words.iter().skip_while(|word| **word != field).nth(1);
        let fields = FIELDS.map(|field| {
            let value = value(field).unwrap_or_else(|| panic!("no {field} in {line}"));
            (field.to_owned(), value.to_lowercase())
        });
        Some(Batch(fields.into()))
    }

    fn get(&self, field: &str) -> &str {
        &self.0.iter().find(|(name, _)| name == field).unwrap().1
    }
}

/// The files of a topic's one partition, in order.
fn segments(data_dir: &Path, topic: &str) -> Vec<String> {
    let entries = std::fs::read_dir(data_dir.join(format!("{topic}-0"))).unwrap();
    let mut found: Vec<String> = entries
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".log"))
        .collect();
    found.sort();
    found
}

fn kafkas_dump(libs: &Path, files: &[String]) -> String {
    let output = Command::new("java")
        .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(libs.join("*"))
        .args(["kafka.tools.DumpLogSegments", "--deep-iteration", "--files"])
        .arg(files.join(","))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
fn kafkas_tool_finds_every_batch_valid_and_agrees_with_ours() {
    let libs = match kafka_libs() {
        Ok(libs) => libs,
        Err(missing) => return eprintln!("kafka-dump-log is not asked: {missing}"),
    };
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("broker");
    let place = data_dir.to_str().unwrap();
    let segment_bytes = "log.segment.bytes=1048576";
    let broker = Server::start(&[
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        place,
        "--set",
        segment_bytes,
    ]);
    // Digits that compress, but not to nothing: several segments with each codec.
    let mut state = 1_u64;
    let mut number = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 11
    };
    let lines: String = (0..RECORDS)
        .map(|n| {
            format!(
                "key{n}:{}\n",
                (0..60).map(|_| format!("{:016x}", number())).collect::<String>()
            )
        })
        .collect();
    for codec in CODECS {
        let settings = [
            format!("compression.codec={codec}"),
            "enable.idempotence=true".into(),
            "batch.num.messages=100".into(),
        ];
        let mut arguments = vec![
            "cat",
            "-P",
            "-b",
            broker.get("bootstrap_servers"),
            "-t",
            codec,
            "-p",
            "0",
            "-K",
            ":",
            "-q",
        ];
        settings.iter().for_each(|setting| arguments.extend(["-X", setting]));
        ok_with_input(&arguments, &lines);
    }
    assert_eq!(broker.stop(), Some(0));

    for codec in CODECS {
        let files = segments(&data_dir, codec);
        assert!(files.len() > 1, "{codec}: {files:?}");
        let said = kafkas_dump(&libs, &files);
        let theirs: Vec<_> = said.lines().filter_map(Batch::parse).collect();
        let output = tickertape(&["log", "dump", "--data-dir", place, "--topic", codec])
            .output()
            .unwrap();
        let ours: Vec<_> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter_map(Batch::parse)
            .collect();
        assert_eq!(theirs, ours, "{codec}");
        let mut next = 0;
        for batch in &theirs {
            assert_eq!((batch.get("isvalid:"), batch.get("compresscodec:")), ("true", codec));
            assert_ne!(batch.get("producerId:"), "-1");
            assert_eq!(batch.get("baseOffset:"), next.to_string());
            next = batch.get("lastOffset:").parse::<usize>().unwrap() + 1;
        }
        assert_eq!(next, RECORDS, "{codec}");
        let records = said.lines().filter(|line| line.trim_start().starts_with("| offset: "));
        assert_eq!(records.count(), RECORDS, "{codec}: each record can be read");
    }
}
