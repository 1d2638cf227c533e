//! The objects of tables in sled, under keys that sort by table and partition.
//!
//! | key | value |
//! |---|---|
//! | `o` database `␀` table `␀` value `␀` … object's key | [`RegisteredObject`] as JSON, without what the key says |
//! | `c` database `␀` table `␀` source | where the source's chain ends, as text |
//! | `s` | the sequence of the last registration, 8 bytes |
//!
//! A registration is one batch of sled's, in which the sequence is counted on. A reader takes the sequence first and
//! leaves out what was registered after it: so it sees registrations whole, also while others come in.

use super::{LocalCatalog, database_prefix, decode, encode, partition_key, store};
use crate::catalog::{CatalogError, Registered, RegisteredObject, Registration, Snapshot, Table};

const SEQUENCE: &[u8] = b"s";

/// What the keys of a table's objects (`o`) or chains (`c`) start with.
fn table_prefix(kind: &[u8], database: &str, table: &str) -> Vec<u8> {
    let mut key = database_prefix(kind, database);
    key.extend_from_slice(table.to_lowercase().as_bytes());
    key.push(0);
    key
}

/// The key of a partition's objects: that of the partition, but for its first letter.
fn objects_prefix(database: &str, table: &str, values: &[String]) -> Vec<u8> {
    let mut key = partition_key(database, table, values);
    key[0] = b'o';
    key
}

fn chain_key(database: &str, table: &str, source: &str) -> Vec<u8> {
    let mut key = table_prefix(b"c", database, table);
    key.extend_from_slice(source.as_bytes());
    key
}

/// Splits an object's key into the values of its partition and its own key.
fn split_key(key: &[u8], prefix: usize, values: usize) -> Option<(Vec<String>, String)> {
    let mut parts = key.get(prefix..)?.splitn(values + 1, |byte| *byte == 0);
    let text = |part: &[u8]| String::from_utf8(part.to_vec()).ok();
    let values = parts.by_ref().take(values).map(text).collect::<Option<Vec<String>>>()?;
    Some((values, text(parts.next()?)?))
}

impl LocalCatalog {
    pub(super) async fn register(
        &self,
        database: &str,
        name: &str,
        registration: &Registration,
    ) -> Result<Registered, CatalogError> {
        let Registration { source, start, end, .. } = registration;
        if source.is_empty() || source.contains('\0') || !(0..*end).contains(start) {
            return Err(CatalogError::Invalid(format!(
                "a batch has a source, and a start below its end: {source:?} [{start}, {end})"
            )));
        }
        self.write(|this| {
            let table = this.require_table(database, name)?;
            if !table.has_registered_objects() {
                return Ok(Registered::NotKept);
            }
            let known = this.chain_end(database, name, source)?;
            // The same batch once more, whose answer was lost, or one that was taken up again.
            if *end <= known {
                this.mend_batch(&table, registration)?;
                return Ok(Registered::Done);
            }
            if *start != known {
                return Ok(Registered::Behind { end: known });
            }
            this.insert_batch(&table, registration)?;
            Ok(Registered::Done)
        })
        .await
    }

    fn insert_batch(&self, table: &Table, registration: &Registration) -> Result<(), CatalogError> {
        let sequence = self.sequence()? + 1;
        let mut batch = sled::Batch::default();
        for object in &registration.objects {
            self.partition_key_of(table, &object.partition)?;
            let mut key = objects_prefix(&table.database, &table.name, &object.partition);
            key.extend_from_slice(object.key.as_bytes());
            let kept = RegisteredObject {
                partition: Vec::new(),
                key: String::new(),
                sequence,
                ..object.clone()
            };
            batch.insert(key, encode(&kept)?);
        }
        let chain = chain_key(&table.database, &table.name, &registration.source);
        batch.insert(chain, registration.end.to_string().as_bytes());
        batch.insert(SEQUENCE, &sequence.to_be_bytes());
        self.db.apply_batch(batch).map_err(store)
    }

