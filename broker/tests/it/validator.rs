//! Records that a topic does not take, and those that look odd and are taken: for each, the error code, message and
//! `record_errors` (KIP-467) of Apache Kafka, or the bytes that it would store. Its own `LogValidator` is the judge.
//!
//! Needs Java and Kafka's jars: `TICKERTAPE_KAFKA_LIBS` names their directory, and `.ci/run` fetches them. Without them
//! only what is known of the answers is checked: that the connection is kept, and that nothing refused is in the log.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use tickertape_broker::clock::ManualClock;
use tickertape_broker::wire::batch::BatchHeader;
use tickertape_broker::wire::batch::{Batches, HEADER_LEN};
use tickertape_broker::wire::build::{BatchBuilder, seal};
use tickertape_broker::wire::compression::{Compression, compress, decompress};
use tickertape_broker::wire::varint;

use crate::support::calls::{Topic, latest};
use crate::support::client::Client;

const NOW: i64 = 100_000;
const AFTER_MS: i64 = 3_600_000;

/// A topic's properties, as ours takes them and as the judge does.
struct Kind {
    name: &'static str,
    properties: &'static [(&'static str, &'static str)],
    append_time: bool,
    before_ms: i64,
    compacted: bool,
    codec: &'static str,
}

const PLAIN: Kind = Kind {
    name: "plain",
    properties: &[],
    append_time: false,
    before_ms: i64::MAX,
    compacted: false,
    codec: "producer",
};

const KINDS: [Kind; 7] = [
    PLAIN,
    Kind {
        name: "append-time",
        properties: &[("message.timestamp.type", "LogAppendTime")],
        append_time: true,
        ..PLAIN
    },
    Kind {
        name: "young",
        properties: &[("message.timestamp.before.max.ms", "5000")],
        before_ms: 5_000,
        ..PLAIN
    },
    Kind {
        name: "compacted",
        properties: &[("cleanup.policy", "compact")],
        compacted: true,
        ..PLAIN
    },
    Kind {
        name: "gzip",
        properties: &[("compression.type", "gzip")],
        codec: "gzip",
        ..PLAIN
    },
    Kind {
        name: "uncompressed",
        properties: &[("compression.type", "uncompressed")],
        codec: "none",
        ..PLAIN
    },
    Kind {
        name: "zstd-append-time",
        properties: &[
            ("compression.type", "zstd"),
            ("message.timestamp.type", "LogAppendTime"),
        ],
        append_time: true,
        codec: "zstd",
        ..PLAIN
    },
];

/// Key and value of a header.
type Header = (Option<&'static [u8]>, Option<&'static [u8]>);

/// A record of which every field may lie.
#[derive(Clone, Default)]
struct Raw {
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&'static [u8]>,
    headers: Vec<Header>,
    headers_count: Option<i32>,
    length: Option<i32>,
    attributes: u8,
    extra: &'static [u8],
}

fn put(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    varint::write_i32(bytes.map_or(-1, |bytes| bytes.len() as i32), out);
    out.extend_from_slice(bytes.unwrap_or_default());
}

impl Raw {
    fn bytes(&self) -> Vec<u8> {
        let mut body = vec![self.attributes];
        varint::write_i64(self.timestamp_delta, &mut body);
        varint::write_i32(self.offset_delta, &mut body);
        put(self.key, &mut body);
        put(Some(b"value"), &mut body);
        varint::write_i32(self.headers_count.unwrap_or(self.headers.len() as i32), &mut body);
        for (key, value) in &self.headers {
            put(*key, &mut body);
            put(*value, &mut body);
        }
        body.extend_from_slice(self.extra);
        let mut out = Vec::new();
        varint::write_i32(self.length.unwrap_or(body.len() as i32), &mut out);
        out.extend(body);
        out
    }
}

fn at(timestamp_delta: i64, offset_delta: i32) -> Raw {
    Raw {
        timestamp_delta,
        offset_delta,
        ..Raw::default()
    }
}

