//! One transactional id, its partitions, and a store: what the runtime does, step by step, so that it can die in between.

use std::collections::HashMap;

use kafka_protocol::protocol::StrBytes;

use super::super::{
    Caller, Effect, Markers, NeedsProducerId, Outcome, Partitions, Record, State, Transaction, TxnConfig, TxnError,
    apply, complete, resume, verify,
};

pub(super) const TOPIC: &str = "t";
pub(super) const PARTITIONS: i32 = 3;

/// Where the broker dies, or the connection ends, in the course of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Before the store is flushed; so many of the records since the last flush are there all the same.
    Unflushed(usize),
    /// Before so many markers and one more are written.
    Markers(usize),
    /// When all is done but the reply.
    Untold,
    /// The client goes away when the store is flushed; the markers are written some time later.
    Gone,
}

/// A record in a partition, by the transaction that the producer took it to belong to; or a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Record { producer_id: i64, transaction: u64 },
    Marker { producer_id: i64, commit: bool },
}

/// What a partition's log knows of a producer.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    epoch: i16,
    open: bool,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) log: Vec<Entry>,
    known: HashMap<i64, Known>,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told<R> {
    Reply(R),
    /// Nobody was told.
    Nothing,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) config: TxnConfig,
    pub(super) now_ms: i64,
    pub(super) live: Option<Transaction>,
    /// Every record that survives a crash, and those that may not.
    stored: Vec<Record>,
    unflushed: Vec<Record>,
    /// Markers that are yet to be written.
    owed: Option<Markers>,
    pub(super) partitions: Vec<Partition>,
    next_producer_id: i64,
    /// Befalls the next command that has something to store.
    pub(super) trouble: Option<Trouble>,
    pub(super) crashes: u32,
}

impl World {
    pub(super) fn new() -> World {
        World {
            config: TxnConfig {
                max_timeout_ms: 900_000,
                id_expiration_ms: 7 * 86_400_000,
            },
            now_ms: 1_000,
            live: None,
            stored: Vec::new(),
            unflushed: Vec::new(),
            owed: None,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            next_producer_id: 0,
            trouble: None,
            crashes: 0,
        }
    }

    /// A world in which the producer's epochs are about to be used up.
    pub(super) fn with_epoch(epoch: i16) -> World {
        let mut world = World::new();
        let transaction = Transaction {
            producer_id: 0,
            prev_producer_id: 0,
            next_producer_id: -1,
            producer_epoch: epoch,
            last_producer_epoch: -1,
            timeout_ms: 60_000,
            client_version: 0,
            state: State::Empty,
            partitions: Partitions::new(),
            start_ms: -1,
            last_update_ms: 1_000,
        };
        world.next_producer_id = 1;
        world.stored = vec![Record::Changed(Box::new(transaction))];
        world.live = fold(&world.stored);
        world
    }

    fn store(&mut self, records: Vec<Record>) {
        for record in &records {
            apply(&mut self.live, record);
        }
        self.unflushed.extend(records);
    }

    fn flush(&mut self) {
        self.stored.append(&mut self.unflushed);
    }

    /// The broker dies and comes back.
    pub(super) fn crash(&mut self, kept: usize) {
        self.crashes += 1;
        let kept = kept.min(self.unflushed.len());
        self.stored.extend(self.unflushed.drain(..kept));
        self.unflushed.clear();
        self.owed = None;
        self.live = fold(&self.stored);
        if let Some(Effect::WriteMarkers(markers)) = resume(self.live.as_ref()) {
            self.owed = Some(markers);
            self.finish();
        }
    }

    /// Writes the markers that are owed.
    pub(super) fn finish(&mut self) {
        let Some(markers) = self.owed.take() else { return };
        for index in places(&markers) {
            self.mark(&markers, index);
        }
        let outcome = complete(self.live.as_ref(), self.now_ms);
        self.store(outcome.records);
    }

    fn mark(&mut self, markers: &Markers, index: i32) {
        let partition = &mut self.partitions[index as usize];
        let known = partition.known.entry(markers.producer_id).or_default();
        assert!(
            markers.producer_epoch >= known.epoch,
            "a marker of an epoch that has passed"
        );
        *known = Known {
            epoch: markers.producer_epoch,
            open: false,
        };
        partition.log.push(Entry::Marker {
            producer_id: markers.producer_id,
            commit: markers.commit,
        });
    }

