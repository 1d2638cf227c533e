//! Histories under faults: standard clients against the real binary through a bad network, and what they saw is judged.
//!
//! Each history is planned by its seed: producers (idempotent, transactional with successors that fence them, or deriving
//! one topic from another exactly once), consumers that are told their partitions and members of groups of each protocol;
//! and what befalls them: connections cut at any byte, answers that are late or never come, `kill -9` of the broker. When
//! all have done what they wanted, the network heals, and what is to be read then is the log that the history is held
//! against ([`check`]).
//!
//! `TICKERTAPE_HISTORIES` and `TICKERTAPE_SEED`: `cargo xtask histories --count N --seed S` sets them.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use rand::Rng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::support::process::Process;
use crate::support::seed;
use history::{Fate, History, Isolation};
use journal::Journal;
use proxy::{Faults, Proxy};
use site::{DERIVED, PARTITIONS, PATIENCE, Site};

mod check;
mod corrupted;
mod deriving;
mod history;
mod journal;
mod producing;
mod proxy;
mod reading;
mod site;

const HISTORIES_DEFAULT: u64 = 20;
/// Histories that are performed at a time: they wait much more than they work.
const AT_A_TIME: usize = 6;
/// What each producer wants to do.
const RECORDS: usize = 2_000;
/// Producers with one transactional id, one after the other, and the transactions of each.
const LIVES: usize = 3;
const TRANSACTIONS: usize = 25;
/// The transactional ids of those who derive begin here.
const DERIVERS: usize = 100;

/// What a history's clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Idempotent producers; everybody reads what is there.
    Idempotent,
    /// Transactional producers that are fenced by successors; everybody reads what is committed.
    Transactional,
    /// One topic derived from another, exactly once.
    Deriving,
}

impl Kind {
    /// Those that the broker can do: transactions have EndTxn.
    fn all() -> &'static [Kind] {
        let has_transactions = tickertape_broker::served().any(|api| api.key == ApiKey::EndTxn as i16);
        if has_transactions {
            &[Kind::Idempotent, Kind::Transactional, Kind::Deriving]
        } else {
            &[Kind::Idempotent]
        }
    }

    /// What those read who are told their partitions.
    fn isolation(self) -> Isolation {
        match self {
            Kind::Idempotent => Isolation::Uncommitted,
            Kind::Transactional | Kind::Deriving => Isolation::Committed,
        }
    }
}

/// What befalls them, once so much has happened.
#[derive(Clone, Copy, Debug)]
struct Step {
    after_events: u64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// `kill -9`, and a new start on what it left.
    Kill,
    /// Every connection ends.
    Cut,
    /// For so long it is like this.
    Faults(Faults, Duration),
}

/// A history that is to be performed.
#[derive(Debug)]
struct Plan {
    kind: Kind,
    producers: usize,
    group_protocol: usize,
    steps: Vec<Step>,
}

impl Plan {
    fn of(rng: &mut ChaCha8Rng) -> Self {
        let steps = (0..rng.random_range(6..14)).map(|_| Step {
            after_events: rng.random_range(20..500),
            what: match rng.random_range(0..10) {
                0..=2 => What::Kill,
                3..=4 => What::Cut,
                5..=7 => {
                    let cut_after_bytes = Some([300, 3_000, 20_000][rng.random_range(0..3)]);
                    let delay_ms = [0, 3][rng.random_range(0..2)];
                    let faults = Faults {
                        cut_after_bytes,
                        delay_ms,
                        ..Faults::default()
                    };
                    What::Faults(faults, Duration::from_millis(rng.random_range(50..400)))
                }
                8 => {
                    let delay_ms = rng.random_range(5..60);
                    let faults = Faults {
                        delay_ms,
                        ..Faults::default()
                    };
                    What::Faults(faults, Duration::from_millis(300))
                }
                _ => {
                    let faults = Faults {
                        answers_are_dropped: true,
                        ..Faults::default()
                    };
                    What::Faults(faults, Duration::from_millis(rng.random_range(20..300)))
                }
            },
        });
        Self {
            steps: steps.collect(),
            kind: *Kind::all().choose(rng).unwrap_or(&Kind::Idempotent),
            producers: rng.random_range(1..3),
            group_protocol: rng.random_range(0..reading::PROTOCOLS.len()),
        }
    }
}

