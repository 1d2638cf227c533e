//! A topic moves to another cluster, as docs/aws.md says: the topic made anew plays the one over there.

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
    // The group's offset is at the end, with the note of the epoch before.
    let mut options = world.options(&["ticks"]);
    options.epoch = 1;
    let sink = world.sink(options, &catalog);
    sink.written(30).await;
    assert_eq!(sink.stop().await.unwrap().total().records, 30);
    world.shutdown().await;
}
