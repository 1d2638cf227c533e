//! Transactions: producers that begin, add partitions and offsets, produce, end, and are fenced by who begins anew.
//!
//! After each step both kinds of readers see the same log, and the transaction and its producers are described alike. An end
//! is acknowledged before it is done: what is seen after it is looked at once it is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{Action, BatchPlan, Flaw, Pick, RecordPlan, Sequence, Stray, Time};
use super::batch::{Made, Produced};
use super::run::{Outcome, Run};
use super::side::{Request, TRANSACTIONAL};
use crate::both::until;

/// How many transactional producers a scenario has.
pub(super) const PRODUCERS: usize = 2;

/// As long as transactions may take, which is far longer than a scenario.
const TIMEOUT_MS: i32 = 900_000;

/// The first version of Produce, and of TxnOffsetCommit, in which the broker adds what is not added.
const PRODUCE_ADDS: i16 = 12;
const COMMIT_ADDS: i16 = 5;

/// A step of a transactional producer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' types say what they are")]
pub enum Step {
    /// It begins anew: InitProducerId.
    Begin,
    /// It goes on under the id and epoch that it has: InitProducerId.
    GoOn,
    /// AddPartitionsToTxn, as clients send it.
    Add { topic: Pick, partition: Pick },
    /// Produce; `adding` what is not yet added first, where the version wants it.
    Produce {
        topic: Pick,
        partition: Pick,
        records: u8,
        gap: bool,
        adding: bool,
    },
    /// AddOffsetsToTxn.
    AddOffsets { group: Pick },
    /// TxnOffsetCommit; `adding` as there.
    Commit {
        group: Pick,
        topic: Pick,
        partition: Pick,
        adding: bool,
    },
    /// EndTxn.
    End { commit: bool },
}

/// Steps, mostly right.
pub(super) fn steps(stray: BoxedStrategy<Stray>, group: BoxedStrategy<Pick>) -> BoxedStrategy<Action> {
    let mostly = || prop::bool::weighted(0.85);
    let groups = group.clone();
    let step = prop_oneof![
        1 => Just(Step::Begin),
        1 => Just(Step::GoOn),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(topic, partition)| Step::Add { topic, partition }),
        7 => (any::<u8>(), any::<u8>(), 1..4_u8, prop::bool::weighted(0.05), mostly()).prop_map(
            |(topic, partition, records, gap, adding)| Step::Produce { topic, partition, records, gap, adding }),
        1 => group.prop_map(|group| Step::AddOffsets { group }),
        3 => (groups, any::<u8>(), any::<u8>(), mostly()).prop_map(
            |(group, topic, partition, adding)| Step::Commit { group, topic, partition, adding }),
        4 => any::<bool>().prop_map(|commit| Step::End { commit }),
    ];
    (any::<u8>(), step, stray, any::<u8>())
        .prop_map(|(producer, step, stray, version)| Action::Transact {
            producer,
            step,
            stray,
            version,
        })
        .boxed()
}

/// A transactional producer, as far as both brokers agree on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Transactional {
    pub(super) begun: bool,
    epoch: i16,
    partitions: BTreeSet<(String, i32)>,
    groups: BTreeSet<usize>,
    sequences: BTreeMap<(String, i32), i32>,
}

impl Transactional {
    fn next(&mut self) {
        self.partitions.clear();
        self.groups.clear();
    }
}

/// By what a request names its producer.
struct By {
    transactional_id: String,
    producer_id: Value,
    epoch: i16,
}

