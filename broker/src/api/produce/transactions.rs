//! What Produce asks the transaction coordinator before it appends (KIP-890).
//!
//! A batch that follows others of its transaction in a log needs nothing. The first one must be known to belong to the
//! transaction: up to version 11 by an AddPartitionsToTxn that came before, from version 12 on the request itself adds the
//! partition. So no record is ever in a log whose transaction the coordinator would not end there.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::protocol::StrBytes;

use super::{Refusal, check_batch, find_topic};
use crate::api::RequestContext;
use crate::coordinator::txn::{Caller, Partitions, TxnError};
use crate::error::ResponseError;
use crate::log::{AppendError, Appended, Origin, Unconfirmed};
use crate::metadata::topics::Partition;
use crate::wire::batch::BatchHeader;

/// From this version on there is `TRANSACTION_ABORTABLE`.
const ABORTABLE_SINCE: i16 = 11;
/// From this version on partitions need not be added before.
const ADDS_SINCE: i16 = 12;
/// `add.partitions.to.txn.retry.backoff.max.ms`: how long a request waits for the end of the producer's last transaction.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where the first batch of a transaction may be appended, and where not.
#[derive(Default)]
pub(super) struct Transactions {
    transactional_id: StrBytes,
    caller: Option<Caller>,
    /// Partitions of which the coordinator is asked once more at the append.
    begun: BTreeSet<(StrBytes, i32)>,
    refused: HashMap<(StrBytes, i32), Reason>,
    /// Whether the coordinator is left out: `transaction.partition.verification.enable` is false.
    unverified: bool,
    version: i16,
}

/// Why a partition takes no batch.
enum Reason {
    Coordinator(TxnError),
    Log(ResponseError),
}

/// Whether a request without a transactional id has transactional batches all the same.
pub(super) fn lacks_transactional_id(request: &ProduceRequest) -> bool {
    let partitions = || request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    request.transactional_id.is_none()
        && partitions().any(|data| data.records.as_deref().is_some_and(looks_transactional))
}

/// Looks at the attributes of a batch of today's format, without judging the batch.
fn looks_transactional(records: &[u8]) -> bool {
    const MAGIC_AT: usize = 16;
    const ATTRIBUTES_AT: usize = 22;
    const TRANSACTIONAL: u8 = 0x10;
    records.get(MAGIC_AT) == Some(&2)
        && records
            .get(ATTRIBUTES_AT)
            .is_some_and(|attributes| attributes & TRANSACTIONAL != 0)
}

impl Transactions {
    /// Asks the coordinator about the partitions of the request that need it.
    ///
    /// # Errors
    /// What refuses the request as a whole.
    pub(super) async fn ask(ctx: &RequestContext, version: i16, request: &ProduceRequest) -> Result<Self, Refusal> {
        let Some(id) = &request.transactional_id else {
            return Ok(Self::default());
        };
        let mut asked = Self {
            transactional_id: id.0.clone(),
            version,
            ..Self::default()
        };
        let batches = transactional_batches(ctx, version, request);
        let callers: BTreeSet<_> = batches
            .iter()
            .map(|(.., header)| (header.producer_id, header.producer_epoch))
            .collect();
        if callers.len() > 1 {
            return Err(Refusal {
                message: Some("Transactional records contained more than one producer ID".to_owned()),
                ..Refusal::plain(ResponseError::InvalidProducerIdMapping)
            });
        }
        let Some((producer_id, producer_epoch)) = callers.into_iter().next() else {
            return Ok(asked);
        };
        let caller = Caller {
            producer_id,
            producer_epoch,
        };
        asked.caller = Some(caller);
        if version < ADDS_SINCE && !ctx.broker.config.boolean("transaction.partition.verification.enable") {
            asked.unverified = true;
            return Ok(asked);
        }
        let partitions = asked.look_at_logs(ctx, batches);
        if !partitions.is_empty() {
            asked.ask_coordinator(ctx, caller, partitions).await;
        }
        Ok(asked)
    }

    /// The partitions in whose logs the transaction is not yet open.
    fn look_at_logs(&mut self, ctx: &RequestContext, batches: Vec<(StrBytes, i32, BatchHeader)>) -> Partitions {
        let now_ms = ctx.broker.clock.now_ms();
        let mut partitions = Partitions::new();
        for (topic, index, header) in batches {
            let found = ctx.broker.topics.get(&topic);
            let Some(partition) = found.as_ref().and_then(|topic| topic.partition(index)) else {
                continue;
            };
            let batch = Unconfirmed {
                producer_id: header.producer_id,
                epoch: header.producer_epoch,
                sequence: header.base_sequence,
                raises_epoch: self.version >= ADDS_SINCE,
            };
            match partition.log.must_confirm(&batch, now_ms) {
                Ok(false) => {}
                Ok(true) => drop(partitions.entry(topic).or_default().insert(index)),
                Err(error) => {
                    let reason = Reason::Log(error.response_error());
                    self.refused.insert((topic, index), reason);
                }
            }
        }
        partitions
    }

