//! The broker as a whole: what its parts share, how it starts and how it stops.
//!
//! A broker brings its own threads (network loops, one for timers and the disk) and never depends on the caller's runtime:
//! many of them run in one process, each with its own data directory and port. [`BrokerBuilder::start`] returns when the
//! broker answers; [`BrokerHandle::shutdown`] when every request in flight is answered and everything is on disk.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use kafka_protocol::protocol::StrBytes;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::config::BrokerConfig;
use crate::coordinator::group::{GroupConfig, MigrationPolicy};
use crate::coordinator::txn::TxnConfig;
use crate::error::BrokerError;
use crate::internal_topics::topic::InternalTopic;
use crate::log::LogDir;
use crate::metadata::agreements::Agreements;
use crate::metadata::configs::{Configs, Identity, NamedConfigs};
use crate::metadata::credentials::Credentials;
use crate::metadata::producer_ids::ProducerIds;
use crate::metadata::quotas::ClientQuotas;
use crate::metadata::store::Store;
use crate::metadata::topics::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC, Topics};
use crate::runtime::fetch_sessions::FetchSessions;
use crate::runtime::groups::{Groups, Journal};
use crate::runtime::housekeeping::{Housekeeping, HousekeepingConfig};
use crate::runtime::internal_topics::InternalTopics;
use crate::runtime::txn::{Intervals, Parts, Txns};
use crate::server::address::{self, Advertised};
use crate::server::{Server, bind};

/// Segment files that the logs keep open at one time, about.
const OPEN_FILES_MAX: usize = 1_024;

/// What every request handler can reach.
#[derive(Debug)]
pub(crate) struct BrokerState {
    /// `node.id`.
    pub node_id: i32,
    /// The cluster's id, 22 characters of base64, made with the data directory.
    pub cluster_id: String,
    /// Where clients are told to connect.
    pub advertised: Advertised,
    /// `broker.rack`.
    pub rack: Option<StrBytes>,
    /// Properties that requests look at, read once.
    pub limits: Limits,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The broker's properties.
    pub config: Arc<BrokerConfig>,
    /// Which of them were changed while the broker ran, as stored.
    pub configs: Configs,
    /// The subscriptions to clients' metrics.
    pub client_metrics: NamedConfigs,
    /// What is set for groups, as stored.
    pub group_configs: NamedConfigs,
    /// The quotas that are set for clients.
    pub client_quotas: ClientQuotas,
    /// The SCRAM credentials of users.
    pub credentials: Credentials,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The metadata store.
    pub store: Store,
    /// The data directory's logs.
    log_dir: Arc<LogDir>,
    /// The topics and their logs.
    pub topics: Arc<Topics>,
    /// The consumer groups.
    pub groups: Groups,
    /// The transactional ids.
    pub txns: Txns,
    /// What keeps the broker's own topics in agreement with the two.
    pub internal_topics: InternalTopics,
    /// The ids of producers.
    pub producer_ids: Arc<ProducerIds>,
    /// The incremental fetch sessions.
    pub fetch_sessions: FetchSessions,
    /// Cancelled when the broker stops.
    pub stop: CancellationToken,
    identity: Identity,
}

/// Properties that every request of a kind looks at. None of them changes while the broker runs.
#[derive(Debug)]
pub(crate) struct Limits {
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
}

