//! The protocol against a world in memory, with the invariant checked after each step.
//!
//! What decides is the sink's own code: [`Batcher`], [`Writing`], [`TakingUp`], claims and their checksums. What carries
//! it out here is the adversary: several sinks that are killed between any two steps, that go on writing when the group
//! has long given their partition to another, whose puts are lost, or go through without an answer, or go through later,
//! after others have gone on; offsets that are lost or set by hand; messages deleted, from the front or by compaction; the topic
//! made anew.
//!
//! The invariant, for a reader who lists the prefix at that moment:
//! 1. no two objects have the same offset;
//! 2. every message below the highest offset that a sink has committed is in an object, unless it was named as lost, or was
//!    compacted away before a sink took it;
//! 3. all rows are of one incarnation of the topic.
//!
//! And at the end, with nothing going wrong any more, a sink brings everything that is left to the lake.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

use super::*;
use crate::{
    batch::{Batch, Record},
    batcher::{Batcher, Limits, Pushed},
    date::{DateRule, PartitionBy},
    decode::{OnNewType, Rules},
    encode::{Encoded, Encoding, Object},
    ledger::{BatchFacts, Claim, Claimant},
    names::{Compression, Format, Source},
    options::Break,
    schema::TableSchema,
};

const SINKS: usize = 3;
type Rows = BTreeMap<i64, u64>;

/// What may happen next.
#[derive(Clone, Debug)]
enum Action {
    Produce {
        messages: u8,
    },
    /// A sink takes messages into its open batch.
    Poll {
        sink: usize,
        messages: u8,
    },
    /// By age, size, memory or the clock: any moment may be one to cut.
    Cut {
        sink: usize,
    },
    /// The oldest batch of one of a sink's chains, or the taking up, goes one step.
    Step {
        sink: usize,
        chain: usize,
        fate: Fate,
    },
    Commit {
        sink: usize,
    },
    /// The group gives the partition to this sink. The one that had it isn't told.
    Assign {
        sink: usize,
    },
    /// A sink is told that its partition is another's. In time, it writes what is open; else it drops it.
    Revoke {
        sink: usize,
        in_time: bool,
    },
    Crash {
        sink: usize,
    },
    /// A put that nobody waits for any more goes through.
    Arrive {
        at: usize,
    },
    LoseOffsets,
    SetOffset {
        permille: u16,
    },
    Delete {
        permille: u16,
    },
    /// Every so many-th message is compacted away, but for the last ones.
    Compact {
        every: u8,
        but: u8,
    },
    MakeAnew,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    /// Carried out; the answer is lost, so it is done again.
    AnswerLost,
    /// Not carried out; done again.
    Lost,
    /// Carried out later; done again meanwhile.
    Late,
}

fn any_action() -> impl Strategy<Value = Action> {
    let sink = 0..SINKS;
    let fate = prop_oneof![
        8 => Just(Fate::Well),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Late),
    ];
    prop_oneof![
        6 => (1..5_u8).prop_map(|messages| Action::Produce { messages }),
        10 => (sink.clone(), 1..6_u8).prop_map(|(sink, messages)| Action::Poll { sink, messages }),
        6 => sink.clone().prop_map(|sink| Action::Cut { sink }),
        40 => (sink.clone(), 0..3_usize, fate).prop_map(|(sink, chain, fate)| Action::Step { sink, chain, fate }),
        6 => sink.clone().prop_map(|sink| Action::Commit { sink }),
        4 => sink.clone().prop_map(|sink| Action::Assign { sink }),
        2 => (sink.clone(), any::<bool>()).prop_map(|(sink, in_time)| Action::Revoke { sink, in_time }),
        2 => sink.prop_map(|sink| Action::Crash { sink }),
        2 => (0..8_usize).prop_map(|at| Action::Arrive { at }),
        1 => Just(Action::LoseOffsets),
        1 => (0..1_000_u16).prop_map(|permille| Action::SetOffset { permille }),
        1 => (0..1_000_u16).prop_map(|permille| Action::Delete { permille }),
        1 => (2..5_u8, 0..6_u8).prop_map(|(every, but)| Action::Compact { every, but }),
    ]
}

