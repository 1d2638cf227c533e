//! What keeps logs in order while nobody waits for it: checkpoints, syncs by time, retention, deletion, producers that
//! wrote nothing for long, and compaction.
//!
//! Two threads, so that compaction, which may take minutes, holds nothing else up. What there is to do is decided by the
//! broker's clock; the threads' own waiting only says how often they look.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    clock::Clock,
    log::{LogDir, Pace},
};

/// How often the threads look, and what compaction may use.
#[derive(Clone, Copy, Debug)]
pub struct HousekeepingConfig {
    /// Checkpoints, syncs and deletions.
    pub tick: Duration,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval: Duration,
    /// `log.cleaner.backoff.ms`.
    pub cleaner_backoff: Duration,
    /// `log.cleaner.enable`.
    pub cleaner_enable: bool,
    /// `log.cleaner.dedupe.buffer.size`: memory for the keys of one pass, in bytes.
    pub cleaner_dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.max.bytes.per.second`: what compaction may read and write.
    pub cleaner_io_max_bytes_per_second: f64,
}

impl Default for HousekeepingConfig {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            retention_check_interval: Duration::from_secs(300),
            cleaner_backoff: Duration::from_secs(15),
            cleaner_enable: true,
            cleaner_dedupe_buffer_bytes: 128 * 1024 * 1024,
            cleaner_io_max_bytes_per_second: f64::MAX,
        }
    }
}

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits, and says whether to go on.
    fn wait(&self, duration: Duration) -> bool {
        let mut stopped = self.stopped.lock();
        if duration.is_zero() {
            return !*stopped;
        }
        let until = Instant::now() + duration;
        while !*stopped {
            if self.changed.wait_until(&mut stopped, until).timed_out() {
                break;
            }
        }
        !*stopped
    }
}

/// The threads. Dropping it stops them.
#[derive(Debug)]
pub struct Housekeeping {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Housekeeping {
    /// Starts keeping the logs of `dir` in order.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(dir: Arc<LogDir>, clock: Arc<dyn Clock>, config: HousekeepingConfig) -> std::io::Result<Self> {
        let mut housekeeping = Self {
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let stop = Arc::clone(&housekeeping.stop);
        let (logs, time) = (Arc::clone(&dir), Arc::clone(&clock));
        housekeeping.spawn("tickertape-housekeeping", move || {
            let mut retained = Instant::now();
            while stop.wait(config.tick) {
                logs.keep(time.now_ms());
                if retained.elapsed() >= config.retention_check_interval {
                    retained = Instant::now();
                    logs.retain(time.now_ms());
                }
            }
        })?;
        if config.cleaner_enable {
            let stop = Arc::clone(&housekeeping.stop);
            housekeeping.spawn("tickertape-cleaner", move || {
                let stopping = Arc::clone(&stop);
                let pace = Pace::new(config.cleaner_io_max_bytes_per_second, move |pause| {
                    stopping.wait(pause)
                });
                while stop.wait(config.cleaner_backoff) {
                    dir.compact(clock.now_ms(), config.cleaner_dedupe_buffer_bytes, &pace);
                }
            })?;
        }
        Ok(housekeeping)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.threads
            .push(thread::Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }

    /// Stops, after what is being done right now; compaction is given up between two batches. Before the logs are closed.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        *self.stop.stopped.lock() = true;
        self.stop.changed.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a housekeeping thread panicked");
            }
        }
    }
}

impl Drop for Housekeeping {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        clock::ManualClock,
        log::{Isolation, LogConfig, Origin, PartitionLog},
        metadata::store::Store,
        wire::build::BatchBuilder,
    };

    #[test]
    fn retention_and_deletion_happen_by_the_brokers_clock() {
        let directory = tempfile::tempdir().unwrap();
        let dir = LogDir::open(directory.path(), &Store::in_memory(), 100).unwrap();
        let clock = Arc::new(ManualClock::new(1_000_000));
        let config = LogConfig {
            segment_bytes: 200,
            retention_ms: 10_000,
            ..LogConfig::default()
        };
        let log = PartitionLog::open(&dir, "t", Uuid::from_u128(1), 0, Arc::new(config), 1_000_000).unwrap();
        let batch = BatchBuilder::new()
            .record(1_000_000, None, Some(&[7; 100]))
            .build()
            .unwrap();
        for _ in 0..4 {
            log.append(&batch, Origin::Client, 0, 1_000_000).unwrap();
        }
        let quick = Duration::from_millis(1);
        let config = HousekeepingConfig {
            tick: quick,
            retention_check_interval: quick,
            ..HousekeepingConfig::default()
        };
        let housekeeping = Housekeeping::start(Arc::clone(&dir), clock.clone(), config).unwrap();
        assert_eq!(log.offsets().log_start_offset, 0);
        let deadline = Instant::now() + Duration::from_secs(60);
        let wait_for = |what: &dyn Fn() -> bool| {
            while !what() {
                assert!(Instant::now() < deadline);
                thread::yield_now();
            }
        };
        clock.advance(10_001);
        wait_for(&|| log.offsets().log_start_offset == 4);
        assert!(log.read(0, 1, true, Isolation::ReadUncommitted).is_err());
        clock.advance(60_001);
        wait_for(&|| dir.doomed() == 0);
        housekeeping.stop();
    }
}
