//! Which topics exist, their ids, partitions and own properties, and the logs behind them.
//!
//! One record per topic, in tree `topics` by name, says all of it, so that a topic is made, changed and deleted
//! atomically. Readers take a snapshot of the index ([`Topics::get`], [`Topics::by_id`], [`Topics::all`]) and never wait;
//! changes take their turn behind one lock and are durable before they are visible. A deletion is recorded before the logs
//! go, and finished at the next start if it was cut short: a topic never comes back with some of its data.
//!
//! **Leader epoch.** The cluster has one broker, so leadership never moves. What a client uses the epoch for is to notice
//! that a log was cut behind its back, and that can happen here too: when the broker did not stop cleanly. So the epoch of
//! every topic goes up by one with each start after an unclean stop.

mod put_back;

pub(crate) use put_back::{Found, put_back};

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kafka_protocol::protocol::StrBytes;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::{Store, StoreError, Tree};
use crate::clock::Clock;
use crate::config::{BrokerConfig, Values, log_config};
pub(crate) use crate::coordinator::group::offsets::OFFSETS_TOPIC;
pub(crate) use crate::coordinator::txn::TRANSACTIONS_TOPIC;
use crate::log::{LogConfig, LogDir, LogError, PartitionLog};

/// One partition of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Its number.
    pub index: i32,
    /// The epoch of its leader, which is this broker.
    pub leader_epoch: i32,
    /// Its records.
    pub log: Arc<PartitionLog>,
    deleted: AtomicBool,
}

impl Partition {
    /// A partition around a log, without a topic.
    #[cfg(test)]
    pub(crate) fn for_tests(index: i32, log: Arc<PartitionLog>) -> Partition {
        Partition {
            index,
            leader_epoch: 0,
            log,
            deleted: AtomicBool::new(false),
        }
    }

    /// Whether its topic was deleted since the partition was looked up.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }
}

/// A topic as of one moment. A change makes a new one; the logs are shared.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Its name.
    pub name: StrBytes,
    /// Its id, new for each topic that is made, also under an old name.
    pub id: Uuid,
    /// Whether it is the broker's own.
    pub internal: bool,
    /// What is set for it, by property.
    pub overrides: Values,
    /// Its partitions, by number.
    pub partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// A partition by the number that a client gave.
    pub(crate) fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

/// What is stored of a topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    #[serde(with = "id_text")]
    id: Uuid,
    partitions: i32,
    #[serde(default)]
    internal: bool,
    /// How many unclean stops there had been when the topic was made.
    born_after: i32,
    #[serde(default)]
    overrides: Values,
    #[serde(default)]
    deleting: bool,
}

/// An id as text.
mod id_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        Uuid::try_parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why a topic is not made, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicsError {
    /// The name is taken.
    #[error("Topic '{0}' already exists.")]
    Exists(String),
    /// There is no such topic.
    #[error("no such topic")]
    Unknown,
    /// A log could not be made or taken away.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored record cannot be read, or a value cannot be.
    #[error("{0}")]
    Invalid(String),
}

#[derive(Debug, Default)]
struct Index {
    by_name: HashMap<StrBytes, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    tree: Tree,
    store: Store,
    dir: Arc<LogDir>,
    config: Arc<BrokerConfig>,
    clock: Arc<dyn Clock>,
    /// How many times this data directory was started after an unclean stop.
    unclean_stops: i32,
    index: RwLock<Index>,
    changes: tokio::sync::Mutex<()>,
}

