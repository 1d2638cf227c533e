//! The log against a model of it, under a vocabulary of actions: what clients do, what time does, and what goes wrong.
//!
//! The model is a list of what was acknowledged. After every action, the log must hold exactly that: by offset, in order,
//! byte for byte, less what retention, deletion and compaction may take. After a kill nothing acknowledged may be missing;
//! after a power loss nothing that was synced, and what is there must be a prefix. The store may lose what it had not
//! flushed each time. A failing case is printed, and kept beside the sources.
//!
//! The same vocabulary runs on the disk in memory, with all that can go wrong there, and on real files with a real store,
//! where only kills and restarts can. Another test sees to it that every word does what it is there for.

use std::collections::{BTreeMap, HashMap};

use proptest::{prelude::*, sample::select, strategy::ValueTree};
use tokio::runtime::Runtime;

use super::*;
use crate::log::{CleanupPolicy, disk::memory::Call};

const CALLS: [Call; 9] = [
    Call::Open,
    Call::Write,
    Call::Read,
    Call::Sync,
    Call::Rename,
    Call::Remove,
    Call::Resize,
    Call::List,
    Call::Create,
];

#[derive(Clone, Debug)]
enum Action {
    /// So many records, of so many bytes, later than the last ones by so much.
    Append {
        records: usize,
        bytes: usize,
        later_ms: i64,
    },
    /// The next batch of an idempotent producer, or its last one again.
    Produce {
        producer: i64,
        again: bool,
    },
    Fetch {
        from: f64,
        max_bytes: usize,
    },
    ListByTime {
        time: f64,
    },
    Roll,
    Retain {
        later_ms: i64,
    },
    Compact {
        later_ms: i64,
    },
    DeleteRecords {
        before: f64,
        flush: bool,
    },
    Sync,
    Checkpoint,
    Keep {
        later_ms: i64,
    },
    FlushStore,
    Restart,
    /// Opening the log fails at a call, and then does not.
    FailToOpen {
        call: Call,
        after: usize,
    },
    Kill {
        store_kept: usize,
    },
    PowerLoss {
        store_kept: usize,
        seed: u64,
    },
    Fail {
        call: Call,
        after: usize,
        full: bool,
    },
    DiskFull {
        free_bytes: usize,
    },
}

fn action() -> impl Strategy<Value = Action> {
    let calls = || select(CALLS.to_vec());
    prop_oneof![
        12 => (1..5usize, 0..120usize, 0..50i64)
            .prop_map(|(records, bytes, later_ms)| Action::Append { records, bytes, later_ms }),
        6 => (1..4i64, any::<bool>()).prop_map(|(producer, again)| Action::Produce { producer, again }),
        6 => (0.0..1.0, 1..2_000usize).prop_map(|(from, max_bytes)| Action::Fetch { from, max_bytes }),
        3 => (0.0..1.0).prop_map(|time| Action::ListByTime { time }),
        3 => Just(Action::Roll),
        2 => (0..600i64).prop_map(|later_ms| Action::Retain { later_ms }),
        3 => (0..600i64).prop_map(|later_ms| Action::Compact { later_ms }),
        2 => (0.0..1.0, any::<bool>()).prop_map(|(before, flush)| Action::DeleteRecords { before, flush }),
        3 => Just(Action::Sync),
        3 => Just(Action::Checkpoint),
        3 => (0..20_000i64).prop_map(|later_ms| Action::Keep { later_ms }),
        2 => Just(Action::FlushStore),
        2 => Just(Action::Restart),
        3 => (0..5usize).prop_map(|store_kept| Action::Kill { store_kept }),
        3 => (0..5usize, any::<u64>()).prop_map(|(store_kept, seed)| Action::PowerLoss { store_kept, seed }),
        2 => (calls(), 0..6usize, any::<bool>()).prop_map(|(call, after, full)| Action::Fail { call, after, full }),
        2 => (calls(), 0..12usize).prop_map(|(call, after)| Action::FailToOpen { call, after }),
        1 => (0..300usize).prop_map(|free_bytes| Action::DiskFull { free_bytes }),
    ]
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    offset: i64,
    key: String,
    value: String,
    timestamp_ms: i64,
}

/// The last batch of a producer.
#[derive(Clone, Debug)]
struct Sent {
    sequence: i32,
    offset: i64,
    bytes: Vec<u8>,
}

struct Run {
    world: World,
    /// `None` for real files.
    memory: Option<MemoryDisk>,
    /// How often each word of the vocabulary did what it is there for.
    spoken: BTreeMap<&'static str, usize>,
    runtime: Runtime,
    config: LogConfig,
    dir: Arc<LogDir>,
    log: PartitionLog,
    now_ms: i64,
    entries: Vec<Entry>,
    log_start: i64,
    /// The log start offset cannot go back below.
    durable_start: i64,
    log_end: i64,
    synced: i64,
    producers: HashMap<i64, Vec<Sent>>,
    /// A fault may happen at any call.
    faulty: bool,
}

