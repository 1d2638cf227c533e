//! `docs/benchmarks.md`.

use std::fmt::Write as _;
use std::process::Command;

use super::figures::{
    Figures, JOIN_CLASSIC, JOIN_CONSUMER, JOIN_MANY, REBALANCE, RSS_IDLE, RSS_LOADED, START, TRANSACTIONS,
};

/// A row: what it says, the figure's name, its unit, and what ours is to reach.
struct Row {
    what: &'static str,
    name: &'static str,
    unit: &'static str,
    target: Option<Target>,
}

#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// So many times as good as Apache Kafka.
    Times(f64),
}

const fn row(what: &'static str, name: &'static str, unit: &'static str, target: Option<Target>) -> Row {
    Row {
        what,
        name,
        unit,
        target,
    }
}

const ROWS: [Row; 18] = [
    row(
        "produce 100 B, CPU",
        "produce 100 cpu",
        "s/GB",
        Some(Target::AtMost(0.8)),
    ),
    row("produce 100 B, rate", "produce 100 rate", "MB/s", None),
    row(
        "produce 1 KiB, CPU",
        "produce 1024 cpu",
        "s/GB",
        Some(Target::AtMost(0.6)),
    ),
    row(
        "produce 1 KiB, rate",
        "produce 1024 rate",
        "MB/s",
        Some(Target::AtLeast(650.0)),
    ),
    row(
        "consume 100 B, CPU",
        "consume 100 cpu",
        "s/GB",
        Some(Target::AtMost(0.15)),
    ),
    row("consume 100 B, rate", "consume 100 rate", "MB/s", None),
    row(
        "consume 1 KiB, CPU",
        "consume 1024 cpu",
        "s/GB",
        Some(Target::AtMost(0.1)),
    ),
    row("consume 1 KiB, rate", "consume 1024 rate", "MB/s", None),
    row(
        "ack p50, one in flight, 100 B",
        "latency 100",
        "ms",
        Some(Target::AtMost(0.08)),
    ),
    row("ack p50, one in flight, 1 KiB", "latency 1024", "ms", None),
    row(
        "transactions, one producer and partition",
        TRANSACTIONS,
        "1/s",
        Some(Target::Times(3.0)),
    ),
    row("join a group, classic protocol", JOIN_CLASSIC, "ms", None),
    row("join a group, KIP-848", JOIN_CONSUMER, "ms", None),
    row(
        "a hundred members join a group",
        JOIN_MANY,
        "ms",
        Some(Target::AtMost(1_000.0)),
    ),
    row("two members rebalance", REBALANCE, "ms", Some(Target::AtMost(50.0))),
    row(
        "process start to first acknowledged message",
        START,
        "ms",
        Some(Target::AtMost(50.0)),
    ),
    row("RSS after that", RSS_IDLE, "MiB", Some(Target::AtMost(15.0))),
    row("RSS after the load", RSS_LOADED, "MiB", Some(Target::AtMost(24.0))),
];

impl Target {
    fn text(self) -> String {
        match self {
            Target::AtMost(value) => format!("≤ {value}"),
            Target::AtLeast(value) => format!("≥ {value}"),
            Target::Times(times) => format!("≥ {times}×"),
        }
    }

    fn is_met_by(self, value: f64, times_better: f64) -> bool {
        match self {
            Target::AtMost(limit) => value <= limit,
            Target::AtLeast(limit) => value >= limit,
            Target::Times(limit) => times_better >= limit,
        }
    }
}

/// Three significant digits, without an exponent.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.places$}")
}

fn cell([middle, least, greatest]: [f64; 3]) -> String {
    format!("{} ({}–{})", digits(middle), digits(least), digits(greatest))
}

/// How many times better ours is, whichever way is better for the unit.
fn times_better(unit: &str, ours: f64, theirs: f64) -> f64 {
    if unit.ends_with("/s") {
        ours / theirs
    } else {
        theirs / ours
    }
}

fn ratio(unit: &str, ours: f64, theirs: f64) -> String {
    let times = times_better(unit, ours, theirs);
    if times.is_finite() {
        format!("{}×", digits(times))
    } else {
        "–".to_owned()
    }
}