impl Topics {
    /// Opens every topic and its logs, and finishes deletions that were cut short.
    pub(crate) fn open(
        store: &Store,
        dir: Arc<LogDir>,
        config: Arc<BrokerConfig>,
        clock: Arc<dyn Clock>,
        unclean_stops: i32,
    ) -> Result<Self, TopicsError> {
        let topics = Self {
            tree: store.tree("topics")?,
            store: store.clone(),
            dir,
            config,
            clock,
            unclean_stops,
            index: RwLock::default(),
            changes: tokio::sync::Mutex::default(),
        };
        let mut kept = Vec::new();
        for entry in topics.tree.scan_prefix(b"") {
            let (key, value) = entry?;
            let name = String::from_utf8(key).map_err(|_| TopicsError::Invalid("topic name is not text".into()))?;
            let stored: Stored = serde_json::from_slice(&value)
                .map_err(|error| TopicsError::Invalid(format!("record of topic {name}: {error}")))?;
            kept.push((name, stored));
        }
        for (name, stored) in kept.extract_if(.., |(_, stored)| stored.deleting) {
            tracing::info!(topic = %name, "finishing a deletion that was cut short");
            let topic = topics.with_logs(&name, &stored, &[])?;
            topics.take_away(&topic)?;
            topics.tree.remove(name.as_bytes())?;
        }
        topics.open_all(&kept)?;
        Ok(topics)
    }

