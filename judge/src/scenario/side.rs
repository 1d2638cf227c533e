//! One of the two brokers in a scenario: its connections, and what it calls the things that the scenario names.
//!
//! Requests are written with names where a broker gives out ids, and answers are read back into names, so that both are the
//! same for both brokers:
//!
//! | written | stands for |
//! |---|---|
//! | `$id:TOPIC` | the id of a topic |
//! | `$member:G:M` | the id that the broker gave the classic member M of group G; empty before |
//! | `$producer` | the producer id that the broker gave out; -1 before |
//! | `$transactional:N` | the producer id that it gave the transactional producer N; -1 before |
//! | `$batch:N` | the request's Nth batch, with the producer's id in it |
//! | `$assignments:NAME` | what the member NAME, if it leads its group here, assigns to each member |
//! | `$divided:TOPIC:COUNT:NAME` | the same, where the members share COUNT partitions of a topic |

use std::collections::HashMap;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::batch::{self, Made};
use crate::client::Client;
use crate::embedded;
use crate::lists::{Exception, Lists};
use crate::value::{hex, uuid_text};

/// A request as both brokers are to get it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) api: &'static str,
    pub(super) version: i16,
    pub(super) body: Value,
    pub(super) batches: Vec<Made>,
    /// Whether timestamps in the answer may be the broker's.
    pub(super) stamped: bool,
    /// Of the groups in the answer only those count whose names begin so.
    pub(super) only: Option<String>,
}

impl Request {
    pub(super) fn new(api: &'static str, version: i16, body: Value) -> Self {
        Self {
            api,
            version,
            body,
            batches: Vec::new(),
            stamped: false,
            only: None,
        }
    }
}

/// The first transactional producer's number among the producers of batches.
pub(super) const TRANSACTIONAL: u8 = 100;

/// An id that no topic has.
const NOBODY: [u8; 16] = *b"tickertape-judge";

/// One broker.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) address: String,
    pub(super) main: Client,
    /// Ids by name.
    ids: HashMap<String, String>,
    /// Names by id; an id that has been replaced keeps a name of its own.
    names: HashMap<String, String>,
    issued: Vec<i64>,
    /// The last id of each transactional producer, and every one with its name.
    transactional: HashMap<usize, i64>,
    transactional_names: Vec<(i64, String)>,
    /// The members of the group, by the name of who leads it.
    led: HashMap<String, Vec<String>>,
    /// Producer ids that the scenario made up; the same on both.
    pub(super) own_producers: i64,
    /// Whether some topic makes the broker compress anew.
    pub(super) recompressed: bool,
}

impl Side {
    pub(super) fn connect(name: &'static str, address: &str, own_producers: i64) -> anyhow::Result<Self> {
        Ok(Self {
            name,
            address: address.to_owned(),
            main: Client::connect(address)?,
            ids: HashMap::new(),
            names: HashMap::new(),
            issued: Vec::new(),
            transactional: HashMap::new(),
            transactional_names: Vec::new(),
            led: HashMap::new(),
            own_producers,
            recompressed: false,
        })
    }

    /// Notes what this broker calls something.
    pub(super) fn learn(&mut self, name: &str, id: &str) {
        if id.is_empty() || self.names.contains_key(id) {
            return;
        }
        if let Some(before) = self.ids.insert(name.to_owned(), id.to_owned()) {
            let count = self.names.len();
            self.names.insert(before, format!("{name} before {count}"));
        }
        self.names.insert(id.to_owned(), name.to_owned());
    }

    /// Notes a producer id that was given out.
    pub(super) fn learn_producer(&mut self, id: i64) {
        self.issued.push(id);
    }

    /// Notes the producer id that a transactional producer was given.
    pub(super) fn learn_transactional(&mut self, at: usize, id: i64) {
        if self.transactional.insert(at, id) != Some(id) {
            let name = format!("$transactional {at} {}", self.transactional_names.len());
            self.transactional_names.push((id, name));
        }
    }

