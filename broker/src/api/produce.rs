//! Produce (key 0), versions 3–13: append record batches.
//!
//! One batch per partition; its bytes go to the log as the producer sent them. `acks=all` and `acks=1` are the same in a
//! cluster of one; with `acks=0` nothing is answered, and an error closes the connection so that the producer notices.
//! Where `flush.messages` asks for it the answer waits for fdatasync, off the loop. Version 7 allows zstd, version 8 adds
//! record errors, version 11 `TRANSACTION_ABORTABLE`, from version 12 on a transactional batch makes its partition part of the
//! transaction ([`transactions`]), version 13 names topics by id.

use std::sync::Arc;

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

mod transactions;

use super::{Disconnect, Reply, RequestContext};
use crate::error::ResponseError;
use crate::log::{AppendError, Appended, RecordError};
use crate::metadata::topics::{Partition, Topic};
use crate::wire::batch::{BatchError, Batches};
use crate::wire::compression::Compression;
use transactions::{Transactions, lacks_transactional_id};

/// The batch's last offset or beyond, up to which a log must be synced before the answer.
struct Unsynced {
    topic_at: usize,
    partition_at: usize,
    partition: Arc<Partition>,
    below_offset: i64,
}

/// Appends, waits for what must be on disk, answers.
pub(crate) async fn handle(ctx: &RequestContext, version: i16, request: ProduceRequest) -> Result<Reply, Disconnect> {
    let acks = request.acks;
    let transactions = if lacks_transactional_id(&request) {
        Err(Refusal::plain(ResponseError::TransactionalIdAuthorizationFailed))
    } else {
        Transactions::ask(ctx, version, &request).await
    };
    let transactions = match transactions {
        Ok(transactions) => transactions,
        Err(refusal) => return refuse_all(ctx, version, &request, &refusal),
    };
    let whole_request_error = (!(-1..=1).contains(&acks)).then_some(ResponseError::InvalidRequiredAcks);
    let now_ms = ctx.broker.clock.now_ms();
    let mut unsynced = Vec::new();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    // It is answered by partition, so a topic without any is not in the answer, as in Apache Kafka.
    for data in request
        .topic_data
        .into_iter()
        .filter(|data| !data.partition_data.is_empty())
    {
        let topic = find_topic(ctx, version, &data);
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for partition_data in &data.partition_data {
            let index = partition_data.index;
            let outcome = match &topic {
                Err(error) => Err(Refusal::plain(*error)),
                Ok(topic) => {
                    let request = (version, whole_request_error, now_ms);
                    append(ctx, topic, partition_data, request, &transactions)
                }
            };
            let response = PartitionProduceResponse::default().with_index(index);
            partitions.push(match outcome {
                Ok((partition, appended)) => {
                    if appended.needs_sync {
                        let (topic_at, partition_at) = (responses.len(), partitions.len());
                        let below_offset = appended.last_offset + 1;
                        unsynced.push(Unsynced {
                            topic_at,
                            partition_at,
                            partition,
                            below_offset,
                        });
                    }
                    response
                        .with_base_offset(appended.base_offset)
                        .with_log_append_time_ms(appended.log_append_time_ms)
                        .with_log_start_offset(if version >= 5 { appended.log_start_offset } else { -1 })
                }
                Err(refusal) => refusal.into_response(response, version),
            });
        }
        let response = TopicProduceResponse::default().with_partition_responses(partitions);
        responses.push(match version {
            ..13 => response.with_name(data.name),
            _ => response.with_topic_id(data.topic_id),
        });
    }
    for waiting in unsynced {
        if let Err(error) = waiting.partition.log.synced(waiting.below_offset).await {
            let response = &mut responses[waiting.topic_at].partition_responses[waiting.partition_at];
            let index = response.index;
            *response =
                Refusal::from(error).into_response(PartitionProduceResponse::default().with_index(index), version);
        }
    }
    if acks == 0 {
        return silence(&responses);
    }
    Reply::message(ctx, version, &ProduceResponse::default().with_responses(responses))
}

/// Who may write to the broker's own topics: Apache Kafka's tools call themselves so.
const ADMIN_CLIENT_ID: &str = "__admin_client";