/// Now and then the topic is made anew, once in a history.
fn any_history() -> impl Strategy<Value = Vec<Action>> {
    let anew = prop::option::weighted(0.2, any::<prop::sample::Index>());
    (prop::collection::vec(any_action(), 1..160), anew).prop_map(|(mut actions, anew)| {
        if let Some(at) = anew {
            actions.insert(at.index(actions.len()), Action::MakeAnew);
        }
        actions
    })
}

/// A batch on its way to the lake.
struct Job {
    claim: Claim,
    objects: Vec<(String, Rows)>,
    /// How many of them are put.
    put: usize,
    writing: Writing,
    next: Next,
}

struct Taking {
    machine: TakingUp,
    step: TakeUp,
    read: Vec<(String, Rows)>,
    put: usize,
}

#[derive(Default)]
struct Sink {
    /// The place is being looked for; nothing is consumed meanwhile.
    taking: Option<Taking>,
    batcher: Option<Batcher>,
    position: i64,
    /// The incarnation that its consumer knows the topic by.
    incarnation: u64,
    /// Batches of one time that it had the partition follow each other; those of different times don't.
    chains: Vec<VecDeque<Job>>,
    committable: Option<(i64, i64)>,
}

enum Put {
    Claim(Box<Claim>),
    Object { key: String, rows: Rows, absent: bool },
}

struct World {
    broken: Option<Break>,
    incarnation: u64,
    low: i64,
    high: i64,
    claims: BTreeMap<i64, Claim>,
    objects: BTreeMap<String, Rows>,
    committed: Option<(i64, String)>,
    late: Vec<Put>,
    sinks: Vec<Sink>,
    /// Below this everything is promised.
    committed_max: i64,
    lost: BTreeSet<i64>,
    /// Compacted away.
    holes: BTreeSet<i64>,
    /// Where the first claim begins: what was deleted before, or passed over since the user asked for it, is not missed.
    begin: i64,
}

fn source() -> Source {
    Source {
        topic: "t".into(),
        partition: 0,
        epoch: 0,
    }
}

fn limits() -> Limits {
    Limits {
        records_max: 1_000,
        bytes_max: 1 << 20,
        age_max: Duration::from_secs(1),
        memory_max: 1 << 30,
        rotate_ms: None,
    }
}

fn encoding() -> Encoding {
    Encoding {
        table: "t".into(),
        format: Format::Json,
        compression: Compression::default(),
        dates: DateRule {
            by: PartitionBy::Record,
            fields: Vec::new(),
            lenient: true,
        },
        rules: Rules {
            on_new_type: OnNewType::Reject,
            time_fields: Vec::new(),
        },
    }
}

/// Two days, and some that are rejected.
fn day_of(content: u64) -> Option<i32> {
    match content % 5 {
        0 => None,
        rest => Some(i32::from(rest > 2)),
    }
}

fn content_at(incarnation: u64, offset: i64) -> u64 {
    incarnation * 1_000_003 + offset.unsigned_abs()
}

/// What the encoder makes of a batch, with rows in the place of bytes.
fn objects_of(batch: &Batch) -> Vec<(String, Option<i32>, Rows)> {
    let lake = "s3://lake".parse().unwrap();
    let rows = |positions: &[usize]| {
        let record = |at: &usize| {
            let record = batch.record(*at).unwrap();
            (
                record.offset,
                u64::from_le_bytes(record.value.unwrap().try_into().unwrap()),
            )
        };
        positions.iter().map(record).collect()
    };
    let (days, rejected) = batch.by_day();
    let range = batch.range();
    let mut objects: Vec<_> = days
        .iter()
        .map(|(day, positions)| {
            let key = range.object_key(&lake, "t", *day, Format::Json);
            (key, Some(*day), rows(positions))
        })
        .collect();
    if !rejected.is_empty() {
        objects.push((range.rejected_key(&lake, "t"), None, rows(&rejected)));
    }
    objects
}