    async fn ask_coordinator(&mut self, ctx: &RequestContext, caller: Caller, partitions: Partitions) {
        let (txns, id) = (&ctx.broker.txns, &self.transactional_id);
        let places = partitions
            .iter()
            .flat_map(|(topic, indexes)| indexes.iter().map(|index| (topic.clone(), *index)));
        let answers = if id.is_empty() {
            Err(TxnError::InvalidRequest)
        } else if self.version >= ADDS_SINCE {
            let added = txns.add_patiently(id, caller, &partitions, PATIENCE).await;
            added.map(|()| places.clone().map(|_| Ok(())).collect())
        } else {
            txns.verify(id, caller, &partitions).await
        };
        let answers = answers.unwrap_or_else(|error| places.clone().map(|_| Err(error)).collect());
        for (place, answer) in places.zip(answers) {
            match answer {
                Ok(()) => drop(self.begun.insert(place)),
                Err(error) => drop(self.refused.insert(place, Reason::Coordinator(error))),
            }
        }
    }

    /// Appends a batch, if it may be.
    pub(super) fn append(
        &self,
        ctx: &RequestContext,
        topic: &StrBytes,
        partition: &Partition,
        records: &[u8],
        now_ms: i64,
    ) -> Result<Result<Appended, AppendError>, Refusal> {
        let append = |origin| partition.log.append(records, origin, partition.leader_epoch, now_ms);
        let Some(caller) = self.caller.filter(|_| looks_transactional(records)) else {
            return Ok(append(Origin::Client));
        };
        if self.unverified {
            return Ok(append(Origin::Confirmed));
        }
        let place = (topic.clone(), partition.index);
        match self.refused.get(&place) {
            Some(Reason::Coordinator(error)) => return Err(self.refusal(*error)),
            Some(Reason::Log(error)) => return Err(Refusal::plain(*error)),
            None if !self.begun.contains(&place) => return Ok(append(Origin::Client)),
            None => {}
        }
        ctx.broker
            .txns
            .while_open(&self.transactional_id, caller, topic, partition.index, || {
                append(Origin::Confirmed)
            })
            .map_err(|error| self.refusal(error))
    }

    /// What the producer is told of the coordinator's answer. What older clients do not know to try again is told as
    /// something that they do.
    fn refusal(&self, error: TxnError) -> Refusal {
        let unable = |name: &str| {
            let message =
                format!("Unable to verify the partition has been added to the transaction. Underlying error: {name}");
            Refusal {
                message: Some(message),
                ..Refusal::plain(ResponseError::NotEnoughReplicas)
            }
        };
        match error {
            TxnError::ProducerFenced => Refusal::plain(ResponseError::InvalidProducerEpoch),
            TxnError::Abortable if self.version < ABORTABLE_SINCE => Refusal {
                message: Some("Partition was not added to the transaction".to_owned()),
                ..Refusal::plain(ResponseError::InvalidTxnState)
            },
            TxnError::Concurrent if self.version < ADDS_SINCE => unable("CONCURRENT_TRANSACTIONS"),
            TxnError::NotAvailable | TxnError::NoProducerId => unable("COORDINATOR_NOT_AVAILABLE"),
            TxnError::StorageFailed => unable("NOT_COORDINATOR"),
            other => Refusal::plain(other.response_error()),
        }
    }
}

/// The transactional batches of producers with an id, of those that could be appended at all.
fn transactional_batches(
    ctx: &RequestContext,
    version: i16,
    request: &ProduceRequest,
) -> Vec<(StrBytes, i32, BatchHeader)> {
    let mut batches = Vec::new();
    for data in &request.topic_data {
        let Ok(topic) = find_topic(ctx, version, data) else {
            continue;
        };
        for partition_data in &data.partition_data {
            let index = partition_data.index;
            let records = partition_data.records.as_ref();
            let Some(records) = records.filter(|records| looks_transactional(records)) else {
                continue;
            };
            if topic.partition(index).is_none() || check_batch(records, version).is_err() {
                continue;
            }
            match BatchHeader::parse(records) {
                Ok(header) if header.has_producer_id() => batches.push((topic.name.clone(), index, header)),
                _ => {}
            }
        }
    }
    batches
}