fn find_topic(ctx: &RequestContext, version: i16, data: &TopicProduceData) -> Result<Arc<Topic>, ResponseError> {
    if version >= 13 {
        return ctx
            .broker
            .topics
            .by_id(data.topic_id)
            .ok_or(ResponseError::UnknownTopicId);
    }
    ctx.broker
        .topics
        .get(&data.name)
        .ok_or(ResponseError::UnknownTopicOrPartition)
}

/// The answer to a request that is refused as a whole.
fn refuse_all(
    ctx: &RequestContext,
    version: i16,
    request: &ProduceRequest,
    refusal: &Refusal,
) -> Result<Reply, Disconnect> {
    let topics = request.topic_data.iter().filter(|data| !data.partition_data.is_empty());
    let responses: Vec<_> = topics
        .map(|data| {
            let partitions = data.partition_data.iter().map(|partition| {
                let response = PartitionProduceResponse::default().with_index(partition.index);
                let message = refusal.message.clone();
                Refusal {
                    message,
                    ..Refusal::plain(refusal.error)
                }
                .into_response(response, version)
            });
            let response = TopicProduceResponse::default().with_partition_responses(partitions.collect());
            match version {
                ..13 => response.with_name(data.name.clone()),
                _ => response.with_topic_id(data.topic_id),
            }
        })
        .collect();
    if request.acks == 0 {
        return silence(&responses);
    }
    Reply::message(ctx, version, &ProduceResponse::default().with_responses(responses))
}

fn append(
    ctx: &RequestContext,
    topic: &Topic,
    data: &PartitionProduceData,
    (version, whole_request_error, now_ms): (i16, Option<ResponseError>, i64),
    transactions: &Transactions,
) -> Result<(Arc<Partition>, Appended), Refusal> {
    let partition = topic
        .partition(data.index)
        .ok_or(Refusal::plain(ResponseError::UnknownTopicOrPartition))?;
    let records = data
        .records
        .as_ref()
        .ok_or(Refusal::plain(ResponseError::InvalidRecord))?;
    check_batch(records, version).map_err(|error| Refusal {
        message: why(records),
        ..Refusal::plain(error)
    })?;
    // Only what could be appended learns that nothing of the request is, as in Apache Kafka.
    if let Some(error) = whole_request_error {
        return Err(Refusal::plain(error));
    }
    if topic.internal && ctx.client_id.as_deref() != Some(ADMIN_CLIENT_ID) {
        return Err(Refusal::plain(ResponseError::InvalidTopicException));
    }
    let appended = transactions.append(ctx, &topic.name, partition, records, now_ms)?;
    let appended = appended.map_err(|error| {
        let log_start_offset = partition.log.offsets().log_start_offset;
        if partition.is_deleted() {
            return Refusal::plain(ResponseError::UnknownTopicOrPartition);
        }
        Refusal {
            log_start_offset,
            ..Refusal::from(error)
        }
    })?;
    Ok((Arc::clone(partition), appended))
}

/// What the request's version says of a batch, as against what the log checks in any case: exactly one batch, of magic 2,
/// with a codec that the version allows.
fn check_batch(records: &[u8], version: i16) -> Result<(), ResponseError> {
    let mut batches = Batches::new(records);
    let first = match batches.next() {
        None => return Err(ResponseError::InvalidRecord),
        Some(batch) => batch.map_err(|error| error.response_error())?.header,
    };
    if version < 7 {
        match first.compression() {
            Ok(Compression::Zstd) => return Err(ResponseError::UnsupportedCompressionType),
            Ok(_) => {}
            Err(error) => return Err(error.response_error()),
        }
    }
    // Bytes that are not another whole batch are dropped, as in Apache Kafka.
    match batches.next() {
        None => Ok(()),
        Some(Ok(_)) => Err(ResponseError::InvalidRecord),
        Some(Err(error)) => Err(error.response_error()),
    }
}

/// The bytes of the smallest record of the oldest format, after its offset and its size.
const MAGIC_0_OVERHEAD: i32 = 14;

