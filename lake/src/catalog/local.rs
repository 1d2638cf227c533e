//! The catalog in sled: the one file of the catalog that knows the store.
//!
//! One tree, whose keys sort as the answers do. `␀` is a zero byte, which no name or value may hold:
//!
//! | key | value |
//! |---|---|
//! | `f` | the format's version, one byte |
//! | `d` database | [`Database`] as JSON |
//! | `t` database `␀` table | [`Table`] as JSON |
//! | `p` database `␀` table `␀` value `␀` … | [`Partition`] as JSON |
//! | `o`, `c`, `s` | objects, see `local/objects.rs` |
//!
//! Writers take one lock, so that what they checked still holds when they write; readers take none.
//! A change of several keys is one atomic batch, and every change is flushed before the call returns.
//!
//! One flush runs at a time, for all who wait, and never by sled's `flush_async`: that blocks one of
//! the seven threads that all of a process's sled databases share, and with seven of them waiting
//! nobody is left to write the log that they wait for.

mod keys;
mod objects;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tickertape_durable::SledFiles;

use keys::{database_key, database_prefix, partition_key, table_key};

use super::{
    Catalog, CatalogError, DEFAULT_DATABASE, Database, Objects, ObjectsPart, Partition, PartitionFilter, Registered,
    RegisteredObject, Registration, Snapshot, Table,
};

/// What this program writes; a directory of a newer one is refused.
const FORMAT_VERSION: u8 = 2;

/// The catalog is small, and sled would take a gigabyte by default.
const CACHE_BYTES: u64 = 16 << 20;

/// Glue's own limit.
const NAME_BYTES_MAX: usize = 255;

/// A catalog of one process, kept in a directory.
#[derive(Debug)]
pub struct LocalCatalog {
    db: sled::Db,
    /// sled's files, synced after each flush where changes are to survive the loss of power.
    files: Option<Arc<SledFiles>>,
    writer: Mutex<()>,
    /// How many changes were made.
    changes: AtomicU64,
    /// How many of them are known to be on the disk; held by whoever flushes.
    flushed: tokio::sync::Mutex<u64>,
}

impl LocalCatalog {
    /// Opens the catalog in `dir`, which is created where it is missing, with the database `default`
    /// in it. A directory that another process has open, or that a newer version wrote, is refused.
    pub fn open(dir: &Path) -> Result<LocalCatalog, CatalogError> {
        Self::open_with(dir, false)
    }

    /// [`Self::open`]; with `fsync`, what a call has changed also survives the loss of power when it returns.
    pub fn open_with(dir: &Path, fsync: bool) -> Result<LocalCatalog, CatalogError> {
        let unsynced = |error: std::io::Error| CatalogError::Unavailable(format!("{}: {error}", dir.display()));
        let place = |error: sled::Error| {
            CatalogError::Unavailable(format!("{}: {error} (is another process using it?)", dir.display()))
        };
        let files = fsync.then(|| SledFiles::prepare(dir)).transpose().map_err(unsynced)?;
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .open()
            .map_err(place)?;
        if let Some(files) = &files {
            files.opened().map_err(unsynced)?;
        }
        match db.get(b"f").map_err(place)?.as_deref() {
            Some([version]) if *version > FORMAT_VERSION => {
                return Err(CatalogError::Unavailable(format!(
                    "{}: the catalog has format {version}, this program knows {FORMAT_VERSION}",
                    dir.display()
                )));
            }
            _ => db.insert(b"f", &[FORMAT_VERSION]).map_err(place)?,
        };
        let catalog = LocalCatalog {
            db,
            files: files.map(Arc::new),
            writer: Mutex::new(()),
            changes: AtomicU64::new(0),
            flushed: tokio::sync::Mutex::new(0),
        };
        let key = database_key(DEFAULT_DATABASE);
        if catalog.get::<Database>(&key)?.is_none() {
            catalog.put(&key, &stamped(&Database::new(DEFAULT_DATABASE)))?;
            flush_now(&catalog.db, catalog.files.as_deref())?;
        }
        Ok(catalog)
    }

    fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, CatalogError> {
        self.db.get(key).map_err(store)?.map(|value| decode(&value)).transpose()
    }

    fn put<T: Serialize>(&self, key: &[u8], value: &T) -> Result<(), CatalogError> {
        self.db.insert(key, encode(value)?).map_err(store)?;
        Ok(())
    }

    fn scan<T: DeserializeOwned>(&self, prefix: &[u8]) -> impl Iterator<Item = Result<T, CatalogError>> + use<T> {
        self.db
            .scan_prefix(prefix)
            .map(|entry| decode(&entry.map_err(store)?.1))
    }