impl Run<'_> {
    pub(super) fn on_transactions(&mut self, action: &Action) -> Outcome {
        let Action::Transact {
            producer,
            step,
            stray,
            version,
        } = action
        else {
            return Ok(());
        };
        let at = usize::from(*producer) % PRODUCERS;
        if !self.world.transactional[at].begun && *step != Step::Begin {
            self.begin(at, 5, false)?;
        }
        match step {
            Step::Begin => self.begin(at, Self::version("InitProducerId", *version)?, false),
            Step::GoOn => self.begin(at, Self::version("InitProducerId", *version)?.max(3), true),
            Step::Add { topic, partition } => {
                let topic = self.world.topic(*topic);
                let partition = self.world.partition(&topic, *partition);
                self.add(at, *stray, &topic, partition, i16::from(*version % 4))
            }
            Step::Produce { .. } => self.produce_within(at, step, *stray, *version),
            Step::AddOffsets { group } => {
                let group = self.world.group(*group);
                self.add_offsets(at, *stray, group, Self::version("AddOffsetsToTxn", *version)?)
            }
            Step::Commit {
                group,
                topic,
                partition,
                adding,
            } => {
                let (group, topic) = (self.world.group(*group), self.world.topic(*topic));
                let partition = self.world.partition(&topic, *partition);
                let version = Self::version("TxnOffsetCommit", *version)?;
                if *adding && version < COMMIT_ADDS && !self.world.transactional[at].groups.contains(&group) {
                    self.add_offsets(at, Stray::No, group, 3)?;
                }
                self.commit_within(at, *stray, group, (&topic, partition), version)
            }
            Step::End { commit } => self.end(at, *stray, *commit, Self::version("EndTxn", *version)?),
        }
    }

    fn transactional_id(&self, at: usize) -> String {
        format!("{}-transactional-{at}", self.world.name)
    }

    fn producer_by(&self, at: usize, stray: Stray) -> By {
        let epoch = self.world.transactional[at].epoch;
        By {
            transactional_id: match stray {
                Stray::OtherInstance => format!("{}-nobody", self.world.name),
                _ => self.transactional_id(at),
            },
            producer_id: match stray {
                Stray::Unknown => 987_654_321_i64.into(),
                _ => format!("$transactional:{at}").into(),
            },
            epoch: match stray {
                Stray::Past => epoch - 1,
                Stray::Ahead => epoch + 1,
                _ => epoch,
            },
        }
    }

    fn begin(&mut self, at: usize, version: i16, going_on: bool) -> Outcome {
        let by = self.producer_by(at, Stray::No);
        let (id, epoch) = if going_on {
            (by.producer_id, by.epoch)
        } else {
            ((-1).into(), -1)
        };
        let request = json!({
            "TransactionalId": by.transactional_id, "TransactionTimeoutMs": TIMEOUT_MS,
            "ProducerId?": id, "ProducerEpoch?": epoch,
        });
        // What the one before left open is aborted first, and the client asks again.
        for _ in 0..2 {
            let request = Request::new("InitProducerId", version, request.clone());
            let answer = self.ask_learning(request, |side, answer| {
                if let (true, Some(id)) = (answer["ErrorCode"] == 0, answer["ProducerId"].as_i64()) {
                    side.learn_transactional(at, id);
                }
            })?;
            self.see_transaction(at)?;
            if answer["ErrorCode"] == 0 {
                let producer = &mut self.world.transactional[at];
                producer.begun = true;
                producer.epoch = answer["ProducerEpoch"].as_i64().unwrap_or_default() as i16;
                producer.sequences.clear();
                producer.next();
                break;
            }
        }
        self.see_all_partitions()
    }

    /// Markers have the broker's time.
    fn may_have_markers(&mut self, topic: &str) {
        if let Some(known) = self.world.topics.get_mut(topic) {
            known.append_time = true;
        }
    }

    fn add(&mut self, at: usize, stray: Stray, topic: &str, partition: i32, version: i16) -> Outcome {
        self.may_have_markers(topic);
        let by = self.producer_by(at, stray);
        let request = json!({
            "V3AndBelowTransactionalId": by.transactional_id, "V3AndBelowProducerId": by.producer_id,
            "V3AndBelowProducerEpoch": by.epoch,
            "V3AndBelowTopics": [{ "Name": topic, "Partitions": [partition] }],
        });
        let answer = self.ask(Request::new("AddPartitionsToTxn", version, request))?;
        let results = &answer["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"];
        if results[0]["PartitionErrorCode"] == 0 {
            let added = (topic.to_owned(), partition);
            self.world.transactional[at].partitions.insert(added);
        }
        self.see_transaction(at)
    }

    fn produce_within(&mut self, at: usize, step: &Step, stray: Stray, pick: Pick) -> Outcome {
        let Step::Produce {
            topic,
            partition,
            records,
            gap,
            adding,
        } = step
        else {
            return Ok(());
        };
        let topic = self.world.topic(*topic);
        let partition = self.world.partition(&topic, *partition);
        let version = Self::version("Produce", pick)?;
        let place = (topic.clone(), partition);
        if *adding && version < PRODUCE_ADDS && !self.world.transactional[at].partitions.contains(&place) {
            self.add(at, Stray::No, &topic, partition, 3)?;
        }
        self.may_have_markers(&topic);
        let by = self.producer_by(at, stray);
        let next = self.world.transactional[at]
            .sequences
            .get(&place)
            .copied()
            .unwrap_or_default();
        let record = |near: u8| RecordPlan {
            time: Time::Near(near.cast_signed()),
            key: Some(near),
            value: Some(10),
            headers: 0,
        };
        let made = Made {
            plan: BatchPlan {
                records: (0..*records).map(record).collect(),
                codec: 0,
                sequence: Sequence::None,
                flaw: Flaw::Transactional,
            },
            produced: Some(Produced {
                producer: TRANSACTIONAL + at as u8,
                epoch: by.epoch,
                sequence: if *gap { next + 3 } else { next },
            }),
            began_ms: self.world.began_ms,
        };
        let part = json!({ "Index": partition, "Records": "$batch:0" });
        let data = json!({ "Name?": topic, "TopicId?": format!("$id:{topic}"), "PartitionData": [part] });
        let request = json!({
            "TransactionalId": by.transactional_id, "Acks": -1, "TimeoutMs": 30_000, "TopicData": [data],
        });
        let mut request = Request::new("Produce", version, request);
        request.batches.push(made);
        let answer = self.ask(request)?;
        if answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 0 {
            let producer = &mut self.world.transactional[at];
            let after = if *gap { next + 3 } else { next } + i32::from(*records);
            producer.sequences.insert(place.clone(), after);
            producer.partitions.insert(place);
        }
        self.see_transaction(at)?;
        self.see_partition(&topic, partition)?;
        self.see_producers(&topic, partition)
    }

    fn add_offsets(&mut self, at: usize, stray: Stray, group: usize, version: i16) -> Outcome {
        let by = self.producer_by(at, stray);
        let request = json!({
            "TransactionalId": by.transactional_id, "ProducerId": by.producer_id, "ProducerEpoch": by.epoch,
            "GroupId": self.world.groups[group].name,
        });
        let answer = self.ask(Request::new("AddOffsetsToTxn", version, request))?;
        if answer["ErrorCode"] == 0 {
            self.world.transactional[at].groups.insert(group);
        }
        self.see_transaction(at)
    }

    fn commit_within(
        &mut self,
        at: usize,
        stray: Stray,
        group: usize,
        (topic, partition): (&str, i32),
        version: i16,
    ) -> Outcome {
        let by = self.producer_by(at, stray);
        let part = json!({
            "PartitionIndex": partition, "CommittedOffset": self.world.ends(topic, partition).end,
            "CommittedMetadata": "within",
        });
        let request = json!({
            "TransactionalId": by.transactional_id, "GroupId": self.world.groups[group].name,
            "ProducerId": by.producer_id, "ProducerEpoch": by.epoch,
            "Topics": [{ "Name": topic, "Partitions": [part] }],
        });
        let answer = self.ask(Request::new("TxnOffsetCommit", version, request))?;
        if answer["Topics"][0]["Partitions"][0]["ErrorCode"] == 0 {
            self.world.transactional[at].groups.insert(group);
            self.world.groups[group].commits = true;
        }
        self.see_transaction(at)?;
        self.see_stable(group)
    }

    fn end(&mut self, at: usize, stray: Stray, commit: bool, version: i16) -> Outcome {
        let by = self.producer_by(at, stray);
        let request = json!({
            "TransactionalId": by.transactional_id, "ProducerId": by.producer_id, "ProducerEpoch": by.epoch,
            "Committed": commit,
        });
        let answer = self.ask(Request::new("EndTxn", version, request))?;
        let groups: Vec<usize> = self.world.transactional[at].groups.iter().copied().collect();
        if answer["ErrorCode"] == 0 && stray == Stray::No {
            let producer = &mut self.world.transactional[at];
            producer.next();
            if let Some(epoch) = answer["ProducerEpoch"].as_i64() {
                producer.epoch = epoch as i16;
                producer.sequences.clear();
            }
        }
        self.see_transaction(at)?;
        for group in groups {
            self.see_stable(group)?;
        }
        self.see_all_partitions()
    }

    /// A transaction's description, once nothing of it is being done.
    fn see_transaction(&mut self, at: usize) -> Outcome {
        let request = json!({ "TransactionalIds": [self.transactional_id(at)] });
        let settled = |answer: &Value| {
            let state = answer["TransactionStates"][0]["TransactionState"]
                .as_str()
                .unwrap_or_default();
            !state.starts_with("Prepare") && answer["TransactionStates"][0]["ErrorCode"] != 51
        };
        for side in &mut self.sides {
            until(&mut side.main, "DescribeTransactions", 0, &request, settled)?;
        }
        self.see(Request::new("DescribeTransactions", 0, request)).map(drop)
    }

    fn see_producers(&mut self, topic: &str, partition: i32) -> Outcome {
        let request = json!({ "Topics": [{ "Name": topic, "PartitionIndexes": [partition] }] });
        self.see(Request::new("DescribeProducers", 0, request)).map(drop)
    }

    /// What a group has committed, for who waits for open transactions.
    fn see_stable(&mut self, group: usize) -> Outcome {
        let name = self.world.groups[group].name.clone();
        let request = json!({ "Groups": [{ "GroupId": name, "Topics": null }], "RequireStable": true });
        self.see(Request::new("OffsetFetch", 8, request))?;
        self.see_committed(group)
    }

    fn see_all_partitions(&mut self) -> Outcome {
        let topics: Vec<(String, usize)> = self
            .world
            .topics
            .iter()
            .map(|(name, topic)| (name.clone(), topic.partitions.len()))
            .collect();
        for (topic, partitions) in topics {
            for partition in 0..partitions as i32 {
                self.see_partition(&topic, partition)?;
                self.see_producers(&topic, partition)?;
            }
        }
        Ok(())
    }
}
