//! Judges a history: Jepsen's list for Kafka. Pure; [`super::corrupted`] shows that each fault is found.

use std::collections::{HashMap, HashSet};

use super::history::{Ack, Fate, History, Isolation, Reading, Seen};

/// What a broker must never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Anomaly {
    /// An acknowledged record is not there, or a committed one is not to be read.
    LostWrite,
    /// A record is there twice.
    Duplicate,
    /// A record that nobody sent.
    Phantom,
    /// A record is elsewhere than its acknowledgement, or than another reader, says.
    Divergence,
    /// `read_committed` shows what was aborted.
    AbortedRead,
    /// `read_committed` shows what is not committed in the end.
    DirtyRead,
    /// A part of a transaction is there, and a part is not.
    TornTransaction,
    /// A producer's records are in another order than it sent them.
    Reordering,
    /// A reader is given an offset that is not beyond the last one.
    NonMonotonicPoll,
    /// A reader is not given a record between two that it is given, or between its beginning and the first.
    Gap,
    /// A group begins before an offset that it was told is committed.
    LostCommit,
    /// What the group has at the end of all is not everything.
    Unread,
    /// A producer goes on after another one with its transactional id was ready.
    NotFenced,
    /// A value was derived twice, or a committed one was not derived from.
    NotExactlyOnce,
    /// A client met what it may not meet.
    Broken,
}

/// An anomaly with what shows it.
pub(crate) type Finding = (Anomaly, String);

/// All anomalies of a history.
pub(crate) fn check(history: &History) -> Vec<Finding> {
    let mut check = Check::of(history);
    check.log();
    check.sends();
    check.order();
    check.transactions();
    check.fencing();
    check.readings();
    check.groups();
    check.derived();
    let broken = history.broken.iter();
    check
        .findings
        .extend(broken.map(|what| (Anomaly::Broken, what.clone())));
    check.findings
}

