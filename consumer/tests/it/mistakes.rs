//! What the user got wrong is named.

use std::sync::Arc;

use tickertape_client::exit_code;
use tokio::sync::Notify;

use crate::{
    proxy::{Verdict, proxy},
    support::{Catalog, World, events},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_with_the_nearest() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let sink = world.sink(world.options(&["tick"]), &Catalog::default());
    let error = sink.ended().await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), exit_code(&error)),
        ("no such topic \"tick\"; did you mean \"ticks\"?", 2)
    );

    let mut options = world.options(&["ticks"]);
    options.to = "s3://lakes/market".parse().unwrap();
    let error = world.sink(options, &Catalog::default()).ended().await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), exit_code(&error)),
        ("no such bucket \"lakes\"; did you mean \"lake\"?", 2)
    );

    let mut options = world.options(&["ticks"]);
    options.kafka.properties.push(("fetch.min.byte".into(), "1".into()));
    let error = world.sink(options, &Catalog::default()).ended().await.unwrap_err();
    assert!(
        error.to_string().contains("fetch.min.bytes") && exit_code(&error) == 2,
        "{error}"
    );
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_group_is_refused() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    world.produce("ticks", 0, &events(0..5)).await;
    let sink = world.sink(world.options(&["ticks"]), &Catalog::default());
    sink.written(5).await;
    let mut options = world.options(&["ticks"]);
    options.group = "another".to_owned();
    let error = world.sink(options, &Catalog::default()).ended().await.unwrap_err();
    assert!(
        error.to_string().contains("tickertape-sink") && exit_code(&error) == 2,
        "{error}"
    );
    sink.stop().await.unwrap();
    world.shutdown().await;
}

/// Nothing was in hand, so nothing went wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_store_is_waited_for_is_obeyed() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let mut options = world.options(&["ticks"]);
    options.s3.s3_endpoint = Some("http://127.0.0.1:1".to_owned());
    world.sink(options, &Catalog::default()).stop().await.unwrap();
    world.shutdown().await;
}

/// The same where it is the ledger that waits: the store goes away when the sink has reserved its topic.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_ledger_is_asked_is_obeyed() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let asked = Arc::new(Notify::new());
    let endpoint = {
        let asked = asked.clone();
        let decide = move |request: String| {
            let asked = asked.clone();
            async move {
                if !request.contains("_schema") {
                    return Verdict::Pass;
                }
                asked.notify_one();
                Verdict::Cut
            }
        };
        proxy(&world.store.endpoint_url(), decide).await
    };
    let mut options = world.options(&["ticks"]);
    options.s3.s3_endpoint = Some(endpoint);
    let sink = world.sink(options, &Catalog::default());
    asked.notified().await;
    assert_eq!(sink.stop().await.unwrap().total().records, 0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_waited_for_and_given_up() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let mut options = world.options(&["ticks"]);
    options.kafka.timeout = std::time::Duration::from_millis(300);
    options.s3.s3_endpoint = Some("http://127.0.0.1:1".to_owned());
    let error = world.sink(options, &Catalog::default()).ended().await.unwrap_err();
    assert!(
        error.to_string().contains("gave up after 300ms") && exit_code(&error) == 1,
        "{error}"
    );
    world.shutdown().await;
}
