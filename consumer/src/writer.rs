//! What becomes of a batch after it was cut: encoded, claimed, written, registered; in this order, and per
//! partition one batch after the other from the claim on, so that only a partition's last claim can ever be
//! unfinished. Encoding does not wait for the batches before.

mod catalog;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, TryStreamExt, stream};
use tickertape_client::UsageError;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    batch::Batch,
    batcher::Cut,
    encode::{Encoded, Encoding, Object, encode},
    footer::column_ranges,
    ledger::{Agreed, BatchFacts, Claim, Claimant, Ledger, LedgerError},
    names::{Format, Range, Source},
    options::Break,
    preflight::other_format,
    protocol::{Answer, Next, Writing},
    registrar::{ObjectInfo, Registrar},
    schema::TableSchema,
    stats::{Stats, Summary, TableSummary},
    store::{Put, Store, StoreError},
};

/// How many objects of one batch are uploaded at once.
const UPLOADS: usize = 8;

/// A table that is written to.
pub(crate) struct Table {
    pub(crate) encoding: Encoding,
    /// The columns known, and the version of them that was agreed upon.
    agreed: Mutex<Agreed>,
    /// Held while new columns are agreed upon.
    agreeing: tokio::sync::Mutex<()>,
    summary: Mutex<TableSummary>,
    /// The catalog or the ledger says that its objects have this format.
    has_format: bool,
}

impl Table {
    pub(crate) fn new(encoding: Encoding, agreed: Agreed, has_format: bool) -> Self {
        Self {
            encoding,
            has_format,
            agreed: Mutex::new(agreed),
            agreeing: tokio::sync::Mutex::default(),
            summary: Mutex::default(),
        }
    }