fn job(batch: &Batch, sink: usize, broken: Option<Break>) -> Job {
    let objects = objects_of(batch);
    let encoded = Encoded {
        objects: objects
            .iter()
            .map(|(key, day, rows)| Object {
                key: key.clone(),
                day: *day,
                rows: rows.len() as u64,
                body: Bytes::new(),
            })
            .collect(),
        schema: TableSchema::default(),
        reasons: BTreeMap::new(),
    };
    let claimant = Claimant {
        group: "g".into(),
        owner: sink.to_string(),
    };
    let claim = Claim::new(&BatchFacts::of(batch).unwrap(), &encoded, &encoding(), &claimant);
    let (writing, next) = Writing::new(&claim, broken);
    Job {
        claim,
        objects: objects.into_iter().map(|(key, _, rows)| (key, rows)).collect(),
        put: 0,
        writing,
        next,
    }
}

impl World {
    fn new(broken: Option<Break>) -> Self {
        Self {
            broken,
            incarnation: 0,
            low: 0,
            high: 0,
            claims: BTreeMap::new(),
            objects: BTreeMap::new(),
            committed: None,
            late: Vec::new(),
            sinks: (0..SINKS).map(|_| Sink::default()).collect(),
            committed_max: 0,
            lost: BTreeSet::new(),
            holes: BTreeSet::new(),
            begin: 0,
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Produce { messages } => self.high += i64::from(messages),
            Action::Poll { sink, messages } => self.poll(sink, messages),
            Action::Cut { sink } => self.cut(sink),
            Action::Step { sink, chain, fate } => self.step(sink, chain, fate),
            Action::Commit { sink } => self.commit(sink),
            Action::Assign { sink } => self.take_up(sink),
            Action::Revoke { sink, in_time } => {
                if in_time {
                    self.cut(sink);
                }
                self.sinks[sink].batcher = None;
                self.sinks[sink].taking = None;
            }
            Action::Crash { sink } => self.sinks[sink] = Sink::default(),
            Action::Arrive { at } => {
                if !self.late.is_empty() {
                    let put = self.late.remove(at % self.late.len());
                    self.put(put);
                }
            }
            Action::LoseOffsets => self.committed = None,
            Action::SetOffset { permille } => {
                let offset = self.low + (self.high - self.low) * i64::from(permille) / 1_000;
                self.committed = Some((offset, String::new()));
            }
            Action::Delete { permille } => self.low += (self.high - self.low) * i64::from(permille) / 1_000,
            Action::Compact { every, but } => {
                let every = i64::from(every);
                self.holes
                    .extend((self.low..self.high - i64::from(but)).filter(|offset| offset % every == 0));
            }
            Action::MakeAnew => {
                // What is gone of the one before is missed no more.
                self.lost.append(&mut self.holes);
                // The next incarnation has as many messages or fewer, and none in common.
                self.incarnation += 1;
                self.low = 0;
                self.high /= 2;
            }
        }
    }

    /// The store: whether it was made.
    fn put(&mut self, put: Put) -> bool {
        match put {
            Put::Claim(claim) => {
                let conditional = self.broken != Some(Break::ClaimWithoutCondition);
                if conditional && self.claims.contains_key(&claim.start) {
                    return false;
                }
                if claim.start == 0 && !self.claims.contains_key(&0) {
                    // A group that has written nothing begins with what there is.
                    self.begin = self.begin.max(claim.first);
                }
                self.claims.insert(claim.start, *claim);
            }
            Put::Object { key, rows, absent } => {
                if absent && self.objects.contains_key(&key) {
                    return false;
                }
                self.objects.insert(key, rows);
            }
        }
        true
    }

    /// A put of which the sink learns, or not. `None` if it has to be done again.
    fn try_put(&mut self, put: Put, fate: Fate) -> Option<bool> {
        match fate {
            Fate::Well => Some(self.put(put)),
            Fate::AnswerLost => {
                self.put(put);
                None
            }
            Fate::Lost => None,
            Fate::Late => {
                self.late.push(put);
                None
            }
        }
    }

