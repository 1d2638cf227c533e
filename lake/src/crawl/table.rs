//! One table's folder: what its objects hold, and what becomes of that in the catalog.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use futures::stream::{self, StreamExt, TryStreamExt};
use tickertape_client::s3::S3Url;

use super::infer::{self, Inferred};
use super::known::{self, Known, Values};
use super::layout::{self, File, Folder};
use super::narrower::refused_by_athena;
use super::objects;
use super::options::CrawlSettings;
use super::report::TableReport;
use super::vanished::vanished;
use crate::catalog::{
    Catalog, CatalogError, Column, Partition, SchemaChange, Table, TableFormat, ensure_table, list_from_now_on, widen,
};

/// How many objects of a table are read at a time.
const CONCURRENT_OBJECTS: usize = 16;

/// The partitions that objects lie in: values, and the folder of each.
type Partitions = BTreeMap<Values, String>;

/// An object that was read.
struct Read {
    key: String,
    values: Values,
    of: Inferred,
}

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
    let vanished = vanished(client, catalog, existing.as_ref(), &folder).await?;
    if let Some(key) = &vanished {
        let said = format!("{key} was registered and is gone: queries list the table's objects from now on");
        report.changes.push(said);
    }
    if vanished.is_some() && !settings.dry_run {
        list_from_now_on(catalog, &settings.database, &folder.name).await?;
    }
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
    let known = Known::read(catalog, existing.as_ref(), &files).await?;
    let news: Vec<&File> = files.iter().filter(|file| known.is_news(file)).collect();
    report.objects_read = news.len() as u64;
    let (inferred, mut unread) = infer_all(client, &folder.location.bucket, &news, &mut report).await;
    let Some(format) = table_format(existing.as_ref(), &inferred) else {
        return Ok(report);
    };
    report.format = Some(format.classification());
    let wanted = merged(format, &inferred, &mut unread, &mut report);
    let columns: Vec<Column> = wanted.columns.into_iter().filter(|c| !keys.contains(&c.name)).collect();
    let key_columns = keys.iter().map(|key| Column::new(key, "string")).collect();
    let mut table = format.table(&settings.database, &report.name, &report.location, columns, key_columns);
    name_mapping(&mut table, &wanted.own_names);

    let placed: Partitions = files
        .iter()
        .filter(|_| !keys.is_empty())
        .map(|file| {
            (
                known::values(file),
                format!("s3://{}/{}/", folder.location.bucket, file.folder),
            )
        })
        .collect();
    let added = compare_partitions(&known, &placed, &mut report);
    let gone = still_without_objects(client, &folder.location, &keys, &known, &report.partitions_removed).await?;
    report.partitions_removed = gone;
    if settings.dry_run {
        let known = existing.as_ref().map_or(&[][..], |table| table.columns());
        let (columns, changes) = widen(known, table.columns());
        compare_objects(format, &columns, &inferred, &changes, &mut report);
        report.created = existing.is_none();
        if existing.is_some() {
            report.changed(changes);
        }
        return Ok(report);
    }
    let ensured = ensure_table(catalog, &table).await?;
    let columns = ensured.table.columns();
    compare_objects(format, columns, &inferred, &ensured.changes, &mut report);
    report.created = ensured.created;
    report.changed(ensured.changes);
    let mut partitions: Vec<Partition> = added
        .into_iter()
        .map(|(values, location)| Partition::of_table(&ensured.table, values, location))
        .collect();
    for partition in &mut partitions {
        known.note(partition, &unread);
    }
    let (database, name) = (&table.database, &table.name);
    if !partitions.is_empty() {
        catalog.create_partitions(database, name, &partitions).await?;
    }
    let gone = &report.partitions_removed;
    report.partitions_removed = remove(client, catalog, &ensured.table, &folder.location, &known, gone).await?;
    let gone = &report.partitions_removed;
    known.remember(catalog, &ensured.table, &unread, gone).await?;
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

/// The columns of all objects, and the partitions with objects that could not be read.
async fn infer_all(
    client: &Client,
    bucket: &str,
    files: &[&File],
    report: &mut TableReport,
) -> (Vec<Read>, BTreeSet<Values>) {
    let objects: Vec<_> = files
        .iter()
        .map(|file| (file.object.clone(), known::values(file)))
        .collect();
    let outcomes: Vec<_> = stream::iter(objects)
        .map(|(object, values)| async move {
            let inferred = infer::infer(client, bucket, &object).await;
            (object.key, values, inferred)
        })
        .buffered(CONCURRENT_OBJECTS)
        .collect()
        .await;
    let mut inferred = Vec::with_capacity(outcomes.len());
    let mut unread = BTreeSet::new();
    for (key, values, outcome) in outcomes {
        match outcome {
            Ok(of) => inferred.push(Read { key, values, of }),
            Err(error) => {
                unread.insert(values);
                report.skip([(key, format!("{error:#}"))]);
            }
        }
    }
    (inferred, unread)
}

