//! The loss of power under the real binary, at any point.
//!
//! The fault model is that of [`crate::cut`]: only what was synced is surely there, of all else anything may be.
//! Promised, where `flush.messages=1`: each acknowledged record is there, once, in order, with the same bytes, and none is
//! between them. Promised always: topics that were created are there, those that were deleted are not, committed offsets
//! and log start offsets are where they were acknowledged to be, and a transaction is there as a whole, with the offsets
//! committed in it, as its producer was told.
//!
//! `TICKERTAPE_POWER_ROUNDS` says how often the power goes, `TICKERTAPE_POWER_SEED` when.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{ApiKey, DeleteTopicsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rdkafka::{ClientConfig, Message as _};
use tempfile::NamedTempFile;
use tickertape_broker::clock::{Clock as _, SystemClock};
use tickertape_broker::wire::build::BatchBuilder;
use uuid::Uuid;

use crate::cut::{PowerCut, Unsynced};
use crate::support::broker::{read_to_the_end, reader};
use crate::support::calls::{Topic, latest};
use crate::support::client::Client;
use crate::support::process::{Process, command};
use crate::support::seed;

const ROUNDS_DEFAULT: u64 = 5;
const PARTITIONS: usize = 3;
/// Of this partition, records are deleted.
const CUT_PARTITION: usize = 2;
const RECORDS: &str = "records";
const LEDGER: &str = "ledger";
const GROUP: &str = "keepers";
const FLUSHED: &[(&str, &str)] = &[("flush.messages", "1"), ("segment.bytes", "1048576")];

/// A record's bytes: its number, and as much after it as makes sizes differ.
fn payload(number: i64) -> Vec<u8> {
    let mut payload = format!("{number}:").into_bytes();
    payload.resize(
        payload.len() + usize::try_from(number * 37 % 9_000).unwrap(),
        number as u8,
    );
    payload
}

/// What somebody does with a broker until it is gone, telling of each answer.
type Job<'a> = Box<dyn FnOnce(&mut Client, &Sender<()>) + Send + 'a>;

/// A broker's disk, and what must be on it.
struct House {
    disk: PowerCut,
    random: ChaCha8Rng,
    complaints: NamedTempFile,
    records: Topic,
    ledger: Topic,
    /// How many records of each partition are there.
    produced: [i64; PARTITIONS],
    start_offset: i64,
    committed: i64,
    transactions: i64,
    topics: BTreeMap<String, Uuid>,
}

/// What those know who used a broker when it died. Each was told of so many, and one more is in doubt.
#[derive(Default)]
struct Told {
    produced: [AtomicI64; PARTITIONS],
    start_offset: AtomicI64,
    /// Asked for, answered or not.
    start_offset_asked: AtomicI64,
    committed: AtomicI64,
    transactions: AtomicI64,
    topics: parking_lot::Mutex<Topics>,
}

#[derive(Default)]
struct Topics {
    /// There, as their clients know.
    known: BTreeMap<String, Uuid>,
    deleted: Vec<String>,
    in_doubt: Option<String>,
}

impl House {
    fn new(seed: u64) -> Self {
        let mut house = Self {
            complaints: NamedTempFile::new().unwrap(),
            disk: PowerCut::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
            records: Topic {
                name: RECORDS,
                id: Uuid::nil(),
            },
            ledger: Topic {
                name: LEDGER,
                id: Uuid::nil(),
            },
            produced: [0; PARTITIONS],
            start_offset: 0,
            committed: 0,
            transactions: 0,
            topics: BTreeMap::new(),
        };
        let broker = house.start();
        let mut client = broker.connect();
        house.records = client.create_topic(RECORDS, PARTITIONS as i32, FLUSHED);
        house.ledger = client.create_topic(LEDGER, 2, FLUSHED);
        broker.kill();
        house.disk.lose_power(Unsynced::Gone);
        // What else is expected stands on these.
        let broker = house.start();
        let names = house.topics_of(&mut broker.connect());
        assert_eq!(names.get(RECORDS), Some(&house.records.id), "{names:?}");
        assert_eq!(names.get(LEDGER), Some(&house.ledger.id), "{names:?}");
        broker.kill();
        house
    }