    fn take_up(&mut self, sink: usize) {
        let (offset, note) = match &self.committed {
            Some((offset, note)) => (Some(*offset), note.as_str()),
            None => (None, ""),
        };
        let (machine, step) = TakingUp::new(progress_of(0, offset, note));
        let of = &mut self.sinks[sink];
        of.batcher = None;
        of.incarnation = self.incarnation;
        of.chains.push(VecDeque::new());
        of.taking = Some(Taking {
            machine,
            step,
            read: Vec::new(),
            put: 0,
        });
    }

    fn poll(&mut self, sink: usize, messages: u8) {
        if self.sinks[sink].batcher.is_some() && self.sinks[sink].incarnation != self.incarnation {
            // Its consumer is told that the topic has another id before it gets a message of it.
            return self.take_up(sink);
        }
        let of = &mut self.sinks[sink];
        let Some(batcher) = &mut of.batcher else { return };
        if of.position > self.high {
            // auto.offset.reset=earliest
            of.position = self.low;
        }
        for _ in 0..messages {
            let mut offset = of.position.max(self.low);
            while self.holes.contains(&offset) {
                offset += 1;
            }
            if offset >= self.high {
                return;
            }
            if of.position < self.low && self.incarnation > 0 {
                // See `nothing_to_compare`.
                self.sinks[sink] = Sink::default();
                return;
            }
            let content = content_at(self.incarnation, offset);
            let value = content.to_le_bytes();
            let record = Record {
                offset,
                timestamp_ms: 0,
                value: Some(&value),
            };
            let mut pushed = batcher.push("t", 0, record, |_| day_of(content), Instant::now());
            if let Pushed::Gap { expected, .. } = pushed {
                // It is asked only where the offset that was due is gone.
                if of.position < self.low {
                    self.lost.extend(expected..self.low.min(offset));
                }
                pushed = batcher.push("t", 0, record, |_| day_of(content), Instant::now());
            } else if offset == of.position + 1 {
                // A single message that didn't come is mostly a transaction's marker and not looked for.
                self.lost.insert(of.position);
            }
            match pushed {
                Pushed::Kept | Pushed::PassedOver => of.position = offset + 1,
                Pushed::Behind { .. } | Pushed::Replaced { .. } => {
                    // It stops and says that the topic was made anew.
                    assert!(self.incarnation > 0, "a topic that is the same was refused");
                    self.sinks[sink] = Sink::default();
                    return;
                }
                Pushed::Gap { .. } | Pushed::Cut(_) => unreachable!("limits that are never reached"),
            }
        }
    }

    fn cut(&mut self, sink: usize) {
        let broken = self.broken;
        let of = &mut self.sinks[sink];
        let Some(batcher) = &mut of.batcher else { return };
        for cut in batcher.stop() {
            of.chains.last_mut().unwrap().push_back(job(&cut.batch, sink, broken));
        }
    }

    fn commit(&mut self, sink: usize) {
        if let Some((start, end)) = self.sinks[sink].committable.take() {
            self.committed = Some((end, note(0, start)));
            self.committed_max = self.committed_max.max(end);
        }
    }

    fn step(&mut self, sink: usize, chain: usize, fate: Fate) {
        let chains: Vec<usize> = (0..self.sinks[sink].chains.len())
            .filter(|at| !self.sinks[sink].chains[*at].is_empty())
            .collect();
        if self.sinks[sink].taking.is_some() && (chain == 0 || chains.is_empty()) {
            return self.step_taking(sink, fate);
        }
        if !chains.is_empty() {
            self.step_job(sink, chains[chain % chains.len()], fate);
        }
    }

