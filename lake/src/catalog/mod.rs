//! The catalog: which databases and tables there are, what their columns are called, and where the
//! objects of each partition lie.
//!
//! The model is AWS Glue's (`database` → `table` → `partition`), because Athena, Spark and Trino
//! read that one. [`Catalog`] is its trait, with two implementations that pass one conformance
//! suite: [`LocalCatalog`] keeps everything in sled, [`GlueCatalog`] speaks Glue's protocol, to AWS
//! or to the embedded server, which serves a `LocalCatalog`.
//!
//! Promises:
//! - A change is durable when the call returns.
//! - [`Catalog::update_table`] with an expected version is a compare-and-set: of two writers that
//!   read the same version exactly one succeeds. [`ensure_table`] builds on it, so concurrent sinks
//!   never lose each other's columns.
//! - A partition's columns are the table's: when those grow, [`align_partitions`] gives them to every partition.
//! - A batch of objects is registered whole or not at all, in the order of its source ([`Registration`]).
//! - Database, table and column names are kept in lower case, as Hive and Athena want them.
//!
//! The catalog never reads an object and never lists a bucket.

mod change;
mod error;
mod filter;
mod format;
mod glue;
mod hive;
mod local;
mod model;
mod objects;
mod widen;

pub use change::{Ensured, align_partitions, ensure_database, ensure_table, register_partitions};
pub use error::CatalogError;
pub use filter::{ComparisonOperator, FilterError, PartitionFilter, PartitionTerm};
pub use format::{CsvDialect, TableFormat};
pub use glue::GlueCatalog;
pub use hive::{HiveType, HiveTypeError, columns_of_schema, schema_of_columns};
pub use local::LocalCatalog;
pub use model::{Column, Database, Order, Partition, SerDeInfo, StorageDescriptor, Table};
pub use objects::{
    ColumnRange, Objects, ObjectsPart, RangeKind, Registered, RegisteredObject, Registration, Snapshot,
    list_from_now_on,
};
pub(crate) use widen::common_type;
pub use widen::{SchemaChange, widen};

use async_trait::async_trait;

/// The database that is used where none is named, as in Hive and Athena.
pub const DEFAULT_DATABASE: &str = "default";

/// Reads and changes the catalog. All names are taken in any case and kept in lower case.
#[async_trait]
pub trait Catalog: Send + Sync + std::fmt::Debug {
    /// Adds a database. [`CatalogError::AlreadyExists`] where there is one of that name.
    async fn create_database(&self, database: &Database) -> Result<(), CatalogError>;

    /// One database, or `None`.
    async fn database(&self, name: &str) -> Result<Option<Database>, CatalogError>;

    /// All databases, by name.
    async fn databases(&self) -> Result<Vec<Database>, CatalogError>;

    /// Replaces a database's description, location and parameters.
    async fn update_database(&self, database: &Database) -> Result<(), CatalogError>;

    /// Removes a database with its tables and their partitions. The objects stay.
    async fn delete_database(&self, name: &str) -> Result<(), CatalogError>;

    /// Adds a table. [`CatalogError::AlreadyExists`] where there is one of that name,
    /// [`CatalogError::NotFound`] where there is no such database.
    async fn create_table(&self, table: &Table) -> Result<(), CatalogError>;

    /// One table, or `None` (also where there is no such database).
    async fn table(&self, database: &str, name: &str) -> Result<Option<Table>, CatalogError>;

    /// All tables of a database, by name. [`CatalogError::NotFound`] without the database.
    async fn tables(&self, database: &str) -> Result<Vec<Table>, CatalogError>;

    /// Replaces a table's definition; its partitions stay. With `expected_version` (the
    /// [`Table::version_id`] that was read) it fails with [`CatalogError::Concurrent`] where somebody
    /// has changed the table since.
    async fn update_table(&self, table: &Table, expected_version: Option<&str>) -> Result<(), CatalogError>;

    /// Removes a table and its partitions. The objects stay.
    async fn delete_table(&self, database: &str, name: &str) -> Result<(), CatalogError>;

    /// Adds partitions and gives those that were there already (which are left as they are), by
    /// their values.
    async fn create_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: &[Partition],
    ) -> Result<Vec<Vec<String>>, CatalogError>;

    /// One partition by its values, or `None`.
    async fn partition(
        &self,
        database: &str,
        table: &str,
        values: &[String],
    ) -> Result<Option<Partition>, CatalogError>;

    /// The partitions that pass `filter`, ordered by their values.
    async fn partitions(
        &self,
        database: &str,
        table: &str,
        filter: &PartitionFilter,
    ) -> Result<Vec<Partition>, CatalogError>;

    /// Replaces the partition that has these values. [`CatalogError::NotFound`] without it.
    async fn update_partition(
        &self,
        database: &str,
        table: &str,
        values: &[String],
        partition: &Partition,
    ) -> Result<(), CatalogError>;

    /// Replaces partitions, each found by its values, and gives the values of those that are not there.
    async fn update_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: &[Partition],
    ) -> Result<Vec<Vec<String>>, CatalogError>;

    /// Removes partitions by their values and gives those that were not there.
    async fn delete_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
    ) -> Result<Vec<Vec<String>>, CatalogError>;

    /// Whether this catalog keeps the objects of tables, at all. AWS Glue doesn't. An error says nothing about it.
    async fn keeps_objects(&self) -> Result<bool, CatalogError> {
        Ok(false)
    }

    /// Makes a batch's objects known, all at once: a query that starts afterwards sees their rows. To be repeated at will.
    /// [`CatalogError::NotFound`] without the table.
    async fn register_objects(
        &self,
        database: &str,
        table: &str,
        registration: &Registration,
    ) -> Result<Registered, CatalogError> {
        let _ = (database, table, registration);
        Ok(Registered::NotKept)
    }

    /// What objects a table has now, and how far `source` has come; `None` where the catalog doesn't keep them.
    /// [`CatalogError::NotFound`] without the table.
    async fn snapshot(
        &self,
        database: &str,
        table: &str,
        source: Option<&str>,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let _ = (database, table, source);
        Ok(None)
    }

    /// The objects that a table had at a snapshot: all of them, or those of some partitions. `None` where the catalog
    /// doesn't keep them any more.
    async fn objects(
        &self,
        database: &str,
        table: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
    ) -> Result<Option<Vec<RegisteredObject>>, CatalogError> {
        let _ = (database, table, snapshot, partitions);
        Ok(None)
    }

    /// A part of what [`Catalog::objects`] gives, in the order of partition and key. Who goes on behind each part's last
    /// object gets all of them.
    async fn objects_part(
        &self,
        database: &str,
        table: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
        part: &ObjectsPart,
    ) -> Result<Option<Objects>, CatalogError> {
        let _ = part;
        let all = self.objects(database, table, snapshot, partitions).await?;
        Ok(all.map(|objects| Objects { objects, more: false }))
    }
}