    fn command(&self) -> Command {
        // Below what is there, so that the names of both directories are to be made durable.
        let mut command = command("127.0.0.1:0", &self.disk.root().join("tickertape/broker"), &[]);
        command.stderr(File::options().append(true).open(&self.complaints).unwrap());
        self.disk.under(&mut command);
        command
    }

    fn start(&self) -> Process {
        Process::start_as(self.command())
    }

    /// Starts a broker, which ends before or shortly after it is ready.
    fn start_in_vain(&mut self) {
        let mut child = self.command().spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (ended, end) = channel::<()>();
        let reading = std::thread::spawn(move || {
            let _ = std::io::copy(&mut { stdout }, &mut std::io::sink());
            drop(ended);
        });
        let _ = end.recv_timeout(Duration::from_millis(self.random.random_range(0..300)));
        child.kill().unwrap();
        child.wait().unwrap();
        reading.join().unwrap();
    }

    /// Uses a broker until it is killed.
    fn use_one(&mut self, round: u64) -> Told {
        let broker = self.start();
        let known = self.known();
        let address = broker.address().to_owned();
        // As many answers as differ from round to round, then the end, wherever the others are.
        let wanted = self.random.random_range(1..400);
        let (told, house) = (&known, &*self);
        let mut jobs: Vec<Job<'_>> = vec![
            Box::new(|client, answers| house.commit(client, told, answers)),
            Box::new(|client, answers| house.transact(client, told, answers)),
            Box::new(|client, answers| make_topics(client, round, told, answers)),
        ];
        for partition in 0..PARTITIONS {
            jobs.push(Box::new(move |client, answers| {
                house.produce(client, partition, told, answers)
            }));
        }
        std::thread::scope(|scope| {
            let (answers, answered) = channel();
            for job in jobs {
                let (address, answers) = (&address, answers.clone());
                scope.spawn(move || Client::until_closed(address, |client| job(client, &answers)));
            }
            drop(answers);
            // Ends early where all of them have failed.
            answered.iter().take(wanted).for_each(drop);
            broker.kill();
            // They end when they notice, and may have been answered before.
            answered.iter().for_each(drop);
        });
        known
    }

    fn produce(&self, client: &mut Client, partition: usize, told: &Told, answers: &Sender<()>) {
        let (id, epoch) = client.init_producer_id(latest(ApiKey::InitProducerId));
        for sequence in 0.. {
            let number = told.produced[partition].load(Ordering::SeqCst);
            let batch = BatchBuilder::new()
                .producer(id, epoch, sequence)
                .record(SystemClock.now_ms(), None, Some(&payload(number)))
                .build()
                .unwrap();
            let produced = client.produce(latest(ApiKey::Produce), &self.records, partition as i32, batch);
            assert_eq!((produced.error_code, produced.base_offset), (0, number));
            told.produced[partition].store(number + 1, Ordering::SeqCst);
            answers.send(()).unwrap();
            if partition == CUT_PARTITION && number % 20 == 19 {
                let before = number - 9;
                told.start_offset_asked.store(before, Ordering::SeqCst);
                let deleted =
                    client.delete_records(latest(ApiKey::DeleteRecords), &self.records, partition as i32, before);
                assert_eq!(deleted, (0, before));
                told.start_offset.store(before, Ordering::SeqCst);
            }
        }
    }

    fn commit(&self, client: &mut Client, told: &Told, answers: &Sender<()>) {
        loop {
            let next = told.committed.load(Ordering::SeqCst) + 1;
            let metadata = format!("after {next}");
            let version = latest(ApiKey::OffsetCommit).min(9);
            assert_eq!(client.commit(version, GROUP, &self.records, 0, next, &metadata), 0);
            told.committed.store(next, Ordering::SeqCst);
            answers.send(()).unwrap();
        }
    }

    fn transact(&self, client: &mut Client, told: &Told, answers: &Sender<()>) {
        let mut me = client.init(5, None).unwrap();
        loop {
            let next = told.transactions.load(Ordering::SeqCst) + 1;
            for partition in 0..2 {
                client
                    .write(latest(ApiKey::Produce), &self.ledger, partition, me, 0)
                    .unwrap();
            }
            assert_eq!(client.commit_offset(5, me, LEDGER, next), 0);
            me = client.end(5, me, true).unwrap();
            told.transactions.store(next, Ordering::SeqCst);
            answers.send(()).unwrap();
        }
    }

    /// Looks whether what they were told is so.
    fn compare(&mut self, round: u64, told: &Told) {
        let broker = self.start();
        let mut client = broker.connect();
        let one_of = |what: &str, found: i64, told: &AtomicI64| {
            let told = told.load(Ordering::SeqCst);
            assert!(
                found == told || found == told + 1,
                "round {round}: {told} {what}, {found} are there"
            );
            found
        };
        for partition in 0..PARTITIONS {
            let mut next = None;
            read_to_the_end(
                &hasty_reader(&broker, "read_uncommitted"),
                RECORDS,
                partition as i32..partition as i32 + 1,
                |message| {
                    let number = message.offset();
                    assert_eq!(number, next.unwrap_or(number), "round {round}: without a gap");
                    assert!(
                        message.payload() == Some(&payload(number)),
                        "round {round}: record {number}"
                    );
                    next = Some(number + 1);
                },
            );
            let (_, start) =
                client.list_offset(latest(ApiKey::ListOffsets).min(7), &self.records, partition as i32, -2);
            let (_, end) = client.list_offset(latest(ApiKey::ListOffsets).min(7), &self.records, partition as i32, -1);
            assert_eq!(next.unwrap_or(start), end, "round {round}: what is there can be read");
            self.produced[partition] = one_of("records were acknowledged", end, &told.produced[partition]);
            if partition == CUT_PARTITION {
                let (acknowledged, asked) = (&told.start_offset, &told.start_offset_asked);
                let allowed = [acknowledged, asked].map(|offset| offset.load(Ordering::SeqCst));
                assert!(
                    allowed.contains(&start),
                    "round {round}: starts at {start}, not {allowed:?}"
                );
                self.start_offset = start;
            } else {
                assert_eq!(start, 0);
            }
        }
        let (committed, metadata) = client.committed(9, GROUP, &self.records, 0);
        self.committed = one_of("was committed", committed.max(0), &told.committed);
        assert!(committed <= 0 || metadata == format!("after {committed}"));
        self.transactions = one_of(
            "transactions were committed",
            self.whole_transactions(&broker, &mut client),
            &told.transactions,
        );
        self.compare_topics(round, &mut client, &told.topics.lock());
        broker.kill();
        let said = std::fs::read_to_string(&self.complaints).unwrap();
        assert!(said.is_empty(), "round {round}: {said}");
    }

    /// How many transactions are there, after what is in doubt was ended.
    fn whole_transactions(&self, broker: &Process, client: &mut Client) -> i64 {
        // The first is told that an old one is being aborted.
        while client.init(5, None).is_err() {}
        let count = |partition: i32| {
            let mut count = 0;
            read_to_the_end(
                &hasty_reader(broker, "read_committed"),
                LEDGER,
                partition..partition + 1,
                |_| count += 1,
            );
            count
        };
        let (first, second) = (count(0), count(1));
        assert_eq!(first, second, "a transaction is there in parts");
        let offset = client.fetch_offset(LEDGER, true).unwrap().max(0);
        assert_eq!(
            offset, first,
            "a transaction is there without its offsets, or they without it"
        );
        first
    }

    fn topics_of(&self, client: &mut Client) -> BTreeMap<String, Uuid> {
        let request = MetadataRequest::default().with_topics(None);
        let topics = client.call(latest(ApiKey::Metadata), &request).topics.into_iter();
        let named = topics.filter_map(|topic| Some((topic.name?.to_string(), topic.topic_id)));
        named.collect()
    }

    fn compare_topics(&mut self, round: u64, client: &mut Client, told: &Topics) {
        self.topics = self.topics_of(client);
        self.topics.retain(|name, _| name.starts_with("made"));
        for (name, id) in &told.known {
            if told.in_doubt.as_ref() != Some(name) {
                assert_eq!(self.topics.get(name), Some(id), "round {round}: {name}");
            }
        }
        for name in self.topics.keys() {
            let is_known = told.known.contains_key(name) || told.in_doubt.as_ref() == Some(name);
            assert!(
                is_known,
                "round {round}: {name} is there, was it deleted? {:?}",
                told.deleted
            );
        }
    }

    /// What is known of a disk that was looked at.
    fn known(&self) -> Told {
        Told {
            produced: self.produced.map(AtomicI64::new),
            start_offset: self.start_offset.into(),
            start_offset_asked: self.start_offset.into(),
            committed: self.committed.into(),
            transactions: self.transactions.into(),
            topics: Topics {
                known: self.topics.clone(),
                ..Topics::default()
            }
            .into(),
        }
    }

    fn lose_power(&mut self) {
        let unsynced = match self.random.random() {
            true => Unsynced::Gone,
            false => Unsynced::Any(self.random.random()),
        };
        println!("{unsynced:?}");
        self.disk.lose_power(unsynced);
    }

    fn round(&mut self, round: u64) {
        if self.random.random_range(0..4) == 0 {
            self.start_in_vain();
        }
        let told = self.use_one(round);
        // Sometimes a process takes over what the one before had not synced, and answers from it, before the power goes.
        if self.random.random_range(0..4) == 0 {
            self.compare(round, &told);
            self.lose_power();
            // Whoever reads a record that was not acknowledged cannot rely on it.
            let told = Told {
                produced: told.produced,
                ..self.known()
            };
            self.compare(round, &told);
        } else {
            self.lose_power();
            self.compare(round, &told);
        }
    }
}

