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

use std::ops::Bound;

use super::keys::{database_prefix, partition_key, table_key};
use super::{LocalCatalog, decode, encode, store};
use crate::catalog::{CatalogError, Objects, ObjectsPart, Registered, RegisteredObject, Registration, Snapshot, Table};

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
            let taken = match *end <= known {
                // The same batch once more, whose answer was lost, or one that was taken up again.
                true => this.mend_batch(&table, registration)?,
                false if *start == known => this.insert_batch(&table, registration).map(|()| true)?,
                false => false,
            };
            Ok(if taken {
                Registered::Done
            } else {
                Registered::Behind { end: known }
            })
        })
        .await
    }

    fn insert_batch(&self, table: &Table, registration: &Registration) -> Result<(), CatalogError> {
        let sequence = self.sequence()? + 1;
        let mut batch = sled::Batch::default();
        for object in &registration.objects {
            batch.insert(self.object_key(table, object)?, encode(&kept(object, sequence))?);
        }
        let chain = chain_key(&table.database, &table.name, &registration.source);
        batch.insert(chain, registration.end.to_string().as_bytes());
        batch.insert(SEQUENCE, &sequence.to_be_bytes());
        self.db.apply_batch(batch).map_err(store)
    }

    /// Of an object that was put once more, what is told last holds, if that is more than where it is; it stays in its place
    /// among the registrations. `false`, and nothing done, where one of the objects isn't there: what was registered was
    /// another batch, or this one without it.
    fn mend_batch(&self, table: &Table, registration: &Registration) -> Result<bool, CatalogError> {
        let mut batch = sled::Batch::default();
        for object in &registration.objects {
            let key = self.object_key(table, object)?;
            let Some(known) = self.get::<RegisteredObject>(&key)? else {
                return Ok(false);
            };
            let told = kept(object, known.sequence);
            if told.bytes != known.bytes || (told.rows.is_some() && told != known) {
                batch.insert(key, encode(&told)?);
            }
        }
        self.db.apply_batch(batch).map_err(store)?;
        Ok(true)
    }

    /// Where an object is kept, after a check that its partition's values fit the table's keys.
    fn object_key(&self, table: &Table, object: &RegisteredObject) -> Result<Vec<u8>, CatalogError> {
        self.partition_key_of(table, &object.partition)?;
        let mut key = objects_prefix(&table.database, &table.name, &object.partition);
        key.extend_from_slice(object.key.as_bytes());
        Ok(key)
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

    pub(super) async fn objects(
        &self,
        database: &str,
        name: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
        part: &ObjectsPart,
    ) -> Result<Option<Objects>, CatalogError> {
        let table = self.require_table(database, name)?;
        let scan = Scan::new(&table, snapshot, partitions, part);
        let db = self.db.clone();
        let scanned = tokio::task::spawn_blocking(move || scan.run(&db));
        let objects = scanned
            .await
            .map_err(|error| CatalogError::Unavailable(error.to_string()))??;
        // Whoever takes the mark away takes the objects along, in one change: with the mark still there, none was missed.
        let still = self.require_table(database, name)?;
        let same = still.has_registered_objects() && still.create_time_ms == table.create_time_ms;
        Ok(same.then_some(objects))
    }

    /// Takes the mark from a table, and its objects: they are not where they were registered.
    pub(super) fn list_from_now_on(&self, batch: &mut sled::Batch, table: Table) -> Result<(), CatalogError> {
        if !table.has_registered_objects() {
            return Ok(());
        }
        self.forget_objects(batch, &table.database, Some(&table.name))?;
        let version = table.next_version();
        let table = Table {
            version_id: Some(version),
            ..table.without_registered_objects()
        };
        batch.insert(table_key(&table.database, &table.name), encode(&table)?);
        Ok(())
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

/// An object as it is kept: without what its key says.
fn kept(object: &RegisteredObject, sequence: u64) -> RegisteredObject {
    RegisteredObject {
        partition: Vec::new(),
        key: String::new(),
        sequence,
        ..object.clone()
    }
}

/// A look at a part of a table's objects.
struct Scan {
    /// What the keys start with, in their order.
    prefixes: Vec<Vec<u8>>,
    /// The key behind which it begins.
    after: Option<Vec<u8>>,
    entries_max: usize,
    bytes_max: usize,
    /// The last registration that is seen.
    sequence: u64,
    /// Where the values begin in a key, and how many there are.
    start: usize,
    values: usize,
}

impl Scan {
    fn new(table: &Table, snapshot: &Snapshot, partitions: Option<&[Vec<String>]>, part: &ObjectsPart) -> Scan {
        let (database, name, values) = (&table.database, &table.name, table.partition_keys.len());
        let whole = table_prefix(b"o", database, name);
        let start = whole.len();
        let mut prefixes: Vec<Vec<u8>> = match partitions {
            None => vec![whole],
            Some(partitions) => {
                let fitting = partitions.iter().filter(|partition| partition.len() == values);
                fitting.map(|values| objects_prefix(database, name, values)).collect()
            }
        };
        prefixes.sort_unstable();
        prefixes.dedup();
        let after = part.after.as_ref().map(|(values, key)| {
            let mut after = objects_prefix(database, name, values);
            after.extend_from_slice(key.as_bytes());
            after
        });
        let unless_none = |max: usize| if max == 0 { usize::MAX } else { max };
        Scan {
            prefixes,
            after,
            entries_max: unless_none(part.entries_max),
            bytes_max: unless_none(part.bytes_max),
            sequence: snapshot.sequence,
            start,
            values,
        }
    }

    fn run(&self, db: &sled::Db) -> Result<Objects, CatalogError> {
        let (mut found, mut bytes) = (Objects::default(), 0_usize);
        for prefix in &self.prefixes {
            let from = match &self.after {
                Some(after) if after >= prefix => Bound::Excluded(after.as_slice()),
                _ => Bound::Included(prefix.as_slice()),
            };
            for entry in db.range::<&[u8], _>((from, Bound::Unbounded)) {
                let (key, value) = entry.map_err(store)?;
                if !key.starts_with(prefix) {
                    break;
                }
                let mut object: RegisteredObject = decode(&value)?;
                if object.sequence > self.sequence {
                    continue;
                }
                if found.objects.len() >= self.entries_max || bytes >= self.bytes_max {
                    found.more = true;
                    return Ok(found);
                }
                let damaged = || CatalogError::Unavailable("the catalog is damaged: a key of an object".to_owned());
                (object.partition, object.key) = split_key(&key, self.start, self.values).ok_or_else(damaged)?;
                bytes = bytes.saturating_add(key.len() + value.len());
                found.objects.push(object);
            }
        }
        Ok(found)
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
