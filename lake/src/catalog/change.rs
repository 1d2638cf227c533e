//! Changes that many writers make at once, without losing each other's: read, grow, compare-and-set,
//! and again when somebody was faster.

use std::time::Duration;

use super::{
    Catalog, CatalogError, Column, Database, Partition, PartitionFilter, SchemaChange, Table, TableFormat, widen,
};

/// How often a change is tried before [`CatalogError::Concurrent`] goes to the caller. Every failed
/// round means that another writer succeeded.
pub(super) const ATTEMPTS_MAX: u32 = 64;

/// What [`ensure_table`] found and did.
#[derive(Debug, Clone)]
pub struct Ensured {
    /// The table as it is now.
    pub table: Table,
    /// Whether it is new.
    pub created: bool,
    /// What changed in its columns, and what could not.
    pub changes: Vec<SchemaChange>,
}

/// Creates the database where it is missing.
pub async fn ensure_database(catalog: &dyn Catalog, name: &str) -> Result<(), CatalogError> {
    if catalog.database(name).await?.is_some() {
        return Ok(());
    }
    match catalog.create_database(&Database::new(name)).await {
        Err(CatalogError::AlreadyExists { .. }) => Ok(()),
        other => other,
    }
}

/// Creates the table `wanted`, or grows the one that is there to hold the columns of `wanted` (see
/// [`widen()`]). Location and format of a table that is there stay as they are; one of another format or
/// with other partition keys is refused with [`CatalogError::Invalid`].
pub async fn ensure_table(catalog: &dyn Catalog, wanted: &Table) -> Result<Ensured, CatalogError> {
    let wanted = wanted.normalized();
    let mut attempt = 0;
    loop {
        match try_ensure(catalog, &wanted).await {
            Err(CatalogError::Concurrent { .. } | CatalogError::AlreadyExists { .. }) if attempt < ATTEMPTS_MAX => {
                attempt += 1;
                let backoff_ms = u64::from(attempt.min(20)) * 2;
                tokio::time::sleep(Duration::from_millis(backoff_ms)).await;
            }
            outcome => return outcome,
        }
    }
}

async fn try_ensure(catalog: &dyn Catalog, wanted: &Table) -> Result<Ensured, CatalogError> {
    let Some(mut table) = catalog.table(&wanted.database, &wanted.name).await? else {
        catalog.create_table(wanted).await?;
        return Ok(Ensured {
            table: wanted.clone(),
            created: true,
            changes: Vec::new(),
        });
    };
    refuse_another_kind(&table, wanted)?;
    let (columns, changes) = widen(table.columns(), wanted.columns());
    if changes.iter().any(SchemaChange::alters) {
        let version = table.version_id.clone();
        if let Some(storage) = table.storage_descriptor.as_mut() {
            storage.columns = columns;
        }
        catalog.update_table(&table, version.as_deref()).await?;
    }
    Ok(Ensured {
        table,
        created: false,
        changes,
    })
}

fn refuse_another_kind(table: &Table, wanted: &Table) -> Result<(), CatalogError> {
    let names = |table: &Table| -> Vec<String> {
        let keys = table.partition_keys.iter();
        keys.map(|key| key.name.clone()).collect()
    };
    let format = |table: &Table| TableFormat::of_table(table).map(TableFormat::classification);
    if names(table) != names(wanted) {
        return Err(CatalogError::Invalid(format!(
            "the table {} is partitioned by {:?}, not by {:?}",
            table.qualified_name(),
            names(table),
            names(wanted)
        )));
    }
    if format(table) != format(wanted) {
        return Err(CatalogError::Invalid(format!(
            "the table {} holds {}, not {}",
            table.qualified_name(),
            format(table).unwrap_or("another format"),
            format(wanted).unwrap_or("another format")
        )));
    }
    Ok(())
}

/// Registers partitions (values, location) that are not registered yet, with the table's columns and
/// format, and gives the values of those that are new. A table without partition keys has none.
pub async fn register_partitions(
    catalog: &dyn Catalog,
    table: &Table,
    partitions: &[(Vec<String>, String)],
) -> Result<Vec<Vec<String>>, CatalogError> {
    if table.partition_keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<Partition> = partitions
        .iter()
        .map(|(values, location)| {
            let location = format!("{}/", location.trim_end_matches('/'));
            Partition::of_table(table, values.clone(), location)
        })
        .collect();
    let known = catalog.create_partitions(&table.database, &table.name, &wanted).await?;
    let mut added: Vec<Vec<String>> = partitions.iter().map(|(v, _)| v.clone()).collect();
    added.retain(|values| !known.contains(values));
    Ok(added)
}

/// Gives the table's columns to those of its partitions that pass `filter` and have fewer or narrower ones, and says how many
/// had. Athena compares the columns of table and partition by their place for JSON and CSV, and reads a column
/// that a partition lacks as null; so a table that has grown is whole only with its partitions.
///
/// Nothing is lost to others who do the same at once: a partition that knows more than `table` is left as it is, and where
/// the table has grown meanwhile, its columns of now are given.
pub async fn align_partitions(
    catalog: &dyn Catalog,
    table: &Table,
    filter: &PartitionFilter,
) -> Result<usize, CatalogError> {
    if table.partition_keys.is_empty() {
        return Ok(0);
    }
    let mut aligned = 0;
    for _ in 0..ATTEMPTS_MAX {
        // Read after whatever was written before, here and above: who widens the table later comes to the partitions later.
        let now = catalog.table(&table.database, &table.name).await?;
        match align_once(catalog, now.as_ref().unwrap_or(table), filter).await? {
            0 => return Ok(aligned),
            others => aligned += others,
        }
    }
    Ok(aligned)
}

async fn align_once(catalog: &dyn Catalog, table: &Table, filter: &PartitionFilter) -> Result<usize, CatalogError> {
    let mut others = catalog.partitions(&table.database, &table.name, filter).await?;
    others.retain(|partition| {
        let storage = partition.storage_descriptor.as_ref();
        storage.is_some_and(|storage| lacks(&storage.columns, table.columns()))
    });
    for partition in &mut others {
        if let Some(storage) = partition.storage_descriptor.as_mut() {
            storage.columns = table.columns().to_vec();
        }
    }
    if others.is_empty() {
        return Ok(0);
    }
    let gone = catalog.update_partitions(&table.database, &table.name, &others).await?;
    Ok(others.len() - gone.len().min(others.len()))
}

/// Whether a partition's columns are others than its table's, and not because the table as it was read is behind.
fn lacks(of_partition: &[Column], of_table: &[Column]) -> bool {
    let behind = || widen(of_table, of_partition).1.iter().any(SchemaChange::alters);
    of_partition != of_table && !behind()
}
