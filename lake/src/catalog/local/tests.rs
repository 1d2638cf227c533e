use super::*;

#[tokio::test]
async fn it_survives_being_closed_and_refuses_what_is_newer_or_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = LocalCatalog::open(dir.path()).unwrap();
    catalog.create_database(&Database::new("Prices")).await.unwrap();
    let in_use = LocalCatalog::open(dir.path()).unwrap_err().to_string();
    assert!(in_use.contains("another process"), "{in_use}");
    drop(catalog);

    let catalog = LocalCatalog::open(dir.path()).unwrap();
    let names = |databases: Vec<Database>| -> Vec<String> { databases.into_iter().map(|d| d.name).collect() };
    assert_eq!(names(catalog.databases().await.unwrap()), ["default", "prices"]);
    catalog.db.insert(b"f", &[FORMAT_VERSION + 1]).unwrap();
    drop(catalog);
    let newer = LocalCatalog::open(dir.path()).unwrap_err().to_string();
    assert!(newer.contains("format 3"), "{newer}");
}

#[tokio::test]
async fn one_of_the_first_format_is_taken_over_and_its_tables_are_listed() {
    use crate::catalog::{Column, TableFormat, ensure_table};
    let dir = tempfile::tempdir().unwrap();
    let catalog = LocalCatalog::open(dir.path()).unwrap();
    let keys = vec![Column::new("dt", "string")];
    let columns = vec![Column::new("price", "double")];
    let table = TableFormat::Parquet.table("default", "old", "s3://bucket/old", columns, keys);
    catalog.create_table(&table).await.unwrap();
    catalog.db.insert(b"f", &[1]).unwrap();
    drop(catalog);

    let catalog = LocalCatalog::open(dir.path()).unwrap();
    assert_eq!(catalog.db.get(b"f").unwrap().unwrap().as_ref(), [2]);
    // A sink that finds the table doesn't get the mark into it, and is told that nothing is kept.
    let ensured = ensure_table(&catalog, &table.with_registered_objects()).await.unwrap();
    assert!(!ensured.table.has_registered_objects());
    assert_eq!(Catalog::snapshot(&catalog, "default", "old", None).await.unwrap(), None);
    let batch = Registration {
        source: "ticks/0".to_owned(),
        start: 0,
        end: 1,
        objects: Vec::new(),
    };
    let registered = catalog.register_objects("default", "old", &batch).await.unwrap();
    assert_eq!(registered, Registered::NotKept);
}

#[tokio::test]
async fn names_that_would_mix_with_other_keys_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = LocalCatalog::open(dir.path()).unwrap();
    for name in ["", "a\0b", &"x".repeat(256)] {
        let created = catalog.create_database(&Database::new(name)).await;
        assert!(matches!(created, Err(CatalogError::Invalid(_))), "{name:?}");
    }
}