/// A port that nobody has: the broker has to come back where it was.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn start(at: SocketAddr, clients_go_to: SocketAddr, data: &Path) -> Process {
    let advertised = format!("PLAINTEXT://{clients_go_to}");
    let properties = [
        ("advertised.listeners", advertised.as_str()),
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "200"),
        ("group.consumer.min.session.timeout.ms", "3000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("retention.ms", "-1"),
    ];
    Process::start_on(&at.to_string(), data, &properties[..6], std::process::Stdio::inherit())
}

/// A broker behind a bad network.
struct Stage {
    at: SocketAddr,
    data: TempDir,
    proxy: Proxy,
    broker: Option<Process>,
}

impl Stage {
    fn new(rng: ChaCha8Rng) -> Self {
        let data = tempfile::tempdir().unwrap();
        let at = free_port();
        let proxy = Proxy::start(at, rng);
        let broker = Some(start(at, proxy.address(), data.path()));
        Self {
            at,
            data,
            proxy,
            broker,
        }
    }

    fn kill(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.kill();
        }
        self.broker = Some(start(self.at, self.proxy.address(), self.data.path()));
    }

    /// Lets the steps happen as the history goes on, until the producers are done.
    fn torment(&mut self, site: &Site, steps: &[Step], is_done: impl Fn() -> bool) {
        for step in steps {
            let events = site.journal.events() + step.after_events;
            let in_time = site.journal.wait_for(events, PATIENCE, &is_done);
            if is_done() || !in_time {
                break;
            }
            match step.what {
                What::Kill => self.kill(),
                What::Cut => self.proxy.cut(),
                What::Faults(faults, longest) => {
                    self.proxy.set(faults);
                    if faults.cut_after_bytes.is_some() {
                        // New connections, which will end so.
                        self.proxy.cut();
                    }
                    site.journal.wait_for(u64::MAX, longest, &is_done);
                    self.proxy.heal();
                }
            }
        }
        self.proxy.heal();
    }
}

/// Performs the history of a seed.
fn perform(seed: u64) -> (Plan, History, TempDir) {
    let mut rng = seed::part(seed, 0);
    let plan = Plan::of(&mut rng);
    let mut stage = Stage::new(seed::part(seed, 1));
    let derives = plan.kind == Kind::Deriving;
    let sources: &[i32] = if derives { &[0, 1] } else { &[] };
    let site = Site::new(stage.proxy.address().to_string(), Journal::new(sources));
    let mut client = crate::support::client::Client::connect(&stage.at.to_string());
    for topic in reading::topics(derives) {
        client.create_topic(topic, PARTITIONS, &[("retention.ms", "-1")]);
    }
    drop(client);
    let writing = AtomicU64::new(plan.producers as u64);
    std::thread::scope(|scope| {
        scope.spawn(|| reading::alone(&site, plan.kind.isolation()));
        for member in 0..2 {
            let (site, plan, rng) = (&site, &plan, seed::part(seed, 20 + member));
            let protocol = reading::PROTOCOLS[plan.group_protocol];
            scope.spawn(move || match plan.kind {
                Kind::Deriving => deriving::derive(site, 0, DERIVERS + member as usize, protocol, rng),
                _ => reading::members(site, 0, plan.kind.isolation(), protocol, rng),
            });
        }
        for producer in 0..plan.producers {
            let (site, writing, kind) = (&site, &writing, plan.kind);
            let rng = seed::part(seed, 10 + producer as u64);
            scope.spawn(move || {
                match kind {
                    Kind::Idempotent => producing::idempotent(site, RECORDS, rng),
                    Kind::Transactional => producing::transactional(site, producer, LIVES, TRANSACTIONS, rng),
                    Kind::Deriving => producing::idempotent(site, RECORDS / 4, rng),
                }
                writing.fetch_sub(1, Ordering::SeqCst);
                site.journal.wake();
            });
        }
        let is_done = || writing.load(Ordering::SeqCst) == 0 || site.journal.is_broken();
        stage.torment(&site, &plan.steps, is_done);
        while !is_done() {
            site.journal.wait_for(u64::MAX, PATIENCE, is_done);
        }
        finish(&site, &plan);
        site.end();
    });
    if derives {
        // Nobody derives any more: what the last transactions left open is ended, and everything is read again.
        (0..2).for_each(|member| producing::fence(&site, DERIVERS + member));
        read_everything(&site, derives);
    }
    let history = site.journal.look(std::mem::take);
    drop(stage.broker.take());
    (plan, history, stage.data)
}

