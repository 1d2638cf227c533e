//! What the cases of transactions share: producers that both brokers have, and the steps of a transaction.
//!
//! Each broker gives out its own producer ids, so a request that names one is another on each side; everything else in it is
//! the same. A transaction ends some time after its end was acknowledged: a step that ends one waits until it has.

use serde_json::{Value, json};
use tickertape_broker::wire::build::BatchBuilder;

use crate::both::{Side, error_of, until};
use crate::records::built;
use crate::run::{Outcome, Run, Stop};

use super::group::must_each;

/// More than any log of a case has.
const BYTES_MAX: i32 = 1 << 20;

/// How clients do transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `transaction.version` 1: each partition is added before it is produced to.
    One,
    /// `transaction.version` 2: the broker adds what is produced to, and each end begins a new epoch.
    Two,
}

impl Protocol {
    /// The version of Produce.
    pub(super) fn produce(self) -> i16 {
        match self {
            Protocol::One => 11,
            Protocol::Two => 12,
        }
    }

    /// The version of EndTxn.
    pub(super) fn end(self) -> i16 {
        match self {
            Protocol::One => 4,
            Protocol::Two => 5,
        }
    }

    /// The version of TxnOffsetCommit.
    pub(super) fn offsets(self) -> i16 {
        self.end()
    }
}

/// A transactional producer that both brokers have.
#[derive(Debug, Clone)]
pub(super) struct Producer {
    /// Its transactional id.
    pub id: String,
    ids: [i64; 2],
    epochs: [i64; 2],
}

impl Producer {
    fn of(id: &str, answers: &[Value; 2]) -> Self {
        let field = |name: &str| answers.each_ref().map(|answer| answer[name].as_i64().unwrap_or(-1));
        Self {
            id: id.to_owned(),
            ids: field("ProducerId"),
            epochs: field("ProducerEpoch"),
        }
    }

    /// One of which only the transactional id is known.
    pub(super) fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ids: [-1; 2],
            epochs: [-1; 2],
        }
    }

    /// The producer id that one broker gave it.
    pub(super) fn producer_id(&self, side: Side) -> i64 {
        self.ids[usize::from(side == Side::Theirs)]
    }

    /// Its epoch there.
    pub(super) fn epoch(&self, side: Side) -> i16 {
        self.epochs[usize::from(side == Side::Theirs)] as i16
    }

    /// The same with another epoch.
    pub(super) fn at(&self, epochs_on: i64) -> Self {
        let mut other = self.clone();
        other.epochs = self.epochs.map(|epoch| epoch + epochs_on);
        other
    }

    /// The same with an id that nobody has.
    pub(super) fn stranger(&self) -> Self {
        let mut other = self.clone();
        other.ids = self.ids.map(|id| id + 900_000);
        other
    }

    /// The same under another transactional id.
    pub(super) fn called(&self, id: &str) -> Self {
        let mut other = self.clone();
        id.clone_into(&mut other.id);
        other
    }
}

/// Waits until both coordinate transactions: Apache Kafka first makes a topic for them.
pub(super) fn coordinated(run: &mut Run<'_>) -> Outcome {
    run.once("transactions", |both| {
        for side in [Side::Ours, Side::Theirs] {
            let client = both.client(side);
            let find = json!({ "CoordinatorKeys": ["transactions"], "KeyType": 1 });
            until(client, "FindCoordinator", 6, &find, |answer| error_of(answer).is_none())?;
            let init = json!({ "TransactionalId": "transactions", "TransactionTimeoutMs": 60_000 });
            until(client, "InitProducerId", 5, &init, |answer| error_of(answer).is_none())?;
        }
        Ok(())
    })
}

/// A transactional id that nobody has used.
pub(super) fn transactional_id(run: &mut Run<'_>) -> Result<String, Stop> {
    coordinated(run)?;
    Ok(run.name("transactional"))
}

/// A new producer.
pub(super) fn producer(run: &mut Run<'_>) -> Result<Producer, Stop> {
    producer_with(run, 60_000)
}