impl Run {
    fn new(compact: bool, flush: bool) -> Self {
        Self::on(World::in_memory(), compact, flush)
    }

    fn on(mut world: World, compact: bool, flush: bool) -> Self {
        // So that files are opened again and again.
        world.open_files_max = 1;
        let config = LogConfig {
            cleanup_policy: CleanupPolicy {
                delete: !compact,
                compact,
            },
            segment_bytes: 900,
            index_interval_bytes: 150,
            retention_ms: 2_000,
            retention_bytes: if compact { -1 } else { 6_000 },
            min_cleanable_dirty_ratio: 0.01,
            flush_messages: if flush { 1 } else { i64::MAX },
            flush_ms: 15_000,
            file_delete_delay_ms: 1_000,
            ..LogConfig::default()
        };
        let dir = world.dir();
        let log = world.open_partition(&dir, 0, &config);
        Self {
            memory: world.memory.clone(),
            spoken: BTreeMap::new(),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            world,
            config,
            dir,
            log,
            now_ms: NOW,
            entries: Vec::new(),
            log_start: 0,
            durable_start: 0,
            log_end: 0,
            synced: 0,
            producers: HashMap::new(),
            faulty: false,
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Append {
                records,
                bytes,
                later_ms,
            } => {
                self.now_ms += later_ms;
                let batch = self.batch(BatchBuilder::new(), records, bytes);
                self.append(&batch, None);
            }
            Action::Produce { producer, again } => self.produce(producer, again),
            Action::Fetch { from, max_bytes } => self.fetch(self.at(from), max_bytes),
            Action::ListByTime { time } => self.list_by_time(NOW + ((self.now_ms - NOW) as f64 * time) as i64),
            Action::Roll => {
                let segments = self.log.segments().len();
                drop(self.log.roll(self.now_ms));
                self.say("roll", self.log.segments().len() > segments);
            }
            Action::Retain { later_ms } => {
                self.now_ms += later_ms;
                let gone = self.log.retain(self.now_ms).unwrap_or(0);
                self.say("retain", gone > 0);
                self.start_moved();
            }
            Action::Compact { later_ms } => {
                self.now_ms += later_ms;
                let compacted = self.log.compact(self.now_ms, 30 * 24).ok().flatten();
                self.say(
                    "compact",
                    compacted.is_some_and(|done| done.bytes_after < done.bytes_before),
                );
            }
            Action::DeleteRecords { before, flush } => {
                if self.log.delete_records(self.at(before)).is_ok() {
                    let start = self.log_start;
                    self.start_moved();
                    self.say("delete records", self.log_start > start);
                    if flush {
                        self.flush_store();
                    }
                }
            }
            Action::Sync => {
                let end = self.log_end;
                let synced = self.runtime.block_on(self.log.synced(end)).is_ok();
                self.say("sync", synced && end > self.synced);
                if synced {
                    self.synced = self.synced.max(end);
                }
            }
            Action::Checkpoint => drop(self.log.checkpoint(self.now_ms)),
            Action::Keep { later_ms } => {
                self.now_ms += later_ms;
                self.dir.keep(self.now_ms);
                self.synced = self.synced.max(self.log.synced_offset());
            }
            Action::FlushStore => self.flush_store(),
            Action::Restart => {
                let closed = self.log.close().is_ok();
                if closed {
                    self.synced = self.log_end;
                    self.flush_store();
                }
                self.say("restart", closed);
                self.reopen();
            }
            Action::Kill { store_kept } => {
                self.world.store.crash(store_kept);
                self.say("kill", true);
                self.reopen();
            }
            Action::FailToOpen { call, after } => {
                self.heal();
                self.world.store.crash(0);
                if let Some(memory) = &self.memory {
                    memory.fail(call, after, std::io::ErrorKind::Other);
                    let config = Arc::new(self.config.clone());
                    let dir = LogDir::on_disk(&self.world.path, &self.world.store, Arc::clone(&self.world.disk), 100);
                    let opened =
                        dir.and_then(|dir| PartitionLog::open(&dir, TOPIC, Uuid::from_u128(7), 0, config, self.now_ms));
                    self.say("fail to open", opened.is_err());
                }
                self.reopen();
            }
            _ => self.disaster(action),
        }
    }

    /// What real files cannot be made to do.
    fn disaster(&mut self, action: &Action) {
        let Some(memory) = self.memory.clone() else { return };
        match *action {
            Action::PowerLoss { store_kept, seed } => {
                memory.power_loss(seed);
                self.world.store.crash(store_kept);
                self.lose_power();
            }
            Action::Fail { call, after, full } => {
                let kind = if full {
                    std::io::ErrorKind::StorageFull
                } else {
                    std::io::ErrorKind::Other
                };
                memory.fail(call, after, kind);
                self.faulty = true;
            }
            Action::DiskFull { free_bytes } => {
                memory.set_free_bytes(Some(free_bytes));
                self.faulty = true;
            }
            _ => {}
        }
    }

