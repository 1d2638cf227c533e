//! `tickertape log` on what a broker wrote.

use std::path::PathBuf;

use crate::support::{Server, fails, ok, ok_with_input, tickertape};

const RECORDS: usize = 200;

/// A data directory with one topic, its broker stopped; and its one segment.
fn filled(dir: &tempfile::TempDir) -> (String, PathBuf) {
    let broker = Server::broker(dir);
    let lines: String = (0..RECORDS).map(|n| format!("key{n}:value {n}\n")).collect();
    let bootstrap = broker.get("bootstrap_servers").to_owned();
    let arguments = ["cat", "-P", "-b", &bootstrap, "-t", "kept", "-p", "0", "-K", ":", "-q"];
    ok_with_input(&[&arguments[..], &["-X", "batch.num.messages=20"]].concat(), &lines);
    let data_dir = broker.get("data_dir").to_owned();
    assert_eq!(broker.stop(), Some(0));
    let segment = PathBuf::from(&data_dir).join("kept-0/00000000000000000000.log");
    (data_dir, segment)
}

#[test]
fn batches_and_records_are_printed_as_kafkas_tool_does() {
    let dir = tempfile::tempdir().unwrap();
    let (data_dir, _) = filled(&dir);
    let batches = ok(&["log", "dump", "--data-dir", &data_dir, "--topic", "kept"]);
    let counts = batches.lines().filter(|line| line.starts_with("baseOffset: "));
    let counts = counts.map(|line| {
        assert!(
            line.ends_with(" isvalid: true") && line.contains(" magic: 2 "),
            "{line}"
        );
        let count = line.split(" count: ").nth(1).unwrap().split(' ').next().unwrap();
        count.parse::<usize>().unwrap()
    });
    assert_eq!(counts.sum::<usize>(), RECORDS);
    let records = ok(&["log", "dump", "--data-dir", &data_dir, "--partition", "0", "--records"]);
    let records: Vec<_> = records.lines().filter(|line| line.starts_with("| offset: ")).collect();
    assert_eq!(records.len(), RECORDS);
    assert!(records[7].starts_with("| offset: 7 CreateTime: "), "{}", records[7]);
    assert!(
        records[7].ends_with(" headerKeys: [] key: key7 payload: value 7"),
        "{}",
        records[7]
    );
}

#[test]
fn damage_is_named_by_file_byte_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (data_dir, segment) = filled(&dir);
    let whole = ok(&["log", "verify", "--data-dir", &data_dir]);
    assert!(
        whole.contains(&format!("{RECORDS} records, 0 segments damaged")),
        "{whole}"
    );
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let output = tickertape(&["log", "verify", "--data-dir", &data_dir])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let named = format!("{}: damaged at byte ", segment.display());
    assert!(said.contains(&named) && said.contains("CRC"), "{said}");
    let dumped = ok(&["log", "dump", "--data-dir", &data_dir]);
    assert!(dumped.lines().last().unwrap().ends_with("isvalid: false"), "{dumped}");
}

#[test]
fn without_the_metadata_store_all_records_are_back() {
    let dir = tempfile::tempdir().unwrap();
    let (data_dir, _) = filled(&dir);
    std::fs::remove_dir_all(PathBuf::from(&data_dir).join("metadata.sled")).unwrap();
    let said = ok(&["log", "rebuild", "--data-dir", &data_dir]);
    assert!(
        said.contains(&format!("kept-0: 1 segments, offsets 0 to {RECORDS}")),
        "{said}"
    );
    let broker = Server::broker(&dir);
    let bootstrap = broker.get("bootstrap_servers");
    let (code, error) = fails(&["log", "rebuild", "--data-dir", &data_dir]);
    assert!(code == 1 && error.contains("in use"), "{code}: {error}");
    let read = ok(&["cat", "-C", "-b", bootstrap, "-t", "kept", "-e", "-q"]);
    let expected: Vec<String> = (0..RECORDS).map(|n| format!("value {n}")).collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_directory_or_topic_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (code, error) = fails(&["log", "verify", "--data-dir", "/nowhere/data"]);
    assert!(code == 2 && error.contains("/nowhere/data"), "{code}: {error}");
    let (data_dir, _) = filled(&dir);
    let (code, error) = fails(&["log", "dump", "--data-dir", &data_dir, "--topic", "kep"]);
    assert!(code == 2 && error.contains("\"kept\""), "{code}: {error}");
}
