//! One suite for every catalog: sled, and Glue's protocol as our own server speaks it.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;
use tickertape_client::s3::S3Options;
use tickertape_lake::catalog::{
    Catalog, CatalogError, Column, Database, GlueCatalog, LocalCatalog, Partition, PartitionFilter, SchemaChange,
    Table, TableFormat, align_partitions, ensure_database, ensure_table, register_partitions,
};

use crate::s3::Fixture;
use crate::scripted::Scripted;

#[tokio::test(flavor = "multi_thread")]
async fn sled_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Arc::new(LocalCatalog::open(dir.path()).unwrap());
    conforms(catalog).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn glues_protocol_conforms() {
    let fixture = Fixture::start().await;
    conforms(Arc::new(glue(&fixture).await)).await;
}

/// The catalog of a running server, by its protocol.
pub(crate) async fn glue(fixture: &Fixture) -> GlueCatalog {
    let options = S3Options::at(fixture.handle.endpoint_url());
    GlueCatalog::new(&options.sdk_config().await.unwrap())
}

async fn conforms(catalog: Arc<dyn Catalog>) {
    databases(catalog.as_ref()).await;
    tables(catalog.as_ref()).await;
    versions(catalog.as_ref()).await;
    partitions(catalog.as_ref()).await;
    many_partitions(catalog.as_ref()).await;
    growing(catalog.as_ref()).await;
    partitions_grow(catalog.as_ref()).await;
    one_that_is_behind(catalog.as_ref()).await;
    growing_at_once(catalog).await;
}

fn ticks(database: &str, name: &str) -> Table {
    let columns = vec![Column::new("Symbol", "string"), Column::new("price", "int")];
    let keys = vec![Column::new("dt", "string")];
    TableFormat::Parquet.table(database, name, "s3://bucket/ticks", columns, keys)
}

async fn databases(catalog: &dyn Catalog) {
    let described = Database {
        description: Some("prices of stocks".into()),
        location: Some("s3://bucket/prices/".into()),
        parameters: [("owner".to_owned(), "us".to_owned())].into(),
        ..Database::new("Prices")
    };
    assert_eq!(catalog.database("prices").await.unwrap(), None);
    catalog.create_database(&described).await.unwrap();
    let again = catalog.create_database(&described).await;
    assert!(
        matches!(again, Err(CatalogError::AlreadyExists { what: "database", .. })),
        "{again:?}"
    );
    let read = catalog.database("PRICES").await.unwrap().unwrap();
    assert!(read.create_time_ms.is_some());
    assert_eq!(
        Database {
            create_time_ms: None,
            ..read
        },
        described
    );
    let renewed = Database {
        description: None,
        ..described.clone()
    };
    catalog.update_database(&renewed).await.unwrap();
    assert_eq!(catalog.database("prices").await.unwrap().unwrap().description, None);
    let names: Vec<String> = catalog.databases().await.unwrap().into_iter().map(|d| d.name).collect();
    assert_eq!(names, ["default", "prices"]);

    catalog.create_table(&ticks("prices", "ticks")).await.unwrap();
    catalog.delete_database("prices").await.unwrap();
    assert_eq!(catalog.table("prices", "ticks").await.unwrap(), None);
    let gone = catalog.delete_database("prices").await;
    assert!(
        matches!(gone, Err(CatalogError::NotFound { what: "database", .. })),
        "{gone:?}"
    );
    assert!(catalog.tables("prices").await.is_err());
    ensure_database(catalog, "prices").await.unwrap();
    ensure_database(catalog, "prices").await.unwrap();
    assert_eq!(catalog.tables("prices").await.unwrap(), []);
}

