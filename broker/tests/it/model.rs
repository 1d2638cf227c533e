//! Sequences of what clients do, over a real socket and across restarts, agree with a model in memory.
//!
//! The model is what Apache Kafka's documentation promises of a partition: offsets without gaps, records as they were
//! sent, a log start that only grows, timestamps that are searched in offset order, a repeated batch that counts once.
//! A broker that is killed has lost nothing that it acknowledged.

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::ApiKey;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tickertape_broker::wire::batch::Batches;
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::wire::compression::Compression;
use tickertape_broker::wire::record::Records;

use crate::support::calls::{Topic, version};
use crate::support::client::Client;
use crate::support::process::Process;

const PARTITIONS: i32 = 2;
const GROUPS: [&str; 2] = ["readers", "auditors"];

/// Where in a log, relative to what it holds: so that most actions hit something.
#[derive(Clone, Copy, Debug)]
enum Place {
    Start,
    Within(u8),
    End,
    BeforeStart,
    BeyondEnd,
}

#[derive(Clone, Debug)]
enum Action {
    Produce {
        partition: i32,
        records: Vec<(i64, Option<u8>, u8)>,
        codec: Compression,
        idempotent: bool,
        version: u8,
    },
    /// The last batch of the idempotent producer once more.
    Repeat {
        partition: i32,
        version: u8,
    },
    /// A batch of the idempotent producer that leaves a gap before it.
    Skip {
        partition: i32,
        version: u8,
    },
    Fetch {
        partition: i32,
        at: Place,
        bytes_max: i32,
        version: u8,
    },
    ListByTime {
        partition: i32,
        timestamp: i64,
        version: u8,
    },
    ListEnds {
        partition: i32,
        version: u8,
    },
    DeleteRecords {
        partition: i32,
        before: Place,
        version: u8,
    },
    Commit {
        group: usize,
        partition: i32,
        at: Place,
        version: u8,
    },
    Committed {
        group: usize,
        partition: i32,
        version: u8,
    },
    Restart {
        kill: bool,
    },
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let partition = || 0..PARTITIONS;
    let group = || 0..GROUPS.len();
    let place = || {
        prop_oneof![
            2 => Just(Place::Start),
            4 => any::<u8>().prop_map(Place::Within),
            2 => Just(Place::End),
            1 => Just(Place::BeforeStart),
            1 => Just(Place::BeyondEnd),
        ]
    };
    let timestamp = || 1_000..1_100i64;
    let records = prop::collection::vec((timestamp(), prop::option::of(any::<u8>()), any::<u8>()), 1..6);
    let codec = prop::sample::select(&Compression::ALL[..]);
    let action = prop_oneof![
        8 => (partition(), records, codec, any::<bool>(), any::<u8>()).prop_map(
            |(partition, records, codec, idempotent, version)| Action::Produce {
                partition,
                records,
                codec,
                idempotent,
                version,
            }
        ),
        1 => (partition(), any::<u8>()).prop_map(|(partition, version)| Action::Skip { partition, version }),
        2 => (partition(), any::<u8>()).prop_map(|(partition, version)| Action::Repeat { partition, version }),
        6 => (partition(), place(), 1..2_000i32, any::<u8>()).prop_map(
            |(partition, at, bytes_max, version)| Action::Fetch { partition, at, bytes_max, version }
        ),
        3 => (partition(), 990..1_110i64, any::<u8>()).prop_map(
            |(partition, timestamp, version)| Action::ListByTime { partition, timestamp, version }
        ),
        2 => (partition(), any::<u8>()).prop_map(|(partition, version)| Action::ListEnds { partition, version }),
        2 => (partition(), place(), any::<u8>()).prop_map(
            |(partition, before, version)| Action::DeleteRecords { partition, before, version }
        ),
        2 => (group(), partition(), place(), any::<u8>()).prop_map(
            |(group, partition, at, version)| Action::Commit { group, partition, at, version }
        ),
        2 => (group(), partition(), any::<u8>()).prop_map(
            |(group, partition, version)| Action::Committed { group, partition, version }
        ),
        2 => any::<bool>().prop_map(|kill| Action::Restart { kill }),
    ];
    prop::collection::vec(action, 1..40)
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
}

#[derive(Default)]
struct Partition {
    records: Vec<Kept>,
    start: usize,
    /// The idempotent producer's last batch here, and where it went.
    last: Option<(Vec<u8>, i64)>,
    sequence: i32,
}

impl Partition {
    fn place(&self, place: Place) -> i64 {
        let (start, end) = (self.start as i64, self.records.len() as i64);
        match place {
            Place::Start => start,
            Place::Within(byte) => start + i64::from(byte) % (end - start + 1),
            Place::End => end,
            Place::BeforeStart => start - 1,
            Place::BeyondEnd => end + 1,
        }
    }
}

struct World {
    directory: tempfile::TempDir,
    broker: Option<Process>,
    client: Client,
    topic: Topic,
    producer: (i64, i16),
    partitions: Vec<Partition>,
    committed: BTreeMap<(usize, i32), (i64, String)>,
}

