//! What producers with transactions ask, each in any version that the broker serves: one transactional id, one group.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::clock::{Clock, SystemClock};
use tickertape_broker::wire::build::BatchBuilder;

use super::calls::{Topic, latest};
use super::client::Client;

const ID: &str = "sink";
const GROUP: &str = "readers";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A producer's id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Me(pub(crate) i64, pub(crate) i16);

impl Client {
    /// InitProducerId: the producer, or the error.
    pub(crate) fn init(&mut self, version: i16, expected: Option<Me>) -> Result<Me, i16> {
        let Me(id, epoch) = expected.unwrap_or(Me(-1, -1));
        let mut request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(ID))))
            .with_transaction_timeout_ms(60_000);
        if version >= 3 {
            request.producer_id = id.into();
            request.producer_epoch = epoch;
        }
        let response = self.call(version, &request);
        match response.error_code {
            0 => Ok(Me(*response.producer_id, response.producer_epoch)),
            error => Err(error),
        }
    }

    /// AddPartitionsToTxn: an error for each partition.
    pub(crate) fn add(
        &mut self,
        version: i16,
        Me(id, epoch): Me,
        topic: &str,
        partitions: &[i32],
        verify: bool,
    ) -> Vec<i16> {
        let topics = vec![
            AddPartitionsToTxnTopic::default()
                .with_name(TopicName(text(topic)))
                .with_partitions(partitions.to_vec()),
        ];
        let results = if version >= 4 {
            let transaction = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(TransactionalId(text(ID)))
                .with_producer_id(id.into())
                .with_producer_epoch(epoch)
                .with_verify_only(verify)
                .with_topics(topics);
            let request = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
            self.call(version, &request)
                .results_by_transaction
                .remove(0)
                .topic_results
        } else {
            let request = AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(TransactionalId(text(ID)))
                .with_v3_and_below_producer_id(id.into())
                .with_v3_and_below_producer_epoch(epoch)
                .with_v3_and_below_topics(topics);
            self.call(version, &request).results_by_topic_v3_and_below
        };
        let partitions = results.into_iter().flat_map(|topic| topic.results_by_partition);
        partitions.map(|partition| partition.partition_error_code).collect()
    }

    /// AddOffsetsToTxn: the error.
    pub(crate) fn add_offsets(&mut self, version: i16, Me(id, epoch): Me) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(TransactionalId(text(ID)))
            .with_producer_id(id.into())
            .with_producer_epoch(epoch)
            .with_group_id(GroupId(text(GROUP)));
        self.call(version, &request).error_code
    }

    /// EndTxn: the producer from now on, or the error.
    pub(crate) fn end(&mut self, version: i16, Me(id, epoch): Me, commit: bool) -> Result<Me, i16> {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(ID)))
            .with_producer_id(id.into())
            .with_producer_epoch(epoch)
            .with_committed(commit);
        let response = self.call(version, &request);
        match response.error_code {
            0 => Ok(Me(*response.producer_id, response.producer_epoch)),
            error => Err(error),
        }
    }

    /// Produces one transactional record: its offset, or the error.
    pub(crate) fn write(
        &mut self,
        version: i16,
        topic: &Topic,
        partition: i32,
        me: Me,
        sequence: i32,
    ) -> Result<i64, i16> {
        self.write_as(version, topic, partition, me, sequence, Some(ID))
    }

    /// [`Self::write`] under another transactional id, or none.
    pub(crate) fn write_as(
        &mut self,
        version: i16,
        topic: &Topic,
        partition: i32,
        Me(id, epoch): Me,
        sequence: i32,
        transactional_id: Option<&str>,
    ) -> Result<i64, i16> {
        let batch = BatchBuilder::new()
            .producer(id, epoch, sequence)
            .transactional()
            .record(SystemClock.now_ms(), None, Some(b"v"))
            .build()
            .unwrap();
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(Bytes::from(batch)));
        let mut data = TopicProduceData::default().with_partition_data(vec![data]);
        if version >= 13 {
            data.topic_id = topic.id;
        } else {
            data.name = TopicName(text(topic.name));
        }
        let request = ProduceRequest::default()
            .with_transactional_id(transactional_id.map(|id| TransactionalId(text(id))))
            .with_acks(-1)
            .with_timeout_ms(60_000)
            .with_topic_data(vec![data]);
        let produced = self
            .call(version, &request)
            .responses
            .remove(0)
            .partition_responses
            .remove(0);
        match produced.error_code {
            0 => Ok(produced.base_offset),
            error => Err(error),
        }
    }

    /// TxnOffsetCommit by a consumer without a group: the error.
    pub(crate) fn commit_offset(&mut self, version: i16, Me(id, epoch): Me, topic: &str, offset: i64) -> i16 {
        self.commit_offset_as(version, Me(id, epoch), topic, offset, -1, "")
    }

    /// TxnOffsetCommit by a member: the error.
    pub(crate) fn commit_offset_as(
        &mut self,
        version: i16,
        Me(id, epoch): Me,
        topic: &str,
        offset: i64,
        generation: i32,
        member: &str,
    ) -> i16 {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let mut request = TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(text(ID)))
            .with_group_id(GroupId(text(GROUP)))
            .with_producer_id(id.into())
            .with_producer_epoch(epoch)
            .with_topics(vec![topic]);
        if version >= 3 {
            request.generation_id = generation;
            request.member_id = text(member);
        }
        self.call(version, &request).topics[0].partitions[0].error_code
    }

    /// The committed offset, or the error.
    pub(crate) fn fetch_offset(&mut self, topic: &str, require_stable: bool) -> Result<i64, i16> {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default()
            .with_groups(vec![group])
            .with_require_stable(require_stable);
        let fetched = self
            .call(8, &request)
            .groups
            .remove(0)
            .topics
            .remove(0)
            .partitions
            .remove(0);
        match fetched.error_code {
            0 => Ok(fetched.committed_offset),
            error => Err(error),
        }
    }

    /// DescribeTransactions.
    pub(crate) fn describe(&mut self) -> describe_transactions_response::TransactionState {
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(text(ID))]);
        self.call(0, &request).transaction_states.remove(0)
    }

    /// The last stable offset, and the aborted transactions by producer id and first offset.
    pub(crate) fn aborted(&mut self, topic: &Topic, partition: i32) -> (i64, Vec<(i64, i64)>) {
        let partition = FetchPartition::default()
            .with_partition(partition)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic_id(topic.id)
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_isolation_level(1)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let fetched = self
            .call(latest(ApiKey::Fetch), &request)
            .responses
            .remove(0)
            .partitions
            .remove(0);
        let aborted = fetched.aborted_transactions.unwrap().into_iter();
        let aborted = aborted.map(|aborted| (*aborted.producer_id, aborted.first_offset));
        (fetched.last_stable_offset, aborted.collect())
    }
}
