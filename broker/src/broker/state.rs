//! What the parts of a running broker share, opened from the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
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
use crate::runtime::internal_topics::InternalTopics;
use crate::runtime::txn::{Intervals, Parts, Txns};
use crate::server::address::Advertised;

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
    pub(super) log_dir: Arc<LogDir>,
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
    pub(super) fn open(
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
    pub(super) fn close(&self) -> Result<(), BrokerError> {
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

/// What a broker is started with.
pub(super) struct Setup {
    pub(super) config: Arc<BrokerConfig>,
    pub(super) clock: Arc<dyn Clock>,
}