/// A new producer whose transactions may take so long.
pub(super) fn producer_with(run: &mut Run<'_>, timeout_ms: i32) -> Result<Producer, Stop> {
    let id = transactional_id(run)?;
    begun_anew(run, &id, timeout_ms)
}

/// The producer that has an id from now on: whoever had it is fenced, and what it left open is aborted.
pub(super) fn begun_anew(run: &mut Run<'_>, id: &str, timeout_ms: i32) -> Result<Producer, Stop> {
    let init = json!({ "TransactionalId": id, "TransactionTimeoutMs": timeout_ms });
    let answers = run.await_each(
        "InitProducerId",
        5,
        |_| init.clone(),
        |answer| error_of(answer).is_none(),
    )?;
    Ok(Producer::of(id, &answers))
}

/// AddPartitionsToTxn as clients send it.
pub(super) fn adding(producer: &Producer, side: Side, topics: &Value) -> Value {
    json!({
        "V3AndBelowTransactionalId": producer.id, "V3AndBelowProducerId": producer.producer_id(side),
        "V3AndBelowProducerEpoch": producer.epoch(side), "V3AndBelowTopics": topics,
    })
}

/// Adds partitions to a transaction.
pub(super) fn add(run: &mut Run<'_>, producer: &Producer, topic: &str, partitions: &[i32]) -> Outcome {
    let topics = json!([{ "Name": topic, "Partitions": partitions }]);
    must_each(run, "AddPartitionsToTxn", 3, |side| adding(producer, side, &topics)).map(drop)
}

/// A batch of a producer: so many records, from a sequence on.
pub(super) fn batch_of(producer: &Producer, side: Side, sequence: i32, records: usize) -> BatchBuilder {
    let (id, epoch) = (producer.producer_id(side), producer.epoch(side));
    let batch = BatchBuilder::new().producer(id, epoch, sequence).transactional();
    (0..records).fold(batch, |batch, at| {
        batch.record(1_000 + i64::from(sequence) + at as i64, None, Some(b"value"))
    })
}

/// Produce of a producer to one partition.
pub(super) fn producing(producer: &Producer, topic: &str, partition: i32, batch: BatchBuilder) -> Value {
    json!({
        "TransactionalId": producer.id, "Acks": -1, "TimeoutMs": 30_000,
        "TopicData": [{
            "Name?": topic, "TopicId?": format!("id:{topic}"),
            "PartitionData": [{ "Index": partition, "Records": built(batch) }],
        }],
    })
}

/// Produces two records within a transaction, which by the first protocol has the partition already.
pub(super) fn produce(
    run: &mut Run<'_>,
    protocol: Protocol,
    producer: &Producer,
    topic: &str,
    sequence: i32,
) -> Outcome {
    let request = |side| producing(producer, topic, 0, batch_of(producer, side, sequence, 2));
    must_each(run, "Produce", protocol.produce(), request).map(drop)
}

/// A transaction with two records in partition 0 of a new topic.
pub(super) fn opened(run: &mut Run<'_>, protocol: Protocol) -> Result<(Producer, String), Stop> {
    let (producer, topic) = (producer(run)?, run.topic(2)?);
    if protocol == Protocol::One {
        add(run, &producer, &topic, &[0])?;
    }
    produce(run, protocol, &producer, &topic, 0)?;
    Ok((producer, topic))
}

/// EndTxn.
pub(super) fn ending(producer: &Producer, side: Side, commit: bool) -> Value {
    json!({
        "TransactionalId": producer.id, "ProducerId": producer.producer_id(side),
        "ProducerEpoch": producer.epoch(side), "Committed": commit,
    })
}

/// Ends a transaction and waits until it is over.
pub(super) fn end(run: &mut Run<'_>, protocol: Protocol, producer: &mut Producer, commit: bool) -> Outcome {
    let version = protocol.end();
    let answers = must_each(run, "EndTxn", version, |side| ending(producer, side, commit))?;
    if protocol == Protocol::Two {
        *producer = Producer::of(&producer.id, &answers);
    }
    over(run, producer)
}

