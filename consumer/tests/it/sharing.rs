//! Two sinks of one group.

use std::sync::atomic::Ordering;

use crate::support::{Catalog, World, assert_is, event, events, until};

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_without_a_row_lost_or_doubled() {
    let world = World::new().await;
    world.topic("ticks", 4).await;
    let catalog = Catalog::default();
    let options = || {
        let mut options = world.options(&["ticks"]);
        options.max_records = 50;
        options
    };
    let first = world.sink(options(), &catalog);
    for partition in 0..4 {
        world.produce("ticks", partition, &events(0..120)).await;
    }
    until(|| first.stats.written.load(Ordering::Relaxed) >= 100).await;
    let second = world.sink(options(), &catalog);
    until(|| second.stats.partitions.load(Ordering::Relaxed) == 2).await;
    for partition in 0..4 {
        world.produce("ticks", partition, &events(120..240)).await;
    }
    until(|| second.stats.written.load(Ordering::Relaxed) >= 100).await;
    first.stop().await.unwrap();
    until(|| second.stats.partitions.load(Ordering::Relaxed) == 4).await;
    for partition in 0..4 {
        world.produce("ticks", partition, &events(240..300)).await;
    }
    until(|| second.stats.written.load(Ordering::Relaxed) >= 400).await;
    second.stop().await.unwrap();
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 1_200);
    for ((_, offset), row) in rows {
        assert_is(&row, "ticks", &event(u32::try_from(offset).unwrap()));
    }
    world.shutdown().await;
}

/// Two sinks that learn a field at once, as different types, agree on one of them before either writes a file.
#[tokio::test(flavor = "multi_thread")]
async fn types_are_agreed_upon_before_they_are_written() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let world = World::new().await;
    world.topic("ticks", 2).await;
    let value = |offset: u32, name: &str, value: serde_json::Value| {
        let mut event = event(offset);
        event[name] = value;
        Some(event.to_string().into_bytes())
    };
    let json = |text: &str| serde_json::from_str(text).unwrap();
    for round in 0..4_u32 {
        let field = format!("f{round}");
        let numbers = [value(0, &field, json("1")), value(1, &field, json("2.5"))];
        let others = [value(0, &field, json("\"x\"")), value(1, &field, json("[true]"))];
        world.produce("ticks", 0, &numbers).await;
        world.produce("ticks", 1, &others).await;
        // Each has a catalog of its own, which knows nothing of the other.
        let (a, b) = (Catalog::default(), Catalog::default());
        let sinks = [
            world.sink(world.options(&["ticks"]), &a),
            world.sink(world.options(&["ticks"]), &b),
        ];
        until(|| {
            sinks
                .iter()
                .map(|sink| sink.stats.written.load(Ordering::Relaxed))
                .sum::<u64>()
                >= 4
        })
        .await;
        for sink in sinks {
            sink.stop().await.unwrap();
        }
    }
    let mut types = std::collections::BTreeMap::new();
    for key in world.keys("market/ticks/").await {
        let file = SerializedFileReader::new(bytes::Bytes::from(world.object(&key).await)).unwrap();
        for column in file.metadata().file_metadata().schema_descr().columns() {
            let of = (column.physical_type(), format!("{:?}", column.logical_type_ref()));
            let first = types.entry(column.path().string()).or_insert_with(|| of.clone());
            assert_eq!(*first, of, "{key}: {}", column.path());
        }
    }
    assert!(types.keys().any(|name| name.starts_with("f3")), "{types:?}");
    assert_eq!(world.rows("ticks").await.len(), 16, "nothing was rejected");
    world.shutdown().await;
}
