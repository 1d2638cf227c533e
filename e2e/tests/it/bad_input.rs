//! What a user gets who asks for what cannot be: the thing named, the nearest suggested, exit code 2.

use crate::support::{Server, fails, ok, ok_with_input};

#[test]
fn an_unknown_file_column_or_property_is_named() {
    let (code, error) = fails(&["produce", "--input", "/nowhere/prices.csv"]);
    assert!(code == 2 && error.contains("/nowhere/prices.csv"), "{code}: {error}");

    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("prices.csv");
    std::fs::write(&csv, "Ticker,Date,Open,High,Low,Closing\nA,2012-01-03,1,2,1,2\n").unwrap();
    let csv = csv.to_str().unwrap();
    let (code, error) = fails(&["produce", "--feed", "bars", "--input", csv, "--columns", "close=Closin"]);
    assert!(
        code == 2 && error.contains("Closin") && error.contains("Closing"),
        "{code}: {error}"
    );

    let (code, error) = fails(&["produce", "-X", "compresion.codec=lz4"]);
    assert!(
        code == 2 && error.contains("compresion.codec") && error.contains("compression.codec"),
        "{code}: {error}"
    );

    let (code, error) = fails(&["produce", "-X", "acks=several"]);
    assert!(code == 2 && error.contains("acks"), "{code}: {error}");
}

#[test]
fn a_bad_row_is_named_by_line_column_and_value() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let csv = dir.path().join("prices.csv");
    std::fs::write(
        &csv,
        "Ticker,Date,Open,High,Low,Close,Volume\nA,2012-01-03,1,2,1,2,10\nA,2012-01-04,1,2,one,2,10\n",
    )
    .unwrap();
    let arguments = [
        "produce",
        "--feed",
        "bars",
        "--rate",
        "max",
        "--input",
        csv.to_str().unwrap(),
        "-b",
        broker.get("bootstrap_servers"),
    ];
    let (_, error) = fails(&arguments);
    assert!(
        error.contains('3') && error.contains("Low") && error.contains("one"),
        "{error}"
    );
    let said = ok(&[&arguments[..], &["--on-bad-row", "skip"]].concat());
    assert!(said.contains("1 bad row"), "{said}");
}

#[test]
fn an_unknown_topic_bucket_or_table_suggests_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let s3 = Server::s3(&dir);
    let (bootstrap, endpoint) = (broker.get("bootstrap_servers"), s3.get("endpoint"));
    ok(&["topic", "create", "ticks", "-b", bootstrap]);
    for arguments in [
        &["cat", "-C", "-t", "tick", "-e", "-b", bootstrap][..],
        &["topic", "describe", "tick", "-b", bootstrap],
        &["topic", "delete", "tick", "-b", bootstrap],
        &[
            "verify",
            "--topic",
            "tick",
            "--lake",
            "s3://market/lake",
            "-b",
            bootstrap,
            "--s3-endpoint",
            endpoint,
        ],
        &[
            "consume",
            "--topic",
            "tick",
            "--to",
            "s3://market/lake",
            "-b",
            bootstrap,
            "--s3-endpoint",
            endpoint,
        ],
    ] {
        let (code, error) = fails(arguments);
        assert!(
            code == 2 && error.contains("tick") && error.contains("ticks"),
            "{}: {code}: {error}",
            arguments.join(" ")
        );
    }
    let (code, error) = fails(&[
        "consume",
        "--topic",
        "ticks",
        "--to",
        "s3://markt/lake",
        "-b",
        bootstrap,
        "--s3-endpoint",
        endpoint,
    ]);
    assert!(
        code == 2 && error.contains("markt") && error.contains("market"),
        "{code}: {error}"
    );
    let (code, error) = fails(&["sql", "--s3-endpoint", endpoint, "SELECT 1 FROM nothing"]);
    assert!(code == 2 && error.contains("nothing"), "{code}: {error}");
    let (code, error) = fails(&["sql", "--s3-endpoint", endpoint, "SELEC 1"]);
    assert!(code == 2 && error.contains("SELEC"), "{code}: {error}");
}

#[test]
fn a_broker_that_stays_away_is_waited_for_and_then_given_up() {
    let (code, error) = fails(&["produce", "-b", "127.0.0.1:1", "--timeout", "2s"]);
    assert!(code == 1 && error.contains("127.0.0.1:1"), "{code}: {error}");
    let (code, error) = fails(&[
        "consume",
        "--topic",
        "t",
        "--to",
        "s3://b/p",
        "-b",
        "127.0.0.1:1",
        "--timeout",
        "2s",
        "--s3-endpoint",
        "http://127.0.0.1:1",
    ]);
    assert!(code == 1 && error.contains("127.0.0.1:1"), "{code}: {error}");
}

#[test]
fn a_message_that_is_too_large_gets_kafkas_error() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let bootstrap = broker.get("bootstrap_servers");
    ok(&[
        "topic",
        "create",
        "small",
        "--config",
        "max.message.bytes=1000",
        "-b",
        bootstrap,
    ]);
    let large = dir.path().join("large");
    std::fs::write(&large, "x".repeat(5000)).unwrap();
    let (_, error) = fails(&["cat", "-P", "-t", "small", "-b", bootstrap, large.to_str().unwrap()]);
    assert!(
        error.to_lowercase().contains("size too large") || error.contains("MessageSizeTooLarge"),
        "{error}"
    );
    // The connection and the topic live on.
    ok_with_input(&["cat", "-P", "-t", "small", "-b", bootstrap, "-q"], "short\n");
    assert_eq!(
        ok(&["cat", "-C", "-t", "small", "-b", bootstrap, "-e", "-q"]),
        "short\n"
    );
}

