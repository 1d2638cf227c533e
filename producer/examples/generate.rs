//! How fast the feeds make events, without Kafka, and whether every day of the bundled prices, in full, is
//! exactly its bar: `cargo run --release -p tickertape-producer --example generate`.

use std::sync::Arc;
use std::time::Instant;

use tickertape_producer::input::Input;
use tickertape_producer::market::{DayBar, Session, day_seed};
use tickertape_producer::table::Table;
use tickertape_producer::{Event, Feed, FeedKind, ProduceOptions};

fn main() -> anyhow::Result<()> {
    for (kind, events_max) in [
        (FeedKind::Ticks, 5_000_000),
        (FeedKind::Bars, 5_000_000),
        (FeedKind::Sample, 2_000_000),
    ] {
        let options = options(kind);
        let mut feed = Feed::new(Arc::new(table(&options)?), &options);
        let mut event = Event::default();
        let (mut events, mut bytes) = (0_u64, 0);
        let started = Instant::now();
        while events < events_max && feed.next_into(&mut event) {
            events += 1;
            bytes += event.json.len();
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{kind:?}: {events} events in {seconds:.3} s, {:.0} events/s, {:.0} MB/s",
            events as f64 / seconds,
            bytes as f64 / seconds / 1e6,
        );
    }
    check_all_days()
}

fn options(feed: FeedKind) -> ProduceOptions {
    ProduceOptions {
        feed,
        ..ProduceOptions::default()
    }
}

fn table(options: &ProduceOptions) -> anyhow::Result<Table> {
    Table::read(Input::Bundled.open()?, "bundled", &options.read_options())
}

fn check_all_days() -> anyhow::Result<()> {
    let options = options(FeedKind::Ticks);
    let table = table(&options)?;
    let started = Instant::now();
    let (mut trades, mut equal) = (0_u64, 0);
    for row in &table.rows {
        let Some(bar) = row.bar else { continue };
        let seed = day_seed(options.seed, &table.symbols[row.symbol], row.date);
        let session = Session::new(bar, options.ticks_per_day, seed);
        trades += u64::from(session.trades());
        if added_up(session, bar) == bar {
            equal += 1;
        }
    }
    println!(
        "{trades} trades add up to {equal} of {} bars, in {:.1} s",
        table.rows.len(),
        started.elapsed().as_secs_f64(),
    );
    anyhow::ensure!(equal == table.rows.len(), "a day differs from its bar");
    Ok(())
}

/// The bar that the trades of a session make.
fn added_up(session: Session, like: DayBar) -> DayBar {
    let mut made: Option<DayBar> = None;
    for trade in session {
        let bar = made.get_or_insert(DayBar {
            open: trade.price,
            high: trade.price,
            low: trade.price,
            volume: 0,
            ..like
        });
        bar.high = bar.high.max(trade.price);
        bar.low = bar.low.min(trade.price);
        bar.close = trade.price;
        bar.volume += trade.size;
    }
    made.unwrap_or(like)
}
