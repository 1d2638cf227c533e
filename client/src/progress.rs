//! How long work shows that it is moving: a bar on a terminal; in a pipe one line a second, and fewer while nothing moves.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// How often a pipe gets a line while something moves.
const EVERY: Duration = Duration::from_secs(1);
/// How often a pipe gets a line while nothing moves: work without an end, such as a sink's, would fill a log.
const EVERY_AT_REST: Duration = Duration::from_secs(30);

/// Shows what was done, how fast, and when it will be over; on a terminal a bar, elsewhere one line a second
/// while something moves, and one every 30 seconds while nothing does. All of it goes to stderr, so that a program's
/// output stays its own. Clones share one count; dropping the last one, or [`Progress::finish`], ends the showing.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<Shared>,
    showing: Arc<Showing>,
}

struct Shared {
    name: String,
    unit: String,
    done: AtomicU64,
    /// 0: not known.
    total: AtomicU64,
    started: Instant,
    message: Mutex<String>,
    ended: Mutex<bool>,
    wake: Condvar,
}

enum Showing {
    Nowhere,
    Bar(ProgressBar),
    Lines(Mutex<Option<JoinHandle<()>>>, Arc<Shared>),
}

impl Progress {
    /// Shows on stderr: `name: 1,200 of 5,000 unit, 400/s, 10 s left`. Without a `total` there is no end to
    /// tell.
    pub fn new(name: &str, unit: &str, total: Option<u64>) -> Progress {
        let shared = Shared::new(name, unit, total);
        let showing = match std::io::stderr().is_terminal() {
            true => Showing::Bar(bar(name, unit, total)),
            false => Showing::Lines(Mutex::new(lines(&shared)), Arc::clone(&shared)),
        };
        Progress {
            shared,
            showing: Arc::new(showing),
        }
    }

    /// Counts, and shows nothing: for a program that has a view of its own.
    pub fn hidden() -> Progress {
        Progress {
            shared: Shared::new("", "", None),
            showing: Arc::new(Showing::Nowhere),
        }
    }

    /// Counts `units` more as done.
    pub fn add(&self, units: u64) {
        let done = self.shared.done.fetch_add(units, Ordering::Relaxed) + units;
        self.show(done);
    }

    /// Sets how much is done.
    pub fn set(&self, done: u64) {
        self.shared.done.store(done, Ordering::Relaxed);
        self.show(done);
    }

    /// Sets how much there is to do, once it is known.
    pub fn set_total(&self, total: u64) {
        self.shared.total.store(total, Ordering::Relaxed);
        if let Showing::Bar(bar) = &*self.showing {
            bar.set_length(total);
            bar.set_style(style(true));
        }
    }

    /// Shows a word about what is being done, after the figures.
    pub fn message(&self, message: impl Into<String>) {
        let message = message.into();
        if let Showing::Bar(bar) = &*self.showing {
            bar.set_message(message.clone());
        }
        *self.shared.message.lock().unwrap_or_else(PoisonError::into_inner) = message;
    }

    /// How much is done.
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Ends the showing: the bar goes away, no line follows. Clones still count.
    pub fn finish(&self) {
        self.showing.end();
    }

    fn show(&self, done: u64) {
        if let Showing::Bar(bar) = &*self.showing {
            bar.set_position(done);
        }
    }
}

impl Shared {
    fn new(name: &str, unit: &str, total: Option<u64>) -> Arc<Shared> {
        Arc::new(Shared {
            name: name.to_owned(),
            unit: unit.to_owned(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(total.unwrap_or(0)),
            started: Instant::now(),
            message: Mutex::new(String::new()),
            ended: Mutex::new(false),
            wake: Condvar::new(),
        })
    }

    fn line(&self, done: u64, rate: f64) -> String {
        let total = self.total.load(Ordering::Relaxed);
        let message = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        line(&self.name, &self.unit, done, total, rate, &message)
    }
}

impl Showing {
    fn end(&self) {
        match self {
            Showing::Nowhere => {}
            Showing::Bar(bar) => bar.finish_and_clear(),
            Showing::Lines(thread, shared) => {
                *shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
                shared.wake.notify_all();
                let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(thread) = thread {
                    // The thread only formats and writes; if it panicked there is nothing to tell.
                    let _ = thread.join();
                }
            }
        }
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Progress")
            .field("name", &self.shared.name)
            .field("done", &self.done())
            .finish_non_exhaustive()
    }
}

/// Writes a line a second, while something moves, until the end is told. A rate is that since the line before. `None` when no
/// thread can be had: the work matters more.
fn lines(shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let work = move || {
        let (mut before, mut at) = (0, shared.started);
        let mut ended = shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let (guard, waited) = shared
                .wake
                .wait_timeout(ended, EVERY)
                .unwrap_or_else(PoisonError::into_inner);
            ended = guard;
            if *ended || !waited.timed_out() {
                continue;
            }
            let done = shared.done.load(Ordering::Relaxed);
            if done == before && at.elapsed() < EVERY_AT_REST {
                continue;
            }
            let seconds = at.elapsed().as_secs_f64();
            let rate = done.saturating_sub(before) as f64 / seconds;
            // A closed stderr must not end the work.
            let _ = writeln!(std::io::stderr(), "{}", shared.line(done, rate));
            (before, at) = (done, Instant::now());
        }
    };
    std::thread::Builder::new().name("progress".to_owned()).spawn(work).ok()
}

fn bar(name: &str, unit: &str, total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    bar.set_style(style(total.is_some()));
    bar.set_prefix(format!("{name} ({unit})"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn style(bounded: bool) -> ProgressStyle {
    let template = match bounded {
        true => "{prefix} {wide_bar} {human_pos} of {human_len}, {rate}, {eta} left {msg}",
        false => "{prefix} {spinner} {human_pos}, {rate}, {elapsed} {msg}",
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // An error here is the terminal's.
            let _ = write!(out, "{}/s", grouped(state.per_sec() as u64));
        })
}

fn line(name: &str, unit: &str, done: u64, total: u64, rate: f64, message: &str) -> String {
    let mut line = format!("{name}: {}", grouped(done));
    if total > 0 {
        line += &format!(" of {}", grouped(total));
    }
    line += &format!(" {unit}, {}/s", grouped(rate as u64));
    if total > done && rate >= 1.0 {
        let left = Duration::from_secs(((total - done) as f64 / rate).ceil() as u64);
        line += &format!(", {} left", humantime::format_duration(left));
    }
    if !message.is_empty() {
        line += &format!(" ({message})");
    }
    line
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_done_how_fast_and_when_it_ends() {
        assert_eq!(
            line("produce", "events", 1_234_567, 2_000_000, 255_145.3, "AAPL"),
            "produce: 1,234,567 of 2,000,000 events, 255,145/s, 3s left (AAPL)"
        );
        assert_eq!(line("produce", "events", 7, 0, 0.0, ""), "produce: 7 events, 0/s");
        assert_eq!(line("produce", "events", 9, 9, 3.0, ""), "produce: 9 of 9 events, 3/s");
    }

    #[test]
    fn clones_share_one_count_and_the_end_may_be_told_twice() {
        let progress = Progress::new("test", "things", Some(3));
        progress.clone().add(2);
        progress.set_total(4);
        progress.message("on it");
        assert_eq!(progress.done(), 2);
        progress.finish();
        progress.finish();
    }
}
