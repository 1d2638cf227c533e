//! The keys of the tree: they sort as the answers do, and hold names in lower case.

/// A database.
pub(super) fn database_key(name: &str) -> Vec<u8> {
    [b"d", name.to_lowercase().as_bytes()].concat()
}

/// The prefix of a database's table keys (`t`) or partition keys (`p`).
pub(super) fn database_prefix(kind: &[u8], database: &str) -> Vec<u8> {
    [kind, database.to_lowercase().as_bytes(), b"\0"].concat()
}

/// A table.
pub(super) fn table_key(database: &str, name: &str) -> Vec<u8> {
    let mut key = database_prefix(b"t", database);
    key.extend_from_slice(name.to_lowercase().as_bytes());
    key
}

/// A partition; without values, what the keys of all of a table's start with.
pub(super) fn partition_key(database: &str, table: &str, values: &[String]) -> Vec<u8> {
    let mut key = database_prefix(b"p", database);
    key.extend_from_slice(table.to_lowercase().as_bytes());
    key.push(0);
    for value in values {
        key.extend_from_slice(value.as_bytes());
        key.push(0);
    }
    key
}
