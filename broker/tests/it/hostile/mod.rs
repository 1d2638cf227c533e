//! A million hostile frames, of every API and version, over real connections to the real binary.
//!
//! Frames are made by the table of shapes and broken in every way that [`breakage`] knows; [`words`] give them names that
//! meet; [`peer`] sends them, several on a connection as long as the broker has no reason to close it. All the while a
//! [`witness`] works on connections of its own. Shown: each frame is answered, well formed and in its turn, or closed
//! upon; nothing panics; memory stays as it was; the witness finds every answer right and in the end all of its records,
//! also after the broker was stopped and started again.
//!
//! A run is rounds, one frame for each API and version in each, and a round is told by the run's seed and its number.
//! `TICKERTAPE_FRAMES`, `TICKERTAPE_SEED`, `TICKERTAPE_FROM_ROUND` and `TICKERTAPE_APIS` (names, to look at few):
//! `cargo xtask hostile --frames N --seed S` sets them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use kafka_protocol::messages::{ApiKey, JoinGroupResponse, MetadataRequest};
use kafka_protocol::protocol::Decodable as _;
use parking_lot::Mutex;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tickertape_broker::ServedApi;

use crate::support::calls::latest;
use crate::support::process::Process;
use crate::support::seed;
use breakage::{Frame, Meant};
use peer::{Answer, Delivered, Manners};
use witness::Witness;

mod breakage;
mod peer;
pub(crate) mod witness;
mod words;

const FRAMES_DEFAULT: u64 = 1_000_000;
const WORKERS: usize = 2;
/// What a broker may have grown by after its first tenth of the frames: what the allocator keeps, and state that is
/// bounded by the few names that frames use.
const GROWTH_MAX_BYTES: usize = 24 << 20;
/// And at any moment, when a frame of a megabyte is being handled.
const PEAK_MAX_BYTES: usize = 160 << 20;
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Frames and bytes that are sent before their answers are read.
const BATCH_FRAMES: usize = 16;
const BATCH_BYTES: usize = 32 << 10;
/// How often a frame has a great many elements.
const HUGE: f64 = 1.0 / 4_000.0;
/// Connections of peers that do not read, of which the oldest leaves when another comes.
const STALLED_MAX: usize = 32;
const MEMBERS_MAX: usize = 12;
/// How often the ids of the topics are looked up, in rounds.
const LOOKUP: u64 = 8;

