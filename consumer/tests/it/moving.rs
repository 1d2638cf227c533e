//! A topic moves to another cluster, as docs/aws.md says: the topic made anew plays the one over there.

use tickertape_client::exit_code;
use tickertape_consumer::Format;

use crate::support::{Catalog, World, events};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_copied_and_deleted_is_not_written_again_and_the_lake_goes_on() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    let sink = world.sink(world.options(&["ticks"]), &catalog);
    world.produce("ticks", 0, &events(0..50)).await;
    sink.written(50).await;
    sink.stop().await.unwrap();

    // Over there are the copies of the last 20, under other offsets, and then nothing but what is new.
    world.delete_topic("ticks").await;
    world.topic("ticks", 1).await;
    world.produce("ticks", 0, &events(30..50)).await;
    world.delete_records("ticks", 0, 20).await;
    world.produce("ticks", 0, &events(50..60)).await;
    let mut options = world.options(&["ticks"]);
    options.epoch = 1;
    let sink = world.sink(options.clone(), &catalog);
    sink.written(10).await;
    let summary = sink.stop().await.unwrap();
    assert_eq!((summary.total().records, summary.lost), (10, 0));
    assert_eq!(world.keys("market/_ledger/ticks@1/0/").await.len(), 1);

    // A later start in the same epoch goes on behind it.
    let sink = world.sink(options, &catalog);
    world.produce("ticks", 0, &events(60..65)).await;
    sink.written(5).await;
    assert_eq!(sink.stop().await.unwrap().total().records, 5);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_begins_at_the_beginning_whatever_is_committed() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    let sink = world.sink(world.options(&["ticks"]), &catalog);
    world.produce("ticks", 0, &events(0..30)).await;
    sink.written(30).await;
    sink.stop().await.unwrap();
    world.delete_topic("ticks").await;
    world.topic("ticks", 1).await;
    world.produce("ticks", 0, &events(1_000..1_040)).await;
    // The group's offset is at the end of the old one, with the note of the epoch before.
    let mut options = world.options(&["ticks"]);
    options.epoch = 1;
    let sink = world.sink(options, &catalog);
    sink.written(40).await;
    assert_eq!(sink.stop().await.unwrap().total().records, 40);
    world.shutdown().await;
}

/// An epoch that would write what is written already, and another group in any of them.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_would_double_rows_is_refused_before_anything_is_claimed() {
    let world = World::new().await;
    world.topic("ticks", 2).await;
    let catalog = Catalog::default();
    let run = |epoch: u32, group: &str| {
        let mut options = world.options(&["ticks"]);
        options.epoch = epoch;
        options.group = group.to_owned();
        world.sink(options, &catalog)
    };
    let refused = async |epoch: u32, group: &str, expected: &str| {
        let before = world.keys("market/_ledger/").await;
        let error = run(epoch, group).ended().await.unwrap_err();
        assert!(
            error.to_string().contains(expected) && exit_code(&error) == 2,
            "{error:#}"
        );
        assert_eq!(world.keys("market/_ledger/").await, before);
    };
    let sink = run(0, "a");
    world.produce("ticks", 1, &events(0..30)).await;
    sink.written(30).await;
    sink.stop().await.unwrap();
    refused(1, "a", "is for a topic that was deleted and made anew").await;
    refused(1, "b", "written by the group a").await;
    // What was written is gone from Kafka: there is nothing that could be doubled.
    world.produce("ticks", 1, &events(30..40)).await;
    world.delete_records("ticks", 1, 30).await;
    let sink = run(2, "a");
    sink.written(10).await;
    sink.stop().await.unwrap();
    refused(1, "a", "in epoch 2").await;
    refused(0, "a", "--epoch 2 to go on").await;
    refused(3, "a", "is for a topic that was deleted and made anew").await;
    refused(2, "b", "written by the group a").await;
    assert_eq!(world.rows("ticks").await.len(), 40);
    // The one that has claims is no more.
    world.delete_topic("ticks").await;
    world.topic("ticks", 1).await;
    world.produce("ticks", 0, &events(100..200)).await;
    let sink = run(3, "a");
    sink.written(100).await;
    sink.stop().await.unwrap();
    world.shutdown().await;
}

/// A claim of another format that a sink has left, and a change of the format.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_format_is_refused_and_a_claim_of_the_other_one_is_finished() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let run = |to: &str, format: Format, catalog: &Catalog| {
        let mut options = world.options(&["ticks"]);
        options.to = to.parse().unwrap();
        options.group = to.replace('/', "-");
        options.format = format;
        world.sink(options, catalog)
    };
    world.produce("ticks", 0, &events(0..20)).await;
    for (to, format, other) in [
        ("s3://lake/p", Format::Parquet, Format::Json),
        ("s3://lake/j", Format::Json, Format::Parquet),
    ] {
        let sink = run(to, format, &Catalog::default());
        sink.written(20).await;
        sink.stop().await.unwrap();
        // No catalog says what there is.
        let error = run(to, other, &Catalog::default()).ended().await.unwrap_err();
        let expected = format!("holds {}, not {}", format.name(), other.name());
        assert!(
            error.to_string().contains(&expected) && exit_code(&error) == 2,
            "{error:#}"
        );
    }
    // The second batch of a table of Parquet was claimed as JSON, and its objects were not put.
    world.produce("ticks", 0, &events(20..30)).await;
    let catalog = Catalog::default();
    let sink = run("s3://lake/j", Format::Json, &catalog);
    sink.written(10).await;
    sink.stop().await.unwrap();
    let claim = world.keys("j/_ledger/ticks/0/").await.pop().unwrap();
    let text = String::from_utf8(world.object(&claim).await).unwrap();
    let put = world
        .client
        .put_object()
        .bucket("lake")
        .key(claim.replacen('j', "p", 1));
    let text = text.replace("\"j/", "\"p/").into_bytes();
    put.body(text.into()).send().await.unwrap();
    world.produce("ticks", 0, &events(30..35)).await;
    let catalog = Catalog::default();
    let sink = run("s3://lake/p", Format::Parquet, &catalog);
    sink.written(15).await;
    sink.stop().await.unwrap();
    let keys = world.keys("p/ticks/").await;
    let json = keys
        .iter()
        .filter(|key| key.ends_with("00000020-00000000000000000030.jsonl.gz"));
    assert_eq!(json.count(), 2, "{keys:?}");
    // The chain goes on, and the table has no object that it can't read.
    let registered = catalog.registered.lock().unwrap().clone();
    let links: Vec<_> = registered
        .iter()
        .map(|of| (of.start, of.end, of.format, of.partitions.is_empty()))
        .collect();
    assert_eq!(
        links,
        [(20, 30, Format::Parquet, true), (30, 35, Format::Parquet, false)]
    );
    world.shutdown().await;
}
