//! The swap: the same binary, from feed to SQL, with each of its four neighbours being ours or somebody else's.
//!
//! Every cell of the table is a test that produces, consumes, queries and verifies by processes of their own, and differs from
//! its neighbours by options and environment alone. moto plays S3 and Glue: it keeps what it is given. It runs no query, so of
//! Athena a cell shows that the query is asked and the answer read as Athena's API wants it, with rows laid up beforehand;
//! the rows themselves are counted by DataFusion in every cell.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tickertape_judge::apache::ApacheKafka;

use crate::moto::Moto;
use crate::support::{Arguments, Server, eventually, signal, tickertape};

/// The rows of each cell: two days of five symbols.
const TICKS: i64 = 1000;
const BARS: i64 = 10;

#[derive(Clone, Copy, PartialEq)]
enum Broker {
    Ours,
    Apache,
}

#[derive(Clone, Copy, PartialEq)]
enum Store {
    Ours,
    Moto,
}

#[derive(Clone, Copy, PartialEq)]
enum Catalog {
    Local,
    Glue,
}

#[derive(Clone, Copy, PartialEq)]
enum Engine {
    DataFusion,
    Athena,
}

macro_rules! cells {
    ($needs:tt $($name:ident: $broker:ident, $store:ident, $catalog:ident, $engine:ident;)*) => {
        $(
            #[test]
            # $needs
            fn $name() {
                Cell {
                    name: stringify!($name),
                    broker: Broker::$broker,
                    store: Store::$store,
                    catalog: Catalog::$catalog,
                    engine: Engine::$engine,
                }
                .run();
            }
        )*
    };
}

