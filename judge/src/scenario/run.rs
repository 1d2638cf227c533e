//! A scenario being performed on both brokers.
//!
//! Every request goes to both, ours and Apache Kafka, and their answers, read into the scenario's names, must be the same
//! but for what [`crate::lists`] allows. What an action may have changed is looked at after it ([`super::see`]).
//!
//! JoinGroup and SyncGroup may wait for other members. Each is sent on a connection of its own; which of those that wait
//! are answered after an action must be the same on both, and so must what they are told. Both brokers take requests from
//! one connection at a time ([`crate::PROPERTIES`]), so that what was sent before is taken before: see [`Run::fence`].

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::action::{Action, Pick};
use super::side::{Request, Side};
use super::tally::Tally;
use super::world::World;
use crate::both::highest_version;
use crate::client::{Answer, AskError, Client, Ticket};
use crate::compare::{Difference, compare};
use crate::lists::{Exception, Lists};

/// How long an answer that the other broker has given may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long Apache Kafka may take to show what it has acknowledged.
const SETTLING: Duration = Duration::from_secs(3);

/// Why a scenario ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The two are not the same.
    Differ(Found),
    /// Something else failed.
    Broken(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

/// Where the two are not the same.
#[derive(Debug, Clone)]
pub struct Found {
    /// What was asked.
    pub api: String,
    /// The request's version.
    pub version: i16,
    /// The request, in the scenario's names.
    pub request: Value,
    /// Each place.
    pub differences: Vec<Difference>,
}

impl Found {
    /// A short name, the same for differences of one kind.
    #[must_use]
    pub fn kind(&self) -> String {
        let brief = |value: &Value| {
            let text = value.to_string();
            text.chars().take(60).collect::<String>()
        };
        match self.differences.first() {
            Some(first) => format!(
                "{} {}: ours {} theirs {}",
                self.api,
                first.path,
                brief(&first.ours),
                brief(&first.theirs)
            ),
            None => self.api.clone(),
        }
    }
}

pub(super) type Outcome<T = ()> = Result<T, Stop>;

/// A request for which a member waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) group: usize,
    pub(super) member: usize,
    /// The member's name when it asked.
    name: String,
    request: Request,
    tickets: [(Client, Ticket); 2],
    answers: [Option<Value>; 2],
}

