//! One table's folder: what its objects hold, and what becomes of that in the catalog.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use futures::stream::{self, StreamExt};

use super::infer::{self, Inferred};
use super::layout::{File, Folder};
use super::options::CrawlSettings;
use super::report::TableReport;
use crate::catalog::{
    Catalog, CatalogError, Column, PartitionFilter, SchemaChange, Table, TableFormat, ensure_table,
    register_partitions, widen,
};

/// How many objects of a table are read at a time.
const CONCURRENT_OBJECTS: usize = 16;

/// The partitions that objects lie in: values, and the folder of each.
type Partitions = BTreeMap<Vec<String>, String>;

/// Crawls one folder.
pub(super) async fn crawl(
    client: &Client,
    catalog: &dyn Catalog,
    folder: Folder,
    settings: &CrawlSettings,
) -> anyhow::Result<TableReport> {
    let existing = match catalog.table(&settings.database, &folder.name).await {
        Err(CatalogError::NotFound { .. }) => None,
        found => found?,
    };
    let mut report = TableReport {
        name: folder.name.clone(),
        location: format!("{}/", folder.location),
        objects: folder.files.len() as u64,
        bytes: folder.files.iter().map(|file| file.object.bytes).sum(),
        ..TableReport::default()
    };
    let keys = partition_keys(existing.as_ref(), &folder.files);
    let (files, misplaced): (Vec<File>, Vec<File>) = folder
        .files
        .into_iter()
        .partition(|file| file.partition.iter().map(|(name, _)| name).eq(keys.iter()));
    report.skip(misplaced.iter().map(|file| {
        let names: Vec<&str> = file.partition.iter().map(|(name, _)| name.as_str()).collect();
        let why = format!("lies under partition keys {names:?}, the table has {keys:?}");
        (file.object.key.clone(), why)
    }));
    let inferred = infer_all(client, &folder.location.bucket, &files, &mut report).await;
    let Some(format) = table_format(existing.as_ref(), &inferred) else {
        return Ok(report);
    };
    report.format = Some(format.classification());
    let wanted = merged(format, &inferred, &mut report);
    let columns: Vec<Column> = wanted.columns.into_iter().filter(|c| !keys.contains(&c.name)).collect();
    let key_columns = keys.iter().map(|key| Column::new(key, "string")).collect();
    let mut table = format.table(&settings.database, &report.name, &report.location, columns, key_columns);
    name_mapping(&mut table, &wanted.own_names);

    let placed: Partitions = files
        .iter()
        .filter(|_| !keys.is_empty())
        .map(|file| {
            let values = file.partition.iter().map(|(_, value)| value.clone()).collect();
            (values, format!("s3://{}/{}", folder.location.bucket, file.folder))
        })
        .collect();
    match settings.dry_run {
        true => compare(existing.as_ref(), &table, &mut report),
        false => apply(catalog, &table, &mut report).await?,
    }
    partitions(
        catalog,
        existing.is_some(),
        &table,
        &placed,
        settings.dry_run,
        &mut report,
    )
    .await?;
    Ok(report)
}

/// The catalog's keys where the table is known, else those that most objects lie under.
fn partition_keys(existing: Option<&Table>, files: &[File]) -> Vec<String> {
    if let Some(table) = existing {
        return table.partition_keys.iter().map(|key| key.name.clone()).collect();
    }
    let mut seen: BTreeMap<Vec<&String>, usize> = BTreeMap::new();
    for file in files {
        *seen
            .entry(file.partition.iter().map(|(name, _)| name).collect())
            .or_default() += 1;
    }
    let most = seen.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(keys, _)| keys.into_iter().cloned().collect())
        .unwrap_or_default()
}

async fn infer_all(client: &Client, bucket: &str, files: &[File], report: &mut TableReport) -> Vec<(String, Inferred)> {
    let objects: Vec<_> = files.iter().map(|file| file.object.clone()).collect();
    let outcomes: Vec<_> = stream::iter(objects)
        .map(|object| async move {
            let inferred = infer::infer(client, bucket, &object).await;
            (object.key, inferred)
        })
        .buffered(CONCURRENT_OBJECTS)
        .collect()
        .await;
    let mut inferred = Vec::with_capacity(outcomes.len());
    for (key, outcome) in outcomes {
        match outcome {
            Ok(columns) => inferred.push((key, columns)),
            Err(error) => report.skip([(key, format!("{error:#}"))]),
        }
    }
    inferred
}

