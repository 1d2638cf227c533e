//! What a catalog has to know of a batch that was written.

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tickertape_client::s3::S3Url;

use crate::names::{Compression, Format};

/// A catalog, as far as the sink needs one.
///
/// Both calls may be repeated: after a crash the last batch of each partition is registered again.
#[async_trait]
pub trait Registrar: Send + Sync {
    /// What the catalog knows of a table's columns; `None` if there is no such table.
    ///
    /// # Errors
    /// Whatever keeps it from answering. The sink tries again until `--timeout`.
    async fn table_schema(&self, table: &str) -> anyhow::Result<Option<SchemaRef>>;

    /// Makes the table, its columns and the partition known: a query that starts afterwards sees the rows.
    /// Called when the objects are there and before the offsets are committed.
    ///
    /// # Errors
    /// Whatever keeps it from doing so. The sink tries again until `--timeout`.
    async fn register(&self, committed: &Committed) -> anyhow::Result<()>;
}

/// The rows of one day that a batch brought to a table.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The table's name.
    pub table: String,
    /// Where the table is.
    pub location: S3Url,
    /// The partition's values: `[("dt", "2012-06-01")]`.
    pub partition: Vec<(String, String)>,
    /// The columns of the table's files, without the partition's.
    pub schema: SchemaRef,
    /// The objects.
    pub objects: Vec<ObjectInfo>,
    /// How they are stored.
    pub format: Format,
    /// How Parquet is compressed.
    pub compression: Compression,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key in the bucket.
    pub key: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}
