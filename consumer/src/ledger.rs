//! The write-ahead ledger: who writes which offsets, decided before the first byte of them is written.
//!
//! One object per batch, `<prefix>/_ledger/<topic>/<partition>/<start>`, made by a PUT that only succeeds if
//! there is none. The claims of a partition form a chain from offset 0 on: each starts where the one before
//! ended. From this follows all the rest:
//!
//! - Two sinks that believe to own a partition both have to claim at the chain's end, under the same key, and
//!   one of them loses before it has written anything.
//! - A claim names everything that its objects depend on, so whoever finds it unfinished can finish it, and
//!   two who finish it at once write the same bytes to the same keys.
//! - A claim follows only when the one before is finished. So at most the last claim of a partition is
//!   unfinished, and the truth about what is written is in the store, not in Kafka's offsets.
//!
//! The sink never deletes a claim: one that were deleted could be taken again by a sink that slept.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tickertape_client::{UsageError, s3::S3Url};

use crate::{
    batch::{Batch, Witness},
    encode::{Encoded, Encoding},
    names::{
        Range, Source, claim_key, epochs_prefix, ledger_prefix, owner_key, schema_key, schema_prefix, topic_prefix,
    },
    schema::TableSchema,
    store::{Put, Store, StoreError},
};

/// The form of claims written by this version.
const VERSION: u32 = 1;
/// The media type of what is kept here.
const JSON: &str = "application/json";

/// What a batch is and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Of this form.
    pub version: u32,
    /// The first offset; the end of the claim before, or 0.
    pub start: i64,
    /// The offset after the last.
    pub end: i64,
    /// The offset of the first message that was there.
    pub first: i64,
    /// The last message.
    pub last: Witness,
    /// How many messages there were.
    pub records: u64,
    /// The checksum over all of them.
    pub checksum: u32,
    /// How they are encoded.
    pub encoding: Encoding,
    /// The version of the table's columns that was agreed upon; 0 for a format whose columns need no agreement.
    #[serde(default)]
    pub schema_version: u64,
    /// The table's columns as its objects have them.
    pub schema: TableSchema,
    /// The objects.
    pub objects: Vec<ClaimedObject>,
    /// The consumer group.
    pub group: String,
    /// Who made it, for people to read.
    pub owner: String,
    /// Tells it from any other claim, should the answer to its PUT be lost.
    pub nonce: String,
}

/// An object that a claim announces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedObject {
    /// Its key.
    pub key: String,
    /// Its day; none for rejected messages.
    pub day: Option<i32>,
    /// Its rows.
    pub rows: u64,
}

/// The columns of a table that all its sinks agree upon, since Parquet files have them.
///
/// Versions form a chain as claims do: each is made by a PUT that only succeeds if there is none of its number, and
/// has all columns of the one before with their types. So two sinks that learn a new field at once, as different
/// types, agree on one of them before either has written a file with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// Counts from 1.
    pub version: u64,
    /// The columns.
    pub columns: TableSchema,
}

/// Who claims.
#[derive(Clone, Debug)]
pub struct Claimant {
    /// The consumer group.
    pub group: String,
    /// For people to read: process and host.
    pub owner: String,
}

/// Why the ledger can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A claim that can't be read.
    #[error("{key}: not a claim of this version ({reason})")]
    Unreadable {
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
}

/// The ledger of a lake.
#[derive(Clone, Debug)]
pub struct Ledger {
    store: Store,
}

