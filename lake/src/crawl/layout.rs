//! Which tables and partitions the keys of a prefix make.

use std::collections::BTreeMap;

use tickertape_client::s3::S3Url;

use super::objects::Object;
use crate::catalog::Table;

/// A table's folder with the objects below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// The table's name: the folder's in lower case, with `_` for whatever Athena would not take.
    pub(super) name: String,
    pub(super) location: S3Url,
    pub(super) files: Vec<File>,
}

/// An object with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) object: Object,
    /// Name and value of each `name=value` part, outermost first.
    pub(super) partition: Vec<(String, String)>,
    /// The folder that the partition is: the path up to its last `name=value` part.
    pub(super) folder: String,
}

/// What lies under a prefix.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The tables' folders, by their keys.
    pub(super) folders: Vec<Folder>,
    /// How many objects hold no rows: by their names, or as they are empty.
    pub(super) ignored: u64,
    /// Objects that lie beside the tables' folders, and so in none.
    pub(super) beside: Vec<String>,
}

/// A table that the catalog has under the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownTable {
    pub(super) name: String,
    pub(super) location: S3Url,
}

impl KnownTable {
    /// A table that lies at the prefix or under it.
    pub(super) fn under(lake: &S3Url, table: &Table) -> Option<KnownTable> {
        let location: S3Url = table.location()?.parse().ok()?;
        let below = format!("{}/", lake.prefix);
        let inside = lake.prefix.is_empty() || location.prefix == lake.prefix || location.prefix.starts_with(&below);
        (location.bucket == lake.bucket && inside).then(|| KnownTable {
            name: table.name.clone(),
            location,
        })
    }
}

/// Sorts objects into tables. The prefix is a table itself where the catalog says so, where `name=value` folders lie directly
/// in it, or where objects do and no folder is a table: known, or with `name=value` folders below. Known tables that nothing lies in any more are folders without files.
pub(super) fn group(lake: &S3Url, objects: Vec<Object>, known: &[KnownTable]) -> Layout {
    let mut layout = Layout::default();
    let inside = inside(&lake.prefix);
    let (objects, ignored): (Vec<Object>, Vec<Object>) =
        objects.into_iter().partition(|object| is_data(object, inside));
    layout.ignored = ignored.len() as u64;
    let is_table_itself = known.iter().any(|table| table.location == *lake) || is_one_table(lake, &objects, known);
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    for object in objects {
        let location = match object.key[inside..].split_once('/') {
            _ if is_table_itself => lake.clone(),
            Some((first, _)) => lake.join(first),
            None => {
                layout.beside.push(object.key);
                continue;
            }
        };
        let folder = folders
            .entry(location.prefix.clone())
            .or_insert_with(|| new_folder(location));
        let file = file(object, &folder.location.prefix);
        folder.files.push(file);
    }
    let emptied = known.iter().filter(|table| is_empty(table, &folders));
    layout.folders = emptied.map(emptied_folder).collect();
    layout.folders.extend(folders.into_values());
    layout
}

/// Whether the objects make one table, by what lies directly in the prefix and whether its folders look like tables.
fn is_one_table(lake: &S3Url, objects: &[Object], known: &[KnownTable]) -> bool {
    let is_partition = |part: &str| partition_part(part).is_some();
    let (mut directly, mut tables_below) = (false, !known.is_empty());
    for object in objects {
        match object.key[inside(&lake.prefix)..].split_once('/') {
            Some((first, _)) if is_partition(first) => return true,
            Some((_, rest)) => tables_below |= rest.rsplit('/').skip(1).any(is_partition),
            None => directly = true,
        }
    }
    directly && !tables_below
}

fn is_empty(table: &KnownTable, folders: &BTreeMap<String, Folder>) -> bool {
    let below = format!("{}/", table.location.prefix);
    let mut keys = folders
        .values()
        .flat_map(|folder| folder.files.iter().map(|file| file.object.key.as_str()));
    !folders.contains_key(&table.location.prefix) && !keys.any(|key| key.starts_with(&below))
}

fn emptied_folder(table: &KnownTable) -> Folder {
    Folder {
        name: table.name.clone(),
        location: table.location.clone(),
        files: Vec::new(),
    }
}

/// Where the keys below a prefix differ: behind the slash that follows it.
fn inside(prefix: &str) -> usize {
    if prefix.is_empty() { 0 } else { prefix.len() + 1 }
}

/// Whether an object holds rows, by its key from `inside` on.
fn is_data(object: &Object, inside: usize) -> bool {
    let relative = object.key.get(inside..).unwrap_or_default();
    object.bytes > 0
        && !relative.is_empty()
        && !relative.ends_with('/')
        && relative
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with(['_', '.']))
}

/// Those of the objects that are a table's.
pub(super) fn files_of(table: &S3Url, objects: Vec<Object>) -> Vec<File> {
    let inside = inside(&table.prefix);
    let data = objects.into_iter().filter(|object| is_data(object, inside));
    data.map(|object| file(object, &table.prefix)).collect()
}

fn new_folder(location: S3Url) -> Folder {
    let last = location.prefix.rsplit('/').next().unwrap_or_default();
    let name = if last.is_empty() { &location.bucket } else { last };
    Folder {
        name: table_name(name),
        files: Vec::new(),
        location,
    }
}

/// A name that Hive and Athena take: lower case letters, digits and underscores.
pub(super) fn table_name(folder: &str) -> String {
    let fit = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '_',
    };
    folder.chars().map(fit).collect()
}