    fn remove_all(&self, batch: &mut sled::Batch, prefix: &[u8]) -> Result<(), CatalogError> {
        for key in self.db.scan_prefix(prefix).keys() {
            batch.remove(key.map_err(store)?);
        }
        Ok(())
    }

    fn require_database(&self, name: &str) -> Result<Database, CatalogError> {
        self.get(&database_key(name))?
            .ok_or_else(|| CatalogError::no_database(name))
    }

    fn require_table(&self, database: &str, name: &str) -> Result<Table, CatalogError> {
        self.get(&table_key(database, name))?
            .ok_or_else(|| CatalogError::no_table(database, name))
    }

    /// Runs a change alone, then waits until it is on the disk.
    async fn write<T>(&self, change: impl FnOnce(&Self) -> Result<T, CatalogError> + Send) -> Result<T, CatalogError> {
        let outcome = {
            let _alone = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            change(self)?
        };
        self.flush().await?;
        Ok(outcome)
    }

    /// Waits until everything that was changed before is on the disk.
    async fn flush(&self) -> Result<(), CatalogError> {
        let mine = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        let mut flushed = self.flushed.lock().await;
        if *flushed >= mine {
            return Ok(());
        }
        let upto = self.changes.load(Ordering::Acquire);
        let (db, files) = (self.db.clone(), self.files.clone());
        tokio::task::spawn_blocking(move || flush_now(&db, files.as_deref()))
            .await
            .map_err(|error| CatalogError::Unavailable(error.to_string()))??;
        *flushed = upto;
        Ok(())
    }

    /// The partition's key, after a check that its values fit the table's keys.
    fn partition_key_of(&self, table: &Table, values: &[String]) -> Result<Vec<u8>, CatalogError> {
        let keys = table.partition_keys.len();
        if values.len() != keys {
            return Err(CatalogError::Invalid(format!(
                "{} has {keys} partition keys, {} values were given: {values:?}",
                table.qualified_name(),
                values.len()
            )));
        }
        if values.iter().any(|value| value.is_empty() || value.contains('\0')) {
            return Err(CatalogError::Invalid(format!(
                "a partition's values can be neither empty nor hold a zero byte: {values:?}"
            )));
        }
        Ok(partition_key(&table.database, &table.name, values))
    }
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

fn flush_now(db: &sled::Db, files: Option<&SledFiles>) -> Result<(), CatalogError> {
    let unsynced = |error| CatalogError::Unavailable(format!("the catalog cannot be synced: {error}"));
    let before = files.map(SledFiles::before).transpose().map_err(unsynced)?;
    db.flush().map_err(store)?;
    match (files, before) {
        (Some(files), Some(before)) => files.sync(&before).map_err(unsynced),
        _ => Ok(()),
    }
}

fn store(error: sled::Error) -> CatalogError {
    CatalogError::Unavailable(error.to_string())
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CatalogError> {
    serde_json::to_vec(value).map_err(|error| CatalogError::Invalid(error.to_string()))
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, CatalogError> {
    serde_json::from_slice(value).map_err(|error| CatalogError::Unavailable(format!("the catalog is damaged: {error}")))
}

/// Whether two locations are one.
fn same_place(a: Option<&str>, b: Option<&str>) -> bool {
    let plain = |location: Option<&str>| location.map(|location| location.trim_end_matches('/').to_owned());
    plain(a) == plain(b)
}

fn checked_name(what: &str, name: &str) -> Result<(), CatalogError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(CatalogError::Invalid(format!(
            "a {what}'s name has 1 to {NAME_BYTES_MAX} bytes and no control characters: {name:?}"
        )));
    }
    Ok(())
}

fn stamped(database: &Database) -> Database {
    Database {
        name: database.name.to_lowercase(),
        create_time_ms: Some(now_ms()),
        ..database.clone()
    }
}

#[async_trait]
impl Catalog for LocalCatalog {
    async fn create_database(&self, database: &Database) -> Result<(), CatalogError> {
        checked_name("database", &database.name)?;
        self.write(|this| {
            let key = database_key(&database.name);
            if this.db.contains_key(&key).map_err(store)? {
                return Err(CatalogError::AlreadyExists {
                    what: "database",
                    name: database.name.to_lowercase(),
                });
            }
            this.put(&key, &stamped(database))
        })
        .await
    }

    async fn database(&self, name: &str) -> Result<Option<Database>, CatalogError> {
        self.get(&database_key(name))
    }

    async fn databases(&self) -> Result<Vec<Database>, CatalogError> {
        self.scan(b"d").collect()
    }

