//! The catalog behind Glue's protocol: AWS Glue itself, or the embedded server.
//!
//! Lists are paged and batches cut to Glue's limits here, so that callers never see either. Glue
//! refuses a change with `ConcurrentModificationException` also where two writers add different
//! partitions of one table: those are tried again here, for adding what is there already is harmless.

mod errors;
mod model;
mod own;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_glue::Client;
use aws_sdk_glue::types::{BatchUpdatePartitionRequestEntry, PartitionError, PartitionValueList};
use tokio::sync::OnceCell;

use errors::{batch_errors, mapped, optional, table_error};

use super::{
    Catalog, CatalogError, Database, Partition, PartitionFilter, Registered, RegisteredObject, Registration, Snapshot,
    Table,
};

/// Glue's limit of `BatchCreatePartition`.
const CREATE_BATCH_MAX: usize = 100;
/// Glue's limit of `BatchUpdatePartition`.
const UPDATE_BATCH_MAX: usize = 100;
/// Glue's limit of `BatchDeletePartition`.
const DELETE_BATCH_MAX: usize = 25;
/// How often adding partitions is tried while others change the same table.
const ATTEMPTS_MAX: u32 = 10;

/// A catalog reached by AWS Glue's protocol.
#[derive(Debug, Clone)]
pub struct GlueCatalog {
    client: Client,
    /// Whether it keeps objects, as it has said once: AWS Glue isn't asked for what it doesn't have.
    kept: Arc<OnceCell<bool>>,
}

impl GlueCatalog {
    /// A catalog with the credentials, region and endpoint of `config`. The endpoint of the embedded
    /// S3 server is also that of its catalog.
    pub fn new(config: &SdkConfig) -> GlueCatalog {
        Self::from_client(Client::new(config))
    }

    /// A catalog by a client that is there already.
    pub fn from_client(client: Client) -> GlueCatalog {
        GlueCatalog {
            client,
            kept: Arc::default(),
        }
    }

    async fn create_batch(
        &self,
        database: &str,
        table: &str,
        batch: &[Partition],
    ) -> Result<Vec<PartitionError>, CatalogError> {
        let inputs: Vec<_> = batch.iter().map(model::partition_input).collect();
        let mut attempt = 0;
        loop {
            let answer = self
                .client
                .batch_create_partition()
                .database_name(database)
                .table_name(table)
                .set_partition_input_list(Some(inputs.clone()))
                .send()
                .await;
            match answer {
                Ok(output) => return Ok(output.errors.unwrap_or_default()),
                Err(error) => match table_error(error, database, table) {
                    CatalogError::Concurrent { .. } if attempt < ATTEMPTS_MAX => {
                        attempt += 1;
                        tokio::time::sleep(Duration::from_millis(50 * u64::from(attempt))).await;
                    }
                    error => return Err(error),
                },
            }
        }
    }
}

#[async_trait]
impl Catalog for GlueCatalog {
    async fn create_database(&self, database: &Database) -> Result<(), CatalogError> {
        let name = database.name.to_lowercase();
        self.client
            .create_database()
            .database_input(model::database_input(database)?)
            .send()
            .await
            .map_err(|error| mapped(error, "database", &name))?;
        Ok(())
    }

    async fn database(&self, name: &str) -> Result<Option<Database>, CatalogError> {
        let answer = self.client.get_database().name(name).send().await;
        let found = optional(answer.map_err(|error| mapped(error, "database", name)))?;
        Ok(found.and_then(|output| output.database).map(model::database))
    }

    async fn databases(&self) -> Result<Vec<Database>, CatalogError> {
        let mut pages = self.client.get_databases().into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| mapped(error, "database", "*"))?;
            all.extend(page.database_list.into_iter().map(model::database));
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    async fn update_database(&self, database: &Database) -> Result<(), CatalogError> {
        let name = database.name.to_lowercase();
        self.client
            .update_database()
            .name(&name)
            .database_input(model::database_input(database)?)
            .send()
            .await
            .map_err(|error| mapped(error, "database", &name))?;
        Ok(())
    }

    async fn delete_database(&self, name: &str) -> Result<(), CatalogError> {
        let answer = self.client.delete_database().name(name).send().await;
        answer.map_err(|error| mapped(error, "database", name))?;
        Ok(())
    }

    async fn create_table(&self, table: &Table) -> Result<(), CatalogError> {
        let table = table.normalized();
        let answer = self
            .client
            .create_table()
            .database_name(&table.database)
            .table_input(model::table_input(&table)?)
            .send()
            .await;
        match answer.map_err(|error| table_error(error, &table.database, &table.name)) {
            Ok(_) => Ok(()),
            // Only the database can be missing here.
            Err(CatalogError::NotFound { .. }) => Err(CatalogError::no_database(&table.database)),
            Err(error) => Err(error),
        }
    }

    async fn table(&self, database: &str, name: &str) -> Result<Option<Table>, CatalogError> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        let answer = self
            .client
            .get_table()
            .database_name(&database)
            .name(&name)
            .send()
            .await;
        let found = optional(answer.map_err(|error| table_error(error, &database, &name)))?;
        Ok(found
            .and_then(|output| output.table)
            .map(|table| model::table(table, &database)))
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>, CatalogError> {
        let database = database.to_lowercase();
        let mut pages = self
            .client
            .get_tables()
            .database_name(&database)
            .into_paginator()
            .send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| mapped(error, "database", &database))?;
            let tables = page.table_list.unwrap_or_default().into_iter();
            all.extend(tables.map(|table| model::table(table, &database)));
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    async fn update_table(&self, table: &Table, expected_version: Option<&str>) -> Result<(), CatalogError> {
        let table = table.normalized();
        self.client
            .update_table()
            .database_name(&table.database)
            .table_input(model::table_input(&table)?)
            .set_version_id(expected_version.map(str::to_owned))
            .skip_archive(true)
            .send()
            .await
            .map_err(|error| table_error(error, &table.database, &table.name))?;
        Ok(())
    }

