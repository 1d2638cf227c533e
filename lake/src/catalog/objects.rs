//! The objects of a table, as its writers registered them: what a query is planned from instead of a listing.
//!
//! A catalog that keeps objects ([`Catalog::keeps_objects`]) keeps those of the tables that bear the mark [`OBJECTS`], and of
//! those all: whoever writes to such a table registers every object before anybody is told of its rows. Writers register batch
//! by batch. The batches of one source (a partition of a topic) are a chain from offset 0 on, and a batch comes with all of
//! its objects in one change, so that nobody ever sees a part of it, or sees it twice.
//!
//! A batch may be registered once more by whoever takes it up: of objects that have another size by then, what is said last holds.
//!
//! A batch that doesn't start where the chain of its source ends is refused ([`Registered::Behind`]): the catalog has missed
//! one, because it was lost, or because somebody wrote without it. So is one that the chain is beyond, if the catalog doesn't
//! have its objects: it is another one, or was registered without them. Then the mark has to go ([`list_from_now_on`]), and the
//! table is listed by queries as are the tables of other programs. The mark is set when a table is made, or never. A table or
//! a partition that is given another place loses it by that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::change::ATTEMPTS_MAX;
use super::{Catalog, CatalogError, Table};

/// The parameter of a table whose objects the catalog keeps.
const OBJECTS: &str = "tickertape.objects";
/// Its value.
const REGISTERED: &str = "registered";

/// A batch of a source: the objects that it became.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Registration {
    /// Whose chain of batches it belongs to.
    pub source: String,
    /// Where the batch before ended; 0 for the first.
    pub start: i64,
    /// Where the next one starts.
    pub end: i64,
    /// All of its objects; none where a batch has no rows.
    pub objects: Vec<RegisteredObject>,
}

/// An object of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisteredObject {
    /// The values of the partition that it lies in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partition: Vec<String>,
    /// Its key in the bucket of the table's location.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What is known of columns, by name in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnRange>,
    /// The place of its registration among all of the catalog's; set by the catalog.
    pub sequence: u64,
}

/// Smallest and largest value of a column in an object. Both are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ColumnRange {
    /// What the values are.
    #[serde(rename = "Type")]
    pub kind: RangeKind,
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
    /// How many rows have none.
    pub nulls: u64,
}

/// What the numbers of a [`ColumnRange`] mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RangeKind {
    /// An integer of any width.
    Integer,
    /// Microseconds since 1970, UTC.
    Timestamp,
    /// Days since 1970.
    Date,
}

/// What became of a [`Registration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub enum Registered {
    /// The catalog has it: from now on, or since it was registered before.
    Done,
    /// The catalog has the source up to an offset, and has missed what lies before the batch, or objects of the batch.
    Behind {
        /// That offset.
        end: i64,
    },
    /// The catalog doesn't keep the objects of this table.
    NotKept,
}

/// The objects that a table had at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Snapshot {
    /// Those whose [`RegisteredObject::sequence`] is not above this.
    pub sequence: u64,
    /// The end of the chain of the source that was asked for; 0 where none is known of it.
    pub source_end: i64,
}

/// Which part of a table's objects is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectsPart {
    /// Those after this one, by its partition's values and its key; from the first on without it.
    pub after: Option<(Vec<String>, String)>,
    /// No more than so many; all where this is 0.
    pub entries_max: usize,
    /// No more than about so many bytes, and one object at least; all where this is 0.
    pub bytes_max: usize,
}

/// Objects of a table, in the order of partition and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// The objects.
    pub objects: Vec<RegisteredObject>,
    /// Whether there are more behind them.
    pub more: bool,
}

impl Table {
    /// The table with the mark that the catalog keeps all of its objects; has an effect only where it is made.
    #[must_use]
    pub fn with_registered_objects(mut self) -> Table {
        self.parameters.insert(OBJECTS.to_owned(), REGISTERED.to_owned());
        self
    }

    /// Whether the catalog keeps all of its objects.
    pub fn has_registered_objects(&self) -> bool {
        self.parameters.get(OBJECTS).is_some_and(|value| value == REGISTERED)
    }

    /// The table without that mark.
    #[must_use]
    pub(super) fn without_registered_objects(mut self) -> Table {
        self.parameters.remove(OBJECTS);
        self
    }
}

/// Takes the mark from a table, so that queries list its objects from now on: the catalog doesn't have all of them.
pub async fn list_from_now_on(catalog: &dyn Catalog, database: &str, name: &str) -> Result<(), CatalogError> {
    for _ in 0..ATTEMPTS_MAX {
        let Some(table) = catalog.table(database, name).await? else {
            return Ok(());
        };
        if !table.has_registered_objects() {
            return Ok(());
        }
        let version = table.version_id.clone();
        match catalog
            .update_table(&table.without_registered_objects(), version.as_deref())
            .await
        {
            Err(CatalogError::Concurrent { .. }) => {}
            other => return other,
        }
    }
    Err(CatalogError::Unavailable(format!(
        "{database}.{name} was changed by others all the time"
    )))
}