    /// An object that was put once more has the size that is told last; it stays in its place among the registrations.
    fn mend_batch(&self, table: &Table, registration: &Registration) -> Result<(), CatalogError> {
        let mut batch = sled::Batch::default();
        for object in &registration.objects {
            self.partition_key_of(table, &object.partition)?;
            let mut key = objects_prefix(&table.database, &table.name, &object.partition);
            key.extend_from_slice(object.key.as_bytes());
            let Some(kept) = self.get::<RegisteredObject>(&key)? else {
                continue;
            };
            if kept.bytes != object.bytes {
                let mended = RegisteredObject {
                    partition: Vec::new(),
                    key: String::new(),
                    sequence: kept.sequence,
                    ..object.clone()
                };
                batch.insert(key, encode(&mended)?);
            }
        }
        self.db.apply_batch(batch).map_err(store)
    }

    fn sequence(&self) -> Result<u64, CatalogError> {
        let found = self.db.get(SEQUENCE).map_err(store)?;
        let found = found.and_then(|value| value.as_ref().try_into().ok());
        Ok(found.map_or(0, u64::from_be_bytes))
    }

    fn chain_end(&self, database: &str, name: &str, source: &str) -> Result<i64, CatalogError> {
        match self.db.get(chain_key(database, name, source)).map_err(store)? {
            Some(end) => decode(&end),
            None => Ok(0),
        }
    }

    pub(super) fn snapshot(
        &self,
        database: &str,
        name: &str,
        source: Option<&str>,
    ) -> Result<Option<Snapshot>, CatalogError> {
        if !self.require_table(database, name)?.has_registered_objects() {
            return Ok(None);
        }
        let source_end = source.map_or(Ok(0), |source| self.chain_end(database, name, source))?;
        Ok(Some(Snapshot {
            sequence: self.sequence()?,
            source_end,
        }))
    }

    pub(super) fn objects(
        &self,
        database: &str,
        name: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
    ) -> Result<Option<Vec<RegisteredObject>>, CatalogError> {
        let table = self.require_table(database, name)?;
        let (start, values) = (table_prefix(b"o", database, name).len(), table.partition_keys.len());
        let prefixes = match partitions {
            None => vec![table_prefix(b"o", database, name)],
            Some(partitions) => partitions
                .iter()
                .map(|values| objects_prefix(database, name, values))
                .collect(),
        };
        let mut objects = Vec::new();
        for entry in prefixes.iter().flat_map(|prefix| self.db.scan_prefix(prefix)) {
            let (key, value) = entry.map_err(store)?;
            let mut object: RegisteredObject = decode(&value)?;
            if object.sequence > snapshot.sequence {
                continue;
            }
            let damaged = || CatalogError::Unavailable("the catalog is damaged: a key of an object".to_owned());
            (object.partition, object.key) = split_key(&key, start, values).ok_or_else(damaged)?;
            objects.push(object);
        }
        // Whoever takes the mark away takes the objects along, in one change: with the mark still there, none was missed.
        let still = self.require_table(database, name)?;
        let same = still.has_registered_objects() && still.create_time_ms == table.create_time_ms;
        Ok(same.then_some(objects))
    }

    /// Forgets a table's objects, or without one those of all tables of the database.
    pub(super) fn forget_objects(
        &self,
        batch: &mut sled::Batch,
        database: &str,
        table: Option<&str>,
    ) -> Result<(), CatalogError> {
        for kind in [b"o", b"c"] {
            let prefix = match table {
                Some(table) => table_prefix(kind, database, table),
                None => database_prefix(kind, database),
            };
            self.remove_all(batch, &prefix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_split_as_they_were_made() {
        let values = vec!["2012-01-01".to_owned(), "a/b".to_owned()];
        let mut key = objects_prefix("Default", "Ticks", &values);
        key.extend_from_slice(b"lake/ticks/x.parquet");
        let prefix = table_prefix(b"o", "default", "ticks").len();
        let split = split_key(&key, prefix, 2).unwrap();
        assert_eq!(split, (values, "lake/ticks/x.parquet".to_owned()));
        let plain = [table_prefix(b"o", "default", "ticks"), b"k".to_vec()].concat();
        assert_eq!(split_key(&plain, prefix, 0).unwrap(), (Vec::new(), "k".to_owned()));
    }
}