/// Waits until nothing of a producer's transaction is left to do.
pub(super) fn over(run: &mut Run<'_>, producer: &Producer) -> Outcome {
    const OVER: [&str; 3] = ["Empty", "CompleteCommit", "CompleteAbort"];
    let describe = json!({ "TransactionalIds": [producer.id] });
    run.await_each(
        "DescribeTransactions",
        0,
        |_| describe.clone(),
        |answer| {
            let state = answer["TransactionStates"][0]["TransactionState"].as_str();
            state.is_some_and(|state| OVER.contains(&state))
        },
    )
    .map(drop)
}

/// TxnOffsetCommit of offset 5 for partition 0 of a topic, by somebody who is no member.
pub(super) fn committing(producer: &Producer, side: Side, group: &str, topic: &str) -> Value {
    json!({
        "TransactionalId": producer.id, "GroupId": group,
        "ProducerId": producer.producer_id(side), "ProducerEpoch": producer.epoch(side),
        "Topics": [{ "Name": topic, "Partitions": [
            { "PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": "seen" },
        ] }],
    })
}

/// AddOffsetsToTxn.
pub(super) fn adding_offsets(producer: &Producer, side: Side, group: &str) -> Value {
    json!({
        "TransactionalId": producer.id, "ProducerId": producer.producer_id(side),
        "ProducerEpoch": producer.epoch(side), "GroupId": group,
    })
}

/// Commits an offset of a group within a transaction.
pub(super) fn commit_offset(
    run: &mut Run<'_>,
    protocol: Protocol,
    producer: &Producer,
    group: &str,
    topic: &str,
) -> Outcome {
    if protocol == Protocol::One {
        must_each(run, "AddOffsetsToTxn", 3, |side| adding_offsets(producer, side, group))?;
    }
    let request = |side| committing(producer, side, group, topic);
    must_each(run, "TxnOffsetCommit", protocol.offsets(), request).map(drop)
}

/// Compares what a transaction is described as.
pub(super) fn sees_state(run: &mut Run<'_>, producer: &Producer) -> Outcome {
    run.ask_api("DescribeTransactions", 0, json!({ "TransactionalIds": [producer.id] }))
        .map(drop)
}

/// Compares what can be seen of partition 0: its ends for either kind of reader, what each reads, its producers.
pub(super) fn sees_log(run: &mut Run<'_>, topic: &str) -> Outcome {
    for isolation in [0, 1] {
        let partition = json!({ "PartitionIndex": 0, "Timestamp": -1 });
        let ends = json!({
            "ReplicaId": -1, "IsolationLevel": isolation, "Topics": [{ "Name": topic, "Partitions": [partition] }],
        });
        run.ask_api("ListOffsets", 9, ends)?;
        run.ask_api("Fetch", 12, reading(topic, 0, isolation))?;
    }
    run.ask_api(
        "DescribeProducers",
        0,
        json!({ "Topics": [{ "Name": topic, "PartitionIndexes": [0] }] }),
    )
    .map(drop)
}

/// Fetch of partition 0 from an offset on.
pub(super) fn reading(topic: &str, offset: i64, isolation: i8) -> Value {
    json!({
        "ReplicaId?": -1, "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 0x7fff_ffff, "IsolationLevel": isolation,
        "Topics": [{ "Topic?": topic, "TopicId?": format!("id:{topic}"), "Partitions": [
            { "Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": BYTES_MAX },
        ] }],
    })
}

/// Compares both.
pub(super) fn sees(run: &mut Run<'_>, producer: &Producer, topic: &str) -> Outcome {
    sees_state(run, producer)?;
    sees_log(run, topic)
}

/// Compares what a group has committed, for who waits for open transactions and for who does not.
pub(super) fn sees_offsets(run: &mut Run<'_>, group: &str, topic: &str) -> Outcome {
    for stable in [true, false] {
        let topics = json!([{ "Name": topic, "PartitionIndexes": [0] }]);
        run.ask_api(
            "OffsetFetch",
            9,
            json!({ "Groups": [{ "GroupId": group, "Topics": topics }], "RequireStable": stable }),
        )?;
    }
    Ok(())
}
