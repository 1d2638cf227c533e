//! Whole runs, against the cluster that librdkafka brings for tests, and without any.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use tickertape_client::{KafkaOptions, Progress, UsageError, exit_code};
use tickertape_producer::{FeedKind, ProduceOptions, Rate, Speed, run};
use tokio_util::sync::CancellationToken;

use crate::reader::{LONG, assert_whole, read_back, until};

/// Options for a broker that is not there.
fn absent(timeout: Duration) -> ProduceOptions {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    ProduceOptions {
        feed: FeedKind::Bars,
        kafka: KafkaOptions {
            timeout,
            ..KafkaOptions::at(format!("127.0.0.1:{port}"))
        },
        ..ProduceOptions::default()
    }
}

async fn fails(options: ProduceOptions) -> anyhow::Error {
    run(options, CancellationToken::new(), Progress::hidden())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_broker_that_is_away_is_given_up_after_the_timeout() {
    let error = fails(absent(Duration::from_millis(300))).await;
    assert_eq!(exit_code(&error), 1);
    assert!(error.to_string().contains("no Kafka broker at 127.0.0.1:"), "{error:#}");
}

#[tokio::test]
async fn stopping_while_waiting_for_a_broker_is_no_error() {
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let summary = run(absent(Duration::from_secs(600)), shutdown, Progress::hidden())
        .await
        .unwrap();
    assert_eq!((summary.produced, summary.position), (0, None));
}

#[tokio::test]
async fn what_cannot_be_is_told_before_any_waiting() {
    let options = absent(Duration::from_secs(600));
    let wrong = |change: fn(&mut ProduceOptions)| {
        let mut options = options.clone();
        change(&mut options);
        fails(options)
    };
    for error in [
        wrong(|options| options.input = Some("no/such/file.csv".to_owned())).await,
        wrong(|options| options.symbols = vec!["APPL".to_owned()]).await,
        wrong(|options| options.columns = vec![("symbol".to_owned(), "Tikcer".to_owned())]).await,
        wrong(|options| options.kafka.properties = vec![("akcs".to_owned(), "all".to_owned())]).await,
    ] {
        assert!(error.chain().any(|cause| cause.is::<UsageError>()), "{error:#}");
    }
}

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["prices", "bars", "ticks"] {
        cluster.create_topic(topic, 3, 1).unwrap();
    }
    cluster
}

fn ticks(servers: &str) -> ProduceOptions {
    ProduceOptions {
        feed: FeedKind::Ticks,
        ticks_per_day: 100,
        to: "2000-03-31".parse().ok(),
        speed: Some(Speed::Max),
        kafka: KafkaOptions::at(servers),
        ..ProduceOptions::default()
    }
}

/// 23 days, of AAPL, IBM and MSFT.
const BARS: usize = 69;

#[tokio::test]
async fn ticks_and_bars_arrive_whole_keyed_and_in_order() {
    let cluster = cluster();
    let options = ticks(&cluster.bootstrap_servers());
    let stats = Arc::clone(&options.stats);
    let progress = Progress::hidden();
    let summary = run(options, CancellationToken::new(), progress.clone()).await.unwrap();
    let events = BARS as u64 * 101;
    assert_eq!((summary.produced, summary.acknowledged), (events, events));
    assert_eq!(
        (stats.acknowledged(), stats.failed(), progress.done()),
        (events, 0, events)
    );
    assert!(
        summary
            .to_string()
            .starts_with("6969 events to ticks and bars: 6969 acknowledged in "),
        "{summary}"
    );
    let quotes = stats.quotes();
    assert_eq!(quotes.len(), 3);
    assert_eq!((quotes[0].symbol.as_str(), quotes[0].last), ("AAPL", 135.81));
    assert_whole(&read_back(&cluster.bootstrap_servers(), "ticks"), BARS * 100);
    assert_whole(&read_back(&cluster.bootstrap_servers(), "bars"), BARS);
}

#[tokio::test]
async fn a_later_run_goes_on_where_one_was_stopped() {
    let cluster = cluster();
    let options = ticks(&cluster.bootstrap_servers());
    let first = ProduceOptions {
        max_events: Some(1234),
        ..options.clone()
    };
    let first = run(first, CancellationToken::new(), Progress::hidden()).await.unwrap();
    assert_eq!(first.acknowledged, 1234);

    // The second is stopped in the middle, by whoever waits for its first events.
    let shutdown = CancellationToken::new();
    let second = ProduceOptions {
        start: first.position,
        rate: Some(Rate::PerSecond(100.0)),
        stats: Arc::default(),
        ..options.clone()
    };
    let (stats, stop) = (Arc::clone(&second.stats), shutdown.clone());
    let running = tokio::spawn(run(second, shutdown, Progress::hidden()));
    until(|| stats.acknowledged() > 0).await;
    stop.cancel();
    let second = running.await.unwrap().unwrap();
    assert!(second.acknowledged > 0);
    assert_eq!(second.acknowledged, second.produced);

    let third = ProduceOptions {
        start: second.position,
        ..options
    };
    let third = run(third, CancellationToken::new(), Progress::hidden()).await.unwrap();
    assert!(third.acknowledged > 0);
    assert_whole(&read_back(&cluster.bootstrap_servers(), "ticks"), BARS * 100);
    assert_whole(&read_back(&cluster.bootstrap_servers(), "bars"), BARS);
}

