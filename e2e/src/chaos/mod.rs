//! The proof that nothing is lost or doubled, made in front of the user: broker, S3 server, feed and two sinks, each a process
//! of its own, are killed, frozen, stopped and cut off from each other, round after round, while a reader looks.
//!
//! ```text
//! feed ──▶ gate ──▶ broker ◀── gate ◀── sink-1 ──▶ store proxy ─┐
//!                     ▲                                         ├─▶ s3 (and its catalog) ◀── reader: lists, reads, asks SQL
//!                     └──────── gate ◀── sink-2 ──▶ store proxy ─┘
//! ```
//!
//! | module | |
//! |---|---|
//! | `plan` | which faults: a function of the seed |
//! | `house` | the processes |
//! | `gate`, `store_proxy` | what is between them, and cuts, holds and spoils |
//! | `watch`, `seen` | the reader, and what it must never see |
//! | `trouble` | whether what it was refused was the faults' doing |
//!
//! What must hold, at every moment: no row twice; every row below the committed offset there, in a listing as in SQL; no
//! object and no claim changed or gone; and no reading of the lake fails, SQL or other, while nothing is done to the S3
//! server. What must hold after every round: all that was in the topic when its faults ended is written and committed before
//! long, and no process has ended by itself. At the end `tickertape verify` compares each record.

mod gate;
mod house;
mod plan;
mod seen;
mod store_proxy;
mod trouble;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use self::house::House;
pub(crate) use self::house::Settings;
use self::plan::{Blow, Fault, Moment, Part, Plan, Round, SINKS, Wire};
use self::seen::Offsets;
use self::watch::{Sql, Watch};

/// How long a sink may take to send a request that is waited for. It sends all kinds several times a second.
const REQUEST_WAIT: Duration = Duration::from_secs(3);
/// How long the sinks may take to write what was there when the faults ended; far longer than they do on any machine.
const CATCH_UP: Duration = Duration::from_secs(600);
/// How often somebody looks whether they have.
const LOOK: Duration = Duration::from_millis(25);

/// How a run ended.
pub(crate) struct Verdict {
    /// What was wrong, in words; nothing where all is well.
    pub(crate) violations: Vec<String>,
}

/// Plays `rounds` rounds in `dir`, and prints a line for each.
///
/// # Errors
/// A process does not start, or the run was interrupted: nothing is said about the protocol then.
pub(crate) async fn run(
    dir: &Path,
    rounds: u64,
    settings: Settings,
    shutdown: CancellationToken,
) -> anyhow::Result<Verdict> {
    let seed = settings.seed;
    let house = House::open(dir, settings).await?;
    let watch = Watch::new(&house.endpoint(), &house.bootstrap(), Arc::clone(&house.trouble)).await?;
    let stop = CancellationToken::new();
    let reading = tokio::spawn(Arc::clone(&watch).run(stop.clone()));
    let playing = play(&house, &watch, rounds, seed);
    let violations = tokio::select! {
        violations = playing => violations?,
        () = shutdown.cancelled() => bail!("interrupted"),
    };
    stop.cancel();
    reading.await?;
    Ok(Verdict { violations })
}

async fn play(house: &House, watch: &Watch, rounds: u64, seed: u64) -> anyhow::Result<Vec<String>> {
    let started = Instant::now();
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    if !flows(house, watch).await? {
        let mut wrong = watch.violations();
        wrong.push("no row arrived before the first round".to_owned());
        return Ok(wrong);
    }
    for (number, round) in (1..=rounds).zip(Plan::new(seed)) {
        let began = Instant::now();
        let strikes = round.faults.iter().map(|fault| strike(house, *fault, round.delay_ms));
        // To its end each: a store stays in trouble for ever where what ends it is dropped.
        let struck = join_all(strikes).await;
        let ends = topic_ends(watch).await?;
        let late = !caught_up(house, watch, &ends).await;
        for fault in &round.faults {
            *kinds.entry(fault.kind()).or_default() += 1;
        }
        report(number, &round, watch, began.elapsed());
        let mut wrong = house.fallen()?;
        wrong.extend(
            struck
                .into_iter()
                .filter_map(|one| one.err().map(|error| format!("{error:#}"))),
        );
        if !watch.violations().is_empty() {
            // What else is wrong with what is there. That it can't be read is among what was said.
            let _ = watch.pass(Sql::WhenDue).await;
            wrong.extend(watch.violations());
        }
        if late && wrong.is_empty() {
            wrong.push(format!(
                "{} s after the faults ended not everything is committed",
                CATCH_UP.as_secs()
            ));
        }
        if !wrong.is_empty() {
            return Ok(wrong);
        }
    }
    let wrong = close(house, watch).await?;
    summary(house, watch, rounds, &kinds, started.elapsed());
    Ok(wrong)
}

