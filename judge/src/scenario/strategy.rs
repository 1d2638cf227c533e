//! How scenarios are made up: mostly of what clients rightly do, with each way of straying now and then.

use proptest::prelude::*;
use proptest::sample::select;

use super::action::*;
use super::transacting;
use super::world::MIXED;

/// A scenario: two topics, one of them compacted, then what comes; and now and then a group that changes its protocol.
pub fn scenario() -> impl Strategy<Value = Vec<Action>> {
    let first = (1..4_u8, settings(0..2)).prop_map(|(partitions, configs)| create(0, partitions, configs));
    let second = prop_oneof![Just("compact"), Just("compact,delete")].prop_map(|policy| {
        let policy = Setting {
            name: "cleanup.policy".to_owned(),
            value: policy.to_owned(),
        };
        create(1, 1, vec![policy])
    });
    let mixed = prop_oneof![8 => mixed(), 1 => offsets(MIXED..MIXED + 1), 1 => growth()];
    let changing = prop::option::weighted(0.2, prop::collection::vec(mixed, 10..24));
    (first, second, focus(), changing)
        .prop_map(|(first, second, rest, changing)| [vec![first, second], rest, changing.unwrap_or_default()].concat())
}

fn create(topic: Pick, partitions: u8, configs: Vec<Setting>) -> Action {
    Action::CreateTopic {
        topic,
        partitions,
        configs,
        how: Creation::Plain,
        version: 5,
    }
}

/// What comes is about logs, about one kind of group, about transactions, or about everything: a long way into one matter
/// finds more than the same number of steps strewn over all of them.
fn focus() -> impl Strategy<Value = Vec<Action>> {
    let some = |action: BoxedStrategy<Action>| prop::collection::vec(action, 10..24);
    let all = prop_oneof![
        4 => records(),
        2 => topics(),
        3 => classic(0..2),
        3 => consumer(2..4),
        2 => offsets(0..4),
        3 => transacting::steps(stray().boxed(), (0..4_u8).boxed()),
    ];
    let log = prop_oneof![6 => records(), 1 => topics()];
    let classic = (0..2_u8).prop_flat_map(move |group| {
        let action = prop_oneof![5 => classic(group..group + 1), 1 => offsets(group..group + 1), 1 => records()];
        prop::collection::vec(action, 10..24)
    });
    let consumer = (2..4_u8).prop_flat_map(move |group| {
        let other = prop_oneof![offsets(group..group + 1), topics(), records()];
        let action = prop_oneof![5 => consumer(group..group + 1), 2 => other];
        prop::collection::vec(action, 10..24)
    });
    let transactions = prop_oneof![
        9 => transacting::steps(stray().boxed(), (0..4_u8).boxed()),
        1 => records(),
        1 => offsets(0..4),
    ];
    prop_oneof![
        some(all.boxed()),
        some(log.boxed()),
        classic,
        consumer,
        some(transactions.boxed())
    ]
}

/// Kinds of topic settings: mostly right.
fn setting() -> impl Strategy<Value = Setting> {
    let known: &[(&str, &[&str])] = &[
        ("cleanup.policy", &["delete", "compact", "compact,delete", "nothing"]),
        (
            "compression.type",
            &["producer", "uncompressed", "gzip", "lz4", "snappy", "zstd", "rar"],
        ),
        ("message.timestamp.type", &["CreateTime", "LogAppendTime", "Yesterday"]),
        ("max.message.bytes", &["100", "300", "1048588", "-1", "many"]),
        (
            "message.timestamp.before.max.ms",
            &["3600000", "9223372036854775807", "-1"],
        ),
        (
            "message.timestamp.after.max.ms",
            &["3600000", "9223372036854775807", "-1"],
        ),
        ("min.insync.replicas", &["1", "2", "0"]),
        ("retention.bytes", &["-1", "1000000000", "-2"]),
        ("segment.bytes", &["1048576", "100"]),
        ("flush.messages", &["1", "9223372036854775807", "0"]),
        ("delete.retention.ms", &["1000", "86400000"]),
        ("min.cleanable.dirty.ratio", &["0.1", "0.5", "1.5"]),
        ("preallocate", &["true", "false", "maybe"]),
        ("unclean.leader.election.enable", &["true", "false"]),
        ("index.interval.bytes", &["1", "4096"]),
        ("no.such.property", &["1"]),
    ];
    let all: Vec<Setting> = known
        .iter()
        .flat_map(|(name, values)| {
            values.iter().map(|value| Setting {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            })
        })
        .collect();
    select(all)
}

