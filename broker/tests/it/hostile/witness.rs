//! A client that does ordinary work all the while and checks every answer.

use std::time::{Duration, Instant};

use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{ApiKey, FetchRequest};
use tickertape_broker::wire::batch::Batches;
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::wire::record::Records;

use crate::support::calls::{Topic, latest};
use crate::support::client::Client;
use crate::support::process::Process;

const GROUP: &str = "witness";

/// Produces, waits for what it produced on a second connection, commits, and asks for what it committed.
pub(crate) struct Witness {
    producing: Client,
    fetching: Client,
    topic: Topic,
    next_offset: i64,
    /// The longest that a round of its work took.
    pub(crate) slowest: Duration,
}

impl Witness {
    pub(crate) fn new(broker: &Process) -> Self {
        let mut producing = broker.connect();
        // Its own, since a frame may rightly change the broker's.
        let configs = [
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("compression.type", "producer"),
            ("min.insync.replicas", "1"),
        ];
        let topic = producing.create_topic("witness", 1, &configs);
        Self {
            producing,
            fetching: broker.connect(),
            topic,
            next_offset: 0,
            slowest: Duration::ZERO,
        }
    }

    fn value(offset: i64) -> Vec<u8> {
        format!("still here {offset}").into_bytes()
    }

    /// One record there and back.
    pub(crate) fn work(&mut self) {
        let started = Instant::now();
        let offset = self.next_offset;
        // Waits for what is not there yet.
        let version = latest(ApiKey::Fetch);
        let waiting = self.fetching.send(version, &self.long_poll());
        let batch = BatchBuilder::new().record(1_000, None, Some(&Self::value(offset)));
        let version_of_produce = latest(ApiKey::Produce);
        let answer = self
            .producing
            .produce(version_of_produce, &self.topic, 0, batch.build().unwrap());
        assert!(answer.error_code.is_ok(), "{answer:?}");
        assert_eq!(answer.base_offset, offset);
        let (answered, mut fetched) = self.fetching.receive::<FetchRequest>(version);
        assert_eq!(answered, waiting);
        let records = fetched.responses.remove(0).partitions.remove(0).records;
        assert_eq!(values(&records.unwrap_or_default()), [Self::value(offset)]);
        self.next_offset += 1;
        let commit = self
            .producing
            .commit(latest(ApiKey::OffsetCommit), GROUP, &self.topic, 0, offset + 1, "");
        assert!(commit.is_ok(), "{commit}");
        let committed = self
            .producing
            .committed(latest(ApiKey::OffsetFetch), GROUP, &self.topic, 0);
        assert_eq!(committed, (offset + 1, String::new()));
        self.slowest = self.slowest.max(started.elapsed());
    }

    fn long_poll(&self) -> FetchRequest {
        let partition = FetchPartition::default()
            .with_fetch_offset(self.next_offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic_id(self.topic.id)
            .with_partitions(vec![partition]);
        FetchRequest::default()
            .with_max_wait_ms(600_000)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_topics(vec![topic])
    }

    /// Everything that it ever produced is there, on this broker.
    pub(crate) fn finds_all(&self, broker: &Process) {
        let mut client = broker.connect();
        let mut next = 0;
        while next < self.next_offset {
            let answer = client.fetch(latest(ApiKey::Fetch), &self.topic, 0, next, 1 << 20);
            let found = values(&answer.records.unwrap_or_default());
            assert!(!found.is_empty(), "nothing at {next} of {}", self.next_offset);
            for value in found {
                assert_eq!(value, Self::value(next));
                next += 1;
            }
        }
        assert_eq!(next, self.next_offset);
        let committed = client.committed(latest(ApiKey::OffsetFetch), GROUP, &self.topic, 0);
        assert_eq!(committed, (next, String::new()));
    }
}

/// The values of whole batches; its own have one record each, and the last batch may be cut off.
fn values(records: &[u8]) -> Vec<Vec<u8>> {
    Batches::new(records)
        .map_while(Result::ok)
        .map(|batch| {
            let record = Records::new(&batch.header, batch.payload()).next().unwrap().unwrap();
            record.value.unwrap().to_vec()
        })
        .collect()
}
