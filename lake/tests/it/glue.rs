//! aws-sdk-glue against the server: what `GlueCatalog` and boto3 say.

use aws_credential_types::Credentials;
use aws_sdk_glue::Client;
use aws_sdk_glue::config::{BehaviorVersion, Region};
use aws_sdk_glue::error::ProvideErrorMetadata;
use aws_sdk_glue::types::{Column, DatabaseInput, PartitionInput, PartitionValueList, StorageDescriptor, TableInput};
use aws_smithy_http_client::tls;

use crate::s3::Fixture;

fn client(endpoint: &str, access_key_id: &str, secret_access_key: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_glue::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(access_key_id, secret_access_key, None, None, "test"))
        .http_client(http)
        .build();
    Client::from_conf(config)
}

fn glue(fixture: &Fixture) -> Client {
    let handle = &fixture.handle;
    client(
        &handle.endpoint_url(),
        handle.access_key_id(),
        handle.secret_access_key(),
    )
}

fn column(name: &str, hive_type: &str) -> Column {
    Column::builder().name(name).r#type(hive_type).build().unwrap()
}

fn table(name: &str) -> TableInput {
    let storage = StorageDescriptor::builder()
        .columns(column("price", "double"))
        .location(format!("s3://bucket/{name}/"))
        .build();
    TableInput::builder()
        .name(name)
        .storage_descriptor(storage)
        .partition_keys(column("dt", "string"))
        .build()
        .unwrap()
}

fn partition(date: &str) -> PartitionInput {
    let storage = StorageDescriptor::builder()
        .location(format!("s3://bucket/ticks/dt={date}/"))
        .build();
    PartitionInput::builder()
        .values(date)
        .storage_descriptor(storage)
        .build()
}

async fn with_table(fixture: &Fixture) -> Client {
    let glue = glue(fixture);
    glue.create_table()
        .database_name("default")
        .table_input(table("ticks"))
        .send()
        .await
        .unwrap();
    glue
}

#[tokio::test]
async fn databases() {
    let fixture = Fixture::start().await;
    let glue = glue(&fixture);
    let input = DatabaseInput::builder()
        .name("market")
        .description("prices")
        .build()
        .unwrap();
    glue.create_database()
        .database_input(input.clone())
        .send()
        .await
        .unwrap();
    let again = glue.create_database().database_input(input).send().await.unwrap_err();
    assert!(again.into_service_error().is_already_exists_exception());
    let found = glue.get_database().name("market").send().await.unwrap();
    assert_eq!(found.database().unwrap().description(), Some("prices"));
    let all = glue.get_databases().send().await.unwrap();
    let names: Vec<_> = all.database_list().iter().map(|database| database.name()).collect();
    assert_eq!(names, ["default", "market"]);
    glue.delete_database().name("market").send().await.unwrap();
    let gone = glue.get_database().name("market").send().await.unwrap_err();
    assert!(gone.into_service_error().is_entity_not_found_exception());
}

#[tokio::test]
async fn a_table_is_created_changed_listed_and_deleted_and_survives_a_restart() {
    let fixture = Fixture::start().await;
    let glue = with_table(&fixture).await;
    let again = glue
        .create_table()
        .database_name("default")
        .table_input(table("ticks"))
        .send()
        .await
        .unwrap_err();
    assert!(again.into_service_error().is_already_exists_exception());
    let found = glue
        .get_table()
        .database_name("default")
        .name("ticks")
        .send()
        .await
        .unwrap();
    let version = found.table().unwrap().version_id().unwrap().to_owned();
    let changed = TableInput::builder()
        .name("ticks")
        .description("changed")
        .build()
        .unwrap();
    let update = || {
        glue.update_table()
            .database_name("default")
            .table_input(changed.clone())
            .version_id(&version)
            .send()
    };
    update().await.unwrap();
    let stale = update().await.unwrap_err();
    assert!(stale.into_service_error().is_concurrent_modification_exception());

    let fixture = fixture.restart().await;
    let glue = self::glue(&fixture);
    for n in 0..120 {
        glue.create_table()
            .database_name("default")
            .table_input(table(&format!("t{n:03}")))
            .send()
            .await
            .unwrap();
    }
    let mut names = Vec::new();
    let mut pages = glue
        .get_tables()
        .database_name("default")
        .max_results(50)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        names.extend(page.unwrap().table_list().iter().map(|table| table.name().to_owned()));
    }
    assert_eq!(names.len(), 121);
    assert!(names.is_sorted());
    let some = glue
        .get_tables()
        .database_name("default")
        .expression("t00.*")
        .send()
        .await
        .unwrap();
    assert_eq!(some.table_list().len(), 10);
    glue.delete_table()
        .database_name("default")
        .name("ticks")
        .send()
        .await
        .unwrap();
    let gone = glue
        .get_table()
        .database_name("default")
        .name("ticks")
        .send()
        .await
        .unwrap_err();
    assert!(gone.into_service_error().is_entity_not_found_exception());
    let nowhere = glue.get_tables().database_name("nowhere").send().await.unwrap_err();
    assert_eq!(nowhere.code(), Some("EntityNotFoundException"));
}