    async fn update_database(&self, database: &Database) -> Result<(), CatalogError> {
        self.write(|this| {
            let old = this.require_database(&database.name)?;
            let new = Database {
                create_time_ms: old.create_time_ms,
                ..stamped(database)
            };
            this.put(&database_key(&database.name), &new)
        })
        .await
    }

    async fn delete_database(&self, name: &str) -> Result<(), CatalogError> {
        self.write(|this| {
            this.require_database(name)?;
            let mut batch = sled::Batch::default();
            batch.remove(database_key(name));
            this.remove_all(&mut batch, &database_prefix(b"t", name))?;
            this.remove_all(&mut batch, &database_prefix(b"p", name))?;
            this.forget_objects(&mut batch, name, None)?;
            this.db.apply_batch(batch).map_err(store)
        })
        .await
    }

    async fn create_table(&self, table: &Table) -> Result<(), CatalogError> {
        checked_name("table", &table.name)?;
        self.write(|this| {
            this.require_database(&table.database)?;
            let mut table = table.normalized();
            let key = table_key(&table.database, &table.name);
            if this.db.contains_key(&key).map_err(store)? {
                return Err(CatalogError::AlreadyExists {
                    what: "table",
                    name: table.qualified_name(),
                });
            }
            let now = Some(now_ms());
            (table.create_time_ms, table.update_time_ms) = (now, now);
            table.version_id = Some("0".to_owned());
            this.put(&key, &table)
        })
        .await
    }

    async fn table(&self, database: &str, name: &str) -> Result<Option<Table>, CatalogError> {
        self.get(&table_key(database, name))
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>, CatalogError> {
        self.require_database(database)?;
        self.scan(&database_prefix(b"t", database)).collect()
    }

    async fn update_table(&self, table: &Table, expected_version: Option<&str>) -> Result<(), CatalogError> {
        self.write(|this| {
            let mut table = table.normalized();
            let old = this.require_table(&table.database, &table.name)?;
            let found = old.version_id.as_deref().unwrap_or("0");
            if expected_version.is_some_and(|expected| expected != found) {
                return Err(CatalogError::Concurrent {
                    name: table.qualified_name(),
                    expected: expected_version.unwrap_or_default().to_owned(),
                    found: found.to_owned(),
                });
            }
            let same_keys = old.partition_keys.len() == table.partition_keys.len();
            if !same_keys && this.scan_has_partitions(&old)? {
                return Err(CatalogError::Invalid(format!(
                    "the number of partition keys of {} can't change while it has partitions",
                    table.qualified_name()
                )));
            }
            table.version_id = Some(old.next_version());
            table.create_time_ms = old.create_time_ms;
            table.update_time_ms = Some(now_ms());
            let mut batch = sled::Batch::default();
            // Only of a table that has had the mark from the beginning, and is where it was, is it known that all objects are
            // here, and what partitions they lie in.
            if !old.has_registered_objects() || !same_keys || !same_place(old.location(), table.location()) {
                table = table.without_registered_objects();
            }
            if old.has_registered_objects() && !table.has_registered_objects() {
                this.forget_objects(&mut batch, &table.database, Some(&table.name))?;
            }
            batch.insert(table_key(&table.database, &table.name), encode(&table)?);
            this.db.apply_batch(batch).map_err(store)
        })
        .await
    }

    async fn delete_table(&self, database: &str, name: &str) -> Result<(), CatalogError> {
        self.write(|this| {
            this.require_table(database, name)?;
            let mut batch = sled::Batch::default();
            batch.remove(table_key(database, name));
            this.remove_all(&mut batch, &partition_key(database, name, &[]))?;
            this.forget_objects(&mut batch, database, Some(name))?;
            this.db.apply_batch(batch).map_err(store)
        })
        .await
    }

    async fn create_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: &[Partition],
    ) -> Result<Vec<Vec<String>>, CatalogError> {
        self.write(|this| {
            let table = this.require_table(database, table)?;
            let (mut batch, mut known) = (sled::Batch::default(), Vec::new());
            let mut added = std::collections::HashSet::new();
            for partition in partitions {
                let key = this.partition_key_of(&table, &partition.values)?;
                if !added.insert(key.clone()) || this.db.contains_key(&key).map_err(store)? {
                    known.push(partition.values.clone());
                    continue;
                }
                let partition = Partition {
                    create_time_ms: Some(now_ms()),
                    ..partition.clone()
                };
                batch.insert(key, encode(&partition)?);
            }
            this.db.apply_batch(batch).map_err(store)?;
            Ok(known)
        })
        .await
    }