/// Reads what is there in the end, and waits until groups have read it too.
fn finish(site: &Site, plan: &Plan) {
    if plan.kind == Kind::Transactional {
        (0..plan.producers).for_each(|id| producing::fence(site, id));
    }
    let derives = plan.kind == Kind::Deriving;
    read_everything(site, derives);
    let wanted: HashSet<u64> = site.journal.look(|history| {
        let log = match plan.kind.isolation() {
            Isolation::Uncommitted => &history.log,
            Isolation::Committed => &history.committed_log,
        };
        let wanted = log
            .iter()
            .filter(|seen| !derives || history.sources.contains(&seen.partition));
        wanted.map(|seen| seen.value).collect()
    });
    let is_read = || {
        let derived = derives.then(|| reading::everything(site, &[DERIVED], Isolation::Committed));
        site.journal.look(|history| {
            let read: HashSet<u64> = match derived {
                Some(derived) => {
                    let there: HashSet<u64> = derived.iter().map(|seen| seen.value).collect();
                    let derived = history.derived.iter().filter(|derived| there.contains(&derived.value));
                    derived.map(|derived| derived.from).collect()
                }
                None => {
                    let of_groups = history.readings.iter().filter(|reading| reading.group.is_some());
                    of_groups
                        .flat_map(|reading| &reading.seen)
                        .map(|seen| seen.value)
                        .collect()
                }
            };
            wanted.is_subset(&read)
        })
    };
    let until = Instant::now() + PATIENCE;
    while !is_read() && !site.journal.is_broken() && Instant::now() < until {
        let events = site.journal.events();
        site.journal
            .wait_for(events + 100, Duration::from_millis(100), || false);
    }
}

fn read_everything(site: &Site, derives: bool) {
    let log = reading::everything(site, reading::topics(derives), Isolation::Uncommitted);
    let committed_log = reading::everything(site, reading::topics(derives), Isolation::Committed);
    site.journal.look(|history| {
        history.log = log;
        history.committed_log = committed_log;
    });
}

#[test]
fn histories_under_faults_have_no_anomalies() {
    let count = seed::number("TICKERTAPE_HISTORIES").unwrap_or(HISTORIES_DEFAULT);
    let first = seed::seed();
    eprintln!("cargo xtask histories --seed {first} --count {count} repeats this run");
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= count {
                        return;
                    }
                    let seed = first.wrapping_add(index);
                    let began = Instant::now();
                    let (plan, history, data) = perform(seed);
                    let findings = check::check(&history);
                    tell(seed, &plan, &history, began.elapsed());
                    if !findings.is_empty() {
                        failed.lock().push((seed, plan, findings, data.keep()));
                    }
                }
            });
        }
    });
    println!("{count} histories in {:.1} s", started.elapsed().as_secs_f64());
    let failed = failed.into_inner();
    for (seed, plan, findings, data) in &failed {
        eprintln!("cargo xtask histories --seed {seed} --count 1\n{plan:?}");
        eprintln!("    what the broker had is kept in {}", data.display());
        for (anomaly, what) in findings.iter().take(20) {
            eprintln!("    {anomaly:?}: {what}");
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {count} histories have anomalies",
        failed.len()
    );
}

fn tell(seed: u64, plan: &Plan, history: &History, taken: Duration) {
    let acknowledged = history
        .sends
        .iter()
        .filter(|send| send.ack != history::Ack::Unknown)
        .count();
    let of_fate = |fate| history.transactions.iter().filter(|one| one.fate == fate).count();
    let kills = plan.steps.iter().filter(|step| matches!(step.what, What::Kill)).count();
    println!(
        "seed {seed}: {:?}, {} steps with {kills} kills, {} sends, {acknowledged} acknowledged, {} committed and {} \
         aborted transactions, {} in doubt; {} readings, {} commits; {:.1} s",
        plan.kind,
        plan.steps.len(),
        history.sends.len(),
        of_fate(Fate::Committed),
        of_fate(Fate::Aborted),
        of_fate(Fate::Unknown),
        history.readings.len(),
        history.commits.len(),
        taken.as_secs_f64(),
    );
}
