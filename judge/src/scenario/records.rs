//! Records produced, fetched, found by time and deleted.

use serde_json::json;

use super::action::{Action, BatchPlan, Sequence, Sought, Stray, Time};
use super::batch::{Made, Produced, producer_of, time_ms};
use super::run::{Outcome, Run};
use super::side::Request;
use super::world::Sent;
use crate::lists::Exception;

impl Run<'_> {
    pub(super) fn on_records(&mut self, action: &Action) -> Outcome {
        match action {
            Action::Produce {
                topic,
                partition,
                batch,
                acks,
                version,
            } => {
                let topic = self.world.topic(*topic);
                let partition = self.world.partition(&topic, *partition);
                let version = Self::version("Produce", *version)?;
                self.produce(&topic, partition, batch, i16::from(*acks), version)
            }
            Action::InitProducer { again, version, .. } => self.init_producer(*again, *version),
            Action::Fetch {
                topic,
                partition,
                at,
                bytes_max,
                committed,
                epoch,
                version,
            } => {
                let topic = self.world.topic(*topic);
                let partition = self.world.partition(&topic, *partition);
                let bytes_max = if *bytes_max == u16::MAX {
                    i32::MAX
                } else {
                    i32::from(*bytes_max)
                };
                let part = json!({
                    "Partition": partition,
                    "CurrentLeaderEpoch?": current_epoch(*epoch),
                    "FetchOffset": self.world.offset(&topic, partition, *at),
                    "PartitionMaxBytes": bytes_max,
                });
                let request = json!({
                    "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": bytes_max, "IsolationLevel": i8::from(*committed),
                    "Topics": [{ "Topic?": topic, "TopicId?": format!("$id:{topic}"), "Partitions": [part] }]
                });
                let version = Self::version("Fetch", *version)?;
                self.ask(Request::new("Fetch", version, request)).map(drop)
            }
            _ => self.on_offsets_of_logs(action),
        }
    }

    fn on_offsets_of_logs(&mut self, action: &Action) -> Outcome {
        match action {
            Action::ListOffsets {
                topic,
                partition,
                sought,
                committed,
                epoch,
                version,
            } => {
                let topic = self.world.topic(*topic);
                let stamped = self.world.topics.get(&topic).is_some_and(|topic| topic.append_time);
                let part = json!({
                    "PartitionIndex": self.world.partition(&topic, *partition),
                    "CurrentLeaderEpoch?": current_epoch(*epoch),
                    "Timestamp": self.sought_ms(*sought, stamped),
                });
                let request = json!({
                    "ReplicaId": -1, "IsolationLevel?": i8::from(*committed),
                    "Topics": [{ "Name": topic, "Partitions": [part] }]
                });
                let mut request = Request::new("ListOffsets", Self::version("ListOffsets", *version)?, request);
                request.stamped = stamped;
                self.ask(request).map(drop)
            }
            Action::LeaderEpoch {
                topic,
                partition,
                current,
                epoch,
                version,
            } => {
                let topic = self.world.topic(*topic);
                let epoch = match epoch {
                    Stray::No | Stray::OtherInstance => 0,
                    Stray::Past => -1,
                    Stray::Ahead => 3,
                    Stray::Unknown => -5,
                };
                let part = json!({
                    "Partition": self.world.partition(&topic, *partition),
                    "CurrentLeaderEpoch": current_epoch(*current),
                    "LeaderEpoch": epoch,
                });
                let request = json!({ "ReplicaId?": -1, "Topics": [{ "Topic": topic, "Partitions": [part] }] });
                let version = Self::version("OffsetForLeaderEpoch", *version)?;
                self.ask(Request::new("OffsetForLeaderEpoch", version, request))
                    .map(drop)
            }
            Action::DeleteRecords {
                topic,
                partition,
                before,
                version,
            } => {
                let topic = self.world.topic(*topic);
                let partition = self.world.partition(&topic, *partition);
                let offset = self.world.offset(&topic, partition, *before);
                let part = json!({ "PartitionIndex": partition, "Offset": offset });
                let request = json!({ "Topics": [{ "Name": topic, "Partitions": [part] }], "TimeoutMs": 60_000 });
                let version = Self::version("DeleteRecords", *version)?;
                self.ask(Request::new("DeleteRecords", version, request))?;
                self.see_partition(&topic, partition)
            }
            _ => Ok(()),
        }
    }

    fn init_producer(&mut self, again: bool, version: u8) -> Outcome {
        let (id, epoch) = if again {
            (json!("$producer"), 0)
        } else {
            (json!(-1), -1)
        };
        let request = json!({
            "TransactionalId": null, "TransactionTimeoutMs": 60_000, "ProducerId?": id, "ProducerEpoch?": epoch
        });
        let version = Self::version("InitProducerId", version)?;
        let answer = self.ask_learning(Request::new("InitProducerId", version, request), |side, answer| {
            if let (true, Some(id)) = (answer["ErrorCode"] == 0, answer["ProducerId"].as_i64()) {
                side.learn_producer(id);
            }
        })?;
        if answer["ErrorCode"] == 0 {
            // A new id begins anew in every partition.
            self.world.sent.retain(|(producer, _, _), _| *producer != 2);
        }
        Ok(())
    }

    /// Times on a topic that the broker stamps are far from now, as no two brokers append at one moment.
    fn sought_ms(&self, sought: Sought, stamped: bool) -> i64 {
        match sought {
            Sought::Latest => -1,
            Sought::Earliest => -2,
            Sought::MaxTimestamp => -3,
            Sought::EarliestLocal => -4,
            Sought::LatestTiered => -5,
            Sought::Unknown => -9,
            Sought::Time(Time::Near(delta)) if stamped && self.lists.except(Exception::AppendTime) => {
                let far = if delta < 0 { Time::Old(60) } else { Time::Future(20) };
                time_ms(far, self.world.began_ms)
            }
            Sought::Time(Time::Missing) => 0,
            Sought::Time(time) => time_ms(time, self.world.began_ms),
        }
    }

    fn produce(&mut self, topic: &str, partition: i32, plan: &BatchPlan, acks: i16, version: i16) -> Outcome {
        let made = self.made(topic, partition, plan);
        let part = json!({ "Index": partition, "Records": "$batch:0" });
        let data = json!({ "Name?": topic, "TopicId?": format!("$id:{topic}"), "PartitionData": [part] });
        let request = json!({ "Acks": acks, "TimeoutMs": 30_000, "TopicData": [data] });
        let mut request = Request::new("Produce", version, request);
        request.batches.push(made.clone());
        if acks == 0 {
            self.ask_quietly(&request)?;
        } else {
            self.ask(request)?;
        }
        let before = self.world.ends(topic, partition).end;
        self.see_partition(topic, partition)?;
        if self.world.ends(topic, partition).end > before {
            self.sent(topic, partition, made);
        }
        Ok(())
    }

    fn made(&self, topic: &str, partition: i32, plan: &BatchPlan) -> Made {
        let fresh = |produced| Made {
            plan: plan.clone(),
            produced,
            began_ms: self.world.began_ms,
        };
        let Some(producer) = producer_of(plan.sequence) else {
            return fresh(None);
        };
        let nothing = Sent::default();
        let sent = self.world.sent.get(&(producer, topic.to_owned(), partition));
        let sent = sent.unwrap_or(&nothing);
        let last = sent.batches.last();
        let (epoch, next) = (sent.epoch, sent.next_sequence);
        let (epoch, sequence) = match plan.sequence {
            Sequence::Repeated(_) | Sequence::RepeatedOld(_) => {
                let back = match plan.sequence {
                    Sequence::Repeated(_) => 1,
                    _ => 1 + usize::from(producer) + plan.records.len() * 2,
                };
                let at = sent.batches.len().saturating_sub(back);
                if let Some(repeated) = sent.batches.get(at) {
                    return repeated.clone();
                }
                (epoch, next)
            }
            Sequence::Gap(_) => (epoch, next + 3),
            Sequence::Overlapping(_) => {
                let first = last.and_then(|made| made.produced);
                (epoch, first.map_or(next, |produced| produced.sequence))
            }
            Sequence::OldEpoch(_) => (epoch - 1, next),
            Sequence::NextEpoch(_) => (epoch + 1, 0),
            Sequence::NextEpochGoingOn(_) => (epoch + 1, next),
            Sequence::NoEpoch(_) => (-1, next),
            Sequence::AtTheEnd(_) => (epoch, i32::MAX),
            Sequence::Right(_) | Sequence::None => (epoch, next),
        };
        fresh(Some(Produced {
            producer,
            epoch,
            sequence,
        }))
    }

    fn sent(&mut self, topic: &str, partition: i32, made: Made) {
        let Some(produced) = made.produced else {
            return;
        };
        let sent = self
            .world
            .sent
            .entry((produced.producer, topic.to_owned(), partition))
            .or_default();
        let count = made.plan.records.len() as i64;
        sent.epoch = produced.epoch;
        // It wraps around to 0.
        sent.next_sequence = ((i64::from(produced.sequence) + count) % (i64::from(i32::MAX) + 1)) as i32;
        sent.batches.push(made);
    }
}

fn current_epoch(stray: Stray) -> i32 {
    match stray {
        Stray::No | Stray::Unknown | Stray::OtherInstance => -1,
        Stray::Past => 0,
        Stray::Ahead => 4,
    }
}
