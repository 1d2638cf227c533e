//! `tickertape broker` and `tickertape s3` as processes: ready lines, clean stops, `kill -9`, directories in use.

use serde_json::Value;

use crate::support::{Server, fails, ok, ok_with_input};

#[test]
fn a_broker_says_where_it_is_and_stops_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let bootstrap = broker.get("bootstrap_servers").to_owned();
    assert!(
        bootstrap.starts_with("127.0.0.1:") && !bootstrap.ends_with(":0"),
        "{bootstrap}"
    );
    assert_eq!(broker.ready["pid"], broker.pid());
    assert!(broker.get("data_dir").ends_with("broker"));
    assert_eq!(ok(&["topic", "list", "-b", &bootstrap]), "");
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected: Vec<String> = Vec::new();
    for round in 0..3 {
        let broker = Server::broker(&dir);
        let bootstrap = broker.get("bootstrap_servers").to_owned();
        let lines: Vec<String> = (0..500).map(|n| format!("round {round} message {n}")).collect();
        ok_with_input(
            &["cat", "-P", "-b", &bootstrap, "-t", "kept", "-p", "0", "-q"],
            &(lines.join("\n") + "\n"),
        );
        expected.extend(lines);
        let read = ok(&["cat", "-C", "-b", &bootstrap, "-t", "kept", "-e", "-q"]);
        assert_eq!(read.lines().collect::<Vec<_>>(), expected);
        if round == 1 {
            assert_eq!(broker.stop(), Some(0))
        } else {
            broker.kill()
        }
    }
    let broker = Server::broker(&dir);
    let read = ok(&[
        "cat",
        "-C",
        "-b",
        broker.get("bootstrap_servers"),
        "-t",
        "kept",
        "-e",
        "-q",
    ]);
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_group_goes_on_where_it_stopped_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let bootstrap = broker.get("bootstrap_servers").to_owned();
    ok_with_input(
        &["cat", "-P", "-b", &bootstrap, "-t", "shared", "-q"],
        "one\ntwo\nthree\n",
    );
    let first = ok(&["cat", "-G", "readers", "-b", &bootstrap, "-c", "2", "-q", "shared"]);
    assert_eq!(first.lines().count(), 2);
    broker.kill();
    let broker = Server::broker(&dir);
    let rest = ok(&[
        "cat",
        "-G",
        "readers",
        "-b",
        broker.get("bootstrap_servers"),
        "-c",
        "1",
        "-q",
        "shared",
    ]);
    assert_eq!(rest.trim(), "three");
}

#[test]
fn a_taken_port_and_a_directory_in_use_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let other = tempfile::tempdir().unwrap();
    let other = other.path().to_str().unwrap();
    let bootstrap = broker.get("bootstrap_servers");
    let (code, error) = fails(&["broker", "--listen", bootstrap, "--data-dir", other]);
    assert!(error.contains(bootstrap) && error.contains(":0"), "{code}: {error}");
    let in_use = broker.get("data_dir");
    let (_, error) = fails(&["broker", "--listen", "127.0.0.1:0", "--data-dir", in_use]);
    assert!(error.contains(in_use), "{error}");

    let s3 = Server::s3(&dir);
    let address = s3.get("endpoint").trim_start_matches("http://");
    let (code, error) = fails(&["s3", "--listen", address, "--data-dir", other]);
    assert!(error.contains(address) && error.contains(":0"), "{code}: {error}");
    let in_use = s3.get("data_dir");
    let (_, error) = fails(&["s3", "--listen", "127.0.0.1:0", "--data-dir", in_use]);
    assert!(error.contains(in_use), "{error}");
    assert_eq!(s3.stop(), Some(0));
}

#[test]
fn topics_are_created_described_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let bootstrap = broker.get("bootstrap_servers").to_owned();
    ok(&[
        "topic",
        "create",
        "ticks",
        "--partitions",
        "3",
        "--config",
        "retention.ms=60000",
        "-b",
        &bootstrap,
    ]);
    let described = ok(&["topic", "describe", "ticks", "-b", &bootstrap]);
    assert!(
        described.contains("PartitionCount: 3") && described.contains("retention.ms=60000"),
        "{described}"
    );
    let (code, error) = fails(&["topic", "create", "ticks", "-b", &bootstrap]);
    assert_eq!(code, 2, "{error}");
    assert_eq!(ok(&["topic", "list", "-b", &bootstrap]), "ticks\n");
    ok(&["topic", "delete", "ticks", "-b", &bootstrap]);
    assert_eq!(ok(&["topic", "list", "-b", &bootstrap]), "");
}

#[test]
fn cat_lists_and_looks_up_times() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let bootstrap = broker.get("bootstrap_servers").to_owned();
    ok_with_input(
        &[
            "cat", "-P", "-b", &bootstrap, "-t", "times", "-p", "0", "-K", ":", "-H", "a=b", "-q",
        ],
        "k:v\n",
    );
    let listed: Value = serde_json::from_str(&ok(&["cat", "-L", "-J", "-b", &bootstrap])).unwrap();
    assert_eq!(listed["brokers"][0]["name"], bootstrap);
    let message: Value = serde_json::from_str(&ok(&[
        "cat", "-C", "-b", &bootstrap, "-t", "times", "-p", "0", "-c", "1", "-J", "-q",
    ]))
    .unwrap();
    assert_eq!(
        (&message["key"], &message["payload"]),
        (&Value::from("k"), &Value::from("v"))
    );
    assert_eq!(message["headers"], serde_json::json!(["a", "b"]));
    let asked = format!("times:0:{}", message["ts"]);
    assert_eq!(
        ok(&["cat", "-Q", "-b", &bootstrap, "-t", &asked]).trim(),
        "times [0] offset 0"
    );
}