    /// Opens the logs of many topics, on all processors.
    fn open_all(&self, kept: &[(String, Stored)]) -> Result<(), TopicsError> {
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(kept.len().max(1));
        let next = AtomicUsize::new(0);
        let open_some = || -> Result<(), TopicsError> {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some((name, stored)) = kept.get(at) else {
                    return Ok(());
                };
                self.publish(self.with_logs(name, stored, &[])?);
            }
        };
        if threads == 1 {
            return open_some();
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(open_some)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(TopicsError::Invalid("opening a log panicked".into())))
            })
        })
    }

    /// A topic by name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.index.read().by_name.get(name.as_bytes()).cloned()
    }

    /// A topic by id.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.index.read().by_id.get(&id).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> = self.index.read().by_name.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// How many topics there are.
    pub(crate) fn len(&self) -> usize {
        self.index.read().by_name.len()
    }

    /// Makes a topic. When this returns, the topic is durable and its partitions take records.
    pub(crate) async fn create(
        self: &Arc<Self>,
        name: &str,
        id: Uuid,
        partitions: i32,
        overrides: Values,
    ) -> Result<Arc<Topic>, TopicsError> {
        let _turn = self.changes.lock().await;
        if self.get(name).is_some() {
            return Err(TopicsError::Exists(name.to_owned()));
        }
        let stored = Stored {
            id,
            partitions,
            internal: is_internal(name),
            born_after: self.unclean_stops,
            overrides,
            deleting: false,
        };
        self.put(name, &stored)?;
        let topic = match self.open_aside(name, stored, Vec::new()).await {
            Ok(topic) => topic,
            Err(error) => {
                self.tree.remove(name.as_bytes())?;
                return Err(error);
            }
        };
        self.store.flush().await?;
        self.publish(Arc::clone(&topic));
        Ok(topic)
    }

    /// Gives a topic more partitions.
    pub(crate) async fn add_partitions(self: &Arc<Self>, name: &str, partitions: i32) -> Result<(), TopicsError> {
        let _turn = self.changes.lock().await;
        let topic = self.get(name).ok_or(TopicsError::Unknown)?;
        let mut stored = self.stored(name)?;
        let before = stored.clone();
        stored.partitions = partitions;
        self.put(name, &stored)?;
        let topic = match self.open_aside(name, stored, topic.partitions.clone()).await {
            Ok(topic) => topic,
            Err(error) => {
                self.put(name, &before)?;
                return Err(error);
            }
        };
        self.store.flush().await?;
        self.publish(topic);
        Ok(())
    }

    /// Replaces what is set for a topic. The values were checked before.
    pub(crate) async fn set_overrides(&self, name: &str, overrides: Values) -> Result<(), TopicsError> {
        let _turn = self.changes.lock().await;
        let topic = self.get(name).ok_or(TopicsError::Unknown)?;
        let mut stored = self.stored(name)?;
        let config = self.log_config(&overrides)?;
        stored.overrides.clone_from(&overrides);
        self.put(name, &stored)?;
        self.store.flush().await?;
        for partition in &topic.partitions {
            partition.log.set_config(Arc::clone(&config));
        }
        self.publish(Arc::new(Topic {
            name: topic.name.clone(),
            id: topic.id,
            internal: topic.internal,
            overrides,
            partitions: topic.partitions.clone(),
        }));
        Ok(())
    }

    /// Gives every log its properties anew, after the broker's own have changed.
    pub(crate) fn apply_broker_config(&self) {
        for topic in self.all() {
            match self.log_config(&topic.overrides) {
                Ok(config) => topic
                    .partitions
                    .iter()
                    .for_each(|partition| partition.log.set_config(config.clone())),
                Err(error) => tracing::warn!(topic = %topic.name, %error, "the topic keeps its former properties"),
            }
        }
    }

    /// Deletes a topic: it is gone for everyone when this returns, and stays gone.
    pub(crate) async fn delete(&self, name: &str) -> Result<Arc<Topic>, TopicsError> {
        let _turn = self.changes.lock().await;
        let topic = self.get(name).ok_or(TopicsError::Unknown)?;
        let mut stored = self.stored(name)?;
        stored.deleting = true;
        self.put(name, &stored)?;
        self.store.flush().await?;
        {
            let mut index = self.index.write();
            index.by_name.remove(name.as_bytes());
            index.by_id.remove(&topic.id);
        }
        for partition in &topic.partitions {
            partition.deleted.store(true, Ordering::Release);
            partition.log.waiters().wake();
        }
        self.take_away(&topic)?;
        self.tree.remove(name.as_bytes())?;
        Ok(topic)
    }

    /// Closes every log, for a clean stop.
    pub(crate) fn close(&self) -> Result<(), TopicsError> {
        for topic in self.all() {
            for partition in &topic.partitions {
                partition.log.close()?;
            }
        }
        self.dir.close()?;
        Ok(())
    }

    fn take_away(&self, topic: &Topic) -> Result<(), TopicsError> {
        let now_ms = self.clock.now_ms();
        topic
            .partitions
            .iter()
            .try_for_each(|partition| partition.log.remove(now_ms))?;
        Ok(())
    }

    fn publish(&self, topic: Arc<Topic>) {
        let mut index = self.index.write();
        index.by_id.insert(topic.id, Arc::clone(&topic));
        index.by_name.insert(topic.name.clone(), topic);
    }

    fn put(&self, name: &str, stored: &Stored) -> Result<(), TopicsError> {
        let value = serde_json::to_vec(stored).map_err(|error| TopicsError::Invalid(error.to_string()))?;
        Ok(self.tree.put(name.as_bytes(), &value)?)
    }

    fn stored(&self, name: &str) -> Result<Stored, TopicsError> {
        let value = self.tree.get(name.as_bytes())?.ok_or(TopicsError::Unknown)?;
        serde_json::from_slice(&value).map_err(|error| TopicsError::Invalid(format!("record of topic {name}: {error}")))
    }

    fn log_config(&self, overrides: &Values) -> Result<Arc<LogConfig>, TopicsError> {
        log_config(&self.config, overrides)
            .map(Arc::new)
            .map_err(|error| TopicsError::Invalid(error.to_string()))
    }

    /// [`with_logs`](Self::with_logs) on a thread that may wait for the disk.
    async fn open_aside(
        self: &Arc<Self>,
        name: &str,
        stored: Stored,
        open: Vec<Arc<Partition>>,
    ) -> Result<Arc<Topic>, TopicsError> {
        let (topics, name) = (Arc::clone(self), name.to_owned());
        tokio::task::spawn_blocking(move || topics.with_logs(&name, &stored, &open))
            .await
            .unwrap_or_else(|error| Err(TopicsError::Invalid(error.to_string())))
    }

    /// A topic with the logs of all its partitions: those of `open`, and the rest opened or made.
    fn with_logs(&self, name: &str, stored: &Stored, open: &[Arc<Partition>]) -> Result<Arc<Topic>, TopicsError> {
        let config = self.log_config(&stored.overrides)?;
        let leader_epoch = self.unclean_stops - stored.born_after;
        let mut partitions = open.to_vec();
        for index in i32::try_from(open.len()).unwrap_or(i32::MAX)..stored.partitions {
            let now_ms = self.clock.now_ms();
            let log = PartitionLog::open(&self.dir, name, stored.id, index, Arc::clone(&config), now_ms)?;
            partitions.push(Arc::new(Partition {
                index,
                leader_epoch,
                log: Arc::new(log),
                deleted: AtomicBool::new(false),
            }));
        }
        Ok(Arc::new(Topic {
            name: StrBytes::from_string(name.to_owned()),
            id: stored.id,
            internal: stored.internal,
            overrides: stored.overrides.clone(),
            partitions,
        }))
    }
}

