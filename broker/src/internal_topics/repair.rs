//! What has to be appended so that a log says what its coordinator has.

use std::collections::{BTreeMap, BTreeSet};

use super::fold::Fold;
use super::groups::{Pending, same};
use super::{Entry, Producer};

/// What the coordinator has for one partition.
#[derive(Default)]
pub(crate) struct Wanted {
    /// By key.
    pub committed: BTreeMap<Vec<u8>, Vec<u8>>,
    /// By key, in order.
    pub pending: BTreeMap<Vec<u8>, Vec<(i64, Vec<u8>)>>,
}

impl Wanted {
    /// Takes over records, of which none is a tombstone.
    pub(crate) fn put(&mut self, entries: impl IntoIterator<Item = Entry>) {
        let values = entries.into_iter().filter_map(|entry| Some((entry.key, entry.value?)));
        self.committed.extend(values);
    }

    /// Takes over what waits for the end of transactions.
    pub(crate) fn wait(&mut self, pending: impl IntoIterator<Item = Pending>) {
        for Pending { producer_id, entry } in pending {
            if let Some(value) = entry.value {
                self.pending.entry(entry.key).or_default().push((producer_id, value));
            }
        }
    }
}

/// A batch to append.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// In whose transaction.
    pub producer_id: Option<i64>,
    /// The records.
    pub entries: Vec<Entry>,
}

impl Missing {
    /// The producer of a transactional batch, by its epoch.
    pub(crate) fn producer(&self, epoch: impl FnOnce(i64) -> Option<i16>) -> Option<Option<Producer>> {
        match self.producer_id {
            None => Some(None),
            Some(id) => epoch(id).map(|epoch| Some(Producer { id, epoch })),
        }
    }
}

/// What is missing in a log that comes to `fold`, in order: first what counts at once, then by producer what waits.
pub(crate) fn missing(fold: &Fold, wanted: &Wanted) -> Vec<Missing> {
    let all_open = fold.open();
    let keys: BTreeSet<&[u8]> = fold
        .keys()
        .chain(all_open.keys().copied())
        .chain(wanted.committed.keys().map(Vec::as_slice))
        .chain(wanted.pending.keys().map(Vec::as_slice))
        .collect();
    let mut plain = Vec::new();
    let mut waiting: Vec<Missing> = Vec::new();
    for key in keys {
        let committed = wanted.committed.get(key);
        let pending = wanted.pending.get(key).map_or(&[][..], Vec::as_slice);
        let open = all_open.get(key).map_or(&[][..], Vec::as_slice);
        let waits = pending
            .iter()
            .map(|(producer_id, value)| (*producer_id, Some(value.as_slice())));
        let agrees = same(key, fold.get(key), committed.map(Vec::as_slice));
        if agrees && open.iter().copied().eq(waits) {
            continue;
        }
        // Whatever waits in the log for this key is behind this record, and does not count any more.
        plain.push(Entry {
            key: key.to_vec(),
            value: committed.cloned(),
        });
        for (producer_id, value) in pending {
            let entry = Entry::put(key.to_vec(), value.clone());
            match waiting.last_mut() {
                Some(last) if last.producer_id == Some(*producer_id) => last.entries.push(entry),
                _ => waiting.push(Missing {
                    producer_id: Some(*producer_id),
                    entries: vec![entry],
                }),
            }
        }
    }
    if !plain.is_empty() {
        waiting.insert(
            0,
            Missing {
                producer_id: None,
                entries: plain,
            },
        );
    }
    waiting
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::internal_topics::topic::append;
    use crate::log::{LogConfig, LogDir, PartitionLog};
    use crate::metadata::store::Store;
    use crate::metadata::topics::Partition;
    use crate::runtime::txn::append_marker;

    const PRODUCER: Producer = Producer { id: 4, epoch: 2 };

    fn partition(dir: &std::path::Path, store: &Store) -> Partition {
        let dir = LogDir::open(dir, store, 16).unwrap();
        let config = Arc::new(LogConfig::default());
        let log = PartitionLog::open(&dir, "__consumer_offsets", uuid::Uuid::from_u128(1), 0, config, 0).unwrap();
        Partition::for_tests(0, Arc::new(log))
    }

    fn entry(key: &str, value: Option<&str>) -> Entry {
        Entry {
            key: key.into(),
            value: value.map(Into::into),
        }
    }

    fn repaired(partition: &Partition, wanted: &Wanted) -> usize {
        let batches = missing(&Fold::of(&partition.log).unwrap(), wanted);
        for batch in &batches {
            let producer = batch
                .producer(|id| (id == PRODUCER.id).then_some(PRODUCER.epoch))
                .unwrap();
            append(partition, producer, 1, &batch.entries).unwrap();
        }
        assert_eq!(
            missing(&Fold::of(&partition.log).unwrap(), wanted),
            [],
            "once is enough"
        );
        batches.iter().map(|batch| batch.entries.len()).sum()
    }

    fn wanted(committed: &[(&str, &str)], pending: &[(&str, &str)]) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.put(committed.iter().map(|(key, value)| entry(key, Some(value))));
        wanted.wait(pending.iter().map(|(key, value)| Pending {
            producer_id: PRODUCER.id,
            entry: entry(key, Some(value)),
        }));
        wanted
    }

    #[test]
    fn a_log_is_put_right_and_one_that_is_right_stays_as_it_is() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let partition = partition(dir.path(), &store);
        let records = [
            entry("a", Some("1")),
            entry("b", Some("1")),
            entry("c", Some("1")),
            entry("b", None),
        ];
        append(&partition, None, 1, &records).unwrap();
        assert_eq!(repaired(&partition, &wanted(&[("a", "1"), ("c", "1")], &[])), 0);
        // One is older than what is wanted, one should not be, one is missing.
        assert_eq!(repaired(&partition, &wanted(&[("a", "2"), ("d", "1")], &[])), 3);
        assert_eq!(repaired(&partition, &wanted(&[("a", "2"), ("d", "1")], &[])), 0);
    }

    #[test]
    fn what_waits_for_the_end_of_a_transaction_is_put_right_too() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let partition = partition(dir.path(), &store);
        append(&partition, None, 1, &[entry("a", Some("1"))]).unwrap();
        append(
            &partition,
            Some(PRODUCER),
            1,
            &[entry("a", Some("2")), entry("b", Some("2"))],
        )
        .unwrap();
        let both = wanted(&[("a", "1")], &[("a", "2"), ("b", "2")]);
        assert_eq!(repaired(&partition, &both), 0);
        // A plain commit came behind one of them; the other was never stored.
        append(&partition, None, 1, &[entry("a", Some("3"))]).unwrap();
        assert_eq!(repaired(&partition, &wanted(&[("a", "3")], &[])), 1);
        // The coordinator has one that is not in the log.
        assert_eq!(repaired(&partition, &wanted(&[("a", "3")], &[("c", "5")])), 2);
        append_marker(&partition, PRODUCER.id, PRODUCER.epoch, 0, true, 1).unwrap();
        let after = wanted(&[("a", "3"), ("c", "5")], &[]);
        assert_eq!(repaired(&partition, &after), 0, "it is committed with the transaction");
        append(&partition, Some(PRODUCER), 1, &[entry("a", Some("4"))]).unwrap();
        append_marker(&partition, PRODUCER.id, PRODUCER.epoch, 0, false, 1).unwrap();
        assert_eq!(repaired(&partition, &after), 0, "what is aborted does not count");
    }
}
