//! Transactions of one producer in one partition, one after the other, over one raw connection: a record of 100 bytes, then
//! the commit, as KIP-890 has it (the partition is added by the write, and each end gives the producer a new epoch).

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tickertape_broker::wire::build::BatchBuilder;

use super::raw::{PATIENCE, ask, coordinator, when_loaded};
use crate::client::Client;
use crate::records;

const TOPIC: &str = "bench-transactions";
const TRANSACTIONAL_ID: &str = "bench";
/// Before these nothing is measured.
const WARM_UP: usize = 300;
/// So long it is measured.
const MEASURED: Duration = Duration::from_secs(3);

/// Whether to ask again: COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS
/// (the markers of the last one are not written yet), and, of a topic just made, UNKNOWN_TOPIC_OR_PARTITION and
/// NOT_LEADER_OR_FOLLOWER.
fn is_for_now(code: &Value) -> bool {
    [14, 15, 16, 51, 3, 6].iter().any(|one| code == one)
}

/// The producer's id and epoch, as they are now.
struct Producer {
    client: Client,
    id: Value,
    epoch: Value,
}

impl Producer {
    fn start(address: &str) -> anyhow::Result<Self> {
        let mut client = coordinator(address, TRANSACTIONAL_ID, 1)?;
        let topic = json!({ "Name": TOPIC, "NumPartitions": 1, "ReplicationFactor": 1 });
        let request = json!({ "Topics": [topic], "timeoutMs": 30_000 });
        let created = ask(&mut client, "CreateTopics", 7, &request)?;
        ensure!(created["Topics"][0]["ErrorCode"] == 0, "CreateTopics: {created}");
        let request = json!({
            "TransactionalId": TRANSACTIONAL_ID, "TransactionTimeoutMs": 60_000, "ProducerId": -1, "ProducerEpoch": -1,
        });
        let (answer, _) = when_loaded(&mut client, "InitProducerId", 5, &request)?;
        ensure!(answer["ErrorCode"] == 0, "InitProducerId: {answer}");
        Ok(Self {
            client,
            id: answer["ProducerId"].clone(),
            epoch: answer["ProducerEpoch"].clone(),
        })
    }

    /// Asks until there is an answer that stays; `code` finds its error.
    fn until_done(&mut self, api: &str, version: i16, request: &Value, code: &str) -> anyhow::Result<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = ask(&mut self.client, api, version, request)?;
            let error = answer.pointer(code).with_context(|| format!("{api}: {answer}"))?;
            if !is_for_now(error) {
                ensure!(*error == 0, "{api}: {answer}");
                return Ok(answer);
            }
            ensure!(Instant::now() < until, "{api}: {answer}");
        }
    }

    fn transaction(&mut self) -> anyhow::Result<()> {
        let number = |value: &Value| value.as_i64().with_context(|| format!("not a number: {value}"));
        let batch = BatchBuilder::new()
            .producer(number(&self.id)?, i16::try_from(number(&self.epoch)?)?, 0)
            .transactional()
            .record(1_000, None, Some(&[b'x'; 100]));
        let data = json!([{
            "Name": TOPIC, "PartitionData": [{ "Index": 0, "Records": records::built(batch) }],
        }]);
        let request = json!({
            "TransactionalId": TRANSACTIONAL_ID, "Acks": -1, "TimeoutMs": 30_000, "TopicData": data,
        });
        self.until_done("Produce", 12, &request, "/Responses/0/PartitionResponses/0/ErrorCode")?;
        let request = json!({
            "TransactionalId": TRANSACTIONAL_ID, "ProducerId": self.id, "ProducerEpoch": self.epoch, "Committed": true,
        });
        let ended = self.until_done("EndTxn", 5, &request, "/ErrorCode")?;
        self.id = ended["ProducerId"].clone();
        self.epoch = ended["ProducerEpoch"].clone();
        Ok(())
    }
}

/// Transactions per second.
pub(super) fn per_second(address: &str) -> anyhow::Result<f64> {
    let mut producer = Producer::start(address)?;
    for _ in 0..WARM_UP {
        producer.transaction()?;
    }
    let started = Instant::now();
    let mut transactions = 0.0;
    while started.elapsed() < MEASURED {
        producer.transaction()?;
        transactions += 1.0;
    }
    Ok(transactions / started.elapsed().as_secs_f64())
}