impl Claim {
    /// The claim of a batch and what it was encoded to. `None` for a batch without messages.
    pub fn new(batch: &BatchFacts, encoded: &Encoded, encoding: &Encoding, claimant: &Claimant) -> Self {
        let object = |object: &crate::encode::Object| ClaimedObject {
            key: object.key.clone(),
            day: object.day,
            rows: object.rows,
        };
        Self {
            version: VERSION,
            start: batch.range.start,
            end: batch.range.end,
            first: batch.first,
            last: batch.last,
            records: batch.records,
            checksum: batch.checksum,
            encoding: encoding.clone(),
            schema_version: 0,
            schema: encoded.schema.clone(),
            objects: encoded.objects.iter().map(object).collect(),
            group: claimant.group.clone(),
            owner: claimant.owner.clone(),
            nonce: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// Whether these are the messages that were claimed.
    pub fn is_of(&self, batch: &BatchFacts) -> bool {
        (self.records, self.checksum, self.first, self.last) == (batch.records, batch.checksum, batch.first, batch.last)
    }
}

/// What a claim keeps of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchFacts {
    /// Its offsets.
    pub range: Range,
    /// The first message's offset.
    pub first: i64,
    /// The last message.
    pub last: Witness,
    /// How many messages.
    pub records: u64,
    /// The checksum over all.
    pub checksum: u32,
}

impl BatchFacts {
    /// Of a batch that isn't empty.
    pub fn of(batch: &Batch) -> Option<Self> {
        Some(Self {
            range: batch.range().clone(),
            first: batch.first_offset()?,
            last: batch.last()?,
            records: batch.len() as u64,
            checksum: batch.checksum(),
        })
    }
}

/// The object that says which group writes a topic here.
#[derive(Serialize, Deserialize)]
struct Owner {
    group: String,
}

impl Ledger {
    /// The ledger below the store's prefix.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    fn lake(&self) -> &S3Url {
        self.store.lake()
    }

    /// Makes sure that one group only writes a topic here, in whatever epoch: two would each write every message.
    ///
    /// # Errors
    /// A [`UsageError`] that names the other group.
    pub async fn reserve(&self, source: &Source, group: &str) -> anyhow::Result<()> {
        let key = owner_key(self.lake(), source);
        let body = serde_json::to_vec(&Owner {
            group: group.to_owned(),
        })?;
        self.store.put_if_absent(&key, body.into(), JSON).await?;
        for epoch in self.epochs(&source.topic).await? {
            let of = Source {
                epoch,
                ..source.clone()
            };
            self.require_owner(&of, group).await?;
        }
        Ok(())
    }

    /// Makes sure that no other group writes this epoch of a topic here.
    ///
    /// # Errors
    /// A [`UsageError`] that names the other group.
    pub async fn require_owner(&self, source: &Source, group: &str) -> anyhow::Result<()> {
        let key = owner_key(self.lake(), source);
        let Some(body) = self.store.get(&key).await? else {
            return Ok(());
        };
        let owner: Owner = serde_json::from_slice(&body).map_err(|error| LedgerError::Unreadable {
            key: key.clone(),
            reason: error.to_string(),
        })?;
        if owner.group == group {
            return Ok(());
        }
        let (lake, topic) = (self.lake(), source.topic_name());
        Err(UsageError::new(format!(
            "{lake} already has the topic {topic} as written by the group {}: the group {group} would double every \
             row. Use --group {}, or another prefix",
            owner.group, owner.group,
        ))
        .into())
    }