fn settings(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Setting>> {
    prop::collection::vec(setting(), count)
}

fn stray() -> impl Strategy<Value = Stray> {
    prop_oneof![
        12 => Just(Stray::No),
        1 => Just(Stray::Past),
        1 => Just(Stray::Ahead),
        1 => Just(Stray::Unknown),
        1 => Just(Stray::OtherInstance),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        3 => Just(Place::Start),
        6 => any::<u8>().prop_map(Place::Within),
        3 => Just(Place::End),
        1 => Just(Place::BeforeStart),
        1 => Just(Place::BeyondEnd),
        1 => Just(Place::MinusOne),
        1 => Just(Place::Negative),
    ]
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        8 => any::<i8>().prop_map(Time::Near),
        2 => (1..120_u8).prop_map(Time::Old),
        1 => (1..3_u8).prop_map(Time::VeryOld),
        1 => (1..50_u8).prop_map(Time::Future),
        1 => Just(Time::Missing),
    ]
}

fn topics() -> BoxedStrategy<Action> {
    let creation = prop_oneof![
        9 => Just(Creation::Plain),
        1 => Just(Creation::ValidateOnly),
        1 => Just(Creation::Twice),
        1 => Just(Creation::BadName),
        1 => Just(Creation::Replicas),
        1 => Just(Creation::NoPartitions),
        1 => Just(Creation::Assigned),
        1 => Just(Creation::AssignedElsewhere),
    ];
    let change = prop_oneof![
        8 => Just(Change::Set),
        3 => Just(Change::Delete),
        1 => Just(Change::Append),
        1 => Just(Change::Subtract),
        1 => Just(Change::Unknown),
    ];
    prop_oneof![
        4 => (any::<u8>(), 1..4_u8, settings(0..3), creation, any::<u8>()).prop_map(
            |(topic, partitions, configs, how, version)| Action::CreateTopic { topic, partitions, configs, how, version }),
        2 => (any::<u8>(), any::<bool>(), any::<u8>()).prop_map(
            |(topic, by_id, version)| Action::DeleteTopic { topic, by_id, version }),
        2 => (any::<u8>(), -1..3_i8, prop::bool::weighted(0.2), any::<u8>()).prop_map(
            |(topic, more, validate_only, version)| Action::AddPartitions { topic, more, validate_only, version }),
        4 => (any::<u8>(), prop::collection::vec((change, setting()), 1..4), prop::bool::weighted(0.1), any::<u8>()).prop_map(
            |(topic, changes, validate_only, version)| Action::AlterConfigs { topic, changes, validate_only, version }),
        1 => (any::<u8>(), settings(0..3), any::<u8>()).prop_map(
            |(topic, configs, version)| Action::ReplaceConfigs { topic, configs, version }),
        2 => (any::<u8>(), any::<bool>(), any::<u8>()).prop_map(
            |(topic, synonyms, version)| Action::DescribeConfigs { topic, synonyms, version }),
        2 => (any::<u8>(), any::<bool>(), any::<u8>()).prop_map(
            |(topic, by_id, version)| Action::Metadata { topic, by_id, version }),
        1 => (any::<u8>(), 0..5_u8).prop_map(|(topic, limit)| Action::DescribeTopicPartitions { topic, limit }),
    ]
    .boxed()
}

fn sequence() -> impl Strategy<Value = Sequence> {
    prop_oneof![
        10 => Just(Sequence::None),
        12 => any::<u8>().prop_map(Sequence::Right),
        3 => any::<u8>().prop_map(Sequence::Repeated),
        2 => any::<u8>().prop_map(Sequence::RepeatedOld),
        1 => any::<u8>().prop_map(Sequence::Gap),
        1 => any::<u8>().prop_map(Sequence::Overlapping),
        1 => any::<u8>().prop_map(Sequence::OldEpoch),
        1 => any::<u8>().prop_map(Sequence::NextEpoch),
        1 => any::<u8>().prop_map(Sequence::NextEpochGoingOn),
        1 => any::<u8>().prop_map(Sequence::NoEpoch),
        1 => any::<u8>().prop_map(Sequence::AtTheEnd),
    ]
}

fn flaw() -> impl Strategy<Value = Flaw> {
    let flaws = vec![
        Flaw::Crc,
        Flaw::CountMore,
        Flaw::CountLess,
        Flaw::CountZero,
        Flaw::LastOffsetDelta,
        Flaw::OffsetGap,
        Flaw::Magic(0),
        Flaw::Magic(1),
        Flaw::Magic(3),
        Flaw::Truncated,
        Flaw::Two,
        Flaw::Trailing,
        Flaw::Control,
        Flaw::Transactional,
        Flaw::AppendTime,
        Flaw::UnknownCodec,
        Flaw::BadCompression,
        Flaw::RecordLength,
        Flaw::MaxTimestamp,
        Flaw::BaseOffset,
        Flaw::Empty,
        Flaw::TooLarge,
    ];
    prop_oneof![5 => Just(Flaw::None), 1 => select(flaws)]
}

