//! A run: every case in every version of its API, on both, compared.
//!
//! A [`Case`] is a function of a [`Run`] that makes what it needs and asks. What it asks with [`Run::ask`] is compared; what
//! it makes with [`Run::must`] and [`Run::topic`] only has to succeed on both. It is run once for each version that ours
//! announces, and where a version cannot say its request it does not apply.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::both::{Answers, Both, Side, versions_of};
use crate::client::{Answer, AskError};
use crate::compare::{Difference, compare};
use crate::issued::Issued;
use crate::lists::Lists;
use crate::value::Unsayable;

/// How long Apache Kafka gets to show what it has taken, on a busy machine.
const SETTLED: Duration = Duration::from_secs(10);

/// Topics that are made at once: each for itself would take most of a run's time.
const SPARE: usize = 40;

/// Why a case ends early.
#[derive(Debug)]
pub enum Stop {
    /// The version cannot say what it asks.
    NotInVersion(String),
    /// It cannot be judged: something else failed.
    Failed(anyhow::Error),
}

impl From<AskError> for Stop {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Unsayable(Unsayable::NotInVersion(field)) => Self::NotInVersion(field),
            error => Self::Failed(error.into()),
        }
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// How a case ends.
pub type Outcome = Result<(), Stop>;

/// One question, in every version that can say it.
pub struct Case {
    /// What it is about, unique within its API.
    pub name: &'static str,
    versions: RangeInclusive<i16>,
    body: Box<dyn Fn(&mut Run<'_>) -> Outcome>,
}

/// A case of several steps.
pub fn case(name: &'static str, body: impl Fn(&mut Run<'_>) -> Outcome + 'static) -> Case {
    Case {
        name,
        versions: 0..=i16::MAX,
        body: Box::new(body),
    }
}

/// A case of one request.
pub fn ask(name: &'static str, request: Value) -> Case {
    case(name, move |run| run.ask(request.clone()).map(drop))
}

impl Case {
    /// Only in these versions.
    #[must_use]
    pub fn versions(mut self, versions: RangeInclusive<i16>) -> Self {
        self.versions = versions;
        self
    }
}

/// A case being run in one version.
pub struct Run<'a> {
    both: &'a mut Both,
    lists: &'a Lists,
    api: &'static str,
    version: i16,
    case: &'static str,
    names: &'a mut u32,
    made: &'a mut BTreeSet<String>,
    spare: &'a mut BTreeMap<i32, Vec<String>>,
    issued: &'a mut Issued,
    differences: Vec<Difference>,
    compared: usize,
}

