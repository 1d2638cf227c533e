//! How fast SQL is on a million rows in four hundred files, over the embedded server:
//! `cargo run --release -p tickertape-lake --example million`.
//!
//! Prints a line per query: the first run, with nothing cached, then the median of the next ones.

#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the tests, which use more of it, and where a failure may panic"
)]
#[path = "../tests/it/lake.rs"]
mod lake;

use std::time::{Duration, Instant};

use tickertape_client::s3::S3Options;
use tickertape_lake::s3::{Server, ServerConfig};
use tickertape_lake::sql::{Engine, S3Connection};

const BUCKET: &str = "lake";
const RUNS: usize = 7;

const QUERIES: [(&str, &str); 7] = [
    ("count(*)", "select count(*) from ticks"),
    (
        "one day's OHLCV",
        "select symbol, min_by(price, event_time), max(price), min(price), max_by(price, event_time), sum(size)
         from ticks where dt = '2012-02-01' group by symbol",
    ),
    (
        "OHLCV of all days",
        "select dt, symbol, min_by(price, event_time), max(price), min(price), max_by(price, event_time), sum(size)
         from ticks group by dt, symbol",
    ),
    (
        "VWAP of all days",
        "select symbol, sum(price * size) / sum(size) from ticks group by symbol",
    ),
    (
        "distinct",
        "select count(distinct seq), count(distinct symbol) from ticks",
    ),
    ("one row by seq", "select * from ticks where seq = 654321"),
    (
        "newest ten",
        "select * from ticks order by dt desc, event_time desc limit 10",
    ),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(ServerConfig::new(dir.path())).await?;
    server.ensure_bucket(BUCKET).await?;
    let options = S3Options::at(server.endpoint_url());
    let client = options.client().await?;
    let catalog = server.catalog();
    let ticks = lake::Ticks {
        rows: 1_000_000,
        files: 400,
        days: 100,
        symbols: 20,
    };
    let started = Instant::now();
    ticks.write(&client, catalog.as_ref(), BUCKET, "raw").await;
    println!(
        "{} rows in {} files: written in {:.2} s",
        ticks.rows,
        ticks.files,
        started.elapsed().as_secs_f64()
    );
    println!("| query | first, ms | again, ms | rows | files | bytes decoded |");
    println!("|---|---|---|---|---|---|");
    for (name, sql) in QUERIES {
        let engine = Engine::new(server.catalog(), S3Connection::from_options(&options).await?);
        let first = engine.query(sql).await?;
        let mut again = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            again.push(engine.query(sql).await?.elapsed);
        }
        again.sort_unstable();
        let ms = |elapsed: Duration| elapsed.as_secs_f64() * 1000.0;
        println!(
            "| {name} | {:.1} | {:.1} | {} | {} | {} |",
            ms(first.elapsed),
            ms(again[RUNS / 2]),
            first.rows,
            first.files,
            first.bytes
        );
    }
    server.shutdown().await?;
    Ok(())
}
