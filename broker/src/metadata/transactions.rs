//! Where transactional ids are kept: one entry each, whole, so that a change is one write.
//!
//! The value is JSON. What Apache Kafka writes to `__transaction_state` is in it, and the producer ids and epochs before and
//! after, so that a retry is known as such also after a restart. An entry that cannot be read is logged and left out: a
//! damaged one must not keep the others away.

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;
use serde::{Deserialize, Serialize};

use super::store::{Batch, Store, StoreError, Tree};
use crate::coordinator::txn::{Partitions, Record, State, Transaction};

const TREE: &str = "transactions";

/// The stored transactional ids. Clones share them.
#[derive(Clone, Debug)]
pub struct TransactionStore {
    tree: Tree,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    producer_id: i64,
    prev_producer_id: i64,
    next_producer_id: i64,
    producer_epoch: i16,
    last_producer_epoch: i16,
    timeout_ms: i32,
    #[serde(default)]
    client_version: i16,
    state: String,
    partitions: BTreeMap<String, Vec<i32>>,
    start_ms: i64,
    last_update_ms: i64,
}

impl TransactionStore {
    /// Opens the tree of transactional ids in `store`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn open(store: &Store) -> Result<TransactionStore, StoreError> {
        Ok(TransactionStore {
            tree: store.tree(TREE)?,
        })
    }

    /// Every transactional id, as a restart finds it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn load(&self) -> Result<BTreeMap<StrBytes, Transaction>, StoreError> {
        let mut transactions = BTreeMap::new();
        for entry in self.tree.scan_prefix(&[]) {
            let (key, value) = entry?;
            match (String::from_utf8(key), decode(&value)) {
                (Ok(id), Some(transaction)) => {
                    transactions.insert(StrBytes::from_string(id), transaction);
                }
                (key, _) => tracing::warn!(?key, "left out a damaged entry of a transactional id"),
            }
        }
        Ok(transactions)
    }

    /// Writes the records, all or none; safe from power loss only after [`Self::flush`].
    ///
    /// # Errors
    /// [`StoreError::Database`]: nothing was written.
    pub fn write(&self, transactional_id: &StrBytes, records: &[Record]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        let key = || transactional_id.as_bytes().to_vec();
        for record in records {
            match record {
                Record::Changed(transaction) => batch.put(key(), encode(transaction)?),
                Record::Removed => batch.remove(key()),
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.tree.apply(batch)
    }

    /// Returns when everything written before survives power loss.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.tree.store().flush().await
    }
}

fn encode(transaction: &Transaction) -> Result<Vec<u8>, StoreError> {
    let partitions = transaction.partitions.iter();
    let stored = Stored {
        producer_id: transaction.producer_id,
        prev_producer_id: transaction.prev_producer_id,
        next_producer_id: transaction.next_producer_id,
        producer_epoch: transaction.producer_epoch,
        last_producer_epoch: transaction.last_producer_epoch,
        timeout_ms: transaction.timeout_ms,
        client_version: transaction.client_version,
        state: transaction.state.name().to_owned(),
        partitions: partitions
            .map(|(topic, indexes)| (topic.to_string(), indexes.iter().copied().collect()))
            .collect(),
        start_ms: transaction.start_ms,
        last_update_ms: transaction.last_update_ms,
    };
    serde_json::to_vec(&stored).map_err(|error| StoreError::Database(error.to_string()))
}

fn decode(value: &[u8]) -> Option<Transaction> {
    let stored: Stored = serde_json::from_slice(value).ok()?;
    let partitions: Partitions = stored
        .partitions
        .into_iter()
        .map(|(topic, indexes)| (StrBytes::from_string(topic), indexes.into_iter().collect()))
        .collect();
    Some(Transaction {
        producer_id: stored.producer_id,
        prev_producer_id: stored.prev_producer_id,
        next_producer_id: stored.next_producer_id,
        producer_epoch: stored.producer_epoch,
        last_producer_epoch: stored.last_producer_epoch,
        timeout_ms: stored.timeout_ms,
        client_version: stored.client_version,
        state: State::of_name(&stored.state)?,
        partitions,
        start_ms: stored.start_ms,
        last_update_ms: stored.last_update_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_again_and_what_is_damaged_is_left_out() {
        let store = Store::in_memory();
        let transactions = TransactionStore::open(&store).unwrap();
        let text = |text: &'static str| StrBytes::from_static_str(text);
        for (number, state) in State::ALL.into_iter().enumerate() {
            let number = number as i64;
            let transaction = Transaction {
                producer_id: number,
                prev_producer_id: number + 1,
                next_producer_id: -1,
                producer_epoch: 7,
                last_producer_epoch: 6,
                timeout_ms: 60_000,
                client_version: 2,
                state,
                partitions: [
                    (text("prices"), [0, 3].into()),
                    (text("__consumer_offsets"), [49].into()),
                ]
                .into(),
                start_ms: 5,
                last_update_ms: 9,
            };
            let record = Record::Changed(Box::new(transaction.clone()));
            transactions.write(&text("sink"), &[record]).unwrap();
            assert_eq!(
                transactions.load().unwrap().into_iter().collect::<Vec<_>>(),
                [(text("sink"), transaction)]
            );
        }
        store.tree(TREE).unwrap().put(b"bad", b"{\"producer_id\":1").unwrap();
        assert_eq!(transactions.load().unwrap().len(), 1);
        transactions.write(&text("sink"), &[Record::Removed]).unwrap();
        assert!(transactions.load().unwrap().is_empty());
    }
}
