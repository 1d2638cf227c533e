//! What is written when nothing goes wrong.

use tickertape_consumer::Format;

use crate::support::{Catalog, World, assert_is, event, events};

async fn both_formats_hold_what_was_produced(format: Format) {
    let world = World::new().await;
    world.topic("ticks", 2).await;
    let mut values = events(0..500);
    values.insert(100, None);
    values.insert(200, Some(b"[1,2]".to_vec()));
    values.insert(300, Some(vec![0xff, 0xfe]));
    world.produce("ticks", 0, &values).await;
    world.produce("ticks", 1, &events(500..700)).await;

    let catalog = Catalog::default();
    let mut options = world.options(&["ticks"]);
    options.format = format;
    options.max_records = 128;
    let sink = world.sink(options, &catalog);
    sink.written(703).await;
    let summary = sink.stop().await.unwrap();
    assert_eq!((summary.total().records, summary.total().rejected), (703, 3));
    assert!(summary.to_string().contains("3 rejected (1 because: "), "{summary}");

    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 700);
    let produced = (0..)
        .zip(&values)
        .filter(|(offset, _)| ![100, 200, 300].contains(offset));
    for (offset, value) in produced {
        let event = serde_json::from_slice(value.as_ref().unwrap()).unwrap();
        assert_is(&rows[&(0, offset)], "ticks", &event);
    }
    (0..200).for_each(|at| assert_is(&rows[&(1, i64::from(at))], "ticks", &event(500 + at)));
    let rejected = world.rejected("ticks").await;
    assert_eq!(
        rejected.keys().map(|(_, offset)| *offset).collect::<Vec<_>>(),
        [100, 200, 300]
    );
    assert_eq!(rejected[&(0, 200)]["payload"], "[1,2]");

    let registered = catalog.registered.lock().unwrap().clone();
    let rows: u64 = registered
        .iter()
        .flat_map(|committed| &committed.partitions)
        .flat_map(|partition| &partition.objects)
        .filter_map(|object| object.rows)
        .sum();
    assert_eq!(rows, 700);
    assert!(
        registered
            .iter()
            .all(|committed| committed.location.to_string() == "s3://lake/market/ticks")
    );
    assert!(registered.iter().all(|committed| committed.format == format));
    let mut partitions = registered.iter().flat_map(|committed| &committed.partitions);
    assert!(partitions.all(|partition| partition.values[0].0 == "dt"));
    // Each batch starts where the one before it ended, and times of Parquet files are known.
    let mut ends = std::collections::BTreeMap::new();
    for committed in &registered {
        let end = ends.insert(committed.source.clone(), committed.end).unwrap_or(0);
        assert_eq!(committed.start, end, "{}", committed.source);
        let mut objects = committed.partitions.iter().flat_map(|partition| &partition.objects);
        let parquet = format == tickertape_consumer::Format::Parquet;
        assert!(objects.all(|object| object.columns.contains_key("event_time") == parquet));
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_holds_what_was_produced() {
    both_formats_hold_what_was_produced(Format::Parquet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_holds_what_was_produced() {
    both_formats_hold_what_was_produced(Format::Json).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_nothing_follows_is_written_by_its_age() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let sink = world.sink(world.options(&["ticks"]), &Catalog::default());
    world.produce("ticks", 0, &events(0..3)).await;
    sink.written(3).await;
    world.produce("ticks", 0, &events(3..4)).await;
    sink.written(4).await;
    assert_eq!(world.rows("ticks").await.len(), 4);
    sink.stop().await.unwrap();
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_writes_what_is_open_and_the_next_run_goes_on_behind_it() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    let options = || {
        let mut options = world.options(&["ticks"]);
        options.max_age = std::time::Duration::from_secs(3600);
        options
    };
    world.produce("ticks", 0, &events(0..100)).await;
    let sink = world.sink(options(), &catalog);
    crate::support::until(|| sink.stats.consumed.load(std::sync::atomic::Ordering::Relaxed) == 100).await;
    assert_eq!(sink.stop().await.unwrap().total().records, 100);
    world.produce("ticks", 0, &events(100..150)).await;
    let sink = world.sink(options(), &catalog);
    // The last message of before is read again, and not written again.
    crate::support::until(|| sink.stats.consumed.load(std::sync::atomic::Ordering::Relaxed) >= 51).await;
    assert_eq!(sink.stop().await.unwrap().total().records, 50);
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 150);
    (0..150).for_each(|at| assert_is(&rows[&(0, i64::from(at))], "ticks", &event(at)));
    assert_eq!(world.keys("market/_ledger/ticks/0/").await.len(), 2);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_are_added_are_taken_up() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let mut options = world.options(&["ticks"]);
    options
        .kafka
        .properties
        .push(("topic.metadata.refresh.interval.ms".into(), "200".into()));
    let sink = world.sink(options, &Catalog::default());
    world.produce("ticks", 0, &events(0..10)).await;
    sink.written(10).await;
    world.partitions("ticks", 3).await;
    world.produce("ticks", 2, &events(10..30)).await;
    sink.written(30).await;
    assert_eq!(world.rows("ticks").await.len(), 30);
    sink.stop().await.unwrap();
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_memory_is_held_and_everything_is_written() {
    let world = World::new().await;
    world.topic("ticks", 4).await;
    for partition in 0..4 {
        world.produce("ticks", partition, &events(0..3_000)).await;
    }
    let mut options = world.options(&["ticks"]);
    options.memory = 400_000;
    options.max_age = std::time::Duration::from_secs(3600);
    let sink = world.sink(options, &Catalog::default());
    crate::support::until(|| {
        let used = sink.stats.memory_bytes.load(std::sync::atomic::Ordering::Relaxed);
        assert!(used <= 400_000 + 100_000, "{used}");
        assert!(!sink.has_ended(), "the sink has ended");
        sink.stats.consumed.load(std::sync::atomic::Ordering::Relaxed) == 12_000
    })
    .await;
    assert!(sink.stats.pauses.load(std::sync::atomic::Ordering::Relaxed) > 0);
    assert_eq!(sink.stop().await.unwrap().total().records, 12_000);
    assert_eq!(world.rows("ticks").await.len(), 12_000);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boundaries_of_the_clock_cut_batches_and_a_restart_goes_on_behind_them() {
    let world = World::new().await;
    world.topic("ticks", 2).await;
    let catalog = Catalog::default();
    let options = || {
        let mut options = world.options(&["ticks"]);
        options.max_age = std::time::Duration::from_secs(3600);
        options.rotate_at = Some("500ms".parse().unwrap());
        options
    };
    for round in 0..2 {
        let sink = world.sink(options(), &catalog);
        for partition in 0..2 {
            world
                .produce("ticks", partition, &events(round * 10..round * 10 + 10))
                .await;
        }
        // Nothing else than the clock cuts them.
        sink.written(20).await;
        sink.stop().await.unwrap();
    }
    assert_eq!(world.rows("ticks").await.len(), 40);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_is_written_in_parts_and_is_whole() {
    use tickertape_consumer::store::Store;
    let world = World::new().await;
    let patience = std::time::Duration::from_secs(60);
    let give_up = tokio_util::sync::CancellationToken::new();
    let store = Store::new(world.client.clone(), crate::support::lake(), patience, give_up);
    let body: Vec<u8> = (0..10_u32 << 20)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let body = bytes::Bytes::from(body);
    let put = store.put("market/large", body.clone(), "application/octet-stream");
    put.await.unwrap();
    assert!(world.object("market/large").await == body, "it is another one");
    let head = world.client.head_object().bucket("lake").key("market/large").send();
    let head = head.await.unwrap();
    assert!(head.e_tag().unwrap().contains("-5"), "five parts: {head:?}");
    world.shutdown().await;
}
