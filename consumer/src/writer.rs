//! What becomes of a batch after it was cut: encoded, claimed, written, registered; in this order, and per
//! partition one batch after the other from the claim on, so that only a partition's last claim can ever be
//! unfinished. Encoding does not wait for the batches before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, oneshot};

use crate::{
    batch::Batch,
    batcher::Cut,
    date::day_name,
    encode::{Encoded, Encoding, Object, encode},
    ledger::{BatchFacts, Claim, Claimant, Claimed, Ledger},
    names::{Format, Range},
    options::Break,
    registrar::{Committed, ObjectInfo, Registrar},
    schema::TableSchema,
    stats::{Stats, Summary, TableSummary},
    store::{Attempt, Store, StoreError},
};

/// How many objects of one batch are uploaded at once.
const UPLOADS: usize = 8;

/// A table that is written to.
pub(crate) struct Table {
    pub(crate) encoding: Encoding,
    schema: Mutex<TableSchema>,
    summary: Mutex<TableSummary>,
}

impl Table {
    pub(crate) fn new(encoding: Encoding, schema: TableSchema) -> Self {
        Self {
            encoding,
            schema: Mutex::new(schema),
            summary: Mutex::default(),
        }
    }

    fn schema(&self) -> TableSchema {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn widen(&self, by: &TableSchema) {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner).widen(by);
    }
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Another sink has claimed the range: the partition has to be taken up again from the ledger.
    #[error("{range} was claimed by {by} meanwhile")]
    Fenced { range: String, by: String },
    /// A batch before it was not written.
    #[error("a batch before it was not written")]
    Abandoned,
    /// The sink can't go on.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What all partitions share in being written.
pub(crate) struct Writer {
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    registrar: Option<Arc<dyn Registrar>>,
    claimant: Claimant,
    /// By topic.
    tables: HashMap<String, Arc<Table>>,
    stats: Arc<Stats>,
    encoders: Semaphore,
    broken: Option<Break>,
}

impl Writer {
    pub(crate) fn new(
        store: Store,
        registrar: Option<Arc<dyn Registrar>>,
        claimant: Claimant,
        tables: HashMap<String, Arc<Table>>,
        stats: Arc<Stats>,
        broken: Option<Break>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let ledger = Ledger::new(store.clone());
        Self {
            store,
            ledger,
            registrar,
            claimant,
            tables,
            stats,
            encoders: Semaphore::new(cores),
            broken,
        }
    }

    pub(crate) fn table(&self, topic: &str) -> Option<&Arc<Table>> {
        self.tables.get(topic)
    }

    pub(crate) fn summary(&self) -> Summary {
        let mut summary = Summary {
            lost: self.stats.lost.load(std::sync::atomic::Ordering::Relaxed),
            ..Summary::default()
        };
        for table in self.tables.values() {
            let of_table = table.summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary
                .tables
                .entry(table.encoding.table.clone())
                .or_default()
                .add(&of_table);
        }
        summary
    }

    /// Writes a batch. `before` tells when the partition's batch before is written; `written` is called when the
    /// offsets may be committed.
    pub(crate) async fn write(
        &self,
        cut: Cut,
        before: Option<oneshot::Receiver<()>>,
        written: impl FnOnce(Range),
    ) -> Result<(), WriteError> {
        let Cut {
            batch,
            cause,
            mut charge,
        } = cut;
        let range = batch.range().clone();
        let missing = || anyhow::anyhow!("{range:?}: no such table, or no messages");
        let table = self.table(&range.source.topic).ok_or_else(missing)?.clone();
        let facts = BatchFacts::of(&batch).ok_or_else(missing)?;
        let encoded = self.encode(batch, table.schema(), table.encoding.clone()).await?;
        charge.shrink(encoded.bytes());
        table.widen(&encoded.schema);
        if let Some(before) = before {
            before.await.map_err(|_| WriteError::Abandoned)?;
        }
        let claim = Claim::new(&facts, &encoded, &table.encoding, &self.claimant);
        let conditional = self.broken != Some(Break::ClaimWithoutCondition);
        match self
            .ledger
            .claim(&range.source, &claim, conditional)
            .await
            .map_err(anyhow::Error::from)?
        {
            Claimed::Won => {}
            Claimed::Lost(other) => {
                let range = format!("{} [{}, {})", range.source, range.start, range.end);
                return Err(WriteError::Fenced { range, by: other.owner });
            }
        }
        let mut written = Some(written);
        if self.broken == Some(Break::CommitBeforeData)
            && let Some(written) = written.take()
        {
            written(range.clone());
        }
        self.upload(&encoded.objects, claim.encoding.format).await?;
        self.register(&claim, &encoded.objects.iter().map(info).collect::<Vec<_>>())
            .await?;
        self.count(&table, facts.records, &encoded);
        tracing::debug!(
            "{} [{}, {}) written, cut by {cause:?}",
            range.source,
            range.start,
            range.end
        );
        if let Some(written) = written {
            written(range);
        }
        Ok(())
    }