    async fn partition(
        &self,
        database: &str,
        table: &str,
        values: &[String],
    ) -> Result<Option<Partition>, CatalogError> {
        self.require_table(database, table)?;
        self.get(&partition_key(database, table, values))
    }

    async fn partitions(
        &self,
        database: &str,
        table: &str,
        filter: &PartitionFilter,
    ) -> Result<Vec<Partition>, CatalogError> {
        let found = self.require_table(database, table)?;
        let passes = |partition: &Partition| filter.matches(&found.partition_keys, &partition.values);
        self.scan(&partition_key(database, table, &[]))
            .filter(|partition| partition.as_ref().map_or(true, passes))
            .collect()
    }

    async fn update_partition(
        &self,
        database: &str,
        table: &str,
        values: &[String],
        partition: &Partition,
    ) -> Result<(), CatalogError> {
        self.write(|this| {
            let table = this.require_table(database, table)?;
            let old_key = this.partition_key_of(&table, values)?;
            let old: Partition = this.get(&old_key)?.ok_or_else(|| CatalogError::no_partition(values))?;
            let key = this.partition_key_of(&table, &partition.values)?;
            if key != old_key && this.db.contains_key(&key).map_err(store)? {
                return Err(CatalogError::AlreadyExists {
                    what: "partition",
                    name: partition.values.join("/"),
                });
            }
            let new = Partition {
                create_time_ms: old.create_time_ms,
                ..partition.clone()
            };
            let mut batch = sled::Batch::default();
            if key != old_key || !same_place(old.location(), new.location()) {
                this.list_from_now_on(&mut batch, table)?;
            }
            batch.remove(old_key);
            batch.insert(key, encode(&new)?);
            this.db.apply_batch(batch).map_err(store)
        })
        .await
    }

    async fn update_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: &[Partition],
    ) -> Result<Vec<Vec<String>>, CatalogError> {
        self.write(|this| {
            let table = this.require_table(database, table)?;
            let (mut batch, mut missing, mut moved) = (sled::Batch::default(), Vec::new(), false);
            for partition in partitions {
                let key = this.partition_key_of(&table, &partition.values)?;
                let Some(old) = this.get::<Partition>(&key)? else {
                    missing.push(partition.values.clone());
                    continue;
                };
                let new = Partition {
                    create_time_ms: old.create_time_ms,
                    ..partition.clone()
                };
                moved |= !same_place(old.location(), new.location());
                batch.insert(key, encode(&new)?);
            }
            if moved {
                this.list_from_now_on(&mut batch, table)?;
            }
            this.db.apply_batch(batch).map_err(store)?;
            Ok(missing)
        })
        .await
    }

    async fn delete_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
    ) -> Result<Vec<Vec<String>>, CatalogError> {
        self.write(|this| {
            this.require_table(database, table)?;
            let (mut batch, mut missing) = (sled::Batch::default(), Vec::new());
            for values in values {
                let key = partition_key(database, table, values);
                match this.db.contains_key(&key).map_err(store)? {
                    true => batch.remove(key),
                    false => missing.push(values.clone()),
                }
            }
            this.db.apply_batch(batch).map_err(store)?;
            Ok(missing)
        })
        .await
    }

    async fn keeps_objects(&self) -> Result<bool, CatalogError> {
        Ok(true)
    }

    async fn register_objects(
        &self,
        database: &str,
        table: &str,
        registration: &Registration,
    ) -> Result<Registered, CatalogError> {
        self.register(database, table, registration).await
    }

    async fn snapshot(
        &self,
        database: &str,
        table: &str,
        source: Option<&str>,
    ) -> Result<Option<Snapshot>, CatalogError> {
        LocalCatalog::snapshot(self, database, table, source)
    }

    async fn objects(
        &self,
        database: &str,
        table: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
    ) -> Result<Option<Vec<RegisteredObject>>, CatalogError> {
        let all = ObjectsPart::default();
        let found = LocalCatalog::objects(self, database, table, snapshot, partitions, &all).await?;
        Ok(found.map(|found| found.objects))
    }

    async fn objects_part(
        &self,
        database: &str,
        table: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
        part: &ObjectsPart,
    ) -> Result<Option<Objects>, CatalogError> {
        LocalCatalog::objects(self, database, table, snapshot, partitions, part).await
    }
}

impl LocalCatalog {
    fn scan_has_partitions(&self, table: &Table) -> Result<bool, CatalogError> {
        let prefix = partition_key(&table.database, &table.name, &[]);
        let first = self.db.scan_prefix(prefix).next();
        Ok(first.transpose().map_err(store)?.is_some())
    }
}

#[cfg(test)]
mod tests;