    fn step_job(&mut self, sink: usize, chain: usize, fate: Fate) {
        let mut job = self.sinks[sink].chains[chain].pop_front().unwrap();
        let there;
        let answer = match &job.next {
            Next::Claim { .. } => match self.try_put(Put::Claim(Box::new(job.claim.clone())), fate) {
                Some(true) => Answer::Done,
                Some(false) => Answer::Exists,
                None => return self.sinks[sink].chains[chain].push_front(job),
            },
            Next::ReadClaim => {
                there = self.claims.get(&job.claim.start).cloned();
                Answer::Claim(there.as_ref())
            }
            Next::PutObjects => {
                let (key, rows) = job.objects[job.put].clone();
                let put = Put::Object {
                    key,
                    rows,
                    absent: false,
                };
                job.put += usize::from(self.try_put(put, fate).is_some());
                if job.put < job.objects.len() {
                    return self.sinks[sink].chains[chain].push_front(job);
                }
                Answer::Done
            }
            Next::Register => Answer::Done,
            Next::Commit => {
                self.sinks[sink].committable = Some((job.claim.start, job.claim.end));
                Answer::Done
            }
            Next::Written => return,
            Next::Fenced { .. } => {
                self.sinks[sink].chains[chain].clear();
                if self.sinks[sink].batcher.is_some() {
                    self.take_up(sink);
                }
                return;
            }
            Next::Vanished => panic!("a claim vanished"),
        };
        job.next = job.writing.next(&job.next, &answer);
        self.sinks[sink].chains[chain].push_front(job);
    }

    fn step_taking(&mut self, sink: usize, fate: Fate) {
        let mut taking = self.sinks[sink].taking.take().unwrap();
        let claim = taking.machine.claim().cloned();
        let heard = match &taking.step {
            TakeUp::FindLast { known } => {
                let from = known.filter(|start| self.claims.contains_key(start)).unwrap_or(0);
                Heard::Last(
                    self.claims
                        .range(from..)
                        .next_back()
                        .map(|(_, claim)| Box::new(claim.clone())),
                )
            }
            TakeUp::AskOffsets => Heard::Offsets {
                low: self.low,
                high: self.high,
            },
            TakeUp::Look => {
                let there = |object: &crate::ledger::ClaimedObject| self.objects.contains_key(&object.key);
                Heard::Missing(!claim.unwrap().objects.iter().all(there))
            }
            TakeUp::Read { from } => {
                let claim = claim.unwrap();
                let mut batch = Batch::new(source(), claim.start);
                let there = |offset: &i64| !self.holes.contains(offset);
                for offset in (self.low.max(*from)..self.high.min(claim.last.offset + 1)).filter(there) {
                    let content = content_at(self.incarnation, offset);
                    let value = content.to_le_bytes();
                    let record = Record {
                        offset,
                        timestamp_ms: 0,
                        value: Some(&value),
                    };
                    batch.push(record, day_of(content));
                }
                let facts = BatchFacts::of(&batch);
                if facts.is_some() {
                    taking.read = objects_of(&batch)
                        .into_iter()
                        .map(|(key, _, rows)| (key, rows))
                        .collect();
                }
                Heard::Read(facts)
            }
            TakeUp::PutObjects { absent } => {
                let (key, rows) = taking.read[taking.put].clone();
                let put = Put::Object {
                    key,
                    rows,
                    absent: *absent,
                };
                taking.put += usize::from(self.try_put(put, fate).is_some());
                if taking.put < taking.read.len() {
                    self.sinks[sink].taking = Some(taking);
                    return;
                }
                Heard::Done
            }
            TakeUp::Register => Heard::Done,
            TakeUp::Lost { from, to } => {
                self.lost.extend(*from..*to);
                Heard::Done
            }
            TakeUp::Thinned { .. } => {
                let claim = claim.unwrap();
                let gone = |offset: &i64| self.holes.contains(offset) || *offset < self.low;
                self.lost.extend((claim.first..claim.end).filter(gone));
                Heard::Done
            }
            TakeUp::Settled(_) if self.nothing_to_compare(claim.as_ref()) => {
                self.sinks[sink] = Sink::default();
                return;
            }
            TakeUp::Settled(place) => {
                let of = &mut self.sinks[sink];
                of.position = match place.from {
                    From::Beginning => self.low,
                    From::Offset(offset) => offset,
                };
                let mut batcher = Batcher::new(limits());
                batcher.assign(source(), place.start.clone());
                of.batcher = Some(batcher);
                if let Some(start) = place.uncommitted {
                    of.committable = Some((start, place.start.next));
                }
                return;
            }
            TakeUp::MadeAnew { .. } => {
                // It stops. Messages that were claimed and deleted while they were read again look the same, and so does a
                // claim of which the last message was compacted away.
                let gone = |claim: &Claim| self.low > claim.first || self.holes.contains(&claim.last.offset);
                let deleted = self.claims.values().next_back().is_some_and(gone);
                assert!(self.incarnation > 0 || deleted, "a topic that is the same was refused");
                self.sinks[sink] = Sink::default();
                return;
            }
        };
        taking.step = taking.machine.next(taking.step, heard);
        self.sinks[sink].taking = Some(taking);
    }