struct Case {
    name: String,
    batch: Vec<u8>,
    /// Ours refuses as invalid what Apache Kafka stores and no consumer can read.
    stricter: bool,
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    /// The same records plain and with each codec.
    fn add(&mut self, name: &str, records: &[u8], count: i32, change: impl Fn(&mut BatchHeader)) {
        for codec in Compression::ALL {
            let packed = compress(codec, records).unwrap();
            self.sealed(&format!("{name}, {}", codec.name()), &packed, count, |header| {
                change(header);
                header.attributes |= i16::from(codec.id());
            });
        }
    }

    fn sealed(&mut self, name: &str, payload: &[u8], count: i32, change: impl Fn(&mut BatchHeader)) {
        let good = BatchBuilder::new().record(1_000, None, None).build().unwrap();
        let mut header = BatchHeader::parse(&good).unwrap();
        (header.records_count, header.last_offset_delta, header.max_timestamp) = (count, count - 1, 1_001);
        change(&mut header);
        if header.base_sequence >= 0 {
            // One for each, as a second batch of the same producer would be a duplicate.
            header.producer_id = self.0.len() as i64;
        }
        self.0.push(Case {
            name: name.to_owned(),
            batch: seal(header, payload),
            stricter: false,
        });
    }

    fn records(&mut self, name: &str, records: &[Raw]) {
        let bytes: Vec<u8> = records.iter().flat_map(Raw::bytes).collect();
        self.add(name, &bytes, records.len() as i32, |_| {});
    }