    /// Writes the objects of a claim that another sink, or this one in an earlier life, has left unfinished.
    pub(crate) async fn finish(&self, claim: &Claim, batch: Batch) -> anyhow::Result<()> {
        let range = batch.range().clone();
        let encoded = self.encode(batch, claim.schema.clone(), claim.encoding.clone()).await?;
        let same = encoded.objects.len() == claim.objects.len()
            && encoded
                .objects
                .iter()
                .zip(&claim.objects)
                .all(|(a, b)| a.key == b.key && a.rows == b.rows);
        anyhow::ensure!(
            same,
            "{} [{}, {}): what its messages are encoded to is not what its claim says",
            range.source,
            range.start,
            range.end,
        );
        self.upload(&encoded.objects, claim.encoding.format).await?;
        self.register(claim, &encoded.objects.iter().map(info).collect::<Vec<_>>())
            .await?;
        if let Some(table) = self.table(&range.source.topic) {
            self.count(table, claim.records, &encoded);
        }
        Ok(())
    }

    /// Registers a claim whose objects are there, in case that its writer didn't come to it.
    pub(crate) async fn announce(&self, claim: &Claim) -> anyhow::Result<()> {
        let mut objects = Vec::with_capacity(claim.objects.len());
        for object in &claim.objects {
            let bytes = self.store.size(&object.key).await?.unwrap_or(0);
            objects.push((
                object.day,
                ObjectInfo {
                    key: object.key.clone(),
                    rows: object.rows,
                    bytes,
                },
            ));
        }
        self.register(claim, &objects).await
    }

    async fn encode(&self, batch: Batch, schema: TableSchema, encoding: Encoding) -> anyhow::Result<Encoded> {
        let _one_of_few = self.encoders.acquire().await?;
        let lake = self.store.lake().clone();
        Ok(tokio::task::spawn_blocking(move || encode(&batch, &lake, &schema, &encoding)).await??)
    }

    async fn upload(&self, objects: &[Object], format: Format) -> Result<(), StoreError> {
        let put = |object: &Object| {
            let format = if object.day.is_some() { format } else { Format::Json };
            let (store, key, body) = (self.store.clone(), object.key.clone(), object.body.clone());
            async move { store.put(&key, body, format.content_type()).await }
        };
        let puts: Vec<_> = objects.iter().map(put).collect();
        stream::iter(puts).buffer_unordered(UPLOADS).try_collect::<()>().await
    }

    async fn register(&self, claim: &Claim, objects: &[(Option<i32>, ObjectInfo)]) -> anyhow::Result<()> {
        let Some(registrar) = &self.registrar else {
            return Ok(());
        };
        let schema = claim.schema.to_arrow();
        for (day, object) in objects {
            let Some(day) = day else { continue };
            let committed = Committed {
                table: claim.encoding.table.clone(),
                location: self.store.lake().join(&claim.encoding.table),
                partition: vec![(crate::schema::PARTITION_COLUMN.to_owned(), day_name(*day))],
                schema: schema.clone(),
                objects: vec![object.clone()],
                format: claim.encoding.format,
            };
            let what = format!("register {} dt={}", committed.table, day_name(*day));
            let register = || async {
                registrar
                    .register(&committed)
                    .await
                    .map_err(|error| Attempt::Again(format!("{error:#}")))
            };
            self.store.patiently(&what, register).await?;
        }
        Ok(())
    }

    fn count(&self, table: &Table, records: u64, encoded: &Encoded) {
        let rejected = encoded
            .objects
            .iter()
            .filter(|object| object.day.is_none())
            .map(|object| object.rows)
            .sum();
        let wrote = TableSummary {
            records,
            rejected,
            objects: encoded.objects.len() as u64,
            bytes: encoded.bytes() as u64,
        };
        table.summary.lock().unwrap_or_else(PoisonError::into_inner).add(&wrote);
        Stats::add(&self.stats.written, records);
        Stats::add(&self.stats.rows, records - rejected);
        Stats::add(&self.stats.rejected, rejected);
        Stats::add(&self.stats.objects, wrote.objects);
        Stats::add(&self.stats.object_bytes, wrote.bytes);
    }
}

fn info(object: &Object) -> (Option<i32>, ObjectInfo) {
    let bytes = object.body.len() as u64;
    (
        object.day,
        ObjectInfo {
            key: object.key.clone(),
            rows: object.rows,
            bytes,
        },
    )
}