/// The page.
pub(super) fn text(ours: &Figures, apache: &Figures, megabytes: u64) -> anyhow::Result<String> {
    let mut table = String::new();
    let mut missed = Vec::new();
    for Row {
        what,
        name,
        unit,
        target,
    } in ROWS
    {
        let (mine, theirs) = (ours.get(name)?, apache.get(name)?);
        if target.is_some_and(|target| !target.is_met_by(mine[0], times_better(unit, mine[0], theirs[0]))) {
            missed.push(what);
        }
        writeln!(
            table,
            "| {what} | {unit} | {} | {} | {} | {} |",
            cell(theirs),
            cell(mine),
            ratio(unit, mine[0], theirs[0]),
            target.map_or_else(|| "–".to_owned(), Target::text),
        )?;
    }
    let verdict = match missed.as_slice() {
        [] => "Every target is met.".to_owned(),
        missed => format!("Not met in this run: {}.", missed.join("; ")),
    };
    Ok(format!(
        "# Benchmarks

Ours (`tickertape-broker`) and Apache Kafka {version} beside each other. This page is written by

    cargo xtask bench --beside kafka

on {machine},
{date}, in {rounds}. In each both were started anew on an empty directory, the one that was first before now second. Figures
are medians, with the least and the greatest in parentheses. Compare ratios: the figures themselves are this machine's.

| | | Apache Kafka {version} | tickertape | ours is better by | to reach |
|---|---|---|---|---|---|
{table}
{verdict}

- **Load**: `tickertape bench`, which is librdkafka over the loopback interface, on the same cores as the broker: 6 partitions,
  acks=all, no compression, no TLS, {megabytes} MB of payload for each size of message. Page cache and JIT are warmed before by
  an unmeasured load.
- **CPU** is the broker process's own (user and system) per GB of payload, so the client's share does not count. **Rate** is
  what both together reach on these cores: where the client is the limit, ours could do more.
- **ack** is one message in flight, from handing it to librdkafka until its delivery report.
- **transactions** are measured over one raw connection as well: a record of 100 bytes, then the commit, one transaction after
  the other (KIP-890, \"transaction.version\" 2), for three seconds.
- **join** is measured over one raw connection, from the first request to the answer that has the assignment, for a new group
  with one member, thirty times a round; `group.initial.rebalance.delay.ms` is 0 on both.
- **rebalance** is from the second member's first request until both have their assignments, and a hundred members join at
  once, each over a connection of its own, until all have those of one generation. Members learn of a rebalance by heartbeats,
  which are sent every millisecond (every 20 by the hundred).
- **start** begins with the process; formatting Apache Kafka's directory is not counted. It includes creating a topic.
- Apache Kafka runs as it is delivered: the Java options of its start scripts (1 GiB of heap, G1), one KRaft node as
  broker and controller by `deploy/kafka/server.properties`, and defaults otherwise, on {java}.
",
        version = crate::apache::VERSION,
        machine = machine(),
        date = said("date", &["-u", "+%Y-%m-%d"]),
        rounds = match ours.rounds().min(apache.rounds()) {
            1 => "one round".to_owned(),
            rounds => format!("{rounds} rounds"),
        },
        java = said("java", &["--version"]),
    ))
}

/// What the figures depend on; nothing that tells whose machine it is.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory_kib: f64 = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} cores ({model}), {:.0} GiB of memory, Linux {}",
        memory_kib / 1024.0 / 1024.0,
        kernel.trim().split('-').next().unwrap_or_default()
    )
}

/// The first line that a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    if line.is_empty() {
        "an unknown version".to_owned()
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_row_and_names_what_is_missed() {
        let (mut ours, mut theirs) = (Figures::default(), Figures::default());
        for row in &ROWS {
            ours.add(row.name, 0.05);
            theirs.add(row.name, 0.5);
        }
        let page = text(&ours, &theirs, 600).unwrap();
        for row in &ROWS {
            assert!(page.contains(row.what), "{}", row.what);
        }
        assert!(
            page.contains("| s/GB | 0.500 (0.500–0.500) | 0.050 (0.050–0.050) | 10.0× | ≤ 0.8 |"),
            "{page}"
        );
        assert!(
            page.contains("Not met in this run: produce 1 KiB, rate; transactions, one producer and partition."),
            "{page}"
        );
        assert!(text(&Figures::default(), &theirs, 600).is_err());
    }

    #[test]
    fn a_rate_is_better_when_it_is_greater() {
        assert_eq!(ratio("MB/s", 700.0, 140.0), "5.00×");
        assert_eq!(ratio("ms", 0.1, 0.8), "8.00×");
    }
}
