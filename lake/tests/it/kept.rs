//! What a catalog keeps of objects, and what it doesn't take for known: batches that it never had, objects that moved, and more
//! than goes through at once.

use std::sync::Arc;

use tickertape_lake::catalog::{
    Catalog, Column, ColumnRange, LocalCatalog, Objects, ObjectsPart, Partition, RangeKind, Registered, Registration,
    Table,
};

use crate::catalog::glue;
use crate::registered::{batch, keys, marked};
use crate::s3::{BUCKET, Fixture};

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_the_catalog_never_had_are_not_taken_for_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    other_batches(Arc::new(LocalCatalog::open(dir.path()).unwrap())).await;
    let fixture = Fixture::start().await;
    other_batches(Arc::new(glue(&fixture).await)).await;
}

async fn other_batches(catalog: Arc<dyn Catalog>) {
    let register = |name: &'static str, of: Registration| {
        let catalog = Arc::clone(&catalog);
        async move { catalog.register_objects("default", name, &of).await.unwrap() }
    };
    // Another topic of this name, whose chain is below the old one's end; and a sleeper's, whose batch was registered without
    // the object that it puts when it wakes.
    catalog.create_table(&marked("anew")).await.unwrap();
    register("anew", batch("a/0", 0, 1000, &["2012-01-01"])).await;
    register("anew", batch("a/1", 0, 10, &[])).await;
    let behind = |end| Registered::Behind { end };
    for (other, end) in [
        (batch("a/0", 0, 700, &["2012-01-01"]), 1000),
        (batch("a/0", 700, 1000, &["2012-01-01"]), 1000),
        (batch("a/0", 0, 1000, &["2012-01-01", "2012-01-02"]), 1000),
        (batch("a/1", 0, 10, &["2012-01-01"]), 10),
    ] {
        assert_eq!(register("anew", other.clone()).await, behind(end), "{other:?}");
    }
    assert_eq!(
        keys(catalog.as_ref(), "anew", None).await.len(),
        1,
        "nothing was taken in"
    );
    assert_eq!(register("anew", batch("a/0", 0, 1000, &[])).await, Registered::Done);
    // Under the same key and in the same size, but other rows: what is said last holds, unless it says less.
    let mut other = batch("a/0", 0, 1000, &["2012-01-01"]);
    other.objects[0].rows = Some(7);
    assert_eq!(register("anew", other.clone()).await, Registered::Done);
    other.objects[0].rows = None;
    assert_eq!(register("anew", other).await, Registered::Done);
    let snapshot = catalog.snapshot("default", "anew", None).await.unwrap().unwrap();
    let objects = catalog
        .objects("default", "anew", &snapshot, None)
        .await
        .unwrap()
        .unwrap();
    let rows: Vec<Option<u64>> = objects.iter().map(|object| object.rows).collect();
    assert_eq!(rows, [Some(7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_another_place_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    moved(Arc::new(LocalCatalog::open(dir.path()).unwrap())).await;
    let fixture = Fixture::start().await;
    moved(Arc::new(glue(&fixture).await)).await;
}

/// A marked table with an object in a registered day, which then is moved in some way.
async fn moved(catalog: Arc<dyn Catalog>) {
    let catalog = catalog.as_ref();
    let day = |table: &Table, value: &str, folder: &str| {
        let location = format!("s3://{BUCKET}/lake/{}/{folder}/", table.name);
        Partition::of_table(table, vec![value.to_owned()], location)
    };
    let made = async |name: &'static str| {
        let table = marked(name);
        catalog.create_table(&table).await.unwrap();
        let first = day(&table, "2012-01-01", "dt=2012-01-01");
        catalog.create_partitions("default", name, &[first]).await.unwrap();
        let registered = batch("a/0", 0, 10, &["2012-01-01"]);
        let registered = catalog.register_objects("default", name, &registered).await.unwrap();
        assert_eq!(registered, Registered::Done);
        catalog.table("default", name).await.unwrap().unwrap()
    };
    let is_kept = async |name: &str| {
        let marked = catalog
            .table("default", name)
            .await
            .unwrap()
            .unwrap()
            .has_registered_objects();
        let snapshot = catalog.snapshot("default", name, None).await.unwrap();
        assert_eq!(marked, snapshot.is_some());
        marked
    };
    let first = ["2012-01-01".to_owned()];

    let table = made("same").await;
    let mut same = day(&table, "2012-01-01", "dt=2012-01-01");
    same.parameters.insert("note".to_owned(), "x".to_owned());
    catalog
        .update_partition("default", "same", &first, &same)
        .await
        .unwrap();
    catalog.update_partitions("default", "same", &[same]).await.unwrap();
    assert!(is_kept("same").await);

    let table = made("renamed").await;
    let other = day(&table, "2012-01-02", "dt=2012-01-01");
    catalog
        .update_partition("default", "renamed", &first, &other)
        .await
        .unwrap();
    assert!(!is_kept("renamed").await);
    let now = catalog.table("default", "renamed").await.unwrap().unwrap();
    assert_ne!(
        now.version_id, table.version_id,
        "who has read the table before has to read it again"
    );

    let table = made("elsewhere").await;
    let other = day(&table, "2012-01-01", "rewritten");
    catalog
        .update_partition("default", "elsewhere", &first, &other)
        .await
        .unwrap();
    assert!(!is_kept("elsewhere").await);

    let table = made("all").await;
    let other = day(&table, "2012-01-01", "rewritten");
    catalog.update_partitions("default", "all", &[other]).await.unwrap();
    assert!(!is_kept("all").await);

    let mut table = made("keys").await;
    catalog
        .delete_partitions("default", "keys", &[first.to_vec()])
        .await
        .unwrap();
    table.partition_keys.push(Column::new("hour", "string"));
    catalog.update_table(&table, None).await.unwrap();
    assert!(!is_kept("keys").await);

    let mut table = made("table").await;
    let at = format!("s3://{BUCKET}/other");
    table.storage_descriptor.as_mut().unwrap().location = Some(at);
    catalog.update_table(&table, None).await.unwrap();
    assert!(!is_kept("table").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = LocalCatalog::open(dir.path()).unwrap();
    catalog.create_table(&marked("t")).await.unwrap();
    let days = ["2012-01-01", "2012-01-02", "2012-01-03"];
    for at in 0..5 {
        let one = batch("a/0", at, at + 1, &days);
        catalog.register_objects("default", "t", &one).await.unwrap();
    }
    let snapshot = catalog.snapshot("default", "t", None).await.unwrap().unwrap();
    catalog
        .register_objects("default", "t", &batch("a/0", 5, 6, &days))
        .await
        .unwrap();
    let two: Vec<Vec<String>> = [days[2], days[0], days[2]]
        .iter()
        .map(|day| vec![(*day).to_owned()])
        .collect();
    for (of, expected) in [(None, 15), (Some(&two[..]), 10), (Some(&[][..]), 0)] {
        for (entries_max, bytes_max) in (1..=16).map(|max| (max, 0)).chain([(0, 1), (0, 300), (0, 0)]) {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let part = ObjectsPart {
                    after,
                    entries_max,
                    bytes_max,
                };
                let found = catalog.objects_part("default", "t", &snapshot, of, &part).await;
                let Objects { objects, more } = found.unwrap().unwrap();
                assert!(entries_max == 0 || objects.len() <= entries_max);
                assert!(!(more && objects.is_empty()));
                all.extend(objects.into_iter().map(|object| (object.partition, object.key)));
                after = all.last().cloned();
                if !more {
                    break;
                }
            }
            assert!(all.is_sorted());
            all.dedup();
            assert_eq!(all.len(), expected, "by {entries_max} or {bytes_max}");
        }
    }
}

/// As many columns with ranges as make an object's registration 3 kB.
fn wide(mut of: Registration) -> Registration {
    let range = ColumnRange {
        kind: RangeKind::Integer,
        min: i64::MIN,
        max: i64::MAX,
        nulls: 0,
    };
    for object in &mut of.objects {
        object.columns = (0..32).map(|at| (format!("column{at:02}"), range)).collect();
    }
    of
}

#[tokio::test(flavor = "multi_thread")]
async fn large_registrations_and_large_lists_go_through_the_server() {
    let fixture = Fixture::start().await;
    let catalog = glue(&fixture).await;
    catalog.create_table(&marked("t")).await.unwrap();
    let days = |of: std::ops::Range<u32>| of.map(|day| format!("day{day:05}")).collect::<Vec<String>>();
    let register = async |start: i64, days: Vec<String>| {
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        let one = wide(batch("a/0", start, start + 1, &days));
        let bytes = serde_json::to_vec(&one).unwrap().len();
        let registered = catalog.register_objects("default", "t", &one).await.unwrap();
        assert_eq!(registered, Registered::Done);
        bytes
    };
    // More than a request may have: known to be there they are all the same.
    assert!(register(0, days(0..6_000)).await > 16 << 20);
    // More than an answer has.
    let mut bytes = 0;
    for at in 1..=4 {
        bytes += register(at, days(0..1_000)).await;
    }
    assert!(bytes > 10 << 20);
    let snapshot = catalog.snapshot("default", "t", None).await.unwrap().unwrap();
    let objects = catalog.objects("default", "t", &snapshot, None).await.unwrap().unwrap();
    let known = |columns: usize| objects.iter().filter(|object| object.columns.len() == columns).count();
    assert_eq!((objects.len(), known(0), known(32)), (10_000, 6_000, 4_000));
    let day = [vec!["day00007".to_owned()]];
    let of_day = catalog.objects("default", "t", &snapshot, Some(&day)).await.unwrap();
    assert_eq!(of_day.unwrap().len(), 5);
}