/// Limits that few names can reach, so that what frames rightly make stays small.
const PROPERTIES: [(&str, &str); 13] = [
    ("socket.request.max.bytes", "1048576"),
    ("num.partitions", "1"),
    ("group.max.size", "8"),
    ("group.min.session.timeout.ms", "1"),
    ("group.max.session.timeout.ms", "1000"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.consumer.max.size", "8"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "1000"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "100"),
    ("log.retention.bytes", "1048576"),
    ("log.segment.delete.delay.ms", "0"),
];

/// The APIs that are asked: all, or those that are named.
fn apis() -> Vec<ServedApi> {
    let named = std::env::var("TICKERTAPE_APIS").unwrap_or_default();
    let is_named = |api: &ServedApi| named.is_empty() || named.split(',').any(|name| name == api.name);
    tickertape_broker::served().filter(is_named).collect()
}

/// What the workers share.
struct Run<'a> {
    address: &'a str,
    seed: u64,
    frames: u64,
    apis: Vec<ServedApi>,
    handled: AtomicU64,
    /// Handled by the way in which they were broken, in the order of first use.
    by_breakage: Mutex<Vec<(&'static str, u64)>>,
    unread: AtomicU64,
    next_round: AtomicU64,
    topic_ids: Mutex<Vec<[u8; 16]>>,
    members: Mutex<VecDeque<String>>,
    stalled: Mutex<VecDeque<TcpStream>>,
    /// The first thing that went wrong.
    failure: Mutex<Option<String>>,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.handled.load(Ordering::Relaxed) >= self.frames || self.failure.lock().is_some()
    }

    fn work(&self, progress: &SyncSender<()>) {
        while !self.is_over() {
            let round = self.next_round.fetch_add(1, Ordering::Relaxed);
            if let Err(failure) = self.round(round) {
                let told = format!(
                    "round {round}: {failure}\n    cargo xtask hostile --seed {} --from-round {round} --frames 1\n    \
                     cargo xtask hostile --seed {} --frames {}",
                    self.seed, self.seed, self.frames
                );
                self.failure.lock().get_or_insert(told);
            }
            // If the witness has not taken the last one yet, it knows.
            let _ = progress.try_send(());
        }
    }

    /// One frame of each version of each API.
    fn round(&self, round: u64) -> Result<(), String> {
        let mut rng = seed::part(self.seed, round);
        if round.is_multiple_of(LOOKUP) {
            self.look_topics_up();
        }
        let mut batch: Vec<(Frame, Meant)> = Vec::new();
        let mut id = 0;
        for api in &self.apis {
            for version in api.min..=api.max {
                id += 1;
                let (frame, meant) = self.frame(api, version, id, &mut rng);
                let huge = frame.bytes.len() > BATCH_BYTES;
                if huge {
                    self.send(&mut batch, &mut rng)?;
                }
                batch.push((frame, meant));
                let bytes: usize = batch.iter().map(|(frame, _)| frame.bytes.len()).sum();
                let full = batch.len() == BATCH_FRAMES || bytes > BATCH_BYTES;
                if full || !matches!(meant, Meant::Answered(..)) {
                    self.send(&mut batch, &mut rng)?;
                }
            }
        }
        self.send(&mut batch, &mut rng)
    }

    fn frame(&self, api: &ServedApi, version: i16, id: i32, rng: &mut ChaCha8Rng) -> (Frame, Meant) {
        let members: Vec<String> = self.members.lock().iter().cloned().collect();
        let topic_ids = self.topic_ids.lock().clone();
        let elements = rng
            .random_bool(HUGE)
            .then(|| [300, 3_000, 20_000][rng.random_range(0..3)]);
        let words = words::Prey {
            topic_ids: &topic_ids,
            members: &members,
            elements,
        };
        let frame = breakage::frame(api, version, id, &words, rng);
        let meant = breakage::meant(&frame.bytes, REQUEST_BYTES_MAX);
        (frame, meant)
    }

    /// Sends a batch until each of its frames was handled.
    fn send(&self, batch: &mut Vec<(Frame, Meant)>, rng: &mut ChaCha8Rng) -> Result<(), String> {
        while !batch.is_empty() {
            let manners = Manners::any(rng);
            let Delivered {
                handled,
                answers,
                stalled,
            } = peer::deliver(self.address, batch, manners, rng).map_err(|failure| describe(&failure, batch))?;
            self.stall(stalled);
            self.learn(&answers);
            if matches!(manners, Manners::Reset | Manners::Stalled) {
                self.unread.fetch_add(handled as u64, Ordering::Relaxed);
            }
            self.handled.fetch_add(handled as u64, Ordering::Relaxed);
            let mut by_breakage = self.by_breakage.lock();
            for (frame, _) in batch.drain(..handled) {
                match by_breakage.iter_mut().find(|(what, _)| *what == frame.what) {
                    Some((_, count)) => *count += 1,
                    None => by_breakage.push((frame.what, 1)),
                }
            }
        }
        Ok(())
    }

    fn stall(&self, stream: Option<TcpStream>) {
        let mut stalled = self.stalled.lock();
        stalled.extend(stream);
        if stalled.len() > STALLED_MAX {
            stalled.pop_front();
        }
    }

    /// Remembers the names that the broker gave to members, for the frames to come.
    fn learn(&self, answers: &[Answer]) {
        for answer in answers.iter().filter(|answer| answer.key == ApiKey::JoinGroup as i16) {
            let mut body = answer.body.clone();
            let joined = JoinGroupResponse::decode(&mut body, answer.version);
            let member = joined.map(|joined| joined.member_id.to_string()).unwrap_or_default();
            let mut members = self.members.lock();
            if !member.is_empty() && !members.contains(&member) {
                members.push_back(member);
            }
            if members.len() > MEMBERS_MAX {
                members.pop_front();
            }
        }
    }

    fn look_topics_up(&self) {
        let mut client = crate::support::client::Client::connect(self.address);
        let all = MetadataRequest::default().with_topics(None);
        let metadata = client.call(latest(ApiKey::Metadata), &all);
        let prey = metadata.topics.iter().filter(|topic| {
            let name = topic.name.as_ref().map(|name| name.as_str());
            name.is_some_and(|name| words::TOPICS.contains(&name))
        });
        *self.topic_ids.lock() = prey.map(|topic| *topic.topic_id.as_bytes()).collect();
    }
}

