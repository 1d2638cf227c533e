//! A sink as a process of its own, stopped past its session and woken.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use clap::Parser;
use tickertape_consumer::{ConsumeOptions, Stats, run};
use tokio_util::sync::CancellationToken;

use crate::support::{Catalog, World, assert_is, event, events, until};

/// Where the process finds its options, one a line.
const OPTIONS: &str = "TICKERTAPE_TEST_SINK";

#[derive(Parser)]
struct Command_ {
    #[command(flatten)]
    options: ConsumeOptions,
}

/// Not a test: the process that the tests below start, which says whenever its counts have changed.
#[test]
#[ignore = "started by the tests beside it"]
fn sink_process() {
    let Ok(options) = std::env::var(OPTIONS) else { return };
    let options = Command_::parse_from(std::iter::once("sink").chain(options.lines())).options;
    let stats = Arc::new(Stats::default());
    let counts = {
        let stats = stats.clone();
        move || [&stats.consumed, &stats.written, &stats.fenced].map(|count| count.load(Ordering::Relaxed))
    };
    let tell = async {
        let mut told = [u64::MAX; 3];
        loop {
            let now = counts();
            if now != told {
                println!("counts {} {} {}", now[0], now[1], now[2]);
                told = now;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        tokio::select! {
            ended = run(options, None, CancellationToken::new(), stats) => drop(ended.unwrap()),
            () = tell => {}
        }
    });
}

/// A started sink. It is killed when it is dropped.
struct Process {
    child: Child,
    counts: Arc<Mutex<[u64; 3]>>,
}

impl Process {
    fn start(options: &[String]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::sink_process", "--ignored", "--nocapture"])
            .env(OPTIONS, options.join("\n"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let counts = Arc::new(Mutex::new([0; 3]));
        let (told, lines) = (counts.clone(), BufReader::new(child.stdout.take().unwrap()).lines());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, numbers)) = line.split_once("counts ") {
                    let mut numbers = numbers.split(' ').map(|number| number.parse().unwrap());
                    *told.lock().unwrap() = std::array::from_fn(|_| numbers.next().unwrap());
                }
            }
        });
        Self { child, counts }
    }

    fn counts(&self) -> [u64; 3] {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arguments(world: &World, more: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> = vec![
        "--topic=ticks".into(),
        "--to=s3://lake/market".into(),
        format!("--bootstrap-server={}", world.broker.bootstrap_servers()),
        format!("--s3-endpoint={}", world.store.endpoint_url()),
        "-Xsession.timeout.ms=6000".into(),
    ];
    arguments.extend(more.iter().map(|more| (*more).to_owned()));
    arguments
}

/// Where the claims of the partition end.
async fn end_of_claims(world: &World) -> i64 {
    match world.keys("market/_ledger/ticks/0/").await.last() {
        Some(key) => serde_json::from_slice::<serde_json::Value>(&world.object(key).await).unwrap()["end"]
            .as_i64()
            .unwrap(),
        None => 0,
    }
}

async fn claims_reach(world: &World, end: i64) {
    let reached = async {
        while end_of_claims(world).await < end {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, reached)
        .await
        .expect("waited in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_slept_past_its_session_writes_no_row_of_another() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    // Its batch is due as soon as it is woken.
    let sleeper = Process::start(&arguments(&world, &["--max-age=5s"]));
    world.produce("ticks", 0, &events(0..30)).await;
    until(|| sleeper.counts()[0] == 30).await;
    sleeper.signal("-STOP");
    // Other ranges than the sleeper's: a row of both would be there twice.
    let mut options = world.options(&["ticks"]);
    options.max_records = 20;
    let other = world.sink(options, &Catalog::default());
    other.written(30).await;
    world.produce("ticks", 0, &events(30..50)).await;
    other.written(50).await;
    sleeper.signal("-CONT");
    // Either it has tried to write and was refused, or the group told it first that the partition is another's.
    world.produce("ticks", 0, &events(50..60)).await;
    claims_reach(&world, 60).await;
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 60);
    (0..60).for_each(|at| assert_is(&rows[&(0, i64::from(at))], "ticks", &event(at)));
    println!("batches of the sleeper that were refused: {}", sleeper.counts()[2]);
    assert!(sleeper.counts()[1] <= 10, "it wrote what another had written");
    drop(sleeper);
    other.stop().await.unwrap();
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_killed_at_any_point_loses_and_doubles_nothing() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    world.produce("ticks", 0, &events(0..400)).await;
    // Small batches, so that most of the time goes into claims, objects and commits; killed after more and more of them.
    let options = arguments(&world, &["--max-records=9", "--max-age=200ms"]);
    for batches in [1, 2, 3, 5] {
        let process = Process::start(&options);
        until(|| process.counts()[1] >= 9 * batches).await;
    }
    let last = Process::start(&options);
    claims_reach(&world, 400).await;
    let rows = || async { world.rows("ticks").await.len() };
    let all = async {
        while rows().await < 400 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, all)
        .await
        .expect("rows are missing");
    let rows = world.rows("ticks").await;
    (0..400).for_each(|at| assert_is(&rows[&(0, i64::from(at))], "ticks", &event(at)));
    drop(last);
    world.shutdown().await;
}
