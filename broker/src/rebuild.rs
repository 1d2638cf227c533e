//! A data directory's metadata made anew from the record batches alone.

use std::collections::BTreeMap;
use std::path::Path;

use crate::clock::{Clock, SystemClock};
use crate::error::BrokerError;
use crate::log::inspect::{self, Rebuilt};
use crate::metadata::producer_ids;
use crate::metadata::store::Store;
use crate::metadata::topics::{Found, put_back};

/// Makes everything that the metadata store knows of the logs in `data_dir` anew from the files, and puts the topics back
/// under their names and ids. Afterwards a broker serves every whole batch that is there, also those that follow on
/// damage. No broker may run on the directory meanwhile.
///
/// What is only in the store cannot come back when the store is gone: what was set for topics and brokers, what groups
/// committed, log start offsets that were moved up within a segment, the cluster's id. A store that is there keeps it, but
/// for the log start offsets. Ids of idempotent producers that the logs remember are not given out again.
///
/// # Errors
/// [`BrokerError::DataDir`]: in use, or the disk failed.
pub fn rebuild(data_dir: &Path) -> Result<Vec<Rebuilt>, BrokerError> {
    let failed = |reason: String| BrokerError::DataDir {
        path: data_dir.to_owned(),
        reason,
    };
    let store = Store::open(data_dir).map_err(|error| failed(error.to_string()))?;
    let rebuilt =
        inspect::rebuild(data_dir, &store, SystemClock.now_ms()).map_err(|error| failed(error.to_string()))?;
    put_back(&store, &topics(&rebuilt)).map_err(|error| failed(error.to_string()))?;
    if let Some(used) = rebuilt.iter().filter_map(|log| log.producer_id_max).max() {
        producer_ids::skip_used(&store, used).map_err(|error| failed(error.to_string()))?;
    }
    store.flush_blocking().map_err(|error| failed(error.to_string()))?;
    Ok(rebuilt)
}

/// The topics that the logs belong to.
fn topics(rebuilt: &[Rebuilt]) -> BTreeMap<String, Found> {
    let mut topics: BTreeMap<String, Found> = BTreeMap::new();
    for log in rebuilt {
        let found = topics.entry(log.topic.clone()).or_insert(Found {
            id: log.topic_id,
            partitions: 0,
            leader_epoch: -1,
        });
        if found.id != log.topic_id {
            tracing::warn!(
                topic = log.topic,
                partition = log.partition,
                "left out: its directory is of another topic of the same name"
            );
            continue;
        }
        found.partitions = found.partitions.max(log.partition.saturating_add(1));
        found.leader_epoch = found.leader_epoch.max(log.leader_epoch);
    }
    topics
}
