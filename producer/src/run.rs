//! A feed, from its input to the last acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tickertape_client::{Progress, UsageError, wait_for_broker};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::feed::{Event, Feed, Position};
use crate::kafka::{Outlet, prepare_topics};
use crate::options::{ProduceOptions, Rate};
use crate::pace::Pace;
use crate::resume::Already;
use crate::stats::Stats;
use crate::table::Table;

/// After so many events in a row without a wait, delivery reports are taken in and everything else is looked
/// at.
const POLL_EVERY: u64 = 512;

/// A wait shorter than this is none: librdkafka counts in milliseconds.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The topics that it went to.
    pub topics: Vec<String>,
    /// Events handed to Kafka.
    pub produced: u64,
    /// Events that Kafka acknowledged; the same, or the run had failed.
    pub acknowledged: u64,
    /// Bytes of JSON.
    pub bytes: u64,
    /// Bad rows that were skipped.
    pub rows_skipped: u64,
    /// How long it took, from the first event to the last acknowledgement.
    pub elapsed: Duration,
    /// Where a later run goes on; `None` when it did not come to play.
    pub position: Option<Position>,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        write!(
            formatter,
            "{} events to {}: {} acknowledged in {seconds:.1} s, {:.0} a second",
            self.produced,
            self.topics.join(" and "),
            self.acknowledged,
            self.acknowledged as f64 / seconds.max(0.001),
        )?;
        match self.rows_skipped {
            0 => Ok(()),
            1 => write!(formatter, "; 1 bad row skipped"),
            rows => write!(formatter, "; {rows} bad rows skipped"),
        }
    }
}

/// Plays a feed until it ends, until [`ProduceOptions::max_events`], or until `shutdown`; then waits for all
/// acknowledgements. `progress` counts acknowledged events.
///
/// # Errors
/// A [`UsageError`] for what cannot be; a bad row; a broker that is away for
/// longer than `--timeout`; any event that was not acknowledged.
pub async fn run(options: ProduceOptions, shutdown: CancellationToken, progress: Progress) -> anyhow::Result<Summary> {
    options.check()?;
    // Wrong properties are told before anything is read or waited for.
    options.kafka.client_config(&[])?;
    let mut summary = Summary {
        topics: options.topics().into_iter().map(str::to_owned).collect(),
        ..Summary::default()
    };
    let table = tokio::select! {
        table = read_table(&options) => table?,
        () = shutdown.cancelled() => return Ok(summary),
    };
    summary.rows_skipped = table.skipped;
    let Some(cluster) = wait_for_broker(&options.kafka, &shutdown).await? else {
        return Ok(summary);
    };
    prepare_topics(&options, &cluster).await?;

    let table = Arc::new(table);
    let stats = Arc::clone(&options.stats);
    stats.set_symbols(&table.symbols);
    let mut options = options;
    let mut already = Already::default();
    if options.resume {
        let (asking, rows) = (options.clone(), Arc::clone(&table));
        already = tokio::task::spawn_blocking(move || Already::read(&asking, &rows)).await??;
        options.start = already.start(&table, &options).or(options.start);
    }
    let topics = summary.topics.clone();
    let player = Player::new(table, options, already, topics, shutdown, progress)?;
    let started = clock::now();
    let before = Totals::of(&stats);
    let (position, played) = tokio::task::spawn_blocking(move || player.play())
        .await
        .context("the feed's thread")?;
    let after = Totals::of(&stats);
    summary.elapsed = clock::now().duration_since(started);
    summary.produced = after.produced - before.produced;
    summary.acknowledged = after.acknowledged - before.acknowledged;
    summary.bytes = after.bytes - before.bytes;
    summary.position = Some(position);

    let missing = summary.produced - summary.acknowledged;
    if missing > 0 {
        let reason = match played {
            Err(error) => format!("{error:#}"),
            Ok(()) => "Kafka did not answer".to_owned(),
        };
        anyhow::bail!(
            "{missing} of {} events were not acknowledged: {reason}",
            summary.produced
        );
    }
    played?;
    Ok(summary)
}

/// Reads the input on a thread of its own, which may be left behind: a read of stdin cannot be interrupted,
/// and must not keep the program from ending.
async fn read_table(options: &ProduceOptions) -> anyhow::Result<Table> {
    let (input, read_options) = (options.input(), options.read_options());
    let (sender, receiver) = oneshot::channel();
    let read = move || Table::read(input.open()?, &input.name(), &read_options);
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || sender.send(read()).is_ok())
        .context("starting a thread")?;
    receiver.await.context("the thread that reads the input")?
}

#[derive(Clone, Copy)]
struct Totals {
    produced: u64,
    acknowledged: u64,
    bytes: u64,
}