fn batch() -> impl Strategy<Value = BatchPlan> {
    let record = (
        time(),
        prop::option::weighted(0.85, any::<u8>()),
        prop::option::weighted(0.9, 0..60_u16),
        prop_oneof![3 => Just(0_u8), 1 => 1..3_u8],
    )
        .prop_map(|(time, key, value, headers)| RecordPlan {
            time,
            key,
            value,
            headers,
        });
    let codec = prop_oneof![4 => Just(0_u8), 3 => 1..5_u8];
    (prop::collection::vec(record, 1..5), codec, sequence(), flaw()).prop_map(|(records, codec, sequence, flaw)| {
        BatchPlan {
            records,
            codec,
            sequence,
            flaw,
        }
    })
}

fn records() -> BoxedStrategy<Action> {
    let sought = prop_oneof![
        2 => Just(Sought::Latest),
        2 => Just(Sought::Earliest),
        2 => Just(Sought::MaxTimestamp),
        1 => Just(Sought::EarliestLocal),
        1 => Just(Sought::LatestTiered),
        1 => Just(Sought::Unknown),
        6 => time().prop_map(Sought::Time),
    ];
    let acks = prop_oneof![6 => Just(-1_i8), 2 => Just(1_i8), 1 => Just(0_i8), 1 => Just(2_i8)];
    let bytes_max = prop_oneof![1 => Just(0_u16), 3 => 1..400_u16, 3 => Just(u16::MAX)];
    prop_oneof![
        9 => (any::<u8>(), any::<u8>(), batch(), acks, any::<u8>()).prop_map(
            |(topic, partition, batch, acks, version)| Action::Produce { topic, partition, batch, acks, version }),
        1 => (any::<u8>(), any::<bool>(), any::<u8>()).prop_map(
            |(producer, again, version)| Action::InitProducer { producer, again, version }),
        3 => (any::<u8>(), any::<u8>(), place(), bytes_max, any::<bool>(), stray(), any::<u8>()).prop_map(
            |(topic, partition, at, bytes_max, committed, epoch, version)| Action::Fetch {
                topic, partition, at, bytes_max, committed, epoch, version }),
        3 => (any::<u8>(), any::<u8>(), sought, any::<bool>(), stray(), any::<u8>()).prop_map(
            |(topic, partition, sought, committed, epoch, version)| Action::ListOffsets {
                topic, partition, sought, committed, epoch, version }),
        1 => (any::<u8>(), any::<u8>(), stray(), stray(), any::<u8>()).prop_map(
            |(topic, partition, current, epoch, version)| Action::LeaderEpoch { topic, partition, current, epoch, version }),
        2 => (any::<u8>(), any::<u8>(), place(), any::<u8>()).prop_map(
            |(topic, partition, before, version)| Action::DeleteRecords { topic, partition, before, version }),
    ]
    .boxed()
}

fn classic(group: std::ops::Range<u8>) -> BoxedStrategy<Action> {
    let joining = prop_oneof![
        12 => Just(Joining::Plain),
        2 => Just(Joining::Anew),
        1 => Just(Joining::UnknownMember),
        1 => Just(Joining::OtherType),
        1 => Just(Joining::OtherProtocol),
        1 => Just(Joining::NoProtocols),
        1 => Just(Joining::SessionTimeout),
    ];
    let group = move || group.clone();
    prop_oneof![
        5 => (group(), any::<u8>(), joining, any::<u8>()).prop_map(
            |(group, member, how, version)| Action::Join { group, member, how, version }),
        3 => (group(), any::<u8>(), stray(), any::<u8>()).prop_map(
            |(group, member, stray, version)| Action::Sync { group, member, stray, version }),
        4 => (group(), any::<u8>()).prop_map(|(group, version)| Action::Settle { group, version }),
        3 => (group(), any::<u8>(), stray(), any::<u8>()).prop_map(
            |(group, member, stray, version)| Action::Heartbeat { group, member, stray, version }),
        2 => (group(), prop::collection::vec(any::<u8>(), 1..3), stray(), any::<u8>()).prop_map(
            |(group, members, stray, version)| Action::LeaveGroup { group, members, stray, version }),
    ]
    .boxed()
}

