//! The broker's properties that were changed while it ran, and its identity.
//!
//! Tree `configs` has two records for the broker, `broker/<node id>` for itself and `broker/` for the cluster's defaults, and
//! one for each subscription to clients' metrics and each group; each is an object of text by property name. Tree `broker` has
//! the cluster's id, and whether the last stop was clean. A topic's own properties are in its record ([`super::topics`]).

use std::collections::BTreeMap;

use parking_lot::RwLock;
use uuid::Uuid;

use super::store::{Store, StoreError, Tree};
use crate::config::Values;

/// The stored dynamic properties.
#[derive(Debug)]
pub(crate) struct Configs {
    tree: Tree,
    node_id: i32,
}

impl Configs {
    /// Opens the tree.
    pub(crate) fn open(store: &Store, node_id: i32) -> Result<Self, StoreError> {
        let configs = Self {
            tree: store.tree("configs")?,
            node_id,
        };
        if configs.tree.get(configs.key(false).as_bytes())?.is_none() {
            // Kafka 4.1 formats a new cluster with this default set.
            configs.put(
                false,
                &Values::from([("min.insync.replicas".to_owned(), "1".to_owned())]),
            )?;
        }
        Ok(configs)
    }

    fn key(&self, of_broker: bool) -> String {
        if of_broker {
            format!("broker/{}", self.node_id)
        } else {
            "broker/".to_owned()
        }
    }

    /// What is stored for this broker (`true`) or the cluster's defaults (`false`).
    pub(crate) fn get(&self, of_broker: bool) -> Result<Values, StoreError> {
        let value = self.tree.get(self.key(of_broker).as_bytes())?;
        Ok(value
            .and_then(|value| serde_json::from_slice(&value).ok())
            .unwrap_or_default())
    }

    /// Stores them. Durable after the next flush.
    pub(crate) fn put(&self, of_broker: bool, values: &Values) -> Result<(), StoreError> {
        let value = serde_json::to_vec(values).unwrap_or_default();
        self.tree.put(self.key(of_broker).as_bytes(), &value)
    }
}

/// What is set for resources of one kind that have names, each a record `<kind>/<name>` of tree `configs`.
#[derive(Debug)]
pub(crate) struct NamedConfigs {
    tree: Tree,
    prefix: &'static str,
    all: RwLock<BTreeMap<String, Values>>,
}

impl NamedConfigs {
    /// Reads the subscriptions to clients' metrics.
    pub(crate) fn client_metrics(store: &Store) -> Result<Self, StoreError> {
        Self::open(store, "client-metrics/")
    }

    /// Reads what is set for groups.
    pub(crate) fn groups(store: &Store) -> Result<Self, StoreError> {
        Self::open(store, "group/")
    }

    fn open(store: &Store, prefix: &'static str) -> Result<Self, StoreError> {
        let tree = store.tree("configs")?;
        let mut all = BTreeMap::new();
        for record in tree.scan_prefix(prefix.as_bytes()) {
            let (key, value) = record?;
            let name = String::from_utf8_lossy(&key[prefix.len()..]).into_owned();
            all.insert(name, serde_json::from_slice(&value).unwrap_or_default());
        }
        Ok(Self {
            tree,
            prefix,
            all: RwLock::new(all),
        })
    }

    /// What is set for one; nothing where there is none.
    pub(crate) fn get(&self, name: &str) -> Values {
        self.all.read().get(name).cloned().unwrap_or_default()
    }

    /// The names of all.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all.read().keys().cloned().collect()
    }

    /// Replaces what is set for one; with nothing set there is none any more. Durable after the next flush.
    pub(crate) fn put(&self, name: &str, values: Values) -> Result<(), StoreError> {
        let key = [self.prefix, name].concat();
        let mut all = self.all.write();
        if values.is_empty() {
            self.tree.remove(key.as_bytes())?;
            all.remove(name);
        } else {
            let value = serde_json::to_vec(&values).unwrap_or_default();
            self.tree.put(key.as_bytes(), &value)?;
            all.insert(name.to_owned(), values);
        }
        Ok(())
    }
}