async fn tables(catalog: &dyn Catalog) {
    let orphan = catalog.create_table(&ticks("nowhere", "ticks")).await;
    assert!(
        matches!(orphan, Err(CatalogError::NotFound { what: "database", .. })),
        "{orphan:?}"
    );
    catalog.create_table(&ticks("prices", "Ticks")).await.unwrap();
    let again = catalog.create_table(&ticks("prices", "ticks")).await;
    assert!(
        matches!(again, Err(CatalogError::AlreadyExists { what: "table", .. })),
        "{again:?}"
    );
    let read = catalog.table("Prices", "TICKS").await.unwrap().unwrap();
    assert_eq!(read.qualified_name(), "prices.ticks");
    assert_eq!(read.columns()[0].name, "symbol", "names are kept in lower case");
    assert_eq!(TableFormat::of_table(&read), Some(TableFormat::Parquet));
    assert_eq!(
        read.storage_descriptor,
        ticks("prices", "ticks").storage_descriptor,
        "nothing is lost"
    );
    assert_eq!(read.parameters, ticks("prices", "ticks").parameters);
    assert!(read.create_time_ms.is_some() && read.version_id.is_some());
    catalog.create_table(&ticks("prices", "bars")).await.unwrap();
    let names: Vec<String> = catalog
        .tables("prices")
        .await
        .unwrap()
        .into_iter()
        .map(|t| t.name)
        .collect();
    assert_eq!(names, ["bars", "ticks"]);
    catalog.delete_table("prices", "bars").await.unwrap();
    assert_eq!(catalog.table("prices", "bars").await.unwrap(), None);
    let gone = catalog.delete_table("prices", "bars").await;
    assert!(
        matches!(gone, Err(CatalogError::NotFound { what: "table", .. })),
        "{gone:?}"
    );
}

async fn versions(catalog: &dyn Catalog) {
    let first = catalog.table("prices", "ticks").await.unwrap().unwrap();
    let describe = |text: &str| Table {
        description: Some(text.to_owned()),
        ..first.clone()
    };
    let version = first.version_id.as_deref();
    catalog.update_table(&describe("one"), version).await.unwrap();
    let late = catalog.update_table(&describe("two"), version).await;
    assert!(matches!(late, Err(CatalogError::Concurrent { .. })), "{late:?}");
    let kept = catalog.table("prices", "ticks").await.unwrap().unwrap();
    assert_eq!(kept.description.as_deref(), Some("one"));
    assert_ne!(kept.version_id, first.version_id);
    assert_eq!(kept.create_time_ms, first.create_time_ms);
    catalog.update_table(&describe("three"), None).await.unwrap();
    let missing = catalog.update_table(&ticks("prices", "absent"), None).await;
    assert!(
        matches!(missing, Err(CatalogError::NotFound { what: "table", .. })),
        "{missing:?}"
    );
}

fn day(table: &Table, value: &str) -> Partition {
    Partition::of_table(table, vec![value.to_owned()], format!("s3://bucket/ticks/dt={value}/"))
}

fn of(values: &[&str]) -> Vec<Vec<String>> {
    values.iter().map(|value| vec![(*value).to_owned()]).collect()
}

async fn found(catalog: &dyn Catalog, filter: &str) -> Vec<Vec<String>> {
    let filter: PartitionFilter = filter.parse().unwrap();
    let partitions = catalog.partitions("prices", "ticks", &filter).await.unwrap();
    partitions.into_iter().map(|partition| partition.values).collect()
}

