//! Produce (0).

use serde_json::{Value, json};
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::wire::compression::Compression;

use super::in_transactions;
use super::transactions::transactional_id;
use crate::records::{batch, built};
use crate::run::{Case, Outcome, Run, case};
use crate::value::{hex, unhex};

pub(super) fn cases() -> Vec<Case> {
    [
        plain(),
        refused(),
        batches(),
        sequences(),
        times(),
        in_transactions::produced(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A request for one partition.
fn to(topic: &str, partition: i32, acks: i16, records: Value) -> Value {
    json!({
        "Acks": acks,
        "TimeoutMs": 30_000,
        "TopicData": [{
            "Name?": topic,
            "TopicId?": format!("id:{topic}"),
            "PartitionData": [{ "Index": partition, "Records": records }],
        }],
    })
}

/// One request with these records to a new topic, then what the log says.
fn records(name: &'static str, records: impl Fn() -> Value + 'static) -> Case {
    case(name, move |run| {
        let topic = run.topic(1)?;
        run.ask(to(&topic, 0, -1, records()))?;
        end_of(run, &topic)
    })
}

/// Where the log ends.
fn end_of(run: &mut Run<'_>, topic: &str) -> Outcome {
    let end = json!({ "ReplicaId": -1, "Topics": [{ "Name": topic, "Partitions": [{ "PartitionIndex": 0, "Timestamp": -1 }] }] });
    run.ask_api("ListOffsets", 5, end).map(drop)
}

fn plain() -> Vec<Case> {
    vec![
        records("a record", || batch(&["one"]).into()),
        records("records", || batch(&["one", "two", "three"]).into()),
        case("a record after others", |run| {
            let topic = run.topic(1)?;
            for values in [&["one", "two"][..], &["three"], &["four"]] {
                run.ask(to(&topic, 0, 1, batch(values).into()))?;
            }
            Ok(())
        }),
        case("no acknowledgement", |run| {
            let topic = run.topic(1)?;
            run.ask_quietly(to(&topic, 0, 0, batch(&["one"]).into()))?;
            end_of(run, &topic)
        }),
        case("no acknowledgement, nowhere to go", |run| {
            run.ask_quietly(json!({ "Acks": 0, "TimeoutMs": 1_000, "TopicData": [{
                "Name?": "nowhere", "TopicId?": "AAAAAAAAAAAAAAAAAAAAqg", "PartitionData": [{ "Index": 0, "Records": batch(&["one"]) }],
            }] })).map(drop)
        }),
        case("no topics", |run| {
            run.ask(json!({ "Acks": 1, "TimeoutMs": 1_000, "TopicData": [] }))
                .map(drop)
        }),
        case("no partitions", |run| {
            let topic = run.topic(1)?;
            run.ask(json!({ "Acks": 1, "TimeoutMs": 1_000, "TopicData": [
                { "Name?": topic, "TopicId?": format!("id:{topic}"), "PartitionData": [] },
            ] }))
            .map(drop)
        }),
        case("several partitions, one of them unknown", |run| {
            let topic = run.topic(2)?;
            let partition = |index: i32| json!({ "Index": index, "Records": batch(&["one"]) });
            run.ask(json!({ "Acks": -1, "TimeoutMs": 1_000, "TopicData": [
                { "Name?": topic, "TopicId?": format!("id:{topic}"), "PartitionData": [partition(1), partition(0), partition(7)] },
            ] })).map(drop)
        }),
        case("two topics", |run| {
            let (one, two) = (run.topic(1)?, run.topic(1)?);
            let data = |topic: &str| {
                json!({
                    "Name?": topic, "TopicId?": format!("id:{topic}"), "PartitionData": [{ "Index": 0, "Records": batch(&["one"]) }],
                })
            };
            run.ask(json!({ "Acks": -1, "TimeoutMs": 1_000, "TopicData": [data(&one), data(&two)] }))
                .map(drop)
        }),
        case("a time-out below zero", |run| {
            let topic = run.topic(1)?;
            let mut request = to(&topic, 0, -1, batch(&["one"]).into());
            request["TimeoutMs"] = json!(-1);
            run.ask(request).map(drop)
        }),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        case("an unknown topic", |run| {
            run.ask(json!({ "Acks": 1, "TimeoutMs": 1_000, "TopicData": [{
                "Name?": "nowhere", "TopicId?": "AAAAAAAAAAAAAAAAAAAAqg", "PartitionData": [{ "Index": 0, "Records": batch(&["one"]) }],
            }] })).map(drop)
        }),
        case("no topic id", |run| {
            run.ask(json!({ "Acks": 1, "TimeoutMs": 1_000, "TopicData": [{
                "TopicId": "AAAAAAAAAAAAAAAAAAAAAA", "PartitionData": [{ "Index": 0, "Records": batch(&["one"]) }],
            }] }))
            .map(drop)
        }),
        case("an unknown partition", |run| {
            let topic = run.topic(1)?;
            for partition in [1, 7, -1, i32::MAX] {
                run.ask(to(&topic, partition, 1, batch(&["one"]).into()))?;
            }
            Ok(())
        }),
        case("acks that there are not", |run| {
            let topic = run.topic(1)?;
            for acks in [2, -2, i16::MAX] {
                run.ask(to(&topic, 0, acks, batch(&["one"]).into()))?;
            }
            end_of(run, &topic)
        }),
        case("a topic that was deleted", |run| {
            let topic = run.topic(1)?;
            run.must(
                "DeleteTopics",
                json!({ "Topics": [{ "Name": topic }], "TimeoutMs": 30_000 }),
            )?;
            run.gone(&topic)?;
            run.ask(to(&topic, 0, 1, batch(&["one"]).into())).map(drop)
        }),
        case("larger than allowed", |run| {
            let topic = run.topic_with(1, &[("max.message.bytes", "100")])?;
            run.ask(to(
                &topic,
                0,
                1,
                batch(&[
                    "a value of some thirty bytes,",
                    "and one more of some forty bytes, or so",
                ])
                .into(),
            ))?;
            end_of(run, &topic)
        }),
        case("larger than a segment", |run| {
            let topic = run.topic_with(1, &[("segment.bytes", "1048576"), ("max.message.bytes", "4000000")])?;
            run.ask(to(&topic, 0, 1, batch(&["x".repeat(1_100_000).as_str()]).into()))?;
            end_of(run, &topic)
        }),
        case("no key where they are compacted", |run| {
            let topic = run.topic_with(1, &[("cleanup.policy", "compact")])?;
            let one = BatchBuilder::new()
                .record(1_000, Some(b"key"), Some(b"v"))
                .record(1_001, None, Some(b"w"))
                .record(1_002, None, None);
            run.ask(to(&topic, 0, 1, built(one).into()))?;
            end_of(run, &topic)
        }),
        case("a key where they are compacted", |run| {
            let topic = run.topic_with(1, &[("cleanup.policy", "compact")])?;
            let one = BatchBuilder::new()
                .record(1_000, Some(b"key"), Some(b"v"))
                .record(1_001, Some(b"key"), None);
            run.ask(to(&topic, 0, 1, built(one).into()))?;
            end_of(run, &topic)
        }),
        case("a transaction that is not open", |run| {
            let topic = run.topic(1)?;
            let id = transactional_id(run)?;
            let one = BatchBuilder::new()
                .producer(4_711, 0, 0)
                .transactional()
                .record(1_000, None, Some(b"one"));
            let mut request = to(&topic, 0, -1, built(one).into());
            request["TransactionalId"] = id.into();
            run.ask(request)?;
            end_of(run, &topic)
        }),
        case("a transactional batch without a transaction", |run| {
            let topic = run.topic(1)?;
            let one = BatchBuilder::new()
                .producer(4_711, 0, 0)
                .transactional()
                .record(1_000, None, Some(b"one"));
            run.ask(to(&topic, 0, -1, built(one).into()))?;
            end_of(run, &topic)
        }),
    ]
}

/// A batch with some of its bytes written over.
fn with(at: usize, bytes: &[u8], sealed: bool) -> Value {
    let mut whole = unhex(&batch(&["one", "two"])).unwrap_or_default();
    whole[at..at + bytes.len()].copy_from_slice(bytes);
    if sealed {
        tickertape_broker::wire::batch::reseal(&mut whole);
    }
    hex(&whole).into()
}

fn batches() -> Vec<Case> {
    let cut = |to: usize| move || Value::from(batch(&["one", "two"])[..to * 2].to_owned());
    vec![
        // Null records are not asked: Apache Kafka fails inside and never answers.
        records("nothing", || "".into()),
        records("a length alone", cut(12)),
        records("a header that is cut", cut(40)),
        records("a batch that is cut", cut(70)),
        records("garbage", || "00ff".repeat(50).into()),
        records("two batches", || {
            format!("{}{}", batch(&["one"]), batch(&["two"])).into()
        }),
        records("a byte after the batch", || format!("{}00", batch(&["one"])).into()),
        records("half a batch after the batch", || {
            let one = batch(&["one"]);
            format!("{one}{}", &one[..80]).into()
        }),
        records("a wrong checksum", || with(17, &[1, 2, 3, 4], false)),
        records("magic 0", || with(16, &[0], true)),
        records("magic 1", || with(16, &[1], true)),
        records("magic 3", || with(16, &[3], true)),
        records("a base offset that is not zero", || with(0, &7_i64.to_be_bytes(), true)),
        records("a leader epoch", || with(12, &5_i32.to_be_bytes(), true)),
        records("a last offset delta too small", || with(23, &0_i32.to_be_bytes(), true)),
        records("a last offset delta too large", || with(23, &7_i32.to_be_bytes(), true)),
        records("a last offset delta below zero", || {
            with(23, &(-1_i32).to_be_bytes(), true)
        }),
        records("a count too small", || with(57, &1_i32.to_be_bytes(), true)),
        records("a count too large", || with(57, &3_i32.to_be_bytes(), true)),
        records("a count of zero", || with(57, &0_i32.to_be_bytes(), true)),
        records("a count below zero", || with(57, &(-1_i32).to_be_bytes(), true)),
        records("a codec that there is not", || with(21, &7_i16.to_be_bytes(), true)),
        records("a codec that it is not", || with(21, &1_i16.to_be_bytes(), true)),
        records("an attribute that there is not", || {
            with(21, &0x100_i16.to_be_bytes(), true)
        }),
        records("the broker's time", || with(21, &8_i16.to_be_bytes(), true)),
        records("a control batch", || with(21, &0x20_i16.to_be_bytes(), true)),
        records("a greatest time that is not", || {
            with(35, &9_999_i64.to_be_bytes(), true)
        }),
        records("a first time below zero", || with(27, &(-7_i64).to_be_bytes(), true)),
        records("a length that is longer", || with(8, &10_000_i32.to_be_bytes(), false)),
        records("a length that is shorter", || with(8, &60_i32.to_be_bytes(), false)),
        records("a length below what a batch has", || {
            with(8, &20_i32.to_be_bytes(), false)
        }),
        records("a length below zero", || with(8, &(-1_i32).to_be_bytes(), false)),
        records("a length of zero", || with(8, &0_i32.to_be_bytes(), false)),
        records("a length below what a record of magic 0 has", || {
            with(8, &13_i32.to_be_bytes(), false)
        }),
        records("a length of what a record of magic 0 has", || {
            with(8, &14_i32.to_be_bytes(), false)
        }),
        records("a codec that there is not, of zstd's bit", || {
            with(21, &5_i16.to_be_bytes(), true)
        }),
        records("gzip", || compressed(Compression::Gzip)),
        records("snappy", || compressed(Compression::Snappy)),
        records("lz4", || compressed(Compression::Lz4)),
        records("zstd", || compressed(Compression::Zstd)),
        records("headers", || {
            let one = BatchBuilder::new().record_with_headers(
                1_000,
                Some(b"k"),
                Some(b"v"),
                &[("a", Some(&b"1"[..])), ("a", None), ("", Some(&b""[..]))],
            );
            built(one).into()
        }),
    ]
}

fn compressed(codec: Compression) -> Value {
    let one = BatchBuilder::new()
        .compression(codec)
        .record(1_000, Some(b"key"), Some(b"value value value value"));
    built(one.record(1_001, None, Some(b"value value value value"))).into()
}

/// Batches of an idempotent producer: epoch, first sequence, records.
fn sequence(name: &'static str, sent: &'static [(i16, i32, usize)]) -> Case {
    case(name, move |run| {
        let topic = run.topic(1)?;
        for (epoch, first, count) in sent {
            let one = (0..*count).fold(BatchBuilder::new().producer(4_711, *epoch, *first), |one, at| {
                one.record(1_000 + at as i64, None, Some(b"value"))
            });
            run.ask(to(&topic, 0, -1, built(one).into()))?;
        }
        end_of(run, &topic)
    })
}

fn sequences() -> Vec<Case> {
    vec![
        sequence("sequences in order", &[(0, 0, 2), (0, 2, 1), (0, 3, 3)]),
        sequence("the last batch again", &[(0, 0, 2), (0, 2, 1), (0, 2, 1)]),
        sequence("an older batch again", &[(0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 0, 1)]),
        sequence(
            "a batch older than five again",
            &[
                (0, 0, 1),
                (0, 1, 1),
                (0, 2, 1),
                (0, 3, 1),
                (0, 4, 1),
                (0, 5, 1),
                (0, 0, 1),
            ],
        ),
        sequence("part of a batch again", &[(0, 0, 3), (0, 1, 1)]),
        sequence("a gap", &[(0, 0, 1), (0, 5, 1)]),
        sequence("a first sequence that is not zero", &[(0, 5, 1), (0, 6, 1)]),
        sequence("a newer epoch", &[(0, 0, 1), (1, 0, 1)]),
        sequence("a newer epoch that does not begin at zero", &[(0, 0, 1), (1, 1, 1)]),
        sequence("an older epoch", &[(3, 0, 1), (2, 1, 1)]),
        sequence("a sequence that wraps around", &[(0, i32::MAX, 1), (0, 0, 1)]),
        sequence(
            "a sequence that wraps around inside a batch",
            &[(0, i32::MAX - 1, 3), (0, 1, 1)],
        ),
        sequence("a sequence below zero", &[(0, -1, 1)]),
        sequence("an epoch below zero", &[(-1, 0, 1)]),
    ]
}

/// A record of that time to a topic with these properties, and what comes back of it.
fn time(name: &'static str, configs: &'static [(&str, &str)], time_ms: i64) -> Case {
    case(name, move |run| {
        let topic = run.topic_with(1, configs)?;
        let one = BatchBuilder::new()
            .record(1_000, None, Some(b"good"))
            .record(time_ms, None, Some(b"value"));
        run.ask(to(&topic, 0, -1, built(one).into()))?;
        end_of(run, &topic)
    })
}

fn times() -> Vec<Case> {
    const FUTURE: i64 = 32_503_680_000_000;
    vec![
        time("a time far ahead", &[], FUTURE),
        time(
            "a time far ahead where it may be",
            &[("message.timestamp.after.max.ms", "9223372036854775807")],
            FUTURE,
        ),
        time(
            "a time too far back",
            &[("message.timestamp.before.max.ms", "1000")],
            2_000,
        ),
        time("a time of -1", &[], -1),
        time("a time below -1", &[], -5),
        time(
            "the time of appending",
            &[("message.timestamp.type", "LogAppendTime")],
            2_000,
        ),
    ]
}