#[test]
fn an_unknown_broker_property_is_a_warning_and_a_bad_value_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, error) = fails(&[
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
        "--set",
        "num.partitions=many",
    ]);
    assert!(
        code == 2 && error.contains("num.partitions") && error.contains("many"),
        "{code}: {error}"
    );
}

#[test]
fn an_endpoint_that_is_no_url_is_named() {
    let (code, error) = fails(&[
        "consume",
        "--topic",
        "t",
        "--to",
        "s3://b/p",
        "--s3-endpoint",
        "localhost",
    ]);
    assert!(
        code == 2 && error.contains("--s3-endpoint localhost") && error.contains("http://"),
        "{code}: {error}"
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_asked() {
    for (arguments, named) in [
        (&["produce", "-b", "localhost:99999"][..], "localhost:99999"),
        (&["produce", "-b", "http://127.0.0.1:9092"], "http://"),
        (
            &["produce", "-X", "ssl.ca.location=/nowhere/ca.pem"],
            "/nowhere/ca.pem: No such file",
        ),
        (
            &["consume", "--topic", "t", "--to", "s3://b/p", "--memory", "1KiB"],
            "8 MiB",
        ),
        (&["consume", "--topic", "t", "--to", "s3://b/p/../q"], "s3://b/p/../q"),
        (&["bench", "--size", "0"], "1 to 1000000"),
        (&["bench", "--megabytes", "0"], "--megabytes"),
        (&["bench", "--only", "sink-memory", "--memory", "1KiB"], "8 MiB"),
        (&["bench", "--only", "sink-memory", "--memory", "much"], "a size"),
        (&["bench", "--only", "sink", "--events", "5"], "--events"),
        (&["produce", "--topic", "bad topic!"], "\"bad topic!\""),
        (&["produce", "--partitions", "3", "--topic", "."], "\".\""),
        (&["produce", "--feed", "ticks", "--bars-topic", "a/b"], "\"a/b\""),
        (
            &["consume", "--topic", "ticks,bad topic!", "--to", "s3://b/p"],
            "\"bad topic!\"",
        ),
        (&["topic", "create", "a b"], "letters, digits"),
        (&["s3", "--access-key-id", ""], "--access-key-id"),
    ] {
        let (code, error) = fails(arguments);
        assert!(
            code == 2 && error.contains(named),
            "{}: {code}: {error}",
            arguments.join(" ")
        );
    }
}

#[test]
fn an_address_that_is_none_is_named_once() {
    let dir = tempfile::tempdir().unwrap();
    let at = ["broker", "--data-dir", dir.path().to_str().unwrap()];
    for (arguments, named) in [
        (&["--listen", "127.0.0.1:99999"][..], "\"127.0.0.1:99999\""),
        (&["--listen", "127.0.0.1:0", "--advertise", "me"], "\"me\""),
    ] {
        let (code, error) = fails(&[&at[..], arguments].concat());
        let said_once = error.matches("expected HOST:PORT").count() == 1;
        assert!(code == 2 && said_once && error.contains(named), "{code}: {error}");
    }
}

#[test]
fn a_store_is_not_made_among_the_files_of_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let data_dir = broker.get("data_dir");
    let (code, error) = fails(&["s3", "--listen", "127.0.0.1:0", "--data-dir", data_dir]);
    assert!(
        code == 2 && error.contains(data_dir) && error.contains("something else"),
        "{code}: {error}"
    );
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let (code, error) = fails(&["s3", "--listen", "127.0.0.1:0", "--data-dir", file]);
    assert!(code == 2 && error.contains(file), "{code}: {error}");
}

#[test]
fn a_topic_that_cannot_be_made_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Server::broker(&dir);
    let bootstrap = broker.get("bootstrap_servers");
    for (arguments, named) in [
        (&["x", "--config", "retntion.ms=1"][..], "retntion.ms=1"),
        (&["x", "--replication-factor", "3"], "--replication-factor"),
    ] {
        let (code, error) = fails(&[&["topic", "create", "-b", bootstrap][..], arguments].concat());
        assert!(code == 2 && error.contains(named), "{arguments:?}: {code}: {error}");
    }
    for arguments in [
        &["cat", "-C", "-t", "bad topic!"][..],
        &["cat", "-P", "-t", "bad topic!"],
        &["cat", "-G", "readers", "bad topic!"],
        &["topic", "describe", "bad topic!"],
        &["topic", "delete", "bad topic!"],
        &["verify", "-t", "bad topic!", "--lake", "s3://market/lake"],
    ] {
        let (code, error) = fails(&[arguments, &["-b", bootstrap]].concat());
        let said = error.contains("no topic can be called \"bad topic!\"") && error.contains("letters, digits");
        assert!(code == 2 && said, "{arguments:?}: {code}: {error}");
    }
}