async fn partitions(catalog: &dyn Catalog) {
    let table = catalog.table("prices", "ticks").await.unwrap().unwrap();
    let odd = "a/b c=%é'\"";
    let first = [
        day(&table, "2012-01-02"),
        day(&table, "2012-01-01"),
        day(&table, "2012-02-01"),
        day(&table, odd),
    ];
    let known = catalog.create_partitions("prices", "ticks", &first).await.unwrap();
    assert_eq!(known, Vec::<Vec<String>>::new());
    let known = catalog
        .create_partitions("prices", "ticks", &[first[0].clone(), day(&table, "2012-01-03")])
        .await
        .unwrap();
    assert_eq!(known, of(&["2012-01-02"]));
    assert_eq!(
        found(catalog, "").await,
        of(&["2012-01-01", "2012-01-02", "2012-01-03", "2012-02-01", odd])
    );
    assert_eq!(
        found(catalog, "dt >= '2012-01-02' AND dt < '2012-02-01'").await,
        of(&["2012-01-02", "2012-01-03"])
    );
    assert_eq!(
        found(catalog, "dt in ('2012-02-01', 'a/b c=%é''\"')").await,
        of(&["2012-02-01", odd])
    );

    let values = vec!["2012-01-03".to_owned()];
    let one = catalog.partition("prices", "ticks", &values).await.unwrap().unwrap();
    assert_eq!(one.location(), Some("s3://bucket/ticks/dt=2012-01-03/"));
    let moved = Partition::of_table(&table, values.clone(), "s3://bucket/elsewhere/");
    catalog
        .update_partition("prices", "ticks", &values, &moved)
        .await
        .unwrap();
    let one = catalog.partition("prices", "ticks", &values).await.unwrap().unwrap();
    assert_eq!(one.location(), Some("s3://bucket/elsewhere/"));
    let absent = vec!["1999-01-01".to_owned()];
    assert_eq!(catalog.partition("prices", "ticks", &absent).await.unwrap(), None);
    let missing = catalog.update_partition("prices", "ticks", &absent, &moved).await;
    assert!(
        matches!(missing, Err(CatalogError::NotFound { what: "partition", .. })),
        "{missing:?}"
    );
    let missing = catalog
        .delete_partitions("prices", "ticks", &of(&["1999-01-01", odd, "2012-01-03"]))
        .await
        .unwrap();
    assert_eq!(missing, of(&["1999-01-01"]));
    assert_eq!(
        found(catalog, "").await,
        of(&["2012-01-01", "2012-01-02", "2012-02-01"])
    );

    let nowhere = catalog.partitions("prices", "absent", &PartitionFilter::all()).await;
    assert!(
        matches!(nowhere, Err(CatalogError::NotFound { what: "table", .. })),
        "{nowhere:?}"
    );
    let wrong = Partition::of_table(&table, vec!["a".into(), "b".into()], "s3://bucket/x/");
    let wrong = catalog.create_partitions("prices", "ticks", &[wrong]).await;
    assert!(matches!(wrong, Err(CatalogError::Invalid(_))), "{wrong:?}");
}

/// More than fit into one of Glue's batches (100) and pages (1,000).
async fn many_partitions(catalog: &dyn Catalog) {
    let table = ticks("prices", "many");
    catalog.create_table(&table).await.unwrap();
    let all: Vec<(Vec<String>, String)> = (0..1_234)
        .map(|at| (vec![format!("{at:05}")], format!("s3://bucket/many/dt={at:05}")))
        .collect();
    let added = register_partitions(catalog, &table, &all).await.unwrap();
    assert_eq!(added.len(), all.len());
    let again = register_partitions(catalog, &table, &all[1_200..]).await.unwrap();
    assert_eq!(again, Vec::<Vec<String>>::new());
    let read = catalog
        .partitions("prices", "many", &PartitionFilter::all())
        .await
        .unwrap();
    assert!(read.iter().map(|p| &p.values).eq(all.iter().map(|(values, _)| values)));
    let values: Vec<Vec<String>> = all.into_iter().map(|(values, _)| values).collect();
    assert_eq!(
        catalog
            .delete_partitions("prices", "many", &values[30..])
            .await
            .unwrap()
            .len(),
        0
    );
    let left = catalog
        .partitions("prices", "many", &PartitionFilter::all())
        .await
        .unwrap();
    assert_eq!(left.len(), 30);
    catalog.delete_table("prices", "many").await.unwrap();
    catalog.create_table(&table).await.unwrap();
    let none = catalog
        .partitions("prices", "many", &PartitionFilter::all())
        .await
        .unwrap();
    assert_eq!(none, [], "a table's partitions go with it");
}