fn consumer(group: std::ops::Range<u8>) -> BoxedStrategy<Action> {
    let beat = prop_oneof![
        5 => any::<u8>().prop_map(Beat::Join),
        4 => Just(Beat::Keep),
        4 => Just(Beat::Acknowledge),
        1 => Just(Beat::Revoke),
        2 => any::<u8>().prop_map(Beat::Subscribe),
        1 => Just(Beat::Leave),
        1 => Just(Beat::LeaveForNow),
        1 => Just(Beat::UnknownAssignor),
        1 => Just(Beat::JoinWithoutTimeout),
    ];
    let group = move || group.clone();
    prop_oneof![
        6 => (group(), any::<u8>(), beat, stray(), any::<u8>()).prop_map(
            |(group, member, beat, stray, version)| Action::Beat { group, member, beat, stray, version }),
        2 => (group(), any::<u8>()).prop_map(|(group, version)| Action::Converge { group, version }),
    ]
    .boxed()
}

/// A group whose members follow either protocol, and change.
fn mixed() -> BoxedStrategy<Action> {
    let joining = prop_oneof![
        12 => Just(Joining::Plain),
        1 => Just(Joining::Anew),
        1 => Just(Joining::OtherType),
        1 => Just(Joining::OtherProtocol),
    ];
    let beat = prop_oneof![
        3 => any::<u8>().prop_map(Beat::Join),
        2 => Just(Beat::Keep),
        4 => Just(Beat::Acknowledge),
        1 => Just(Beat::Revoke),
        2 => any::<u8>().prop_map(Beat::Subscribe),
        1 => Just(Beat::Leave),
        1 => Just(Beat::LeaveForNow),
    ];
    let stray = || prop_oneof![19 => Just(Stray::No), 1 => stray()];
    let group = MIXED;
    prop_oneof![
        5 => (any::<u8>(), any::<u8>()).prop_map(move |(member, version)| Action::Switch { group, member, version }),
        6 => any::<u8>().prop_map(move |version| Action::Settle { group, version }),
        3 => (any::<u8>(), joining, any::<u8>()).prop_map(
            move |(member, how, version)| Action::Join { group, member, how, version }),
        2 => (any::<u8>(), stray(), any::<u8>()).prop_map(
            move |(member, stray, version)| Action::Sync { group, member, stray, version }),
        2 => (any::<u8>(), stray(), any::<u8>()).prop_map(
            move |(member, stray, version)| Action::Heartbeat { group, member, stray, version }),
        1 => (prop::collection::vec(any::<u8>(), 1..3), stray(), any::<u8>()).prop_map(
            move |(members, stray, version)| Action::LeaveGroup { group, members, stray, version }),
        4 => (any::<u8>(), beat, stray(), any::<u8>()).prop_map(
            move |(member, beat, stray, version)| Action::Beat { group, member, beat, stray, version }),
    ]
    .boxed()
}

/// A topic that members read grows.
fn growth() -> BoxedStrategy<Action> {
    (any::<u8>(), 1..3_i8, any::<u8>())
        .prop_map(|(topic, more, version)| Action::AddPartitions {
            topic,
            more,
            validate_only: false,
            version,
        })
        .boxed()
}

fn offsets(group: std::ops::Range<u8>) -> BoxedStrategy<Action> {
    let by = || {
        prop_oneof![
            3 => Just(Committer::Nobody),
            4 => any::<u8>().prop_map(Committer::Member),
            1 => (any::<u8>(), stray()).prop_map(|(member, stray)| Committer::Straying(member, stray)),
        ]
    };
    let note = prop_oneof![6 => any::<u8>().prop_map(Note::Text), 1 => Just(Note::Null), 1 => Just(Note::TooLong)];
    let group = move || prop_oneof![19 => group.clone(), 1 => Just(9_u8)];
    prop_oneof![
        6 => (group(), by(), any::<u8>(), any::<u8>(), place(), note, any::<u8>()).prop_map(
            |(group, by, topic, partition, at, note, version)| Action::Commit {
                group, by, topic, partition, at, note, version }),
        4 => (group(), by(), prop::option::of(any::<u8>()), any::<bool>(), any::<u8>()).prop_map(
            |(group, by, topic, stable, version)| Action::FetchOffsets { group, by, topic, stable, version }),
        2 => (group(), any::<u8>(), any::<u8>()).prop_map(
            |(group, topic, partition)| Action::DeleteOffsets { group, topic, partition }),
        1 => (group(), any::<u8>()).prop_map(|(group, version)| Action::DeleteGroup { group, version }),
        1 => (group(), any::<bool>(), any::<u8>()).prop_map(
            |(group, next, version)| Action::DescribeGroup { group, next, version }),
        1 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(
            |(state, kind, version)| Action::ListGroups { state, kind, version }),
    ]
    .boxed()
}
