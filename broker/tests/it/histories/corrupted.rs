//! The checker finds what it is for: sound histories of a small model have no anomaly, and each way of corrupting one
//! is named for what it is.

use rand::Rng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use super::check::{Anomaly, check};
use super::history::{Ack, Commit, Derived, Fate, History, Init, Isolation, Reading, Seen, Send, Transaction};
use crate::support::seed;

const SEEDS: u64 = 300;
/// So many of the seeds at least have to give a history that a corruption fits.
const FITTING_MIN: usize = 20;
const PARTITIONS: i32 = 2;
const GROUP: usize = 0;

/// A broker without faults, and the clients' view of it.
struct Model {
    history: History,
    /// The next offset of each partition.
    ends: [i64; PARTITIONS as usize],
    now: u64,
    next_value: u64,
}

impl Model {
    fn now(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn send(&mut self, producer: usize, transaction: Option<usize>, is_visible: bool, rng: &mut ChaCha8Rng) {
        let (invoked, value) = (self.now(), self.next_value);
        self.next_value += 1;
        let partition = rng.random_range(0..PARTITIONS);
        let offset = self.ends[partition as usize];
        let is_stored = transaction.is_some() || rng.random_bool(0.95);
        let is_acknowledged = is_stored && rng.random_bool(0.9);
        self.history.sends.push(Send {
            producer,
            invoked,
            partition,
            value,
            ack: if is_acknowledged { Ack::At(offset) } else { Ack::Unknown },
            transaction,
        });
        if is_stored {
            self.ends[partition as usize] += 1;
            let seen = Seen {
                partition,
                offset,
                value,
            };
            self.history.log.push(seen);
            if is_visible {
                self.history.committed_log.push(seen);
            }
        }
    }

    fn transaction(&mut self, producer: usize, rng: &mut ChaCha8Rng) {
        let fate = [Fate::Committed, Fate::Aborted, Fate::Unknown][rng.random_range(0..3)];
        let is_visible = match fate {
            Fate::Committed => true,
            Fate::Aborted => false,
            Fate::Unknown => rng.random(),
        };
        let index = self.history.transactions.len();
        let first = self.history.sends.len();
        for _ in 0..rng.random_range(1..5) {
            self.send(producer, Some(index), is_visible, rng);
        }
        let end_invoked = self.now();
        self.history.transactions.push(Transaction {
            producer,
            fate,
            end_invoked,
        });
        // A marker in each partition that it wrote to.
        let partitions: Vec<usize> = self.history.sends[first..]
            .iter()
            .map(|send| send.partition as usize)
            .collect();
        for (partition, end) in self.ends.iter_mut().enumerate() {
            *end += i64::from(partitions.contains(&partition));
        }
    }

    fn init(&mut self, producer: usize) {
        let (invoked, done) = (self.now(), self.now());
        self.history.inits.push(Init {
            transactional_id: 0,
            producer,
            invoked,
            done,
        });
    }

    fn log(&self, isolation: Isolation, partition: i32) -> Vec<Seen> {
        let log = match isolation {
            Isolation::Uncommitted => &self.history.log,
            Isolation::Committed => &self.history.committed_log,
        };
        log.iter().filter(|seen| seen.partition == partition).copied().collect()
    }

    /// Readers that are told their partitions, and a group whose members follow each other.
    fn read(&mut self, rng: &mut ChaCha8Rng) {
        for partition in 0..PARTITIONS {
            for isolation in [Isolation::Uncommitted, Isolation::Committed] {
                let mut seen = self.log(isolation, partition);
                seen.truncate(rng.random_range(0..=seen.len()));
                let assigned = self.now();
                self.history.readings.push(Reading {
                    isolation,
                    group: None,
                    partition,
                    assigned,
                    seen,
                });
            }
            self.read_as_group(partition, rng);
        }
    }

    fn read_as_group(&mut self, partition: i32, rng: &mut ChaCha8Rng) {
        let log = self.log(Isolation::Committed, partition);
        let mut committed = 0;
        loop {
            let assigned = self.now();
            let begin = log
                .iter()
                .position(|seen| seen.offset >= committed)
                .unwrap_or(log.len());
            let end = log.len().min(begin + rng.random_range(1..10));
            self.history.readings.push(Reading {
                isolation: Isolation::Committed,
                group: Some(GROUP),
                partition,
                assigned,
                seen: log[begin..end].to_vec(),
            });
            if end == log.len() {
                return;
            }
            let (offset, invoked) = (log[end - 1].offset + 1, self.now());
            let is_acknowledged = rng.random_bool(0.8);
            // What was not acknowledged may be committed or not.
            if is_acknowledged || rng.random() {
                committed = offset;
            }
            let done = is_acknowledged.then(|| self.now());
            self.history.commits.push(Commit {
                group: GROUP,
                partition,
                offset,
                invoked,
                done,
            });
        }
    }
}

/// A history without anomalies.
fn sound(rng: &mut ChaCha8Rng) -> History {
    let mut model = Model {
        history: History::default(),
        ends: [0; PARTITIONS as usize],
        now: 0,
        next_value: 0,
    };
    // Two lives of a transactional producer beside two others.
    for life in [2, 3] {
        model.init(life);
        for _ in 0..rng.random_range(5..25) {
            match rng.random_range(0..3) {
                2 => model.transaction(life, rng),
                idempotent => model.send(idempotent, None, true, rng),
            }
        }
    }
    model.read(rng);
    if rng.random() {
        model.history.sources = vec![0];
        derive(&mut model.history);
    }
    model.history
}

/// As if each committed record of partition 0 were derived from by one of partition 1, as far as there are any.
fn derive(history: &mut History) {
    let of = |partition: i32| {
        let log = history
            .committed_log
            .iter()
            .filter(move |seen| seen.partition == partition);
        log.map(|seen| seen.value)
    };
    let derived: Vec<Derived> = of(1).zip(of(0)).map(|(value, from)| Derived { value, from }).collect();
    if derived.len() < of(0).count() {
        history.sources.clear();
    } else {
        history.derived = derived;
    }
}

/// Takes a record away wherever it is to be seen.
fn forget(history: &mut History, value: u64, also_from_log: bool) {
    if also_from_log {
        history.log.retain(|seen| seen.value != value);
    }
    history.committed_log.retain(|seen| seen.value != value);
    for reading in &mut history.readings {
        let keeps_it = reading.isolation == Isolation::Uncommitted && !also_from_log;
        reading.seen.retain(|seen| seen.value != value || keeps_it);
    }
}

fn pick<T: Clone>(of: impl Iterator<Item = T>, rng: &mut ChaCha8Rng) -> Option<T> {
    of.collect::<Vec<T>>().choose(rng).cloned()
}

/// Corrupts a history; `None` where it has nothing that can be corrupted so.
type Corruption = fn(&mut History, &mut ChaCha8Rng) -> Option<()>;

const CORRUPTIONS: &[(&str, Anomaly, Corruption)] = &[
    ("an acknowledged record is gone", Anomaly::LostWrite, |history, rng| {
        let acknowledged = history.sends.iter().filter(|send| send.ack != Ack::Unknown);
        let send = pick(acknowledged, rng)?;
        let value = send.value;
        forget(history, value, true);
        Some(())
    }),
    (
        "a committed record is not to be read",
        Anomaly::LostWrite,
        |history, rng| {
            let of_committed = history
                .sends
                .iter()
                .filter(|send| fate(history, send) == Some(Fate::Committed));
            let value = pick(of_committed, rng)?.value;
            forget(history, value, false);
            Some(())
        },
    ),
    ("a record is there twice", Anomaly::Duplicate, |history, rng| {
        let mut twice = pick(history.log.iter(), rng).copied()?;
        let of_partition = history.log.iter().filter(|seen| seen.partition == twice.partition);
        twice.offset = of_partition.map(|seen| seen.offset).max()? + 1;
        history.log.push(twice);
        Some(())
    }),
    ("nobody sent it", Anomaly::Phantom, |history, _| {
        history.log.push(Seen {
            partition: 0,
            offset: 1 << 40,
            value: u64::MAX,
        });
        Some(())
    }),
    ("acknowledged elsewhere", Anomaly::Divergence, |history, rng| {
        let is_there = |send: &&mut Send| send.ack != Ack::Unknown;
        let at: Vec<&mut Send> = history.sends.iter_mut().filter(is_there).collect();
        let index = rng.random_range(0..at.len().max(1));
        let send = at.into_iter().nth(index)?;
        send.ack = Ack::At(1 << 40);
        Some(())
    }),
    ("read elsewhere", Anomaly::Divergence, |history, _| {
        let reading = history.readings.iter_mut().find(|reading| !reading.seen.is_empty())?;
        reading.seen.last_mut()?.offset += 1;
        Some(())
    }),
    ("an aborted record is read", Anomaly::AbortedRead, |history, rng| {
        read_too(history, rng, Fate::Aborted)
    }),
    (
        "an aborted record is committed",
        Anomaly::AbortedRead,
        |history, rng| {
            let aborted = history
                .log
                .iter()
                .filter(|seen| fate_of(history, seen.value) == Some(Fate::Aborted));
            let seen = pick(aborted, rng).copied()?;
            history.committed_log.push(seen);
            Some(())
        },
    ),
    ("an open transaction is read", Anomaly::DirtyRead, |history, rng| {
        read_too(history, rng, Fate::Unknown)
    }),
    ("half a transaction", Anomaly::TornTransaction, |history, rng| {
        let is_visible = |value: u64| history.committed_log.iter().any(|seen| seen.value == value);
        let unknown = history.sends.iter().filter(|send| {
            let of_same = history
                .sends
                .iter()
                .filter(|other| other.transaction == send.transaction);
            fate(history, send) == Some(Fate::Unknown) && is_visible(send.value) && of_same.count() > 1
        });
        let value = pick(unknown, rng)?.value;
        forget(history, value, false);
        Some(())
    }),
    ("another order", Anomaly::Reordering, |history, rng| {
        let stored = |value: u64| history.log.iter().any(|seen| seen.value == value);
        let sends = history.sends.iter().filter(|send| stored(send.value));
        let sends: Vec<&Send> = sends.filter(|send| send.transaction.is_none()).collect();
        let pairs = sends.iter().enumerate().filter_map(|(index, one)| {
            let same = |other: &&&Send| (other.producer, other.partition) == (one.producer, one.partition);
            sends[index + 1..]
                .iter()
                .find(same)
                .map(|other| (one.value, other.value))
        });
        let (one, other) = pick(pairs, rng)?;
        swap(history, one, other);
        Some(())
    }),
    ("the same offset again", Anomaly::NonMonotonicPoll, |history, rng| {
        let reading = history.readings.iter_mut().find(|reading| !reading.seen.is_empty())?;
        let index = rng.random_range(0..reading.seen.len());
        let again = reading.seen[index];
        reading.seen.insert(index + 1, again);
        Some(())
    }),
    ("one is left out", Anomaly::Gap, |history, rng| {
        let long = history.readings.iter_mut().filter(|reading| reading.seen.len() > 2);
        let mut long: Vec<&mut Reading> = long.collect();
        let index = rng.random_range(0..long.len().max(1));
        let reading = long.get_mut(index)?;
        let left_out = rng.random_range(1..reading.seen.len() - 1);
        reading.seen.remove(left_out);
        Some(())
    }),
    ("a reader begins late", Anomaly::Gap, |history, _| {
        let of_one = |reading: &&mut Reading| reading.group.is_none() && reading.seen.len() > 1;
        let reading = history.readings.iter_mut().find(of_one)?;
        reading.seen.remove(0);
        Some(())
    }),
    ("a group begins late", Anomaly::Gap, |history, _| {
        let of_group = |reading: &&mut Reading| reading.group.is_some() && reading.seen.len() > 1;
        let reading = history.readings.iter_mut().find(of_group)?;
        // Nothing was committed yet, and so far it never will be.
        reading.seen.remove(0);
        let partition = reading.partition;
        history.commits.retain(|commit| commit.partition != partition);
        Some(())
    }),
    ("a committed offset is forgotten", Anomaly::LostCommit, |history, _| {
        let commit = history.commits.iter().find(|commit| commit.done.is_some())?;
        let (partition, done, offset) = (commit.partition, commit.done?, commit.offset);
        let mut earlier = history.committed_log.iter();
        let earlier = *earlier.rfind(|seen| seen.partition == partition && seen.offset < offset)?;
        let after = |reading: &&mut Reading| {
            reading.group.is_some() && reading.partition == partition && reading.assigned > done
        };
        let reading = history.readings.iter_mut().find(after)?;
        (!reading.seen.is_empty()).then(|| reading.seen.insert(0, earlier))
    }),
    ("a group never reads it", Anomaly::Unread, |history, rng| {
        if !history.sources.is_empty() {
            return None;
        }
        let value = pick(history.committed_log.iter(), rng)?.value;
        for reading in history.readings.iter_mut().filter(|reading| reading.group.is_some()) {
            reading.seen.retain(|seen| seen.value != value);
        }
        Some(())
    }),
    ("a fenced producer commits", Anomaly::NotFenced, |history, _| {
        let is_of_first = |one: &&mut Transaction| one.producer == 2 && one.fate == Fate::Committed;
        history.transactions.iter_mut().find(is_of_first)?.end_invoked = u64::MAX;
        Some(())
    }),
    ("a fenced producer writes", Anomaly::NotFenced, |history, _| {
        let is_of_first = |send: &&mut Send| send.producer == 2 && send.ack != Ack::Unknown;
        history.sends.iter_mut().find(is_of_first)?.invoked = u64::MAX;
        Some(())
    }),
    ("derived twice", Anomaly::NotExactlyOnce, |history, _| {
        let [.., one, other] = history.derived.as_mut_slice() else {
            return None;
        };
        other.from = one.from;
        Some(())
    }),
    ("not derived", Anomaly::NotExactlyOnce, |history, _| {
        history.derived.pop().map(drop)
    }),
    ("a fatal error", Anomaly::Broken, |history, _| {
        history.broken.push("it broke".to_owned());
        Some(())
    }),
];

fn fate(history: &History, send: &Send) -> Option<Fate> {
    send.transaction.map(|index| history.transactions[index].fate)
}

fn fate_of(history: &History, value: u64) -> Option<Fate> {
    let send = history.sends.iter().find(|send| send.value == value)?;
    fate(history, send)
}

/// `read_committed` shows, at its end, a record of a transaction of that fate which is not committed.
fn read_too(history: &mut History, rng: &mut ChaCha8Rng, wanted: Fate) -> Option<()> {
    let is_visible = |seen: &&Seen| history.committed_log.iter().any(|other| other.value == seen.value);
    let hidden = history
        .log
        .iter()
        .filter(|seen| fate_of(history, seen.value) == Some(wanted));
    let seen = *pick(hidden.filter(|seen| !is_visible(seen)), rng)?;
    let reads = |reading: &&mut Reading| {
        reading.isolation == Isolation::Committed && reading.group.is_none() && reading.partition == seen.partition
    };
    let reading = history.readings.iter_mut().find(reads)?;
    let at = reading.seen.partition_point(|other| other.offset < seen.offset);
    reading.seen.insert(at, seen);
    Some(())
}

/// Two records change their places, for everybody.
fn swap(history: &mut History, one: u64, other: u64) {
    let exchange = |seen: &mut Seen| {
        if seen.value == one {
            seen.value = other;
        } else if seen.value == other {
            seen.value = one;
        }
    };
    history.log.iter_mut().for_each(exchange);
    history.committed_log.iter_mut().for_each(exchange);
    history
        .readings
        .iter_mut()
        .flat_map(|reading| &mut reading.seen)
        .for_each(exchange);
    let at = |value: u64| {
        history
            .log
            .iter()
            .find(|seen| seen.value == value)
            .map(|seen| seen.offset)
    };
    let places: Vec<Option<i64>> = history.sends.iter().map(|send| at(send.value)).collect();
    for (send, place) in history.sends.iter_mut().zip(places) {
        if let (Ack::At(_), Some(offset)) = (send.ack, place) {
            send.ack = Ack::At(offset);
        }
    }
}

#[test]
fn a_sound_history_has_no_anomaly() {
    for number in 0..SEEDS {
        let history = sound(&mut seed::part(1, number));
        assert_eq!(check(&history), [], "of {number}: {history:#?}");
    }
}

#[test]
fn each_corruption_is_found_for_what_it_is() {
    for (what, anomaly, corrupt) in CORRUPTIONS {
        let mut fitting = 0;
        for number in 0..SEEDS {
            let mut rng = seed::part(2, number);
            let mut history = sound(&mut rng);
            if corrupt(&mut history, &mut rng).is_none() {
                continue;
            }
            fitting += 1;
            let findings = check(&history);
            let is_found = findings.iter().any(|(found, _)| found == anomaly);
            assert!(is_found, "{what}, {anomaly:?} in {number}: {findings:#?}");
        }
        assert!(fitting >= FITTING_MIN, "{what}: {fitting} histories fit");
    }
}