impl BrokerState {
    fn open(
        setup: &Setup,
        advertised: Advertised,
        data_dir: &Path,
        background: &tokio::runtime::Handle,
    ) -> Result<Self, BrokerError> {
        let at_dir = |reason: String| BrokerError::DataDir {
            path: data_dir.to_owned(),
            reason,
        };
        let node_id = i32::try_from(setup.config.int("node.id")).unwrap_or(1);
        let store = Store::open(data_dir).map_err(|error| at_dir(error.to_string()))?;
        let identity = Identity::open(&store).map_err(|error| at_dir(error.to_string()))?;
        let configs = Configs::open(&store, node_id).map_err(|error| at_dir(error.to_string()))?;
        for of_broker in [false, true] {
            let values = configs.get(of_broker).map_err(|error| at_dir(error.to_string()))?;
            setup.config.set_dynamic(of_broker, values);
        }
        let log_dir = LogDir::open(data_dir, &store, OPEN_FILES_MAX).map_err(|error| at_dir(error.to_string()))?;
        let topics = Topics::open(
            &store,
            Arc::clone(&log_dir),
            setup.config.clone(),
            setup.clock.clone(),
            identity.unclean_stops,
        )
        .map_err(|error| at_dir(error.to_string()))?;
        let topics = Arc::new(topics);
        let internal_topic = |name: &'static str, partitions: &str| {
            let partitions = i32::try_from(setup.config.int(partitions)).unwrap_or(1);
            InternalTopic::new(name, partitions, Arc::clone(&topics))
        };
        let journal = Journal {
            topic: internal_topic(OFFSETS_TOPIC, "offsets.topic.num.partitions"),
        };
        let groups = Arc::new(group_config(&setup.config));
        let groups = Groups::open(
            &store,
            journal,
            topics.clone(),
            groups,
            setup.clock.clone(),
            background.clone(),
        )
        .map_err(|error| at_dir(error.to_string()))?;
        groups.drop_offsets(|topic| topics.get(topic).is_none());
        let producer_ids = Arc::new(ProducerIds::open(&store).map_err(|error| at_dir(error.to_string()))?);
        let parts = Parts {
            config: txn_config(&setup.config),
            intervals: txn_intervals(&setup.config),
            clock: setup.clock.clone(),
            handle: background.clone(),
            topics: Arc::clone(&topics),
            groups: groups.clone(),
            journal: internal_topic(TRANSACTIONS_TOPIC, "transaction.state.log.num.partitions"),
            producer_ids: Arc::clone(&producer_ids),
            coordinator_epoch: identity.unclean_stops,
        };
        let txns = Txns::open(&store, parts).map_err(|error| at_dir(error.to_string()))?;
        txns.end_strays();
        let agreements = Agreements::open(&store, identity.unclean_stops).map_err(|error| at_dir(error.to_string()))?;
        let internal_topics = InternalTopics {
            agreements,
            groups: groups.clone(),
            txns: txns.clone(),
        };
        internal_topics.agree(&topics);
        let group_configs = NamedConfigs::groups(&store).map_err(|error| at_dir(error.to_string()))?;
        for group_id in group_configs.names() {
            groups.set_overrides(&group_id, &group_configs.get(&group_id));
        }
        Ok(Self {
            node_id,
            cluster_id: identity.cluster_id.clone(),
            advertised,
            rack: setup.config.value("broker.rack").map(StrBytes::from_string),
            limits: Limits {
                fetch_bytes_max: setup.config.size("fetch.max.bytes"),
            },
            data_dir: data_dir.to_owned(),
            config: setup.config.clone(),
            configs,
            group_configs,
            client_metrics: NamedConfigs::client_metrics(&store).map_err(|error| at_dir(error.to_string()))?,
            client_quotas: ClientQuotas::open(&store).map_err(|error| at_dir(error.to_string()))?,
            credentials: Credentials::open(&store).map_err(|error| at_dir(error.to_string()))?,
            clock: setup.clock.clone(),
            producer_ids,
            store,
            log_dir,
            topics,
            groups,
            txns,
            internal_topics,
            fetch_sessions: FetchSessions::new(setup.config.size("max.incremental.fetch.session.cache.slots")),
            stop: CancellationToken::new(),
            identity,
        })
    }

    /// Writes down that everything was closed as it should be.
    fn close(&self) -> Result<(), BrokerError> {
        let failed = |reason: String| BrokerError::DataDir {
            path: self.data_dir.clone(),
            reason,
        };
        self.topics.close().map_err(|error| failed(error.to_string()))?;
        self.identity
            .stopped_cleanly()
            .map_err(|error| failed(error.to_string()))?;
        self.store.flush_blocking().map_err(|error| failed(error.to_string()))
    }
}

/// The group coordinator's limits, from the broker's properties.
fn group_config(config: &BrokerConfig) -> GroupConfig {
    let int = |name: &str| i32::try_from(config.int(name)).unwrap_or(i32::MAX);
    GroupConfig {
        min_session_timeout_ms: int("group.min.session.timeout.ms"),
        max_session_timeout_ms: int("group.max.session.timeout.ms"),
        initial_rebalance_delay_ms: int("group.initial.rebalance.delay.ms"),
        max_size: config.size("group.max.size"),
        consumer_session_timeout_ms: int("group.consumer.session.timeout.ms"),
        consumer_heartbeat_interval_ms: int("group.consumer.heartbeat.interval.ms"),
        consumer_max_size: config.size("group.consumer.max.size"),
        migration_policy: MigrationPolicy::by_name(&config.string("group.consumer.migration.policy"))
            .unwrap_or_default(),
        offset_metadata_max_size: config.size("offset.metadata.max.bytes"),
        offsets_retention_ms: config.int("offsets.retention.minutes").saturating_mul(60_000),
        offsets_retention_check_interval_ms: config.int("offsets.retention.check.interval.ms"),
        ..GroupConfig::default()
    }
}