    fn agreed(&self) -> MutexGuard<'_, Agreed> {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schema(&self) -> TableSchema {
        self.agreed().columns.clone()
    }

    /// Takes in the columns of a claim. What others have agreed upon meanwhile is found when it matters.
    fn widen(&self, by: &TableSchema) {
        self.agreed().columns.widen(by);
    }

    /// Takes in a partition's last claim.
    ///
    /// # Errors
    /// It is of this table and of another format, and nothing says that the table has this one.
    pub(crate) fn learn(&self, claim: &Claim) -> Result<(), UsageError> {
        if claim.encoding.table != self.encoding.table {
            return Ok(());
        }
        if !self.is_foreign(claim) {
            self.widen(&claim.schema);
        } else if !self.has_format {
            let (there, wanted) = (claim.encoding.format.name(), self.encoding.format.name());
            return Err(other_format(&self.encoding.table, there, wanted));
        }
        Ok(())
    }

    /// Whether a claim is of this table and of another format: made by a sink that was told the wrong one.
    fn is_foreign(&self, claim: &Claim) -> bool {
        claim.encoding.table == self.encoding.table && claim.encoding.format != self.encoding.format
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

impl From<LedgerError> for WriteError {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error.into())
    }
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
    /// Messages that are gone, by the offset from which on, and not counted yet.
    gone: Mutex<HashMap<Source, BTreeMap<i64, u64>>>,
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
            gone: Mutex::default(),
        }
    }

    /// So many messages from an offset on are gone from Kafka. Another start finds the same until an offset behind them is
    /// committed, so that is when they are counted.
    pub(crate) fn gone(&self, source: &Source, from: i64, messages: u64) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.entry(source.clone()).or_default().insert(from, messages);
    }

    /// Counts what is gone of a partition before an offset that may be committed.
    pub(crate) fn count_gone(&self, source: &Source, end: i64) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = gone.get_mut(source) else { return };
        let behind = of.split_off(&end);
        let before = std::mem::replace(of, behind);
        Stats::add(&self.stats.lost, before.into_values().sum());
    }

    /// Another sink finds, and counts, what is gone of a partition that is given away.
    pub(crate) fn forget_gone(&self, source: &Source) {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
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
        let (encoded, schema_version) = self.encode_agreed(batch, &table).await?;
        charge.shrink(encoded.bytes());
        if let Some(before) = before {
            before.await.map_err(|_| WriteError::Abandoned)?;
        }
        let mut claim = Claim::new(&facts, &encoded, &table.encoding, &self.claimant);
        claim.schema_version = schema_version;
        if table.encoding.format == Format::Parquet {
            claim.schema.fix();
        }
        let info = |object: &Object| info(object, table.encoding.format);
        let objects: Vec<_> = encoded.objects.iter().map(info).collect();
        let mut written = Some(written);
        let (writing, mut next) = Writing::new(&claim, self.broken);
        loop {
            let there;
            let answer = match &next {
                Next::Claim { conditional } => match self.ledger.put(&range.source, &claim, *conditional).await? {
                    Put::Created => Answer::Done,
                    Put::Exists => Answer::Exists,
                },
                Next::ReadClaim => {
                    there = self.ledger.read(&range.source, claim.start).await?;
                    Answer::Claim(there.as_ref())
                }
                Next::PutObjects => {
                    self.upload(&encoded.objects, claim.encoding.format).await?;
                    Answer::Done
                }
                Next::Register => {
                    self.register(&range.source, &claim, &objects).await?;
                    Answer::Done
                }
                Next::Commit => {
                    if let Some(written) = written.take() {
                        written(range.clone());
                    }
                    Answer::Done
                }
                Next::Written => break,
                Next::Fenced { by } => {
                    return Err(WriteError::Fenced {
                        range: format!("{} [{}, {})", range.source, range.start, range.end),
                        by: by.clone(),
                    });
                }
                Next::Vanished => {
                    let key = range.claim_key(self.store.lake());
                    return Err(anyhow::anyhow!("{key} exists and can't be found").into());
                }
            };
            next = writing.next(&next, &answer);
        }
        self.count_gone(&range.source, range.end);
        self.count(&table, facts.records, &encoded);
        tracing::debug!(
            "{} [{}, {}) written, cut by {cause:?}",
            range.source,
            range.start,
            range.end
        );
        Ok(())
    }

    /// Puts the objects of a claim that another sink, or this one in an earlier life, has left unfinished. If only part
    /// of its messages was left to be read, objects that are there have more rows and are left alone (`absent`).
    pub(crate) async fn finish(&self, claim: &Claim, batch: Batch, absent: bool) -> anyhow::Result<()> {
        let (range, records) = (batch.range().clone(), batch.len() as u64);
        let encoded = self
            .encode(Arc::new(batch), claim.schema.clone(), claim.encoding.clone())
            .await?;
        let claimed = |object: &Object| claim.objects.iter().find(|claimed| claimed.key == object.key);
        let same = (absent || encoded.objects.len() == claim.objects.len())
            && encoded
                .objects
                .iter()
                .all(|object| claimed(object).is_some_and(|claimed| absent || claimed.rows == object.rows));
        anyhow::ensure!(
            same,
            "{} [{}, {}): what its messages are encoded to is not what its claim says",
            range.source,
            range.start,
            range.end,
        );
        if absent {
            for object in &encoded.objects {
                self.store
                    .put_if_absent(
                        &object.key,
                        object.body.clone(),
                        content_type(object, claim.encoding.format),
                    )
                    .await?;
            }
        } else {
            self.upload(&encoded.objects, claim.encoding.format).await?;
        }
        if let Some(table) = self.table(&range.source.topic) {
            self.count(table, records, &encoded);
        }
        Ok(())
    }

    async fn encode(&self, batch: Arc<Batch>, schema: TableSchema, encoding: Encoding) -> anyhow::Result<Encoded> {
        let _one_of_few = self.encoders.acquire().await?;
        let lake = self.store.lake().clone();
        Ok(tokio::task::spawn_blocking(move || encode(&batch, &lake, &schema, &encoding)).await??)
    }

    /// Encodes a batch with columns that all sinks of the table agree upon, and their version.
    async fn encode_agreed(&self, batch: Batch, table: &Table) -> anyhow::Result<(Encoded, u64)> {
        let batch = Arc::new(batch);
        loop {
            let encoded = self
                .encode(batch.clone(), table.schema(), table.encoding.clone())
                .await?;
            if table.encoding.format != Format::Parquet {
                // Text is read as whatever the table says.
                table.widen(&encoded.schema);
                return Ok((encoded, 0));
            }
            if let Some(version) = self.agree(table, &encoded.schema).await? {
                return Ok((encoded, version));
            }
        }
    }

    /// Makes sure that all sinks know these columns with these types. `None` if the table has other types for them by
    /// now, so that the batch has to be encoded once more.
    async fn agree(&self, table: &Table, columns: &TableSchema) -> anyhow::Result<Option<u64>> {
        let _one = table.agreeing.lock().await;
        loop {
            let known = table.agreed().clone();
            if !columns.is_readable_as(&known.columns) {
                return Ok(None);
            }
            let mut next = Agreed {
                version: known.version + 1,
                columns: known.columns.clone(),
            };
            next.columns.widen(columns);
            next.columns.fix();
            if next.columns == known.columns {
                return Ok(Some(known.version));
            }
            let name = &table.encoding.table;
            if self.ledger.propose(name, &next).await? == Put::Created {
                *table.agreed() = next.clone();
                return Ok(Some(next.version));
            }
            // Another's, or ours, if an attempt went well and its answer was lost.
            let Some(theirs) = self.ledger.agreed(name).await? else {
                anyhow::bail!("the columns of the table {name} exist and can't be found");
            };
            *table.agreed() = theirs;
        }
    }

    async fn upload(&self, objects: &[Object], format: Format) -> Result<(), StoreError> {
        let put = |object: &Object| {
            let (store, key, body) = (self.store.clone(), object.key.clone(), object.body.clone());
            let content_type = content_type(object, format);
            async move { store.put(&key, body, content_type).await }
        };
        let puts: Vec<_> = objects.iter().map(put).collect();
        stream::iter(puts).buffer_unordered(UPLOADS).try_collect::<()>().await
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
            reasons: encoded.reasons.clone(),
        };
        for object in encoded.objects.iter().filter(|object| object.day.is_some()) {
            self.stats.object_size_bytes.record(object.body.len() as u64);
        }
        let mut summary = table.summary.lock().unwrap_or_else(PoisonError::into_inner);
        let before = summary.records;
        summary.add(&wrote);
        // As long as it is all of them, each time that they have doubled.
        if summary.rejected > 0
            && summary.rejected == summary.records
            && before.checked_ilog2() != summary.records.checked_ilog2()
        {
            let (name, lake) = (&table.encoding.table, self.store.lake());
            tracing::warn!(
                "{name}: all of the {} messages so far were rejected, {}; they are below {lake}/_rejected/{name}/",
                summary.records,
                summary.most_rejected().unwrap_or_default()
            );
        }
        drop(summary);
        Stats::add(&self.stats.written, records);
        Stats::add(&self.stats.rows, records - rejected);
        Stats::add(&self.stats.rejected, rejected);
        Stats::add(&self.stats.objects, wrote.objects);
        Stats::add(&self.stats.object_bytes, wrote.bytes);
    }
}

/// The media type of an object of a table in this format.
fn content_type(object: &Object, format: Format) -> &'static str {
    let rows = object.day.is_some();
    if rows { format } else { Format::Json }.content_type()
}

fn info(object: &Object, format: Format) -> (Option<i32>, ObjectInfo) {
    let columns = match (object.day, format) {
        (Some(_), Format::Parquet) => column_ranges(&object.body),
        _ => BTreeMap::new(),
    };
    let info = ObjectInfo {
        key: object.key.clone(),
        rows: Some(object.rows),
        bytes: object.body.len() as u64,
        columns,
    };
    (object.day, info)
}
