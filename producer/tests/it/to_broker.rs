//! Whole runs against this repository's broker.

use std::num::NonZeroU32;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tickertape_broker::{Broker, BrokerBuilder, BrokerHandle};
use tickertape_client::{KafkaOptions, Progress, exit_code};
use tickertape_producer::{FeedKind, ProduceOptions, Rate, Speed, run};
use tokio_util::sync::CancellationToken;

use crate::reader::{LONG, assert_whole, read_back, until};

/// 23 days of AAPL, IBM and MSFT: 69 bars, and 100 ticks for each.
fn ticks(broker: &BrokerHandle) -> ProduceOptions {
    ProduceOptions {
        feed: FeedKind::Ticks,
        ticks_per_day: 100,
        to: "2000-03-31".parse().ok(),
        speed: Some(Speed::Max),
        kafka: KafkaOptions::at(broker.bootstrap_servers()),
        ..ProduceOptions::default()
    }
}

async fn start(change: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> BrokerHandle {
    change(Broker::builder()).start().await.unwrap()
}

#[tokio::test]
async fn the_topics_are_made_with_the_partitions_asked_for() {
    let broker = start(|broker| broker.property("auto.create.topics.enable", "false")).await;
    let options = ProduceOptions {
        partitions: NonZeroU32::new(3),
        ..ticks(&broker)
    };
    let summary = run(options, CancellationToken::new(), Progress::hidden())
        .await
        .unwrap();
    assert_eq!((summary.produced, summary.acknowledged), (6969, 6969));
    assert_whole(&read_back(broker.bootstrap_servers(), "ticks"), 6900);
    assert_whole(&read_back(broker.bootstrap_servers(), "bars"), 69);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some("ticks"), LONG).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 3);
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_broker_makes_the_topics_where_it_may() {
    let broker = start(|broker| broker.property("num.partitions", "2")).await;
    let summary = run(ticks(&broker), CancellationToken::new(), Progress::hidden())
        .await
        .unwrap();
    assert_eq!(summary.acknowledged, 6969);
    assert_whole(&read_back(broker.bootstrap_servers(), "ticks"), 6900);
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_topic_that_is_missing_is_named_with_the_nearest() {
    let broker = start(|broker| broker.property("auto.create.topics.enable", "false")).await;
    let there = ProduceOptions {
        feed: FeedKind::Sample,
        rate: Some(Rate::Max),
        max_events: Some(10),
        partitions: NonZeroU32::new(1),
        ..ticks(&broker)
    };
    let missing = ProduceOptions {
        topic: Some("prcies".to_owned()),
        partitions: None,
        ..there.clone()
    };
    let summary = run(there, CancellationToken::new(), Progress::hidden()).await.unwrap();
    assert_eq!(summary.acknowledged, 10);
    let error = run(missing, CancellationToken::new(), Progress::hidden())
        .await
        .unwrap_err();
    assert_eq!(exit_code(&error), 2);
    let text = format!("{error:#}");
    assert!(
        text.contains("no such topic \"prcies\"; did you mean \"prices\"?"),
        "{text}"
    );
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_restarted_in_the_middle_gets_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(|broker| broker.data_dir(folder.path())).await;
    let options = ProduceOptions {
        partitions: NonZeroU32::new(2),
        rate: Some(Rate::PerSecond(5000.0)),
        ..ticks(&broker)
    };
    let (stats, address) = (Arc::clone(&options.stats), broker.bootstrap_servers().to_owned());
    let running = tokio::spawn(run(options, CancellationToken::new(), Progress::hidden()));
    until(|| stats.acknowledged() >= 100).await;
    broker.shutdown().await.unwrap();
    let some_later = (stats.produced() + 500).min(6969);
    until(|| stats.produced() >= some_later).await;
    let broker = start(|broker| broker.data_dir(folder.path()).listen(&address)).await;
    let summary = running.await.unwrap().unwrap();
    assert_eq!(summary.acknowledged, 6969);
    assert_whole(&read_back(&address, "ticks"), 6900);
    assert_whole(&read_back(&address, "bars"), 69);
    broker.shutdown().await.unwrap();
}