/// What Apache Kafka says beside the error of a batch that [`check_batch`] refused, if it says anything.
fn why(records: &[u8]) -> Option<String> {
    match Batches::new(records).next()? {
        Err(BatchError::UnknownMagic(magic)) => Some(format!("Invalid magic found in record: {magic}")),
        Err(_) => {
            let size = i32::from_be_bytes(records.get(8..12)?.try_into().ok()?);
            (size < MAGIC_0_OVERHEAD)
                .then(|| format!("Record size {size} is less than the minimum record overhead ({MAGIC_0_OVERHEAD})"))
        }
        Ok(_) => None,
    }
}

/// A partition's error, as the response carries it.
struct Refusal {
    error: ResponseError,
    message: Option<String>,
    records: Vec<RecordError>,
    log_start_offset: i64,
    known_start: bool,
}

impl Refusal {
    fn plain(error: ResponseError) -> Self {
        Self {
            error,
            message: None,
            records: Vec::new(),
            log_start_offset: -1,
            known_start: false,
        }
    }

    fn into_response(self, response: PartitionProduceResponse, version: i16) -> PartitionProduceResponse {
        let log_start_offset = if self.known_start && version >= 5 {
            self.log_start_offset
        } else {
            -1
        };
        let response = response
            .with_error_code(self.error.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(log_start_offset);
        match self.message {
            Some(message) if version >= 8 => {
                let record_errors = self.records.into_iter().map(|error| {
                    BatchIndexAndErrorMessage::default()
                        .with_batch_index(error.batch_index)
                        .with_batch_index_error_message(Some(error.message.into()))
                });
                response
                    .with_error_message(Some(message.into()))
                    .with_record_errors(record_errors.collect())
            }
            _ => response,
        }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        // Kafka names the log's start beside errors of the records themselves, and explains only what is wrong with single ones.
        let known_start = match &error {
            AppendError::Batch(batch) => batch.response_error() != ResponseError::CorruptMessage,
            AppendError::TooLarge { .. }
            | AppendError::LargerThanSegment { .. }
            | AppendError::DiskFull
            | AppendError::Unwritten(_)
            | AppendError::Offline(_) => false,
            _ => true,
        };
        let error_code = error.response_error();
        if let AppendError::Offline(_) | AppendError::Unwritten(_) | AppendError::DiskFull = &error {
            tracing::error!(%error, "an append failed");
        }
        let (message, records) = match error {
            AppendError::Rejected { message, records, .. } => (Some(message), records),
            _ => (None, Vec::new()),
        };
        Self {
            error: error_code,
            message,
            records,
            log_start_offset: -1,
            known_start,
        }
    }
}

/// The answer to `acks=0`: none, or the end of the connection.
fn silence(responses: &[TopicProduceResponse]) -> Result<Reply, Disconnect> {
    let failed = responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .find(|p| p.error_code != 0);
    match failed {
        None => Ok(Reply::None),
        Some(partition) => Err(Disconnect(format!(
            "produce with acks=0 failed on partition {} with error {}",
            partition.index, partition.error_code
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_batch_is_judged_by_the_requests_version() {
        let batch = |length: i32, magic: u8, attributes: u8, extra: usize| {
            let mut bytes = vec![0; 61 + extra];
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            bytes[16] = magic;
            bytes[22] = attributes;
            Bytes::from(bytes)
        };
        assert_eq!(check_batch(&batch(49, 2, 0, 0), 3), Ok(()));
        assert_eq!(
            check_batch(&batch(49, 2, 4, 0), 6),
            Err(ResponseError::UnsupportedCompressionType)
        );
        assert_eq!(check_batch(&batch(49, 2, 4, 0), 7), Ok(()));
        assert_eq!(check_batch(&batch(49, 1, 0, 0), 9), Err(ResponseError::InvalidRecord));
        assert_eq!(check_batch(&batch(49, 2, 0, 1), 9), Ok(()), "a byte more");
        assert_eq!(
            check_batch(&batch(49, 2, 0, 0).repeat(2), 9),
            Err(ResponseError::InvalidRecord),
            "a second batch"
        );
        assert_eq!(check_batch(&batch(49, 3, 0, 0), 9), Err(ResponseError::CorruptMessage));
        assert_eq!(check_batch(&batch(20, 2, 0, 0), 9), Err(ResponseError::CorruptMessage));
        assert_eq!(
            check_batch(&Bytes::new(), 9),
            Err(ResponseError::InvalidRecord),
            "no batch"
        );
    }
}
