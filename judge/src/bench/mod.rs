//! `cargo xtask bench --beside kafka`: what ours and Apache Kafka cost on this machine, in turn in one go.
//!
//! Each round starts both anew on an empty directory, the one that was first before now second; between them nothing
//! runs. A round of a broker is: its start until the first message is acknowledged; its memory then; how long joining a
//! group takes by either protocol, and how long groups of two and of a hundred take to agree; transactions per second; an unmeasured load, so that page cache and JIT are warm; then `tickertape bench`.
//! Figures are the medians of the rounds, and the page says within which bounds they lay.
//!
//! Apache Kafka runs as it is delivered: its own start script's Java options, `deploy/kafka/server.properties`, defaults
//! otherwise. Both have the properties of [`crate::PROPERTIES`].

mod broker;
mod figures;
mod groups;
mod page;
mod raw;
mod transactions;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use broker::Kind;
use figures::Figures;

/// What to measure, and how long at most.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Rounds, of each broker
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Megabytes of payload for each size of message
    #[arg(long, default_value_t = 600)]
    megabytes: u64,
    /// No further round is begun that would not be over after this many seconds
    #[arg(long, default_value_t = 330)]
    seconds_max: u64,
    /// Only transactions, which take seconds; prints the two figures
    #[arg(long)]
    transactions: bool,
    /// Only groups of several members, which take seconds; prints their figures
    #[arg(long)]
    groups: bool,
    /// The directory of the binaries `tickertape` and `tickertape-broker`
    #[arg(long)]
    binaries: PathBuf,
    /// The page to write; without it, it is printed
    #[arg(long)]
    page: Option<PathBuf>,
}

/// Measures, and writes the page.
///
/// # Errors
/// Whatever keeps one of them from being measured.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if options.transactions {
        return only_transactions(options);
    }
    if options.groups {
        return only_groups(options);
    }
    let started = Instant::now();
    let limit = Duration::from_secs(options.seconds_max);
    let mut of = [Figures::default(), Figures::default()];
    let mut longest = Duration::ZERO;
    for round in 0..options.rounds.max(1) {
        if round > 0 && started.elapsed() + longest > limit {
            eprintln!("no time for round {} of {}", round + 1, options.rounds);
            break;
        }
        let begun = Instant::now();
        let mut order = [Kind::Ours, Kind::Apache];
        if round % 2 == 1 {
            order.reverse();
        }
        for kind in order {
            eprintln!("round {} of {}: {kind}", round + 1, options.rounds);
            measure(kind, options, &mut of[kind as usize]).with_context(|| kind.to_string())?;
        }
        longest = longest.max(begun.elapsed());
    }
    let [ours, apache] = of;
    let text = page::text(&ours, &apache, options.megabytes)?;
    match &options.page {
        Some(path) => std::fs::write(path, text).with_context(|| path.display().to_string())?,
        None => print!("{text}"),
    }
    eprintln!("measured in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// A quick look at one figure.
fn only_transactions(options: &Options) -> anyhow::Result<()> {
    for round in 0..options.rounds.max(1) {
        for kind in [Kind::Ours, Kind::Apache] {
            let broker = kind.start(&options.binaries)?;
            let per_second = transactions::per_second(broker.bootstrap_servers())?;
            println!("round {}, {kind}: {per_second:.0} transactions a second", round + 1);
        }
    }
    Ok(())
}

/// A quick look at groups of several members.
fn only_groups(options: &Options) -> anyhow::Result<()> {
    let mut of = [Figures::default(), Figures::default()];
    for _ in 0..options.rounds.max(1) {
        for kind in [Kind::Ours, Kind::Apache] {
            let broker = kind.start(&options.binaries)?;
            measure_groups(broker.bootstrap_servers(), &mut of[kind as usize])?;
        }
    }
    for kind in [Kind::Ours, Kind::Apache] {
        for name in [figures::JOIN_MANY, figures::REBALANCE] {
            let [median, least, greatest] = of[kind as usize].get(name)?;
            println!("{kind}, {name}: {median:.1} ms ({least:.1}–{greatest:.1})");
        }
    }
    Ok(())
}

/// Groups of several members. The first group, which also makes the internal topic, is not measured.
fn measure_groups(address: &str, figures: &mut Figures) -> anyhow::Result<()> {
    raw::join_classic(address, "bench-first")?;
    for rebalance_ms in groups::rebalances(address, "bench-two")? {
        figures.add(figures::REBALANCE, rebalance_ms);
    }
    for at in 0..3 {
        let join = groups::join_many(address, &format!("bench-many-{at}"))?;
        figures.add(figures::JOIN_MANY, join.as_secs_f64() * 1e3);
    }
    Ok(())
}

/// One round of one broker.
fn measure(kind: Kind, options: &Options, figures: &mut Figures) -> anyhow::Result<()> {
    let broker = kind.start(&options.binaries)?;
    raw::produce_one(broker.bootstrap_servers())?;
    figures.add(figures::START, broker.started().elapsed().as_secs_f64() * 1e3);
    figures.add(figures::RSS_IDLE, broker.rss_mib()?);
    for (name, join) in [
        (
            figures::JOIN_CLASSIC,
            raw::join_classic as fn(&str, &str) -> anyhow::Result<_>,
        ),
        (figures::JOIN_CONSUMER, raw::join_consumer),
    ] {
        for join_ms in raw::joins(broker.bootstrap_servers(), join)? {
            figures.add(name, join_ms);
        }
    }
    measure_groups(broker.bootstrap_servers(), figures)?;
    let per_second = transactions::per_second(broker.bootstrap_servers())?;
    figures.add(figures::TRANSACTIONS, per_second);
    let bench = |arguments: &[&str]| broker.bench(&options.binaries, arguments);
    bench(&["--megabytes", "48", "--latency-messages", "500"])?;
    let megabytes = options.megabytes.to_string();
    let measured = bench(&["--megabytes", &megabytes, "--latency-messages", "4000"])?;
    figures.add_bench(&measured)?;
    figures.add(figures::RSS_LOADED, broker.rss_mib()?);
    Ok(())
}
