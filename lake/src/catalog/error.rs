//! What a catalog can answer instead of what was asked, by Glue's own exceptions.

use thiserror::Error;

/// Why the catalog did not do what it was asked.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// Glue's `EntityNotFoundException`.
    #[error("no such {what} in the catalog: {name}")]
    NotFound {
        /// `database`, `table` or `partition`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Glue's `AlreadyExistsException`.
    #[error("the {what} is in the catalog already: {name}")]
    AlreadyExists {
        /// `database`, `table` or `partition`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Glue's `ConcurrentModificationException`: somebody else changed the table since it was read.
    #[error("the table {name} was changed by somebody else: expected version {expected}, it has {found}")]
    Concurrent {
        /// The table.
        name: String,
        /// The version that the caller had read.
        expected: String,
        /// The version that the table has, where it is known.
        found: String,
    },
    /// Glue's `InvalidInputException`.
    #[error("not a valid request to the catalog: {0}")]
    Invalid(String),
    /// It knows the request, and not this caller: with these credentials asking again changes nothing.
    #[error("the catalog refuses these credentials: {0}")]
    Refused(String),
    /// Somebody answered who does not know the catalog's requests: there is none.
    #[error("the catalog is not served there: {0}")]
    NotServed(String),
    /// The store or the network failed: nothing is said about whether the change took place.
    #[error("the catalog could not be reached: {0}")]
    Unavailable(String),
}

impl CatalogError {
    /// [`CatalogError::NotFound`] of a database.
    pub fn no_database(name: &str) -> Self {
        CatalogError::NotFound {
            what: "database",
            name: name.to_owned(),
        }
    }

    /// [`CatalogError::NotFound`] of a table.
    pub fn no_table(database: &str, name: &str) -> Self {
        CatalogError::NotFound {
            what: "table",
            name: format!("{database}.{name}"),
        }
    }

    /// [`CatalogError::NotFound`] of a partition.
    pub fn no_partition(values: &[String]) -> Self {
        CatalogError::NotFound {
            what: "partition",
            name: values.join("/"),
        }
    }
}
