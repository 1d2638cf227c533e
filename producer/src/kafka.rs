//! The way into Kafka: topics that exist, a bounded queue, and every message accounted for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use tickertape_client::{Cluster, KafkaOptions, Plain, connect, oauth_token};

use crate::clock;
use crate::options::ProduceOptions;
use crate::stats::Stats;

/// How long one wait for room in the queue, or for acknowledgements, lasts before everything else is looked
/// at again.
const SLICE: Duration = Duration::from_millis(100);

/// What the producer asks of librdkafka unless the user says otherwise: nothing lost, nothing doubled,
/// batches of what comes within a few milliseconds, and a queue that is bounded in messages and bytes. lz4
/// because it is the fastest way through for ticks, faster than no compression at all (a million of them: none
/// 0.9 s of CPU, lz4 1.0 and a third less time, zstd 2.4).
const DEFAULTS: [(&str, &str); 7] = [
    ("client.id", "tickertape-producer"),
    ("acks", "all"),
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
    ("queue.buffering.max.messages", "200000"),
    ("queue.buffering.max.kbytes", "131072"),
    ("reconnect.backoff.max.ms", "2000"),
];

/// librdkafka's producer, its queue and its delivery reports. It is polled by the thread that feeds it.
pub(crate) struct Outlet {
    producer: BaseProducer<Deliveries>,
}

impl Outlet {
    pub(crate) fn open(options: &KafkaOptions, stats: Arc<Stats>) -> anyhow::Result<Outlet> {
        let timeout_ms = options.timeout.as_millis().clamp(100, 2_147_483_647).to_string();
        let mut defaults = DEFAULTS.to_vec();
        defaults.push(("message.timeout.ms", &timeout_ms));
        // Idempotence needs acks=all: who asks for less does without it.
        let all = |acks: &str| acks == "all" || acks == "-1";
        let idempotent = options.property("acks").is_none_or(all);
        defaults.push(("enable.idempotence", if idempotent { "true" } else { "false" }));
        let config = options.client_config(&defaults)?;
        let deliveries = Deliveries {
            stats,
            is_away: AtomicBool::new(false),
            away: Mutex::default(),
            failure: Mutex::default(),
        };
        let producer = connect(&config, deliveries)?;
        Ok(Outlet { producer })
    }

    /// Hands a message over, or says that the queue is full.
    ///
    /// # Errors
    /// What librdkafka refuses outright, such as a message over `message.max.bytes`.
    pub(crate) fn offer(&self, topic: &str, key: &str, payload: &[u8]) -> anyhow::Result<bool> {
        let record = BaseRecord::to(topic).key(key).payload(payload);
        match self.producer.send(record) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
            Err((error, _)) => {
                let size = payload.len();
                Err(error).with_context(|| format!("an event of {size} bytes for topic {topic}"))
            }
        }
    }

    /// Takes in delivery reports for at most `wait`, and says when the broker is away.
    ///
    /// # Errors
    /// The first message that could not be delivered.
    pub(crate) fn poll(&self, wait: Duration) -> anyhow::Result<()> {
        self.producer.poll(wait.min(SLICE));
        let deliveries = self.producer.context();
        deliveries.say_away();
        match &*deliveries.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => anyhow::bail!("{failure}"),
            None => Ok(()),
        }
    }

    /// Waits until every message is delivered or has failed; librdkafka fails each after `--timeout`.
    pub(crate) fn flush(&self) {
        while self.producer.in_flight_count() > 0 {
            // Of a failed message only the first is kept; here the others are still waited for.
            let _ = self.producer.flush(SLICE);
            self.producer.context().say_away();
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Gives up on what is still queued: it fails now instead of after `--timeout`. What is on its way may
    /// still be acknowledged.
    pub(crate) fn abandon(&self) {
        self.producer.purge(PurgeConfig::default().queue());
    }

    /// Why the first undelivered message was not delivered.
    pub(crate) fn failure(&self) -> Option<String> {
        let failure = self.producer.context().failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Deliveries {
    stats: Arc<Stats>,
    /// Whether there is something in `away`, without its lock.
    is_away: AtomicBool,
    away: Mutex<Option<Away>>,
    failure: Mutex<Option<String>>,
}

/// Since when no broker is reached, and when that is said again.
struct Away {
    since: Instant,
    reason: String,
    say_at: Instant,
    pause: Duration,
}

impl Deliveries {
    /// Says that the broker is away, with a pause that doubles between two sayings.
    fn say_away(&self) {
        if !self.is_away.load(Ordering::Relaxed) {
            return;
        }
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(away) = &mut *away else {
            return;
        };
        let now = clock::now();
        if now >= away.say_at {
            let seconds = now.duration_since(away.since).as_secs();
            tracing::warn!("Kafka is away for {seconds} s ({}); waiting for it", away.reason);
            away.say_at = now + away.pause;
            away.pause = (away.pause * 2).min(Duration::from_secs(16));
        }
    }

    fn back(&self) {
        self.is_away.store(false, Ordering::Relaxed);
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(away) = away.take() {
            let seconds = clock::now().duration_since(away.since).as_secs();
            tracing::info!("Kafka is back after {seconds} s");
        }
    }
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters of it comes back by `error` or by a delivery report.
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.is_away.store(true, Ordering::Relaxed);
                let now = clock::now();
                let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
                away.get_or_insert_with(|| Away {
                    since: now,
                    reason: reason.to_owned(),
                    say_at: now,
                    pause: Duration::from_secs(1),
                });
            }
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) => {
                tracing::debug!("Kafka: {reason}");
            }
            _ => tracing::warn!("Kafka: {reason} ({error})"),
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.stats.acknowledge();
                if self.is_away.load(Ordering::Relaxed) {
                    self.back();
                }
            }
            Err((error, message)) => {
                self.stats.fail();
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert_with(|| {
                    use rdkafka::Message;
                    format!("topic {}: {error}", message.topic())
                });
            }
        }
    }
}