    fn all(&mut self, actions: &[Action]) {
        for action in actions {
            self.act(action);
            self.check();
        }
        self.act(&Action::Kill { store_kept: 1 });
        self.check();
    }

    /// A word was said, and did or did not do what it is there for.
    fn say(&mut self, word: &'static str, did: bool) {
        *self.spoken.entry(word).or_default() += usize::from(did);
    }

    fn heal(&mut self) {
        if let Some(memory) = &self.memory {
            memory.heal();
            memory.set_free_bytes(None);
        }
        self.faulty = false;
    }

    /// An offset in the log, or its end.
    fn at(&self, part: f64) -> i64 {
        self.log_start + ((self.log_end - self.log_start) as f64 * part).round() as i64
    }

    fn batch(&self, builder: BatchBuilder, records: usize, bytes: usize) -> Vec<u8> {
        let add = |builder: BatchBuilder, n: usize| {
            let (key, value) = self.record(n, bytes);
            builder.record(self.now_ms, Some(key.as_bytes()), Some(value.as_bytes()))
        };
        (0..records).fold(builder, add).build().unwrap()
    }

    fn record(&self, n: usize, bytes: usize) -> (String, String) {
        let offset = self.log_end as usize + n;
        (
            format!("key {}", (offset * 7 + bytes) % 9),
            format!("{offset} {}", "v".repeat(bytes)),
        )
    }

    /// Appends, and says whether it was acknowledged.
    fn append(&mut self, bytes: &[u8], producer: Option<(i64, i32)>) -> bool {
        let appended = match self.log.append(bytes, Origin::Client, 0, self.now_ms) {
            Ok(appended) => appended,
            Err(error) => {
                assert!(self.faulty, "{error}");
                let word = match error {
                    AppendError::DiskFull => "disk full",
                    AppendError::Offline(_) => "offline",
                    _ => "unwritten",
                };
                self.say(word, true);
                return false;
            }
        };
        self.say("append", true);
        assert!(!appended.duplicate);
        assert_eq!(appended.base_offset, self.log_end);
        let batch = Batches::new(bytes).next().unwrap().unwrap();
        for record in Records::new(&batch.header, batch.payload()) {
            let record = record.unwrap();
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            let (key, value) = (text(record.key), text(record.value));
            let offset = appended.base_offset + record.offset;
            self.entries.push(Entry {
                offset,
                key,
                value,
                timestamp_ms: record.timestamp,
            });
        }
        self.log_end = appended.last_offset + 1;
        assert_eq!(appended.needs_sync, self.config.flush_messages == 1);
        // Only then it is acknowledged, and must survive whatever comes.
        if appended.needs_sync && self.runtime.block_on(self.log.synced(self.log_end)).is_ok() {
            self.say("acknowledge", true);
            self.synced = self.synced.max(self.log_end);
        }
        if let Some((id, sequence)) = producer {
            let sent = Sent {
                sequence,
                offset: appended.base_offset,
                bytes: bytes.to_vec(),
            };
            self.producers.entry(id).or_default().push(sent);
        }
        true
    }

    fn produce(&mut self, id: i64, again: bool) {
        let last = self.producers.get(&id).and_then(|sent| sent.last()).cloned();
        if let Some(last) = last.clone().filter(|last| again && last.offset >= self.log_start) {
            match self.log.append(&last.bytes, Origin::Client, 0, self.now_ms) {
                Ok(appended) => {
                    self.say("duplicate", true);
                    assert_eq!((appended.duplicate, appended.base_offset), (true, last.offset));
                }
                Err(error) => assert!(self.faulty, "{error}"),
            }
            return;
        }
        let sequence = last.map_or(0, |last| last.sequence + 1);
        let batch = self.batch(BatchBuilder::new().producer(id, 0, sequence), 1, 20);
        self.append(&batch, Some((id, sequence)));
    }

    fn fetch(&mut self, from: i64, max_bytes: usize) {
        let read = match self.log.read(from, max_bytes, true, Isolation::ReadUncommitted) {
            Ok(read) => read,
            Err(error) => return assert!(self.faulty, "{error}"),
        };
        let Some(chunk) = read.chunk else {
            return assert_eq!(from, self.log_end);
        };
        let Ok(bytes) = chunk.read() else {
            return assert!(self.faulty);
        };
        self.say("fetch", true);
        let first = Batches::new(&bytes).next().unwrap().unwrap();
        assert!(first.header.last_offset() >= from);
        assert!(bytes.len() <= max_bytes || first.bytes.len() == bytes.len());
    }

