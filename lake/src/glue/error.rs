//! What Glue calls what went wrong.

use crate::catalog::CatalogError;

/// One of Glue's exceptions.
#[derive(Debug)]
pub(super) struct GlueError {
    /// The exception's name.
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The HTTP status.
    pub(super) status: u16,
}

impl GlueError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status: 400,
        }
    }

    /// A request that does not have the form that Glue wants.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidInputException", message)
    }

    pub(super) fn unknown_operation(name: &str) -> Self {
        Self::new(
            "UnknownOperationException",
            format!("this catalog does not serve {name}"),
        )
    }

    pub(super) fn no_table(name: &str) -> Self {
        Self::new("EntityNotFoundException", format!("Table {name} not found."))
    }

    pub(super) fn no_database(name: &str) -> Self {
        Self::new("EntityNotFoundException", format!("Database {name} not found."))
    }

    pub(super) fn no_partition() -> Self {
        Self::new("EntityNotFoundException", "Cannot find partition.")
    }
}

impl From<CatalogError> for GlueError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound { what: "database", name } => Self::no_database(&name),
            CatalogError::NotFound { what: "table", name } => Self::no_table(&name),
            CatalogError::NotFound { .. } => Self::no_partition(),
            CatalogError::AlreadyExists { what, name } => {
                let mut what = what.to_owned();
                if let Some(first) = what.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                Self::new("AlreadyExistsException", format!("{what} already exists: {name}"))
            }
            CatalogError::Concurrent { .. } => Self::new("ConcurrentModificationException", error.to_string()),
            CatalogError::Invalid(message) => Self::invalid(message),
            CatalogError::Refused(message) | CatalogError::NotServed(message) | CatalogError::Unavailable(message) => {
                Self {
                    code: "InternalServiceException",
                    message,
                    status: 500,
                }
            }
        }
    }
}