/// A scenario and how far it has come.
pub(super) struct Run<'a> {
    pub(super) sides: [Side; 2],
    pub(super) world: World,
    pub(super) lists: &'a Lists,
    pub(super) tally: &'a mut Tally,
    pub(super) waiting: Vec<Waiting>,
    /// How often a member has joined without a name. It has another client id each time: names that brokers make up begin
    /// with it, and so are in the same order on both.
    unnamed: HashMap<(usize, usize), u32>,
    pub(super) trace: Vec<String>,
    fences: i64,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        name: &str,
        began_ms: i64,
        addresses: [&str; 2],
        number: i64,
        lists: &'a Lists,
        tally: &'a mut Tally,
    ) -> anyhow::Result<Self> {
        let producers = 1_000_000 + number * 10;
        Ok(Self {
            sides: [
                Side::connect("ours", addresses[0], producers)?,
                Side::connect("Apache Kafka", addresses[1], producers)?,
            ],
            world: World::new(name, began_ms),
            lists,
            tally,
            waiting: Vec::new(),
            unnamed: HashMap::new(),
            trace: Vec::new(),
            fences: 0,
        })
    }

    /// Performs an action, with all that follows from it.
    pub(super) fn perform(&mut self, action: &Action) -> Outcome {
        self.trace.push(format!("{action:?}"));
        self.tally.acted(action);
        match action {
            Action::CreateTopic { .. }
            | Action::DeleteTopic { .. }
            | Action::AddPartitions { .. }
            | Action::AlterConfigs { .. }
            | Action::ReplaceConfigs { .. }
            | Action::DescribeConfigs { .. }
            | Action::Metadata { .. }
            | Action::DescribeTopicPartitions { .. } => self.on_topics(action),
            Action::Produce { .. }
            | Action::InitProducer { .. }
            | Action::Fetch { .. }
            | Action::ListOffsets { .. }
            | Action::LeaderEpoch { .. }
            | Action::DeleteRecords { .. } => self.on_records(action),
            Action::Join { .. }
            | Action::Sync { .. }
            | Action::Settle { .. }
            | Action::Heartbeat { .. }
            | Action::LeaveGroup { .. } => self.on_classic(action),
            Action::Beat { .. } | Action::Converge { .. } => self.on_consumers(action),
            Action::Switch { .. } => self.on_mixed(action),
            Action::Transact { .. } => self.on_transactions(action),
            _ => self.on_offsets(action),
        }
    }

    /// One of the versions that ours serves.
    pub(super) fn version(api: &str, pick: Pick) -> anyhow::Result<i16> {
        let versions = crate::both::versions_of(api).with_context(|| format!("ours does not serve {api}"))?;
        let count = versions.end() - versions.start() + 1;
        Ok(versions.start() + i16::from(pick) % count)
    }

    /// Asks both and compares the answers.
    pub(super) fn ask(&mut self, request: Request) -> Outcome<Value> {
        self.ask_learning(request, |_, _| {})
    }

    /// As [`Self::ask`]; what each answers is shown first, as it came, so that names can be given to new ids.
    pub(super) fn ask_learning(&mut self, request: Request, learn: impl Fn(&mut Side, &Value)) -> Outcome<Value> {
        let (request, answers) = self.exchange(request)?;
        for (side, answer) in self.sides.iter_mut().zip(&answers) {
            learn(side, answer);
        }
        self.agree(&request, &answers)
    }

    /// As [`Self::ask`] of what may be taken without an answer.
    pub(super) fn ask_quietly(&mut self, request: &Request) -> Outcome<Value> {
        let mut answers = Vec::new();
        for side in &mut self.sides {
            let body = side.body(request)?;
            let encoded = side.main.encode(request.api, request.version, &body);
            let encoded = encoded.map_err(anyhow::Error::from)?;
            let answer = side.main.ask_body_quietly(request.api, request.version, &encoded);
            let answer = answer.with_context(|| format!("{} takes {} v{}", side.name, request.api, request.version))?;
            answers.push(answer.into_value());
        }
        self.agree(request, &[answers.remove(0), answers.remove(0)])
    }

    /// As [`Self::ask`] of what an acknowledged change shows in: ours at once; Apache Kafka, whose parts learn of it one
    /// after the other, after a while.
    pub(super) fn see(&mut self, request: Request) -> Outcome<Value> {
        let (request, mut answers) = self.exchange(request)?;
        let until = Instant::now() + SETTLING;
        while !self.differences(&request, &answers).is_empty() && Instant::now() < until {
            self.tally.settled += 1;
            let [_, theirs] = &mut self.sides;
            let body = theirs.body(&request)?;
            let answer = theirs.main.ask(request.api, request.version, &body);
            answers[1] = answer.map_err(anyhow::Error::from)?.into_value();
        }
        self.agree(&request, &answers)
    }

    /// The answers as they came, and the request in the version in which it could be said.
    fn exchange(&mut self, mut request: Request) -> Outcome<(Request, [Value; 2])> {
        let tickets = match self.start(&request) {
            Err(AskError::Unsayable(_)) => {
                self.tally.unsayable += 1;
                request.version = highest_version(request.api)?;
                self.start(&request)
            }
            tickets => tickets,
        };
        let tickets = tickets
            .map_err(anyhow::Error::from)
            .with_context(|| format!("{} {}", request.api, request.body))?;
        let mut answers = [Value::Null, Value::Null];
        for ((side, ticket), answer) in self.sides.iter_mut().zip(tickets).zip(&mut answers) {
            let given = side.main.finish(&ticket).with_context(|| {
                format!(
                    "{} answers {} v{} {}",
                    side.name, request.api, request.version, request.body
                )
            })?;
            *answer = given.into_value();
        }
        Ok((request, answers))
    }

    /// Sends to both.
    fn start(&mut self, request: &Request) -> Result<Vec<Ticket>, AskError> {
        // Said before anything is sent.
        let mut bodies = Vec::new();
        for side in &self.sides {
            let body = side.body(request)?;
            bodies.push(side.main.encode(request.api, request.version, &body)?);
        }
        let mut tickets = Vec::new();
        for (side, body) in self.sides.iter_mut().zip(bodies) {
            tickets.push(side.main.start(request.api, request.version, &body)?);
        }
        Ok(tickets)
    }

    fn differences(&self, request: &Request, answers: &[Value; 2]) -> Vec<Difference> {
        let [mut ours, mut theirs] = [0, 1].map(|at| self.sides[at].read(&answers[at], self.lists));
        if request.stamped && self.lists.except(Exception::AppendTime) {
            unstamp(&mut ours, self.world.began_ms);
            unstamp(&mut theirs, self.world.began_ms);
        }
        if let Some(prefix) = &request.only {
            let own = |group: &Value| group["GroupId"].as_str().is_some_and(|name| name.starts_with(prefix));
            for answer in [&mut ours, &mut theirs] {
                if let Some(groups) = answer["Groups"].as_array_mut() {
                    groups.retain(own);
                }
            }
        }
        let mut differences = compare(self.lists, request.api, &ours, &theirs);
        differences.retain(|found| self.lists.deliberate(request.api, "scenario", found).is_none());
        differences
    }

    /// The answer of both, or where they differ.
    fn agree(&mut self, request: &Request, answers: &[Value; 2]) -> Outcome<Value> {
        let answer = self.sides[1].read(&answers[1], self.lists);
        self.trace.push(format!(
            "    {} v{} {} -> {}",
            request.api,
            request.version,
            brief(&request.body),
            brief(&answer)
        ));
        self.tally.answered(request.api, &answer);
        let differences = self.differences(request, answers);
        if differences.is_empty() {
            return Ok(answer);
        }
        Err(Stop::Differ(Found {
            api: request.api.to_owned(),
            version: request.version,
            request: request.body.clone(),
            differences,
        }))
    }

    /// Sends what may have to wait, on connections of its own.
    pub(super) fn send(&mut self, group: usize, member: usize, mut request: Request) -> Outcome {
        let waits = |one: &Waiting| (one.group, one.member) == (group, member);
        if self.waiting.iter().any(waits) && self.lists.except(Exception::OlderJoin) {
            self.waiting.retain(|one| !waits(one));
        }
        let alone = request.api == "JoinGroup" && self.is_empty(group)?;
        let joins = self.unnamed.entry((group, member)).or_default();
        *joins += u32::from(request.api == "JoinGroup" && request.body["MemberId"] == "");
        let client_id = format!("member-{member}-{joins:03}");
        let mut tickets = Vec::new();
        for side in &mut self.sides {
            let body = side.body(&request)?;
            // The ids that brokers give begin with it.
            let mut client = Client::connect(&side.address)?.with_client_id(&client_id);
            // Answered, the connection is one of those that are polled: what is sent next can't be overtaken.
            client.ask("ApiVersions", 0, &json!({})).map_err(anyhow::Error::from)?;
            let encoded = match client.encode(request.api, request.version, &body) {
                Err(AskError::Unsayable(_)) => {
                    request.version = highest_version(request.api)?;
                    client.encode(request.api, request.version, &body)
                }
                encoded => encoded,
            };
            let encoded = encoded.map_err(anyhow::Error::from)?;
            let ticket = client.start(request.api, request.version, &encoded)?;
            tickets.push((client, ticket));
        }
        let (Some(theirs), Some(ours)) = (tickets.pop(), tickets.pop()) else {
            return Err(anyhow::anyhow!("two sides").into());
        };
        self.world.groups[group].members[member].waits = true;
        let mut one = Waiting {
            group,
            member,
            name: self.world.groups[group].members[member].name.clone(),
            request,
            tickets: [ours, theirs],
            answers: [None, None],
        };
        if alone {
            // Apache Kafka answers the first member by a timer, ours at once.
            one.poll(PATIENCE)?;
        }
        self.waiting.push(one);
        self.fence(group)
    }

    /// Whether a group has no members, so that who joins it has nobody to wait for.
    fn is_empty(&mut self, group: usize) -> Outcome<bool> {
        let of = &self.world.groups[group];
        if of.members.iter().any(|member| member.generation > 0 || member.waits) {
            return Ok(false);
        }
        let request = json!({ "Groups": [of.name] });
        let answer = self.sides[1].main.ask("DescribeGroups", 0, &request);
        let answer = answer.map_err(anyhow::Error::from)?.into_value();
        let state = answer["Groups"][0]["GroupState"].as_str().unwrap_or_default();
        Ok(matches!(state, "Empty" | "Dead"))
    }

    /// Returns when both brokers have taken all that was sent before, and their group coordinators have done it.
    ///
    /// When the first ApiVersions is answered, the poll that read it has read what was sent before it; so when the second is
    /// answered, that has been taken. The group's description is asked of the coordinator, which does one thing after the
    /// other.
    pub(super) fn fence(&mut self, group: usize) -> Outcome {
        let name = &self.world.groups[group].name;
        for side in &mut self.sides {
            for _ in 0..2 {
                side.main
                    .ask("ApiVersions", 0, &json!({}))
                    .map_err(anyhow::Error::from)?;
            }
            side.main
                .ask("DescribeGroups", 0, &json!({ "Groups": [name] }))
                .map_err(anyhow::Error::from)?;
        }
        Ok(())
    }

    /// Takes the answers that have come to those who wait. The same ones must be answered by both, in the same way.
    pub(super) fn collect(&mut self, group: usize) -> Outcome {
        self.fence(group)?;
        let mut answered = Vec::new();
        let mut waiting = Vec::new();
        for mut one in std::mem::take(&mut self.waiting) {
            if one.group == group {
                one.poll(Duration::ZERO)?;
                if one.answers.iter().any(Option::is_some) {
                    one.poll(PATIENCE)?;
                    answered.push(one);
                    continue;
                }
            }
            waiting.push(one);
        }
        self.waiting = waiting;
        // Names first, as each answer may name the others.
        for one in &answered {
            self.learn(one);
        }
        for one in answered {
            self.take(one)?;
        }
        Ok(())
    }

    fn learn(&mut self, one: &Waiting) {
        for (side, answer) in self.sides.iter_mut().zip(&one.answers) {
            if let Some(id) = answer.as_ref().and_then(|answer| answer["MemberId"].as_str()) {
                side.learn(&one.name, id);
            }
        }
    }

    fn take(&mut self, one: Waiting) -> Outcome {
        let [Some(ours), Some(theirs)] = &one.answers else {
            let silent = usize::from(one.answers[0].is_some());
            let said = |answer: &Option<Value>| answer.clone().unwrap_or_else(|| "(waits)".into());
            let trace = format!(
                "    {} {} waits at {}",
                one.request.api, one.request.body, self.sides[silent].name
            );
            self.trace.push(trace);
            return Err(Stop::Differ(Found {
                api: one.request.api.to_owned(),
                version: one.request.version,
                request: one.request.body,
                differences: vec![Difference {
                    path: "(whether it is answered)".to_owned(),
                    place: String::new(),
                    ours: self.sides[0].read(&said(&one.answers[0]), self.lists),
                    theirs: self.sides[1].read(&said(&one.answers[1]), self.lists),
                }],
            }));
        };
        let mut answers = [ours.clone(), theirs.clone()];
        let member = &mut self.world.groups[one.group].members[one.member];
        member.waits = self
            .waiting
            .iter()
            .any(|other| (other.group, other.member) == (one.group, one.member));
        if one.request.api == "JoinGroup" {
            self.learn_leaders(&one, &mut answers);
        }
        let answer = self.agree(&one.request, &answers)?;
        // Who goes by another name by now has no use for it.
        if self.world.groups[one.group].members[one.member].name != one.name {
            return Ok(());
        }
        self.on_waited(one.group, one.member, one.request.api, &answer)
    }

    /// Who leads is the broker's choice once the first leader has left.
    fn learn_leaders(&mut self, one: &Waiting, answers: &mut [Value; 2]) {
        let group = &self.world.groups[one.group];
        for (side, answer) in self.sides.iter_mut().zip(answers.iter()) {
            let read = side.read(answer, self.lists);
            let members = read["Members"].as_array().into_iter().flatten();
            let members = members.filter_map(|member| Some(member["MemberId"].as_str()?.to_owned()));
            side.learn_led(&one.name, members.collect());
        }
        if group.leader_left
            && answers.iter().all(|answer| answer["ErrorCode"] == 0)
            && self.lists.except(Exception::LeaderAfterLeader)
        {
            for answer in answers {
                answer["Leader"] = Value::Null;
                answer["Members"] = Value::Null;
            }
        }
    }
}

