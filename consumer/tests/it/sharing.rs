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
