//! The calls that tests make most, each in any version that the broker serves, for one partition at a time.

use bytes::Bytes;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::client::Client;

/// A topic by both of its names.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its id.
    pub(crate) id: Uuid,
}

impl Topic {
    fn name(&self) -> TopicName {
        TopicName(StrBytes::from_static_str(self.name))
    }
}

/// One of the versions of an API that the broker serves.
pub(crate) fn version(key: ApiKey, pick: u8) -> i16 {
    let api = tickertape_broker::served().find(|api| api.key == key as i16).unwrap();
    api.min + i16::from(pick) % (api.max - api.min + 1)
}

/// The highest version that the broker serves.
pub(crate) fn latest(key: ApiKey) -> i16 {
    tickertape_broker::served()
        .find(|api| api.key == key as i16)
        .unwrap()
        .max
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl Client {
    /// Creates a topic.
    pub(crate) fn create_topic(&mut self, name: &'static str, partitions: i32, configs: &[(&str, &str)]) -> Topic {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(TopicName(StrBytes::from_static_str(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(60_000);
        let response = self.call(latest(ApiKey::CreateTopics), &request);
        let created = &response.topics[0];
        assert!(created.error_code.is_ok(), "{created:?}");
        Topic {
            name,
            id: created.topic_id,
        }
    }

    /// Produces what is to be one record batch.
    pub(crate) fn produce(
        &mut self,
        version: i16,
        topic: &Topic,
        partition: i32,
        records: Vec<u8>,
    ) -> PartitionProduceResponse {
        let partition = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(Bytes::from(records)));
        let mut data = TopicProduceData::default().with_partition_data(vec![partition]);
        if version >= 13 {
            data.topic_id = topic.id;
        } else {
            data.name = topic.name();
        }
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(60_000)
            .with_topic_data(vec![data]);
        self.call(version, &request)
            .responses
            .remove(0)
            .partition_responses
            .remove(0)
    }

    /// Fetches without waiting and without a session.
    pub(crate) fn fetch(
        &mut self,
        version: i16,
        topic: &Topic,
        partition: i32,
        offset: i64,
        bytes_max: i32,
    ) -> PartitionData {
        let partition = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(bytes_max);
        let mut fetched = FetchTopic::default().with_partitions(vec![partition]);
        if version >= 13 {
            fetched.topic_id = topic.id;
        } else {
            fetched.topic = topic.name();
        }
        let request = FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(bytes_max)
            .with_topics(vec![fetched]);
        let mut response = self.call(version, &request);
        assert!(response.error_code.is_ok(), "{response:?}");
        response.responses.remove(0).partitions.remove(0)
    }

    /// The offset for a timestamp, or for -1 (latest) or -2 (earliest): timestamp and offset.
    pub(crate) fn list_offset(&mut self, version: i16, topic: &Topic, partition: i32, timestamp: i64) -> (i64, i64) {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_timestamp(timestamp);
        let listed = ListOffsetsTopic::default()
            .with_name(topic.name())
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![listed]);
        let response = self.call(version, &request);
        let partition = &response.topics[0].partitions[0];
        assert!(partition.error_code.is_ok(), "{response:?}");
        (partition.timestamp, partition.offset)
    }

    /// Deletes what lies before an offset: the error code and the low watermark.
    pub(crate) fn delete_records(&mut self, version: i16, topic: &Topic, partition: i32, before: i64) -> (i16, i64) {
        let partition = DeleteRecordsPartition::default()
            .with_partition_index(partition)
            .with_offset(before);
        let deleted = DeleteRecordsTopic::default()
            .with_name(topic.name())
            .with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default()
            .with_topics(vec![deleted])
            .with_timeout_ms(60_000);
        let response = self.call(version, &request);
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.low_watermark)
    }

    /// Commits an offset for a group that has no members.
    pub(crate) fn commit(
        &mut self,
        version: i16,
        group: &str,
        topic: &Topic,
        partition: i32,
        offset: i64,
        metadata: &str,
    ) -> i16 {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text(metadata)));
        let committed = OffsetCommitRequestTopic::default()
            .with_name(topic.name())
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![committed]);
        self.call(version, &request).topics[0].partitions[0].error_code
    }

    /// What a group has committed: the offset, or -1, and its metadata.
    pub(crate) fn committed(&mut self, version: i16, group: &str, topic: &Topic, partition: i32) -> (i64, String) {
        let (error_code, offset, metadata) = if version >= 8 {
            let wanted = OffsetFetchRequestTopics::default()
                .with_name(topic.name())
                .with_partition_indexes(vec![partition]);
            let wanted = OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(text(group)))
                .with_member_epoch(-1)
                .with_topics(Some(vec![wanted]));
            let mut response = self.call(version, &OffsetFetchRequest::default().with_groups(vec![wanted]));
            let mut group = response.groups.remove(0);
            assert!(group.error_code.is_ok(), "{group:?}");
            let partition = group.topics.remove(0).partitions.remove(0);
            (partition.error_code, partition.committed_offset, partition.metadata)
        } else {
            let wanted = OffsetFetchRequestTopic::default()
                .with_name(topic.name())
                .with_partition_indexes(vec![partition]);
            let request = OffsetFetchRequest::default()
                .with_group_id(GroupId(text(group)))
                .with_topics(Some(vec![wanted]));
            let mut response = self.call(version, &request);
            let partition = response.topics.remove(0).partitions.remove(0);
            (partition.error_code, partition.committed_offset, partition.metadata)
        };
        assert!(error_code.is_ok(), "{error_code}");
        (
            offset,
            metadata.map(|metadata| metadata.to_string()).unwrap_or_default(),
        )
    }

    /// A producer id and its epoch, for an idempotent producer.
    pub(crate) fn init_producer_id(&mut self, version: i16) -> (i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let response = self.call(version, &request);
        assert!(response.error_code.is_ok(), "{response:?}");
        (response.producer_id.0, response.producer_epoch)
    }
}