cells! {
    [doc = "Nothing but the binary."]
    ours_ours_local_datafusion:   Ours,   Ours, Local, DataFusion;
}
cells! {
    [cfg_attr(not(moto), ignore = "moto is not here: TICKERTAPE_PYTHON names a Python with moto[server]")]
    ours_ours_local_athena:       Ours,   Ours, Local, Athena;
    ours_ours_glue_datafusion:    Ours,   Ours, Glue,  DataFusion;
    ours_ours_glue_athena:        Ours,   Ours, Glue,  Athena;
    ours_moto_local_datafusion:   Ours,   Moto, Local, DataFusion;
    ours_moto_local_athena:       Ours,   Moto, Local, Athena;
    ours_moto_glue_datafusion:    Ours,   Moto, Glue,  DataFusion;
    ours_moto_glue_athena:        Ours,   Moto, Glue,  Athena;
}
cells! {
    [cfg_attr(not(apache_kafka), ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17")]
    apache_ours_local_datafusion: Apache, Ours, Local, DataFusion;
}
cells! {
    [cfg_attr(not(all(apache_kafka, moto)), ignore = "Apache Kafka or moto is not here")]
    apache_ours_local_athena:     Apache, Ours, Local, Athena;
    apache_ours_glue_datafusion:  Apache, Ours, Glue,  DataFusion;
    apache_ours_glue_athena:      Apache, Ours, Glue,  Athena;
    apache_moto_local_datafusion: Apache, Moto, Local, DataFusion;
    apache_moto_local_athena:     Apache, Moto, Local, Athena;
    apache_moto_glue_datafusion:  Apache, Moto, Glue,  DataFusion;
    apache_moto_glue_athena:      Apache, Moto, Glue,  Athena;
}

struct Cell {
    /// Also the prefix of everything that the cell makes, since Apache Kafka and moto are shared.
    name: &'static str,
    broker: Broker,
    store: Store,
    catalog: Catalog,
    engine: Engine,
}

impl Cell {
    fn run(&self) {
        let dir = tempfile::tempdir().unwrap();
        let broker = (self.broker == Broker::Ours).then(|| Server::broker(&dir));
        let s3 = (self.store == Store::Ours || self.catalog == Catalog::Local).then(|| Server::s3(&dir));
        let ours = s3.as_ref().map(|server| server.get("endpoint"));
        let wants_moto = self.store == Store::Moto || self.catalog == Catalog::Glue || self.engine == Engine::Athena;
        let site = Site {
            moto: wants_moto.then(moto),
            kafka: match &broker {
                Some(server) => server.get("bootstrap_servers").to_owned(),
                None => ApacheKafka::shared().unwrap().bootstrap_servers().to_owned(),
            },
            lake: format!("s3://market/{}", self.name),
            store: match self.store {
                Store::Ours => ours.unwrap().to_owned(),
                Store::Moto => moto().url(),
            },
            catalog: match self.catalog {
                Catalog::Local => ours.unwrap().to_owned(),
                Catalog::Glue => "glue".to_owned(),
            },
        };
        let (ticks, bars) = (format!("{}_ticks", self.name), format!("{}_bars", self.name));
        let feed = Arguments::feed("ticks")
            .days("2012-06-01", "2012-06-04")
            .at(&site.kafka);
        let feed = feed.with(&["--ticks-per-day", "100", "--partitions", "2"]);
        site.ok(&feed.with(&["--topic", &ticks, "--bars-topic", &bars]).get());

        let sink = Arguments::sink(&[&ticks, &bars], &site.lake).at(&site.kafka);
        let sink = sink.with(&site.lake_options());
        let mut sink = site
            .command(&sink.get())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for (table, rows) in [(&ticks, TICKS), (&bars, BARS)] {
            eventually(&format!("{rows} rows in {table}"), || {
                (site.count(table)? == rows).then_some(())
            });
        }
        signal(sink.id(), "TERM");
        assert_eq!(sink.wait().unwrap().code(), Some(0));

        if self.engine == Engine::Athena {
            site.count_by_athena(&ticks);
        }
        for (topic, rows) in [(&ticks, TICKS), (&bars, BARS)] {
            let verify = [
                "verify",
                "--topic",
                topic,
                "--lake",
                &site.lake,
                "--json",
                "-b",
                &site.kafka,
            ];
            let verdict = site.ok(&[&verify[..], &site.lake_options()].concat());
            let verdict: Value = serde_json::from_str(&verdict).unwrap();
            assert_eq!(
                (&verdict["records"], &verdict["rows"]),
                (&rows.into(), &rows.into()),
                "{verdict}"
            );
        }
    }
}

/// Where the parts of a cell are.
struct Site {
    moto: Option<&'static Moto>,
    kafka: String,
    lake: String,
    store: String,
    catalog: String,
}

impl Site {
    /// The binary; where moto is, with the environment that leads an AWS tool to it.
    fn command(&self, arguments: &[&str]) -> Command {
        match self.moto {
            Some(moto) => moto.tickertape(arguments),
            None => tickertape(arguments),
        }
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tickertape {}: {said}", arguments.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    fn lake_options(&self) -> [&str; 4] {
        ["--s3-endpoint", &self.store, "--catalog", &self.catalog]
    }

    /// `None` while there is no such table.
    fn count(&self, table: &str) -> Option<i64> {
        let query = format!("SELECT count(*) AS n FROM {table}");
        let sql = [&["sql", "--format", "csv", &query][..], &self.lake_options()].concat();
        let output = self.command(&sql).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().nth(1)?.parse().ok()
    }

    fn count_by_athena(&self, table: &str) {
        let rows = TICKS.to_string();
        let laid_up = [vec![Some("n")], vec![Some(rows.as_str())]];
        moto().next_result(&[("n", "bigint", 19, 0)], &laid_up);
        let query = format!("SELECT count(*) AS n FROM {table}");
        let sql = [
            "sql",
            "--engine",
            "athena",
            "--output",
            "s3://market/results",
            "--format",
            "csv",
            &query,
        ];
        assert_eq!(self.ok(&sql).lines().nth(1), Some(rows.as_str()));
    }
}

/// The one of all cells, with its bucket. It ends with this process.
fn moto() -> &'static Moto {
    static SHARED: OnceLock<Moto> = OnceLock::new();
    SHARED.get_or_init(|| {
        let moto = Moto::start();
        moto.make_bucket("market");
        moto
    })
}
