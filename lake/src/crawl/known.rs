//! What an earlier crawl has seen: a digest of keys and ETags per partition, kept in the catalog.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::layout::File;
use crate::catalog::{Catalog, CatalogError, Partition, PartitionFilter, Table};

/// The parameter of a partition, or of a table without partitions, that holds the digest.
const CRAWLED: &str = "tickertape.crawled";

/// A partition's values; empty for a table without partitions.
pub(super) type Values = Vec<String>;

/// The objects of a table by partition, and what the catalog knows of each.
#[derive(Debug)]
pub(super) struct Known {
    digests: BTreeMap<Values, String>,
    pub(super) registered: Vec<Partition>,
    unchanged: BTreeSet<Values>,
}

/// The values that a file's path gives.
pub(super) fn values(file: &File) -> Values {
    file.partition.iter().map(|(_, value)| value.clone()).collect()
}

impl Known {
    /// Compares the files with what the catalog says was crawled.
    pub(super) async fn read(
        catalog: &dyn Catalog,
        existing: Option<&Table>,
        files: &[File],
    ) -> Result<Known, CatalogError> {
        let digests = digests(files);
        let registered = match existing {
            Some(table) if !table.partition_keys.is_empty() => {
                let all = PartitionFilter::all();
                catalog.partitions(&table.database, &table.name, &all).await?
            }
            _ => Vec::new(),
        };
        let of_table = existing
            .filter(|table| table.partition_keys.is_empty())
            .map(|table| (Values::new(), table.parameters.get(CRAWLED)));
        let unchanged = registered
            .iter()
            .map(|partition| (partition.values.clone(), partition.parameters.get(CRAWLED)))
            .chain(of_table)
            .filter(|(values, crawled)| crawled.is_some() && digests.get(values) == *crawled)
            .map(|(values, _)| values)
            .collect();
        Ok(Known {
            digests,
            registered,
            unchanged,
        })
    }

    /// Whether a file has to be read.
    pub(super) fn is_news(&self, file: &File) -> bool {
        !self.unchanged.contains(&values(file))
    }

    /// Notes the digest in a partition that is about to be registered.
    pub(super) fn note(&self, partition: &mut Partition, unread: &BTreeSet<Values>) {
        if let Some(digest) = self.digests.get(&partition.values)
            && !unread.contains(&partition.values)
        {
            partition.parameters.insert(CRAWLED.to_owned(), digest.clone());
        }
    }

    /// Brings up to date what was registered before: notes the digests of partitions that have changed since, and gives
    /// every partition the columns that the table has by now. `unread` holds the partitions with objects that could not
    /// be read: they are looked at again. `gone` are no longer there.
    pub(super) async fn remember(
        &self,
        catalog: &dyn Catalog,
        table: &Table,
        unread: &BTreeSet<Values>,
        gone: &[Values],
    ) -> Result<(), CatalogError> {
        let stay = self.registered.iter().filter(|known| !gone.contains(&known.values));
        let renewed: Vec<Partition> = stay
            .filter_map(|known| {
                let mut renewed = known.clone();
                if !self.unchanged.contains(&known.values) {
                    self.note(&mut renewed, unread);
                }
                if let Some(storage) = renewed.storage_descriptor.as_mut()
                    && storage.columns != table.columns()
                {
                    storage.columns = table.columns().to_vec();
                }
                (renewed != *known).then_some(renewed)
            })
            .collect();
        if !renewed.is_empty() {
            catalog
                .update_partitions(&table.database, &table.name, &renewed)
                .await?;
        }
        let whole = Values::new();
        let Some(digest) = self.digests.get(&whole).filter(|_| table.partition_keys.is_empty()) else {
            return Ok(());
        };
        if unread.contains(&whole) || self.unchanged.contains(&whole) {
            return Ok(());
        }
        let Some(mut current) = catalog.table(&table.database, &table.name).await? else {
            return Ok(());
        };
        current.parameters.insert(CRAWLED.to_owned(), digest.clone());
        let version = current.version_id.clone();
        match catalog.update_table(&current, version.as_deref()).await {
            // Somebody else was faster; the next crawl reads the objects again.
            Err(CatalogError::Concurrent { .. }) => Ok(()),
            other => other,
        }
    }
}

/// A digest of each partition's objects, whatever the order in which they were listed.
fn digests(files: &[File]) -> BTreeMap<Values, String> {
    let mut sorted: BTreeMap<Values, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for file in files {
        let object = (file.object.key.as_str(), file.object.etag.as_str());
        sorted.entry(values(file)).or_default().insert(object);
    }
    let digest = |objects: BTreeSet<(&str, &str)>| {
        let mut digest = Sha256::new();
        for (key, etag) in objects {
            digest.update(key.as_bytes());
            digest.update([0]);
            digest.update(etag.as_bytes());
            digest.update([0]);
        }
        digest
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    sorted
        .into_iter()
        .map(|(values, objects)| (values, digest(objects)))
        .collect()
}