#[tokio::test]
async fn partitions_are_added_filtered_paged_and_removed() {
    let fixture = Fixture::start().await;
    let glue = with_table(&fixture).await;
    let dates: Vec<String> = (1..=28).map(|day| format!("2012-02-{day:02}")).collect();
    let add = || {
        glue.batch_create_partition()
            .database_name("default")
            .table_name("ticks")
            .set_partition_input_list(Some(dates.iter().map(|date| partition(date)).collect()))
            .send()
    };
    assert!(add().await.unwrap().errors().is_empty());
    let again = add().await.unwrap();
    assert_eq!(again.errors().len(), 28);
    assert_eq!(
        again.errors()[0].error_detail().unwrap().error_code(),
        Some("AlreadyExistsException")
    );

    let mut pages = glue
        .get_partitions()
        .database_name("default")
        .table_name("ticks")
        .expression("dt >= '2012-02-10' AND dt < '2012-02-20'")
        .max_results(3)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page.unwrap().partitions.unwrap_or_default());
    }
    assert_eq!(found.len(), 10);
    assert_eq!(found[0].values(), ["2012-02-10"]);
    assert_eq!(found[0].table_name(), Some("ticks"));
    assert_eq!(
        found[0].storage_descriptor().unwrap().location(),
        Some("s3://bucket/ticks/dt=2012-02-10/")
    );
    let odd = glue
        .get_partitions()
        .database_name("default")
        .table_name("ticks")
        .expression("dt ~ 'x'")
        .send()
        .await;
    assert!(odd.unwrap_err().into_service_error().is_invalid_input_exception());

    let value = |date: &str| PartitionValueList::builder().values(date).build().unwrap();
    let removed = glue
        .batch_delete_partition()
        .database_name("default")
        .table_name("ticks")
        .partitions_to_delete(value("2012-02-01"))
        .partitions_to_delete(value("1999-01-01"))
        .send()
        .await
        .unwrap();
    assert_eq!(removed.errors().len(), 1);
    assert_eq!(removed.errors()[0].partition_values(), ["1999-01-01"]);
    let one = glue
        .get_partition()
        .database_name("default")
        .table_name("ticks")
        .partition_values("2012-02-02");
    assert!(one.send().await.unwrap().partition().is_some());
    let gone = glue
        .get_partition()
        .database_name("default")
        .table_name("ticks")
        .partition_values("2012-02-01");
    assert!(
        gone.send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_entity_not_found_exception()
    );
    let no_table = glue
        .get_partitions()
        .database_name("default")
        .table_name("nothing")
        .send()
        .await
        .unwrap_err();
    assert!(no_table.into_service_error().is_entity_not_found_exception());
}

#[tokio::test]
async fn who_does_not_have_the_keys_is_refused() {
    let fixture = Fixture::start().await;
    let endpoint = fixture.handle.endpoint_url();
    for (id, secret, expected) in [
        (fixture.handle.access_key_id(), "wrong", "InvalidSignatureException"),
        (
            "somebody",
            fixture.handle.secret_access_key(),
            "UnrecognizedClientException",
        ),
    ] {
        let refused = client(&endpoint, id, secret).get_databases().send().await.unwrap_err();
        assert_eq!(refused.code(), Some(expected));
    }
}
