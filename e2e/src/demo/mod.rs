//! `tickertape demo`: broker, S3, feed, sink, catalog and SQL in one process, watched while they work and checked at the end.
//!
//! The parts are started by [`house`], the feed and the sink run as tasks here, [`queries`] asks SQL meanwhile, [`show`] draws the
//! [`gauges`], and [`report`] says whether every event arrived once and every day adds up.

mod gauges;
mod house;
mod lag;
mod places;
mod queries;
mod report;
mod show;
mod view;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveDate};
use tickertape_client::Progress;
use tickertape_consumer::{ConsumeOptions, Summary as SinkSummary};
use tickertape_producer::{FeedKind, ProduceOptions, Summary as FeedSummary};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::cmd::demo::DemoOptions;
use crate::registrar::CatalogRegistrar;
use crate::verify::{self, Verdict};
use gauges::{Gauges, SymbolGauge};
use house::House;
use lag::Lag;
use queries::Queries;
use report::Report;
use show::Show;

/// The trades, and each day's bar at its close.
const TOPICS: [&str; 2] = ["ticks", "bars"];
const GROUP: &str = "tickertape-sink";
/// From here on the bundled prices have all five symbols.
const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2012, 6, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
/// How long the sink may take at the end to write what the feed has produced.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(300);
/// How old a row may become before the sink writes it.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Runs the demo. Exit code 1 if a row is missing, doubled or different, or a day does not add up.
pub(crate) async fn run(options: DemoOptions, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let data_dir = house::data_dir(options.data_dir.as_deref())?;
    // The past is played at once only where there is none yet.
    let past_days = if house::has_run_in(&data_dir) {
        0
    } else {
        options.past_days
    };
    let house = House::open(&options, &data_dir).await?;
    let mut running = Running::start(&options, past_days, house, started).await?;
    let mut show = Show::open(options.json, &data_dir)?;
    let watched = running.watch(&options, &mut show, &shutdown).await;
    let closed = running.finish(&mut show).await;
    let on_terminal = show.is_terminal();
    drop(show);
    watched?;
    let (report, house) = closed?;
    let words = house.places.parting_words();
    house.close().await?;
    if on_terminal {
        println!("{}\n{words}", report.in_words());
    } else {
        eprintln!("{}\n{words}", report.in_words());
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A demo under way.
struct Running {
    house: House,
    started: Instant,
    feed: JoinHandle<anyhow::Result<FeedSummary>>,
    feed_stop: CancellationToken,
    feed_stats: Arc<tickertape_producer::Stats>,
    sink: JoinHandle<anyhow::Result<SinkSummary>>,
    sink_stop: CancellationToken,
    sink_stats: Arc<tickertape_consumer::Stats>,
    queries: Queries,
    lag: Lag,
    gauges: Gauges,
    last_reading: Instant,
}

impl Running {
    async fn start(options: &DemoOptions, past_days: u32, house: House, started: Instant) -> anyhow::Result<Running> {
        house.ensure_topics(&TOPICS).await?;
        let produce = ProduceOptions {
            feed: FeedKind::Ticks,
            from: Some(FIRST_DAY),
            speed: Some(options.speed),
            warp_days: past_days,
            ticks_per_day: options.ticks_per_day,
            kafka: house.kafka.clone(),
            resume: true,
            ..ProduceOptions::default()
        };
        let feed_stats = Arc::clone(&produce.stats);
        let feed_stop = CancellationToken::new();
        let feed = tokio::spawn(tickertape_producer::run(produce, feed_stop.clone(), Progress::hidden()));

        let topics = TOPICS.map(str::to_owned).to_vec();
        let consume = ConsumeOptions {
            group: GROUP.to_owned(),
            max_age: MAX_AGE,
            ..ConsumeOptions::new(
                house.kafka.clone(),
                house.s3_options.clone(),
                topics,
                house.lake.clone(),
            )
        };
        let sink_stats = Arc::new(tickertape_consumer::Stats::default());
        let sink_stop = CancellationToken::new();
        let registrar = Arc::new(CatalogRegistrar::new(house.catalog()));
        let sink = tokio::spawn(tickertape_consumer::run(
            consume,
            Some(registrar),
            sink_stop.clone(),
            Arc::clone(&sink_stats),
        ));

        Ok(Running {
            queries: Queries::start(Arc::clone(&house.engine), Arc::clone(&feed_stats)),
            lag: Lag::new(&house.kafka, GROUP, &TOPICS)?,
            gauges: Gauges::default(),
            last_reading: Instant::now(),
            house,
            started,
            feed,
            feed_stop,
            feed_stats,
            sink,
            sink_stop,
            sink_stats,
        })
    }

    /// Shows the demo until its time is over, the person has seen enough, or a part has ended.
    async fn watch(
        &mut self,
        options: &DemoOptions,
        show: &mut Show,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A person's key is answered at once.
        let mut keys = tokio::time::interval(Duration::from_millis(50));
        loop {
            tokio::select! {
                _ = second.tick() => {
                    self.read_gauges().await?;
                    show.draw(&self.gauges, &self.house.places, "")?;
                }
                _ = keys.tick() => if show.stop_asked()? { return Ok(()) },
                () = shutdown.cancelled() => return Ok(()),
            }
            let over = options.run_for.is_some_and(|run_for| self.started.elapsed() >= run_for);
            if over || self.feed.is_finished() || self.sink.is_finished() {
                return Ok(());
            }
        }
    }

    async fn read_gauges(&mut self) -> anyhow::Result<()> {
        let seconds = self.last_reading.elapsed().as_secs_f64().max(1e-3);
        self.last_reading = Instant::now();
        let (queries, freshness) = self.queries.answers();
        let (events, sunk) = (self.feed_stats.acknowledged(), self.sink_stats.written.load(Relaxed));
        let market_ms = self.feed_stats.event_time_ms();
        let market_time = DateTime::from_timestamp_millis(market_ms).filter(|_| market_ms > 0);
        let mut symbols = std::mem::take(&mut self.gauges.symbols);
        for quote in self.feed_stats.quotes() {
            let index = symbols
                .iter()
                .position(|gauge| gauge.symbol == quote.symbol)
                .unwrap_or_else(|| {
                    symbols.push(SymbolGauge {
                        symbol: quote.symbol.clone(),
                        ..SymbolGauge::default()
                    });
                    symbols.len() - 1
                });
            symbols[index].last = quote.last;
            symbols[index].previous_close = quote.previous_close;
            symbols[index].remember();
        }
        self.gauges = Gauges {
            elapsed: self.started.elapsed(),
            market_time: market_time
                .map(|time| time.format("%Y-%m-%d %H:%M:%SZ").to_string())
                .unwrap_or_default(),
            events_per_s: events.saturating_sub(self.gauges.events) as f64 / seconds,
            sunk_per_s: sunk.saturating_sub(self.gauges.sunk) as f64 / seconds,
            events,
            sunk,
            lag: self.lag.read().await?,
            freshness,
            objects: self.sink_stats.objects.load(Relaxed),
            bytes: self.sink_stats.object_bytes.load(Relaxed),
            symbols,
            queries,
        };
        Ok(())
    }

    /// Stops the feed, lets the sink write what is left, and compares everything.
    async fn finish(mut self, show: &mut Show) -> anyhow::Result<(Report, House)> {
        self.feed_stop.cancel();
        let fed = (&mut self.feed).await?.context("the feed failed")?;
        self.drain(show).await?;
        self.sink_stop.cancel();
        let sunk = (&mut self.sink).await?.context("the sink failed")?.total();
        let (_, freshness) = self.queries.answers();
        show.draw(&self.gauges, &self.house.places, "comparing every record with its row")?;
        self.queries.stop().await?;

        let engine = &self.house.engine;
        let mut verdict = Verdict::default();
        for topic in TOPICS {
            verdict.merge(verify::verify(&self.house.kafka, engine, topic, topic, |_| {}).await?);
        }
        let mut rows = 0;
        for topic in TOPICS {
            rows += verify::count_rows(engine, topic).await?;
        }
        let days = queries::days_equal(&engine.query(queries::DAYS_EQUAL).await?.batches)
            .context("the comparison of days has no answer")?;
        let report = Report::new(
            fed.acknowledged,
            rows,
            verdict,
            days,
            &freshness,
            (sunk.objects, sunk.bytes),
            self.started.elapsed().as_secs_f64(),
        );
        Ok((report, self.house))
    }

    /// Waits until the sink has committed everything.
    async fn drain(&mut self, show: &mut Show) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut pause = tokio::time::interval(Duration::from_millis(200));
        loop {
            pause.tick().await;
            let lag = self.lag.read().await?;
            if lag == 0 {
                return Ok(());
            }
            if self.sink.is_finished() {
                bail!("the sink ended with {lag} records unwritten");
            }
            if started.elapsed() > DRAIN_TIMEOUT {
                bail!(
                    "the sink has not written {lag} records within {} s",
                    DRAIN_TIMEOUT.as_secs()
                );
            }
            if self.last_reading.elapsed() >= Duration::from_secs(1) {
                self.read_gauges().await?;
                show.draw(
                    &self.gauges,
                    &self.house.places,
                    "the feed has stopped; the sink writes what is left",
                )?;
            }
        }
    }
}
