//! What a crawl found and changed, for people (`Display`) and programs (JSON).

use std::fmt;

use serde::Serialize;

use crate::catalog::SchemaChange;

/// How many of a kind are printed one by one.
const NAMED_MAX: usize = 8;

/// What a crawl did, or with `dry_run` would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CrawlReport {
    /// The prefix.
    pub lake: String,
    /// Whether the catalog was left as it was.
    pub dry_run: bool,
    /// Objects with a path part that starts with `_` or `.`, and empty ones.
    pub ignored_objects: u64,
    /// Objects that lie beside the tables' folders: they are in no table.
    pub beside: Vec<String>,
    /// Each table's folder, by name.
    pub tables: Vec<TableReport>,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub location: String,
    /// `parquet`, `json` or `csv`; `None` where nothing in the folder could be read.
    pub format: Option<&'static str>,
    /// Objects in the folder.
    pub objects: u64,
    /// Their size.
    pub bytes: u64,
    /// Objects that were read to know their columns: those of partitions that are as they were when they
    /// were last crawled are not.
    pub objects_read: u64,
    /// Whether the table is new.
    pub created: bool,
    /// Columns that were added or widened; and that the catalog no longer goes by registered objects.
    pub changes: Vec<String>,
    /// Types that have nothing in common with the table's, each with the first object that has it; and Parquet objects that
    /// are too narrow for Athena by now.
    pub conflicts: Vec<String>,
    /// Objects that were left out, each with the reason.
    pub skipped: Vec<String>,
    /// Values of partitions that are new.
    pub partitions_added: Vec<Vec<String>>,
    /// Values of partitions that have no objects any more.
    pub partitions_removed: Vec<Vec<String>>,
}

impl CrawlReport {
    /// Whether anything in the catalog is (or would be) another than before.
    pub fn changed(&self) -> bool {
        self.tables.iter().any(|table| {
            table.created
                || !table.changes.is_empty()
                || !table.partitions_added.is_empty()
                || !table.partitions_removed.is_empty()
        })
    }
}

impl TableReport {
    pub(super) fn changed(&mut self, changes: Vec<SchemaChange>) {
        for change in changes {
            match change.alters() {
                true => self.changes.push(change.to_string()),
                false => self.conflicts.push(change.to_string()),
            }
        }
    }

    pub(super) fn conflict(&mut self, key: &str, conflicts: &[SchemaChange]) {
        let said = conflicts.iter().map(|conflict| format!("{conflict} in {key}"));
        self.conflicts.extend(said);
    }

    pub(super) fn skip(&mut self, objects: impl IntoIterator<Item = (String, String)>) {
        let said = objects.into_iter().map(|(key, why)| format!("{key}: {why}"));
        self.skipped.extend(said);
    }
}

impl fmt::Display for CrawlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (objects, bytes) = self.tables.iter().fold((0, 0), |(objects, bytes), table| {
            (objects + table.objects, bytes + table.bytes)
        });
        let mode = if self.dry_run {
            " (dry run: nothing was changed)"
        } else {
            ""
        };
        writeln!(
            f,
            "{}: {objects} objects, {bytes} bytes, {} tables, {} objects ignored{mode}",
            self.lake,
            self.tables.len(),
            self.ignored_objects
        )?;
        for table in &self.tables {
            write!(f, "{table}")?;
        }
        named(f, "in no table, as it lies beside their folders: ", &self.beside)?;
        if !self.changed() {
            writeln!(f, "the catalog was up to date")?;
        }
        Ok(())
    }
}

impl fmt::Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.created { "created" } else { "known" };
        let format = self.format.unwrap_or("unreadable");
        writeln!(
            f,
            "{} ({format}, {} objects, {} read): {state}",
            self.name, self.objects, self.objects_read
        )?;
        let partitions = |of: &[Vec<String>]| of.iter().map(|values| values.join("/")).collect::<Vec<_>>();
        named(f, "", &self.changes)?;
        named(f, "added partition ", &partitions(&self.partitions_added))?;
        named(f, "removed partition ", &partitions(&self.partitions_removed))?;
        named(f, "", &self.conflicts)?;
        named(f, "left out ", &self.skipped)
    }
}

fn named(f: &mut fmt::Formatter<'_>, what: &str, items: &[String]) -> fmt::Result {
    for item in items.iter().take(NAMED_MAX) {
        writeln!(f, "  {what}{item}")?;
    }
    match items.len().checked_sub(NAMED_MAX) {
        Some(more) if more > 0 => writeln!(f, "  {what}… and {more} more"),
        _ => Ok(()),
    }
}