struct Check<'a> {
    history: &'a History,
    /// Where each value is.
    stored: HashMap<u64, Seen>,
    committed: HashMap<u64, Seen>,
    findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn of(history: &'a History) -> Self {
        let by_value = |log: &[Seen]| log.iter().map(|seen| (seen.value, *seen)).collect();
        Self {
            history,
            stored: by_value(&history.log),
            committed: by_value(&history.committed_log),
            findings: Vec::new(),
        }
    }

    fn find(&mut self, anomaly: Anomaly, what: String) {
        self.findings.push((anomaly, what));
    }

    /// Every record of the log was sent, and is there once; the committed ones are among them.
    fn log(&mut self) {
        let sent: HashMap<u64, i32> = self
            .history
            .sends
            .iter()
            .map(|send| (send.value, send.partition))
            .collect();
        let mut before = HashSet::new();
        let mut end = HashMap::new();
        for seen in &self.history.log {
            match sent.get(&seen.value) {
                None => self.find(Anomaly::Phantom, format!("{seen:?} was not sent")),
                Some(partition) if *partition != seen.partition => {
                    self.find(
                        Anomaly::Divergence,
                        format!("{seen:?} was sent to partition {partition}"),
                    );
                }
                Some(_) => {}
            }
            if !before.insert(seen.value) {
                self.find(Anomaly::Duplicate, format!("{seen:?} is not alone"));
            }
            if end
                .insert(seen.partition, seen.offset)
                .is_some_and(|last| last >= seen.offset)
            {
                self.find(
                    Anomaly::NonMonotonicPoll,
                    format!("{seen:?} in the last reading of all"),
                );
            }
        }
        let mut before = HashSet::new();
        for seen in &self.history.committed_log {
            if self.stored.get(&seen.value) != Some(seen) {
                self.find(Anomaly::Divergence, format!("{seen:?} is committed and not in the log"));
            }
            if !before.insert(seen.value) {
                self.find(Anomaly::Duplicate, format!("{seen:?} is committed and not alone"));
            }
        }
    }

    /// What was acknowledged is where it was acknowledged.
    fn sends(&mut self) {
        for send in &self.history.sends {
            let Ack::At(offset) = send.ack else { continue };
            match self.stored.get(&send.value) {
                None => self.find(Anomaly::LostWrite, format!("{send:?}")),
                // A duplicate that the broker recognised may have been answered without an offset.
                Some(seen) if offset >= 0 && seen.offset != offset => {
                    self.find(Anomaly::Divergence, format!("{send:?} is at {}", seen.offset));
                }
                Some(_) => {}
            }
            if send.transaction.is_none() && !self.committed.contains_key(&send.value) {
                self.find(
                    Anomaly::LostWrite,
                    format!("{send:?} is not to be read by read_committed"),
                );
            }
        }
    }

    /// A producer's records are in the order of its sends.
    fn order(&mut self) {
        let mut last: HashMap<(usize, i32), (i64, u64)> = HashMap::new();
        for send in &self.history.sends {
            let Some(seen) = self.stored.get(&send.value) else {
                continue;
            };
            let before = last.insert((send.producer, send.partition), (seen.offset, send.value));
            if let Some((offset, value)) = before.filter(|(offset, _)| *offset >= seen.offset) {
                let what = format!("{send:?} is at {}, {value} before it at {offset}", seen.offset);
                self.find(Anomaly::Reordering, what);
            }
        }
    }

    /// All or nothing, as the producer was told.
    fn transactions(&mut self) {
        for (index, transaction) in self.history.transactions.iter().enumerate() {
            let sends = self.history.sends.iter().filter(|send| send.transaction == Some(index));
            let sends: Vec<_> = sends.collect();
            let visible = sends
                .iter()
                .filter(|send| self.committed.contains_key(&send.value))
                .count();
            // What is nowhere in the log was never stored: its fate is a matter of its acknowledgement.
            let stored = sends
                .iter()
                .filter(|send| self.stored.contains_key(&send.value))
                .count();
            let what = format!("{visible} of {stored} records of transaction {index}, {transaction:?}");
            match transaction.fate {
                Fate::Committed if stored < sends.len() => {
                    self.find(Anomaly::LostWrite, format!("{what}, of {} sent", sends.len()));
                }
                Fate::Committed if visible < stored => self.find(Anomaly::LostWrite, what),
                Fate::Aborted if visible > 0 => self.find(Anomaly::AbortedRead, what),
                Fate::Unknown if visible > 0 && visible < stored => self.find(Anomaly::TornTransaction, what),
                _ => {}
            }
        }
    }

    /// Nothing that was asked for after a successor was ready is done.
    fn fencing(&mut self) {
        for init in &self.history.inits {
            let Some(fenced_at) = self.successor(init.transactional_id, init.done) else {
                continue;
            };
            for transaction in &self.history.transactions {
                let late = transaction.producer == init.producer && transaction.end_invoked > fenced_at;
                if late && transaction.fate == Fate::Committed {
                    self.find(Anomaly::NotFenced, format!("{transaction:?} after {fenced_at}"));
                }
            }
            for send in &self.history.sends {
                let late = send.producer == init.producer && send.invoked > fenced_at;
                if late && send.ack != Ack::Unknown {
                    self.find(Anomaly::NotFenced, format!("{send:?} after {fenced_at}"));
                }
            }
        }
    }

    /// When the next producer with that transactional id was ready which came after one that was ready by `done`.
    fn successor(&self, transactional_id: usize, done: u64) -> Option<u64> {
        let later = self.history.inits.iter();
        let later = later.filter(|init| init.transactional_id == transactional_id && init.invoked > done);
        later.map(|init| init.done).min()
    }

    /// Each reading is a part of the log without gaps.
    fn readings(&mut self) {
        for reading in &self.history.readings {
            let log = match reading.isolation {
                Isolation::Uncommitted => &self.stored,
                Isolation::Committed => &self.committed,
            };
            let mut wrong = Vec::new();
            for seen in &reading.seen {
                match log.get(&seen.value) {
                    Some(stored) if stored == seen => {}
                    Some(stored) => wrong.push((Anomaly::Divergence, format!("{seen:?} is at {stored:?}"))),
                    None => wrong.push(self.unexpected(seen)),
                }
            }
            for pair in reading.seen.windows(2) {
                if pair[1].offset <= pair[0].offset {
                    wrong.push((Anomaly::NonMonotonicPoll, format!("{:?} after {:?}", pair[1], pair[0])));
                }
            }
            wrong.extend(self.gaps(reading));
            self.findings.extend(wrong);
        }
    }

    /// What it is that `read_committed`, or anybody, was shown and is not there.
    fn unexpected(&self, seen: &Seen) -> Finding {
        let send = self.history.sends.iter().find(|send| send.value == seen.value);
        let Some(send) = send else {
            return (Anomaly::Phantom, format!("{seen:?} was polled and not sent"));
        };
        let fate = send.transaction.map(|index| self.history.transactions[index].fate);
        match fate {
            Some(Fate::Aborted) => (Anomaly::AbortedRead, format!("{seen:?} was polled")),
            _ => (Anomaly::DirtyRead, format!("{seen:?} was polled")),
        }
    }

    fn gaps(&self, reading: &Reading) -> Vec<Finding> {
        let log = match reading.isolation {
            Isolation::Uncommitted => &self.history.log,
            Isolation::Committed => &self.history.committed_log,
        };
        let Some(last) = reading.seen.iter().map(|seen| seen.offset).max() else {
            return Vec::new();
        };
        let begin = match reading.group {
            None => 0,
            Some(_) => reading.seen[0].offset,
        };
        let polled: HashSet<i64> = reading.seen.iter().map(|seen| seen.offset).collect();
        let there = log.iter().filter(|seen| seen.partition == reading.partition);
        there
            .filter(|seen| begin <= seen.offset && seen.offset < last && !polled.contains(&seen.offset))
            .map(|seen| {
                let (group, isolation) = (reading.group, reading.isolation);
                let what = format!("{seen:?} was not polled before offset {last} by {group:?}, {isolation:?}");
                (Anomaly::Gap, what)
            })
            .collect()
    }

    /// Where groups begin, and what they have in the end.
    fn groups(&mut self) {
        let mut wrong = Vec::new();
        let mut had: HashMap<usize, (Isolation, HashSet<u64>)> = HashMap::new();
        for reading in &self.history.readings {
            let Some(group) = reading.group else { continue };
            let (_, values) = had.entry(group).or_insert((reading.isolation, HashSet::new()));
            values.extend(reading.seen.iter().map(|seen| seen.value));
            let Some(first) = reading.seen.first() else { continue };
            let of_partition =
                |commit: &&super::history::Commit| commit.group == group && commit.partition == reading.partition;
            let commits = self.history.commits.iter().filter(of_partition);
            let acknowledged = commits
                .clone()
                .filter(|commit| commit.done.is_some_and(|done| done < reading.assigned));
            let least = acknowledged.map(|commit| commit.offset).max().unwrap_or(0);
            if first.offset < least {
                wrong.push((Anomaly::LostCommit, format!("{first:?}, where {least} was committed")));
            }
            // What may have been committed, by whomever and whenever.
            let most = commits.map(|commit| commit.offset).max().unwrap_or(0);
            let log = match reading.isolation {
                Isolation::Uncommitted => &self.history.log,
                Isolation::Committed => &self.history.committed_log,
            };
            let skipped = log
                .iter()
                .find(|seen| seen.partition == reading.partition && most <= seen.offset && seen.offset < first.offset);
            wrong.extend(skipped.map(|seen| (Anomaly::Gap, format!("{seen:?}: the group begins with {first:?}"))));
        }
        for (group, (isolation, values)) in had {
            let log = match isolation {
                Isolation::Uncommitted => &self.history.log,
                Isolation::Committed => &self.history.committed_log,
            };
            let missing = log.iter().filter(|seen| !values.contains(&seen.value));
            let missing: Vec<_> = missing
                .filter(|seen| !self.is_derived_partition(seen.partition))
                .collect();
            if let Some(first) = missing.first() {
                wrong.push((
                    Anomaly::Unread,
                    format!("group {group}: {} records, first {first:?}", missing.len()),
                ));
            }
        }
        self.findings.extend(wrong);
    }

    /// Groups that derive read the sources alone; all others read everything.
    fn is_derived_partition(&self, partition: i32) -> bool {
        !self.history.sources.is_empty() && !self.history.sources.contains(&partition)
    }

    /// Each committed record of the sources has exactly one committed record derived from it.
    fn derived(&mut self) {
        let mut wrong = Vec::new();
        let mut times: HashMap<u64, usize> = HashMap::new();
        for derived in &self.history.derived {
            if self.committed.contains_key(&derived.value) {
                *times.entry(derived.from).or_default() += 1;
            }
        }
        for (from, times) in &times {
            if *times > 1 {
                wrong.push((
                    Anomaly::NotExactlyOnce,
                    format!("{from} was derived from {times} times"),
                ));
            }
            if !self.committed.contains_key(from) {
                wrong.push((
                    Anomaly::DirtyRead,
                    format!("{from} was derived from and is not committed"),
                ));
            }
        }
        let sources = self
            .history
            .committed_log
            .iter()
            .filter(|seen| self.history.sources.contains(&seen.partition));
        for seen in sources.filter(|seen| !times.contains_key(&seen.value)) {
            wrong.push((Anomaly::NotExactlyOnce, format!("{seen:?} was not derived from")));
        }
        self.findings.extend(wrong);
    }
}