impl Run<'_> {
    /// The version that is asked in.
    #[must_use]
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Both brokers, for what is not to be compared.
    pub fn both(&mut self) -> &mut Both {
        self.both
    }

    /// A name that nothing has on either broker yet.
    pub fn name(&mut self, what: &str) -> String {
        *self.names += 1;
        format!("{what}-{}", self.names)
    }

    /// A new topic on both.
    ///
    /// # Errors
    /// One of them refuses.
    pub fn topic(&mut self, partitions: i32) -> Result<String, Stop> {
        if let Some(name) = self.spare.get_mut(&partitions).and_then(Vec::pop) {
            return Ok(name);
        }
        let mut names: Vec<String> = (0..SPARE).map(|_| self.name("topic")).collect();
        self.both.create_topics(&names, partitions, &[])?;
        let name = names.remove(0);
        self.spare.insert(partitions, names);
        Ok(name)
    }

    /// A new topic with properties on both.
    ///
    /// # Errors
    /// One of them refuses.
    pub fn topic_with(&mut self, partitions: i32, configs: &[(&str, &str)]) -> Result<String, Stop> {
        let name = self.name("topic");
        self.both.create_topic(&name, partitions, configs)?;
        Ok(name)
    }

    /// Waits until neither knows a topic any more.
    ///
    /// # Errors
    /// One of them still does.
    pub fn gone(&mut self, topic: &str) -> Outcome {
        Ok(self.both.await_gone(topic)?)
    }

    /// What many cases read and none changes: made once per process by the first that asks for it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn once(&mut self, name: &str, make: impl FnOnce(&mut Both) -> anyhow::Result<()>) -> Outcome {
        if !self.made.contains(name) {
            make(self.both)?;
            self.made.insert(name.to_owned());
        }
        Ok(())
    }

    /// Asks both what must succeed, in the highest version; not compared.
    ///
    /// # Errors
    /// One of them refuses.
    pub fn must(&mut self, api: &str, request: Value) -> Result<Answers, Stop> {
        Ok(self.both.must(api, &request)?)
    }

    /// Asks both the same in the version of this run, and compares.
    ///
    /// # Errors
    /// The version cannot say it; a connection breaks.
    pub fn ask(&mut self, request: Value) -> Result<Answers, Stop> {
        self.ask_api(self.api, self.version, request)
    }

    /// As [`Self::ask`] of another API: what can be seen after.
    ///
    /// # Errors
    /// As there.
    pub fn ask_api(&mut self, api: &str, version: i16, request: Value) -> Result<Answers, Stop> {
        let answers = self.both.ask(api, version, &request)?;
        Ok(self.judge(api, answers))
    }

    /// As [`Self::ask`] where the answer also lists what other cases made: of its array `list`, the elements count whose
    /// field `by` is one of `own`.
    ///
    /// # Errors
    /// As there.
    pub fn ask_own(&mut self, request: &Value, list: &str, by: &str, own: &[&str]) -> Result<Answers, Stop> {
        let (api, version) = (self.api, self.version);
        let mut answers = self.both.ask(api, version, request)?;
        for answer in [&mut answers.ours, &mut answers.theirs] {
            if let Some(elements) = answer[list].as_array_mut() {
                elements.retain(|element| element[by].as_str().is_some_and(|name| own.contains(&name)));
            }
        }
        Ok(self.judge(api, answers))
    }

    /// Whether both answer a body, close the connection, or take it without an answer; what is answered does not count.
    /// The body is that of a request of defaults, changed.
    ///
    /// # Errors
    /// A connection breaks.
    pub fn ask_spoilt(&mut self, spoil: impl Fn(&mut Vec<u8>)) -> Outcome {
        let (api, version) = (self.api, self.version);
        let (ours, theirs) = self.both.each(|_, client| {
            // Of no transactions at all Apache Kafka answers its brokers never.
            let request = match api {
                "AddPartitionsToTxn" => serde_json::json!({ "Transactions?": [{}] }),
                _ => Value::Null,
            };
            let mut body = client.encode(api, version, &request)?;
            spoil(&mut body);
            Ok(client.ask_body_quietly(api, version, &body)?)
        })?;
        let kind = |answer: Answer| match answer {
            Answer::Message(_) => "(an answer)".into(),
            other => other.into_value(),
        };
        self.judge(
            api,
            Answers {
                ours: kind(ours),
                theirs: kind(theirs),
            },
        );
        Ok(())
    }

    /// As [`Self::ask`], where each is asked something of its own (the id of a session that it gave).
    ///
    /// # Errors
    /// As there.
    pub fn ask_each(&mut self, request: impl Fn(Side) -> Value) -> Result<Answers, Stop> {
        self.ask_api_each(self.api, self.version, request)
    }

    /// As [`Self::ask_each`] of another API.
    ///
    /// # Errors
    /// As there.
    pub fn ask_api_each(&mut self, api: &str, version: i16, request: impl Fn(Side) -> Value) -> Result<Answers, Stop> {
        // Said before anything is sent, so that a request that one cannot be asked is asked of neither.
        self.both
            .client(Side::Ours)
            .encode(api, version, &request(Side::Ours))?;
        let (ours, theirs) = self
            .both
            .each(|side, client| client.ask(api, version, &request(side)))?;
        Ok(self.judge(
            api,
            Answers {
                ours: ours.into_value(),
                theirs: theirs.into_value(),
            },
        ))
    }

    /// As [`Self::ask`] of what may be taken without an answer.
    ///
    /// # Errors
    /// As there.
    pub fn ask_quietly(&mut self, request: Value) -> Result<Answers, Stop> {
        let (api, version) = (self.api, self.version);
        let (ours, theirs) = self.both.each(|_, client| {
            let body = client.encode(api, version, &request)?;
            Ok(client.ask_body_quietly(api, version, &body)?)
        })?;
        Ok(self.judge(
            api,
            Answers {
                ours: ours.into_value(),
                theirs: theirs.into_value(),
            },
        ))
    }

    /// Asks each until its answer is as wanted, and compares those: for what is done some time after it was asked for.
    ///
    /// # Errors
    /// It never is; as [`Self::ask`].
    pub fn ask_until(&mut self, request: Value, wanted: impl Fn(&Value) -> bool) -> Result<Answers, Stop> {
        let (api, version) = (self.api, self.version);
        let (ours, theirs) = self.both.each(|_, client| {
            client.encode(api, version, &request)?;
            Ok(Answer::Message(crate::both::until(
                client, api, version, &request, &wanted,
            )?))
        })?;
        Ok(self.judge(
            api,
            Answers {
                ours: ours.into_value(),
                theirs: theirs.into_value(),
            },
        ))
    }

    /// What both show once what was asked before has been applied everywhere: asked until the answers agree, or for some
    /// seconds where they never do.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn soon(&mut self, api: &str, version: i16, request: &Value) -> Result<Answers, Stop> {
        let end = Instant::now() + SETTLED;
        loop {
            let answers = self.both.ask(api, version, request)?;
            if Instant::now() > end || compare(self.lists, api, &answers.ours, &answers.theirs).is_empty() {
                return Ok(self.judge(api, answers));
            }
            // Nothing tells when Apache Kafka has applied its own log.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends both the same body, right or wrong, and compares.
    ///
    /// # Errors
    /// A connection breaks.
    pub fn ask_body(&mut self, body: &[u8]) -> Result<Answers, Stop> {
        let (api, version) = (self.api, self.version);
        let (ours, theirs) = self.both.each(|_, client| Ok(client.ask_body(api, version, body)?))?;
        Ok(self.judge(
            api,
            Answers {
                ours: ours.into_value(),
                theirs: theirs.into_value(),
            },
        ))
    }

    /// Waits until each answers another API as wanted, without comparing.
    ///
    /// # Errors
    /// It never does; a connection breaks.
    pub fn await_each(
        &mut self,
        api: &str,
        version: i16,
        request: impl Fn(Side) -> Value,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<[Value; 2], Stop> {
        let (ours, theirs) = self
            .both
            .each(|side, client| Ok(crate::both::until(client, api, version, &request(side), &wanted)?))?;
        self.issued.learn(api, &ours, &theirs);
        Ok([ours, theirs])
    }

    /// Compares what was asked in some other way.
    pub fn judge(&mut self, api: &str, answers: Answers) -> Answers {
        self.compared += 1;
        self.issued.learn(api, &answers.ours, &answers.theirs);
        let mut named = answers.clone();
        self.issued.rename(Side::Ours, &mut named.ours);
        self.issued.rename(Side::Theirs, &mut named.theirs);
        self.differences
            .extend(compare(self.lists, api, &named.ours, &named.theirs));
        answers
    }
}

/// A difference, where it was found, and why it is there if that is known.
#[derive(Debug, Clone)]
pub struct Found {
    /// The API.
    pub api: &'static str,
    /// The case.
    pub case: &'static str,
    /// The versions in which the same difference is there.
    pub versions: Vec<i16>,
    /// Where and what, in the first of them.
    pub difference: Difference,
    /// Where else in that answer.
    pub also: Vec<String>,
    /// Why it is deliberate; `None` where it is a defect.
    pub why: Option<&'static str>,
}

/// What came out for one API.
#[derive(Debug, Default, Clone)]
pub struct Judged {
    /// The API.
    pub api: &'static str,
    /// The versions that ours announces.
    pub versions: Vec<i16>,
    /// Cases that apply in at least one version.
    pub cases: usize,
    /// Answers compared.
    pub compared: usize,
    /// Cases, each version counted, that had a difference, deliberate or not.
    pub differing: usize,
    /// Cases, each version counted.
    pub runs: usize,
    /// Each difference.
    pub found: Vec<Found>,
    /// Cases that could not be judged: case, version and why.
    pub failed: Vec<String>,
}

impl Judged {
    /// Notes a difference: with those of one field in one case that are there for one reason, or for none.
    fn note(&mut self, case: &'static str, version: i16, difference: Difference, why: Option<&'static str>) {
        let same =
            |found: &&mut Found| found.case == case && found.difference.path == difference.path && found.why == why;
        match self.found.iter_mut().find(same) {
            Some(found) if found.versions == [version] => found.also.push(difference.place),
            Some(found) if found.versions.contains(&version) => {}
            Some(found) => found.versions.push(version),
            None => self.found.push(Found {
                api: self.api,
                case,
                versions: vec![version],
                why,
                difference,
                also: Vec::new(),
            }),
        }
    }
}

/// Runs cases, one API after the other.
pub struct Runner {
    both: Both,
    /// The lists, which note what of them was needed.
    pub lists: Lists,
    names: u32,
    made: BTreeSet<String>,
    /// Topics that nobody has used yet, by their number of partitions.
    spare: BTreeMap<i32, Vec<String>>,
    issued: Issued,
}

impl Runner {
    /// On two brokers that run.
    #[must_use]
    pub fn new(both: Both) -> Self {
        Self {
            both,
            lists: Lists::default(),
            names: 0,
            made: BTreeSet::new(),
            spare: BTreeMap::new(),
            issued: Issued::default(),
        }
    }

    /// Runs cases of one API in every version that ours announces.
    pub fn api(&mut self, api: &'static str, cases: &[Case]) -> Judged {
        let versions: Vec<i16> = versions_of(api).into_iter().flatten().collect();
        let mut judged = Judged {
            api,
            versions: versions.clone(),
            ..Judged::default()
        };
        for case in cases {
            let mut applies = false;
            for version in versions
                .iter()
                .copied()
                .filter(|version| case.versions.contains(version))
            {
                applies |= self.one(case, version, &mut judged);
            }
            judged.cases += usize::from(applies);
            if !applies {
                judged
                    .failed
                    .push(format!("{api} ({}): no version can say it", case.name));
            }
        }
        judged
    }

    /// Whether the version can say it.
    fn one(&mut self, case: &Case, version: i16, judged: &mut Judged) -> bool {
        let mut run = Run {
            both: &mut self.both,
            lists: &self.lists,
            api: judged.api,
            version,
            case: case.name,
            names: &mut self.names,
            made: &mut self.made,
            spare: &mut self.spare,
            issued: &mut self.issued,
            differences: Vec::new(),
            compared: 0,
        };
        let begun = Instant::now();
        let outcome = (case.body)(&mut run);
        if begun.elapsed() > Duration::from_secs(1) {
            let (api, name) = (judged.api, case.name);
            eprintln!(
                "slow: {api} ({name}) v{version} took {} ms",
                begun.elapsed().as_millis()
            );
        }
        let (differences, compared) = (run.differences, run.compared);
        match outcome {
            Ok(()) => {}
            Err(Stop::NotInVersion(_)) if compared == 0 => return false,
            Err(Stop::NotInVersion(field)) => {
                judged.failed.push(format!(
                    "{} ({}) v{version}: only in part: {field}",
                    judged.api, run.case
                ));
            }
            Err(Stop::Failed(error)) => {
                judged
                    .failed
                    .push(format!("{} ({}) v{version}: {error:#}", judged.api, run.case));
            }
        }
        judged.runs += 1;
        judged.compared += compared;
        judged.differing += usize::from(!differences.is_empty());
        for difference in differences {
            let why = self.lists.deliberate(judged.api, case.name, &difference);
            judged.note(case.name, version, difference, why);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both are of one field, in one case and version: the second is a defect whatever the first is.
    #[test]
    fn a_new_difference_is_not_hidden_by_a_deliberate_one_of_its_field() {
        let difference = |at: usize| Difference {
            path: "Results[].ErrorCode".to_owned(),
            place: format!("Results[{at}].ErrorCode"),
            ours: 0.into(),
            theirs: at.into(),
        };
        for new_first in [false, true] {
            let mut judged = Judged::default();
            let mut reasons = [Some("on purpose"), None];
            if new_first {
                reasons.reverse();
            }
            for (at, why) in reasons.into_iter().enumerate() {
                judged.note("a case", 3, difference(at + 1), why);
            }
            assert_eq!(crate::report::defects(&[judged]).len(), 1);
        }
    }
}