/// The transaction coordinator's limits, from the broker's properties.
fn txn_config(config: &BrokerConfig) -> TxnConfig {
    TxnConfig {
        max_timeout_ms: i32::try_from(config.int("transaction.max.timeout.ms")).unwrap_or(i32::MAX),
        id_expiration_ms: config.int("transactional.id.expiration.ms"),
    }
}

/// How often the transaction coordinator looks, from the broker's properties.
fn txn_intervals(config: &BrokerConfig) -> Intervals {
    let millis = |name: &str| Duration::from_millis(u64::try_from(config.int(name)).unwrap_or(1));
    Intervals {
        abort_timed_out: millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        remove_expired: millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
    }
}

/// Starts brokers.
///
/// ```no_run
/// # async fn example() -> Result<(), tickertape_broker::BrokerError> {
/// let broker = tickertape_broker::Broker::builder().start().await?;
/// println!("bootstrap.servers={}", broker.bootstrap_servers());
/// broker.shutdown().await
/// # }
/// ```
#[derive(Debug)]
pub struct Broker;

impl Broker {
    /// A broker on a free port of the loopback address, with a temporary data directory, unless told otherwise.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder {
            listen: None,
            advertise: None,
            data_dir: None,
            properties: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// How a broker is to be started.
#[derive(Debug, Clone)]
#[must_use]
pub struct BrokerBuilder {
    listen: Option<String>,
    advertise: Option<String>,
    data_dir: Option<PathBuf>,
    properties: Vec<(String, String)>,
    clock: Arc<dyn Clock>,
}

impl BrokerBuilder {
    /// Listens on `host:port`; port 0 takes a free one. Without this the property `listeners` counts, and without both
    /// `127.0.0.1:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// Tells clients to connect to `host:port` instead of the address that is listened on.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Keeps everything in `path`, which is made if it is not there. Without this the property `log.dirs` counts, and
    /// without both a temporary directory that is deleted at the end.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Sets one of Kafka's broker properties. A later value of the same property wins.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Sets several of Kafka's broker properties.
    pub fn properties(mut self, properties: impl IntoIterator<Item = (String, String)>) -> Self {
        self.properties.extend(properties);
        self
    }

    /// Tells the broker what time it is.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts the broker; it answers clients when this returns. Works under any executor.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub async fn start(self) -> Result<BrokerHandle, BrokerError> {
        aside("tickertape-start", move || self.start_blocking()).await?
    }

    /// [`start`](Self::start) for a thread that may block.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn start_blocking(self) -> Result<BrokerHandle, BrokerError> {
        let mut config = BrokerConfig::new(self.properties)?;
        let listen = match self.listen {
            Some(address) => address,
            // Kafka's default, port 9092 on every address, is no good where many run in one process.
            None => match config.given("listeners") {
                Some(listeners) => address::listener(listeners)?.unwrap_or_else(|| "127.0.0.1:0".into()),
                None => "127.0.0.1:0".into(),
            },
        };
        let advertise = match self.advertise {
            Some(address) => Some(address),
            None => address::listener(&config.string("advertised.listeners"))?,
        };
        let listener = bind(&listen, &config)?;
        let advertised = Advertised::new(advertise.as_deref(), &listen, &listener)?;
        let data_dir = match self.data_dir.or_else(|| config.data_dir()) {
            Some(path) => DataDir::Kept(path),
            None => DataDir::temporary()?,
        };
        show_addresses(&mut config, &listen, &listener, advertise.as_deref(), data_dir.path());
        let setup = Setup {
            config: Arc::new(config),
            clock: self.clock,
        };
        let background = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tickertape-background")
            .enable_all()
            .build()
            .map_err(|error| BrokerError::Runtime(format!("starting the background threads: {error}")))?;
        let state = Arc::new(BrokerState::open(
            &setup,
            advertised,
            data_dir.path(),
            background.handle(),
        )?);
        let housekeeping = housekeeping(&state)?;
        let server = Server::start(listener, &state)?;
        tracing::info!(
            address = %state.advertised,
            data_dir = %data_dir.path().display(),
            topics = state.topics.len(),
            "broker is ready"
        );
        Ok(BrokerHandle {
            bootstrap_servers: state.advertised.to_string(),
            running: Some(Running {
                state,
                server,
                housekeeping,
                background,
            }),
            data_dir,
        })
    }
}