/// The catalog's format where the table is known, else that of most objects.
fn table_format(existing: Option<&Table>, inferred: &[Read]) -> Option<TableFormat> {
    if let Some(format) = existing.and_then(TableFormat::of_table) {
        return Some(format);
    }
    let mut seen: BTreeMap<&str, (usize, TableFormat)> = BTreeMap::new();
    for Read { of, .. } in inferred {
        let entry = seen.entry(of.format.classification()).or_insert((0, of.format));
        entry.0 += 1;
    }
    let most = seen.into_values().max_by_key(|(count, _)| *count);
    most.map(|(_, format)| format)
}

/// The columns of all objects of the table's format. Partitions with others are as good as unread: what is
/// wrong with them is said by every crawl.
fn merged(format: TableFormat, inferred: &[Read], unread: &mut BTreeSet<Values>, report: &mut TableReport) -> Inferred {
    let mut all = Inferred {
        format,
        columns: Vec::new(),
        own_names: BTreeMap::new(),
        conflicts: Vec::new(),
    };
    let mut last: Option<&[Column]> = None;
    for Read { key, values, of } in inferred {
        if of.format.classification() != format.classification() {
            let why = format!(
                "is {}, the table is {}",
                of.format.classification(),
                format.classification()
            );
            report.skip([(key.clone(), why)]);
            unread.insert(values.clone());
            continue;
        }
        if !of.conflicts.is_empty() {
            report.conflict(key, &of.conflicts);
            unread.insert(values.clone());
        }
        all.own_names.extend(of.own_names.clone());
        // Objects of one writer are alike: most need no second look.
        if last == Some(of.columns.as_slice()) {
            continue;
        }
        last = Some(&of.columns);
        let (columns, changes) = widen(&all.columns, &of.columns);
        let conflicts: Vec<SchemaChange> = changes.into_iter().filter(|change| !change.alters()).collect();
        if !conflicts.is_empty() {
            report.conflict(key, &conflicts);
            unread.insert(values.clone());
        }
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

/// Says which objects Athena can't read as the table's types.
fn compare_objects(
    format: TableFormat,
    columns: &[Column],
    inferred: &[Read],
    changes: &[SchemaChange],
    report: &mut TableReport,
) {
    if format != TableFormat::Parquet {
        return;
    }
    let objects = inferred.iter().filter(|read| read.of.format == TableFormat::Parquet);
    let objects = objects.map(|read| (read.key.as_str(), read.of.columns.as_slice()));
    let all_read = report.objects_read == report.objects;
    let before = if all_read { &[] } else { changes };
    report.conflicts.extend(refused_by_athena(columns, objects, before));
}

/// Takes partitions out of the catalog and gives those that stay out: a sink that has put an object since the last look has found
/// the partition registered.
async fn remove(
    client: &Client,
    catalog: &dyn Catalog,
    table: &Table,
    location: &S3Url,
    known: &Known,
    gone: &[Values],
) -> anyhow::Result<Vec<Values>> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    catalog.delete_partitions(&table.database, &table.name, gone).await?;
    let keys: Vec<String> = table.partition_keys.iter().map(|key| key.name.clone()).collect();
    let still = still_without_objects(client, location, &keys, known, gone).await?;
    let back = |values: &Values| gone.contains(values) && !still.contains(values);
    let back = known.registered.iter().filter(|partition| back(&partition.values));
    let back: Vec<Partition> = back.cloned().collect();
    if !back.is_empty() {
        catalog.create_partitions(&table.database, &table.name, &back).await?;
    }
    Ok(still)
}

/// Those of the partitions that have no object on another look: one that a sink has registered since the folder was listed
/// had its objects before.
async fn still_without_objects(
    client: &Client,
    table: &S3Url,
    keys: &[String],
    known: &Known,
    candidates: &[Values],
) -> anyhow::Result<Vec<Values>> {
    let candidates: BTreeSet<&Values> = candidates.iter().collect();
    let partitions = known
        .registered
        .iter()
        .filter(|partition| candidates.contains(&partition.values));
    let look = |partition: &Partition| {
        let (values, location) = (partition.values.clone(), partition.location().map(str::parse::<S3Url>));
        async move {
            let Some(Ok(location)) = location else {
                return Ok(Some(values));
            };
            let files = layout::files_of(table, objects::list(client, &location).await?);
            let its = |file: &File| {
                file.partition.iter().map(|(name, _)| name).eq(keys.iter()) && known::values(file) == values
            };
            let found = files.iter().any(its);
            anyhow::Ok((!found).then_some(values))
        }
    };
    let looks: Vec<_> = partitions.map(look).collect();
    stream::iter(looks)
        .buffered(CONCURRENT_OBJECTS)
        .try_filter_map(|gone| async move { Ok(gone) })
        .try_collect()
        .await
}

/// What partitions come and go: adds those that have objects, removes those under the folder that have none.
fn compare_partitions(known: &Known, placed: &Partitions, report: &mut TableReport) -> Partitions {
    let there: BTreeSet<&Values> = known.registered.iter().map(|partition| &partition.values).collect();
    let mut added = placed.clone();
    added.retain(|values, _| !there.contains(values));
    let below = |location: &str| location.starts_with(&report.location);
    report.partitions_removed = known
        .registered
        .iter()
        .filter(|partition| !placed.contains_key(&partition.values))
        .filter(|partition| partition.location().is_some_and(below))
        .map(|partition| partition.values.clone())
        .collect();
    report.partitions_added = added.keys().cloned().collect();
    added
}