async fn growing(catalog: &dyn Catalog) {
    let first = ensure_table(catalog, &ticks("prices", "grown")).await.unwrap();
    assert!(first.created);
    let mut wider = ticks("prices", "grown");
    wider.storage_descriptor.as_mut().unwrap().columns =
        vec![Column::new("price", "double"), Column::new("size", "bigint")];
    let second = ensure_table(catalog, &wider).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.changes.iter().filter(|c| SchemaChange::alters(c)).count(), 2);
    let read = catalog.table("prices", "grown").await.unwrap().unwrap();
    let said: Vec<String> = read
        .columns()
        .iter()
        .map(|c| format!("{} {}", c.name, c.hive_type))
        .collect();
    assert_eq!(said, ["symbol string", "price double", "size bigint"]);
    let version = read.version_id;
    let third = ensure_table(catalog, &ticks("prices", "grown")).await.unwrap();
    assert_eq!(third.changes, [], "a narrower schema changes nothing");
    assert_eq!(third.table.version_id, version);

    let json = TableFormat::Json.table(
        "prices",
        "grown",
        "s3://bucket/x",
        vec![],
        vec![Column::new("dt", "string")],
    );
    assert!(matches!(
        ensure_table(catalog, &json).await,
        Err(CatalogError::Invalid(_))
    ));
    let unpartitioned = TableFormat::Parquet.table("prices", "grown", "s3://bucket/x", vec![], vec![]);
    assert!(matches!(
        ensure_table(catalog, &unpartitioned).await,
        Err(CatalogError::Invalid(_))
    ));
}

/// More partitions than fit into one of Glue's batches get the columns that their table has grown.
async fn partitions_grow(catalog: &dyn Catalog) {
    let table = TableFormat::Json.table(
        "prices",
        "aligned",
        "s3://bucket/aligned",
        vec![Column::new("price", "int")],
        vec![Column::new("dt", "string")],
    );
    let mut table = ensure_table(catalog, &table).await.unwrap().table;
    let all: Vec<(Vec<String>, String)> = (0..123)
        .map(|at| (vec![format!("{at:03}")], format!("s3://bucket/aligned/dt={at:03}")))
        .collect();
    register_partitions(catalog, &table, &all).await.unwrap();
    assert_eq!(
        align_partitions(catalog, &table, &PartitionFilter::all())
            .await
            .unwrap(),
        0
    );
    let storage = table.storage_descriptor.as_mut().unwrap();
    storage.columns = vec![Column::new("price", "double"), Column::new("size", "bigint")];
    let grown = ensure_table(catalog, &table).await.unwrap().table;
    let some: PartitionFilter = "dt < '010'".parse().unwrap();
    assert_eq!(align_partitions(catalog, &grown, &some).await.unwrap(), 10);
    assert_eq!(
        align_partitions(catalog, &grown, &PartitionFilter::all())
            .await
            .unwrap(),
        113
    );
    let read = catalog
        .partitions("prices", "aligned", &PartitionFilter::all())
        .await
        .unwrap();
    assert_eq!(read.len(), 123);
    for (partition, (values, location)) in read.iter().zip(&all) {
        let storage = partition.storage_descriptor.as_ref().unwrap();
        assert_eq!(storage.columns, grown.columns());
        assert_eq!(
            (&partition.values, partition.location()),
            (values, Some(format!("{location}/").as_str()))
        );
        assert!(partition.create_time_ms.is_some());
    }
    let absent = Partition::of_table(&grown, vec!["absent".to_owned()], "s3://bucket/x/");
    let missing = catalog.update_partitions("prices", "aligned", &[absent]).await.unwrap();
    assert_eq!(missing, of(&["absent"]));
}