/// A reader that is told at once where a partition ends.
fn hasty_reader(broker: &Process, isolation_level: &str) -> ClientConfig {
    let mut config = reader(broker.address(), isolation_level);
    config.set("fetch.wait.max.ms", "1");
    config
}

/// Makes topics, and deletes every third of them.
fn make_topics(client: &mut Client, round: u64, told: &Told, answers: &Sender<()>) {
    for number in 0..12 {
        let name = format!("made-{round}-{number}");
        told.topics.lock().in_doubt = Some(name.clone());
        let topic = client.create_topic(Box::leak(name.clone().into_boxed_str()), 2, &[]);
        told.topics.lock().known.insert(name.clone(), topic.id);
        answers.send(()).unwrap();
        if number % 3 == 2 {
            let state = DeleteTopicState::default().with_name(Some(TopicName(StrBytes::from_string(name.clone()))));
            let request = DeleteTopicsRequest::default()
                .with_topics(vec![state])
                .with_timeout_ms(60_000);
            let deleted = client.call(latest(ApiKey::DeleteTopics), &request);
            assert_eq!(deleted.responses[0].error_code, 0);
            let topics = &mut *told.topics.lock();
            topics.known.remove(&name);
            topics.deleted.push(name);
        }
        told.topics.lock().in_doubt = None;
        answers.send(()).unwrap();
    }
}

#[test]
fn what_was_acknowledged_survives_the_loss_of_power() {
    let seed = seed::number("TICKERTAPE_POWER_SEED").unwrap_or(1);
    println!("TICKERTAPE_POWER_SEED={seed}");
    let mut house = House::new(seed);
    for round in 0..seed::number("TICKERTAPE_POWER_ROUNDS").unwrap_or(ROUNDS_DEFAULT) {
        house.round(round);
    }
}