    /// Notes whether a member leads its group, and whom.
    pub(super) fn learn_led(&mut self, leader: &str, members: Vec<String>) {
        self.led.insert(leader.to_owned(), members);
    }

    /// The id that the scenario's producer goes by.
    pub(super) fn producer_id(&self, producer: u8) -> i64 {
        if let Some(at) = producer.checked_sub(TRANSACTIONAL) {
            return self.transactional.get(&usize::from(at)).copied().unwrap_or(-1);
        }
        match (producer, self.issued.last()) {
            (2, Some(issued)) => *issued,
            _ => self.own_producers + i64::from(producer),
        }
    }

    /// The request's body for this broker.
    pub(super) fn body(&self, request: &Request) -> anyhow::Result<Value> {
        self.said(&request.body, request)
    }

    fn said(&self, value: &Value, request: &Request) -> anyhow::Result<Value> {
        Ok(match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), self.said(value, request)?)))
                .collect::<anyhow::Result<serde_json::Map<_, _>>>()?
                .into(),
            Value::Array(values) => values
                .iter()
                .map(|value| self.said(value, request))
                .collect::<anyhow::Result<Vec<_>>>()?
                .into(),
            Value::String(text) if text.starts_with('$') => self.meant(text, request)?,
            other => other.clone(),
        })
    }

    fn meant(&self, text: &str, request: &Request) -> anyhow::Result<Value> {
        if let Some(at) = text.strip_prefix("$batch:") {
            let made = &request.batches[at.parse::<usize>()?];
            let producer = made.produced.map_or(-1, |produced| self.producer_id(produced.producer));
            return Ok(hex(&made.bytes(producer)?).into());
        }
        if let Some(leader) = text.strip_prefix("$assignments:") {
            return Ok(self.assignments(leader, None));
        }
        if let Some(divided) = text.strip_prefix("$divided:") {
            let mut words = divided.splitn(3, ':');
            let mut word = || words.next().context("$divided:TOPIC:PARTITIONS:NAME");
            let (topic, partitions, leader) = (word()?, word()?.parse()?, word()?);
            return Ok(self.assignments(leader, Some((topic, partitions))));
        }
        if text == "$producer" {
            return Ok(self.issued.last().copied().unwrap_or(-1).into());
        }
        if let Some(at) = text.strip_prefix("$transactional:") {
            let id = self.transactional.get(&at.parse()?);
            return Ok(id.copied().unwrap_or(-1).into());
        }
        let unknown = if text.starts_with("$id:") {
            uuid_text(&NOBODY)
        } else {
            String::new()
        };
        Ok(self.ids.get(text).cloned().unwrap_or(unknown).into())
    }

    fn assignments(&self, leader: &str, divided: Option<(&str, i32)>) -> Value {
        let led = self.led.get(leader).map(Vec::as_slice).unwrap_or_default();
        let assignments = assignments(led, divided).into_iter().map(|(member, assignment)| {
            let id = self.ids.get(member).unwrap_or(member);
            json!({ "MemberId": id, "Assignment": hex(&assignment) })
        });
        assignments.collect()
    }

    /// An answer in the scenario's names, but for the exceptions of `lists`.
    pub(super) fn read(&self, answer: &Value, lists: &Lists) -> Value {
        match answer {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| {
                    let refused = || fields.get("ErrorCode").is_some_and(|code| *code != 0);
                    let value = match (name.as_str(), value) {
                        ("Records", Value::Array(batches)) => {
                            // How much of the last batch is there depends on the sizes of those before it.
                            let other = |batch: &Value| {
                                batch.get("Cut").is_some() && self.recompressed && lists.except(Exception::Recompressed)
                            };
                            let same = batches.iter().filter(|batch| !other(batch));
                            same.map(|batch| self.batch(batch, lists)).collect()
                        }
                        ("ProducerId", Value::Number(id)) if !refused() => id
                            .as_i64()
                            .and_then(|id| self.producer_name(id))
                            .map_or_else(|| value.clone(), Value::from),
                        ("LogAppendTimeMs" | "TransactionStartTimeMs" | "LastTimestamp", Value::Number(time))
                            if time.as_i64() != Some(-1) && lists.except(Exception::AppendTime) =>
                        {
                            "now".into()
                        }
                        _ => self.read(value, lists),
                    };
                    (name.clone(), value)
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(values) => {
                let mut values: Vec<Value> = values.iter().map(|value| self.read(value, lists)).collect();
                if !values.is_sorted_by_key(sort_key) && lists.except(Exception::Order) {
                    values.sort_by_cached_key(sort_key);
                }
                values.into()
            }
            Value::String(text) => self.named(text, lists).into(),
            other => other.clone(),
        }
    }

    fn named(&self, text: &str, lists: &Lists) -> String {
        if let Some(name) = self.names.get(text) {
            return name.clone();
        }
        let mut text = text.to_owned();
        if text.len() > 20 {
            for (id, name) in &self.names {
                if text.contains(id.as_str()) {
                    text = text.replace(id.as_str(), name);
                }
            }
        }
        if let Some(at) = text.find("The timestamp should be within [")
            && lists.except(Exception::TimestampBounds)
        {
            text.truncate(at);
        }
        if let Some(before) = text.len().checked_sub(36)
            && text.is_char_boundary(before)
            && is_uuid(&text[before..])
            && lists.except(Exception::UntoldMember)
        {
            text.replace_range(before.., "(an id to be told)");
        }
        text
    }

    fn batch(&self, batch: &Value, lists: &Lists) -> Value {
        if let Some(cut) = batch["Cut"].as_str() {
            // Ids of producers in it are each broker's own.
            return serde_json::json!({ "Cut": cut.len() / 2 });
        }
        let producer = batch["ProducerId"].as_i64().and_then(|id| self.producer_name(id));
        batch::read(batch.clone(), producer, self.recompressed.then_some(lists))
    }

    fn producer_name(&self, id: i64) -> Option<String> {
        if let Some((_, name)) = self.transactional_names.iter().find(|(known, _)| *known == id) {
            return Some(name.clone());
        }
        let at = self.issued.iter().position(|issued| *issued == id)?;
        Some(format!("$producer {at}"))
    }
}

