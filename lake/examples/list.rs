//! What a page of a listing costs in a bucket of a million objects, over the embedded server:
//! `cargo run --release -p tickertape-lake --example list -- [OBJECTS]`.
//!
//! Prints a line per kind of page: at random places, the first and the last, with a delimiter over folders of a thousand
//! keys, and with one over nearly all keys of the bucket; then how long starts after a clean stop and after a killed one
//! take, the latter looking for files that nobody names.

use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use futures::stream::{self, StreamExt, TryStreamExt};
use tickertape_client::s3::S3Options;
use tickertape_lake::s3::{Server, ServerConfig};

const BUCKET: &str = "list";
const FOLDER: u64 = 1_000;
const CONCURRENT_PUTS: usize = 64;
const PAGES: u64 = 200;

fn key(number: u64) -> String {
    format!("lake/p={:06}/{:06}.parquet", number / FOLDER, number % FOLDER)
}

async fn page(client: &Client, prefix: &str, delimiter: &str, after: &str) -> anyhow::Result<(usize, Duration)> {
    let started = Instant::now();
    let page = client
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix(prefix)
        .start_after(after);
    let page = page.delimiter(delimiter).send().await?;
    Ok((page.contents().len() + page.common_prefixes().len(), started.elapsed()))
}

/// The median and the 99th percentile of many pages.
async fn pages(client: &Client, what: &str, of: impl Fn(u64) -> (String, &'static str, String)) -> anyhow::Result<()> {
    let mut took = Vec::new();
    let mut entries = 0;
    for number in 0..PAGES {
        let (prefix, delimiter, after) = of(number);
        let (found, elapsed) = page(client, &prefix, delimiter, &after).await?;
        entries += found as u64;
        took.push(elapsed);
    }
    took.sort_unstable();
    let at = |percent: usize| took[took.len() * percent / 100].as_secs_f64() * 1000.0;
    println!("| {what} | {} | {:.2} | {:.2} |", entries / PAGES, at(50), at(99));
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let objects: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let server = Server::start(ServerConfig::new(dir.path())).await?;
    server.ensure_bucket(BUCKET).await?;
    let client = S3Options::at(server.endpoint_url()).client().await?;
    let started = Instant::now();
    let outside = ["a".to_owned(), "z".to_owned()];
    stream::iter((0..objects).map(key).chain(outside))
        .map(|key| {
            let put = client.put_object().bucket(BUCKET).key(key);
            async move { put.body(vec![7; 100].into()).send().await.map(drop) }
        })
        .buffer_unordered(CONCURRENT_PUTS)
        .try_collect::<()>()
        .await?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{objects} objects put in {seconds:.0} s ({:.0} a second)",
        objects as f64 / seconds
    );
    println!("| page | entries | p50, ms | p99, ms |\n|---|---|---|---|");
    // Spread over the whole bucket, in no order.
    let random = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % objects;
    pages(&client, "at a random place", |n| (String::new(), "", key(random(n)))).await?;
    pages(&client, "the first", |_| (String::new(), "", String::new())).await?;
    pages(&client, "the last", |_| {
        (String::new(), "", key(objects - FOLDER.min(objects)))
    })
    .await?;
    pages(&client, "folders, a thousand keys each", |n| {
        let after = format!("{}~", key(random(n)));
        ("lake/".to_owned(), "/", after)
    })
    .await?;
    pages(&client, "three entries, one over all keys", |_| {
        (String::new(), "/", String::new())
    })
    .await?;
    pages(&client, "a folder by its prefix", |n| {
        (format!("lake/p={:06}/", random(n) / FOLDER), "/", String::new())
    })
    .await?;
    server.shutdown().await?;
    for what in ["a clean stop", "none"] {
        let started = Instant::now();
        let server = Server::start(ServerConfig::new(dir.path())).await?;
        println!("start after {what}: {:.2} s", started.elapsed().as_secs_f64());
        // Dropped, it stops without saying so in its index: the next one looks for orphans.
        drop(server);
        wait_until_free(dir.path()).await?;
    }
    Ok(())
}

/// Waits until nobody holds the directory.
async fn wait_until_free(dir: &std::path::Path) -> anyhow::Result<()> {
    let lock = std::fs::File::open(dir.join("LOCK"))?;
    while lock.try_lock().is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(lock.unlock()?)
}