/// A failure with the frames that were on the connection.
fn describe(failure: &str, batch: &[(Frame, Meant)]) -> String {
    let mut text = failure.to_owned();
    for (frame, meant) in batch {
        let bytes = &frame.bytes[..frame.bytes.len().min(400)];
        let _ = write!(text, "\n    {} ({meant:?}): {bytes:02x?}", frame.what);
    }
    text
}

/// Memory now and at most, whenever so much of the run was over.
struct Memory {
    samples: Vec<(u64, usize, usize)>,
}

impl Memory {
    /// The witness works whenever there was progress; memory is looked at eleven times.
    fn watch(run: &Run<'_>, broker: &Process, witness: &mut Witness, progress: &Receiver<()>) -> Self {
        let mut samples: Vec<(u64, usize, usize)> = Vec::new();
        while progress.recv().is_ok() {
            witness.work();
            let handled = run.handled.load(Ordering::Relaxed).min(run.frames);
            if handled >= run.frames * (samples.len() as u64 + 1) / 10 && samples.len() < 10 {
                let (now, most) = broker.memory();
                eprintln!(
                    "    after {handled} frames: {} MiB, {} MiB at most",
                    now >> 20,
                    most >> 20
                );
                samples.push((handled, now, most));
            }
        }
        Self { samples }
    }
}

fn panics_in(stderr: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(stderr).unwrap();
    let lines = text.lines();
    lines
        .filter(|line| line.contains("panicked") || line.contains("overflow") || line.contains("abort"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_million_hostile_frames_harm_nobody() {
    let frames = seed::number("TICKERTAPE_FRAMES").unwrap_or(FRAMES_DEFAULT);
    let from_round = seed::number("TICKERTAPE_FROM_ROUND").unwrap_or(0);
    let seed = seed::seed();
    eprintln!("cargo xtask hostile --seed {seed} --frames {frames} repeats this run");
    let directory = tempfile::tempdir().unwrap();
    let stderr = directory.path().join("stderr");
    let data = directory.path().join("data");
    let mut broker = Process::start_on("127.0.0.1:0", &data, &PROPERTIES, File::create(&stderr).unwrap().into());
    let mut witness = Witness::new(&broker);
    let address = broker.address().to_owned();
    let run = Run {
        address: &address,
        seed,
        frames,
        apis: apis(),
        handled: AtomicU64::new(0),
        by_breakage: Mutex::default(),
        unread: AtomicU64::new(0),
        next_round: AtomicU64::new(from_round),
        topic_ids: Mutex::default(),
        members: Mutex::default(),
        stalled: Mutex::default(),
        failure: Mutex::default(),
    };
    let started = Instant::now();
    let memory = std::thread::scope(|scope| {
        let (report, progress) = sync_channel(1);
        for _ in 0..WORKERS {
            let (run, report) = (&run, report.clone());
            scope.spawn(move || run.work(&report));
        }
        drop(report);
        Memory::watch(&run, &broker, &mut witness, &progress)
    });
    let taken = started.elapsed();
    let failure = run.failure.lock().take();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
    assert_eq!(panics_in(&stderr), [""; 0]);
    assert!(broker.is_running(), "it ended");
    tell(&run, &witness, taken);
    if let [(_, first, _), .., (_, last, most)] = memory.samples[..] {
        assert!(last <= first + GROWTH_MAX_BYTES, "{first} bytes grew to {last}");
        assert!(most <= first + PEAK_MAX_BYTES, "{first} bytes grew to {most} at most");
    }
    drop(run);
    witness.finds_all(&broker);
    // What frames left behind keeps nobody from stopping or starting.
    broker.stop();
    let broker = Process::start(&data, &PROPERTIES);
    witness.finds_all(&broker);
}

fn tell(run: &Run<'_>, witness: &Witness, taken: std::time::Duration) {
    let handled = run.handled.load(Ordering::Relaxed);
    println!(
        "{handled} frames in {:.1} s, {} of them to peers that do not read; the witness waited {:.0} ms at most",
        taken.as_secs_f64(),
        run.unread.load(Ordering::Relaxed),
        witness.slowest.as_secs_f64() * 1e3,
    );
    for (what, count) in run.by_breakage.lock().iter() {
        println!("    {what}: {count}");
    }
}