/// Lets the sinks write the rest, stops them, and compares everything.
async fn close(house: &House, watch: &Watch) -> anyhow::Result<Vec<String>> {
    house.stop(Part::Feed).await?;
    let ends = topic_ends(watch).await?;
    let mut wrong = Vec::new();
    if !caught_up(house, watch, &ends).await {
        wrong.push("the sinks did not write the topic to its end".to_owned());
    }
    for sink in 0..SINKS {
        if let Err(error) = house.stop(Part::Sink(sink)).await {
            wrong.push(format!("{error:#}"));
        }
    }
    // Nothing is done to anyone any more: all has to be readable.
    if let Err(error) = watch.pass(Sql::Now).await {
        wrong.push(format!("the reader's last pass: {error:#}"));
    }
    if watch.tally().queries == 0 {
        wrong.push("SQL has answered no query".to_owned());
    }
    watch.compare_chains();
    wrong.extend(watch.violations());
    let (whole, said) = house.verify().await?;
    println!("verify: {said}");
    if !whole {
        wrong.push("verify found records that are missing, doubled or different".to_owned());
    }
    wrong.extend(house.fallen()?);
    for server in [Part::S3, Part::Broker] {
        if let Err(error) = house.stop(server).await {
            wrong.push(format!("{error:#}"));
        }
    }
    Ok(wrong)
}

/// Where the topic ends; waits for a broker that is away.
async fn topic_ends(watch: &Watch) -> anyhow::Result<Offsets> {
    let started = Instant::now();
    loop {
        match watch.ends().await {
            Ok(ends) => return Ok(ends),
            Err(error) if started.elapsed() > CATCH_UP => return Err(error).context("the broker stays away"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Waits until the first rows are written.
async fn flows(house: &House, watch: &Watch) -> anyhow::Result<bool> {
    let started = Instant::now();
    while started.elapsed() < CATCH_UP {
        let ends = topic_ends(watch).await?;
        if ends.values().any(|end| *end > 0) {
            return Ok(caught_up(house, watch, &ends).await);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(false)
}

/// Waits until all below `ends` is committed, something is wrong, or it takes too long (`false`).
async fn caught_up(house: &House, watch: &Watch, ends: &Offsets) -> bool {
    let started = Instant::now();
    while started.elapsed() < CATCH_UP {
        let wrong = !watch.violations().is_empty() || house.fallen().map_or(true, |fallen| !fallen.is_empty());
        if wrong || watch.has(ends) {
            return !wrong;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

/// Makes one fault, from its beginning to its end.
async fn strike(house: &House, fault: Fault, delay_ms: u64) -> anyhow::Result<()> {
    pause(delay_ms).await;
    match fault {
        Fault::Blow { part, blow } => deal(house, part, blow).await,
        Fault::AtRequest {
            sink,
            request,
            moment,
            blow,
        } => {
            let store = &house.stores[sink];
            let held = store.watch(request, moment).held(REQUEST_WAIT).await;
            store.unwatch();
            // What the store has not seen arrives when the blow is over: late, and after others have acted.
            let (late, at_once) = match moment {
                Moment::Before => (held, None),
                Moment::After => (None, held),
            };
            drop(at_once);
            let dealt = deal(house, Part::Sink(sink), blow).await;
            drop(late);
            dealt
        }
        Fault::Cut { wire, refused_ms } => {
            let gates: Vec<_> = match wire {
                Wire::Kafka => vec![&house.kafka],
                Wire::Store => house.stores.iter().map(|store| &store.gate).collect(),
            };
            gates.iter().for_each(|gate| gate.refuse(true));
            gates.iter().for_each(|gate| gate.cut());
            pause(refused_ms).await;
            gates.iter().for_each(|gate| gate.refuse(false));
            Ok(())
        }
        Fault::Store {
            trouble,
            percent,
            for_ms,
        } => {
            house
                .stores
                .iter()
                .for_each(|store| store.trouble(Some((trouble, percent))));
            pause(for_ms).await;
            house.stores.iter().for_each(|store| store.trouble(None));
            Ok(())
        }
    }
}

async fn deal(house: &House, part: Part, blow: Blow) -> anyhow::Result<()> {
    let _trouble = (part == Part::S3).then(|| house.trouble.begin());
    match blow {
        Blow::Kill { down_ms } => {
            house.kill(part).await?;
            pause(down_ms).await;
            house.start(part).await
        }
        Blow::Stop { down_ms } => {
            house.stop(part).await?;
            pause(down_ms).await;
            house.start(part).await
        }
        Blow::Freeze { for_ms } => {
            house.signal(part, libc::SIGSTOP)?;
            pause(for_ms).await;
            house.signal(part, libc::SIGCONT)
        }
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn report(number: u64, round: &Round, watch: &Watch, took: Duration) {
    let faults: Vec<_> = round.faults.iter().map(ToString::to_string).collect();
    let rows = watch.tally().rows;
    println!(
        "{number:>5}  {:>5.1} s  {rows:>9} rows  {}",
        took.as_secs_f64(),
        faults.join("; ")
    );
}

fn summary(house: &House, watch: &Watch, rounds: u64, kinds: &BTreeMap<&'static str, u64>, took: Duration) {
    let counted: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let faults: u64 = kinds.values().sum();
    println!(
        "{rounds} rounds in {:.0} s, {faults} faults: {}",
        took.as_secs_f64(),
        counted.join(", ")
    );
    let tally = watch.tally();
    let made: u64 = house.stores.iter().map(|store| store.made()).sum();
    println!(
        "requests to S3 that were spoiled: {made}; the reader: {} passes, {} claims, {} objects, {} rows, {} queries",
        tally.passes, tally.claims, tally.objects, tally.rows, tally.queries
    );
}