#[tokio::test]
async fn a_full_queue_slows_the_feed_and_drops_nothing() {
    let cluster = cluster();
    let mut options = ticks(&cluster.bootstrap_servers());
    options.kafka.properties = vec![
        ("queue.buffering.max.messages".to_owned(), "50".to_owned()),
        ("compression.codec".to_owned(), "zstd".to_owned()),
    ];
    let summary = run(options, CancellationToken::new(), Progress::hidden())
        .await
        .unwrap();
    assert_eq!(summary.acknowledged, BARS as u64 * 101);
    assert_whole(&read_back(&cluster.bootstrap_servers(), "ticks"), BARS * 100);
}

#[tokio::test]
async fn a_broker_that_goes_away_and_comes_back_gets_everything_once() {
    let cluster = cluster();
    let options = ProduceOptions {
        rate: Some(Rate::PerSecond(5000.0)),
        ..ticks(&cluster.bootstrap_servers())
    };
    let stats = Arc::clone(&options.stats);
    let running = tokio::spawn(run(options, CancellationToken::new(), Progress::hidden()));
    until(|| stats.acknowledged() >= 100).await;
    cluster.broker_down(1).unwrap();
    let some_later = (stats.produced() + 500).min(BARS as u64 * 101);
    until(|| stats.produced() >= some_later).await;
    cluster.broker_up(1).unwrap();
    let summary = running.await.unwrap().unwrap();
    assert_eq!(summary.acknowledged, BARS as u64 * 101);
    assert_whole(&read_back(&cluster.bootstrap_servers(), "ticks"), BARS * 100);
}

#[tokio::test]
async fn a_broker_that_stays_away_is_an_error_that_counts_what_is_missing() {
    let cluster = cluster();
    let mut options = ticks(&cluster.bootstrap_servers());
    options.kafka.timeout = Duration::from_secs(2);
    options.rate = Some(Rate::PerSecond(500.0));
    let stats = Arc::clone(&options.stats);
    let running = tokio::spawn(run(options, CancellationToken::new(), Progress::hidden()));
    until(|| stats.acknowledged() >= 100).await;
    cluster.broker_down(1).unwrap();
    let error = running.await.unwrap().unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains(&format!("of {} events were not acknowledged", stats.produced())),
        "{text}"
    );
    assert_eq!(stats.produced(), stats.acknowledged() + stats.failed());
    assert_eq!(exit_code(&error), 1);
}

#[tokio::test]
async fn an_event_that_is_too_large_is_an_error() {
    let cluster = cluster();
    let mut options = ticks(&cluster.bootstrap_servers());
    options.kafka.properties = vec![("message.max.bytes".to_owned(), "1000".to_owned())];
    let csv = tempfile::NamedTempFile::new().unwrap();
    let note = "x".repeat(2000);
    std::fs::write(csv.path(), format!("symbol,date,note\nA,2012-06-01,{note}\n")).unwrap();
    let options = ProduceOptions {
        feed: FeedKind::Bars,
        input: Some(csv.path().display().to_string()),
        to: None,
        ..options
    };
    let text = format!("{:#}", fails(options).await);
    assert!(text.contains("for topic bars"), "{text}");
}

#[tokio::test]
async fn properties_that_exclude_each_other_are_named() {
    let cluster = cluster();
    let mut options = ticks(&cluster.bootstrap_servers());
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    options.kafka.properties = vec![property("acks", "1"), property("enable.idempotence", "true")];
    let error = fails(options.clone()).await;
    assert_eq!(exit_code(&error), 2, "{error:#}");
    // Fewer acknowledgements alone are an honest wish.
    options.kafka.properties.truncate(1);
    let summary = run(options, CancellationToken::new(), Progress::hidden())
        .await
        .unwrap();
    assert_eq!(summary.acknowledged, BARS as u64 * 101);
}

#[tokio::test]
async fn resume_goes_on_where_the_topics_end_however_unevenly() {
    let cluster = cluster();
    let servers = cluster.bootstrap_servers();
    let options = ProduceOptions {
        resume: true,
        ..ticks(&servers)
    };
    // What a run that was killed leaves behind: each partition has the beginning of its own events, one more
    // of them than another, and the bars are behind.
    let whole = {
        let cluster = self::cluster();
        let whole = ticks(&cluster.bootstrap_servers());
        run(whole, CancellationToken::new(), Progress::hidden()).await.unwrap();
        read_back(&cluster.bootstrap_servers(), "ticks")
    };
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &servers).create().unwrap();
    let mut of_partition: HashMap<i32, usize> = HashMap::new();
    for (partition, key, value) in &whole {
        let so_far = of_partition.entry(*partition).or_default();
        *so_far += 1;
        if *so_far <= 700 + 900 * *partition as usize {
            let record = BaseRecord::to("ticks").key(key).payload(value).partition(*partition);
            producer.send(record).unwrap();
        }
    }
    producer.flush(LONG).unwrap();

    let summary = run(options.clone(), CancellationToken::new(), Progress::hidden())
        .await
        .unwrap();
    assert!(summary.acknowledged > 69 && summary.acknowledged < 6969, "{summary}");
    assert_whole(&read_back(&servers, "ticks"), BARS * 100);
    assert_whole(&read_back(&servers, "bars"), BARS);

    let again = run(options.clone(), CancellationToken::new(), Progress::hidden())
        .await
        .unwrap();
    assert_eq!(again.acknowledged, 0, "there is nothing to go on with");
    let other = ProduceOptions { seed: 2, ..options };
    let error = fails(other).await;
    assert_eq!(exit_code(&error), 2, "{error:#}");
}