/// Sinks that start together and each see another new column.
async fn growing_at_once(catalog: Arc<dyn Catalog>) {
    let sinks = (0..16).map(|at| {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move {
            let column = Column::new(format!("c{at}"), "bigint");
            let keys = vec![Column::new("dt", "string")];
            let table = TableFormat::Parquet.table("prices", "shared", "s3://bucket/shared", vec![column], keys);
            let ensured = ensure_table(catalog.as_ref(), &table).await.unwrap();
            let own = (vec![format!("{at:02}")], format!("s3://bucket/shared/dt={at:02}"));
            let same = (vec!["same".to_owned()], "s3://bucket/shared/dt=same".to_owned());
            register_partitions(catalog.as_ref(), &ensured.table, &[own, same])
                .await
                .unwrap();
            align_partitions(catalog.as_ref(), &ensured.table, &PartitionFilter::all())
                .await
                .unwrap();
            ensured.created
        })
    });
    let created: Vec<bool> = join_all(sinks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(created.iter().filter(|created| **created).count(), 1);
    let table = catalog.table("prices", "shared").await.unwrap().unwrap();
    let mut names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    let mut wanted: Vec<String> = (0..16).map(|at| format!("c{at}")).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "nobody's column was lost");
    let partitions = catalog
        .partitions("prices", "shared", &PartitionFilter::all())
        .await
        .unwrap();
    assert_eq!(partitions.len(), 17);
    for partition in partitions {
        let storage = partition.storage_descriptor.unwrap();
        assert_eq!(storage.columns, table.columns(), "of {:?}", partition.values);
    }
}

/// A sink that has read the table before another has widened it comes to its partitions after that one.
async fn one_that_is_behind(catalog: &dyn Catalog) {
    let named = |columns: Vec<Column>| {
        let keys = vec![Column::new("dt", "string")];
        TableFormat::Parquet.table("prices", "behind", "s3://bucket/behind", columns, keys)
    };
    let (a, b) = (Column::new("a", "int"), Column::new("b", "bigint"));
    let old = ensure_table(catalog, &named(vec![a.clone()])).await.unwrap().table;
    let day = (vec!["1".to_owned()], "s3://bucket/behind/dt=1".to_owned());
    register_partitions(catalog, &old, &[day]).await.unwrap();
    let wider = named(vec![Column::new("a", "double"), b]);
    let new = ensure_table(catalog, &wider).await.unwrap().table;
    let all = PartitionFilter::all();
    assert_eq!(align_partitions(catalog, &new, &all).await.unwrap(), 1);
    assert_eq!(align_partitions(catalog, &old, &all).await.unwrap(), 0);
    let read = catalog.partitions("prices", "behind", &all).await.unwrap();
    let storage = read[0].storage_descriptor.as_ref().unwrap();
    assert_eq!(storage.columns, new.columns());
}

/// Athena can't read a table whose definition lacks `PartitionKeys`, says AWS Glue's API reference: the list is sent empty.
#[tokio::test]
async fn a_table_without_partitions_says_so() {
    let server = Scripted::start([("CreateTable", 200, json!({}))]).await;
    let catalog = GlueCatalog::new(&server.config().await);
    let table = TableFormat::Parquet.table(
        "prices",
        "bars",
        "s3://bucket/bars",
        vec![Column::new("close", "double")],
        vec![],
    );
    catalog.create_table(&table).await.unwrap();
    let (_, sent) = &server.asked()[0];
    assert_eq!(sent["DatabaseName"], "prices");
    assert_eq!(
        sent["TableInput"],
        json!({
            "Name": "bars",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": { "EXTERNAL": "TRUE", "classification": "parquet", "typeOfData": "file" },
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [{ "Name": "close", "Type": "double" }],
                "Location": "s3://bucket/bars/",
                "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                "NumberOfBuckets": -1,
                "SerdeInfo": {
                    "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                    "Parameters": { "serialization.format": "1" },
                },
            },
        })
    );
}