fn file(object: Object, table_prefix: &str) -> File {
    let inside = inside(table_prefix);
    let mut partition = Vec::new();
    let mut folder_end = table_prefix.len();
    let mut at = inside;
    let parts: Vec<&str> = object.key[inside..].split('/').collect();
    for part in &parts[..parts.len() - 1] {
        at += part.len();
        if let Some(pair) = partition_part(part) {
            partition.push(pair);
            folder_end = at;
        }
        at += 1;
    }
    File {
        folder: object.key[..folder_end].to_owned(),
        partition,
        object,
    }
}

/// `name=value`, with the value's `%3A` and the like undone as Hive writes them.
fn partition_part(part: &str) -> Option<(String, String)> {
    let (name, value) = part.split_once('=')?;
    let fits = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') && !value.is_empty();
    fits.then(|| (name.to_lowercase(), percent_decoded(value)))
}

fn percent_decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match pair.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grouped(lake: &str, keys: &[&str]) -> (Vec<Folder>, u64) {
        let layout = laid_out(lake, keys, &[]);
        (layout.folders, layout.ignored)
    }

    fn laid_out(lake: &str, keys: &[&str], known: &[KnownTable]) -> Layout {
        let of = |key: &&str| Object {
            key: (*key).to_owned(),
            bytes: 1,
            etag: String::new(),
        };
        group(&lake.parse().unwrap(), keys.iter().map(of).collect(), known)
    }

    fn known(name: &str, location: &str) -> KnownTable {
        let location = location.parse().unwrap();
        KnownTable {
            name: name.to_owned(),
            location,
        }
    }

    fn places(layout: &Layout) -> Vec<(String, usize)> {
        let place = |folder: &Folder| (folder.location.prefix.clone(), folder.files.len());
        layout.folders.iter().map(place).collect()
    }

    #[test]
    fn what_lies_beside_the_folders_of_tables_is_in_none() {
        let keys = ["raw/notes.csv", "raw/ticks/dt=2012-01-01/a.parquet", "raw/bars/b.csv"];
        let layout = laid_out("s3://lake/raw", &keys, &[]);
        let tables = [("raw/bars".to_owned(), 1), ("raw/ticks".to_owned(), 1)];
        assert_eq!(
            (places(&layout), layout.beside),
            (tables.to_vec(), vec![keys[0].to_owned()])
        );
        // Unless the catalog has the prefix itself for a table.
        let layout = laid_out("s3://lake/raw", &keys, &[known("raw", "s3://lake/raw")]);
        assert_eq!((places(&layout), layout.beside.len()), (vec![("raw".to_owned(), 3)], 0));
    }

    #[test]
    fn a_known_table_without_objects_is_a_folder_without_files() {
        let tables = [
            known("gone", "s3://lake/raw/Gone"),
            known("bars", "s3://lake/raw/bars"),
            known("deep", "s3://lake/raw/bars/deep"),
            known("empty", "s3://lake/raw/bars/empty"),
        ];
        let layout = laid_out("s3://lake/raw", &["raw/bars/a.csv", "raw/bars/deep/b.csv"], &tables);
        let names: Vec<_> = layout
            .folders
            .iter()
            .map(|folder| (folder.name.as_str(), folder.files.len()))
            .collect();
        assert_eq!(names, [("gone", 0), ("empty", 0), ("bars", 2)]);
    }

    #[test]
    fn folders_of_the_first_level_are_tables() {
        let (folders, ignored) = grouped(
            "s3://lake/raw",
            &[
                "raw/Ticks-2/dt=2012-01-01/hour=9/a.parquet",
                "raw/Ticks-2/dt=2012-01-01/b.parquet",
                "raw/bars/2012/c.parquet",
                "raw/_ledger/x",
                "raw/bars/.tmp/x",
                "raw/bars/",
            ],
        );
        let said: Vec<_> = folders
            .iter()
            .map(|folder| (folder.name.as_str(), folder.location.to_string(), folder.files.len()))
            .collect();
        assert_eq!(
            said,
            [
                ("ticks_2", "s3://lake/raw/Ticks-2".to_owned(), 2),
                ("bars", "s3://lake/raw/bars".to_owned(), 1),
            ]
        );
        assert_eq!(ignored, 3);
        let deep = &folders[0].files[0];
        assert_eq!(
            deep.partition,
            [
                ("dt".to_owned(), "2012-01-01".to_owned()),
                ("hour".to_owned(), "9".to_owned())
            ]
        );
        assert_eq!(deep.folder, "raw/Ticks-2/dt=2012-01-01/hour=9");
        assert_eq!(folders[1].files[0].folder, "raw/bars");
    }

    #[test]
    fn a_prefix_with_files_or_partitions_is_a_table_itself() {
        for keys in [["a.parquet", "sub/b.parquet"], ["dt=1/a.parquet", "dt=2/b.parquet"]] {
            let (folders, _) = grouped("s3://lake", &keys);
            assert_eq!(folders.len(), 1, "{keys:?}");
            assert_eq!((folders[0].name.as_str(), folders[0].files.len()), ("lake", 2));
        }
    }

    proptest! {
        #[test]
        fn no_key_panics(keys in proptest::collection::vec("p/[a-z=%_./é0-9]{0,20}", 0..6)) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let layout = laid_out("s3://lake/p", &keys, &[]);
            let kept: usize = layout.folders.iter().map(|folder| folder.files.len()).sum();
            prop_assert_eq!(kept + layout.beside.len() + layout.ignored as usize, keys.len());
        }
    }
}
