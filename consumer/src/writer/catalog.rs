//! What the catalog is told of a batch, and what is done where it knows less than the ledger, or more.

use std::collections::BTreeMap;

use tickertape_client::UsageError;

use super::Writer;
use crate::{
    date::day_name,
    ledger::Claim,
    names::{Format, Source, ledger_prefix},
    registrar::{Committed, CommittedPartition, ObjectInfo, failed},
    schema::TableSchema,
    store::StoreError,
};

impl Writer {
    /// Registers a claim whose objects are there, in case that its writer didn't come to it. An object of which not even what
    /// was left could be written is passed over; should the writer wake and put it, a listing has it.
    pub(crate) async fn announce(&self, source: &Source, claim: &Claim) -> anyhow::Result<()> {
        if let Some(table) = self.table(&source.topic).filter(|table| table.is_foreign(claim)) {
            return self.pass_over(source, claim, table.encoding.format).await;
        }
        let mut objects = Vec::with_capacity(claim.objects.len());
        let mut is_whole = true;
        for object in &claim.objects {
            let Some(bytes) = self.store.size(&object.key).await? else {
                is_whole = false;
                continue;
            };
            objects.push((
                object.day,
                ObjectInfo {
                    key: object.key.clone(),
                    rows: None,
                    bytes,
                    columns: BTreeMap::new(),
                },
            ));
        }
        let table = &claim.encoding.table;
        // Before it is registered, so that no crash comes between; and after, where that has made the table.
        if !is_whole {
            self.list_from_now_on(table).await?;
        }
        self.register(source, claim, &objects).await?;
        if !is_whole {
            self.list_from_now_on(table).await?;
        }
        Ok(())
    }

    /// Registers a claim of another format than its table's as one without objects, so that the chain goes on: the table can't
    /// have them.
    async fn pass_over(&self, source: &Source, claim: &Claim, format: Format) -> anyhow::Result<()> {
        let (there, table) = (claim.encoding.format.name(), &claim.encoding.table);
        for object in claim.objects.iter().filter(|object| object.day.is_some()) {
            tracing::error!(
                "{source} [{}, {}) was claimed by a sink that was told another --format: {} has {} rows as {there}, and \
                 queries of {table}, which holds {}, do not see them. Move it to where a table of that format is",
                claim.start,
                claim.end,
                object.key,
                object.rows,
                format.name()
            );
        }
        let mut link = claim.clone();
        link.encoding.format = format;
        link.schema = TableSchema::default();
        self.register(source, &link, &[]).await
    }

    /// Has queries list a table's objects: the catalog may not have all of them, or have others.
    async fn list_from_now_on(&self, table: &str) -> anyhow::Result<()> {
        let Some(registrar) = &self.registrar else {
            return Ok(());
        };
        let list = || async { registrar.list_from_now_on(table).await.map_err(failed) };
        Ok(self.store.ask_other(&format!("list {table} from now on"), list).await?)
    }

    /// Compares the end of a partition's chain in the catalog with its last claim, which is written: registers it with a
    /// catalog that has missed it. One that has more than the ledger has kept what was deleted with its ledger; if it is the
    /// ledger alone that was deleted, and messages of before are going to be read `from`, they would be written once more.
    pub(crate) async fn catch_up(&self, source: &Source, claim: Option<&Claim>, from: i64) -> anyhow::Result<()> {
        let table = claim.map(|claim| &claim.encoding.table);
        let table = table.or_else(|| self.table(&source.topic).map(|table| &table.encoding.table));
        let (Some(registrar), Some(table)) = (&self.registrar, table) else {
            return Ok(());
        };
        let chain = self.chain(source);
        let ask = || async { registrar.registered_end(table, &chain).await.map_err(failed) };
        let what = format!("ask the catalog about {source}");
        let Some(end) = self.store.ask_other(&what, ask).await? else {
            return Ok(());
        };
        if let Some(claim) = claim
            && end < claim.end
        {
            return self.announce(source, claim).await;
        }
        if end <= claim.map_or(0, |claim| claim.end) {
            return Ok(());
        }
        // Another sink that has the partition still, or believes so, may have claimed more since.
        let last = self.ledger.last(source, claim.map(|claim| claim.start)).await?;
        if last.is_some_and(|last| last.end >= end) {
            return Ok(());
        }
        let known = claim.map_or(0, |claim| claim.end);
        if from < end && self.has_objects(source, table, known).await? {
            let (lake, ledger) = (self.store.lake(), self.chain(source));
            let folder = lake.join(table);
            return Err(UsageError::new(format!(
                "{source}: {folder}/ and the catalog have its messages up to offset {end}, and the ledger, {ledger}, has \
                 them up to {known} only: all behind it would be written once more. Restore what was deleted of the ledger; \
                 or delete the objects {folder}/*/{source}-* too; or use another prefix"
            ))
            .into());
        }
        tracing::warn!(
            "{source}: the catalog has objects of {table} up to offset {end}, the ledger has not: queries list it from now on"
        );
        self.list_from_now_on(table).await
    }

    /// Whether a table has objects of a partition's batches that start at an offset or behind it.
    async fn has_objects(&self, source: &Source, table: &str, from: i64) -> Result<bool, StoreError> {
        let stem = format!("{source}-");
        let starts = |key: &str| {
            key.rsplit('/')
                .next()?
                .strip_prefix(&stem)?
                .get(..20)?
                .parse::<i64>()
                .ok()
        };
        let folder = self.store.lake().key(&format!("{table}/"));
        let is_one = |key: &str| starts(key).is_some_and(|start| start >= from);
        self.store.has_key(&folder, is_one).await
    }

    /// What a partition's batches are registered under: no two lakes have the same.
    fn chain(&self, source: &Source) -> String {
        let lake = self.store.lake();
        format!("s3://{}/{}", lake.bucket, ledger_prefix(lake, source))
    }

    pub(super) async fn register(
        &self,
        source: &Source,
        claim: &Claim,
        objects: &[(Option<i32>, ObjectInfo)],
    ) -> anyhow::Result<()> {
        let Some(registrar) = &self.registrar else {
            return Ok(());
        };
        let of_day = |(day, object): &(Option<i32>, ObjectInfo)| {
            Some(CommittedPartition {
                values: vec![(crate::schema::PARTITION_COLUMN.to_owned(), day_name((*day)?))],
                objects: vec![object.clone()],
            })
        };
        let committed = Committed {
            table: claim.encoding.table.clone(),
            location: self.store.lake().join(&claim.encoding.table),
            source: self.chain(source),
            start: claim.start,
            end: claim.end,
            schema: claim.schema.to_arrow(),
            partitions: objects.iter().filter_map(of_day).collect(),
            format: claim.encoding.format,
            compression: claim.encoding.compression,
        };
        let what = format!(
            "register {source} [{}, {}) in {}",
            claim.start, claim.end, committed.table
        );
        let register = || async { registrar.register(&committed).await.map_err(failed) };
        self.store.ask_other(&what, register).await?;
        Ok(())
    }
}