impl Totals {
    fn of(stats: &Stats) -> Totals {
        Totals {
            produced: stats.produced(),
            acknowledged: stats.acknowledged(),
            bytes: stats.bytes(),
        }
    }
}

/// The thread that makes events and hands them over. librdkafka's delivery reports are taken in by the same
/// thread, while it waits.
struct Player {
    table: Arc<Table>,
    feed: Feed,
    already: Already,
    outlet: Outlet,
    pace: Pace,
    /// The topics by stream: ticks and bars may be the only two.
    topics: Vec<String>,
    max_events: u64,
    stats: Arc<Stats>,
    acknowledged_before: u64,
    shutdown: CancellationToken,
    progress: Progress,
}

/// Whether the feed goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Player {
    fn new(
        table: Arc<Table>,
        options: ProduceOptions,
        already: Already,
        topics: Vec<String>,
        shutdown: CancellationToken,
        progress: Progress,
    ) -> anyhow::Result<Player> {
        let feed = Feed::new(Arc::clone(&table), &options);
        let max_events = options.max_events.unwrap_or(u64::MAX);
        if let Some(total) = feed.events_left().or(options.max_events) {
            progress.set_total(total.min(max_events));
        }
        // Days are counted from the one where this run begins.
        let first = feed.position().date;
        let days_over = table.days.partition_point(|day| Some(day.date) < first);
        let warp_days = match options.warp_days {
            0 => 0,
            days => u32::try_from(days_over).unwrap_or(u32::MAX).saturating_add(days),
        };
        let rate = options.rate.unwrap_or(Rate::Max);
        Ok(Player {
            outlet: Outlet::open(&options.kafka, Arc::clone(&options.stats))?,
            pace: Pace::new(options.speed(), rate, warp_days),
            acknowledged_before: options.stats.acknowledged(),
            stats: options.stats,
            table,
            feed,
            already,
            topics,
            max_events,
            shutdown,
            progress,
        })
    }

    /// Plays, then waits for what is on its way, whatever happened. The position is that of the first event
    /// that was not handed over.
    fn play(mut self) -> (Position, anyhow::Result<()>) {
        let mut position = self.feed.position();
        let mut played = self.play_events(&mut position);
        if played.is_err() {
            self.outlet.abandon();
        }
        self.outlet.flush();
        self.show_progress();
        if let (Ok(()), Some(failure)) = (&played, self.outlet.failure()) {
            played = Err(anyhow::anyhow!(failure));
        }
        (position, played)
    }

    fn play_events(&mut self, position: &mut Position) -> anyhow::Result<()> {
        let mut event = Event::default();
        let (mut count, mut turns) = (0, 0_u64);
        while count < self.max_events {
            turns += 1;
            if turns % POLL_EVERY == 1 && self.look_around(Duration::ZERO)? == Next::Stop {
                break;
            }
            if !self.feed.next_into(&mut event) {
                break;
            }
            if self.already.has(&event)? {
                *position = self.feed.position();
                continue;
            }
            if self.wait_until_due(count, &event)? == Next::Stop {
                break;
            }
            self.feed.stamp(&mut event);
            if self.hand_over(&event)? == Next::Stop {
                break;
            }
            self.stats.event(&event);
            *position = self.feed.position();
            count += 1;
        }
        Ok(())
    }

    /// Takes in delivery reports for at most `wait`.
    fn look_around(&self, wait: Duration) -> anyhow::Result<Next> {
        self.outlet.poll(wait)?;
        self.show_progress();
        Ok(match self.shutdown.is_cancelled() {
            true => Next::Stop,
            false => Next::GoOn,
        })
    }

    fn show_progress(&self) {
        self.progress.set(self.stats.acknowledged() - self.acknowledged_before);
    }

    fn wait_until_due(&mut self, count: u64, event: &Event) -> anyhow::Result<Next> {
        loop {
            let now = clock::now();
            let due = self.pace.due(count, event.day, event.market_ms, now);
            let wait = due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
            if wait < WAIT_MIN {
                return Ok(Next::GoOn);
            }
            if self.look_around(wait)? == Next::Stop {
                return Ok(Next::Stop);
            }
        }
    }

    /// Waits for as long as the queue is full.
    fn hand_over(&mut self, event: &Event) -> anyhow::Result<Next> {
        let topic = self.topics.get(event.stream.index());
        let topic = topic.ok_or_else(|| UsageError::new("a feed needs a topic"))?;
        let key = &self.table.symbols[event.symbol];
        let mut full_since = None;
        loop {
            if self.outlet.offer(topic, key, &event.json)? {
                break;
            }
            full_since.get_or_insert_with(clock::now);
            if self.look_around(Duration::from_millis(10))? == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        if let Some(since) = full_since {
            self.pace.stalled(clock::now().duration_since(since));
        }
        Ok(Next::GoOn)
    }
}
