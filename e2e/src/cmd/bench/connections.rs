//! What a crowd of connections costs the others: most of them idle, a few asking for all there is and reading it slowly.

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use super::process::{self, Cost, Process};
use super::raw::Raw;
use super::{BenchOptions, Measure, throughput};

/// How many of the crowd read slowly.
const SLOW_READERS: usize = 10;
/// A slow reader takes so many bytes at a time,
const SIP_BYTES: usize = 4 * 1024;
/// and so often.
const SIP_EVERY: Duration = Duration::from_millis(100);
/// How often the throughput is taken alone and in the crowd, in turn.
const ROUNDS: usize = 3;

/// Throughput alone and in the crowd, as medians, in MB/s.
#[derive(Debug, Serialize)]
pub(super) struct Connections {
    measure: Measure,
    size_bytes: usize,
    connections: usize,
    slow_readers: usize,
    produce_mb_per_s: Pair,
    consume_mb_per_s: Pair,
    /// Of the last round in the crowd.
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<Cost>,
}

#[derive(Debug, Serialize)]
struct Pair {
    alone: f64,
    in_the_crowd: f64,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.in_the_crowd / self.alone * 100.0;
        write!(
            f,
            "{:.1} MB/s alone, {:.1} ({share:.0} %)",
            self.alone, self.in_the_crowd
        )
    }
}

impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "connections {} B  produce {}, consume {} beside {} connections of which {} read slowly",
            self.size_bytes, self.produce_mb_per_s, self.consume_mb_per_s, self.connections, self.slow_readers
        )?;
        match &self.broker {
            Some(broker) => write!(f, "; RSS {:.1} MiB", broker.rss_mib),
            None => Ok(()),
        }
    }
}

/// Measures with `connections` of them beside.
pub(super) fn measure(
    options: &BenchOptions,
    address: &str,
    topic: &str,
    size_bytes: usize,
    messages: u64,
    process: Option<&Process>,
) -> anyhow::Result<Connections> {
    // There is something to read for all, however slow.
    throughput::produce(options, topic, size_bytes, messages)?;
    let megabytes = messages as f64 * size_bytes as f64 / 1e6;
    let mut broker = None;
    let mut round = || -> anyhow::Result<(f64, f64)> {
        let (producing, _) = process::around(process, || throughput::produce(options, topic, size_bytes, messages))?;
        let (consuming, cost) = process::around(process, || throughput::consume(options, topic, messages))?;
        broker = cost;
        Ok((megabytes / producing, megabytes / consuming))
    };
    let (mut alone, mut crowded) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(round()?);
        let crowd = Crowd::gather(options, address, topic)?;
        crowded.push(round()?);
        crowd.leave()?;
    }
    let pair = |of: fn(&(f64, f64)) -> f64| Pair {
        alone: median(alone.iter().map(of).collect()),
        in_the_crowd: median(crowded.iter().map(of).collect()),
    };
    Ok(Connections {
        measure: Measure::Connections,
        size_bytes,
        connections: options.connections,
        slow_readers: SLOW_READERS,
        produce_mb_per_s: pair(|round| round.0),
        consume_mb_per_s: pair(|round| round.1),
        broker,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The connections beside those that are measured.
struct Crowd {
    idle: Vec<Raw>,
    leave: mpsc::Sender<()>,
    readers: JoinHandle<anyhow::Result<()>>,
}

impl Crowd {
    fn gather(options: &BenchOptions, address: &str, topic: &str) -> anyhow::Result<Crowd> {
        let connect = |at: usize| {
            let mut connection =
                Raw::connect(address).with_context(|| format!("connection {at}; are so many files allowed?"))?;
            connection.greet()?;
            anyhow::Ok(connection)
        };
        let mut idle = (0..options.connections)
            .map(connect)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut slow = idle.split_off(options.connections.saturating_sub(SLOW_READERS));
        for reader in &mut slow {
            reader.ask_for_all(topic, options.partitions)?;
        }
        let (leave, left) = mpsc::channel();
        let readers = std::thread::spawn(move || {
            while left.recv_timeout(SIP_EVERY) == Err(RecvTimeoutError::Timeout) {
                slow.iter_mut().try_for_each(|reader| reader.sip(SIP_BYTES))?;
            }
            Ok(())
        });
        Ok(Crowd { idle, leave, readers })
    }

    /// All of them were there to the end.
    fn leave(mut self) -> anyhow::Result<()> {
        drop(self.leave);
        let read = self.readers.join().map_err(|_| anyhow!("the slow readers panicked"))?;
        read.context("a slow reader")?;
        self.idle
            .iter_mut()
            .try_for_each(Raw::greet)
            .context("an idle connection was not kept")
    }
}