    /// The last ones, but for the plain one, are those that ours refuses by itself.
    fn stricter(&mut self) {
        let compressed = Compression::ALL.len() - 1;
        for case in self.0.iter_mut().rev().take(compressed) {
            case.stricter = true;
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Cases::default();
    header_cases(&mut cases);
    record_cases(&mut cases);
    time_and_key_cases(&mut cases);
    codec_cases(&mut cases);
    cases.0
}

fn header_cases(cases: &mut Cases) {
    let two = [at(0, 0).bytes(), at(1, 1).bytes()].concat();
    cases.add("good", &two, 2, |_| {});
    cases.add("another largest timestamp", &two, 2, |header| header.max_timestamp = 5);
    cases.add("append time", &two, 2, |header| header.attributes = 8);
    cases.add("append time, too old", &two, 2, |header| {
        (header.attributes, header.max_timestamp) = (8, 5);
    });
    cases.add("append time, none", &two, 2, |header| {
        (header.attributes, header.max_timestamp) = (8, -1);
    });
    cases.add("attributes without a meaning", &two, 2, |header| {
        header.attributes = 0x80
    });
    cases.add("attributes without a meaning, another time", &two, 2, |header| {
        (header.attributes, header.max_timestamp) = (0x80, 5);
    });
    cases.add("a count of more", &two, 3, |_| {});
    cases.add("a count of less", &two, 1, |_| {});
    cases.add("no records", &[], 1, |_| {});
    cases.add("a byte after", &[two.clone(), vec![0]].concat(), 2, |_| {});
    cases.add("a producer", &two, 2, |header| {
        (header.producer_id, header.producer_epoch, header.base_sequence) = (5, 1, 7);
    });
    for (name, count, last_offset_delta) in [
        ("fewer offsets", 2, 0),
        ("more offsets", 2, 5),
        ("no offsets", 2, -1),
        ("nothing", 0, -1),
        ("less than nothing", -2, 1),
    ] {
        cases.add(name, &two, count, |header| header.last_offset_delta = last_offset_delta);
    }
    cases.add("control", &two, 2, |header| header.attributes = 0x20);
    cases.add("no sequence", &two, 2, |header| header.producer_id = 5);
}

fn record_cases(cases: &mut Cases) {
    let header = |key, value| Raw {
        headers: vec![(key, value)],
        ..Raw::default()
    };
    cases.records("a gap", &[at(0, 0), at(1, 5)]);
    cases.records("a negative offset", &[at(0, -4), at(1, 1)]);
    cases.records("a first record later than its batch", &[at(5, 0), at(1, 1)]);
    cases.records("null as a header's value", &[header(Some(b"k"), None)]);
    cases.records("a header's key that is no text", &[header(Some(b"\xff\xfe"), None)]);
    cases.records("null as a header's key", &[header(None, Some(b"v"))]);
    let counted = |headers_count| Raw {
        headers_count: Some(headers_count),
        ..Raw::default()
    };
    cases.records("less than no headers", &[counted(-1)]);
    cases.records("headers that are not there", &[counted(1_000)]);
    let attributes = Raw {
        attributes: 7,
        ..Raw::default()
    };
    cases.records("a record's attributes", &[attributes]);
    let extra = Raw {
        extra: b"zz",
        ..Raw::default()
    };
    cases.records("more than the fields", &[extra]);
    for (name, length) in [
        ("a length beyond the end", 99),
        ("a length too small", 3),
        ("a negative length", -3),
    ] {
        let wrong = Raw {
            length: Some(length),
            ..Raw::default()
        };
        cases.records(name, &[wrong]);
        cases.stricter();
    }
    cases.sealed("no records at all", &[0xff; 30], 2, |_| {});
    cases.add("a null key of another length", &[14, 0, 0, 0, 9, 2, b'x', 0], 1, |_| {});
}

fn time_and_key_cases(cases: &mut Cases) {
    let keyed = |timestamp_delta, offset_delta| Raw {
        key: Some(b"k"),
        ..at(timestamp_delta, offset_delta)
    };
    cases.records("all with a key", &[keyed(0, 0), keyed(1, 1)]);
    cases.records("some with a key", &[keyed(0, 0), at(0, 1), at(0, 2)]);
    let five: Vec<_> = (0..5).map(|n| at(0, n)).collect();
    cases.records("none with a key", &five);
    cases.records("one too new", &[at(0, 0), at(9_999_999, 1)]);
    cases.records("one not too old", &[at(0, 0), at(98_000, 1)]);
    cases.records("one without a key, one too new", &[at(0, 0), keyed(9_999_999, 1)]);
    cases.records("one that is both", &[at(9_999_999, 0), keyed(0, 1)]);
    let one = at(0, 0).bytes();
    for (name, base, delta) in [
        ("the end of time", i64::MAX - 5, 0),
        ("beyond the end of time", i64::MAX - 5, 1 << 61),
        ("the beginning of time", i64::MIN + 5, 0),
        ("no time", -1, 0),
        ("before 1970", -5, 0),
        ("at the bound", NOW + AFTER_MS, 0),
        ("over the bound", NOW + AFTER_MS + 1, 0),
        ("at the lower bound", NOW - 5_000, 0),
        ("under the lower bound", NOW - 5_001, 0),
    ] {
        let records = if delta == 0 { one.clone() } else { at(delta, 0).bytes() };
        cases.add(name, &records, 1, |header| header.base_timestamp = base);
    }
}

fn codec_cases(cases: &mut Cases) {
    let two = [at(0, 0).bytes(), at(1, 1).bytes()].concat();
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let with_codec = |header: &mut BatchHeader| header.attributes = i16::from(codec.id());
        cases.sealed(&format!("not {}", codec.name()), b"hello", 2, with_codec);
        cases.sealed(&format!("nothing as {}", codec.name()), b"", 1, with_codec);
    }
    let gzip = compress(Compression::Gzip, &two).unwrap();
    let with_gzip = |header: &mut BatchHeader| header.attributes = 1;
    cases.sealed("gzip without its end", &gzip[..gzip.len() - 3], 2, with_gzip);
    let mut wrong = gzip.clone();
    let at = wrong.len() - 8;
    wrong[at] ^= 1;
    cases.sealed("gzip with a wrong checksum", &wrong, 2, with_gzip);
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Header (without what depends on how it was packed) and records.
    Stored(Box<BatchHeader>, Vec<u8>),
    Refused {
        code: i16,
        message: String,
        records: Vec<(i32, String)>,
    },
}

fn stored(batch: &[u8]) -> Outcome {
    let batch = Batches::new(batch).next().unwrap().unwrap();
    batch.validate_crc().unwrap();
    let codec = batch.header.compression().unwrap();
    let records = decompress(codec, &batch.bytes[HEADER_LEN..], 1 << 20).unwrap();
    let header = BatchHeader {
        base_offset: 0,
        partition_leader_epoch: 0,
        crc: 0,
        batch_length: 0,
        ..batch.header
    };
    Outcome::Stored(Box::new(header), records)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Apache Kafka's code of an error by its name there.
fn code(name: &str) -> i16 {
    let error = match name {
        "INVALID_RECORD" => ResponseError::InvalidRecord,
        "INVALID_TIMESTAMP" => ResponseError::InvalidTimestamp,
        "UNKNOWN_SERVER_ERROR" => ResponseError::UnknownServerError,
        other => panic!("{other}"),
    };
    error.code()
}

/// What Apache Kafka does with each case on each kind of topic, by `kind/case`; `None` where it cannot be asked.
fn judge(cases: &[Case]) -> Option<HashMap<String, Outcome>> {
    let libs = std::env::var_os("TICKERTAPE_KAFKA_LIBS")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/validator/Judge.java");
    let mut java = Command::new("java")
        .arg("-cp")
        .arg(Path::new(&libs).join("*"))
        .arg(source)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut lines = String::new();
    for kind in &KINDS {
        for case in cases {
            let fields = [
                format!("{}/{}", kind.name, case.name),
                kind.name.to_owned(),
                NOW.to_string(),
                if kind.append_time { "L" } else { "C" }.to_owned(),
                kind.before_ms.to_string(),
                AFTER_MS.to_string(),
                u8::from(kind.compacted).to_string(),
                kind.codec.to_owned(),
                hex(&case.batch),
            ];
            lines.push_str(&fields.join("\t"));
            lines.push('\n');
        }
    }
    let mut stdin = java.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = java.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let outcomes = text.lines().map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let outcome = match fields[1] {
            "OK" => stored(&unhex(fields[2])),
            name => Outcome::Refused {
                code: code(name),
                message: fields[2].to_owned(),
                records: fields[3]
                    .split('\u{1f}')
                    .filter_map(|error| error.split_once('='))
                    .map(|(index, message)| (index.parse().unwrap(), message.to_owned()))
                    .collect(),
            },
        };
        (fields[0].to_owned(), outcome)
    });
    Some(outcomes.collect())
}