    /// Runs a command as the runtime does, with a fresh producer id where it asks for one.
    pub(super) fn run<R>(
        &mut self,
        mut decide: impl FnMut(Option<&Transaction>, &TxnConfig, i64, Option<i64>) -> Result<Outcome<R>, NeedsProducerId>,
    ) -> Told<R> {
        let decided = decide(self.live.as_ref(), &self.config, self.now_ms, None);
        let outcome = match decided {
            Ok(outcome) => outcome,
            Err(NeedsProducerId) => {
                self.next_producer_id += 1;
                let fresh = Some(self.next_producer_id - 1);
                let decided = decide(self.live.as_ref(), &self.config, self.now_ms, fresh);
                decided.unwrap_or_else(|NeedsProducerId| panic!("it has one"))
            }
        };
        let trouble = self.trouble.take_if(|_| !outcome.records.is_empty());
        self.store(outcome.records);
        if let Some(Trouble::Unflushed(kept)) = trouble {
            self.crash(kept);
            return Told::Nothing;
        }
        self.flush();
        for Effect::WriteMarkers(markers) in outcome.effects {
            match trouble {
                Some(Trouble::Markers(written)) => {
                    for index in places(&markers).into_iter().take(written) {
                        self.mark(&markers, index);
                    }
                    self.crash(0);
                    return Told::Nothing;
                }
                Some(Trouble::Gone) => {
                    self.owed = Some(markers);
                    return Told::Nothing;
                }
                _ => {
                    self.owed = Some(markers);
                    self.finish();
                }
            }
        }
        match trouble {
            None => Told::Reply(outcome.reply),
            Some(Trouble::Gone) => Told::Nothing,
            Some(_) => {
                self.crash(usize::MAX);
                Told::Nothing
            }
        }
    }

    /// Appends a producer's record, as Produce does once the partition is added.
    pub(super) fn write(&mut self, caller: Caller, index: i32, transaction: u64) -> Result<(), TxnError> {
        let known = self.partitions[index as usize].known.get(&caller.producer_id).copied();
        let known = known.unwrap_or_default();
        if caller.producer_epoch < known.epoch {
            return Err(TxnError::ProducerFenced);
        }
        if !(known.open && known.epoch == caller.producer_epoch) {
            verify(self.live.as_ref(), caller, &partition(index))?
                .into_iter()
                .collect::<Result<(), _>>()?;
        }
        let partition = &mut self.partitions[index as usize];
        partition.known.insert(
            caller.producer_id,
            Known {
                epoch: caller.producer_epoch,
                open: true,
            },
        );
        partition.log.push(Entry::Record {
            producer_id: caller.producer_id,
            transaction,
        });
        Ok(())
    }

    /// What is applied is what is stored.
    pub(super) fn check(&self) {
        let all: Vec<Record> = self.stored.iter().chain(&self.unflushed).cloned().collect();
        assert_eq!(fold(&all), self.live);
        let prepared = self.live.as_ref().is_some_and(|live| live.state.is_prepared());
        assert_eq!(prepared, self.owed.is_some(), "who is prepared is owed markers");
    }

    /// How each record of a partition ended, by its transaction; `None` where it has not.
    pub(super) fn ends(&self, index: usize) -> Vec<(u64, Option<bool>)> {
        let log = &self.partitions[index].log;
        let end = |place: usize, whose: i64| {
            log[place..].iter().find_map(|entry| match entry {
                Entry::Marker { producer_id, commit } if *producer_id == whose => Some(*commit),
                _ => None,
            })
        };
        log.iter()
            .enumerate()
            .filter_map(|(place, entry)| match entry {
                Entry::Record {
                    producer_id,
                    transaction,
                } => Some((*transaction, end(place, *producer_id))),
                Entry::Marker { .. } => None,
            })
            .collect()
    }
}

fn fold(records: &[Record]) -> Option<Transaction> {
    let mut state = None;
    records.iter().for_each(|record| apply(&mut state, record));
    state
}

fn places(markers: &Markers) -> Vec<i32> {
    markers.partitions.values().flatten().copied().collect()
}

/// One partition of the topic.
pub(super) fn partition(index: i32) -> Partitions {
    Partitions::from([(StrBytes::from_static_str(TOPIC), [index].into())])
}
