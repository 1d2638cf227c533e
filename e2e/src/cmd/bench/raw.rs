//! A connection without a client behind it, for what a client's own threads and timers would hide.
//!
//! Plain TCP only, and one request at a time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, FetchRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, HeaderVersion as _, Request, StrBytes};
use tickertape_broker::wire::build::BatchBuilder;

/// For how long an answer is waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// A connection to a broker.
#[derive(Debug)]
pub(super) struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects to `host:port`.
    pub(super) fn connect(address: &str) -> anyhow::Result<Raw> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        Ok(Raw { stream })
    }

    /// Asks for the versions, as every client does first.
    pub(super) fn greet(&mut self) -> anyhow::Result<()> {
        let answer = self.call(0, &ApiVersionsRequest::default())?;
        ensure!(answer.error_code == 0, "ApiVersions: error {}", answer.error_code);
        Ok(())
    }

    /// Makes a topic of one partition.
    pub(super) fn create_topic(&mut self, topic: &str) -> anyhow::Result<()> {
        let topic = CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(1)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(30_000);
        let answer = self.call(5, &request)?;
        match answer.topics.iter().find(|topic| topic.error_code != 0) {
            Some(topic) => bail!("CreateTopics: error {}", topic.error_code),
            None => Ok(()),
        }
    }

    /// Produces one message to partition 0 with `acks=all` and returns when it is acknowledged.
    pub(super) fn produce(&mut self, topic: &str, timestamp_ms: i64, value: &[u8]) -> anyhow::Result<()> {
        let batch = BatchBuilder::new().record(timestamp_ms, None, Some(value)).build()?;
        let partition = PartitionProduceData::default().with_records(Some(Bytes::from(batch)));
        let topic = TopicProduceData::default()
            .with_name(name(topic))
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![topic]);
        let answer = self.call(9, &request)?;
        let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
        match partitions.next() {
            Some(partition) if partition.error_code == 0 => Ok(()),
            Some(partition) => bail!("Produce: error {}", partition.error_code),
            None => bail!("Produce: an empty answer"),
        }
    }

    /// Asks for as much of a topic's first `partitions` as a broker gives at once, and leaves the answer where it is.
    pub(super) fn ask_for_all(&mut self, topic: &str, partitions: i32) -> anyhow::Result<()> {
        let wanted = |partition| {
            FetchPartition::default()
                .with_partition(partition)
                .with_partition_max_bytes(i32::MAX)
        };
        let topic = FetchTopic::default()
            .with_topic(name(topic))
            .with_partitions((0..partitions).map(wanted).collect());
        let request = FetchRequest::default()
            .with_replica_id((-1).into())
            .with_max_wait_ms(500)
            .with_min_bytes(1)
            .with_max_bytes(i32::MAX)
            .with_topics(vec![topic]);
        self.send(4, &request)
    }

    /// Takes at most `room` bytes of what the broker sends.
    pub(super) fn sip(&mut self, room: usize) -> anyhow::Result<()> {
        match self.stream.read(&mut vec![0; room]).context("the broker's answer")? {
            0 => bail!("the broker has closed the connection of a slow reader"),
            _ => Ok(()),
        }
    }

    fn call<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<R::Response> {
        self.send(version, request)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length))?];
        self.stream.read_exact(&mut frame)?;
        let mut frame = Bytes::from(frame);
        ResponseHeader::decode(&mut frame, R::Response::header_version(version))?;
        R::Response::decode(&mut frame, version)
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<()> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(StrBytes::from_static_str("tickertape-bench")));
        let mut frame = BytesMut::zeroed(4);
        header.encode(&mut frame, R::header_version(version))?;
        request.encode(&mut frame, version)?;
        let length = i32::try_from(frame.len() - 4)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)?;
        Ok(())
    }
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