fn produce(client: &mut Client, topic: &Topic, batch: &[u8]) -> Outcome {
    let answer = client.produce(latest(ApiKey::Produce), topic, 0, batch.to_vec());
    if answer.error_code != 0 {
        return Outcome::Refused {
            code: answer.error_code,
            message: answer
                .error_message
                .map(|message| message.to_string())
                .unwrap_or_default(),
            records: answer
                .record_errors
                .into_iter()
                .map(|error| {
                    let message = error.batch_index_error_message.unwrap_or_default();
                    (error.batch_index, message.to_string())
                })
                .collect(),
        };
    }
    let fetched = client.fetch(latest(ApiKey::Fetch), topic, 0, answer.base_offset, 1 << 20);
    stored(&fetched.records.unwrap())
}

#[test]
fn records_are_judged_as_apache_kafka_judges_them() {
    let broker = tickertape_broker::Broker::builder()
        .clock(Arc::new(ManualClock::new(NOW)))
        .property("log.retention.ms", "-1")
        .start_blocking()
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let cases = cases();
    let judged = judge(&cases);
    let mut wrong = Vec::new();
    let mut compared = 0;
    for kind in &KINDS {
        let topic = client.create_topic(kind.name, 1, kind.properties);
        let mut end = 0;
        for case in &cases {
            let name = format!("{}/{}", kind.name, case.name);
            let ours = produce(&mut client, &topic, &case.batch);
            if let Outcome::Stored(header, _) = &ours {
                end += i64::from(header.records_count);
            }
            let listed = client.list_offset(latest(ApiKey::ListOffsets), &topic, 0, -1);
            assert_eq!(listed, (-1, end), "{name}");
            let theirs = judged.as_ref().map(|judged| &judged[&name]);
            let Some(theirs) = theirs else { continue };
            compared += 1;
            let is_stricter = case.stricter
                && matches!(&ours, Outcome::Refused { code, .. } if *code == ResponseError::InvalidRecord.code());
            if ours != *theirs && !is_stricter {
                wrong.push(format!("{name}\n  theirs {theirs:?}\n  ours   {ours:?}"));
            }
        }
    }
    println!("{compared} answers compared");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