    /// The epochs of a topic that have something here, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn epochs(&self, topic: &Arc<str>) -> Result<Vec<u32>, StoreError> {
        let first = Source {
            topic: topic.clone(),
            partition: 0,
            epoch: 0,
        };
        let mut epochs = Vec::new();
        if self
            .store
            .first_key(&topic_prefix(self.lake(), &first))
            .await?
            .is_some()
        {
            epochs.push(0);
        }
        let prefix = epochs_prefix(self.lake(), topic);
        let folders = self.store.folders(&prefix).await?;
        let number = |folder: &String| folder.strip_prefix(&prefix)?.strip_suffix('/')?.parse::<u32>().ok();
        epochs.extend(folders.iter().filter_map(number));
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// The first claim of those of all partitions of a topic's epoch.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn first(&self, source: &Source) -> Result<Option<Claim>, LedgerError> {
        // Partitions come before the owner.
        let key = self.store.first_key(&topic_prefix(self.lake(), source)).await?;
        match key.filter(|key| *key != owner_key(self.lake(), source)) {
            Some(key) => self.read_key(&key).await,
            None => Ok(None),
        }
    }

    /// The partitions of a topic's epoch that have claims.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn partitions(&self, source: &Source) -> Result<Vec<Source>, StoreError> {
        let prefix = topic_prefix(self.lake(), source);
        let folders = self.store.folders(&prefix).await?;
        let of = |folder: &String| {
            let partition = folder.strip_prefix(&prefix)?.strip_suffix('/')?.parse().ok()?;
            Some(Source {
                partition,
                ..source.clone()
            })
        };
        Ok(folders.iter().filter_map(of).collect())
    }

    /// Puts a claim, if there is none under its key; without the condition, which no sink may do that is not to be found
    /// out, also if there is one.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn put(&self, source: &Source, claim: &Claim, conditional: bool) -> Result<Put, LedgerError> {
        let key = claim_key(self.lake(), source, claim.start);
        let body = serde_json::to_vec(claim).map_err(|error| unreadable(&key, &error))?;
        if conditional {
            return Ok(self.store.put_if_absent(&key, body.into(), JSON).await?);
        }
        self.store.put(&key, body.into(), JSON).await?;
        Ok(Put::Created)
    }

    /// The claim that starts at `start`, if there is one.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn read(&self, source: &Source, start: i64) -> Result<Option<Claim>, LedgerError> {
        self.read_key(&claim_key(self.lake(), source, start)).await
    }

    /// The last version of a table's columns.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn agreed(&self, table: &str) -> Result<Option<Agreed>, LedgerError> {
        let prefix = schema_prefix(self.lake(), table);
        let Some(key) = self.store.last_key(&prefix, None).await? else {
            return Ok(None);
        };
        let Some(body) = self.store.get(&key).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| unreadable(&key, &error))
    }

    /// Proposes the next version of a table's columns. Whoever finds that there is one already takes that.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn propose(&self, table: &str, next: &Agreed) -> Result<Put, LedgerError> {
        let key = schema_key(self.lake(), table, next.version);
        let body = serde_json::to_vec(next).map_err(|error| unreadable(&key, &error))?;
        Ok(self.store.put_if_absent(&key, body.into(), JSON).await?)
    }

    /// The last claim of a partition. `hint` is the start of a claim known to exist, which saves listing what
    /// comes before it.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn last(&self, source: &Source, hint: Option<i64>) -> Result<Option<Claim>, LedgerError> {
        let prefix = ledger_prefix(self.lake(), source);
        let mut hinted = None;
        if let Some(start) = hint {
            let key = claim_key(self.lake(), source, start);
            hinted = self.read_key(&key).await?.map(|claim| (key, claim));
        }
        let after = hinted.as_ref().map(|(key, _)| key.as_str());
        match self.store.last_key(&prefix, after).await? {
            Some(key) => self.read_key(&key).await,
            None => Ok(hinted.map(|(_, claim)| claim)),
        }
    }

    /// The keys of a claim's objects that are not there.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn missing<'a>(&self, claim: &'a Claim) -> Result<Vec<&'a str>, LedgerError> {
        let mut missing = Vec::new();
        for object in &claim.objects {
            if self.store.size(&object.key).await?.is_none() {
                missing.push(object.key.as_str());
            }
        }
        Ok(missing)
    }

    async fn read_key(&self, key: &str) -> Result<Option<Claim>, LedgerError> {
        let Some(body): Option<Bytes> = self.store.get(key).await? else {
            return Ok(None);
        };
        let claim: Claim = serde_json::from_slice(&body).map_err(|error| unreadable(key, &error))?;
        if claim.version != VERSION {
            let reason = format!("version {}, expected {VERSION}", claim.version);
            return Err(LedgerError::Unreadable {
                key: key.to_owned(),
                reason,
            });
        }
        Ok(Some(claim))
    }
}

fn unreadable(key: &str, error: &serde_json::Error) -> LedgerError {
    LedgerError::Unreadable {
        key: key.to_owned(),
        reason: error.to_string(),
    }
}
