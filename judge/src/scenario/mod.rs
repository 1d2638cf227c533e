//! Scenarios: sequences of what clients do, made up by proptest and performed on both brokers.
//!
//! - [`action`] is the vocabulary, [`strategy`] how scenarios are made of it
//! - `run` turns actions, as what there is by then makes them mean, into requests to both, and compares the answers; one
//!   file per concern (`topics`, `records`, `classic`, `consumers`, `mixed`, `offsets`, `transacting`)
//! - `see` compares what can be seen after an action; `side` maps the ids that each broker gives out to one name
//! - [`tally`] counts what was met, so that a run shows that it was not of errors alone
//! - [`kept`] are the scenarios that once failed; they are performed first
//!
//! A scenario has names of its own for topics and groups, so any number of them share two brokers. It is a function of its
//! seed alone, but for the time at which it begins.

pub mod action;
mod batch;
mod classic;
mod consumers;
pub mod kept;
mod mixed;
mod offsets;
mod records;
mod run;
mod see;
mod side;
pub mod strategy;
pub mod tally;
mod topics;
mod transacting;
mod world;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use crate::both::{Both, Side};
use crate::lists::{Exception, Lists};
use action::Action;
pub use run::Found;
use run::{Run, Stop};
use tally::Tally;

/// The topic whose changes tell that earlier changes are done.
const FENCE: &str = "judge-fence";

/// How long a smaller scenario is looked for that explains a failure.
pub const SMALLER_FOR: Duration = Duration::from_secs(120);

/// A scenario on which the two brokers do not agree.
#[derive(Debug)]
pub struct Failure {
    /// The seed that made it, if one did.
    pub seed: Option<u64>,
    /// What it does.
    pub actions: Vec<Action>,
    /// Where they differ; an error where something else failed.
    pub found: Result<Found, anyhow::Error>,
    /// What was asked and answered until then.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LINES_MAX: usize = 60;
        if let Some(seed) = self.seed {
            writeln!(f, "scenario of seed {seed}")?;
        }
        for line in &self.trace[self.trace.len().saturating_sub(LINES_MAX)..] {
            writeln!(f, "  {line}")?;
        }
        match &self.found {
            Ok(found) => {
                writeln!(f, "DIFFER {} v{} {}", found.api, found.version, found.request)?;
                for difference in &found.differences {
                    let place = &difference.place;
                    writeln!(f, "  {place}: ours {} theirs {}", difference.ours, difference.theirs)?;
                }
            }
            Err(error) => writeln!(f, "FAILED {error:#}")?,
        }
        let line = serde_json::to_string(&self.actions).unwrap_or_default();
        writeln!(f, "kept as: {line}")
    }
}

/// The two brokers, ready for scenarios.
#[derive(Debug)]
pub struct Stage {
    addresses: [String; 2],
    lists: Lists,
    name: String,
    performed: i64,
}

impl Stage {
    /// On two brokers that run.
    ///
    /// # Errors
    /// They do not serve.
    pub fn open(both: &mut Both) -> anyhow::Result<Self> {
        let addresses = [Side::Ours, Side::Theirs].map(|side| both.client(side).address().to_owned());
        // Another stage may have made it.
        let topic = json!({ "Name": FENCE, "NumPartitions": 1, "ReplicationFactor": 1 });
        let create = json!({ "Topics": [topic], "timeoutMs": 60_000 });
        both.ask("CreateTopics", 7, &create)?;
        both.await_topic(FENCE, 1)?;
        // The coordinators' own topics are made when they are first asked for.
        for side in [Side::Ours, Side::Theirs] {
            for kind in [0, 1] {
                let find = json!({ "KeyType": kind, "CoordinatorKeys": ["judge"] });
                let found = |answer: &serde_json::Value| answer["Coordinators"][0]["ErrorCode"] == 0;
                crate::both::until(both.client(side), "FindCoordinator", 4, &find, found)?;
            }
            // Producer ids are given out in blocks, the first of which is to be had.
            for id in [None, Some("judge")] {
                let init = json!({ "TransactionalId": id, "TransactionTimeoutMs": 60_000 });
                let issued = |answer: &serde_json::Value| answer["ErrorCode"] == 0;
                crate::both::until(both.client(side), "InitProducerId", 4, &init, issued)?;
            }
            let list = |answer: &serde_json::Value| answer["ErrorCode"] == 0;
            crate::both::until(both.client(side), "ListGroups", 4, &json!({}), list)?;
        }
        Ok(Self {
            addresses,
            lists: Lists::default(),
            name: format!("s{}", now_ms()?),
            performed: 0,
        })
    }

