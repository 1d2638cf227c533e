//! From a CSV to SQL, each part a process of its own.

use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Arguments, Server, eventually, ok, ok_with_input, signal, tickertape};

/// Broker and S3 server, and what points the commands at them.
struct Site {
    dir: TempDir,
    broker: Server,
    s3: Server,
}

impl Site {
    fn open() -> Site {
        let dir = tempfile::tempdir().unwrap();
        Site {
            broker: Server::broker(&dir),
            s3: Server::s3(&dir),
            dir,
        }
    }

    fn bootstrap(&self) -> &str {
        self.broker.get("bootstrap_servers")
    }

    fn endpoint(&self) -> &str {
        self.s3.get("endpoint")
    }

    fn consume(&self, topics: &[&str], more: &[&str]) -> Child {
        let arguments = Arguments::sink(topics, "s3://market/lake").at(self.bootstrap());
        let arguments = arguments.with(&["--s3-endpoint", self.endpoint()]).with(more);
        tickertape(&arguments.get())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The rows of a query, as JSON.
    fn sql(&self, query: &str) -> Vec<Value> {
        let rows = ok(&["sql", "--format", "json", "--s3-endpoint", self.endpoint(), query]);
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The one number of a query; `None` while there is no such table.
    fn number(&self, query: &str) -> Option<i64> {
        let arguments = ["sql", "--format", "csv", "--s3-endpoint", self.endpoint(), query];
        let output = tickertape(&arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().nth(1)?.parse().ok()
    }

    fn wait_for_rows(&self, table: &str, rows: i64) {
        let query = format!("SELECT count(*) FROM {table}");
        eventually(&format!("{rows} rows in {table}"), || {
            (self.number(&query)? >= rows).then_some(())
        });
    }

    fn verify(&self, topic: &str) -> Value {
        let verdict = ok(&[
            "verify",
            "--topic",
            topic,
            "--lake",
            "s3://market/lake",
            "--json",
            "-b",
            self.bootstrap(),
            "--s3-endpoint",
            self.endpoint(),
        ]);
        serde_json::from_str(&verdict).unwrap()
    }
}

fn stop(mut child: Child) {
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn days_of_ticks_add_up_to_their_bars() {
    let site = Site::open();
    let feed = Arguments::feed("ticks").with(&["--ticks-per-day", "500"]);
    ok(&feed.days("2012-06-01", "2012-06-06").at(site.bootstrap()).get());
    let sink = site.consume(&["ticks", "bars"], &[]);
    site.wait_for_rows("bars", 20);
    site.wait_for_rows("ticks", 10_000);
    stop(sink);
    let days = site.sql(
        "WITH t AS (SELECT symbol, date, first_value(price ORDER BY seq) AS open, max(price) AS high, min(price) AS low,
                           last_value(price ORDER BY seq) AS close, sum(size) AS volume FROM ticks GROUP BY symbol, date)
         SELECT count(*) AS n FROM bars b JOIN t ON t.symbol = b.symbol AND t.date = b.date
          AND t.open = b.open AND t.high = b.high AND t.low = b.low AND t.close = b.close AND t.volume = b.volume",
    );
    assert_eq!(days[0]["n"], 20);
    for topic in ["ticks", "bars"] {
        let verdict = site.verify(topic);
        assert_eq!(
            (&verdict["missing"], &verdict["doubled"], &verdict["different"]),
            (&0.into(), &0.into(), &0.into())
        );
    }
}

#[test]
fn the_other_shape_of_prices_works_unchanged() {
    let site = Site::open();
    let csv = site.dir.path().join("indexProcessed.csv");
    std::fs::write(
        &csv,
        "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD\n\
         HSI,1986-12-31,2568.300049,2568.300049,2568.300049,2568.300049,2568.300049,0.0,333.87900637\n\
         NYA,1986-12-31,140.1,141.5,139.9,141.0,141.0,0.0,141.0\n",
    )
    .unwrap();
    let feed = Arguments::feed("bars").with(&["--input", csv.to_str().unwrap()]);
    ok(&feed.at(site.bootstrap()).get());
    let sink = site.consume(&["bars"], &["--format", "json"]);
    site.wait_for_rows("bars", 2);
    stop(sink);
    let rows = site.sql("SELECT symbol, close, close_usd, volume, dt FROM bars ORDER BY symbol");
    assert_eq!(rows[0]["symbol"], "HSI");
    assert_eq!(rows[0]["close_usd"], 333.87900637);
    assert_eq!(rows[0]["dt"], "1986-12-31");
    assert_eq!(rows[1]["symbol"], "NYA");
}

#[test]
fn what_is_not_an_object_is_set_aside_and_the_rest_arrives() {
    let site = Site::open();
    let messages = "{\"symbol\":\"A\",\"date\":\"2012-06-01\",\"price\":1.5}\nnot json\n[1]\n{\"symbol\":\"B\",\"date\":\"2012-06-02\",\"price\":2}\n";
    ok_with_input(
        &["cat", "-P", "-b", site.bootstrap(), "-t", "mixed", "-p", "0", "-q"],
        messages,
    );
    let sink = site.consume(&["mixed"], &[]);
    site.wait_for_rows("mixed", 2);
    stop(sink);
    let rows = site.sql("SELECT symbol, price, _offset, dt FROM mixed ORDER BY _offset");
    assert_eq!(
        rows.iter()
            .map(|row| row["_offset"].as_i64().unwrap())
            .collect::<Vec<_>>(),
        [0, 3]
    );
    assert_eq!(rows[1]["dt"], "2012-06-02");
    let verdict = site.verify("mixed");
    assert_eq!(verdict["rejected"], 2);
}

#[test]
fn verify_names_a_missing_row() {
    let site = Site::open();
    let line = |n: i32| format!("{{\"n\":{n},\"date\":\"2012-06-01\"}}\n");
    ok_with_input(
        &["cat", "-P", "-b", site.bootstrap(), "-t", "short", "-p", "0", "-q"],
        &(line(1) + &line(2)),
    );
    let sink = site.consume(&["short"], &[]);
    site.wait_for_rows("short", 2);
    stop(sink);
    ok_with_input(
        &["cat", "-P", "-b", site.bootstrap(), "-t", "short", "-p", "0", "-q"],
        &line(3),
    );
    let output = tickertape(&[
        "verify",
        "--topic",
        "short",
        "--lake",
        "s3://market/lake",
        "-b",
        site.bootstrap(),
        "--s3-endpoint",
        site.endpoint(),
    ])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("short-0 offset 2: missing") && said.contains("1 missing"),
        "{said}"
    );
}

#[test]
fn a_sink_that_is_killed_loses_and_doubles_nothing() {
    let site = Site::open();
    for round in 0..3 {
        let from = format!("2012-06-{:02}", 4 + round);
        let feed = Arguments::feed("ticks").with(&["--ticks-per-day", "1000"]);
        ok(&feed.days(&from, &from).at(site.bootstrap()).get());
        // A killed member keeps its partitions until its session is over.
        let mut sink = site.consume(&["ticks"], &["--max-records", "700", "-X", "session.timeout.ms=6000"]);
        if round < 2 {
            // Killed as soon as it has shown the first of this round's rows, in the middle of the others.
            site.wait_for_rows("ticks", 5000 * round + 1);
            sink.kill().unwrap();
            sink.wait().unwrap();
        } else {
            site.wait_for_rows("ticks", 15_000);
            stop(sink);
        }
    }
    let verdict = site.verify("ticks");
    assert_eq!(verdict["records"], 15_000);
    assert_eq!(verdict["rows"], 15_000);
}

#[test]
fn a_store_and_a_broker_that_go_away_are_waited_for() {
    let mut site = Site::open();
    let produce = |broker: &Server, day: &str| {
        let feed = Arguments::feed("ticks").with(&["--ticks-per-day", "300"]);
        ok(&feed.days(day, day).at(broker.get("bootstrap_servers")).get());
    };
    produce(&site.broker, "2012-06-04");
    let sink = site.consume(&["ticks"], &[]);
    site.wait_for_rows("ticks", 1500);

    let restart = site.s3.kill_for_restart();
    produce(&site.broker, "2012-06-05");
    site.s3 = restart();
    site.wait_for_rows("ticks", 3000);

    site.broker = site.broker.kill_for_restart()();
    produce(&site.broker, "2012-06-06");
    site.wait_for_rows("ticks", 4500);
    stop(sink);
    let verdict = site.verify("ticks");
    assert_eq!((&verdict["records"], &verdict["rows"]), (&4500.into(), &4500.into()));
}

#[test]
fn the_crawler_finds_what_the_sink_wrote() {
    let site = Site::open();
    let feed = Arguments::feed("bars").days("2012-06-01", "2012-06-05");
    ok(&feed.at(site.bootstrap()).get());
    let sink = site.consume(&["bars"], &[]);
    site.wait_for_rows("bars", 15);
    stop(sink);
    let report = ok(&["crawl", "--lake", "s3://market/lake", "--s3-endpoint", site.endpoint()]);
    assert!(report.contains("bars"), "{report}");
    assert_eq!(site.number("SELECT count(*) FROM bars"), Some(15));
}