/// Whether a topic is the broker's own, by its name: clients that subscribe by a pattern leave it out, and none writes to it.
pub(crate) fn is_internal(name: &str) -> bool {
    [OFFSETS_TOPIC, TRANSACTIONS_TOPIC, "__share_group_state"].contains(&name)
}

/// Why a name cannot be a topic's, in Kafka's words.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    const MAX_LENGTH: usize = 249;
    let reason = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.encode_utf16().count() > MAX_LENGTH {
        format!("the length of '{name}' is longer than the max allowed length {MAX_LENGTH}")
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn open(store: &Store, path: &std::path::Path, unclean_stops: i32) -> Arc<Topics> {
        let dir = LogDir::open(path, store, 100).unwrap();
        let config = Arc::new(BrokerConfig::new([]).unwrap());
        let clock = Arc::new(ManualClock::new(1_000));
        Arc::new(Topics::open(store, dir, config, clock, unclean_stops).unwrap())
    }

    #[tokio::test]
    async fn topics_survive_and_deleted_ones_do_not() {
        let path = tempfile::tempdir().unwrap();
        let store = Store::open(path.path()).unwrap();
        let topics = open(&store, path.path(), 0);
        let id = Uuid::from_u128(7);
        let overrides = Values::from([("retention.ms".to_owned(), "9".to_owned())]);
        topics.create("kept", id, 2, overrides.clone()).await.unwrap();
        assert!(matches!(
            topics.create("kept", id, 1, Values::new()).await,
            Err(TopicsError::Exists(_))
        ));
        topics
            .create("gone", Uuid::from_u128(8), 1, Values::new())
            .await
            .unwrap();
        topics.add_partitions("kept", 5).await.unwrap();
        topics.delete("gone").await.unwrap();
        topics.close().unwrap();
        drop(topics);

        let topics = open(&store, path.path(), 1);
        let kept = topics.by_id(id).unwrap();
        assert_eq!((kept.partitions.len(), &kept.overrides), (5, &overrides));
        assert_eq!(kept.partitions[4].leader_epoch, 1, "one unclean stop since it was made");
        assert_eq!(topics.all().len(), 1);
        let new = topics
            .create("gone", Uuid::from_u128(9), 1, Values::new())
            .await
            .unwrap();
        assert_eq!(new.partitions[0].leader_epoch, 0);
    }

    #[test]
    fn names_are_checked_in_kafkas_words() {
        assert!(check_name("prices.v1-x_y").is_ok());
        for (name, reason) in [
            ("", "the empty string is not allowed"),
            ("..", "'..' is not allowed"),
            (
                "a b",
                "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            ),
        ] {
            assert_eq!(check_name(name), Err(format!("Topic name is invalid: {reason}")));
        }
        assert!(check_name(&"x".repeat(250)).is_err());
    }
}