/// The catalog's format where the table is known, else that of most objects.
fn table_format(existing: Option<&Table>, inferred: &[(String, Inferred)]) -> Option<TableFormat> {
    if let Some(format) = existing.and_then(TableFormat::of_table) {
        return Some(format);
    }
    let mut seen: BTreeMap<&str, (usize, TableFormat)> = BTreeMap::new();
    for (_, of) in inferred {
        let entry = seen.entry(of.format.classification()).or_insert((0, of.format));
        entry.0 += 1;
    }
    let most = seen.into_values().max_by_key(|(count, _)| *count);
    most.map(|(_, format)| format)
}

/// The columns of all objects of the table's format.
fn merged(format: TableFormat, inferred: &[(String, Inferred)], report: &mut TableReport) -> Inferred {
    let mut all = Inferred {
        format,
        columns: Vec::new(),
        own_names: BTreeMap::new(),
        conflicts: Vec::new(),
    };
    let mut last: Option<&[Column]> = None;
    for (key, of) in inferred {
        if of.format.classification() != format.classification() {
            let why = format!(
                "is {}, the table is {}",
                of.format.classification(),
                format.classification()
            );
            report.skip([(key.clone(), why)]);
            continue;
        }
        report.conflict(key, &of.conflicts);
        all.own_names.extend(of.own_names.clone());
        // Objects of one writer are alike: most need no second look.
        if last == Some(of.columns.as_slice()) {
            continue;
        }
        last = Some(&of.columns);
        let (columns, changes) = widen(&all.columns, &of.columns);
        let conflicts: Vec<SchemaChange> = changes.into_iter().filter(|change| !change.alters()).collect();
        report.conflict(key, &conflicts);
        all.columns = columns;
    }
    all
}

/// Tells the SerDe, and so Athena and our SQL, what columns are called in the objects.
fn name_mapping(table: &mut Table, own_names: &BTreeMap<String, String>) {
    let storage = table.storage_descriptor.as_mut();
    if let Some(serde) = storage.and_then(|storage| storage.serde_info.as_mut()) {
        let mapped = own_names
            .iter()
            .map(|(column, own)| (format!("mapping.{column}"), own.clone()));
        serde.parameters.extend(mapped);
    }
}

fn compare(existing: Option<&Table>, wanted: &Table, report: &mut TableReport) {
    report.created = existing.is_none();
    if let Some(table) = existing {
        report.changed(widen(table.columns(), wanted.columns()).1);
    }
}

async fn apply(catalog: &dyn Catalog, wanted: &Table, report: &mut TableReport) -> anyhow::Result<()> {
    let ensured = ensure_table(catalog, wanted).await?;
    report.created = ensured.created;
    report.changed(ensured.changes);
    Ok(())
}

/// Adds the partitions that have objects and removes those under the folder that have none any more.
async fn partitions(
    catalog: &dyn Catalog,
    known: bool,
    table: &Table,
    placed: &Partitions,
    dry_run: bool,
    report: &mut TableReport,
) -> anyhow::Result<()> {
    if table.partition_keys.is_empty() {
        return Ok(());
    }
    let all = PartitionFilter::all();
    let registered = match known {
        true => catalog.partitions(&table.database, &table.name, &all).await?,
        false => Vec::new(),
    };
    let there: BTreeSet<&Vec<String>> = registered.iter().map(|partition| &partition.values).collect();
    let added: Vec<(Vec<String>, String)> = placed
        .iter()
        .filter(|(values, _)| !there.contains(values))
        .map(|(values, location)| (values.clone(), location.clone()))
        .collect();
    let below = |location: &str| location.starts_with(&report.location);
    let removed: Vec<Vec<String>> = registered
        .iter()
        .filter(|partition| !placed.contains_key(&partition.values))
        .filter(|partition| partition.location().is_some_and(below))
        .map(|partition| partition.values.clone())
        .collect();
    if !dry_run && !added.is_empty() {
        let current = catalog.table(&table.database, &table.name).await?;
        register_partitions(catalog, current.as_ref().unwrap_or(table), &added).await?;
    }
    if !dry_run && !removed.is_empty() {
        catalog
            .delete_partitions(&table.database, &table.name, &removed)
            .await?;
    }
    report.partitions_added = added.into_iter().map(|(values, _)| values).collect();
    report.partitions_removed = removed;
    Ok(())
}
