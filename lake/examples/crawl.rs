//! How long the crawler takes for a hundred thousand objects in a thousand partitions, over the embedded server:
//! `cargo run --release -p tickertape-lake --example crawl`.
//!
//! Prints a line per crawl: the first, one of a lake in which nothing has changed, and one with a new object.

use std::time::Instant;

use futures::stream::{self, StreamExt, TryStreamExt};
use tickertape_client::s3::{S3Options, S3Url};
use tickertape_lake::crawl::{CrawlSettings, crawl};
use tickertape_lake::s3::{Server, ServerConfig};

const BUCKET: &str = "lake";
const PARTITIONS: u32 = 1_000;
const OBJECTS: u32 = 100;
const CONCURRENT_PUTS: usize = 32;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(ServerConfig::new(dir.path())).await?;
    server.ensure_bucket(BUCKET).await?;
    let client = S3Options::at(server.endpoint_url()).client().await?;
    let (catalog, lake): (_, S3Url) = (server.catalog(), format!("s3://{BUCKET}/raw").parse()?);
    let put = |partition: u32, object: u32| {
        let body = format!("{{\"n\":{object},\"name\":\"p{partition}\",\"price\":1.5}}\n");
        let key = format!("raw/ticks/p={partition:04}/{object:06}.jsonl");
        let put = client.put_object().bucket(BUCKET).key(key);
        async move { put.body(body.into_bytes().into()).send().await.map(drop) }
    };
    let started = Instant::now();
    let all = (0..PARTITIONS).flat_map(|partition| (0..OBJECTS).map(move |object| (partition, object)));
    stream::iter(all)
        .map(|(partition, object)| put(partition, object))
        .buffer_unordered(CONCURRENT_PUTS)
        .try_collect::<()>()
        .await?;
    println!(
        "{} objects in {PARTITIONS} partitions put in {:.1} s",
        PARTITIONS * OBJECTS,
        started.elapsed().as_secs_f64()
    );
    for what in ["the first time", "again", "with one object more"] {
        if what == "with one object more" {
            put(0, OBJECTS).await?;
        }
        let started = Instant::now();
        let report = crawl(&client, catalog.as_ref(), &lake, &CrawlSettings::default()).await?;
        let read: u64 = report.tables.iter().map(|table| table.objects_read).sum();
        let seconds = started.elapsed().as_secs_f64();
        println!("{what}: {seconds:.2} s, {read} objects read");
    }
    server.shutdown().await?;
    Ok(())
}