    /// Performs a scenario.
    ///
    /// # Errors
    /// Where the two differ first, with all that led to it.
    pub fn perform(&mut self, seed: Option<u64>, actions: &[Action], tally: &mut Tally) -> Result<(), Box<Failure>> {
        tally.scenarios += 1;
        self.performed += 1;
        let name = format!("{}-{}", self.name, self.performed);
        let addresses = [self.addresses[0].as_str(), self.addresses[1].as_str()];
        let failure = |found, trace| {
            Box::new(Failure {
                seed,
                actions: actions.to_vec(),
                found,
                trace,
            })
        };
        let run =
            now_ms().and_then(|began_ms| Run::new(&name, began_ms, addresses, self.performed, &self.lists, tally));
        let mut run = run.map_err(|error| failure(Err(error), Vec::new()))?;
        let steps = actions.iter().try_for_each(|action| run.perform(action));
        let outcome = steps.and_then(|()| run.see_all());
        let topics: Vec<String> = run.world.topics.keys().cloned().collect();
        let trace = std::mem::take(&mut run.trace);
        // However it ended, what it made goes, so that the brokers stay as quick as they were.
        for side in &mut run.sides {
            let delete = json!({ "TopicNames": topics, "TimeoutMs": 60_000 });
            let _ = side.main.ask("DeleteTopics", 5, &delete);
        }
        outcome.map_err(|stop| match stop {
            Stop::Differ(found) => failure(Ok(found), trace),
            Stop::Broken(error) => failure(Err(error), trace),
        })
    }

    /// The exceptions that no scenario has needed yet.
    #[must_use]
    pub fn unused_exceptions(&self) -> Vec<Exception> {
        self.lists.unused_exceptions()
    }

    /// Performs the scenario of a seed.
    ///
    /// # Errors
    /// As [`Self::perform`].
    pub fn perform_seed(&mut self, seed: u64, tally: &mut Tally) -> Result<(), Box<Failure>> {
        self.perform(Some(seed), &of_seed(seed), tally)
    }

    /// The smallest scenario found in [`SMALLER_FOR`] that fails as the one of this seed does.
    #[must_use]
    pub fn smallest(&mut self, seed: u64, failure: Box<Failure>) -> Box<Failure> {
        let place = |failure: &Failure| {
            failure.found.as_ref().ok().map(|found| {
                let path = found.differences.first().map(|first| first.path.clone());
                (found.api.clone(), path)
            })
        };
        let wanted = place(&failure);
        let mut smallest = failure;
        let mut tree = tree_of(seed);
        let mut unnoted = Tally::default();
        let mut more = tree.simplify();
        let until = Instant::now() + SMALLER_FOR;
        while more && Instant::now() < until {
            more = match self.perform(Some(seed), &tree.current(), &mut unnoted) {
                Err(failure) if place(&failure) == wanted => {
                    smallest = failure;
                    tree.simplify()
                }
                _ => tree.complicate(),
            };
        }
        smallest
    }
}

/// The scenario of a seed.
#[must_use]
pub fn of_seed(seed: u64) -> Vec<Action> {
    tree_of(seed).current()
}

/// The scenario of a seed, which can be made smaller.
fn tree_of(seed: u64) -> impl ValueTree<Value = Vec<Action>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    loop {
        // The strategy rejects nothing.
        if let Ok(tree) = strategy::scenario().new_tree(&mut runner) {
            return tree;
        }
    }
}

fn now_ms() -> anyhow::Result<i64> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("a clock before 1970")?;
    Ok(i64::try_from(now.as_millis())?)
}