/// What DescribeConfigs shows of where the broker is: the addresses and the directory that it has, whoever named them.
fn show_addresses(
    config: &mut BrokerConfig,
    listen: &str,
    listener: &TcpListener,
    advertise: Option<&str>,
    data_dir: &Path,
) {
    let real_port = listener.local_addr().map_or(0, |address| address.port());
    let real = match listen.rsplit_once(':') {
        Some((host, _)) => format!("{host}:{real_port}"),
        None => listen.to_owned(),
    };
    let (asked, real) = (format!("PLAINTEXT://{listen}"), format!("PLAINTEXT://{real}"));
    let listeners = match config.given("listeners") {
        // With those that are not served, as it was written.
        Some(given) if given.contains(&asked) => given.replacen(&asked, &real, 1),
        _ => real,
    };
    config.set_given("listeners", listeners);
    if let (Some(advertise), None) = (advertise, config.given("advertised.listeners")) {
        config.set_given("advertised.listeners", format!("PLAINTEXT://{advertise}"));
    }
    if config.data_dir().as_deref() != Some(data_dir) {
        config.set_given("log.dirs", data_dir.display().to_string());
    }
}

/// Starts what keeps the logs in order.
fn housekeeping(state: &BrokerState) -> Result<Housekeeping, BrokerError> {
    let millis = |name: &str| Duration::from_millis(u64::try_from(state.config.int(name)).unwrap_or(0));
    let config = HousekeepingConfig {
        retention_check_interval: millis("log.retention.check.interval.ms"),
        cleaner_backoff: millis("log.cleaner.backoff.ms"),
        cleaner_enable: state.config.boolean("log.cleaner.enable"),
        cleaner_dedupe_buffer_bytes: state.config.size("log.cleaner.dedupe.buffer.size"),
        cleaner_io_max_bytes_per_second: state
            .config
            .string("log.cleaner.io.max.bytes.per.second")
            .parse()
            .unwrap_or(f64::MAX),
        ..HousekeepingConfig::default()
    };
    Housekeeping::start(Arc::clone(&state.log_dir), Arc::clone(&state.clock), config)
        .map_err(|error| BrokerError::Runtime(format!("starting the housekeeping threads: {error}")))
}

struct Setup {
    config: Arc<BrokerConfig>,
    clock: Arc<dyn Clock>,
}

/// A data directory, and whether it goes with the broker.
#[derive(Debug)]
enum DataDir {
    Kept(PathBuf),
    Temporary(PathBuf),
}

impl DataDir {
    fn temporary() -> Result<Self, BrokerError> {
        let path = std::env::temp_dir().join(format!("tickertape-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).map_err(|error| BrokerError::DataDir {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self::Temporary(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self
            && let Err(error) = std::fs::remove_dir_all(&*path)
        {
            tracing::warn!(path = %path.display(), %error, "temporary data directory is left behind");
        }
    }
}

/// A running broker. Dropping it stops it and waits for that.
#[derive(Debug)]
pub struct BrokerHandle {
    bootstrap_servers: String,
    // Before the directory, which goes last.
    running: Option<Running>,
    data_dir: DataDir,
}

#[derive(Debug)]
struct Running {
    state: Arc<BrokerState>,
    server: Server,
    housekeeping: Housekeeping,
    background: tokio::runtime::Runtime,
}

impl BrokerHandle {
    /// `host:port`, for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Where the broker keeps its data.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Stops the broker: requests in flight are answered, parked ones at once; everything is synced to disk. Works under
    /// any executor.
    ///
    /// # Errors
    /// What could not be written; the next start recovers then.
    pub async fn shutdown(mut self) -> Result<(), BrokerError> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        aside("tickertape-stop", move || running.stop()).await?
        // The data directory goes with `self`, after the broker.
    }
}

impl Drop for BrokerHandle {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // A runtime must not end on a thread that runs another one's tasks, and this may be such a thread.
        let stopped = std::thread::scope(|scope| scope.spawn(|| running.stop()).join());
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::error!(?stopped, "the broker did not stop cleanly");
        }
    }
}

impl Running {
    fn stop(self) -> Result<(), BrokerError> {
        self.state.stop.cancel();
        self.state.groups.shutdown();
        self.server.join();
        self.state.txns.shutdown();
        drop(self.housekeeping);
        // Nothing is left that could write.
        self.background.shutdown_timeout(Duration::from_secs(10));
        self.state.close()
    }
}

/// Runs `work` on a thread of its own and waits for it without blocking the caller's executor.
async fn aside<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, BrokerError> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _ = done.send(work());
        })
        .map_err(|error| BrokerError::Runtime(format!("starting a thread: {error}")))?;
    result
        .await
        .map_err(|_| BrokerError::Runtime(format!("{name} ended before its work was done")))
}
