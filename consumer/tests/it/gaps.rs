//! Offsets that don't come: of aborted transactions and markers, and of messages that are deleted under a running sink.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;

use crate::{
    proxy::{Verdict, proxy},
    support::{Catalog, World, assert_is, event, events, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn gaps_between_messages_cost_no_question() {
    const MESSAGES: u32 = 300;
    let world = World::new().await;
    world.topic("ticks", 1).await;
    world.produce_in_transactions("ticks", 0, &events(0..MESSAGES)).await;
    let sink = world.sink(world.options(&["ticks"]), &Catalog::default());
    sink.written(u64::from(MESSAGES)).await;
    assert_eq!(sink.stats.asked.load(Ordering::Relaxed), 0);
    assert_eq!(sink.stop().await.unwrap().lost, 0);
    let rows = world.rows("ticks").await;
    // An aborted message, its marker, the message, its marker.
    (0..MESSAGES).for_each(|at| assert_is(&rows[&(0, i64::from(at) * 4 + 2)], "ticks", &event(at)));
    assert_eq!(rows.len(), MESSAGES as usize);
    world.shutdown().await;
}

/// What is deleted while the sink waits for the store is asked about once, named and counted.
#[tokio::test(flavor = "multi_thread")]
async fn messages_deleted_under_a_running_sink_are_counted() {
    const MESSAGES: u32 = 30_000;
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let (held, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let endpoint = {
        let (held, go_on) = (held.clone(), go_on.clone());
        let decide = move |request: String| {
            let (held, go_on) = (held.clone(), go_on.clone());
            async move {
                if request.starts_with("PUT") && request.contains("/market/_schema/") {
                    held.fetch_add(1, Ordering::SeqCst);
                    drop(go_on.acquire().await);
                }
                Verdict::Pass
            }
        };
        proxy(&world.store.endpoint_url(), decide).await
    };
    let mut options = world.options(&["ticks"]);
    options.s3.s3_endpoint = Some(endpoint);
    options.memory = 400_000;
    let sink = world.sink(options, &Catalog::default());
    world.produce("ticks", 0, &events(0..MESSAGES)).await;
    // It is full, and takes nothing more.
    until(|| sink.stats.pauses.load(Ordering::Relaxed) > 0 && held.load(Ordering::SeqCst) > 0).await;
    world.delete_records("ticks", 0, i64::from(MESSAGES) - 100).await;
    go_on.add_permits(1 << 20);
    until(|| sink.stats.lost.load(Ordering::Relaxed) > 0 || sink.has_ended()).await;
    let consumed = || sink.stats.consumed.load(Ordering::Relaxed) + sink.stats.lost.load(Ordering::Relaxed);
    until(|| consumed() >= u64::from(MESSAGES)).await;
    assert_eq!(sink.stats.asked.load(Ordering::Relaxed), 1);
    let lost = sink.stop().await.unwrap().lost;
    assert_eq!(world.rows("ticks").await.len() as u64 + lost, u64::from(MESSAGES));
    world.shutdown().await;
}