impl Waiting {
    fn poll(&mut self, patience: Duration) -> anyhow::Result<()> {
        for ((client, ticket), answer) in self.tickets.iter_mut().zip(&mut self.answers) {
            if answer.is_none() {
                *answer = client.poll(ticket, patience)?.map(Answer::into_value);
            }
        }
        Ok(())
    }
}

/// Replaces timestamps since the scenario began: the broker's own, or so near that they may be.
fn unstamp(value: &mut Value, began_ms: i64) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_i64() {
                    Some(time) if name == "Timestamp" && time >= began_ms => *value = "now".into(),
                    _ => unstamp(value, began_ms),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| unstamp(value, began_ms)),
        _ => {}
    }
}

/// Enough of a tree to know what it was.
fn brief(value: &Value) -> String {
    const CHARS_MAX: usize = 900;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Run<'_> {
    /// Returns when Apache Kafka has applied every change of metadata that it has acknowledged. It publishes them in order,
    /// each in all its parts before the next: when a later one is visible, an earlier one is done. Ours has no such gap.
    pub(super) fn settle(&mut self) -> Outcome {
        for _ in 0..2 {
            self.fences += 1;
            let value = (self.fences + 1_000_000).to_string();
            let config = json!({ "Name": "retention.ms", "ConfigOperation": 0, "Value": value });
            let change =
                json!({ "Resources": [{ "ResourceType": 2, "ResourceName": super::FENCE, "Configs": [config] }] });
            let seen = json!({ "Resources": [
                { "ResourceType": 2, "ResourceName": super::FENCE, "ConfigurationKeys": ["retention.ms"] }
            ]});
            let theirs = &mut self.sides[1].main;
            theirs
                .ask("IncrementalAlterConfigs", 1, &change)
                .map_err(anyhow::Error::from)?;
            crate::both::until(theirs, "DescribeConfigs", 4, &seen, |answer| {
                answer["Results"][0]["Configs"][0]["Value"] == value.as_str()
            })?;
        }
        Ok(())
    }
}
