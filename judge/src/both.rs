//! Both brokers at once: the same is asked of each, and topics are made on each.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tickertape_broker::wire::shapes;

use crate::apache::ApacheKafka;
use crate::client::{Answer, AskError, Client};
use crate::ours::Ours;
use crate::value::uuid_from;

/// How long what was asked for may take to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What each of the two answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Ours.
    pub ours: Value,
    /// Apache Kafka.
    pub theirs: Value,
}

impl Answers {
    /// What one of them answered.
    #[must_use]
    pub fn of(&self, side: Side) -> &Value {
        match side {
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        }
    }
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Ours.
    Ours,
    /// Apache Kafka.
    Theirs,
}

/// A connection to each.
#[derive(Debug)]
pub struct Both {
    ours: Client,
    theirs: Client,
}

impl Both {
    /// Connections to the two that all tests of this process share.
    ///
    /// # Errors
    /// Why they do not run.
    pub fn shared() -> anyhow::Result<Self> {
        let kafka = ApacheKafka::shared().map_err(anyhow::Error::msg)?;
        static OURS: OnceLock<Result<Ours, String>> = OnceLock::new();
        let start = || Ours::beside(kafka);
        let ours = OURS.get_or_init(|| start().map_err(|error| format!("{error:#}")));
        let ours = ours.as_ref().map_err(anyhow::Error::msg)?;
        Self::connect(ours.bootstrap_servers(), kafka.bootstrap_servers())
    }

    /// Connections to ours and to Apache Kafka by their addresses.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(ours: &str, theirs: &str) -> anyhow::Result<Self> {
        Ok(Self {
            ours: Client::connect(ours)?,
            theirs: Client::connect(theirs)?,
        })
    }

    /// The connection to one of them.
    pub fn client(&mut self, side: Side) -> &mut Client {
        match side {
            Side::Ours => &mut self.ours,
            Side::Theirs => &mut self.theirs,
        }
    }

    /// Asks something of each.
    ///
    /// # Errors
    /// The request cannot be said; a connection breaks.
    pub fn each<T>(
        &mut self,
        mut ask: impl FnMut(Side, &mut Client) -> Result<T, AskError>,
    ) -> Result<(T, T), AskError> {
        Ok((ask(Side::Ours, &mut self.ours)?, ask(Side::Theirs, &mut self.theirs)?))
    }

    /// Asks both the same.
    ///
    /// # Errors
    /// The version cannot say it; a connection breaks; an answer does not follow its shape.
    pub fn ask(&mut self, api: &str, version: i16, request: &Value) -> Result<Answers, AskError> {
        // Said before anything is sent, so that a request that one cannot be asked is asked of neither.
        self.ours.encode(api, version, request)?;
        let (ours, theirs) = self.each(|_, client| client.ask(api, version, request))?;
        Ok(Answers {
            ours: ours.into_value(),
            theirs: theirs.into_value(),
        })
    }

    /// Asks both what must succeed on both, in the highest version that ours serves: any error code in an answer is an
    /// error.
    ///
    /// # Errors
    /// One of them refuses.
    pub fn must(&mut self, api: &str, request: &Value) -> anyhow::Result<Answers> {
        let version = highest_version(api)?;
        let answers = self.ask(api, version, request)?;
        for side in [Side::Ours, Side::Theirs] {
            let answer = answers.of(side);
            anyhow::ensure!(
                answer.is_object() && error_of(answer).is_none(),
                "{side:?} refuses {api} {request}: {answer}"
            );
        }
        Ok(answers)
    }

    /// Makes a topic on both, waits until each serves it, and learns its ids.
    ///
    /// # Errors
    /// One of them refuses.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> anyhow::Result<()> {
        self.create_topics(&[name.to_owned()], partitions, configs)
    }

    /// As [`Self::create_topic`] of many at once, which takes little longer than one.
    ///
    /// # Errors
    /// One of them refuses.
    pub fn create_topics(&mut self, names: &[String], partitions: i32, configs: &[(&str, &str)]) -> anyhow::Result<()> {
        let configs: Vec<_> = configs
            .iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        let topic = |name: &String| json!({ "Name": name, "NumPartitions": partitions, "ReplicationFactor": 1, "Configs": configs });
        let topics: Vec<_> = names.iter().map(topic).collect();
        self.must("CreateTopics", &json!({ "Topics": topics, "timeoutMs": 30_000 }))?;
        names.iter().try_for_each(|name| self.await_topic(name, partitions))
    }

    /// Waits until each serves a topic with so many partitions, and learns its ids.
    ///
    /// # Errors
    /// One of them does not.
    pub fn await_topic(&mut self, name: &str, partitions: i32) -> anyhow::Result<()> {
        let request = json!({ "Topics": [{ "Name": name }], "AllowAutoTopicCreation": false });
        for side in [Side::Ours, Side::Theirs] {
            let served = |answer: &Value| {
                let of_topic = answer["Topics"][0]["Partitions"].as_array();
                error_of(answer).is_none() && of_topic.is_some_and(|served| served.len() == partitions as usize)
            };
            let client = self.client(side);
            let metadata = until(client, "Metadata", 12, &request, served)?;
            let id = metadata["Topics"][0]["TopicId"].as_str().unwrap_or_default();
            // Known already, it is decoded to its name.
            if let Some(id) = uuid_from(id) {
                client.topics.learn(name, id);
            }
            // Apache Kafka names a leader before its log is there.
            let ends: Vec<_> = (0..partitions)
                .map(|index| json!({ "PartitionIndex": index, "Timestamp": -1 }))
                .collect();
            let ends = json!({ "ReplicaId": -1, "Topics": [{ "Name": name, "Partitions": ends }] });
            until(client, "ListOffsets", 5, &ends, |answer| error_of(answer).is_none())?;
        }
        Ok(())
    }
}

