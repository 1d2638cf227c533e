//! How many of the feed's ticks a sink on one core turns into Parquet in a second.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::House;
use crate::cmd::bench::process::Running;
use crate::cmd::bench::{LOOK_EVERY, Measure, go_on};

/// The steady part: from the first batch that is written after a tenth of the events to the last one before the topic's end.
#[derive(Debug, Serialize)]
pub(in super::super) struct Speed {
    measure: Measure,
    events: u64,
    bytes_per_event: f64,
    partitions: i32,
    seconds: f64,
    events_per_s: f64,
    cpu_seconds_per_million: f64,
    /// What the sink had of its core. Broker and store may have been what it waited for, or other programs.
    core_share: f64,
    bytes_per_row: f64,
    objects: u64,
    peak_rss_mib: f64,
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sink     {:>6.0} B  {:>10.0} events/s on one core ({:.0} % of it), {:.2} CPU s per million; \
             {:.1} B a row in {} objects, {} partitions, at most {:.0} MiB",
            self.bytes_per_event,
            self.events_per_s,
            self.core_share * 100.0,
            self.cpu_seconds_per_million,
            self.bytes_per_row,
            self.objects,
            self.partitions,
            self.peak_rss_mib,
        )
    }
}

/// When so many events were written, and what that had taken.
struct Sample {
    at: Instant,
    written: u64,
    cpu_seconds: f64,
}

/// Feeds `events`, then has them written.
pub(in super::super) fn measure(events: u64, partitions: i32, stop: &CancellationToken) -> anyhow::Result<Speed> {
    let house = House::open(stop)?;
    feed(&house, events, partitions, stop)?;
    let messages = house.messages(stop)?;
    house.make_way()?;
    let mut sink = house.sink(&[], true)?;
    // One for each time that more was written.
    let mut samples: Vec<Sample> = Vec::new();
    let metrics = sink.watch(messages, stop, |process, metrics| {
        let written = metrics.of("written_total");
        if samples.last().map_or(0, |last| last.written) < written {
            samples.push(Sample {
                at: Instant::now(),
                written,
                cpu_seconds: process.cpu_seconds()?,
            });
        }
        Ok(())
    })?;
    let steady = samples.iter().find(|sample| sample.written * 10 >= messages);
    let (Some(first), Some(last)) = (steady, samples.last()) else {
        anyhow::bail!("{messages} events are too few to measure: --events");
    };
    let events = last.written - first.written;
    anyhow::ensure!(events > 0, "{messages} events are too few to measure: --events");
    let (seconds, cpu_seconds) = ((last.at - first.at).as_secs_f64(), last.cpu_seconds - first.cpu_seconds);
    Ok(Speed {
        measure: Measure::Sink,
        events,
        bytes_per_event: metrics.of("consumed_bytes_total") as f64 / metrics.of("consumed_total") as f64,
        partitions,
        seconds,
        events_per_s: events as f64 / seconds,
        cpu_seconds_per_million: cpu_seconds / events as f64 * 1e6,
        core_share: cpu_seconds / seconds,
        bytes_per_row: metrics.of("object_bytes_total") as f64 / metrics.of("written_total") as f64,
        objects: metrics.of("objects_total"),
        peak_rss_mib: sink.process.peak_rss_mib()?,
    })
}

fn feed(house: &House, events: u64, partitions: i32, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut feed = Command::new(std::env::current_exe()?);
    feed.args(["produce", "--feed", "ticks", "--speed", "max", "--rate", "max"])
        .args([
            "--max-events",
            &events.to_string(),
            "--partitions",
            &partitions.to_string(),
        ])
        .args([
            "--bootstrap-server",
            &house.servers,
            "-X",
            "compression.type=lz4",
            "-X",
            "linger.ms=20",
        ]);
    let fed = feed.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut feed = Running::of(fed.context("cannot start the feed")?);
    let fed = loop {
        if let Some(status) = feed.ended()? {
            break status;
        }
        go_on(stop)?;
        std::thread::sleep(LOOK_EVERY);
    };
    anyhow::ensure!(fed.success(), "the feed: {fed}");
    Ok(())
}
