//! What a catalog has to know of a batch that was written.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tickertape_client::s3::S3Url;

use crate::footer::ColumnRange;
use crate::names::{Compression, Format};
use crate::store::Attempt;

/// What a catalog refuses, and would again, as the error of a [`Registrar`]: the sink ends instead of waiting for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A catalog, as far as the sink needs one.
///
/// All calls may be repeated: after a crash the last batch of each partition is registered again. An error is taken for one that
/// passes, unless it is a [`Refusal`].
#[async_trait]
pub trait Registrar: Send + Sync {
    /// What the catalog knows of a table; `None` if there is no such table.
    ///
    /// # Errors
    /// Whatever keeps it from answering. The sink tries again until `--timeout`.
    async fn table(&self, table: &str) -> anyhow::Result<Option<KnownTable>>;

    /// Makes the table, its columns, the partitions and the objects known: a query that starts afterwards sees the rows.
    /// Called when the objects are there and before the offsets are committed, for the batches of a source in their order.
    ///
    /// # Errors
    /// Whatever keeps it from doing so. The sink tries again until `--timeout`.
    async fn register(&self, committed: &Committed) -> anyhow::Result<()>;

    /// Up to which offset the catalog has the objects of a source; `None` where it doesn't keep objects, so that there is
    /// nothing to be missed.
    ///
    /// # Errors
    /// Whatever keeps it from answering. The sink tries again until `--timeout`.
    async fn registered_end(&self, table: &str, source: &str) -> anyhow::Result<Option<i64>> {
        let _ = (table, source);
        Ok(None)
    }

    /// The catalog has objects of a table that the ledger doesn't have, or may come to lack some: queries have to list its
    /// objects from now on.
    ///
    /// # Errors
    /// Whatever keeps it from doing so. The sink tries again until `--timeout`.
    async fn list_from_now_on(&self, table: &str) -> anyhow::Result<()> {
        let _ = table;
        Ok(())
    }
}

/// A table as a catalog knows it.
#[derive(Clone, Debug)]
pub struct KnownTable {
    /// Its name as people say it, with the database's.
    pub name: String,
    /// Its columns, without those of its partitions.
    pub schema: SchemaRef,
    /// Where its objects are; `None` for a view.
    pub location: Option<String>,
    /// `parquet`, `json` or another one; `None` if it isn't known.
    pub format: Option<String>,
    /// The names of the columns that are folders.
    pub partition_keys: Vec<String>,
}

/// How an attempt at the catalog failed.
pub(crate) fn failed(error: anyhow::Error) -> Attempt {
    match error.downcast_ref::<Refusal>() {
        Some(_) => Attempt::Never(format!("{error:#}")),
        None => Attempt::Again(format!("{error:#}")),
    }
}

/// What a batch brought to a table.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The table's name.
    pub table: String,
    /// Where the table is.
    pub location: S3Url,
    /// Whose batches make up a chain: the place of its claims.
    pub source: String,
    /// The first offset of the batch, which is the end of the one before.
    pub start: i64,
    /// The offset after the last.
    pub end: i64,
    /// The columns of the table's files, without the partition's.
    pub schema: SchemaRef,
    /// The partitions with their objects; none if all messages were rejected.
    pub partitions: Vec<CommittedPartition>,
    /// How they are stored.
    pub format: Format,
    /// How Parquet is compressed.
    pub compression: Compression,
}

/// The rows of one day that a batch brought to a table.
#[derive(Clone, Debug)]
pub struct CommittedPartition {
    /// The partition's values: `[("dt", "2012-06-01")]`.
    pub values: Vec<(String, String)>,
    /// The objects.
    pub objects: Vec<ObjectInfo>,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key in the bucket.
    pub key: String,
    /// Its rows; `None` of one found after a crash, of which messages may have been deleted.
    pub rows: Option<u64>,
    /// Its size.
    pub bytes: u64,
    /// Smallest and largest values, of a Parquet file's columns that have an order and no fraction.
    pub columns: BTreeMap<String, ColumnRange>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_waited_for() {
        use anyhow::Context as _;
        let refused: anyhow::Result<()> = Err(Refusal("no such format".to_owned()).into());
        let told = failed(refused.context("registering").unwrap_err());
        assert!(matches!(told, Attempt::Never(reason) if reason == "registering: no such format"));
        let away = failed(anyhow::anyhow!("nobody answers"));
        assert!(matches!(away, Attempt::Again(reason) if reason == "nobody answers"));
    }
}