    async fn delete_table(&self, database: &str, name: &str) -> Result<(), CatalogError> {
        self.client
            .delete_table()
            .database_name(database)
            .name(name)
            .send()
            .await
            .map_err(|error| table_error(error, database, name))?;
        Ok(())
    }

    async fn create_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: &[Partition],
    ) -> Result<Vec<Vec<String>>, CatalogError> {
        let mut known = Vec::new();
        for batch in partitions.chunks(CREATE_BATCH_MAX) {
            let errors = self.create_batch(database, table, batch).await?;
            known.extend(batch_errors(errors, "AlreadyExistsException")?);
        }
        Ok(known)
    }

    async fn partition(
        &self,
        database: &str,
        table: &str,
        values: &[String],
    ) -> Result<Option<Partition>, CatalogError> {
        let answer = self
            .client
            .get_partition()
            .database_name(database)
            .table_name(table)
            .set_partition_values(Some(values.to_vec()))
            .send()
            .await;
        let found = optional(answer.map_err(|error| mapped(error, "partition", &values.join("/"))))?;
        match found {
            Some(output) => Ok(output.partition.map(model::partition)),
            // Which of the two is missing is not told in a form that can be relied on.
            None => match self.table(database, table).await? {
                Some(_) => Ok(None),
                None => Err(CatalogError::no_table(database, table)),
            },
        }
    }

    async fn partitions(
        &self,
        database: &str,
        table: &str,
        filter: &PartitionFilter,
    ) -> Result<Vec<Partition>, CatalogError> {
        let expression = (!filter.terms.is_empty()).then(|| filter.to_string());
        let mut pages = self
            .client
            .get_partitions()
            .database_name(database)
            .table_name(table)
            .set_expression(expression)
            .into_paginator()
            .send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| table_error(error, database, table))?;
            let partitions = page.partitions.unwrap_or_default().into_iter();
            all.extend(partitions.map(model::partition));
        }
        all.sort_by(|a, b| a.values.cmp(&b.values));
        Ok(all)
    }

    async fn update_partition(
        &self,
        database: &str,
        table: &str,
        values: &[String],
        partition: &Partition,
    ) -> Result<(), CatalogError> {
        self.client
            .update_partition()
            .database_name(database)
            .table_name(table)
            .set_partition_value_list(Some(values.to_vec()))
            .partition_input(model::partition_input(partition))
            .send()
            .await
            .map_err(|error| mapped(error, "partition", &values.join("/")))?;
        Ok(())
    }

    async fn update_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: &[Partition],
    ) -> Result<Vec<Vec<String>>, CatalogError> {
        let mut missing = Vec::new();
        for batch in partitions.chunks(UPDATE_BATCH_MAX) {
            let entries = batch
                .iter()
                .map(|partition| {
                    BatchUpdatePartitionRequestEntry::builder()
                        .set_partition_value_list(Some(partition.values.clone()))
                        .partition_input(model::partition_input(partition))
                        .build()
                        .map_err(|error| CatalogError::Invalid(error.to_string()))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let output = self
                .client
                .batch_update_partition()
                .database_name(database)
                .table_name(table)
                .set_entries(Some(entries))
                .send()
                .await
                .map_err(|error| table_error(error, database, table))?;
            let failures = output.errors.unwrap_or_default().into_iter();
            let errors = failures.map(|failure| {
                PartitionError::builder()
                    .set_partition_values(failure.partition_value_list)
                    .set_error_detail(failure.error_detail)
                    .build()
            });
            missing.extend(batch_errors(errors.collect(), "EntityNotFoundException")?);
        }
        Ok(missing)
    }

    async fn delete_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
    ) -> Result<Vec<Vec<String>>, CatalogError> {
        let mut missing = Vec::new();
        for batch in values.chunks(DELETE_BATCH_MAX) {
            let lists = batch
                .iter()
                .map(|values| {
                    PartitionValueList::builder()
                        .set_values(Some(values.clone()))
                        .build()
                        .map_err(|error| CatalogError::Invalid(error.to_string()))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let output = self
                .client
                .batch_delete_partition()
                .database_name(database)
                .table_name(table)
                .set_partitions_to_delete(Some(lists))
                .send()
                .await
                .map_err(|error| table_error(error, database, table))?;
            let errors = output.errors.unwrap_or_default();
            missing.extend(batch_errors(errors, "EntityNotFoundException")?);
        }
        Ok(missing)
    }

    async fn keeps_objects(&self) -> Result<bool, CatalogError> {
        self.kept.get_or_try_init(|| self.ask_kept()).await.copied()
    }

    async fn register_objects(
        &self,
        database: &str,
        table: &str,
        registration: &Registration,
    ) -> Result<Registered, CatalogError> {
        match self.keeps_objects().await? {
            true => self.ask_register(database, table, registration).await,
            false => Ok(Registered::NotKept),
        }
    }

    async fn snapshot(
        &self,
        database: &str,
        table: &str,
        source: Option<&str>,
    ) -> Result<Option<Snapshot>, CatalogError> {
        match self.keeps_objects().await? {
            true => self.ask_snapshot(database, table, source).await,
            false => Ok(None),
        }
    }

    async fn objects(
        &self,
        database: &str,
        table: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
    ) -> Result<Option<Vec<RegisteredObject>>, CatalogError> {
        match self.keeps_objects().await? {
            true => self.ask_objects(database, table, snapshot, partitions).await,
            false => Ok(None),
        }
    }
}