/// Whether it is written as Java writes a UUID.
fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// What the order of a list's elements is to be: by the first field that names the element.
fn sort_key(value: &Value) -> String {
    const KEYS: [&str; 9] = [
        "GroupId",
        "MemberId",
        "TopicId",
        "Topic",
        "TopicName",
        "Name",
        "PartitionIndex",
        "Partition",
        "Index",
    ];
    match value {
        Value::Object(fields) => KEYS
            .iter()
            .find_map(|key| fields.get(*key))
            .map(|value| format!("{value:>20}"))
            .unwrap_or_default(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

/// What a leader assigns to each of its members, in the consumer's own protocol: a partition by the member's number, or its
/// share of a topic, if it is told to divide one. It depends on the members' names alone, whoever leads.
fn assignments<'a>(led: &'a [String], divided: Option<(&str, i32)>) -> Vec<(&'a String, Vec<u8>)> {
    let mut members: Vec<&String> = led.iter().collect();
    members.sort();
    let count = members.len();
    let share = |(at, member): (usize, &'a String)| {
        let Some((topic, partitions)) = divided else {
            let number = member.rsplit(':').next().and_then(|number| number.parse().ok());
            let parts: [embedded::Part<'_>; 1] = [("t", &[number.unwrap_or_default()])];
            return (member, embedded::assignment(0, &parts, None));
        };
        let partitions: Vec<i32> = (0..partitions).filter(|of| *of as usize % count == at).collect();
        let parts: &[embedded::Part<'_>] = &[(topic, &partitions)];
        let parts = if partitions.is_empty() { &[] } else { parts };
        (member, embedded::assignment(1, parts, None))
    };
    members.into_iter().enumerate().map(share).collect()
}
