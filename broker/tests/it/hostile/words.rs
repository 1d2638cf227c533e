//! What the fields of hostile frames say: few names and numbers, so that frames meet each other's topics, groups and
//! producers, and so that what they rightly make the broker keep is bounded.

use rand::Rng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use tickertape_broker::wire::batch::reseal;
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::wire::compression::Compression;
use tickertape_broker::wire::shapes::Field;

use crate::support::generate::Words;

/// Topics that frames create, fill, configure and delete.
pub(super) const TOPICS: [&str; 6] = ["prey-0", "prey-1", "prey-2", "prey-3", "prey-4", "prey-5"];
const NOT_TOPICS: [&str; 9] = [
    "",
    ".",
    "..",
    "a/b",
    "../../etc",
    "nul\0",
    "späte",
    "__consumer_offsets",
    "__transaction_state",
];
const GROUPS: [&str; 8] = ["herd-0", "herd-1", "herd-2", "herd-3", "herd-4", "", "группа", "a b\n"];
const TRANSACTIONAL_IDS: [&str; 5] = ["deal-0", "deal-1", "deal-2", "", "\u{10ffff}"];
const MEMBERS: [&str; 6] = [
    "",
    "nobody",
    "AAAAAAAAAAAAAAAAAAAAAA",
    "BBBBBBBBBBBBBBBBBBBBBA",
    "CCCCCCCCCCCCCCCCCCCCCA",
    "DDDDDDDDDDDDDDDDDDDDDA",
];
const INSTANCES: [&str; 3] = ["static-0", "static-1", ""];
const CONFIGS: [&str; 16] = [
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "segment.bytes",
    "segment.ms",
    "max.message.bytes",
    "compression.type",
    "flush.messages",
    "message.timestamp.type",
    "min.insync.replicas",
    "index.interval.bytes",
    "delete.retention.ms",
    "unclean.leader.election.enable",
    "consumer.session.timeout.ms",
    "no.such.config",
    "",
];
const VALUES: [&str; 20] = [
    "compact",
    "delete",
    "compact,delete",
    "0",
    "1",
    "-1",
    "-2",
    "1000",
    "1048576",
    "1048588",
    "9223372036854775807",
    "9223372036854775808",
    "1e9",
    "gzip",
    "zstd",
    "producer",
    "LogAppendTime",
    "true",
    "",
    "\0",
];
const EXPRESSIONS: [&str; 8] = [
    "prey-.*",
    ".*",
    "",
    "(",
    "(a*)*b",
    "((((((((((x{50}){50}){50}))))))))",
    "[[:alpha:]]+|\\p{L}*",
    "(?=a)",
];
const STATES: [&str; 8] = [
    "Stable",
    "Empty",
    "Dead",
    "PreparingRebalance",
    "Ongoing",
    "classic",
    "consumer",
    "nonsense",
];
/// Features that frames may ask to change without taking the rest of the run's groups away.
const FEATURES: [&str; 4] = ["metadata.version", "kraft.version", "no.such.feature", ""];

/// The words of one frame.
pub(super) struct Prey<'a> {
    /// The topics' ids.
    pub(super) topic_ids: &'a [[u8; 16]],
    /// Members that the broker has named.
    pub(super) members: &'a [String],
    /// Elements of each outermost array instead of a few.
    pub(super) elements: Option<usize>,
}

fn one(of: &[&str], rng: &mut ChaCha8Rng) -> String {
    // Always there, but for a program's error.
    (*of.choose(rng).unwrap_or(&"")).to_owned()
}