impl Both {
    /// Learns the ids of a topic, where it is there.
    ///
    /// # Errors
    /// A connection breaks.
    pub fn learn(&mut self, topic: &str) -> anyhow::Result<()> {
        let request = json!({ "Topics": [{ "Name": topic }], "AllowAutoTopicCreation": false });
        for side in [Side::Ours, Side::Theirs] {
            let client = self.client(side);
            // Apache Kafka may not serve yet what it has made.
            let end = Instant::now() + Duration::from_millis(300);
            loop {
                let answer = client.ask("Metadata", 12, &request)?.into_value();
                let id = answer["Topics"][0]["TopicId"].as_str().and_then(uuid_from);
                match id.filter(|id| *id != [0; 16]) {
                    Some(id) => client.topics.learn(topic, id),
                    None if error_of(&answer).is_some() && side == Side::Theirs && Instant::now() < end => {
                        std::thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                    None => {}
                }
                break;
            }
        }
        Ok(())
    }

    /// Waits until neither knows a topic any more.
    ///
    /// # Errors
    /// One of them still does.
    pub fn await_gone(&mut self, topic: &str) -> anyhow::Result<()> {
        let request = json!({ "Topics": [{ "Name": topic }], "AllowAutoTopicCreation": false });
        for side in [Side::Ours, Side::Theirs] {
            until(self.client(side), "Metadata", 12, &request, |answer| {
                error_of(answer) == Some(3)
            })?;
        }
        Ok(())
    }
}

/// Asks one of them until its answer is as wanted; there is no event to wait for, as it applies metadata when it gets to it.
///
/// # Errors
/// It never is, or the connection breaks.
pub fn until(
    client: &mut Client,
    api: &str,
    version: i16,
    request: &Value,
    wanted: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = client.ask(api, version, request)?;
        match answer {
            Answer::Message(answer) if wanted(&answer) => return Ok(answer),
            answer if Instant::now() > end => anyhow::bail!("{api} {request} is still answered with {answer:?}"),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The first error code in an answer.
pub fn error_of(answer: &Value) -> Option<i64> {
    match answer {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match value.as_i64() {
            Some(code) if matches!(name.as_str(), "ErrorCode" | "PartitionErrorCode") && code != 0 => Some(code),
            _ => error_of(value),
        }),
        Value::Array(elements) => elements.iter().find_map(error_of),
        _ => None,
    }
}

/// The highest version of an API that ours announces.
///
/// # Errors
/// It announces no such API.
pub fn highest_version(api: &str) -> anyhow::Result<i16> {
    let (request, _) = crate::client::shapes_of(api)?;
    let served = tickertape_broker::served().find(|served| served.key == request.api_key);
    served
        .map(|served| served.max)
        .ok_or_else(|| anyhow::anyhow!("ours does not serve {api}"))
}

/// The versions of an API that ours announces.
#[must_use]
pub fn versions_of(api: &str) -> Option<std::ops::RangeInclusive<i16>> {
    let key = shapes::message(&format!("{api}Request"))?.api_key;
    tickertape_broker::served()
        .find(|served| served.key == key)
        .map(|served| served.min..=served.max)
}
