//! Waiting for a broker that is away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::util::Timeout;
use tokio_util::sync::CancellationToken;

use crate::kafka::KafkaOptions;
use crate::login::{connect, oauth_token};
use crate::refusal::Said;
use crate::topic::check_topic_name;
use crate::usage::UsageError;

/// What a broker says about itself when it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The brokers, as host:port.
    pub brokers: Vec<String>,
    /// Every topic, with its number of partitions.
    pub topics: BTreeMap<String, usize>,
}

impl Cluster {
    /// `no such topic`, with the nearest that exists, or that none can have this name; nothing when the topic is there.
    pub fn require_topic(&self, topic: &str) -> Result<(), UsageError> {
        check_topic_name(topic)?;
        match self.topics.contains_key(topic) {
            true => Ok(()),
            false => Err(self.unknown_topic(topic)),
        }
    }

    /// `no such topic`, with the nearest that exists.
    pub fn unknown_topic(&self, topic: &str) -> UsageError {
        UsageError::unknown("topic", topic, self.topics.keys().map(String::as_str))
    }

    fn from_metadata(metadata: &Metadata) -> Cluster {
        Cluster {
            brokers: metadata
                .brokers()
                .iter()
                .map(|broker| format!("{}:{}", broker.host(), broker.port()))
                .collect(),
            topics: metadata
                .topics()
                .iter()
                .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
                .collect(),
        }
    }
}

/// Asks for the cluster's metadata until a broker answers. While none does, it says so with a pause that
/// doubles from one second to sixteen between two sayings.
///
/// Returns `None` when `shutdown` was asked for meanwhile.
///
/// # Errors
/// A [`UsageError`] for a property that cannot be, and at once when a broker is there but lets this client not in, or when its
/// certificate is not to be trusted: that does not mend itself. Any other error when no broker has answered within
/// [`KafkaOptions::timeout`].
pub async fn wait_for_broker(options: &KafkaOptions, shutdown: &CancellationToken) -> anyhow::Result<Option<Cluster>> {
    let mut config = options.client_config(&[
        ("reconnect.backoff.max.ms", "1000"),
        ("socket.connection.setup.timeout.ms", "5000"),
    ])?;
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let making = config.clone();
    let asker = tokio::task::spawn_blocking(move || connect::<BaseProducer<Asker>, _>(&making, Asker::default()));
    let asker = Arc::new(asker.await??);

    let started = Instant::now();
    let mut say_after = Duration::ZERO;
    let mut pause = Duration::from_secs(1);
    loop {
        let left = options.timeout.saturating_sub(started.elapsed());
        let asking = Arc::clone(&asker);
        let asked =
            tokio::task::spawn_blocking(move || ask(&asking, left.clamp(Duration::from_millis(1), ATTEMPT_MAX)));
        let answer = tokio::select! {
            answer = asked => answer?,
            () = shutdown.cancelled() => return Ok(None),
        };
        let servers = &options.bootstrap_server;
        let said = match answer {
            Ok(cluster) => return Ok(Some(cluster)),
            Err(said) => said,
        };
        let (looked_at, config) = (said.clone(), config.clone());
        if let Some(refusal) = tokio::task::spawn_blocking(move || looked_at.refusal(&config)).await? {
            return Err(UsageError(format!("Kafka at {servers}: {refusal}")).into());
        }
        let reason = said.reason();
        let waited = started.elapsed();
        if waited >= options.timeout {
            anyhow::bail!(
                "no Kafka broker at {servers} has answered for {} ({reason}); is it running there? \
                 (--bootstrap-server, --timeout)",
                humantime::format_duration(options.timeout),
            );
        }
        if waited >= say_after {
            let left = Duration::from_secs((options.timeout - waited).as_secs());
            let left = humantime::format_duration(left);
            tracing::warn!("Kafka at {servers} does not answer ({reason}); waiting for it, giving up in {left}");
            say_after = waited + pause;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// The longest pause between two sayings that the broker is away.
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// How long one request for metadata may take before the state of things is looked at again; librdkafka
/// reconnects by itself meanwhile.
const ATTEMPT_MAX: Duration = Duration::from_millis(1000);

fn ask(asker: &BaseProducer<Asker>, timeout: Duration) -> Result<Cluster, Said> {
    // A token is given out, and taken in, by polling.
    asker.poll(Duration::ZERO);
    let answer = asker.client().fetch_metadata(None, Timeout::After(timeout));
    asker.poll(Duration::ZERO);
    let other = match answer {
        Ok(metadata) if metadata.brokers().is_empty() => "no broker is in its metadata".to_owned(),
        Ok(metadata) => return Ok(Cluster::from_metadata(&metadata)),
        Err(error) => error.to_string(),
    };
    let said = asker
        .context()
        .said
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    Err(said.unwrap_or(Said {
        code: RDKafkaErrorCode::Fail,
        text: other,
    }))
}

/// Keeps why no broker was reached the last time, and lets librdkafka log nothing: the waiting is reported in one place.
#[derive(Default)]
struct Asker {
    said: Mutex<Option<Said>>,
}

impl ClientContext for Asker {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error
            .rdkafka_error_code()
            .filter(|code| *code != RDKafkaErrorCode::AllBrokersDown)
        else {
            return;
        };
        let text = reason.to_owned();
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(Said { code, text });
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(config)
    }
}

impl ProducerContext for Asker {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent() -> KafkaOptions {
        // A port that was free a moment ago and that nothing listens on.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        KafkaOptions::at(format!("127.0.0.1:{port}"))
    }

    #[tokio::test]
    async fn gives_up_after_the_timeout_and_names_the_server() {
        let options = KafkaOptions {
            timeout: Duration::from_millis(200),
            ..absent()
        };
        let error = wait_for_broker(&options, &CancellationToken::new()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&options.bootstrap_server), "{text}");
        assert_eq!(crate::exit_code(&error), 1);
    }

    #[tokio::test]
    async fn stops_waiting_when_asked_to() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        assert_eq!(wait_for_broker(&absent(), &shutdown).await.unwrap(), None);
    }

    #[tokio::test]
    async fn tells_the_brokers_and_topics_of_a_cluster_that_answers() {
        let mock = rdkafka::mocking::MockCluster::new(2).unwrap();
        mock.create_topic("ticks", 3, 1).unwrap();
        let options = KafkaOptions::at(mock.bootstrap_servers());
        let cluster = wait_for_broker(&options, &CancellationToken::new())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(cluster.brokers.len(), 2);
        assert_eq!(cluster.topics, BTreeMap::from([("ticks".to_owned(), 3)]));
    }

    #[test]
    fn a_missing_topic_is_named_with_the_nearest() {
        let cluster = Cluster {
            topics: BTreeMap::from([("ticks".to_owned(), 3)]),
            ..Cluster::default()
        };
        assert_eq!(cluster.require_topic("ticks"), Ok(()));
        let error = cluster.require_topic("tick").unwrap_err();
        assert_eq!(error.to_string(), "no such topic \"tick\"; did you mean \"ticks\"?");
        let error = cluster.require_topic("ticks!").unwrap_err().to_string();
        assert!(error.starts_with("no topic can be called \"ticks!\""), "{error}");
    }
}