    fn list_by_time(&mut self, timestamp_ms: i64) {
        let found = match self.log.offset_for_time(timestamp_ms) {
            Ok(found) => found.map(|found| (found.offset, found.timestamp_ms)),
            Err(error) => return assert!(self.faulty, "{error}"),
        };
        self.say("list by time", found.is_some());
        let readable = self.entries.iter().filter(|entry| entry.offset >= self.log_start);
        let mut later = readable.filter(|entry| entry.timestamp_ms >= timestamp_ms);
        if self.config.cleanup_policy.compact {
            // Compaction may have taken the first of them.
            assert!(found.is_none_or(|found| later.any(|entry| (entry.offset, entry.timestamp_ms) == found)));
        } else {
            assert_eq!(found, later.next().map(|entry| (entry.offset, entry.timestamp_ms)));
        }
    }

    fn start_moved(&mut self) {
        let start = self.log.offsets().log_start_offset;
        assert!(start >= self.log_start);
        self.log_start = start;
    }

    fn flush_store(&mut self) {
        self.world.store.flush_blocking().unwrap();
        self.durable_start = self.log_start;
    }

    fn reopen(&mut self) {
        self.heal();
        self.dir = self.world.dir();
        self.log = self.world.open_partition(&self.dir, 0, &self.config);
        let start = self.log.offsets().log_start_offset;
        assert!(
            (self.durable_start..=self.log_start).contains(&start),
            "{start} {}",
            self.log_start
        );
        self.log_start = start;
    }

    fn lose_power(&mut self) {
        self.reopen();
        let end = self.log.offsets().log_end_offset;
        assert!(
            (self.synced..=self.log_end).contains(&end),
            "{} {end} {}",
            self.synced,
            self.log_end
        );
        self.say("power loss", true);
        self.say("power loss that cost records", end < self.log_end);
        self.log_end = end;
        self.entries.retain(|entry| entry.offset < end);
        for sent in self.producers.values_mut() {
            sent.retain(|sent| sent.offset < end);
        }
        self.producers.retain(|_, sent| !sent.is_empty());
        // What recovery found may be in the page cache alone; what was synced is still.
        self.synced = self.synced.min(end);
    }

    /// The log holds what the model says.
    fn check(&self) {
        let offsets = self.log.offsets();
        assert_eq!(
            (offsets.log_start_offset, offsets.log_end_offset),
            (self.log_start, self.log_end)
        );
        if self.faulty {
            // Reading would use up the fault that is to happen in an action.
            return;
        }
        let found = all(&self.log);
        let mut expected = self.entries.iter().filter(|entry| entry.offset >= self.log_start);
        if !self.config.cleanup_policy.compact {
            let expected: Vec<_> = expected.map(|entry| (entry.offset, entry.value.clone())).collect();
            assert_eq!(found, expected);
            return;
        }
        let mut latest = HashMap::new();
        for entry in expected.clone() {
            latest.insert(&entry.key, entry.offset);
        }
        for (offset, value) in &found {
            let entry = expected.find(|entry| entry.offset == *offset);
            assert_eq!(entry.map(|entry| &entry.value), Some(value), "at {offset}");
            latest.retain(|_, latest| latest != offset);
        }
        assert!(latest.is_empty(), "missing: {latest:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn the_log_agrees_with_its_model(
        compact in any::<bool>(),
        flush in any::<bool>(),
        actions in prop::collection::vec(action(), 1..80),
    ) {
        Run::new(compact, flush).all(&actions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn real_files_agree_with_the_model(
        compact in any::<bool>(),
        flush in any::<bool>(),
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let mut world = World::on_disk();
        world.store = Store::open(&world.path).unwrap();
        Run::on(world, compact, flush).all(&actions);
    }
}

#[test]
fn every_word_does_what_it_is_there_for() {
    let strategy = (any::<bool>(), any::<bool>(), prop::collection::vec(action(), 80));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut spoken = BTreeMap::new();
    for _ in 0..100 {
        let (compact, flush, actions) = strategy.new_tree(&mut runner).unwrap().current();
        let mut run = Run::new(compact, flush);
        run.all(&actions);
        for (word, count) in run.spoken {
            *spoken.entry(word).or_insert(0) += count;
        }
    }
    println!("{spoken:?}");
    let words = [
        "append",
        "acknowledge",
        "duplicate",
        "fetch",
        "list by time",
        "roll",
        "retain",
        "compact",
        "delete records",
        "sync",
        "restart",
        "kill",
        "power loss",
        "power loss that cost records",
        "fail to open",
        "disk full",
        "offline",
        "unwritten",
    ];
    for word in words {
        assert!(spoken.get(word).is_some_and(|count| *count > 0), "{word}: {spoken:?}");
    }
}