impl Words for Prey<'_> {
    fn text(&self, field: &Field, rng: &mut ChaCha8Rng) -> Option<String> {
        // The longest that a length can say, now and then.
        if rng.random_bool(0.001) {
            return Some("x".repeat([249, 250, 4_097, 32_767][rng.random_range(0..4)]));
        }
        let known: &[&str] = match (field.entity, field.name) {
            ("topicName", _) if rng.random_bool(0.1) => &NOT_TOPICS,
            ("topicName", _) => &TOPICS,
            ("groupId", _) => &GROUPS,
            ("transactionalId", _) | (_, "TransactionalIdPattern") => &TRANSACTIONAL_IDS,
            (_, "MemberId") => {
                return match self.members.choose(rng) {
                    Some(member) if rng.random_bool(0.7) => Some(member.clone()),
                    _ => Some(one(&MEMBERS, rng)),
                };
            }
            (_, "GroupInstanceId" | "InstanceId") => &INSTANCES,
            (_, "ProtocolType") => &["consumer", "consumer", "connect", ""],
            (_, "ProtocolName" | "ServerAssignor") => &["range", "uniform", "cooperative-sticky", ""],
            // Of a protocol, or of a config.
            (_, "Name") if rng.random_bool(0.3) => &["range", "roundrobin", "cooperative-sticky"],
            (_, "Name" | "ConfigurationKeys") => &CONFIGS,
            (_, "Value") => &VALUES,
            (_, "ResourceName") if rng.random_bool(0.2) => &["1", "0", "", "herd-0"],
            (_, "ResourceName") => &TOPICS,
            (_, "Key" | "CoordinatorKeys") => &GROUPS,
            (_, "SubscribedTopicRegex") => &EXPRESSIONS,
            (_, "StateFilters" | "StatesFilter" | "TypesFilter") => &STATES,
            (_, "Feature") => &FEATURES,
            _ => return None,
        };
        Some(one(known, rng))
    }

    fn bytes(&self, field: &Field, rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        match field.name {
            "Records" => Some(records(rng)),
            "Metadata" if rng.random_bool(0.8) => Some(subscription(rng)),
            _ => None,
        }
    }

    fn number(&self, field: &Field, rng: &mut ChaCha8Rng) -> Option<i64> {
        let known: &[i64] = match field.name {
            // What a frame makes stays small; what it asks for need not.
            "NumPartitions" | "Count" => &[-1, 0, 1, 2, 3, 4, -2, 1 << 24, i64::MAX],
            "ReplicationFactor" => &[-1, 1, 1, 0, 3],
            "MaxWaitMs" | "TimeoutMs" | "timeoutMs" => &[0, 1, 10, -1, 30_000, 0x7fff_ffff],
            "SessionTimeoutMs" | "RebalanceTimeoutMs" | "TransactionTimeoutMs" => {
                &[1, 10, 500, 1_000, -1, 0, 0x7fff_ffff]
            }
            "IsolationLevel" | "KeyType" => &[0, 1, 2, -1],
            "Acks" => &[-1, 1, -1, 1, 0, 2],
            "ResourceType" => &[2, 2, 2, 4, 8, 32, 0, -1],
            "ConfigOperation" => &[0, 1, 2, 3, 4],
            "SessionId" => &[0, 0, 1, 2, -1],
            "SessionEpoch" => &[-1, 0, 1, 2],
            "ProducerId" => &[-1, 0, 1, 2, 3, 4, 1_000],
            "ProducerEpoch" => &[-1, 0, 0, 1, 2, 32_767],
            "GenerationId" | "GenerationIdOrMemberEpoch" | "MemberEpoch" => &[-1, -2, 0, 1, 2, 3],
            _ if rng.random_bool(0.15) => return None,
            _ => &[0, 0, 0, 1, 1, 2, -1, -2, i64::MAX, i64::MIN, 0x7fff_ffff, 1 << 40],
        };
        known.choose(rng).copied()
    }

    fn uuid(&self, _: &Field, rng: &mut ChaCha8Rng) -> Option<[u8; 16]> {
        if rng.random_bool(0.8) {
            self.topic_ids.choose(rng).copied()
        } else {
            None
        }
    }

    fn elements(&self, field: &Field, _: &mut ChaCha8Rng) -> Option<usize> {
        let outermost = [
            "Topics",
            "TopicData",
            "Groups",
            "Resources",
            "TopicNames",
            "CoordinatorKeys",
        ];
        self.elements.filter(|_| outermost.contains(&field.name))
    }
}

/// A batch that can be stored, or one that cannot.
fn records(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let codecs = [
        Compression::None,
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    let mut batch = BatchBuilder::new().compression(codecs[rng.random_range(0..codecs.len())]);
    if rng.random_bool(0.5) {
        let (id, epoch) = (rng.random_range(0..5), rng.random_range(0..3));
        batch = batch.producer(id, epoch, rng.random_range(0..4));
        if rng.random_bool(0.5) {
            batch = batch.transactional();
        }
    }
    for _ in 0..rng.random_range(1..4) {
        let value = [7; 100];
        let key = [b'a' + rng.random_range(0..4)];
        let timestamp_ms = [0, 1_000, -1, i64::MAX, 1_700_000_000_000][rng.random_range(0..5)];
        batch = batch.record(timestamp_ms, Some(&key), Some(&value[..rng.random_range(0..100)]));
    }
    let Ok(mut batch) = batch.build() else {
        return Vec::new();
    };
    match rng.random_range(0..6) {
        0 => {
            let at = rng.random_range(0..batch.len());
            batch[at] = rng.random();
        }
        // Broken in itself, with a checksum that fits.
        1 => {
            let at = rng.random_range(21..batch.len());
            batch[at] = rng.random();
            reseal(&mut batch);
        }
        2 => batch.truncate(rng.random_range(0..batch.len())),
        _ => {}
    }
    batch
}

/// A consumer's subscription, version 0: topics, and nothing of its own.
fn subscription(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 1];
    let topic = one(&TOPICS, rng);
    bytes.extend((topic.len() as u16).to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes.extend([0; 4]);
    bytes
}