/// Makes sure that the feed's topics exist: makes those that are missing when `--partitions` says how, else
/// lets the broker make them.
///
/// # Errors
/// A topic that is missing and is not made, with the nearest that exists.
pub(crate) async fn prepare_topics(options: &ProduceOptions, cluster: &Cluster) -> anyhow::Result<()> {
    for topic in options.topics() {
        if cluster.topics.contains_key(topic) {
            continue;
        }
        match options.partitions {
            Some(partitions) => create_topic(options, topic, partitions.get()).await?,
            None => ask_for_topic(options, topic, cluster).await?,
        }
    }
    Ok(())
}

async fn create_topic(options: &ProduceOptions, topic: &str, partitions: u32) -> anyhow::Result<()> {
    let admin: AdminClient<Plain> = connect(&options.kafka.client_config(&[])?, Plain)?;
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let admin_options = AdminOptions::new().operation_timeout(Some(options.kafka.timeout));
    let made = admin
        .create_topics([&new], &admin_options)
        .await
        .with_context(|| format!("making topic {topic}"))?;
    for result in made {
        match result {
            Ok(_) => tracing::info!("made topic {topic} with {partitions} partitions"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, error)) => anyhow::bail!("topic {topic} cannot be made: {error}"),
        }
    }
    Ok(())
}

/// A producer that asks for a topic's metadata makes a broker with `auto.create.topics.enable` create it.
async fn ask_for_topic(options: &ProduceOptions, topic: &str, cluster: &Cluster) -> anyhow::Result<()> {
    let mut config = options.kafka.client_config(&[("allow.auto.create.topics", "true")])?;
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let asker: BaseProducer<Plain> = connect(&config, Plain)?;
    let asker = Arc::new(asker);
    let deadline = clock::now() + options.kafka.timeout.min(AUTO_CREATE_MAX);
    loop {
        let (asking, name) = (Arc::clone(&asker), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = asking.client().fetch_metadata(Some(&name), Duration::from_secs(2))?;
            let topic = metadata.topics().first();
            Ok::<_, KafkaError>(topic.is_some_and(|topic| !topic.partitions().is_empty()))
        });
        if let Ok(true) = asked.await? {
            return Ok(());
        }
        if clock::now() >= deadline {
            let unknown = cluster.unknown_topic(topic);
            return Err(anyhow::Error::new(unknown).context(format!(
                "topic {topic} does not exist, and the broker does not make it by itself \
                 (--partitions N makes it)"
            )));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How long a broker that creates topics by itself may take for one.
const AUTO_CREATE_MAX: Duration = Duration::from_secs(3);
