//! The quotas that are set for clients: numbers by key, for users, client ids, both together, or addresses.
//!
//! Tree `quotas` has a record for each entity that has any; all are in memory, too. An entity's name for a kind is null where
//! it stands for all that have none of their own. Numbers are stored as text, which has infinities and what is no number.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use super::store::{Batch, Store, StoreError, Tree};

/// Whom quotas are for: a name, or null for the default, by kind (`user`, `client-id`, `ip`).
pub(crate) type Entity = BTreeMap<String, Option<String>>;

/// The quotas of an entity by key.
pub(crate) type Quotas = BTreeMap<String, f64>;

/// Quotas of an entity by key, each to be set or to be removed.
pub(crate) type Change = (Entity, Vec<(String, Option<f64>)>);

/// What is set for all entities.
#[derive(Debug)]
pub(crate) struct ClientQuotas {
    tree: Tree,
    all: RwLock<BTreeMap<Entity, Quotas>>,
}

impl ClientQuotas {
    /// Reads them.
    pub(crate) fn open(store: &Store) -> Result<Self, StoreError> {
        let tree = store.tree("quotas")?;
        let mut all = BTreeMap::new();
        for record in tree.scan_prefix(&[]) {
            let (key, value) = record?;
            let (entity, quotas) = decoded(&key, &value)
                .ok_or_else(|| StoreError::Database("a record of client quotas cannot be read".to_owned()))?;
            all.insert(entity, quotas);
        }
        Ok(Self {
            tree,
            all: RwLock::new(all),
        })
    }

    /// Looks at them.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&BTreeMap<Entity, Quotas>) -> R) -> R {
        look(&self.all.read())
    }

    /// Makes all the changes or none; what is to be removed need not be there. Durable after the next flush.
    pub(crate) fn alter(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut all = self.all.write();
        let mut changed: BTreeMap<Entity, Quotas> = BTreeMap::new();
        for (entity, values) in changes {
            let before = all.get(&entity).cloned().unwrap_or_default();
            let quotas = changed.entry(entity).or_insert(before);
            for (key, value) in values {
                match value {
                    Some(value) => quotas.insert(key, value),
                    None => quotas.remove(&key),
                };
            }
        }
        let mut batch = Batch::default();
        for (entity, quotas) in &changed {
            let key = serde_json::to_vec(entity).unwrap_or_default();
            if quotas.is_empty() {
                batch.remove(key);
            } else {
                let text: BTreeMap<_, _> = quotas.iter().map(|(key, value)| (key, value.to_string())).collect();
                batch.put(key, serde_json::to_vec(&text).unwrap_or_default());
            }
        }
        self.tree.apply(batch)?;
        for (entity, quotas) in changed {
            if quotas.is_empty() {
                all.remove(&entity);
            } else {
                all.insert(entity, quotas);
            }
        }
        Ok(())
    }
}

fn decoded(key: &[u8], value: &[u8]) -> Option<(Entity, Quotas)> {
    let entity = serde_json::from_slice(key).ok()?;
    let text: BTreeMap<String, String> = serde_json::from_slice(value).ok()?;
    let quotas = text.into_iter().map(|(key, value)| Some((key, value.parse().ok()?)));
    Some((entity, quotas.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(names: &[(&str, Option<&str>)]) -> Entity {
        let names = names.iter();
        names
            .map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned)))
            .collect()
    }

    #[test]
    fn they_are_there_after_a_restart_until_the_last_is_removed() {
        let store = Store::in_memory();
        let quotas = ClientQuotas::open(&store).unwrap();
        let alice = entity(&[("user", Some("alice")), ("client-id", None)]);
        let all = entity(&[("user", None)]);
        let value = |key: &str, value: Option<f64>| (key.to_owned(), value);
        let of_alice = [
            value("producer_byte_rate", Some(1e9)),
            value("request_percentage", Some(f64::INFINITY)),
        ];
        let of_all = [value("request_percentage", Some(0.1))];
        quotas
            .alter(vec![(alice.clone(), of_alice.into()), (all.clone(), of_all.into())])
            .unwrap();
        let again = ClientQuotas::open(&store).unwrap();
        let found = again.read(Clone::clone);
        assert_eq!(found, quotas.read(Clone::clone));
        assert_eq!(found[&alice]["request_percentage"], f64::INFINITY);
        assert_eq!(
            (found[&alice]["producer_byte_rate"], found[&all]["request_percentage"]),
            (1e9, 0.1)
        );

        let removed = ["producer_byte_rate", "request_percentage", "nothing"].map(|key| value(key, None));
        again.alter(vec![(alice, removed.into())]).unwrap();
        let left = ClientQuotas::open(&store).unwrap().read(Clone::clone);
        assert_eq!(left.into_keys().collect::<Vec<_>>(), [all]);
    }
}