/// Who this data directory is.
#[derive(Debug)]
pub(crate) struct Identity {
    tree: Tree,
    /// The cluster's id, 22 characters of base64.
    pub cluster_id: String,
    /// How often the broker started after a stop that was not clean.
    pub unclean_stops: i32,
}

impl Identity {
    /// Reads who the directory is, or makes it up for a new one, and marks the broker as running.
    pub(crate) fn open(store: &Store) -> Result<Self, StoreError> {
        let tree = store.tree("broker")?;
        let text = |key: &str| Ok::<_, StoreError>(tree.get(key.as_bytes())?.and_then(|v| String::from_utf8(v).ok()));
        let mut unclean_stops = text("unclean_stops")?.and_then(|n| n.parse().ok()).unwrap_or(0);
        let cluster_id = match text("cluster_id")? {
            Some(id) => id,
            None => {
                let id = base64_url(Uuid::new_v4().as_bytes());
                tree.put(b"cluster_id", id.as_bytes())?;
                id
            }
        };
        if tree.get(b"running")?.is_some() {
            unclean_stops += 1;
            tree.put(b"unclean_stops", unclean_stops.to_string().as_bytes())?;
        }
        tree.put(b"running", b"1")?;
        Ok(Self {
            tree,
            cluster_id,
            unclean_stops,
        })
    }

    /// How often the broker of this store started after a stop that was not clean.
    pub(crate) fn unclean_stops(store: &Store) -> Result<i32, StoreError> {
        let stored = store.tree("broker")?.get(b"unclean_stops")?;
        let number = stored.and_then(|value| String::from_utf8(value).ok()?.parse().ok());
        Ok(number.unwrap_or(0))
    }

    /// Marks the stop as clean.
    pub(crate) fn stopped_cleanly(&self) -> Result<(), StoreError> {
        self.tree.remove(b"running")
    }
}

/// Sixteen bytes as Kafka writes ids: base64 for URLs, without padding.
pub(crate) fn base64_url(bytes: &[u8; 16]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = u128::from_be_bytes(*bytes);
    // 128 bits are 21 digits of six bits and one of two, shifted up by four.
    (0..22)
        .map(|at| {
            let shift = 122 - 6 * at;
            let digit = if shift >= 0 {
                (value >> shift) & 63
            } else {
                (value << -shift) & 63
            };
            char::from(ALPHABET[digit as usize])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        assert_eq!(base64_url(&[0; 16]), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(base64_url(&[255; 16]), "_____________________w");
        assert_eq!(base64_url(&Uuid::from_u128(1).into_bytes()), "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    #[test]
    fn subscriptions_are_there_after_a_restart_until_nothing_is_set() {
        let store = Store::in_memory();
        let set = Values::from([("metrics".to_owned(), "org.a".to_owned())]);
        NamedConfigs::client_metrics(&store)
            .unwrap()
            .put("m", set.clone())
            .unwrap();
        let again = NamedConfigs::client_metrics(&store).unwrap();
        assert_eq!((again.names(), again.get("m")), (vec!["m".to_owned()], set));
        again.put("m", Values::new()).unwrap();
        assert_eq!(NamedConfigs::client_metrics(&store).unwrap().names(), [""; 0]);
    }

    #[test]
    fn an_unclean_stop_is_counted_and_the_id_stays() {
        let store = Store::in_memory();
        let first = Identity::open(&store).unwrap();
        assert_eq!((first.cluster_id.len(), first.unclean_stops), (22, 0));
        let second = Identity::open(&store).unwrap();
        assert_eq!((&second.cluster_id, second.unclean_stops), (&first.cluster_id, 1));
        second.stopped_cleanly().unwrap();
        assert_eq!(Identity::open(&store).unwrap().unclean_stops, 1);
    }
}