    /// A topic made anew whose message at the last offset written is deleted as well can't be told from the one before. That
    /// is said in the documentation, and left out here.
    fn nothing_to_compare(&self, claim: Option<&Claim>) -> bool {
        let gone = |claim: &Claim| self.low > claim.last.offset || self.holes.contains(&claim.last.offset);
        self.incarnation > 0 && claim.is_some_and(gone)
    }

    /// What a reader finds who lists the prefix now.
    fn check(&self) -> Result<(), TestCaseError> {
        let mut seen: BTreeMap<i64, (u64, &str)> = BTreeMap::new();
        for (key, rows) in &self.objects {
            for (offset, content) in rows {
                let twice = seen.insert(*offset, (*content, key));
                prop_assert!(twice.is_none(), "offset {} is in {:?} and in {}", offset, twice, key);
            }
        }
        let mut incarnations = seen
            .iter()
            .map(|(offset, (content, _))| content - offset.unsigned_abs());
        let first = incarnations.next();
        prop_assert!(
            incarnations.all(|other| Some(other) == first),
            "rows of two topics: {:?}",
            seen
        );
        self.whole(self.committed_max, &seen)
    }

    fn whole(&self, below: i64, seen: &BTreeMap<i64, (u64, &str)>) -> Result<(), TestCaseError> {
        for offset in self.begin..below {
            let there = seen.contains_key(&offset) || self.lost.contains(&offset) || self.holes.contains(&offset);
            prop_assert!(there, "offset {} is missing, and {} is committed", offset, below);
        }
        Ok(())
    }

    /// Nothing goes wrong any more: what is left is brought to the lake.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        self.sinks = (0..SINKS).map(|_| Sink::default()).collect();
        self.take_up(0);
        for _ in 0..200 {
            self.poll(0, u8::MAX);
            self.cut(0);
            self.step(0, 0, Fate::Well);
            self.commit(0);
            self.check()?;
        }
        // One that refused a topic made anew has stopped.
        if self.sinks[0].batcher.is_none() {
            return Ok(());
        }
        if self.claims.is_empty() {
            // Nothing is behind the place that the user has set, which may be the end of a topic made anew.
            self.begin = self.begin.max(self.sinks[0].position);
        }
        let rows: BTreeMap<i64, (u64, &str)> = self
            .objects
            .values()
            .flatten()
            .map(|(offset, content)| (*offset, (*content, "")))
            .collect();
        self.whole(self.high, &rows)
    }
}

fn holds(broken: Option<Break>, history: Vec<Action>) -> Result<(), TestCaseError> {
    let mut world = World::new(broken);
    for action in history {
        world.act(action);
        world.check()?;
    }
    world.settle()
}

proptest! {
    #![proptest_config(Config { cases: 2_000, max_shrink_iters: 20_000, ..Config::default() })]
    #[test]
    fn the_invariant_holds_after_every_step(history in any_history()) {
        holds(None, history)?;
    }
}

/// A sink that is broken on purpose is found out, by histories that are told by a fixed seed.
fn found_out(broken: Break) -> String {
    let config = Config {
        cases: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    match runner.run(&any_history(), |history| holds(Some(broken), history)) {
        Err(TestError::Fail(reason, history)) => {
            assert!(history.len() < 40, "not made small: {history:?}");
            reason.message().to_owned()
        }
        other => panic!("{broken:?} was not noticed: {other:?}"),
    }
}

#[test]
fn committing_before_the_data_is_found_out() {
    let reason = found_out(Break::CommitBeforeData);
    assert!(reason.contains("is missing"), "{reason}");
}

#[test]
fn claiming_without_the_condition_is_found_out() {
    let reason = found_out(Break::ClaimWithoutCondition);
    assert!(reason.contains("is in") || reason.contains("is missing"), "{reason}");
}
