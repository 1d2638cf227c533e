//! Whole runs, against a broker and without one.
use std::time::Duration;

use tickertape_client::{KafkaOptions, Progress, UsageError, exit_code};
use tickertape_producer::{FeedKind, ProduceOptions, run};
use tokio_util::sync::CancellationToken;

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