/// Small segments and an index that is not too sparse, so that a few batches make several of each; no retention, as the
/// timestamps are long past.
const CONFIGS: [(&str, &str); 3] = [
    ("internal.segment.bytes", "2048"),
    ("index.interval.bytes", "100"),
    ("retention.ms", "-1"),
];

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broker = Process::start(directory.path(), &[]);
        let mut client = broker.connect();
        let topic = client.create_topic("model", PARTITIONS, &CONFIGS);
        let producer = client.init_producer_id(version(ApiKey::InitProducerId, 1));
        Self {
            directory,
            broker: Some(broker),
            client,
            topic,
            producer,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            committed: BTreeMap::new(),
        }
    }

    fn run(&mut self, action: Action) {
        match action {
            Action::Produce {
                partition,
                records,
                codec,
                idempotent,
                version,
            } => self.produce(partition, records, codec, idempotent, version),
            Action::Skip { partition, version } => self.skip(partition, version),
            Action::Repeat { partition, version } => self.repeat(partition, version),
            Action::Fetch {
                partition,
                at,
                bytes_max,
                version,
            } => self.fetch(partition, at, bytes_max, version),
            Action::ListByTime {
                partition,
                timestamp,
                version,
            } => self.list_by_time(partition, timestamp, version),
            Action::ListEnds { partition, version } => self.list_ends(partition, version),
            Action::DeleteRecords {
                partition,
                before,
                version,
            } => self.delete_records(partition, before, version),
            Action::Commit {
                group,
                partition,
                at,
                version,
            } => self.commit(group, partition, at, version),
            Action::Committed {
                group,
                partition,
                version,
            } => self.check_committed(group, partition, version),
            Action::Restart { kill } => self.restart(kill),
        }
    }

    fn produce(
        &mut self,
        partition: i32,
        records: Vec<(i64, Option<u8>, u8)>,
        codec: Compression,
        idempotent: bool,
        pick: u8,
    ) {
        let model = &mut self.partitions[partition as usize];
        let mut version = version(ApiKey::Produce, pick);
        if codec == Compression::Zstd {
            version = version.max(7);
        }
        let mut batch = BatchBuilder::new().compression(codec);
        if idempotent {
            batch = batch.producer(self.producer.0, self.producer.1, model.sequence);
            model.sequence += records.len() as i32;
        }
        let base = model.records.len() as i64;
        for (timestamp, key, value) in records {
            let kept = Kept {
                timestamp,
                key: key.map(|key| vec![key]),
                value: vec![value; usize::from(value)],
            };
            batch = batch.record(timestamp, kept.key.as_deref(), Some(&kept.value));
            model.records.push(kept);
        }
        let batch = batch.build().unwrap();
        let answer = self.client.produce(version, &self.topic, partition, batch.clone());
        assert!(answer.error_code.is_ok(), "{answer:?}");
        assert_eq!(answer.base_offset, base);
        if version >= 5 {
            assert_eq!(answer.log_start_offset, model.start as i64);
        }
        if idempotent {
            model.last = Some((batch, base));
        }
    }

    fn repeat(&mut self, partition: i32, pick: u8) {
        let model = &mut self.partitions[partition as usize];
        // Once the batch is deleted, a restart may forget its producer, as it may in Apache Kafka.
        let Some((batch, base)) = model.last.clone().filter(|(_, base)| *base >= model.start as i64) else {
            return;
        };
        let version = version(ApiKey::Produce, pick).max(7);
        let answer = self.client.produce(version, &self.topic, partition, batch);
        assert!(answer.error_code.is_ok(), "{answer:?}");
        assert_eq!(
            answer.base_offset, base,
            "a batch that was sent twice has its first offset"
        );
    }

    fn skip(&mut self, partition: i32, pick: u8) {
        let model = &self.partitions[partition as usize];
        if model.last.as_ref().is_none_or(|(_, base)| *base < model.start as i64) {
            return;
        }
        let batch = BatchBuilder::new().producer(self.producer.0, self.producer.1, model.sequence + 1);
        let batch = batch.record(1_000, None, None).build().unwrap();
        let answer = self
            .client
            .produce(version(ApiKey::Produce, pick), &self.topic, partition, batch);
        assert_eq!(
            answer.error_code,
            ResponseError::OutOfOrderSequenceNumber.code(),
            "{answer:?}"
        );
    }

    fn fetch(&mut self, partition: i32, at: Place, bytes_max: i32, pick: u8) {
        let model = &self.partitions[partition as usize];
        let offset = model.place(at);
        let version = version(ApiKey::Fetch, pick);
        let answer = self.client.fetch(version, &self.topic, partition, offset, bytes_max);
        let (start, end) = (model.start as i64, model.records.len() as i64);
        if !(start..=end).contains(&offset) {
            assert_eq!(answer.error_code, ResponseError::OffsetOutOfRange.code(), "{answer:?}");
            return;
        }
        assert!(answer.error_code.is_ok(), "{answer:?}");
        assert_eq!((answer.high_watermark, answer.last_stable_offset), (end, end));
        if version >= 5 {
            assert_eq!(answer.log_start_offset, start);
        }
        let got = read(&answer.records.unwrap_or_default(), offset);
        assert!(
            offset == end || !got.is_empty(),
            "at least one batch, whatever the limit"
        );
        let wanted = &model.records[offset as usize..][..got.len()];
        for (index, ((got_offset, got), wanted)) in got.iter().zip(wanted).enumerate() {
            assert_eq!((*got_offset, got), (offset + index as i64, wanted));
        }
    }

    fn list_by_time(&mut self, partition: i32, timestamp: i64, pick: u8) {
        let model = &self.partitions[partition as usize];
        let mut kept = model.records.iter().enumerate().skip(model.start);
        let found = kept.find(|(_, kept)| kept.timestamp >= timestamp);
        let wanted = found.map_or((-1, -1), |(offset, kept)| (kept.timestamp, offset as i64));
        let version = version(ApiKey::ListOffsets, pick);
        assert_eq!(
            self.client.list_offset(version, &self.topic, partition, timestamp),
            wanted
        );
    }

    fn list_ends(&mut self, partition: i32, pick: u8) {
        let model = &self.partitions[partition as usize];
        let version = version(ApiKey::ListOffsets, pick);
        for (timestamp, wanted) in [(-1, model.records.len()), (-2, model.start)] {
            let listed = self.client.list_offset(version, &self.topic, partition, timestamp);
            assert_eq!(listed, (-1, wanted as i64));
        }
    }

    fn delete_records(&mut self, partition: i32, before: Place, pick: u8) {
        let model = &mut self.partitions[partition as usize];
        let before = model.place(before);
        let version = version(ApiKey::DeleteRecords, pick);
        let (error_code, low_watermark) = self.client.delete_records(version, &self.topic, partition, before);
        let end = model.records.len() as i64;
        if before > end {
            assert_eq!(error_code, ResponseError::OffsetOutOfRange.code());
            return;
        }
        // -1 stands for the high watermark; what is deleted already stays so.
        let before = if before == -1 { end } else { before };
        model.start = model.start.max(before as usize);
        assert!(error_code.is_ok(), "{error_code}");
        assert_eq!(low_watermark, model.start as i64);
    }

    fn commit(&mut self, group: usize, partition: i32, at: Place, pick: u8) {
        let offset = self.partitions[partition as usize].place(at).max(0);
        let metadata = format!("{pick}");
        let version = version(ApiKey::OffsetCommit, pick);
        let error = self
            .client
            .commit(version, GROUPS[group], &self.topic, partition, offset, &metadata);
        assert!(error.is_ok(), "{error}");
        self.committed.insert((group, partition), (offset, metadata));
    }

    fn check_committed(&mut self, group: usize, partition: i32, pick: u8) {
        let wanted = self
            .committed
            .get(&(group, partition))
            .cloned()
            .unwrap_or((-1, String::new()));
        let version = version(ApiKey::OffsetFetch, pick);
        assert_eq!(
            self.client.committed(version, GROUPS[group], &self.topic, partition),
            wanted
        );
    }

    fn restart(&mut self, kill: bool) {
        let broker = self.broker.take().unwrap();
        if kill {
            broker.kill();
        } else {
            broker.stop();
        }
        let broker = Process::start(self.directory.path(), &[]);
        self.client = broker.connect();
        self.broker = Some(broker);
    }

    /// Everything once more, however the sequence ended.
    fn check_all(&mut self) {
        for partition in 0..PARTITIONS {
            self.list_ends(partition, 3);
            for step in 0..=u8::try_from(self.partitions[partition as usize].records.len()).unwrap_or(u8::MAX) {
                self.fetch(partition, Place::Within(step), 1, step);
            }
            for group in 0..GROUPS.len() {
                self.check_committed(group, partition, 7);
            }
        }
    }
}

/// Offsets and records from `from` on, as a consumer reads them: whole batches, without what lies before.
fn read(bytes: &[u8], from: i64) -> Vec<(i64, Kept)> {
    let mut read = Vec::new();
    for batch in Batches::new(bytes) {
        let batch = batch.unwrap();
        batch.validate_crc().unwrap();
        let payload = batch.decompressed(1 << 20).unwrap();
        for record in Records::new(&batch.header, &payload) {
            let record = record.unwrap();
            let kept = Kept {
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.unwrap().to_vec(),
            };
            if record.offset >= from {
                read.push((record.offset, kept));
            }
        }
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn clients_see_what_the_model_says(actions in actions()) {
        let mut world = World::new();
        for action in actions {
            world.run(action);
        }
        world.check_all();
        world.restart(true);
        world.check_all();
    }
}

/// `TICKERTAPE_CASES` makes a longer run.
fn cases() -> u32 {
    std::env::var("TICKERTAPE_CASES")
        .ok()
        .map_or(16, |cases| cases.parse().unwrap())
}
